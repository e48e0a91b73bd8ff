"""
What a program asks for: one goal per registered resource, and the names of resources.

An option that the rehearsal ignored would make it say what the engine would not do, so
options that it does not carry out are refused by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.message import Message
from pulumi.runtime.proto import alias_pb2

from pulumi_jig.rehearsal.errors import RehearsalError, unsupported
from pulumi_jig.rehearsal.properties import PropertyMap, decode
from pulumi_jig.rehearsal.state import Resource

ROOT_TYPE: Final = "pulumi:pulumi:Stack"
PROVIDER_PREFIX: Final = "pulumi:providers:"

_DURATION: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
#: Seconds per unit.
_UNITS: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
#: Fields of a registration that are refused, and what the program wrote.
_REFUSED: Final = {
    "importId": "the `import_` option",
    "remote": "components of another language or package",
    "transforms": "the `transforms` option",
    "replace_with": "the `replace_with` option",
    "replaceOnChanges": "the `replace_on_changes` option",
    "replacement_trigger": "the `replacement_trigger` option",
    "deletedWith": "the `deleted_with` option",
    "state_migrations": "state migrations",
    "packageRef": "parameterised packages",
    "envVarMappings": "the `env_var_mappings` option",
    "hooks": "resource hooks",
}


@dataclass
class Goal:
    """
    One resource as the program wants it.

    Attributes:
        resource: The resource, its inputs still as the program gave them.
        properties: What the program gave as inputs.
        aliases: Former names, as the SDK sends them.
        delete_before_replace: The option, or None where it is not given.
        providers: References of the providers of a component's children, by package.
        version: The version of the package.
    """

    resource: Resource
    properties: PropertyMap
    aliases: list[alias_pb2.Alias] = field(default_factory=list)
    delete_before_replace: bool | None = None
    providers: dict[str, str] = field(default_factory=dict)
    version: str = ""

    @property
    def package(self) -> str:
        """The package whose plugin manages the resource."""
        return self.resource.type.removeprefix(PROVIDER_PREFIX).partition(":")[0]


def seconds(text: str) -> float:
    """
    A duration as people write it for `custom_timeouts` (`90s`, `1h30m`), in seconds.

    Raises:
        RehearsalError: it is not a duration.
    """
    parts = _DURATION.findall(text)
    if "".join(number + unit for number, unit in parts) != text:
        message = f"{text!r} is not a duration; write it like 90s, 20m or 1h30m"
        raise RehearsalError(message)
    return sum((float(number) * _UNITS[unit] for number, unit in parts), 0.0)


# --- URNs ------------------------------------------------------------------------


def urn_of(stack: str, project: str, parent: str, kind: str, name: str) -> str:
    """The URN of a resource under `parent` (a URN, or "" for none)."""
    chain = parent.split("::", 3)[2] if parent else ""
    if chain and chain != ROOT_TYPE:
        kind = f"{chain}${kind}"
    return f"urn:pulumi:{stack}::{project}::{kind}::{name}"


# --- Requests --------------------------------------------------------------------


def goal_from(request: Any, stack: str, project: str) -> Goal:
    """
    The goal in a `RegisterResource` request.

    Raises:
        RehearsalError: it uses an option that a rehearsal does not carry out.
    """
    for given, value in request.ListFields():
        is_empty = isinstance(value, Message) and not value.ByteSize()
        if given.name in _REFUSED and not is_empty:
            what = f"resource {request.name!r} uses {_REFUSED[given.name]}"
            raise unsupported(what)
    properties = decode(request.object)
    resource = _resource(request, stack, project, properties)
    resource.custom = request.custom
    resource.protect = request.protect
    resource.retain_on_delete = request.retainOnDelete
    resource.ignore_changes = list(request.ignoreChanges)
    resource.property_dependencies = {
        key: sorted(value.urns)
        for key, value in sorted(request.propertyDependencies.items())
    }
    resource.custom_timeouts = {
        key: seconds(text)
        for key in ("create", "update", "delete")
        if (text := getattr(request.customTimeouts, key))
    }
    first = request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None
    return Goal(
        resource,
        properties,
        aliases=[
            *(alias_pb2.Alias(urn=urn) for urn in request.aliasURNs),
            *request.aliases,
        ],
        delete_before_replace=first,
        providers=dict(request.providers),
        version=request.version,
    )


def goal_from_read(request: Any, stack: str, project: str) -> Goal:
    """The goal in a `ReadResource` request: a resource that exists and is not ours."""
    properties = decode(request.properties)
    resource = _resource(request, stack, project, properties)
    resource.id, resource.external = request.id, True
    return Goal(resource, properties, version=request.version)


def _resource(
    request: Any, stack: str, project: str, properties: PropertyMap
) -> Resource:
    return Resource(
        urn=urn_of(stack, project, request.parent, request.type, request.name),
        type=request.type,
        custom=True,
        inputs=properties,
        parent=request.parent,
        provider=request.provider,
        dependencies=sorted(request.dependencies),
        additional_secret_outputs=list(request.additionalSecretOutputs),
    )
