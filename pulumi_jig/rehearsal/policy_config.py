"""
The configuration of a policy pack, put together as the engine does it.

Why it exists: what a policy is given is a merge of four sources: its schema's defaults,
the pack's `initial_config`, `"all"`, and its own entry in the configuration file. The
merge is shallow and has edges that people trip over; a rehearsal must have the same.

What it refuses: a file that the engine refuses, and configuration that does not fit a
policy's schema. Of JSON Schema it knows the keywords that policies use (type, enum,
bounds, lengths, pattern, required, nested properties and items).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

LEVELS: Final = ("advisory", "mandatory", "disabled", "remediate")
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}


class PolicyConfigError(ValueError):
    """The configuration of a policy pack cannot be used; says where and why."""


@dataclass
class PolicyConfig:
    """What one policy is given: a level, or none, and properties."""

    level: str = ""
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PolicyInfo:
    """What a pack says of one of its policies."""

    name: str
    level: str
    schema: Mapping[str, Any] | None
    required: tuple[str, ...] = ()


def read(path: Path) -> dict[str, PolicyConfig]:
    """
    The entries of a configuration file.

    Raises:
        PolicyConfigError: it cannot be read or holds what the engine refuses.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text) if text.strip() else {}
    except (OSError, ValueError) as error:
        message = f"the policy configuration {path} cannot be read: {error}"
        raise PolicyConfigError(message) from error
    if not isinstance(data, dict):
        message = f"the policy configuration {path} must be a JSON object"
        raise PolicyConfigError(message)
    data.pop("environments", None)  # Pulumi Cloud's; a file backend has none.
    return parse(data)


def parse(data: Mapping[str, Any]) -> dict[str, PolicyConfig]:
    """
    Entries that are levels, or objects with an optional `enforcementLevel`.

    Raises:
        PolicyConfigError: one is neither.
    """
    result: dict[str, PolicyConfig] = {}
    for name, value in data.items():
        if isinstance(value, str):
            entry = PolicyConfig(_level(name, value))
        elif isinstance(value, dict):
            properties = dict(value)
            level = properties.pop("enforcementLevel", "")
            entry = PolicyConfig(_level(name, level) if level else "", properties)
        else:
            message = (
                f"parsing {name!r}: {value} is not a valid value; must be a string or "
                "object"
            )
            raise PolicyConfigError(message)
        if entry.level or entry.properties:
            result[name] = entry
    return result


def _level(name: str, value: Any) -> str:
    if value not in LEVELS:
        message = (
            f"parsing enforcement level for {name!r}: {value!r} is not a valid "
            f"enforcement level; use one of {', '.join(LEVELS)}"
        )
        raise PolicyConfigError(message)
    return str(value)


def reconcile(
    policies: Iterable[PolicyInfo],
    initial: Mapping[str, PolicyConfig],
    given: Mapping[str, PolicyConfig],
) -> dict[str, PolicyConfig]:
    """
    What each policy gets.

    Raises:
        PolicyConfigError: the outcome does not fit a policy's schema, or an entry for
            an unknown policy has properties and no level.
    """
    policies = list(policies)
    result: dict[str, PolicyConfig] = {}
    for policy in policies:
        defaults = {
            key: schema["default"]
            for key, schema in (policy.schema or {}).items()
            if isinstance(schema, dict) and "default" in schema
        }
        result[policy.name] = PolicyConfig(policy.level, defaults)
    for source in (initial, given):
        _apply(result, source)
    problems = [
        f"{policy.name}: {problem}"
        for policy in policies
        if policy.schema is not None
        for problem in _check_properties(
            result[policy.name].properties, policy.schema, policy.required, ""
        )
    ]
    problems += [
        f'{name}: invalid enforcement level ""'
        for name, entry in result.items()
        if not entry.level
    ]
    if problems:
        raise PolicyConfigError("\n".join(sorted(problems)))
    return result


def _apply(result: dict[str, PolicyConfig], source: Mapping[str, PolicyConfig]) -> None:
    everything = source.get("all")
    if everything is not None and everything.level:
        for name, entry in result.items():
            result[name] = PolicyConfig(everything.level, entry.properties)
    for name, entry in source.items():
        before = result.get(name, PolicyConfig())
        result[name] = PolicyConfig(
            entry.level or before.level, {**before.properties, **entry.properties}
        )


def _check_properties(
    value: Mapping[str, Any],
    schemas: Mapping[str, Any],
    required: Iterable[str],
    path: str,
) -> list[str]:
    problems = [f"{path}{name} is required" for name in required if name not in value]
    for name, schema in schemas.items():
        if name in value and isinstance(schema, dict):
            problems += _check(value[name], schema, f"{path}{name}")
    return problems


def _check(value: Any, schema: Mapping[str, Any], path: str) -> list[str]:
    kinds = schema.get("type")
    names = kinds if isinstance(kinds, list) else [kinds] if kinds else []
    if names and not any(_is(value, str(name)) for name in names):
        expected = "/".join(map(str, names))
        return [f"{path}: Invalid type. Expected: {expected}, given: {_kind(value)}"]
    problems: list[str] = []
    if "enum" in schema and value not in schema["enum"]:
        allowed = ", ".join(json.dumps(item) for item in schema["enum"])
        problems.append(f"{path}: {path} must be one of the following: {allowed}")
    if "const" in schema and value != schema["const"]:
        expected = json.dumps(schema["const"])
        problems.append(f"{path}: {path} does not match: {expected}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        problems += _check_number(value, schema, path)
    if isinstance(value, str):
        problems += _check_size(len(value), schema, path, "Length")
        pattern = schema.get("pattern")
        if pattern and not re.search(str(pattern), value):
            problems.append(f"{path}: Does not match pattern '{pattern}'")
    if isinstance(value, list):
        problems += _check_size(len(value), schema, path, "Items")
        items = schema.get("items")
        if isinstance(items, dict):
            for index, item in enumerate(value):
                problems += _check(item, items, f"{path}.{index}")
    if isinstance(value, dict):
        problems += _check_object(value, schema, path)
    return problems


def _check_object(
    value: Mapping[str, Any], schema: Mapping[str, Any], path: str
) -> list[str]:
    known = schema.get("properties") or {}
    problems = _check_properties(value, known, schema.get("required") or (), f"{path}.")
    others = schema.get("additionalProperties", True)
    for name in value:
        if name in known:
            continue
        if others is False:
            problems.append(f"{path}: Additional property {name} is not allowed")
        elif isinstance(others, dict):
            problems += _check(value[name], others, f"{path}.{name}")
    return problems


def _check_number(value: float, schema: Mapping[str, Any], path: str) -> list[str]:
    problems = []
    if "minimum" in schema and value < schema["minimum"]:
        bound = f"greater than or equal to {schema['minimum']:g}"
        problems.append(f"{path}: Must be {bound}")
    if "maximum" in schema and value > schema["maximum"]:
        bound = f"less than or equal to {schema['maximum']:g}"
        problems.append(f"{path}: Must be {bound}")
    if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
        problems.append(f"{path}: Must be greater than {schema['exclusiveMinimum']:g}")
    if "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]:
        problems.append(f"{path}: Must be less than {schema['exclusiveMaximum']:g}")
    return problems


def _check_size(
    size: int, schema: Mapping[str, Any], path: str, what: str
) -> list[str]:
    problems = []
    if size < schema.get(f"min{what}", 0):
        problems.append(f"{path} must have at least {schema[f'min{what}']:g} elements")
    if f"max{what}" in schema and size > schema[f"max{what}"]:
        problems.append(f"{path} must have at most {schema[f'max{what}']:g} elements")
    return problems


def _kind(value: Any) -> str:
    """What JSON Schema calls a value."""
    return (
        next(name for name in _TYPES if name != "number" and _is(value, name))
        if (not isinstance(value, float) or value.is_integer())
        else "number"
    )


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES.get(kind, (object,)))
