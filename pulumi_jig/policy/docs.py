"""
The registry for people: as text and as JSON.

Written from the declarations that the pack is made from, so that a limit which is
documented exists and one that exists is documented.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from pulumi_jig.policy.declaration import COMMON, GpuType, Policy
from pulumi_jig.policy.quantities import show
from pulumi_jig.policy.registry import POLICIES

#: What each kind of policy judges, in words.
JUDGES: Final = {
    "deployment": "each deployment, before it is created",
    "any": "each resource of a Python dynamic provider, before it is created",
    "quota": "each deployment together with those admitted before it, before it is "
    "created; and the whole stack at the end",
}


def settings_of(policy: type[Policy]) -> list[dict[str, str]]:
    """Return the settings of one policy, without those that all policies have."""
    return [
        {
            "key": name,
            "type": declared.kind.says,
            "unit": declared.unit,
            "null": declared.null,
            "help": declared.text,
            "default": written(declared.default),
        }
        for name, declared in policy.settings.items()
        if name not in COMMON
    ]


def written(value: Any) -> str:
    """Write a value as a profile has it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal | int):
        return show(Decimal(value))
    if isinstance(value, GpuType):
        value = {
            name: number
            for name in ("usd_per_hour", "vram_gib", "weight")
            if (number := getattr(value, name)) is not None
        }
    if isinstance(value, Mapping):
        items = ", ".join(f'"{name}": {written(item)}' for name, item in value.items())
        return f"{{{items}}}"
    if isinstance(value, re.Pattern):
        return f'"{value.pattern}"'
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, dt.date):
        return f'"{value.isoformat()}"'
    if isinstance(value, str):
        return f'"{value}"'
    fields = {n: getattr(value, n) for n in getattr(value, "__slots__", ())}
    return written(fields)


def as_data() -> list[dict[str, Any]]:
    """Return the registry as JSON."""
    return [
        {
            "name": policy.name,
            "title": policy.title,
            "description": policy.says,
            "judges": policy.judges,
            "severity": policy.severity,
            "level": policy.level,
            "fix": policy.fix,
            "settings": settings_of(policy),
        }
        for policy in POLICIES
    ]


def as_text() -> str:
    """Return the registry for a terminal: name, severity, one sentence."""
    width = max(len(policy.name) for policy in POLICIES)
    return "\n".join(
        f"{policy.name:{width}}  {policy.severity:8}  {policy.says}"
        for policy in POLICIES
    )
