"""
The catalogue for people: as text, as JSON, and as the pack's README.

Written from the same table that the pack is made from, so that a limit which is documented
exists and one that exists is documented; a test holds the README to it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from pulumi_jig.policy.catalogue import CATALOGUE, PolicySpec
from pulumi_jig.policy.quantities import show
from pulumi_jig.policy.settings import COMMON

#: The README's generated part stands between these.
BEGIN: Final = "<!-- catalogue: written by `pulumi-jig policy list --markdown` -->"
END: Final = "<!-- end of catalogue -->"

_JUDGES: Final = {
    "deployment": "each deployment, before it is created",
    "dynamic": "each resource of a Python dynamic provider, before it is created",
    "budget": "each `GpuBudget`, before any of its members is created",
    "stack": "the whole stack: in a preview, and after an update",
}


def keys_of(spec: PolicySpec) -> list[dict[str, str]]:
    """The configuration keys of one policy, without those that all policies have."""
    return [
        {"key": name, "help": declared.text, "default": _text(declared.default)}
        for name, declared in spec.settings.keys.items()
        if name not in COMMON
    ]


def _text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal | int):
        return show(Decimal(value))
    if isinstance(value, Mapping):
        items = ", ".join(f'"{name}": {_text(item)}' for name, item in value.items())
        return f"{{{items}}}"
    if isinstance(value, re.Pattern):
        return f'"{value.pattern}"'
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, dt.date):
        return f'"{value.isoformat()}"'
    return f'"{value}"'


def as_data() -> list[dict[str, Any]]:
    """The catalogue as JSON."""
    return [
        {
            "name": spec.name,
            "title": spec.title,
            "description": spec.description,
            "judges": spec.judges,
            "severity": spec.severity,
            "remedy": spec.remedy,
            "keys": keys_of(spec),
        }
        for spec in CATALOGUE
    ]


def as_text() -> str:
    """The catalogue for a terminal: name, what it judges, one sentence."""
    width = max(len(spec.name) for spec in CATALOGUE)
    return "\n".join(
        f"{spec.name:{width}}  {spec.judges:10}  {spec.description}"
        for spec in CATALOGUE
    )


def as_markdown() -> str:
    """The catalogue as the README of the pack has it, markers included."""
    common = [
        f"| `{name}` | {declared.text} | `{_text(declared.default)}` |"
        for name, declared in COMMON.items()
    ]
    head = [
        BEGIN,
        "",
        "### Keys of every policy",
        "",
        *_table_head(),
        *common,
    ]
    body: list[str] = []
    for spec in CATALOGUE:
        body += ["", f"### {spec.name}", "", spec.description, ""]
        body.append(f"Judges {_JUDGES[spec.judges]}. Severity: {spec.severity}.")
        keys = keys_of(spec)
        if keys:
            body += ["", *_table_head()]
            body += [f"| `{k['key']}` | {k['help']} | `{k['default']}` |" for k in keys]
    return "\n".join([*head, *body, "", END])


def _table_head() -> list[str]:
    return ["| Key | What it says | Where it is left out |", "| --- | --- | --- |"]
