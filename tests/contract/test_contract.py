"""The models beside the vendor's own descriptions: every difference is a named one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from pulumi_jig.schema import enums, requests, responses
from pulumi_jig.schema.requests import RequestModel

CONTRACT = Path(__file__).parents[3] / "shared" / "contract"
FILES = {
    "create": CONTRACT / "deployments-create.txt",
    "official": CONTRACT / "openapi-official-2026-04-28.yaml",
}

#: Schemas of other parts of the API, which this package has no use for.
NOT_OURS = {
    "VolumeType": "one word only: a Literal",
    "VolumeContent": "answers keep a volume's content as plain data",
    "FileInfo": "part of a volume's content",
    "QueueError": "the job queue is used at run time, not managed",
    "QueueMetricsResponse": "the job queue",
    "QueueCancelRequest": "the job queue",
    "QueueCancelResponse": "the job queue",
    "QueueJobRequest": "the job queue",
    "QueueJobResponse": "the job queue",
    "QueueJobStatusResponse": "the job queue",
}

#: Fields that we have and the descriptions of 2026-04 and 2026-05 do not.
NEWER = {
    ("CreateDeploymentRequest", "capacity_type"): "SDK 2.36",
    ("CreateDeploymentRequest", "model_mounts"): "SDK 2.39",
    ("UpdateDeploymentRequest", "capacity_type"): "SDK 2.36",
    ("UpdateDeploymentRequest", "model_mounts"): "SDK 2.39",
    ("DeploymentResponseItem", "capacity_type"): "SDK 2.36",
    ("DeploymentResponseItem", "model_mounts"): "SDK 2.39",
    ("DeploymentResponseItem", "termination_grace_period_seconds"): "SDK 2.15",
    ("HTTPAutoscalingConfig", "model"): "the vendor's CLI sends it with every metric",
    ("CustomMetricAutoscalingConfig", "model"): "likewise",
    ("CreateSecretRequest", "ttl_seconds"): "SDK 3.1",
    ("UpdateSecretRequest", "ttl_seconds"): "SDK 3.1",
    ("SecretResponseItem", "ttl_seconds"): "SDK 3.1",
    ("SecretResponseItem", "expires_at"): "SDK 3.1",
    ("VolumeContentRequest", "origin"): "SDK 2.40",
    ("VolumeResponseItem", "status"): "SDK 2.40",
    ("VolumeResponseItem", "status_message"): "SDK 2.40",
    ("VersionHistoryItem", "status"): "SDK 2.40",
    ("VersionHistoryItem", "status_message"): "SDK 2.40",
}

#: Fields that we demand although the description does not, or the other way round.
REQUIRED = {
    ("HTTPAutoscalingConfig", "metric"): "it tells the three kinds apart",
    ("QueueAutoscalingConfig", "metric"): "it tells the three kinds apart",
    ("CustomMetricAutoscalingConfig", "metric"): "it tells the three kinds apart",
    (
        "CustomMetricAutoscalingConfig",
        "custom_metric_name",
    ): "its text says that it is required",
    ("CreateVolumeRequest", "type"): "there is one word only, which we fill in",
}

#: Bounds and lengths of ours that the description lacks or has otherwise.
BOUNDS = {
    ("CreateDeploymentRequest", "name"): "the rule of 2026-09: naming.NAME_PATTERN",
    ("UpdateDeploymentRequest", "name"): "never sent; naming.NAME_PATTERN",
    ("CreateDeploymentRequest", "image"): "an empty image is none",
    ("UpdateDeploymentRequest", "image"): "an empty image is none",
    ("CreateDeploymentRequest", "memory"): "no replica runs without memory",
    ("UpdateDeploymentRequest", "memory"): "no replica runs without memory",
    ("CreateDeploymentRequest", "storage"): "less than nothing cannot be meant",
    ("UpdateDeploymentRequest", "storage"): "less than nothing cannot be meant",
    ("CreateDeploymentRequest", "gpu_count"): "less than nothing cannot be meant",
    ("UpdateDeploymentRequest", "gpu_count"): "less than nothing cannot be meant",
    ("CreateDeploymentRequest", "min_replicas"): "less than nothing cannot be meant",
    ("UpdateDeploymentRequest", "min_replicas"): "less than nothing cannot be meant",
    ("CreateDeploymentRequest", "max_replicas"): "less than nothing cannot be meant",
    ("UpdateDeploymentRequest", "max_replicas"): "less than nothing cannot be meant",
    (
        "CreateDeploymentRequest",
        "termination_grace_period_seconds",
    ): "less than nothing cannot be meant",
    (
        "UpdateDeploymentRequest",
        "termination_grace_period_seconds",
    ): "less than nothing cannot be meant",
    ("CreateDeploymentRequest", "gpu_type"): "an empty word is none",
    ("UpdateDeploymentRequest", "gpu_type"): "an empty word is none",
    ("CreateDeploymentRequest", "volumes"): "the service takes one read-only volume",
    ("UpdateDeploymentRequest", "volumes"): "the service takes one read-only volume",
    ("EnvironmentVariable", "value_from_secret"): "an empty name is none",
    ("VolumeMount", "name"): "an empty name is none",
    ("VolumeMount", "version"): "versions count from 0",
    ("HTTPAutoscalingConfig", "target"): "nothing scales on a target of 0",
    ("QueueAutoscalingConfig", "target"): "nothing scales on a target of 0",
    ("CustomMetricAutoscalingConfig", "target"): "nothing scales on a target of 0",
    ("HTTPAutoscalingConfig", "time_interval_minutes"): "a window needs a minute",
    ("QueueAutoscalingConfig", "model"): "an empty name is none",
    ("CreateSecretRequest", "name"): "the length is part of the pattern",
    ("UpdateSecretRequest", "name"): "the length is part of the pattern",
    ("CreateVolumeRequest", "name"): "an empty name is none",
    ("UpdateVolumeRequest", "name"): "an empty name is none",
    ("VolumeContentRequest", "source_prefix"): "an empty prefix is none",
}

#: Words of ours that the descriptions lack.
NEWER_WORDS = {
    "gpu_type": {"h200-140gb": "SDK 2.15", "none": "guides: the CPU-only form"},
    "status": {"ScaledToZero": "SDK 2.15"},
}


def _schemas(which):
    path = FILES[which]
    if not path.exists():
        pytest.skip(f"the contract file {path.name} is not here")
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".txt":
        text = re.search(r"````yaml[^\n]*\n(.*?)\n````", text, re.DOTALL)[1]
    return yaml.safe_load(text)["components"]["schemas"]


def _ours(name):
    """What this package has under the description's name, or None."""
    homes = (requests, responses, enums)
    return next((found for m in homes if (found := getattr(m, name, None))), None)


def _shared(which):
    """(name, the description's schema, our model, our schema) of what both have."""
    for name, theirs in _schemas(which).items():
        model = _ours(name)
        # A status is words, not an object; they are compared at the end.
        if model is not None and hasattr(model, "model_json_schema"):
            yield name, theirs, model, model.model_json_schema()


both = pytest.mark.parametrize("which", FILES)
official = pytest.mark.parametrize("which", ["official"])


@both
def test_every_schema_has_its_model(which):
    """A schema without a model of its name is named, with the reason."""
    missing = {n for n in _schemas(which) if _ours(n) is None}

    assert missing <= NOT_OURS.keys()
    assert which != "official" or missing == NOT_OURS.keys()


@both
def test_no_field_is_missing(which):
    """Every field of a schema is a field of its model, under the same name."""
    assert {} == {
        name: lost
        for name, theirs, model, _ in _shared(which)
        if (lost := theirs.get("properties", {}).keys() - model.model_fields.keys())
    }


@official
def test_every_field_beyond_is_named(which):
    """A field that only we have is in the table of newer ones, and no other is."""
    beyond = {
        (name, field)
        for name, theirs, model, _ in _shared(which)
        for field in model.model_fields.keys() - theirs.get("properties", {}).keys()
    }

    assert NEWER.keys() == beyond


@official
def test_required_fields_are_theirs(which):
    """What a request must have is what the description demands, or is named."""
    different = {
        (name, field)
        for name, theirs, model, ours in _shared(which)
        if issubclass(model, RequestModel)
        for field in set(theirs.get("required", ())) ^ set(ours.get("required", ()))
    }

    assert REQUIRED.keys() == different


@both
def test_answers_demand_nothing(which):
    """No field of an answer is required, whatever the description says."""
    assert [] == [
        name
        for name, _, model, ours in _shared(which)
        if not issubclass(model, RequestModel) and ours.get("required")
    ]


# pydantic writes some limits under its own names, depending on its version.
_LIMITS = {
    "minimum": "minimum",
    "ge": "minimum",
    "exclusiveMinimum": "more than",
    "gt": "more than",
    "maximum": "maximum",
    "le": "maximum",
    "minLength": "minLength",
    "maxLength": "maxLength",
    "maxItems": "maxItems",
}


def _limits(schema):
    """The limits of a property, wherever `| None` has put them."""
    return {
        word: branch[key]
        for branch in (schema, *schema.get("anyOf", ()))
        for key, word in _LIMITS.items()
        if key in branch
    }


@official
def test_bounds_are_theirs(which):
    """Minimum, maximum and length of a field are the description's, or are named."""
    different = set()
    for name, theirs, model, ours in _shared(which):
        if not issubclass(model, RequestModel):
            continue
        for field, schema in theirs.get("properties", {}).items():
            if _limits(schema) != _limits(ours["properties"][field]):
                different.add((name, field))

    assert BOUNDS.keys() == different


def _refuses(model, field, value):
    """Whether a model finds fault with one value, whatever else is missing."""
    try:
        model.model_validate({field: value})
    except ValidationError as error:
        return any(item["loc"][:1] == (field,) for item in error.errors())
    return False


def _beyond(schema):
    """Values just outside the limits of a property."""
    for key, step in (("minimum", -1), ("maximum", 1)):
        if key in schema:
            yield schema[key] + step
    for key, length in (("minLength", -1), ("maxLength", 1)):
        if key in schema:
            yield "a" * (schema[key] + length)


#: A longer name is refused by the name's own rule, before any request.
CHECKED_ELSEWHERE = {
    ("CreateDeploymentRequest", "name"): "naming.name_fault",
    ("UpdateDeploymentRequest", "name"): "never sent",
}


@official
def test_no_bound_of_theirs_is_loosened(which):
    """Nothing passes here that the description refuses."""
    looser = {
        (name, field)
        for name, theirs, model, _ in _shared(which)
        if issubclass(model, RequestModel)
        for field, schema in theirs.get("properties", {}).items()
        for value in _beyond(schema)
        if not _refuses(model, field, value)
    }

    assert CHECKED_ELSEWHERE.keys() == looser


_WORDS = {
    "gpu_type": enums.GPU_TYPES,
    "status": enums.DEPLOYMENT_STATUSES,
}


@both
@pytest.mark.parametrize("field", _WORDS)
def test_words_are_theirs_and_the_newer_ones(which, field):
    """Every word of an enum is known, and what we know beyond is named."""
    theirs = {
        word
        for schema in _schemas(which).values()
        for key, found in schema.get("properties", {}).items()
        if (key == field and "Deployment" in str(schema.get("properties", {}).keys()))
        or (key == field and "gpu_type" in schema.get("properties", {}))
        for word in found.get("enum", ())
    }

    assert set(_WORDS[field]) == theirs | NEWER_WORDS[field].keys()


@both
def test_metrics_are_theirs(which):
    """The three autoscaling kinds share out the same metrics."""
    theirs = {
        word
        for name, schema in _schemas(which).items()
        if name.endswith("AutoscalingConfig")
        for word in schema["properties"]["metric"]["enum"]
    }

    assert set(enums.AUTOSCALING_METRICS) == theirs


@both
def test_types_are_theirs(which):
    """Whole numbers, numbers, texts, lists and objects are what the description says."""
    different = []
    for name, theirs, model, ours in _shared(which):
        for field, schema in theirs.get("properties", {}).items():
            if field not in model.model_fields or "type" not in schema:
                continue
            found = ours["properties"][field]
            kinds = {b.get("type") for b in (found, *found.get("anyOf", ()))}
            kinds |= {"string"} if "const" in found or "enum" in found else set()
            kinds |= {"object"} if "$ref" in str(found) else set()
            if schema["type"] not in kinds:
                different.append((name, field, schema["type"], kinds))

    assert [] == different


@pytest.mark.parametrize("which", sorted(FILES))
def test_every_status_is_known(which):
    """`DeploymentStatus` has every word described, and one that came since."""
    described = set(_schemas(which)["DeploymentStatus"]["enum"])
    assert {"ScaledToZero"} == set(enums.DeploymentStatus) - described
    assert described <= set(enums.DeploymentStatus)
