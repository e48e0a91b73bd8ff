"""
GPU container deployments on Together AI as ordinary Pulumi resources.

The names below are loaded when they are first used: the emulator, the rehearsal and the
policy packs live in this package as well, and need no Pulumi SDK to start.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pulumi_jig.resources import (
        CustomMetricAutoscalingArgs,
        CustomMetricAutoscalingArgsDict,
        Deployment,
        DeploymentArgs,
        DeploymentArgsDict,
        EnvironmentVariableArgs,
        EnvironmentVariableArgsDict,
        GpuBudget,
        HTTPAutoscalingArgs,
        HTTPAutoscalingArgsDict,
        ModelMountArgs,
        ModelMountArgsDict,
        Provider,
        QueueAutoscalingArgs,
        QueueAutoscalingArgsDict,
        SecretReferenceDict,
        VolumeMountArgs,
        VolumeMountArgsDict,
    )

__version__ = "0.1.0"

__all__ = [
    "CustomMetricAutoscalingArgs",
    "CustomMetricAutoscalingArgsDict",
    "Deployment",
    "DeploymentArgs",
    "DeploymentArgsDict",
    "EnvironmentVariableArgs",
    "EnvironmentVariableArgsDict",
    "GpuBudget",
    "HTTPAutoscalingArgs",
    "HTTPAutoscalingArgsDict",
    "ModelMountArgs",
    "ModelMountArgsDict",
    "Provider",
    "QueueAutoscalingArgs",
    "QueueAutoscalingArgsDict",
    "SecretReferenceDict",
    "VolumeMountArgs",
    "VolumeMountArgsDict",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module("pulumi_jig.resources"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
