"""
The wire contract: requests and answers under the API's own names.

Strict outward: a request with an unknown key, a fraction of a GPU or a port of 70000 is
refused here, all faults at once. Tolerant inward: an answer with new keys, new words
or even a wrong type never breaks a stack; what cannot be read is kept as it came.

Words that the service may add to (`gpu_type`, `capacity_type`, `status`, an autoscaling
`metric`) are open: plain strings with the known ones listed, since the service gained a
GPU type, a status and two fields within half a year.

Sources: the vendor's API description of 2026-05 (all schemas below), its SDK 3.1.1 for
what came since (`capacity_type`, `model_mounts`, `ScaledToZero`, `h200-140gb`, revisions,
secret lifetimes, volume origins), its guides for `gpu_type="none"`.

Nothing here knows Pulumi or HTTP. Error texts never hold an input's value.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pulumi_jig.models.requests import (
    Autoscaling,
    CreateDeploymentRequest,
    CreateSecretRequest,
    CreateVolumeRequest,
    CustomMetricAutoscalingConfig,
    EnvironmentVariable,
    HTTPAutoscalingConfig,
    ModelMount,
    NoAutoscaling,
    OtherAutoscalingConfig,
    QueueAutoscalingConfig,
    RequestModel,
    S3Origin,
    UpdateDeploymentRequest,
    UpdateSecretRequest,
    UpdateVolumeRequest,
    VolumeContentRequest,
    VolumeMount,
    VolumeOrigin,
)
from pulumi_jig.models.words import (
    AUTOSCALING_METRICS,
    CAPACITY_TYPES,
    DEFAULT_TARGETS,
    DEFAULT_TIME_INTERVAL_MINUTES,
    DEPLOYMENT_STATUSES,
    GPU_TYPES,
    HTTP_METRICS,
    PLATFORM_PREFIX,
    REVISION_VARIABLE,
    DeploymentStatus,
)

if TYPE_CHECKING:
    from pulumi_jig.models.answers import (
        DeploymentListResponse,
        DeploymentLogs,
        DeploymentResponseItem,
        DeploymentRevision,
        DeploymentRevisionEvent,
        DeploymentRevisionEventList,
        ListSecretsResponse,
        ListVolumesResponse,
        ReplicaEvent,
        ResponseModel,
        SecretResponseItem,
        VersionHistoryItem,
        VolumeResponseItem,
    )

__all__ = [
    "AUTOSCALING_METRICS",
    "CAPACITY_TYPES",
    "DEFAULT_TARGETS",
    "DEFAULT_TIME_INTERVAL_MINUTES",
    "DEPLOYMENT_STATUSES",
    "GPU_TYPES",
    "HTTP_METRICS",
    "PLATFORM_PREFIX",
    "REVISION_VARIABLE",
    "Autoscaling",
    "CreateDeploymentRequest",
    "CreateSecretRequest",
    "CreateVolumeRequest",
    "CustomMetricAutoscalingConfig",
    "DeploymentListResponse",
    "DeploymentLogs",
    "DeploymentResponseItem",
    "DeploymentRevision",
    "DeploymentRevisionEvent",
    "DeploymentRevisionEventList",
    "DeploymentStatus",
    "EnvironmentVariable",
    "HTTPAutoscalingConfig",
    "ListSecretsResponse",
    "ListVolumesResponse",
    "ModelMount",
    "NoAutoscaling",
    "OtherAutoscalingConfig",
    "QueueAutoscalingConfig",
    "ReplicaEvent",
    "RequestModel",
    "ResponseModel",
    "S3Origin",
    "SecretResponseItem",
    "UpdateDeploymentRequest",
    "UpdateSecretRequest",
    "UpdateVolumeRequest",
    "VersionHistoryItem",
    "VolumeContentRequest",
    "VolumeMount",
    "VolumeOrigin",
    "VolumeResponseItem",
]


def __getattr__(name: str) -> Any:
    """Load the answers when one is first needed: a check of inputs needs none."""
    if name in __all__:
        return getattr(importlib.import_module("pulumi_jig.models.answers"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
