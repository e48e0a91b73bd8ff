"""
The declarations of settings as JSON schemas, for the engine's own check.

The engine refuses a wrong type before a policy runs; unknown keys it lets pass, so the
parser in `settings` stays the judge of what a configuration means.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from pulumi_jig.policy.settings import Settings, TypeLimits

_COUNT: Final = {"type": "integer", "minimum": 0}
_NUMBER: Final = {"type": "number", "minimum": 0}
_WORDS: Final = {"type": "array", "items": {"type": "string"}}
_SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "number": _NUMBER,
    "count": _COUNT,
    "word": {"type": "string"},
    "bool": {"type": "boolean"},
    "date": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
    "words": _WORDS,
    "types": _WORDS,
    "regexes": _WORDS,
    "counts": {"type": "array", "items": _COUNT},
    "numbers by type": {"type": "object", "additionalProperties": _NUMBER},
    "limits by type": {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "properties": {
                f.name: {**_COUNT, "type": ["integer", "null"]}
                for f in dataclasses.fields(TypeLimits)
            },
            "additionalProperties": False,
        },
    },
    "ranges by metric": {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "properties": {"min": _NUMBER, "max": _NUMBER},
            "additionalProperties": False,
        },
    },
    "exemptions": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                name: {"type": "string"} for name in ("name", "reason", "expires")
            },
            "required": ["name", "reason", "expires"],
            "additionalProperties": False,
        },
    },
}


def json_schema(cls: type[Settings]) -> dict[str, dict[str, Any]]:
    """
    The JSON schema of each key, for the engine's own check of a configuration file.

    It carries no defaults: what is left out must stay visible as left out, since the
    environment's profile fills it.
    """
    schemas: dict[str, dict[str, Any]] = {}
    for name, declared in cls.keys.items():
        kind = declared.kind
        if kind == "choice":
            schema: dict[str, Any] = {"enum": list(declared.choices)}
            schema["type"] = "string"
        else:
            schema = dict(_SCHEMAS[kind.removesuffix("?")])
        if kind.endswith("?"):
            schema["type"] = [schema["type"], "null"]
        schema["description"] = declared.text
        schemas[name] = schema
    return schemas
