"""
The nested arguments of a deployment, each as a class and as a TypedDict.

Both forms end as the same plain data. The classes are for editors, the dictionaries for
programs that read their configuration from a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import (
    Any,
    Final,
    Literal,
    NotRequired,
    Protocol,
    TypedDict,
    runtime_checkable,
)

import pulumi

from pulumi_jig.resources.forms import Where, plain, shape, when_known
from pulumi_jig.resources.secret import Secret

#: The variable in which a deployment names the rotations of its secrets.
ROTATIONS = "PULUMI_JIG_ROTATIONS"
_SOURCE: Final = "value_from_secret"


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


# --- Environment variables -----------------------------------------------------


def environment(value: Any, where: Where, *, rotations: bool = False) -> Any:
    """
    Environment variables as a mapping, so that each stays secret (or not) on its own.

    What cannot be a mapping (a name given twice, a name not known yet) stays a list; the
    check reports it, or converts it once it is known.

    Args:
        value: The argument, in any form.
        where: Its place.
        rotations: Whether to add a variable that names the rotation of each `Secret`.

    Raises:
        RunError: It holds a resource where text is meant, or something that is no data;
            or there is no `Secret` whose rotation could be named.
    """

    def known(value: Any) -> Any:
        value = shape(value, where)
        if isinstance(value, dict):
            given = {name: _opened(item, where / name) for name, item in value.items()}
            found: Any = {
                name: _variable(item, where / name) for name, item in given.items()
            }
        elif isinstance(value, list):
            items = [_opened(item, where / at) for at, item in enumerate(value)]
            given = {_called(item, at): item for at, item in enumerate(items)}
            found = _by_name(
                [_variable_entry(item, where / at) for at, item in enumerate(items)]
            )
        else:
            return plain(value, where)
        return _with_rotations(found, given, where) if rotations else found

    return when_known(value, known)


def _opened(value: Any, where: Where) -> Any:
    return when_known(value, lambda known: shape(known, where))


def _called(item: Any, at: int) -> str:
    # A name that is known only later cannot be written here; its place can.
    name = item.get("name") if isinstance(item, dict) else None
    return name if isinstance(name, str) else str(at)


def _variable(value: Any, where: Where) -> Any:
    """What stands for a variable in a mapping: text, a `Secret`, or a reference."""
    return when_known(
        value,
        lambda known: (
            {"value_from_secret": known.name}
            if isinstance(known, Secret)
            else _variable_entry(known, where)
        ),
    )


def _variable_entry(value: Any, where: Where) -> Any:
    def known(value: Any) -> Any:
        if not isinstance(value, dict):
            return plain(value, where)
        found = plain({k: v for k, v in value.items() if k != _SOURCE}, where)
        if _SOURCE in value:
            found[_SOURCE] = when_known(
                value[_SOURCE],
                lambda source: (
                    source.name
                    if isinstance(source, Secret)
                    else plain(source, where / _SOURCE)
                ),
            )
        return found

    return when_known(value, known)


def _by_name(entries: list[Any]) -> Any:
    found: dict[str, Any] = {}
    for item in entries:
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str) or name in found:
            return entries
        rest = {key: part for key, part in item.items() if key != "name"}
        if rest.keys() == {"value"}:
            found[name] = rest["value"]
        elif rest.keys() == {_SOURCE}:
            found[name] = rest
        else:
            return entries
    return found


def _with_rotations(variables: Any, given: dict[str, Any], where: Where) -> Any:
    """Variables, and one more that names the rotation of each secret among them."""
    option = Where(where.resource, ("restart_on_rotation",))
    if ROTATIONS in given:
        raise option.refused(f"makes the variable {ROTATIONS} itself; leave it out.")
    followed = {name: _rotation(item) for name, item in given.items()}

    def words(known: dict[str, Any]) -> str:
        told = [f"{name}={known[name]}" for name in sorted(known) if known[name]]
        if not told:
            raise option.refused(
                "needs a `Secret` object among `environment_variables`: a name or an "
                "output says nothing of its rotations."
            )
        return " ".join(told)

    if not any(isinstance(item, pulumi.Output) for item in followed.values()):
        words({})
    # A rotation is no secret, whatever stands beside it.
    named = pulumi.Output.unsecret(pulumi.Output.all(**followed)).apply(words)
    if isinstance(variables, dict):
        return {**variables, ROTATIONS: named}
    return [*variables, {"name": ROTATIONS, "value": named}]


def _rotation(value: Any) -> Any:
    """The rotation of the `Secret` that a variable refers to; None where it is none."""

    def known(value: Any) -> Any:
        if isinstance(value, Secret):
            return value.value_version
        return _rotation(value.get(_SOURCE)) if isinstance(value, dict) else None

    return when_known(value, known)


# --- Volumes -------------------------------------------------------------------


def mounts(value: Any, where: Where) -> Any:
    """
    Volumes as the API's list.

    A mapping is `path -> volume`; a volume object stands for its name, and for its
    current version where no other is given.

    Raises:
        RunError: It holds another resource, or something that is no data.
    """

    def known(value: Any) -> Any:
        value = shape(value, where)
        if isinstance(value, dict):
            value = [{"name": item, "mount_path": path} for path, item in value.items()]
        if not isinstance(value, list):
            return plain(value, where)
        return [_mount(item, where / index) for index, item in enumerate(value)]

    return when_known(value, known)


def _mount(value: Any, where: Where) -> Any:
    def known(value: Any) -> Any:
        mount = shape(value, where)
        if not isinstance(mount, dict) or "name" not in mount:
            return plain(mount, where)
        volume = mount.pop("name")
        found = {"name": _volume_name(volume, where / "name"), **plain(mount, where)}
        if "version" not in mount:
            version = when_known(volume, _current_version)
            if version is not None:
                found["version"] = version
        return found

    return when_known(value, known)


def _volume_name(value: Any, where: Where) -> Any:
    return when_known(
        value,
        lambda known: known.name if _is_volume(known) else plain(known, where),
    )


def _current_version(value: Any) -> Any:
    return value.current_version if _is_volume(value) else None


def _is_volume(value: Any) -> bool:
    return isinstance(value, Mountable) and not isinstance(value, Mapping)
