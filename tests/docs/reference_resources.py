"""The page of the resources, their arguments and outputs, and of the look-ups."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pulumi
from reference_source import (
    Attribute,
    Described,
    described,
    first_paragraphs,
    flowing,
    kind,
    page,
    section,
    table,
)

import pulumi_jig
from pulumi_jig import naming, resources
from pulumi_jig.schema import requests
from pulumi_jig.schema.deployment import FIELDS
from pulumi_jig.schema.field import LEFT_ALONE

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What a change does and what follows from leaving a property out again, for the kinds
#: that have no table of fields; tests hold it to their diff.
RULES: dict[str, dict[str, tuple[str, str]]] = {
    "Secret": {
        "name": ("replaces the secret", "keeps the name that it has"),
        "value": ("in place: the value is sent", "is required"),
        "description": ("in place", "empties it"),
        "ttl_seconds": (
            "in place: a new lifetime begins",
            "is refused: no way back is documented",
        ),
        "version": ("in place: the value is sent again", "changes nothing"),
    },
    "Volume": {
        "name": ("replaces the volume", "keeps the name that it has"),
        "content": ("in place: makes a new version", "is required"),
        "type": ("in place", "goes back to `readOnly`"),
        "version": ("in place: makes a new version", "changes nothing"),
    },
    "Deployment": {
        "extra": (
            "in place; the service decides what restarts",
            "sends nothing: no way back is documented",
        ),
        "restart_on_rotation": (
            "adds or takes away its variable: in place, restarts replicas",
            "takes its variable away",
        ),
        "gpu_count": (
            "in place, restarts replicas",
            "goes back to `0`; refused with a GPU type",
        ),
    },
}
#: Steering that the service never sees; of every kind.
_OPTION = "is no difference: it counts from the next operation on"
_OPTIONS_OF_ALL = ("adopt", "ownership_mark")
_REFUSED = "is refused: no way back is documented"
_SWITCHES = ("autoscaling", "health_check_path")


def write() -> str:
    """The page."""
    there = described("resources")
    parts = [
        "What programs import from `pulumi_jig`. Each property takes a plain value or "
        "an output. *Left out* says what counts when a property is never declared, "
        "*a change* what an update does, *taken out* what follows when a declared "
        "property is no longer there. Units, ranges and the service's own defaults are "
        "those of the API; where its documents are silent, nothing is claimed.",
    ]
    classes = list(resource_classes())
    parts.append("\n".join(f"- [`{name}`](#{name.lower()})" for name in classes))
    for name in classes:
        parts += _resource(there[name], there)
    parts.append("## Parts of arguments")
    parts.append(
        "Each can be written as the class or as a plain dictionary of the same keys."
    )
    for name in pulumi_jig.__all__:
        if name.endswith("Args") and name.removesuffix("Args") not in classes:
            parts += _part(there[name])
    parts += _lookups()
    return page("Resources", *parts)


def resource_classes() -> Iterator[str]:
    """The public resources, `Deployment` first."""
    names = [
        name
        for name in resources.__all__
        if isinstance(found := getattr(resources, name), type)
        and issubclass(found, pulumi.Resource)
    ]
    yield from sorted(names, key=lambda name: (name != "Deployment", name))


def _resource(found: Described, there: dict[str, Described]) -> Iterator[str]:
    yield f"## {found.name}"
    yield first_paragraphs(found.text)
    token = getattr(naming, f"{_upper(found.name)}_TYPE", None)
    if token is not None:
        yield f"Type token: `{token}`."
    arguments = there.get(f"{found.name}Args")
    if arguments is None:
        entries = section(found.text, "Args")
        rows = [
            (f"`{name}`", text)
            for name, text in entries.items()
            if name not in {"resource_name", "opts"}
        ]
        yield "### Arguments"
        yield table(("argument", "what it means"), rows)
    else:
        yield "### Arguments"
        yield table(
            (
                "property",
                "what it means",
                "allowed",
                "left out",
                "a change",
                "taken out",
            ),
            [_argument(found.name, one) for one in arguments.attributes],
        )
    if found.attributes:
        yield "### Outputs"
        yield table(
            ("output", "what it tells", "type"),
            [
                (f"`{one.name}`", one.text, kind(one.annotation))
                for one in found.attributes
            ],
        )


def _upper(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()


def _argument(of: str, one: Attribute) -> tuple[str, ...]:
    change, dropped = what_follows(of, one)
    if one.required:
        left_out = "it is required"
        dropped = "it is required"
    else:
        left_out = _left_out(of, one)
    return (f"`{one.name}`", one.text, allowed(of, one), left_out, change, dropped)


def allowed(of: str, one: Attribute) -> str:
    """Type and range of an argument, the range from the model of the request."""
    words = kind(one.annotation)
    request = getattr(requests, f"Create{of}Request", None)
    if request is None or one.name not in request.model_fields:
        return words
    return words + _range(request, one.name)


def _range(request: Any, name: str) -> str:
    if not request.__pydantic_complete__:
        request.model_rebuild()
    schema = request.model_json_schema()["properties"][name]
    told: dict[str, Any] = {}
    for part in [schema, *schema.get("anyOf", [])]:
        told |= part
    low = told.get("ge", told.get("minimum"))
    above = told.get("gt", told.get("exclusiveMinimum"))
    high = told.get("le", told.get("maximum"))
    if low is not None and high is not None:
        return f", {low} to {high}"
    if above is not None and high is not None:
        return f", more than {above}, at most {high}"
    if low is not None:
        return f", from {low}"
    if told.get("maxLength") is not None:
        return f", at most {told['maxLength']} characters"
    if told.get("maxItems") is not None:
        return f", at most {told['maxItems']}"
    return ""


def _left_out(of: str, one: Attribute) -> str:
    if one.name == "name":
        return "a name is made"
    if of != "Deployment" or one.name not in FIELDS:
        return _default(one) or "none"
    value = FIELDS[one.name].default
    if value is LEFT_ALONE:
        return "the service chooses"
    if value in ("", [], {}):
        return "none"
    return f"`{value}`"


def _default(one: Attribute) -> str:
    """The default that an option's docstring names, or the empty string."""
    found = re.search(r"`(\w+)`(?: \(|, )the default|\(default (\w+)\)", one.text)
    if found:
        return f"`{found[1] or found[2]}`"
    return "`false`" if kind(one.annotation) == "true or false" else ""


def what_follows(of: str, one: Attribute) -> tuple[str, str]:
    """
    What a change of a property does, and what taking it out again does.

    Raises:
        LookupError: Nothing tells it of a property.
    """
    known = RULES.get(of, {}).get(one.name)
    if known is not None:
        return known
    if of != "Deployment" and one.name not in _OPTIONS_OF_ALL:
        raise LookupError(f"RULES does not say what a change of {of}.{one.name} does")
    field = FIELDS.get(one.name) if of == "Deployment" else None
    if field is None:
        default = _default(one)
        return _OPTION, f"goes back to {default}" if default else "ends it"
    if field.on_change == "replace":
        return f"replaces the {of.lower()}", "keeps the name that it has"
    change = "in place, restarts replicas" if field.rolls else "in place"
    value = field.default
    if value is LEFT_ALONE:
        return change, _REFUSED
    if value in ("", [], {}):
        return change, "switches it off" if one.name in _SWITCHES else "empties it"
    return change, f"goes back to `{value}`"


def _part(found: Described) -> Iterator[str]:
    yield f"### {found.name}"
    yield flowing(first_paragraphs(found.text))
    yield table(
        ("key", "what it means", "type"),
        [
            (
                f"`{one.name}`" + (" (required)" if one.required else ""),
                one.text or "Always this.",
                kind(one.annotation),
            )
            for one in found.attributes
        ],
    )


def _lookups() -> Iterator[str]:
    there = described("lookups")
    names = [name for name in pulumi_jig.__all__ if name in there]
    yield "## Look-ups"
    yield (
        "For what the program does not manage. The `_output` form of each takes outputs "
        "and returns one."
    )
    for name in names:
        found = there[name]
        if name.endswith("_output"):
            continue
        yield f"### {name}"
        yield flowing(first_paragraphs(found.text))
        told = section(found.text, "Attributes")
        if found.attributes:
            yield table(
                ("attribute", "what it tells", "type"),
                [
                    (
                        f"`{one.name}`",
                        told.get(one.name, one.text),
                        kind(one.annotation),
                    )
                    for one in found.attributes
                ],
            )
            continue
        yield f"```text\n{name}({found.signature})\n```"
        entries = section(found.text, "Args")
        if entries:
            rows = [(f"`{key}`", text) for key, text in entries.items()]
            yield table(("argument", "what it means"), rows)
        raised = section(found.text, "Raises")
        if raised:
            rows = [(f"`{key}`", text) for key, text in raised.items()]
            yield table(("raises", "when"), rows)
