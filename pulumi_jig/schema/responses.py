"""
Answers of the service: every field optional, nothing refused.

What cannot be read is kept as it came, one value at a time: a strange replica event must
not hide the crash loop beside it.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeVar

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)

from pulumi_jig.redaction import remember_environment
from pulumi_jig.schema.deferred import Deferred
from pulumi_jig.schema.enums import (
    DECISIVE,
    PLATFORM_PREFIX,
    REVISION_VARIABLE,
)
from pulumi_jig.text import safe_name, safe_text


def _as_it_came(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError:
        return value


Item = TypeVar("Item")
#: One of many: what cannot be read is kept as it came, and the others are read.
Tolerated = Annotated[Item, WrapValidator(_as_it_came)]


#: Characters of the service's own words that are kept.
MESSAGE_MAX: Final = 300
#: The longest id that there is; what is longer is none.
_ID_MAX: Final = 200


def _told(value: Any) -> Any:
    # What is of the wrong type is kept, and may hold texts.
    if isinstance(value, dict):
        return {_told(key): _told(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_told(item) for item in value]
    if not isinstance(value, str) or value in DECISIVE:
        return value
    return safe_text(value, MESSAGE_MAX)


#: What the service says about something and nobody declares: for people to read.
Told = Annotated[str | None, BeforeValidator(_told)]


def _named(value: Any) -> Any:
    return safe_name(value) if isinstance(value, str) else _told(value)


#: A name, or a word of a list of the API's: harmless to show, and otherwise as it came.
Name = Annotated[str | None, BeforeValidator(_named)]


def _that_was(value: Any) -> Any:
    # Go writes a time that never was as the first moment of year 1. Taken for a time,
    # it would make a replica ready that never was.
    if isinstance(value, str) and value.startswith("0001-01-01T00:00:00"):
        return None
    return _told(value)


#: A time as ISO 8601; none for one that never was.
Moment = Annotated[str | None, BeforeValidator(_that_was)]


def _tells_which(value: Any) -> Any:
    # What is no id must not be taken for one: it is remembered, compared and asked for.
    known = isinstance(value, str | int) and not isinstance(value, bool)
    if isinstance(value, str):
        known = 0 < len(value) <= _ID_MAX and safe_name(value) == value
    return value if known else None


#: An id; none for what could not be one.
Identity = Annotated[str | None, BeforeValidator(_tells_which)]


#: A replica, by the service's own name for it.
ReplicaId = Annotated[str, BeforeValidator(_named)]


class ResponseModel(Deferred):
    """
    An answer: every field optional, unknown keys kept, wrong types kept as they came.

    A stack must survive an API that is a year ahead of this package.
    """

    model_config = ConfigDict(
        extra="allow",
        protected_namespaces=(),
        # An id is a text whatever the answer held: state rounds large numbers.
        coerce_numbers_to_str=True,
    )

    @field_validator("*", mode="wrap")
    @classmethod
    def _tolerate(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        return _as_it_came(value, handler)

    def plain(self) -> dict[str, Any]:
        """The answer as plain data, without what it did not hold."""
        # Values of the wrong type are kept on purpose, so they are dumped as they are.
        return self.model_dump(
            mode="python", by_alias=True, exclude_unset=True, warnings=False
        )


class ReplicaEvent(ResponseModel):
    """What one replica is doing."""

    image: Name = None
    replica_ready_since: Moment = None
    replica_status: Told = None
    """`Running`, `Waiting`, `Terminated`."""
    replica_status_message: Told = None
    replica_status_reason: Told = None
    """Kubernetes' words: `CrashLoopBackOff`, `ImagePullBackOff`, ..."""
    revision_id: Identity = None
    volume_preload_completed_at: Moment = None
    volume_preload_started_at: Moment = None
    volume_preload_status: Told = None
    """`InProgress`, `Completed`, `Failed`."""


class DeploymentResponseItem(ResponseModel):
    """A deployment as the service describes it."""

    id: Identity = None
    object: Told = None
    name: Name = None
    description: str | None = None
    image: str | None = None
    args: list[Any] | None = None
    command: list[Any] | None = None
    autoscaling: dict[str, Any] | None = None
    """Left out when autoscaling is off."""
    capacity_type: Name = None
    cpu: float | None = None
    memory: float | None = None
    """GiB per replica."""
    storage: int | None = None
    """
    The document says "in MB or units as defined by the platform"; the vendor's CLI
    prints it as GB and sends the same number, so it is taken as GiB like the request's.
    """
    environment_variables: list[dict[str, Any]] | None = None
    """With variables that the platform injected, see `PLATFORM_PREFIX`."""
    gpu_count: int | None = None
    gpu_type: Name = None
    health_check_path: str | None = None
    min_replicas: int | None = None
    max_replicas: int | None = None
    desired_replicas: int | None = None
    """What the orchestrator is aiming at; moved by the autoscaler."""
    ready_replicas: int | None = None
    model_mounts: list[dict[str, Any]] | None = None
    """With the pinned revision."""
    port: int | None = None
    replica_events: dict[ReplicaId, Tolerated[ReplicaEvent]] | None = None
    """By replica; an event that cannot be read is there as it came."""
    status: Told = None
    """One of `DEPLOYMENT_STATUSES`, or a word newer than this package."""
    termination_grace_period_seconds: int | None = None
    volumes: list[dict[str, Any]] | None = None
    created_at: Moment = None
    updated_at: Moment = None

    @property
    def revision_id(self) -> str | None:
        """The revision that this answer describes, where it says so."""
        # Answers are tolerant: at run time it may be of any type, as may each element.
        variables: Any = self.environment_variables
        for entry in variables if isinstance(variables, list) else ():
            if isinstance(entry, dict) and entry.get("name") == REVISION_VARIABLE:
                value = entry.get("value")
                return _tells_which(value) if isinstance(value, str) else None
        return None

    @model_validator(mode="before")
    @classmethod
    def _remember(cls, data: Any) -> Any:
        """Keep what somebody set by hand out of the messages beside it."""
        variables = data.get("environment_variables") if isinstance(data, dict) else ()
        remember_environment(
            entry.get("value")
            for entry in (variables if isinstance(variables, list) else ())
            if isinstance(entry, dict)
            and not str(entry.get("name")).startswith(PLATFORM_PREFIX)
        )
        return data


class SecretResponseItem(ResponseModel):
    """A secret without its value, which the service never returns."""

    id: Identity = None
    object: Told = None
    name: Name = None
    description: str | None = None
    created_at: Moment = None
    created_by: Told = None
    updated_at: Moment = None
    last_updated_by: Told = None
    ttl_seconds: int | None = None
    expires_at: Moment = None


class VersionHistoryItem(ResponseModel):
    """One version of a volume."""

    version: int | None = None
    content: dict[str, Any] | None = None
    mounted_by: list[Any] | None = None
    status: Told = None
    status_message: Told = None


class VolumeResponseItem(ResponseModel):
    """A volume and its versions."""

    id: Identity = None
    object: Told = None
    name: Name = None
    type: Name = None
    content: dict[str, Any] | None = None
    current_version: int | None = None
    mounted_by: list[Any] | None = None
    status: Told = None
    """`ready`, `pending`, `syncing`, `failed`; absent means ready."""
    status_message: Told = None
    version_history: dict[str, Tolerated[VersionHistoryItem]] | None = None
    created_at: Moment = None
    updated_at: Moment = None


class DeploymentRevisionEvent(ResponseModel):
    """One entry of a deployment's history."""

    object: Told = None
    action: Told = None
    """`create`, `update`, `system`, `rollback`."""
    event_number: int | None = None
    revision_number: int | None = None
    revision_id: Identity = None
    image: Name = None
    activated_at: Moment = None


class DeploymentRevision(DeploymentResponseItem):
    """The configuration of one revision."""

    told_revision_id: Identity = Field(default=None, alias="revision_id")
    """Which revision it is, in the answer's own key."""
    protocol: Told = None

    @property
    def revision_id(self) -> str | None:
        """Which revision this is; a variable need not say so here."""
        return self.told_revision_id or super().revision_id


class DeploymentListResponse(ResponseModel):
    """All deployments of the account."""

    object: Told = None
    data: list[Tolerated[DeploymentResponseItem]] | None = None


class ListSecretsResponse(ResponseModel):
    """All secrets of the project."""

    object: Told = None
    data: list[Tolerated[SecretResponseItem]] | None = None


class ListVolumesResponse(ResponseModel):
    """All volumes of the project."""

    object: Told = None
    data: list[Tolerated[VolumeResponseItem]] | None = None


class DeploymentRevisionEventList(ResponseModel):
    """A page of a deployment's history, newest first."""

    object: Told = None
    data: list[Tolerated[DeploymentRevisionEvent]] | None = None


class DeploymentLogs(ResponseModel):
    """Lines of output of a deployment's replicas."""

    lines: list[Any] | None = None
