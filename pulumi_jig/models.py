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

import math
import re
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

# --- Words the service may add to ----------------------------------------------

#: GPU types known at the time of writing, with the memory of each in GiB as its name
#: says. `none` is the CPU-only form: documented in guides, in none of the enums.
GPU_TYPES: Final = ("h100-80gb", "h100-40gb-mig", "h200-140gb", "b200-192gb", "none")
CAPACITY_TYPES: Final = ("stable", "preemptible")
HTTP_METRICS: Final = ("HTTPTotalRequests", "HTTPAvgRequestDuration")
AUTOSCALING_METRICS: Final = (*HTTP_METRICS, "QueueBacklogPerWorker", "CustomMetric")
DEPLOYMENT_STATUSES: Final = ("Updating", "Scaling", "Ready", "Failed", "ScaledToZero")

#: Environment variables of this prefix are the platform's. Some of them appear in
#: answers although nobody declared them; they are never sent back.
PLATFORM_PREFIX: Final = "TOGETHER_"
#: The variable in which an answer names the revision that it describes.
REVISION_VARIABLE: Final = "TOGETHER_DEPLOYMENT_REVISION_ID"

#: What the service fills in for an autoscaling target, per metric.
DEFAULT_TARGETS: Final = {
    "HTTPTotalRequests": 100.0,
    "HTTPAvgRequestDuration": 500.0,
    "QueueBacklogPerWorker": 1.01,
    "CustomMetric": 500.0,
}
DEFAULT_TIME_INTERVAL_MINUTES: Final = 10

# --- Strict scalars ------------------------------------------------------------
# Pulumi hands every number over as a float, so 8.0 is 8 here; 2.5, true and "8" are not.


def _whole(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise PydanticCustomError("whole", "must be a whole number")
    if isinstance(value, float):
        if not math.isfinite(value) or not value.is_integer():
            raise PydanticCustomError("whole", "must be a whole number")
        return int(value)
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise PydanticCustomError("number", "must be a number")
    if not math.isfinite(value):
        raise PydanticCustomError("number", "must be a finite number")
    return value


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        raise PydanticCustomError("text", "must be a string")
    if "\0" in value:
        raise PydanticCustomError("text", "must not contain a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError(
            "text", "must be valid Unicode (it holds half of a surrogate pair)"
        ) from None
    return value


Whole = Annotated[int, BeforeValidator(_whole)]
Number = Annotated[float, BeforeValidator(_number)]
Text = Annotated[str, BeforeValidator(_text)]
NonEmpty = Annotated[Text, StringConstraints(min_length=1)]


def _matches(pattern: str, rule: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def validate(value: str) -> str:
        # fullmatch: `$` would let a trailing newline through.
        if compiled.fullmatch(value) is None:
            raise PydanticCustomError("pattern", "{rule}", {"rule": rule})
        return value

    return AfterValidator(validate)


def _clean_image(value: str) -> str:
    if value != value.strip() or any(c.isspace() for c in value):
        raise PydanticCustomError("image", "must not contain white space")
    return value


def _absolute(value: str) -> str:
    if not value.startswith("/"):
        raise PydanticCustomError("absolute", 'must begin with "/"')
    return value


def _absolute_or_off(value: str) -> str:
    return value if value == "" else _absolute(value)


VariableName = Annotated[
    Text,
    _matches(
        r"[A-Za-z_][A-Za-z0-9_]*",
        "must begin with a letter or underscore, followed by letters, digits or "
        "underscores",
    ),
]
MetricName = Annotated[
    Text,
    _matches(
        r"[a-zA-Z_:][a-zA-Z0-9_:]*",
        "must be a Prometheus metric name: letters, digits, underscores and colons, "
        "not beginning with a digit",
    ),
]
MountPath = Annotated[Text, AfterValidator(_absolute)]
Image = Annotated[NonEmpty, AfterValidator(_clean_image)]
Target = Annotated[Number, Field(gt=0)]


class Request(BaseModel):
    """A body that we send: unknown keys are refused, values are never in errors."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        frozen=True,
        # `model_mounts` and `model_id` are the API's names.
        protected_namespaces=(),
    )

    def body(self) -> dict[str, Any]:
        """The JSON object to send: what was set, nothing else."""
        return self.model_dump(mode="json", exclude_unset=True, exclude_none=True)


# --- Parts of a deployment -----------------------------------------------------


class EnvironmentVariable(Request):
    """One environment variable: a plain value, or the name of a secret."""

    name: VariableName
    """Letters, digits and underscores, not beginning with a digit."""
    value: Text | None = None
    """Plain text. For anything sensitive use `value_from_secret`."""
    value_from_secret: NonEmpty | None = None
    """Name or id of a secret of the same project."""

    @model_validator(mode="after")
    def _one_source(self) -> EnvironmentVariable:
        if (self.value is None) == (self.value_from_secret is None):
            raise PydanticCustomError(
                "one_source", "needs exactly one of `value` and `value_from_secret`"
            )
        return self


class VolumeMount(Request):
    """A read-only volume in the container."""

    mount_path: MountPath
    """Absolute path in the container."""
    name: NonEmpty
    """Name or id of an existing volume."""
    version: Annotated[Whole, Field(ge=0)] | None = None
    """
    Which version. Left out: the latest at creation, the one already mounted on update
    (API document). The vendor's own CLI sends 0 instead.
    """


class ModelMount(Request):
    """Weights from the model registry in the container."""

    model_id: NonEmpty
    """Registry id, `ml_...`."""
    mount_path: MountPath
    """Absolute path in the container."""
    revision_id: NonEmpty | None = None
    """A validated revision, `rv_...`. Left out: the latest validated one."""


class HTTPAutoscalingConfig(Request):
    """Scale on requests through the service's HTTP proxy."""

    metric: Literal["HTTPTotalRequests", "HTTPAvgRequestDuration"]
    """Which rate."""
    target: Target | None = None
    """Threshold. Default 100 (total requests) or 500 (milliseconds)."""
    time_interval_minutes: Annotated[Whole, Field(ge=1)] | None = None
    """Rate window in minutes. Default 10."""


class QueueAutoscalingConfig(Request):
    """Scale on the backlog of the service's job queue."""

    metric: Literal["QueueBacklogPerWorker"]
    """Always `QueueBacklogPerWorker`."""
    target: Target | None = None
    """Jobs per replica. Default 1.01."""
    model: NonEmpty | None = None
    """Queue to look at. Default: the deployment's own name."""


class CustomMetricAutoscalingConfig(Request):
    """Scale on a metric that the container exports on `/metrics`."""

    metric: Literal["CustomMetric"]
    """Always `CustomMetric`."""
    custom_metric_name: MetricName
    """Prometheus name of the metric."""
    target: Target | None = None
    """Threshold. Default 500."""
    model: NonEmpty | None = None
    """
    The vendor's CLI sends the deployment's name here whatever the metric; accepted so
    that a deployment made with it can be imported.
    """


class OtherAutoscalingConfig(Request):
    """A metric newer than this package: sent as it is."""

    model_config = ConfigDict(extra="allow")

    metric: NonEmpty
    """A metric that this package does not know."""


def _kind_of_autoscaling(value: Any) -> str | None:
    metric = value.get("metric") if isinstance(value, dict) else None
    if metric is None:
        metric = getattr(value, "metric", None)
    if metric in HTTP_METRICS:
        return "http"
    if metric == "QueueBacklogPerWorker":
        return "queue"
    if metric == "CustomMetric":
        return "custom"
    return "other" if isinstance(metric, str) else None


Autoscaling = Annotated[
    Annotated[HTTPAutoscalingConfig, Tag("http")]
    | Annotated[QueueAutoscalingConfig, Tag("queue")]
    | Annotated[CustomMetricAutoscalingConfig, Tag("custom")]
    | Annotated[OtherAutoscalingConfig, Tag("other")],
    Discriminator(
        _kind_of_autoscaling,
        custom_error_type="metric",
        custom_error_message=(
            "needs a `metric`, one of " + ", ".join(AUTOSCALING_METRICS)
        ),
    ),
]


class NoAutoscaling(Request):
    """`{}`: switches autoscaling off in an update."""


# --- Requests ------------------------------------------------------------------


class _DeploymentFields(Request):
    args: list[Text] | None = None
    """Overrides the image's CMD."""
    capacity_type: NonEmpty | None = None
    """`stable` or `preemptible`: replicas above reserved capacity may be evicted."""
    command: list[Text] | None = None
    """Overrides the image's ENTRYPOINT."""
    cpu: Annotated[Number, Field(ge=0.1)] | None = None
    """Cores per replica, at least 0.1."""
    description: Text | None = None
    """For people. This package appends its ownership mark."""
    environment_variables: list[EnvironmentVariable] | None = None
    """Variables of the container. An update replaces the whole list."""
    gpu_count: Annotated[Whole, Field(ge=0)] | None = None
    """GPUs per replica. The service's default is 0."""
    health_check_path: Annotated[Text, AfterValidator(_absolute_or_off)] | None = None
    """HTTP path that answers 200 when the container is ready."""
    max_replicas: Annotated[Whole, Field(ge=0)] | None = None
    """Most replicas. Default: `min_replicas`."""
    memory: Annotated[Number, Field(gt=0, le=1000)] | None = None
    """GiB per replica, at most 1000; fractions are fine."""
    min_replicas: Annotated[Whole, Field(ge=0)] | None = None
    """Fewest replicas. Default 1; 0 lets it scale to zero."""
    model_mounts: Annotated[list[ModelMount], Field(max_length=1)] | None = None
    """At most one; not together with `volumes`."""
    port: Annotated[Whole, Field(ge=1, le=65535)] | None = None
    """Port that the container listens on; required to serve traffic."""
    storage: Annotated[Whole, Field(ge=0, le=400)] | None = None
    """Ephemeral disk per replica in GiB, a whole number up to 400."""
    termination_grace_period_seconds: Annotated[Whole, Field(ge=0)] | None = None
    """Seconds a replica has to finish its work before it is stopped."""
    volumes: Annotated[list[VolumeMount], Field(max_length=1)] | None = None
    """At most one read-only volume. An update replaces the whole list."""


class CreateDeploymentRequest(_DeploymentFields):
    """The body of `POST /deployments`."""

    autoscaling: Autoscaling | None = None
    """How replicas follow load, between `min_replicas` and `max_replicas`."""
    gpu_type: NonEmpty
    """GPU model, e.g. `h100-80gb`; `none` for a CPU-only deployment."""
    image: Image
    """Container image, best with its digest."""
    name: NonEmpty
    """Unique across all customers of the service; it cannot be changed."""


class UpdateDeploymentRequest(_DeploymentFields):
    """
    The body of `PATCH /deployments/{id}`: what is left out stays as it is.

    Cleared with `{}` (autoscaling), `""` (health check, description) or `[]` (lists).
    `null` means "stays", so this package never sends it.
    """

    autoscaling: Autoscaling | NoAutoscaling | None = None
    """New autoscaling; `{}` switches it off."""
    gpu_type: NonEmpty | None = None
    """GPU model."""
    image: Image | None = None
    """Container image."""
    name: NonEmpty | None = None
    """
    Accepted by the service when it is the deployment's own name, as the vendor's CLI
    sends it. This package never renames.
    """


class CreateSecretRequest(Request):
    """The body of `POST /deployments/secrets`."""

    name: NonEmpty
    value: NonEmpty
    description: Annotated[Text, StringConstraints(max_length=500)] | None = None
    project_id: Text | None = None
    """Ignored by the service: the project follows from the key."""
    ttl_seconds: Annotated[Whole, Field(ge=86_400, le=1_209_600)] | None = None
    """Seconds until the service deletes the secret: 1 to 14 days."""


class UpdateSecretRequest(Request):
    """The body of `PATCH /deployments/secrets/{id}`."""

    name: NonEmpty | None = None
    value: NonEmpty | None = None
    description: Annotated[Text, StringConstraints(max_length=500)] | None = None
    project_id: Text | None = None
    """Ignored by the service: the project follows from the key."""
    ttl_seconds: Annotated[Whole, Field(ge=86_400, le=1_209_600)] | None = None
    """A new lifetime in seconds, from now: 1 to 14 days."""


class S3Origin(Request):
    """A bucket that the service copies a snapshot from."""

    uri: Annotated[Text, _matches(r"s3://.+", 'must begin with "s3://"')]
    role_arn: NonEmpty
    """IAM role that the service assumes."""


class VolumeOrigin(Request):
    """Where a volume's content comes from, outside the service."""

    s3: S3Origin | None = None


class VolumeContentRequest(Request):
    """What a volume holds: a prefix of uploaded files, or a copy of a bucket."""

    type: Literal["files"] = "files"
    source_prefix: NonEmpty | None = None
    origin: VolumeOrigin | None = None

    @model_validator(mode="after")
    def _one_source(self) -> VolumeContentRequest:
        if (self.source_prefix is None) == (self.origin is None):
            raise PydanticCustomError(
                "one_source", "needs exactly one of `source_prefix` and `origin`"
            )
        return self


class CreateVolumeRequest(Request):
    """The body of `POST /deployments/storage/volumes`."""

    name: NonEmpty
    type: Literal["readOnly"] = "readOnly"
    content: VolumeContentRequest


class UpdateVolumeRequest(Request):
    """The body of `PATCH /deployments/storage/volumes/{id}`."""

    name: NonEmpty | None = None
    type: Literal["readOnly"] | None = None
    content: VolumeContentRequest | None = None


# --- Answers -------------------------------------------------------------------


class Response(BaseModel):
    """
    An answer: every field optional, unknown keys kept, wrong types kept as they came.

    A stack must survive an API that is a year ahead of this package.
    """

    model_config = ConfigDict(
        extra="allow", use_attribute_docstrings=True, protected_namespaces=()
    )

    @field_validator("*", mode="wrap")
    @classmethod
    def _tolerate(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError:
            return value

    def plain(self) -> dict[str, Any]:
        """The answer as plain data, without what it did not hold."""
        # Values of the wrong type are kept on purpose, so they are dumped as they are.
        return self.model_dump(mode="python", exclude_unset=True, warnings=False)


class ReplicaEvent(Response):
    """What one replica is doing."""

    image: str | None = None
    replica_ready_since: str | None = None
    replica_status: str | None = None
    """`Running`, `Waiting`, `Terminated`."""
    replica_status_message: str | None = None
    replica_status_reason: str | None = None
    """Kubernetes' words: `CrashLoopBackOff`, `ImagePullBackOff`, ..."""
    revision_id: str | None = None
    volume_preload_completed_at: str | None = None
    volume_preload_started_at: str | None = None
    volume_preload_status: str | None = None
    """`InProgress`, `Completed`, `Failed`."""


class DeploymentResponseItem(Response):
    """A deployment as the service describes it."""

    id: str | None = None
    object: str | None = None
    name: str | None = None
    description: str | None = None
    image: str | None = None
    args: list[Any] | None = None
    command: list[Any] | None = None
    autoscaling: dict[str, Any] | None = None
    """Left out when autoscaling is off."""
    capacity_type: str | None = None
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
    gpu_type: str | None = None
    health_check_path: str | None = None
    min_replicas: int | None = None
    max_replicas: int | None = None
    desired_replicas: int | None = None
    """What the orchestrator is aiming at; moved by the autoscaler."""
    ready_replicas: int | None = None
    model_mounts: list[dict[str, Any]] | None = None
    """With the pinned revision."""
    port: int | None = None
    replica_events: dict[str, ReplicaEvent] | None = None
    status: str | None = None
    """One of `DEPLOYMENT_STATUSES`, or a word newer than this package."""
    termination_grace_period_seconds: int | None = None
    volumes: list[dict[str, Any]] | None = None
    created_at: str | None = None
    updated_at: str | None = None

    @property
    def revision_id(self) -> str | None:
        """The revision that this answer describes, where it says so."""
        for variable in self.environment_variables or ():
            # Answers are tolerant: at run time an element may be of any type.
            entry: Any = variable
            if isinstance(entry, dict) and entry.get("name") == REVISION_VARIABLE:
                value = entry.get("value")
                return value if isinstance(value, str) and value else None
        return None


class SecretResponseItem(Response):
    """A secret without its value, which the service never returns."""

    id: str | None = None
    object: str | None = None
    name: str | None = None
    description: str | None = None
    created_at: str | None = None
    created_by: str | None = None
    updated_at: str | None = None
    last_updated_by: str | None = None
    ttl_seconds: int | None = None
    expires_at: str | None = None


class VersionHistoryItem(Response):
    """One version of a volume."""

    version: int | None = None
    content: dict[str, Any] | None = None
    mounted_by: list[Any] | None = None
    status: str | None = None
    status_message: str | None = None


class VolumeResponseItem(Response):
    """A volume and its versions."""

    id: str | None = None
    object: str | None = None
    name: str | None = None
    type: str | None = None
    content: dict[str, Any] | None = None
    current_version: int | None = None
    mounted_by: list[Any] | None = None
    status: str | None = None
    """`ready`, `pending`, `syncing`, `failed`; absent means ready."""
    status_message: str | None = None
    version_history: dict[str, VersionHistoryItem] | None = None
    created_at: str | None = None
    updated_at: str | None = None


class DeploymentRevisionEvent(Response):
    """One entry of a deployment's history."""

    object: str | None = None
    action: str | None = None
    """`create`, `update`, `system`, `rollback`."""
    event_number: int | None = None
    revision_number: int | None = None
    revision_id: str | None = None
    image: str | None = None
    activated_at: str | None = None


class DeploymentRevision(DeploymentResponseItem):
    """The configuration of one revision."""

    revision_id_: str | None = Field(default=None, alias="revision_id")
    protocol: str | None = None


class DeploymentListResponse(Response):
    """All deployments of the account."""

    object: str | None = None
    data: list[DeploymentResponseItem] | None = None


class ListSecretsResponse(Response):
    """All secrets of the project."""

    object: str | None = None
    data: list[SecretResponseItem] | None = None


class ListVolumesResponse(Response):
    """All volumes of the project."""

    object: str | None = None
    data: list[VolumeResponseItem] | None = None


class DeploymentRevisionEventList(Response):
    """A page of a deployment's history, newest first."""

    object: str | None = None
    data: list[DeploymentRevisionEvent] | None = None


class DeploymentLogs(Response):
    """Lines of output of a deployment's replicas."""

    lines: list[Any] | None = None
