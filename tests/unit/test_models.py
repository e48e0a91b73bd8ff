"""Requests are strict, answers are tolerant."""

from __future__ import annotations

import math

import pytest
from core_cases import FULL, JUNK, REVISION, answer
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pulumi_jig.schema.requests import (
    CreateDeploymentRequest,
    CreateSecretRequest,
    CreateVolumeRequest,
    EnvironmentVariable,
    ModelMount,
    QueueAutoscalingConfig,
    UpdateDeploymentRequest,
    UpdateSecretRequest,
    UpdateVolumeRequest,
    VolumeMount,
)
from pulumi_jig.schema.responses import (
    DeploymentResponseItem,
    DeploymentRevision,
    DeploymentRevisionEventList,
    VolumeResponseItem,
)
from pulumi_jig.values import has_unknown

LEAST = {"name": "llm-prod", "image": "r/app:1", "gpu_type": "none"}
CANARY = "canary-4711"


def faults(model, body):
    """(path, message) of every fault of a body."""
    try:
        model.model_validate(body)
    except ValidationError as error:
        return [(item["loc"], item["msg"]) for item in error.errors()]
    return []


def test_a_body_holds_what_was_set_and_nothing_else():
    """Peers' bugs 33, 38: what the program did not set is not sent; zeros are."""
    request = CreateDeploymentRequest.model_validate(
        {**LEAST, "gpu_count": 0, "min_replicas": 0, "description": "", "port": None}
    )

    assert {**LEAST, "gpu_count": 0, "min_replicas": 0, "description": ""} == (
        request.body()
    )


def test_whole_floats_are_sent_as_integers():
    """Case V1 and peers' bug 30: the wire's 2.0 is 2 in the body."""
    body = CreateDeploymentRequest.model_validate({**LEAST, "gpu_count": 2.0}).body()

    assert "2" == repr(body["gpu_count"])


@pytest.mark.parametrize("value", [2.5, True, "2", math.nan, math.inf, [2], {}])
def test_what_is_no_whole_number_is_refused(value):
    """Case V2, peers' bug 44: half a GPU, a flag and a text are no number of GPUs."""
    assert [(("gpu_count",), "must be a whole number")] == faults(
        CreateDeploymentRequest, {**LEAST, "gpu_count": value}
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (True, "must be a number"),
        ("4", "must be a number"),
        (math.nan, "must be a finite number"),
        (math.inf, "must be a finite number"),
    ],
)
def test_what_is_no_number_is_refused(value, message):
    """Case V16: infinity and NaN are no amount of anything."""
    assert [(("cpu",), message)] == faults(
        CreateDeploymentRequest, {**LEAST, "cpu": value}
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (5, "must be a string"),
        ("a\0b", "must not contain a NUL character"),
        ("\ud800", "must be valid Unicode (it holds half of a surrogate pair)"),
    ],
)
def test_what_is_no_text_is_refused(value, message):
    """Case V13: NUL and half a surrogate pair cannot be stored; emoji can."""
    assert [(("description",), message)] == faults(
        CreateDeploymentRequest, {**LEAST, "description": value}
    )
    assert [] == faults(CreateDeploymentRequest, {**LEAST, "description": "🚀 \u202e"})


# Case V15: bounds, one below, at and above.
BOUNDS = [
    ("gpu_count", 0, -1, None, None),
    ("cpu", 0.1, 0.0999, None, None),
    ("memory", 0.001, 0, 1000, 1000.5),
    ("storage", 0, -1, 400, 401),
    ("port", 1, 0, 65_535, 65_536),
    ("min_replicas", 0, -1, None, None),
    ("max_replicas", 0, -1, None, None),
    ("termination_grace_period_seconds", 0, -1, None, None),
]


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound[0])
@pytest.mark.parametrize("model", [CreateDeploymentRequest, UpdateDeploymentRequest])
def test_bounds_are_held_to_the_last_unit(model, bound):
    """Case V15: the last value inside is taken, the first outside is refused."""
    field, lowest, below, highest, above = bound
    inside = [value for value in (lowest, highest) if value is not None]
    outside = [value for value in (below, above) if value is not None]

    found = [faults(model, {**LEAST, field: value}) for value in inside + outside]

    assert [[]] * len(inside) + [[(field,)]] * len(outside) == [
        [path for path, _ in told] for told in found
    ]


@pytest.mark.parametrize(
    ("model", "body", "path"),
    [
        (VolumeMount, {"name": "v", "mount_path": "/d", "version": -1}, ("version",)),
        (VolumeMount, {"name": "", "mount_path": "/d"}, ("name",)),
        (VolumeMount, {"name": "v", "mount_path": "d"}, ("mount_path",)),
        (VolumeMount, {"name": "v", "mount_path": "/"}, ("mount_path",)),
        (VolumeMount, {"name": "v", "mount_path": "//"}, ("mount_path",)),
        (VolumeMount, {"name": "v", "mount_path": "/a/../b"}, ("mount_path",)),
        (ModelMount, {"model_id": "", "mount_path": "/m"}, ("model_id",)),
        (
            ModelMount,
            {"model_id": "ml_a", "mount_path": "/m", "revision_id": ""},
            ("revision_id",),
        ),
        (EnvironmentVariable, {"name": "1A", "value": ""}, ("name",)),
        (EnvironmentVariable, {"name": "A\n", "value": ""}, ("name",)),
        (EnvironmentVariable, {"name": "A"}, ()),
        (EnvironmentVariable, {"name": "A", "value": "", "value_from_secret": "s"}, ()),
        (EnvironmentVariable, {"name": "A", "value_from_secret": ""}, None),
        (CreateDeploymentRequest, {**LEAST, "image": "a b"}, ("image",)),
        (CreateDeploymentRequest, {**LEAST, "image": "app\n"}, ("image",)),
        (CreateDeploymentRequest, {**LEAST, "image": ""}, ("image",)),
        (CreateDeploymentRequest, {**LEAST, "health_check_path": "health"}, None),
        (CreateDeploymentRequest, {**LEAST, "gpu_type": ""}, ("gpu_type",)),
        (CreateDeploymentRequest, {**LEAST, "capacity_type": ""}, ("capacity_type",)),
        (CreateDeploymentRequest, {**LEAST, "portt": 1}, ("portt",)),
        (CreateDeploymentRequest, {**LEAST, "command": ["a", 1]}, ("command", 1)),
        (CreateSecretRequest, {"name": "a b", "value": "v"}, ("name",)),
        (CreateSecretRequest, {"name": "a" * 101, "value": "v"}, ("name",)),
        (CreateSecretRequest, {"name": "a", "value": ""}, ("value",)),
        (CreateSecretRequest, {"name": "a", "value": "v", "ttl_seconds": 86_399}, None),
        (UpdateSecretRequest, {"ttl_seconds": 1_209_601}, ("ttl_seconds",)),
        (UpdateSecretRequest, {"description": "d" * 501}, ("description",)),
        (UpdateVolumeRequest, {"type": "readWrite"}, ("type",)),
        (CreateVolumeRequest, {"name": "v", "content": {}}, ("content",)),
        (
            CreateVolumeRequest,
            {
                "name": "v",
                "content": {"origin": {"s3": {"uri": "gs://x", "role_arn": "r"}}},
            },
            ("content", "origin", "s3", "uri"),
        ),
    ],
)
def test_what_is_wrong_is_refused_at_its_place(model, body, path):
    """Each rule of a request has one fault, at the path of the value."""
    found = faults(model, body)

    assert 1 == len(found)
    if path is not None:
        assert path == found[0][0]


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (
            CreateSecretRequest,
            {"name": "a/b-c_d.e", "value": "v", "ttl_seconds": 86400},
        ),
        (UpdateSecretRequest, {"ttl_seconds": 1_209_600, "description": "d" * 500}),
        (
            CreateVolumeRequest,
            {
                "name": "v",
                "content": {"origin": {"s3": {"uri": "s3://b", "role_arn": "r"}}},
            },
        ),
        (UpdateVolumeRequest, {"content": {"source_prefix": "v/1"}}),
        (UpdateDeploymentRequest, {"health_check_path": "", "command": []}),
        (EnvironmentVariable, {"name": "_a1", "value": ""}),
    ],
)
def test_what_is_right_is_sent_as_it_is(model, body):
    """A body that keeps the rules comes out as it went in."""
    assert body == model.model_validate(body).body()


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"metric": "HTTPTotalRequests", "custom_metric_name": "a"}, None),
        ({"metric": "QueueBacklogPerWorker", "time_interval_minutes": 1}, None),
        ({"metric": "CustomMetric"}, "custom_metric_name"),
        ({"metric": "CustomMetric", "custom_metric_name": "1a"}, "custom_metric_name"),
        ({"metric": "CustomMetric", "custom_metric_name": "a\n"}, "custom_metric_name"),
        ({"metric": "HTTPTotalRequests", "target": 0}, "target"),
        ({"metric": "HTTPTotalRequests", "time_interval_minutes": 0}, None),
        ({"metric": ""}, "metric"),
        ({"target": 1}, "autoscaling"),
        ({}, "autoscaling"),
        ([], "autoscaling"),
        ({"metric": 5}, "autoscaling"),
    ],
)
def test_autoscaling_is_checked_by_its_metric(config, path):
    """Every metric takes its own keys; without one nothing can be told."""
    found = faults(CreateDeploymentRequest, {**LEAST, "autoscaling": config})

    assert 1 == len(found)
    if path is not None:
        assert path == found[0][0][-1]


@pytest.mark.parametrize(
    "config",
    [
        {"metric": "HTTPAvgRequestDuration", "target": 0.5, "time_interval_minutes": 1},
        {"metric": "HTTPTotalRequests", "model": "llm-prod"},
        {"metric": "QueueBacklogPerWorker", "model": "other"},
        {"metric": "CustomMetric", "custom_metric_name": "vllm:n", "model": "llm-prod"},
        {"metric": "Tomorrow", "anything": [1]},
    ],
)
def test_autoscaling_is_sent_as_it_is(config):
    """Known metrics keep their keys, and a newer metric goes through with all of them."""
    request = CreateDeploymentRequest.model_validate({**LEAST, "autoscaling": config})

    assert config == request.body()["autoscaling"]


def test_a_model_is_taken_as_well_as_a_mapping():
    """A union on `metric` knows a ready-made model by its attribute."""
    config = QueueAutoscalingConfig(metric="QueueBacklogPerWorker")

    request = CreateDeploymentRequest(**LEAST, autoscaling=config)

    assert {"metric": "QueueBacklogPerWorker"} == request.body()["autoscaling"]


def test_an_update_switches_autoscaling_off_with_an_empty_object():
    """The document's `{}` is sent, and is no fault."""
    request = UpdateDeploymentRequest.model_validate({"autoscaling": {}})

    assert {"autoscaling": {}} == request.body()


@pytest.mark.parametrize(
    ("field", "mounts"),
    [
        ("volumes", [{"name": "v", "mount_path": f"/{n}"} for n in "ab"]),
        ("model_mounts", [{"model_id": "ml_a", "mount_path": f"/{n}"} for n in "ab"]),
    ],
)
def test_there_is_one_mount_of_a_kind(field, mounts):
    """The service takes one volume, or one model."""
    assert [(field,)] == [
        path for path, _ in faults(CreateDeploymentRequest, {**LEAST, field: mounts})
    ]


def test_all_faults_are_told_at_once():
    """Nobody has to mend a request fault by fault."""
    found = faults(
        CreateDeploymentRequest,
        {"name": "", "gpu_count": 2.5, "cpu": 0, "port": 0, "x": 1},
    )

    assert {("name",), ("image",), ("gpu_type",), ("gpu_count",), ("cpu",)} | {
        ("port",),
        ("x",),
    } == {path for path, _ in found}


@given(st.dictionaries(st.sampled_from([*FULL, "x"]), JUNK, max_size=5))
def test_no_fault_shows_a_value(body):
    """Case S5: whatever is wrong, the error holds no input."""
    body = {k: v for k, v in body.items() if not has_unknown(v)}
    with pytest.raises(ValidationError) as caught:
        CreateDeploymentRequest.model_validate(
            {**body, "name": {CANARY: CANARY}, "args": [{"a": CANARY}], "cpu": CANARY}
        )

    assert CANARY not in str(caught.value)
    assert CANARY not in repr(caught.value)


# --- Answers -------------------------------------------------------------------


def test_an_answer_is_read_under_the_apis_names():
    """A complete answer comes out as it went in."""
    assert FULL == answer().plain()


def test_what_is_newer_than_this_package_is_kept():
    """Case V4: unknown keys and words are no fault and are not lost."""
    item = answer(protocol="http", status="Pausing", gpu_type="z900")

    assert ("Pausing", "z900", "http") == (
        item.status,
        item.gpu_type,
        item.plain()["protocol"],
    )


def test_an_answer_may_leave_everything_out():
    """An empty answer is an answer that says nothing."""
    item = DeploymentResponseItem.model_validate({})

    assert ({}, None, None) == (item.plain(), item.status, item.revision_id)


def test_numbers_where_texts_belong_become_texts():
    """Case R23: an id is a text, whatever the answer held, so that no digit is lost."""
    assert "9007199254740993" == answer(id=9007199254740993).id


@given(st.dictionaries(st.sampled_from([*FULL, "new"]), JUNK, max_size=6))
def test_no_answer_is_refused(fields):
    """Case V4: whatever a field holds, the answer is read and dumped again."""
    fields = {k: v for k, v in fields.items() if not has_unknown(v)}

    item = answer(**fields)

    assert {*FULL, *fields} == item.plain().keys()
    assert item.revision_id is None or isinstance(item.revision_id, str)


def test_one_strange_event_does_not_hide_the_others():
    """Of many replicas, those that can be read are read."""
    item = answer(
        replica_events={"a": None, "b": {"replica_status": "Running"}, "c": [1]}
    )

    assert (None, "Running", [1]) == (
        item.replica_events["a"],
        item.replica_events["b"].replica_status,
        item.replica_events["c"],
    )


def test_one_strange_entry_does_not_hide_the_others():
    """Lists and histories are read entry by entry as well."""
    page = DeploymentRevisionEventList.model_validate(
        {"data": ["strange", {"revision_id": "r1"}]}
    )
    volume = VolumeResponseItem.model_validate(
        {"version_history": {"0": 5, "1": {"status": "ready"}}}
    )

    assert ("strange", "r1") == (page.data[0], page.data[1].revision_id)
    assert (5, "ready") == (
        volume.version_history["0"],
        volume.version_history["1"].status,
    )


@pytest.mark.parametrize(
    ("variables", "revision"),
    [
        (FULL["environment_variables"], REVISION),
        ([], None),
        (None, None),
        ([None, 5, {"name": "A"}], None),
        ([{"name": "TOGETHER_DEPLOYMENT_REVISION_ID"}], None),
        ([{"name": "TOGETHER_DEPLOYMENT_REVISION_ID", "value": ""}], None),
        ([{"name": "TOGETHER_DEPLOYMENT_REVISION_ID", "value": 5}], None),
    ],
)
def test_an_answer_may_name_its_revision(variables, revision):
    """Peers' bug 3: the marker may be missing, empty or strange, which is no error."""
    assert revision == answer(environment_variables=variables).revision_id


def test_a_revision_tells_its_own_id():
    """The configuration of a revision names it in a key of its own."""
    told = DeploymentRevision.model_validate({"revision_id": "r7", "image": "i"})
    marked = DeploymentRevision.model_validate(
        {"environment_variables": FULL["environment_variables"]}
    )

    assert ("r7", REVISION) == (told.revision_id, marked.revision_id)
    assert {"revision_id": "r7", "image": "i"} == told.plain()


@pytest.mark.parametrize("zero", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"])
def test_a_time_that_never_was_is_none(zero):
    """Peers' bug 45: the zero time of the service's language is not told as a time."""
    event = {"replica_status": "Running", "replica_ready_since": zero}
    item = answer(created_at=zero, updated_at=zero, replica_events={"r": event})

    assert (None, None) == (item.created_at, item.updated_at)
    assert item.replica_events["r"].replica_ready_since is None
    assert "2026-11-22T08:00:00Z" == answer().created_at


@pytest.mark.parametrize("strange", ["", True, 1.5, [], ["x"], {"a": 1}, None])
def test_what_cannot_be_an_id_is_none(strange):
    """Case R21: what is no text and no whole number is no id, wherever one stands."""
    event = {"revision_id": strange}
    item = answer(id=strange, replica_events={"r": event})

    assert (None, None) == (item.id, item.replica_events["r"].revision_id)


@pytest.mark.parametrize("variables", [1, True, {"name": "A"}, "A", [1, None, "A"]])
def test_variables_of_any_type_name_no_revision(variables):
    """An answer that is not what it should be is read as far as it goes."""
    item = DeploymentResponseItem.parse({"environment_variables": variables})
    assert item.revision_id is None
