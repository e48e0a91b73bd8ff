"""
Every response of the API as a model, for its description.

Responses are built as plain data where their values are known; a tool that knows neither
holds them to these models (`make outside`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from pulumi_jig.emulator.schemas import Schema, Spec

Record = dict[str, Any]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class ReplicaEvent(Schema):
    """What a replica does."""

    image: str
    revision_id: str
    replica_status: str | None = None
    replica_status_reason: str | None = None
    replica_status_message: str | None = None
    replica_ready_since: Time | None = None
    volume_preload_status: str | None = None
    volume_preload_started_at: Time | None = None
    volume_preload_completed_at: Time | None = None


class DeploymentResponseItem(Spec):
    """A deployment; port and autoscaling are left out where they are not set."""

    object: Literal["deployment"]
    id: str
    name: str
    status: Literal["Updating", "Scaling", "Ready", "Failed", "ScaledToZero"]
    image: str
    gpu_type: str
    desired_replicas: int
    ready_replicas: int
    replica_events: dict[str, ReplicaEvent]
    created_at: Time
    updated_at: Time


class DeploymentListResponse(Schema):
    """Deployments of the account, oldest first."""

    object: Literal["list"]
    data: list[DeploymentResponseItem]


class DeploymentLogs(Schema):
    """Log lines, oldest first."""

    lines: list[str]


class DeploymentRevisionEvent(Schema):
    """A revision became active."""

    object: Literal["revision_event"]
    action: Literal["create", "update", "system", "rollback"]
    activated_at: Time
    event_number: int
    image: str
    revision_id: str
    revision_number: int


class DeploymentRevisionEventList(Schema):
    """Revision events, newest first."""

    object: Literal["list"]
    data: list[DeploymentRevisionEvent]


class DeploymentRevision(Spec):
    """The configuration of one revision; port 0 means none."""

    object: Literal["revision"]
    revision_id: str
    created_at: Time
    protocol: str
    image: str
    gpu_type: str
    # The vendor's type has a port always.
    port: int


class SecretResponseItem(Schema):
    """A secret, without its value (rule SECRET-1)."""

    object: Literal["secret"]
    id: str
    name: str
    description: str
    created_at: Time
    updated_at: Time
    created_by: str
    last_updated_by: str
    ttl_seconds: int = 0
    expires_at: Time = ""


class ListSecretsResponse(Schema):
    """Secrets of the account, oldest first."""

    object: Literal["list"]
    data: list[SecretResponseItem]


class _VersionShown(Schema):
    content: Record
    mounted_by: list[str]
    status: Literal["pending", "syncing", "ready", "failed"]
    status_message: str = ""


class VolumeVersion(_VersionShown):
    """One version of a volume."""

    version: int


class VolumeResponseItem(_VersionShown):
    """A volume, at its current version or at the one that was asked for."""

    object: Literal["volume"]
    id: str
    name: str
    type: Literal["readOnly"]
    current_version: int
    created_at: Time
    updated_at: Time
    version_history: dict[str, VolumeVersion]


class ListVolumesResponse(Schema):
    """Volumes of the account, oldest first."""

    object: Literal["list"]
    data: list[VolumeResponseItem]


class Empty(Schema):
    """Nothing."""

    model_config = ConfigDict(extra="forbid")


class BasePath(Schema):
    """The registry of the project."""

    path: str = Field(alias="base-path")


class Identified(Schema):
    """An organization, a project or a key."""

    id: str


class Whoami(Schema):
    """Whom the key belongs to."""

    type: Literal["project_api_key"]
    api_key: Identified
    organization: Identified
    project: Identified


class ErrorBody(Schema):
    """What is wrong."""

    message: str
    type: str
    param: str | None = Field(...)
    code: str | None = Field(...)


class Error(Schema):
    """The one shape of every error (rule ERROR-1)."""

    error: ErrorBody
