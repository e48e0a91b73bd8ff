"""
Every request of the API as a model: the one declaration of what it may be.

The model validates, and its JSON schema is what the OpenAPI description shows.
Bounds that the service's documents leave open are the ones that this server holds.
Whether a name is free or a volume exists is not checked here: that takes the store.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from pulumi_jig.emulator.errors import ApiError, invalid

Record = dict[str, Any]
S = TypeVar("S", bound=BaseModel)

# Rule GPU-1: the published names, and `none` for no GPU.
GPU_TYPES = ("h100-80gb", "h100-40gb-mig", "h200-140gb", "b200-192gb", "none")
# Rule NAME-2: a deployment of such a name could not be reached by it.
RESERVED_NAMES = frozenset({"secrets", "storage"})
# Rule BOUNDS-2: an organization's quota of replicas for one deployment.
REPLICA_QUOTA = 100
# The variable that the service adds to every response; it is never part of a spec.
REVISION_VARIABLE = "TOGETHER_DEPLOYMENT_REVISION_ID"

# A change of these alone starts no replica anew and makes no revision (rules REVISION-2
# and REVISION-3).
BOUNDS = ("min_replicas", "max_replicas")
OUTSIDE_REVISION = (*BOUNDS, "description")


class Schema(BaseModel):
    """
    Base of all models.

    Numbers are not converted: the service is written in Go, whose decoder takes 1 but
    not 1.0 for a whole number (rule NUM-1). Unknown keys are ignored (rule BODY-2).
    """

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


class Request(Schema):
    """Base of what clients send: null means that the key was left out."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        # Rule BODY-1.
        if not isinstance(value, dict):
            return value
        return {key: item for key, item in value.items() if item is not None}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: Any, handler: GetJsonSchemaHandler
    ) -> Any:
        """Describe every optional field as nullable."""
        schema = handler(core_schema)
        described = handler.resolve_ref_schema(schema)
        required = described.get("required", ())
        for name, field in described.get("properties", {}).items():
            if name not in required and {"type": "null"} not in field.get("anyOf", ()):
                described["properties"][name] = {"anyOf": [field, {"type": "null"}]}
        return schema

    def given(self) -> Record:
        """Return the fields that were sent, without nulls inside of them."""
        values = self.model_dump(exclude_none=True)
        return {name: values.get(name) for name in self.model_fields_set}


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain a NUL character")
    return text


def _shortest(number: float) -> float | int:
    """Return a whole number without its fraction, as Go writes it."""
    return int(number) if number.is_integer() else number


def _digits(text: Any) -> Any:
    """Return the whole number that a query parameter holds."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ValueError("must be a whole number")
    return int(text)


NO_NUL = AfterValidator(_without_nul)
Number = Annotated[float, AfterValidator(_shortest)]
QueryNumber = Annotated[int, BeforeValidator(_digits)]
Text = Annotated[str, Field(max_length=100_000), NO_NUL]


# --- Deployments.


def _deployment_name(name: str) -> str:
    if name in RESERVED_NAMES:
        message = f"{name} is a reserved name"
        raise ValueError(message)
    return name


def _known_gpu_type(name: str, info: ValidationInfo) -> str:
    known = (*GPU_TYPES, *(info.context or ()))
    if name not in known:
        message = f"must be one of {', '.join(known)}"
        raise ValueError(message)
    return name


def _mount_path(path: str) -> str:
    if not path.startswith("/") or path == "/" or ".." in path.split("/"):
        message = f"invalid mount_path: {path[:80]}: it must be absolute"
        raise ValueError(message)
    return path


# Rule NAME-1: the rule of the newest document, for new names.
Name = Annotated[
    str,
    Field(
        pattern="^[a-z0-9][a-z0-9-]{3,62}$",
        description="Unique over all accounts; neither secrets nor storage.",
    ),
    AfterValidator(_deployment_name),
]
Image = Annotated[str, Field(max_length=1024, pattern=r"^\S+$"), NO_NUL]
GpuType = Annotated[
    str,
    Field(json_schema_extra={"enum": list(GPU_TYPES)}),
    AfterValidator(_known_gpu_type),
]
MountPath = Annotated[str, Field(max_length=1024), NO_NUL, AfterValidator(_mount_path)]
Replicas = Annotated[int, Field(ge=0, le=REPLICA_QUOTA)]


class EnvironmentVariable(Request):
    """One variable; names are unique in the list."""

    name: Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$")]
    value: Text | None = None
    value_from_secret: (
        Annotated[str, Field(min_length=1, max_length=100), NO_NUL] | None
    ) = None
    value_from_secret_expires_at: Any = Field(
        default=None,
        exclude=True,
        description="When the secret is deleted; ignored in requests.",
        json_schema_extra={"readOnly": True},
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        # Rule ENV-1.
        if (self.value is None) == (self.value_from_secret is None):
            raise ValueError("exactly one of value and value_from_secret must be set")
        return self


class VolumeMount(Request):
    """A volume in the file system of each replica."""

    name: Annotated[str, Field(min_length=1, max_length=100), NO_NUL]
    mount_path: MountPath
    version: Annotated[int, Field(ge=0, le=1_000_000)] | None = None


class ModelMount(Request):
    """A model in the file system of each replica."""

    model_id: Annotated[str, Field(pattern="^ml_[A-Za-z0-9]+$")]
    mount_path: MountPath
    revision_id: Annotated[str, Field(pattern="^rv_[A-Za-z0-9]+$")] | None = None


Target = Annotated[Number, Field(gt=0, le=1e15)]
Minutes = Annotated[int, Field(ge=1, le=10_080)]


# Rule SCALE-1: the shapes, one for each metric. Rule SCALE-3: with the targets and windows
# that are shown where they were left out.
class _Autoscaling(Request):
    # Rule SCALE-4: the vendor's CLI sends `model` with every metric.
    model: Annotated[str, Field(max_length=200), NO_NUL] | None = None


class RequestsAutoscaling(_Autoscaling):
    """Requests in a window of time."""

    metric: Literal["HTTPTotalRequests"]
    target: Target = 100
    time_interval_minutes: Minutes = 10


class DurationAutoscaling(_Autoscaling):
    """Milliseconds that a request takes, over a window of time."""

    metric: Literal["HTTPAvgRequestDuration"]
    target: Target = 500
    time_interval_minutes: Minutes = 10


class QueueAutoscaling(_Autoscaling):
    """Waiting jobs for each replica."""

    metric: Literal["QueueBacklogPerWorker"]
    target: Target = 1.01


class CustomAutoscaling(_Autoscaling):
    """A Prometheus metric of the container."""

    metric: Literal["CustomMetric"]
    target: Target = 500
    custom_metric_name: Annotated[str, Field(pattern="^[a-zA-Z_:][a-zA-Z0-9_:]*$")]


METRICS = (
    "HTTPTotalRequests",
    "HTTPAvgRequestDuration",
    "QueueBacklogPerWorker",
    "CustomMetric",
)


def _off(value: Any) -> Any:
    # Rule PATCH-3, rule SCALE-2: an empty object switches autoscaling off.
    return None if value == {} else value


def _off_is_described(schema: Record) -> None:
    schema["anyOf"].append({"type": "object", "maxProperties": 0})


def _only_one_volume(mounts: list[VolumeMount]) -> list[VolumeMount]:
    # Rule VOLUME-7.
    if len(mounts) > 1:
        raise ValueError("only one readOnly volume is allowed per deployment")
    return mounts


def _only_one_model(mounts: list[ModelMount]) -> list[ModelMount]:
    if len(mounts) > 1:
        raise ValueError("only one model mount is supported per deployment")
    return mounts


_ONE = Field(json_schema_extra={"maxItems": 1})


class Spec(Request):
    """
    The fields of a deployment that may be left out, each with its default.

    Bounds are documented where rule BOUNDS-1 says so.
    """

    description: Annotated[str, Field(max_length=10_000), NO_NUL] = ""
    # Rule DEFAULT-1: these two defaults are documented. Rule DEFAULT-3: those of cpu,
    # memory, storage, grace period and capacity are what the vendor's CLI sends.
    gpu_count: Annotated[int, Field(ge=0, le=64)] = 0
    min_replicas: Replicas = 1
    max_replicas: Replicas | None = Field(
        default=None, description="Default: min_replicas."
    )
    cpu: Annotated[Number, Field(ge=0.1, le=10_000)] = 1
    memory: Annotated[Number, Field(gt=0, le=1000)] = 8
    storage: Annotated[int, Field(ge=1, le=400)] = 100
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    health_check_path: Annotated[
        str, Field(max_length=1024, pattern="^(/.*)?$"), NO_NUL
    ] = ""
    command: list[Text] = []
    args: list[Text] = []
    termination_grace_period_seconds: Annotated[int, Field(ge=0, le=86_400)] = 300
    capacity_type: Literal["stable", "preemptible"] = "stable"
    autoscaling: Annotated[
        Annotated[
            RequestsAutoscaling
            | DurationAutoscaling
            | QueueAutoscaling
            | CustomAutoscaling,
            Field(discriminator="metric"),
        ]
        | None,
        BeforeValidator(_off),
        Field(json_schema_extra=_off_is_described),
    ] = None
    environment_variables: list[EnvironmentVariable] = []
    volumes: Annotated[list[VolumeMount], _ONE, AfterValidator(_only_one_volume)] = []
    model_mounts: Annotated[
        list[ModelMount], _ONE, AfterValidator(_only_one_model)
    ] = []

    def given(self) -> Record:
        """Return the fields that were sent, the service's own variable aside."""
        fields = super().given()
        fields.pop("name", None)
        if "environment_variables" in fields:
            # Rule ENV-4: the service's own variable is ignored when it is sent back.
            fields["environment_variables"] = [
                variable
                for variable in fields["environment_variables"]
                if variable["name"] != REVISION_VARIABLE
            ]
        return fields


class CreateDeploymentRequest(Spec):
    """A new deployment."""

    name: Name
    image: Image
    gpu_type: GpuType


class UpdateDeploymentRequest(Spec):
    """A change of a deployment: what is left out stays (rule PATCH-1)."""

    name: str | None = Field(default=None, description="The same name only.")
    image: Image | None = None
    gpu_type: GpuType | None = None


# The values that a deployment has where its fields were left out.
DEFAULTS: Record = Spec().model_dump(exclude={"max_replicas"})


def check_spec(spec: Record) -> None:
    """
    Check what only the whole spec can tell.

    Raises:
        ApiError: 400, naming the field.
    """
    if spec["min_replicas"] > spec["max_replicas"]:
        raise invalid(
            "min_replicas", "min replicas cannot be greater than max replicas"
        )
    names = [variable["name"] for variable in spec["environment_variables"]]
    for index, name in enumerate(names):
        if name in names[:index]:
            path = f"environment_variables[{index}].name"
            raise invalid(path, "the variable is in the list twice")
    # Rule MODEL-1: there is one preload sidecar.
    if spec["volumes"] and spec["model_mounts"]:
        raise invalid("model_mounts", "cannot be combined with volumes")
    # Rule GPU-2: no GPU and some GPUs contradict each other.
    if spec["gpu_type"] == "none" and spec["gpu_count"]:
        raise invalid("gpu_count", "must be 0 with gpu_type none")


class RollbackRequest(Request):
    """Which revision becomes active again: its number or id."""

    revision_identifier: Annotated[str, Field(min_length=1)]


class PrewarmRequest(Request):
    """Best effort: nothing in it is read."""


class LogsQuery(Schema):
    """Which lines of the logs are wanted."""

    replica_id: str = Field("", description="Of this replica.")
    revision: str = Field("", description="Of this revision (its id).")
    version: str = Field("", description="Image tag or last 4 of its digest.")
    follow: str = Field(
        "false",
        description="true streams one JSON object per line, without end.",
        # A tool that tries every value would wait for the end of the stream.
        json_schema_extra={"enum": ["false", "0", ""]},
    )


class RevisionsQuery(Schema):
    """Which revision events are wanted."""

    limit: Annotated[QueryNumber, Field(ge=1, le=100)] = 10
    before: Annotated[QueryNumber, Field(ge=0, le=10**18 - 1)] | None = Field(
        default=None, description="Events with a lower number only."
    )


# --- Secrets.


class _SecretRequest(Request):
    # Rule SECRET-2.
    description: Annotated[str, Field(max_length=500), NO_NUL] = ""
    ttl_seconds: Annotated[int, Field(ge=86_400, le=1_209_600)] | None = None
    project_id: Any = Field(default=None, exclude=True, description="Ignored.")


SecretName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_\-/.]{1,100}$")]
SecretValue = Annotated[str, Field(min_length=1, max_length=1_000_000), NO_NUL]


class CreateSecretRequest(_SecretRequest):
    """A new secret."""

    name: SecretName
    value: SecretValue


class UpdateSecretRequest(_SecretRequest):
    """A change of a secret: what is left out stays."""

    name: SecretName | None = None
    value: SecretValue | None = None


# --- Volumes.


class S3Origin(Request):
    """Where in S3 the files are, and the role that may read them."""

    uri: Annotated[
        str, Field(max_length=1024, pattern=r"^s3://[^/\s]+(/\S*)?$"), NO_NUL
    ]
    role_arn: Annotated[
        str,
        Field(max_length=2048, pattern=r"^arn:[a-z0-9-]+:iam::[0-9]{12}:role/\S+$"),
        NO_NUL,
    ]


class Origin(Request):
    """Where files are copied from."""

    s3: S3Origin


class VolumeContentRequest(Request):
    """Exactly one of source_prefix (files that were uploaded) and origin (a copy)."""

    type: Literal["files"] = "files"
    source_prefix: (
        Annotated[str, Field(min_length=1, max_length=1024), NO_NUL] | None
    ) = None
    origin: Origin | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        # Rule VOLUME-1.
        if (self.source_prefix is None) == (self.origin is None):
            raise ValueError("exactly one of source_prefix and origin must be set")
        return self


VolumeName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_\-.]{1,100}$")]


class CreateVolumeRequest(Request):
    """A new volume."""

    name: VolumeName
    type: Literal["readOnly"]
    content: VolumeContentRequest


class UpdateVolumeRequest(Request):
    """A change of a volume: content makes the next version."""

    name: VolumeName | None = None
    type: Literal["readOnly"] | None = None
    content: VolumeContentRequest | None = None


class VolumeQuery(Schema):
    """Which version of a volume is wanted."""

    version: Annotated[QueryNumber, Field(ge=0)] | None = Field(
        default=None, description="Default: the current one."
    )


# --- Reading.

_MESSAGES = {
    "missing": "is required",
    "string_type": "must be a string",
    "string_unicode": "must be valid Unicode text",
    "int_type": "must be an integer",
    "float_type": "must be a number",
    "list_type": "must be a list",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "bool_type": "must be true or false",
    "extra_forbidden": "is unknown",
    "literal_error": "must be one of {expected}",
    "union_tag_invalid": "unknown autoscaling metric: use one of {expected_tags}",
    "union_tag_not_found": "is required",
    "value_error": "{error}",
}


def read(model: type[S], body: object, *, gpu_types: tuple[str, ...] = ()) -> S:
    """
    Return a body or a query as its model.

    Args:
        model: what it has to be.
        body: it, as parsed JSON.
        gpu_types: names that `gpu_type` may have beside the published ones.

    Raises:
        ApiError: 400, naming the first field that is wrong.
    """
    try:
        return model.model_validate(body, context=gpu_types)
    except ValidationError as failure:
        wrong = failure.errors(include_url=False, include_input=False)[0]
    kind, place = wrong["type"], wrong["loc"]
    if kind.startswith("union_tag"):
        place = (*place, "metric")
    path = ""
    for step in place:
        if isinstance(step, int):
            path += f"[{step}]"
        elif step not in METRICS:
            path += f".{step}" if path else step
    bounds = {
        name: _shortest(bound) if isinstance(bound, float) else bound
        for name, bound in wrong.get("ctx", {}).items()
    }
    message = _MESSAGES.get(kind, wrong["msg"]).format(**bounds)
    code = "missing_field" if kind == "missing" else "invalid_value"
    if path:
        message = f"{path}: {message}"
    raise ApiError(400, message, param=path or None, code=code)
