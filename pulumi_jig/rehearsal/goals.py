"""
What a program asks for: one goal per registered resource, and the names of resources.

Why it exists: it turns a `RegisterResource` request into plain data once, and refuses
there, by name, every option that a rehearsal does not carry out. An option that were
silently ignored would make a rehearsal say what the engine would not do.

What it refuses: `import_`, remote components, transforms on a resource, hooks,
`replace_with`, state migrations, parameterised packages, environment mappings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.rehearsal.properties import PropertyMap, decode

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT_TYPE: Final = "pulumi:pulumi:Stack"
PROVIDER_PREFIX: Final = "pulumi:providers:"

_DURATION: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_UNITS: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}

# Field of the request, what the user wrote.
_REFUSED: Final = (
    ("importId", "the `import_` option"),
    ("remote", "components of another language or package"),
    ("transforms", "the `transforms` option"),
    ("replace_with", "the `replace_with` option"),
    ("state_migrations", "state migrations"),
    ("packageRef", "parameterised packages"),
    ("envVarMappings", "the `env_var_mappings` option"),
)
_HOOKS: Final = (
    "before_create",
    "after_create",
    "before_update",
    "after_update",
    "before_delete",
    "after_delete",
    "on_error",
)


class RefusedError(ValueError):
    """The program uses something that a rehearsal does not do; named in one sentence."""


@dataclass(frozen=True)
class Alias:
    """Another name under which the state may know a resource."""

    urn: str = ""
    name: str = ""
    type: str = ""
    stack: str = ""
    project: str = ""
    parent: str = ""
    no_parent: bool = False


@dataclass
class Goal:
    """One resource as the program wants it."""

    type: str
    name: str
    custom: bool
    properties: PropertyMap
    parent: str = ""
    provider: str = ""
    providers: dict[str, str] = field(default_factory=dict)
    version: str = ""
    protect: bool | None = None
    dependencies: list[str] = field(default_factory=list)
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    delete_before_replace: bool | None = None
    ignore_changes: list[str] = field(default_factory=list)
    replace_on_changes: list[str] = field(default_factory=list)
    additional_secret_outputs: list[str] = field(default_factory=list)
    aliases: list[Alias] = field(default_factory=list)
    custom_timeouts: dict[str, float] = field(default_factory=dict)
    retain_on_delete: bool | None = None
    deleted_with: str = ""
    replacement_trigger: Any = None
    source_position: str = ""

    @property
    def is_provider(self) -> bool:
        """Whether it is a provider resource."""
        return self.type.startswith(PROVIDER_PREFIX)

    @property
    def package(self) -> str:
        """The package whose plugin manages it."""
        if self.is_provider:
            return self.type.removeprefix(PROVIDER_PREFIX)
        return self.type.partition(":")[0]


def seconds(text: str) -> float:
    """
    A duration as people write it for `custom_timeouts` (`90s`, `1h30m`), in seconds.

    Raises:
        RefusedError: it is not a duration.
    """
    position = 0
    total = 0.0
    for match in _DURATION.finditer(text):
        if match.start() != position:
            break
        total += float(match.group(1)) * _UNITS[match.group(2)]
        position = match.end()
    if position != len(text):
        message = f"{text!r} is not a duration; write it like 90s, 20m or 1h30m"
        raise RefusedError(message)
    return total


def urn_of(stack: str, project: str, parent: str, kind: str, name: str) -> str:
    """The URN of a resource under `parent` (a URN, or "" for none)."""
    chain = qualified_type(parent) if parent else ""
    if chain and chain != ROOT_TYPE:
        kind = f"{chain}${kind}"
    return f"urn:pulumi:{stack}::{project}::{kind}::{name}"


def qualified_type(urn: str) -> str:
    """The types of a URN's ancestors and its own, joined by `$`."""
    return urn.split("::", 3)[2]


def name_of(urn: str) -> str:
    """The logical name in a URN."""
    return urn.split("::", 3)[3]


def type_of(urn: str) -> str:
    """The resource's own type token in a URN."""
    return qualified_type(urn).rpartition("$")[2]


def alias_urn(
    alias: Alias, goal: Goal, stack: str, project: str, former: Mapping[str, str]
) -> str:
    """
    The URN that an alias stands for, what it leaves open taken from the goal.

    A parent that the alias names goes by its own old URN (`former`: new to old).
    """
    if alias.urn:
        return alias.urn
    parent = goal.parent
    if alias.no_parent:
        parent = ""
    elif alias.parent:
        parent = former.get(alias.parent, alias.parent)
    return urn_of(
        alias.stack or stack,
        alias.project or project,
        parent,
        alias.type or goal.type,
        alias.name or goal.name,
    )


def inherited_urn(kind: str, name: str, parent: str, parent_alias: str) -> str:
    """
    The URN of a child under its parent's former URN.

    A child named after its parent (`app-disk` under `app`) is renamed with it.
    """
    parent_name = name_of(parent)
    if name.startswith(parent_name):
        name = name_of(parent_alias) + name.removeprefix(parent_name)
    _, _, stack = parent_alias.split("::", 3)[0].rpartition(":")
    project = parent_alias.split("::", 3)[1]
    return urn_of(stack, project, parent_alias, kind, name)


def goal_from(request: Any, root: str) -> Goal:
    """
    The goal in a `RegisterResource` request.

    Args:
        request: The protobuf message.
        root: The project's directory, which source positions are relative to.

    Raises:
        RefusedError: it uses an option that a rehearsal does not carry out.
    """
    title = f"resource {request.name!r}"
    for attribute, words in _REFUSED:
        if getattr(request, attribute, None):
            message = (
                f"{title} uses {words}, which a rehearsal does not support; run this "
                "program with the `pulumi` command"
            )
            raise RefusedError(message)
    hooks = getattr(request, "hooks", None)
    if hooks is not None and any(getattr(hooks, kind, None) for kind in _HOOKS):
        message = (
            f"{title} has resource hooks, which a rehearsal does not support; run this "
            "program with the `pulumi` command"
        )
        raise RefusedError(message)
    timeouts = {
        key: seconds(text)
        for key in ("create", "update", "delete")
        if (text := getattr(request.customTimeouts, key))
    }
    trigger = None
    if "replacement_trigger" in request.DESCRIPTOR.fields_by_name and (
        request.HasField("replacement_trigger")
    ):
        trigger = _trigger(request.replacement_trigger)
    return Goal(
        type=request.type,
        name=request.name,
        custom=request.custom,
        properties=decode(request.object),
        parent=request.parent,
        provider=request.provider,
        providers=dict(request.providers),
        version=request.version,
        protect=_optional(request, "protect"),
        dependencies=sorted(request.dependencies),
        property_dependencies={
            key: sorted(value.urns)
            for key, value in sorted(request.propertyDependencies.items())
        },
        delete_before_replace=(
            request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None
        ),
        ignore_changes=list(request.ignoreChanges),
        replace_on_changes=list(request.replaceOnChanges),
        additional_secret_outputs=list(request.additionalSecretOutputs),
        aliases=_aliases(request),
        custom_timeouts=timeouts,
        retain_on_delete=_optional(request, "retainOnDelete"),
        deleted_with=request.deletedWith,
        replacement_trigger=trigger,
        source_position=_position(request, root),
    )


def _trigger(value: Any) -> Any:
    from google.protobuf import struct_pb2

    return decode(struct_pb2.Struct(fields={"value": value}))["value"]


def _optional(request: Any, name: str) -> bool | None:
    """A flag that older SDKs send as plain, newer ones as optional field."""
    descriptor = request.DESCRIPTOR.fields_by_name[name]
    if descriptor.has_presence and not request.HasField(name):
        return None
    return bool(getattr(request, name))


def _aliases(request: Any) -> list[Alias]:
    result = [Alias(urn=urn) for urn in request.aliasURNs]
    for alias in request.aliases:
        if alias.WhichOneof("alias") == "urn":
            result.append(Alias(urn=alias.urn))
            continue
        spec = alias.spec
        result.append(
            Alias(
                name=spec.name,
                type=spec.type,
                stack=spec.stack,
                project=spec.project,
                parent=spec.parentUrn,
                no_parent=spec.noParent,
            )
        )
    return result


def _position(request: Any, root: str) -> str:
    """Where in the program the resource is made, relative to the project."""
    import os.path

    uri: str = request.sourcePosition.uri
    if not uri.startswith("file://"):
        return ""
    path = os.path.relpath(uri.removeprefix("file://"), root)
    return f"project:///{path}#{request.sourcePosition.line}"
