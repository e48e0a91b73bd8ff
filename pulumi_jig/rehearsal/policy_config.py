"""
The configuration of a policy pack, put together as the engine does it.

A policy is given a merge of four sources, the later over the earlier: its schema's
defaults, the pack's `initial_config`, `"all"`, and its own entry in the configuration
file. The merge is shallow.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from jsonschema import Draft7Validator

from pulumi_jig.rehearsal.errors import RehearsalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from jsonschema import ValidationError

LEVELS: Final = ("advisory", "mandatory", "disabled", "remediate")

# The engine's own words, which are those of another validator.
_MESSAGES: Final = {
    "type": "Invalid type. Expected: {limit}, given: {given}",
    "enum": "{path} must be one of the following: {limit}",
    "const": "{path} does not match: {limit}",
    "pattern": "Does not match pattern '{limit}'",
    "minimum": "Must be greater than or equal to {limit}",
    "maximum": "Must be less than or equal to {limit}",
    "exclusiveMinimum": "Must be greater than {limit}",
    "exclusiveMaximum": "Must be less than {limit}",
    "minLength": "String length must be greater than or equal to {limit}",
    "maxLength": "String length must be less than or equal to {limit}",
    "minItems": "Array must have at least {limit} items",
    "maxItems": "Array must have at most {limit} items",
}
_TYPES: Final = ("null", "boolean", "integer", "number", "string", "array", "object")


@dataclass
class PolicyConfig:
    """What one policy is given: an enforcement level (or "") and properties."""

    level: str = ""
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PolicyInfo:
    """What a pack says of one of its policies; `schema` is of its properties."""

    name: str
    level: str
    schema: Mapping[str, Any] | None
    required: tuple[str, ...] = ()


def read(path: Path) -> dict[str, PolicyConfig]:
    """
    The entries of a configuration file.

    Raises:
        RehearsalError: it cannot be read or holds what the engine refuses.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text) if text.strip() else {}
    except (OSError, ValueError) as error:
        message = f"the policy configuration {path} cannot be read: {error}"
        raise RehearsalError(message) from error
    if not isinstance(data, dict):
        message = f"the policy configuration {path} must be a JSON object"
        raise RehearsalError(message)
    data.pop("environments", None)  # Pulumi Cloud's; a file backend has none.
    return parse(data)


def parse(data: Mapping[str, Any]) -> dict[str, PolicyConfig]:
    """
    Entries that are levels, or objects with an optional `enforcementLevel`.

    Raises:
        RehearsalError: one is neither.
    """
    result: dict[str, PolicyConfig] = {}
    for name, value in data.items():
        if not isinstance(value, str | dict):
            message = (
                f"parsing {name!r}: {value} is not a valid value; must be a string or "
                "object"
            )
            raise RehearsalError(message)
        properties = dict(value) if isinstance(value, dict) else {}
        level = (
            value if isinstance(value, str) else properties.pop("enforcementLevel", "")
        )
        if level not in {*LEVELS, ""} or value == "":
            message = (
                f"parsing enforcement level for {name!r}: {level!r} is not a valid "
                f"enforcement level; use one of {', '.join(LEVELS)}"
            )
            raise RehearsalError(message)
        if level or properties:
            result[name] = PolicyConfig(str(level), properties)
    return result


def reconcile(
    policies: Iterable[PolicyInfo],
    initial: Mapping[str, PolicyConfig],
    given: Mapping[str, PolicyConfig],
) -> dict[str, PolicyConfig]:
    """
    What each policy gets.

    Raises:
        RehearsalError: it does not fit a policy's schema, or an entry for an unknown
            policy has properties and no level; one line per problem.
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
        if "all" in source and source["all"].level:
            for entry in result.values():
                entry.level = source["all"].level
        for name, entry in source.items():
            before = result.get(name, PolicyConfig())
            result[name] = PolicyConfig(
                entry.level or before.level, {**before.properties, **entry.properties}
            )
    problems = [
        f"{policy.name}: {_problem(error)}"
        for policy in policies
        for error in _validator(policy).iter_errors(result[policy.name].properties)
    ]
    problems += [
        f'{name}: invalid enforcement level ""'
        for name, entry in result.items()
        if not entry.level
    ]
    if problems:
        raise RehearsalError("\n".join(sorted(problems)))
    return result


def _validator(policy: PolicyInfo) -> Draft7Validator:
    return Draft7Validator(
        {
            "type": "object",
            "properties": policy.schema or {},
            "required": list(policy.required),
        }
    )


def _problem(error: ValidationError) -> str:
    path = ".".join(map(str, error.absolute_path))
    limit = error.validator_value
    if error.validator == "type":
        limit = "/".join(limit) if isinstance(limit, list) else limit
    elif error.validator in {"enum", "const"}:
        limit = ", ".join(
            map(json.dumps, limit if isinstance(limit, list) else [limit])
        )
    is_type = Draft7Validator.TYPE_CHECKER.is_type
    given = next(name for name in _TYPES if is_type(error.instance, name))
    if error.validator == "required":
        return error.message.replace("'", "").replace("a required property", "required")
    words = _MESSAGES.get(str(error.validator), error.message.replace("{", "{{"))
    return f"{path}: {words.format(path=path, limit=limit, given=given)}"
