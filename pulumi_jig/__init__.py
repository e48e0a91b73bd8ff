"""
GPU container deployments on Together AI as ordinary Pulumi resources.

The names below are loaded when they are first used: the emulator, the rehearsal and the
policy packs live in this package as well, and need no Pulumi SDK to start.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pulumi_jig.lookups import (
        DeploymentInfo,
        RevisionInfo,
        get_deployment,
        get_deployment_output,
        get_logs,
        get_logs_output,
        list_deployments,
        list_deployments_output,
        list_revisions,
        list_revisions_output,
    )
    from pulumi_jig.resources import (
        CustomMetricAutoscalingArgs,
        CustomMetricAutoscalingArgsDict,
        Deployment,
        DeploymentArgs,
        DeploymentArgsDict,
        EnvironmentVariableArgs,
        EnvironmentVariableArgsDict,
        HTTPAutoscalingArgs,
        HTTPAutoscalingArgsDict,
        ModelMountArgs,
        ModelMountArgsDict,
        Provider,
        QueueAutoscalingArgs,
        QueueAutoscalingArgsDict,
        S3OriginArgs,
        S3OriginArgsDict,
        Secret,
        SecretArgs,
        SecretArgsDict,
        SecretReferenceDict,
        Volume,
        VolumeArgs,
        VolumeArgsDict,
        VolumeContentArgs,
        VolumeContentArgsDict,
        VolumeMountArgs,
        VolumeMountArgsDict,
        VolumeOriginArgs,
        VolumeOriginArgsDict,
    )

__version__ = "0.1.0"

_LOOKUPS = frozenset(
    {
        "DeploymentInfo",
        "RevisionInfo",
        "get_deployment",
        "get_deployment_output",
        "get_logs",
        "get_logs_output",
        "list_deployments",
        "list_deployments_output",
        "list_revisions",
        "list_revisions_output",
    }
)

__all__ = [
    "CustomMetricAutoscalingArgs",
    "CustomMetricAutoscalingArgsDict",
    "Deployment",
    "DeploymentArgs",
    "DeploymentArgsDict",
    "DeploymentInfo",
    "EnvironmentVariableArgs",
    "EnvironmentVariableArgsDict",
    "HTTPAutoscalingArgs",
    "HTTPAutoscalingArgsDict",
    "ModelMountArgs",
    "ModelMountArgsDict",
    "Provider",
    "QueueAutoscalingArgs",
    "QueueAutoscalingArgsDict",
    "RevisionInfo",
    "S3OriginArgs",
    "S3OriginArgsDict",
    "Secret",
    "SecretArgs",
    "SecretArgsDict",
    "SecretReferenceDict",
    "Volume",
    "VolumeArgs",
    "VolumeArgsDict",
    "VolumeContentArgs",
    "VolumeContentArgsDict",
    "VolumeMountArgs",
    "VolumeMountArgsDict",
    "VolumeOriginArgs",
    "VolumeOriginArgsDict",
    "__version__",
    "get_deployment",
    "get_deployment_output",
    "get_logs",
    "get_logs_output",
    "list_deployments",
    "list_deployments_output",
    "list_revisions",
    "list_revisions_output",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        home = "lookups" if name in _LOOKUPS else "resources"
        return getattr(importlib.import_module(f"pulumi_jig.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
