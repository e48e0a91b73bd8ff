"""
Bodies that we send: every key and bound of the API, unknown keys refused.

Required sets and bounds follow the API description; what is stricter or newer says so
at its field, with the source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)
from pydantic_core import PydanticCustomError

from pulumi_jig.schema.deferred import Deferred
from pulumi_jig.schema.deployment import FIELDS, INTERVAL_MINUTES, VERSION
from pulumi_jig.schema.enums import AUTOSCALING_METRICS, HTTP_METRICS
from pulumi_jig.schema.types import (
    Image,
    MetricName,
    MountPath,
    NonEmpty,
    Number,
    SecretName,
    Target,
    Text,
    VariableName,
    Whole,
    absolute_or_off,
    matches,
)

if TYPE_CHECKING:
    from pulumi_jig.schema.field import Range


class RequestModel(Deferred):
    """A body that we send: unknown keys are refused, values are never in errors."""

    # Pydantic does not read the docstrings, since that takes as long as all the rest.
    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        frozen=True,
        # `model_mounts` and `model_id` are the API's names.
        protected_namespaces=(),
    )

    def body(self) -> dict[str, Any]:
        """The JSON object to send: what was set, nothing else."""
        return self.model_dump(mode="json", exclude_unset=True, exclude_none=True)


def _bounds(numbers: Range) -> Any:
    return Field(ge=numbers.least, gt=numbers.above, le=numbers.most)


def _within(name: str) -> Any:
    """The range that the table gives to a field."""
    numbers = FIELDS[name].range
    assert numbers is not None
    return _bounds(numbers)


# --- Parts of a deployment -----------------------------------------------------


class EnvironmentVariable(RequestModel):
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


class VolumeMount(RequestModel):
    """A read-only volume in the container."""

    mount_path: MountPath
    """Absolute path in the container."""
    name: NonEmpty
    """Name or id of an existing volume."""
    version: Annotated[Whole, _bounds(VERSION)] | None = None
    """
    Which version. Left out: the latest at creation, the one already mounted on update
    (API document). The vendor's own CLI sends 0 instead.
    """


class ModelMount(RequestModel):
    """Weights from the model registry in the container."""

    model_id: NonEmpty
    """Registry id, `ml_...`."""
    mount_path: MountPath
    """Absolute path in the container."""
    revision_id: NonEmpty | None = None
    """A validated revision, `rv_...`. Left out: the latest validated one."""


class HTTPAutoscalingConfig(RequestModel):
    """Scale on requests through the service's HTTP proxy."""

    metric: Literal["HTTPTotalRequests", "HTTPAvgRequestDuration"]
    """Which rate."""
    target: Target | None = None
    """Threshold. Default 100 (total requests) or 500 (milliseconds)."""
    time_interval_minutes: Annotated[Whole, _bounds(INTERVAL_MINUTES)] | None = None
    """Rate window in minutes. Default 10."""
    model: NonEmpty | None = None
    """
    The vendor's CLI sends the deployment's name here whatever the metric; accepted so
    that a deployment made with it can be imported.
    """


class QueueAutoscalingConfig(RequestModel):
    """Scale on the backlog of the service's job queue."""

    metric: Literal["QueueBacklogPerWorker"]
    """Always `QueueBacklogPerWorker`."""
    target: Target | None = None
    """Jobs per replica. Default 1.01."""
    model: NonEmpty | None = None
    """Queue to look at. Default: the deployment's own name."""


class CustomMetricAutoscalingConfig(RequestModel):
    """Scale on a metric that the container exports on `/metrics`."""

    metric: Literal["CustomMetric"]
    """Always `CustomMetric`."""
    custom_metric_name: MetricName
    """Prometheus name of the metric."""
    target: Target | None = None
    """Threshold. Default 500."""
    model: NonEmpty | None = None
    """As for the HTTP metrics: accepted, and without effect."""


class OtherAutoscalingConfig(RequestModel):
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


class NoAutoscaling(RequestModel):
    """`{}`: switches autoscaling off in an update."""


# --- Requests ------------------------------------------------------------------


class _DeploymentFields(RequestModel):
    args: list[Text] | None = None
    """Overrides the image's CMD."""
    capacity_type: NonEmpty | None = None
    """`stable` or `preemptible`: replicas above reserved capacity may be evicted."""
    command: list[Text] | None = None
    """Overrides the image's ENTRYPOINT."""
    cpu: Annotated[Number, _within("cpu")] | None = None
    """Cores per replica, at least 0.1."""
    description: Text | None = None
    """For people. This package appends its ownership mark."""
    environment_variables: list[EnvironmentVariable] | None = None
    """Variables of the container. An update replaces the whole list."""
    gpu_count: Annotated[Whole, _within("gpu_count")] | None = None
    """GPUs per replica. The service's default is 0."""
    health_check_path: Annotated[Text, AfterValidator(absolute_or_off)] | None = None
    """HTTP path that answers 200 when the container is ready."""
    max_replicas: Annotated[Whole, _within("max_replicas")] | None = None
    """Most replicas. Default: `min_replicas`."""
    memory: Annotated[Number, _within("memory")] | None = None
    """GiB per replica, at most 1000; fractions are fine."""
    min_replicas: Annotated[Whole, _within("min_replicas")] | None = None
    """Fewest replicas. Default 1; 0 lets it scale to zero."""
    model_mounts: Annotated[list[ModelMount], Field(max_length=1)] | None = None
    """At most one; not together with `volumes`."""
    port: Annotated[Whole, _within("port")] | None = None
    """Port that the container listens on; required to serve traffic."""
    storage: Annotated[Whole, _within("storage")] | None = None
    """Ephemeral disk per replica in GiB, a whole number up to 400."""
    termination_grace_period_seconds: (
        Annotated[Whole, _within("termination_grace_period_seconds")] | None
    ) = None
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


class CreateSecretRequest(RequestModel):
    """The body of `POST /deployments/secrets`."""

    name: SecretName
    value: NonEmpty
    description: Annotated[Text, StringConstraints(max_length=500)] | None = None
    project_id: Text | None = None
    """Ignored by the service: the project follows from the key."""
    ttl_seconds: Annotated[Whole, Field(ge=86_400, le=1_209_600)] | None = None
    """Seconds until the service deletes the secret: 1 to 14 days."""


class UpdateSecretRequest(RequestModel):
    """The body of `PATCH /deployments/secrets/{id}`."""

    name: SecretName | None = None
    value: NonEmpty | None = None
    description: Annotated[Text, StringConstraints(max_length=500)] | None = None
    project_id: Text | None = None
    """Ignored by the service: the project follows from the key."""
    ttl_seconds: Annotated[Whole, Field(ge=86_400, le=1_209_600)] | None = None
    """A new lifetime in seconds, from now: 1 to 14 days."""


class S3Origin(RequestModel):
    """A bucket that the service copies a snapshot from."""

    uri: Annotated[Text, matches(r"s3://.+", 'must begin with "s3://"')]
    role_arn: NonEmpty
    """IAM role that the service assumes."""


class VolumeOrigin(RequestModel):
    """Where a volume's content comes from, outside the service."""

    s3: S3Origin | None = None


class VolumeContentRequest(RequestModel):
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


class CreateVolumeRequest(RequestModel):
    """The body of `POST /deployments/storage/volumes`."""

    name: NonEmpty
    type: Literal["readOnly"] = "readOnly"
    content: VolumeContentRequest


class UpdateVolumeRequest(RequestModel):
    """The body of `PATCH /deployments/storage/volumes/{id}`."""

    name: NonEmpty | None = None
    type: Literal["readOnly"] | None = None
    content: VolumeContentRequest | None = None
