"""
The nested arguments of a deployment, each as a class and as a TypedDict.

Both forms end as the same plain data. The classes are for editors, the dictionaries for
programs that read their configuration from a file.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, Protocol, TypedDict, runtime_checkable

import pulumi

from pulumi_jig.resources.secret import Secret

#: The variable in which a deployment names the rotations of its secrets.
ROTATIONS = "PULUMI_JIG_ROTATIONS"


@runtime_checkable
class Mountable(Protocol):
    """A volume: something with a name and a current version."""

    name: pulumi.Output[str]
    current_version: pulumi.Output[int]


@dataclass(kw_only=True)
class EnvironmentVariableArgs:
    """One environment variable: a plain value, or the name of a secret."""

    name: pulumi.Input[str]
    """Letters, digits and underscores, not beginning with a digit."""
    value: pulumi.Input[str] | None = None
    """The value. A Pulumi secret stays encrypted in the state."""
    value_from_secret: pulumi.Input[str] | Secret | None = None
    """A `Secret`, or name or id of a secret of the service; instead of `value`."""


class EnvironmentVariableArgsDict(TypedDict):
    """`EnvironmentVariableArgs` as a dictionary."""

    name: pulumi.Input[str]
    value: NotRequired[pulumi.Input[str]]
    value_from_secret: NotRequired[pulumi.Input[str] | Secret]


class SecretReferenceDict(TypedDict):
    """The value of a variable in a mapping, where it comes from a secret."""

    value_from_secret: pulumi.Input[str] | Secret


@dataclass(kw_only=True)
class VolumeMountArgs:
    """A read-only volume in the container."""

    name: pulumi.Input[str] | Mountable
    """A `Volume`, or name or id of an existing volume."""
    mount_path: pulumi.Input[str]
    """Absolute path in the container."""
    version: pulumi.Input[int] | None = None
    """
    Version of the volume, from 0. Left out: a `Volume`'s current one; of a name the
    latest at creation, the mounted one on update.
    """


class VolumeMountArgsDict(TypedDict):
    """`VolumeMountArgs` as a dictionary."""

    name: pulumi.Input[str] | Mountable
    mount_path: pulumi.Input[str]
    version: NotRequired[pulumi.Input[int]]


@dataclass(kw_only=True)
class ModelMountArgs:
    """Weights from the service's model registry in the container."""

    model_id: pulumi.Input[str]
    """Registry id, `ml_...`."""
    mount_path: pulumi.Input[str]
    """Absolute path in the container."""
    revision_id: pulumi.Input[str] | None = None
    """A validated revision, `rv_...`. Left out: the latest; the service pins it."""


class ModelMountArgsDict(TypedDict):
    """`ModelMountArgs` as a dictionary."""

    model_id: pulumi.Input[str]
    mount_path: pulumi.Input[str]
    revision_id: NotRequired[pulumi.Input[str]]


@dataclass(kw_only=True)
class HTTPAutoscalingArgs:
    """Scale on requests through the service's HTTP proxy."""

    metric: pulumi.Input[Literal["HTTPTotalRequests", "HTTPAvgRequestDuration"]]
    """Which rate."""
    target: pulumi.Input[float] | None = None
    """Threshold above 0. Default 100 (total requests) or 500 (milliseconds)."""
    time_interval_minutes: pulumi.Input[int] | None = None
    """Rate window in minutes, from 1. Default 10."""


class HTTPAutoscalingArgsDict(TypedDict):
    """`HTTPAutoscalingArgs` as a dictionary."""

    metric: pulumi.Input[Literal["HTTPTotalRequests", "HTTPAvgRequestDuration"]]
    target: NotRequired[pulumi.Input[float]]
    time_interval_minutes: NotRequired[pulumi.Input[int]]


@dataclass(kw_only=True)
class QueueAutoscalingArgs:
    """Scale on the backlog of the service's job queue."""

    metric: Literal["QueueBacklogPerWorker"] = "QueueBacklogPerWorker"
    target: pulumi.Input[float] | None = None
    """Jobs per replica, above 0. Default 1.01; the vendor recommends 1.05."""
    model: pulumi.Input[str] | None = None
    """Queue to look at. Default: the deployment's own name."""


class QueueAutoscalingArgsDict(TypedDict):
    """`QueueAutoscalingArgs` as a dictionary."""

    metric: Literal["QueueBacklogPerWorker"]
    target: NotRequired[pulumi.Input[float]]
    model: NotRequired[pulumi.Input[str]]


@dataclass(kw_only=True)
class CustomMetricAutoscalingArgs:
    """Scale on a metric that the container exports on `/metrics`."""

    custom_metric_name: pulumi.Input[str]
    """Prometheus name of the metric."""
    metric: Literal["CustomMetric"] = "CustomMetric"
    target: pulumi.Input[float] | None = None
    """Threshold above 0. Default 500."""


class CustomMetricAutoscalingArgsDict(TypedDict):
    """`CustomMetricAutoscalingArgs` as a dictionary."""

    metric: Literal["CustomMetric"]
    custom_metric_name: pulumi.Input[str]
    target: NotRequired[pulumi.Input[float]]


def plain(value: Any) -> Any:
    """Arguments as plain data; what is an output stays one, and is plain inside."""
    if isinstance(value, pulumi.Output):
        return value.apply(plain)
    if isinstance(value, Secret):
        return value.name
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: plain(item)
            for field in dataclasses.fields(value)
            if (item := getattr(value, field.name)) is not None
        }
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def environment(value: Any) -> Any:
    """
    Environment variables as a mapping, so that each stays secret (or not) on its own.

    What cannot be a mapping (a name given twice, a name not known yet) stays a list; the
    check reports it, or converts it once it is known.
    """
    if isinstance(value, pulumi.Output):
        return value.apply(environment)
    if isinstance(value, dict):
        value = {
            key: {"value_from_secret": item} if isinstance(item, Secret) else item
            for key, item in value.items()
        }
    value = plain(value)
    if not isinstance(value, list):
        return value
    found: dict[str, Any] = {}
    for item in value:
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str) or name in found:
            return value
        rest = {key: part for key, part in item.items() if key != "name"}
        if rest.keys() == {"value"}:
            found[name] = rest["value"]
        elif rest.keys() == {"value_from_secret"}:
            found[name] = rest
        else:
            return value
    return found


def with_rotations(variables: Any) -> Any:
    """
    Environment variables, and one more that names the rotation of each secret.

    Raises:
        ValueError: There is no secret to follow; the text goes on from the option's
            name.
    """
    entries = variables.items() if isinstance(variables, dict) else _named(variables)
    if any(name == ROTATIONS for name, _ in entries):
        raise ValueError(f"makes the variable {ROTATIONS} itself; leave it out.")
    followed: dict[str, pulumi.Output[str]] = {}
    for name, item in entries:
        source = item.get("value_from_secret") if isinstance(item, dict) else item
        if isinstance(source, Secret):
            # A name that is known only later cannot be written here; its place can.
            key = name if isinstance(name, str) else str(len(followed))
            followed[key] = source.rotation
    if not followed:
        raise ValueError(
            "needs a `Secret` object among `environment_variables`: a name or an output "
            "says nothing of its rotations."
        )
    words = pulumi.Output.all(**followed).apply(
        lambda known: " ".join(f"{name}={known[name]}" for name in sorted(known))
    )
    if isinstance(variables, dict):
        return {**variables, ROTATIONS: words}
    return [*variables, {"name": ROTATIONS, "value": words}]


def _named(variables: Any) -> list[tuple[Any, Any]]:
    """The entries of the API's list, by name."""
    if not isinstance(variables, (list, tuple)):
        return []
    entries = [
        item
        if isinstance(item, dict)
        else {"name": item.name, "value_from_secret": item.value_from_secret}
        for item in variables
        if isinstance(item, (dict, EnvironmentVariableArgs))
    ]
    return [(item.get("name"), item) for item in entries]


def mounts(value: Any) -> Any:
    """
    Volumes as the API's list.

    A mapping is `path -> volume`; a volume object stands for its name, and for its
    current version where no other is given.
    """
    if isinstance(value, pulumi.Output):
        return value.apply(mounts)
    if isinstance(value, dict):
        value = [{"name": item, "mount_path": path} for path, item in value.items()]
    if not isinstance(value, (list, tuple)):
        return plain(value)
    return [_mount(item) for item in value]


def _mount(item: Any) -> Any:
    if isinstance(item, VolumeMountArgs):
        item = {
            field.name: getattr(item, field.name)
            for field in dataclasses.fields(item)
            if getattr(item, field.name) is not None
        }
    volume = item.get("name") if isinstance(item, dict) else None
    if not isinstance(volume, pulumi.Resource) or not isinstance(volume, Mountable):
        return plain(item)
    mount = {**item, "name": volume.name}
    mount.setdefault("version", volume.current_version)
    return plain(mount)
