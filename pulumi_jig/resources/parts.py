"""
The nested arguments of a deployment, each as a class and as a TypedDict.

Both forms end as the same plain data. The classes are for editors, the dictionaries for
programs that read their configuration from a file.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

import pulumi


@dataclass(kw_only=True)
class EnvironmentVariableArgs:
    """One environment variable: a plain value, or the name of a secret."""

    name: pulumi.Input[str]
    """Letters, digits and underscores, not beginning with a digit."""
    value: pulumi.Input[str] | None = None
    """The value. A Pulumi secret stays encrypted in the state."""
    value_from_secret: pulumi.Input[str] | None = None
    """Name or id of a secret of the service; instead of `value`."""


class EnvironmentVariableArgsDict(TypedDict):
    """`EnvironmentVariableArgs` as a dictionary."""

    name: pulumi.Input[str]
    value: NotRequired[pulumi.Input[str]]
    value_from_secret: NotRequired[pulumi.Input[str]]


class SecretReferenceDict(TypedDict):
    """The value of a variable in a mapping, where it comes from a secret."""

    value_from_secret: pulumi.Input[str]


@dataclass(kw_only=True)
class VolumeMountArgs:
    """A read-only volume in the container."""

    name: pulumi.Input[str]
    """Name or id of an existing volume."""
    mount_path: pulumi.Input[str]
    """Absolute path in the container."""
    version: pulumi.Input[int] | None = None
    """
    Version of the volume, from 0. Left out: the latest at creation, the mounted one on
    update.
    """


class VolumeMountArgsDict(TypedDict):
    """`VolumeMountArgs` as a dictionary."""

    name: pulumi.Input[str]
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
    value = plain(value)
    if isinstance(value, pulumi.Output):
        return value.apply(environment)
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
