"""
The registry for people: as text and as JSON.

Written from the declarations that the pack is made from, so that a limit which is
documented exists and one that exists is documented.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from pulumi_jig.policy.declaration import COMMON, Policy
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
    return json.dumps(as_json(value), ensure_ascii=False)


def as_json(value: Any) -> Any:
    """Return the JSON form of a setting's value."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, re.Pattern):
        return value.pattern
    if isinstance(value, dt.date):
        return value.isoformat()
    if dataclasses.is_dataclass(value):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return {k: as_json(item) for k, item in fields.items() if item is not None}
    if isinstance(value, Mapping):
        return {name: as_json(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [as_json(item) for item in value]
    return value


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
