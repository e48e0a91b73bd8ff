"""
What programs import: resources, their arguments, a provider for another account.

This room runs in the user's program. It loads neither the HTTP library nor the models:
what it cannot know in the program, the plugin process checks.
"""

from __future__ import annotations

from pulumi_jig.resources.deployment import (
    Deployment,
    DeploymentArgs,
    DeploymentArgsDict,
)
from pulumi_jig.resources.interrupt import leave_out_tracebacks
from pulumi_jig.resources.parts import (
    CustomMetricAutoscalingArgs,
    CustomMetricAutoscalingArgsDict,
    EnvironmentVariableArgs,
    EnvironmentVariableArgsDict,
    HTTPAutoscalingArgs,
    HTTPAutoscalingArgsDict,
    ModelMountArgs,
    ModelMountArgsDict,
    QueueAutoscalingArgs,
    QueueAutoscalingArgsDict,
    SecretReferenceDict,
    VolumeMountArgs,
    VolumeMountArgsDict,
)
from pulumi_jig.resources.provider import Provider
from pulumi_jig.resources.secret import Secret, SecretArgs, SecretArgsDict
from pulumi_jig.resources.volume import (
    S3OriginArgs,
    S3OriginArgsDict,
    Volume,
    VolumeArgs,
    VolumeArgsDict,
    VolumeContentArgs,
    VolumeContentArgsDict,
    VolumeOriginArgs,
    VolumeOriginArgsDict,
)

leave_out_tracebacks()

__all__ = [
    "CustomMetricAutoscalingArgs",
    "CustomMetricAutoscalingArgsDict",
    "Deployment",
    "DeploymentArgs",
    "DeploymentArgsDict",
    "EnvironmentVariableArgs",
    "EnvironmentVariableArgsDict",
    "HTTPAutoscalingArgs",
    "HTTPAutoscalingArgsDict",
    "ModelMountArgs",
    "ModelMountArgsDict",
    "Provider",
    "QueueAutoscalingArgs",
    "QueueAutoscalingArgsDict",
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
]
