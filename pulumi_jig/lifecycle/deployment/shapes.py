"""
What each field of a deployment takes by itself: type, bounds, form.

The models say what is wrong; this module says it in the user's terms: under the path
that the program wrote (a mapping of variables is sent as a list), with a remedy, and not
at all where something is not known yet.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from pulumi_jig.lifecycle.deployment.inputs import extra_fields, request_value
from pulumi_jig.lifecycle.wording import near
from pulumi_jig.schema.deployment import FIELDS
from pulumi_jig.schema.field import ENTRY
from pulumi_jig.schema.requests import (
    CreateDeploymentRequest,
    CustomMetricAutoscalingConfig,
    EnvironmentVariable,
    HTTPAutoscalingConfig,
    ModelMount,
    QueueAutoscalingConfig,
    VolumeMount,
)
from pulumi_jig.values import (
    UNKNOWN,
    Path,
    SecretValue,
    format_path,
    has_unknown,
    reveal,
    unknown_paths,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.lifecycle.wording import Fault

#: Largest request body in bytes; the plugin's own wire stops at 4 MiB per message.
MAX_BODY: Final = 3 * 1024 * 1024

#: The models of what stands inside a field.
_NESTED: Final = {
    "autoscaling": (
        HTTPAutoscalingConfig,
        QueueAutoscalingConfig,
        CustomMetricAutoscalingConfig,
    ),
    "environment_variables": (EnvironmentVariable,),
    "volumes": (VolumeMount,),
    "model_mounts": (ModelMount,),
}

# --- Environment variables -----------------------------------------------------

_SOURCES: Final = {"value", "value_from_secret"}


def normal_environment(inputs: dict[str, Any]) -> list[Fault]:
    """
    Bring the variables into their one form, and find what that form would hide.

    The API's list becomes a mapping (where everything that it hangs on is known), and
    `{"value": text}` becomes the text, so that no later comparison sees two forms of
    one thing.
    """
    given = inputs.get("environment_variables")
    value = given.value if isinstance(given, SecretValue) else given
    if isinstance(value, list):
        plain = reveal(value)
        faults = _list_faults(plain)
        if faults or not all(_is_placed(item) for item in plain):
            return faults
        value = {
            entry["name"]: _without_name(item)
            for entry, item in zip(plain, value, strict=True)
        }
    if isinstance(value, dict):
        normal = {name: _normal_variable(item) for name, item in value.items()}
        secret = isinstance(given, SecretValue)
        inputs["environment_variables"] = SecretValue(normal) if secret else normal
    return []


def _is_placed(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("name"), str)


def _without_name(item: Any) -> Any:
    if isinstance(item, SecretValue):
        return SecretValue(_without_name(item.value))
    return {key: value for key, value in item.items() if key != "name"}


def _normal_variable(item: Any) -> Any:
    if isinstance(item, SecretValue):
        normal = _normal_variable(item.value)
        return normal if isinstance(normal, SecretValue) else SecretValue(normal)
    if not isinstance(item, dict) or not item.keys() <= _SOURCES:
        return item
    given = {key: value for key, value in item.items() if value is not None}
    return given["value"] if set(given) == {"value"} else given


def _list_faults(variables: list[Any]) -> list[Fault]:
    faults: list[Fault] = []
    seen: dict[str, int] = {}
    for index, item in enumerate(variables):
        path = format_path(("environment_variables", index))
        if item is UNKNOWN:
            continue
        name = item.get("name") if isinstance(item, dict) else None
        if name is not UNKNOWN and not isinstance(name, str):
            faults.append((path, "must be {name, value} or {name, value_from_secret}"))
            continue
        if isinstance(name, str):
            if name in seen:
                sentence = f"stands at position {seen[name]} already; give each "
                faults.append((f"{path}.name", sentence + "variable once"))
            seen.setdefault(name, index)
        sources = [key for key in _SOURCES if item.get(key) is not None]
        if len(sources) != 1:
            faults.append(
                (path, "needs exactly one of `value` and `value_from_secret`")
            )
        faults += [
            (
                format_path(("environment_variables", index, key)),
                "is not a key here; a variable has `name` and `value` or "
                f"`value_from_secret`.{near(key, ('name', *sorted(_SOURCES)))}",
            )
            for key in sorted(item.keys() - {*_SOURCES, "name"})
        ]
    return faults


# --- The model -----------------------------------------------------------------


def shape_faults(inputs: Mapping[str, Any], skip: set[str]) -> list[Fault]:
    """
    What is wrong with single fields.

    Args:
        inputs: All inputs, without secret markers, possibly with unknown values.
        skip: Paths about which something was said already.
    """
    body, names = _as_sent(inputs)
    faults: list[Fault] = []
    environment = inputs.get("environment_variables")
    if environment is not None and "environment_variables" not in body:
        takes = FIELDS["environment_variables"].takes
        faults.append(("environment_variables", f"must be a mapping; it takes {takes}"))
    unknown = set(unknown_paths(body))
    try:
        CreateDeploymentRequest.parse(body)
    except ValidationError as error:
        for item in error.errors(include_url=False, include_input=False):
            location = _location(item["loc"])
            if _concerns_unknown(location, unknown):
                continue
            path = _readable(location, names)
            if path in skip or any(path.startswith((f"{s}.", f"{s}[")) for s in skip):
                continue
            faults.append((path, _sentence(location, item["type"], item["msg"])))
    if not faults and not skip and not has_unknown(inputs):
        faults += _size_faults(inputs, body)
    return faults


def _as_sent(inputs: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The fields as the model takes them, and the names of the variables in order."""
    body = {name: inputs[name] for name in FIELDS if inputs.get(name) is not None}
    names: list[str] = []
    environment = body.get("environment_variables")
    if isinstance(environment, dict):
        names = sorted(environment)
        body["environment_variables"] = [_variable(n, environment[n]) for n in names]
    elif environment is not UNKNOWN and not isinstance(environment, list):
        body.pop("environment_variables", None)
    if body.get("autoscaling") == {}:
        # Off, which is said by leaving it out.
        del body["autoscaling"]
    return body, names


def _variable(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        # A name inside would be a second one: an unknown key of a variable.
        inside = {"name again": value["name"]} if "name" in value else {}
        return {**value, **inside, "name": name}
    return {"name": name, "value": value}


def _size_faults(inputs: Mapping[str, Any], body: Mapping[str, Any]) -> list[Fault]:
    fields = {name: request_value(name, inputs[name]) for name in body}
    try:
        size = len(json.dumps({**extra_fields(inputs), **fields}, allow_nan=False))
    except (TypeError, ValueError):
        # What of `extra` cannot be sent is told by the rules, with its path.
        return []
    if size <= MAX_BODY:
        return []
    return [
        (
            "",
            f"these inputs are {size // 1024} KiB in all; keep a deployment below "
            f"{MAX_BODY // 1024} KiB (move data into a volume)",
        )
    ]


_UNION_TAGS: Final = frozenset({"http", "queue", "custom", "other"})


def _location(loc: tuple[int | str, ...]) -> Path:
    # pydantic puts the branch of a union into the path; nobody wrote it there.
    if loc[:1] == ("autoscaling",) and len(loc) > 1 and loc[1] in _UNION_TAGS:
        return (loc[0], *loc[2:])
    return loc


def _concerns_unknown(location: Path, unknown: set[Path]) -> bool:
    return any(
        location[: len(path)] == path or path[: len(location)] == location
        for path in unknown
    )


def _readable(location: Path, names: list[str]) -> str:
    if len(location) > 1 and location[0] == "environment_variables" and names:
        index = location[1]
        assert isinstance(index, int)
        rest = location[2:]
        # Of a mapping's entry, "name" is the key itself and "value" its value.
        if rest in (("name",), ("value",)):
            rest = ()
        elif rest == ("name again",):
            rest = ("name",)
        return format_path(("environment_variables", names[index], *rest))
    return format_path(location)


_PYDANTIC: Final = {
    "missing": "is required",
    "extra_forbidden": "is not a key here",
    "too_long": "has too many entries",
    "list_type": "must be a list",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "greater_than": "is too small",
    "greater_than_equal": "is too small",
    "less_than_equal": "is too large",
}


def _sentence(location: Path, kind: str, message: str) -> str:
    text = _PYDANTIC.get(kind, message)
    head, last = FIELDS[str(location[0])], location[-1]
    if kind == "extra_forbidden":
        known = [key for model in _NESTED[head.name] for key in model.model_fields]
        meant = near(str(last), known)
        return f"{text}; {head.name} takes {head.takes}{'.' if meant else ''}{meant}"
    if len(location) == 1:
        takes = head.takes
    else:
        takes = head.parts.get(last if isinstance(last, str) else ENTRY, "")
    if location == ("gpu_type",) and kind == "missing":
        takes = f'{takes}; "none" for a deployment without a GPU'
    return f"{text}; it takes {takes}" if takes else text
