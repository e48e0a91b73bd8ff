"""One table of fields: what each means for a deployment's life."""

from __future__ import annotations

import pytest
from core_cases import FEW, FULL, IMAGE, JUNK, REVISION, answer
from hypothesis import given

from pulumi_jig.schema.comparison import (
    environment_list,
    environment_mapping,
    same_extra,
)
from pulumi_jig.schema.deployment import FIELDS
from pulumi_jig.schema.diff import differing_paths, held_value, is_same, live_values
from pulumi_jig.schema.field import LEFT_ALONE, NOT_TOLD
from pulumi_jig.schema.requests import CreateDeploymentRequest, UpdateDeploymentRequest
from pulumi_jig.values import UNKNOWN, SecretValue, format_path, has_unknown

# What each field does when it changes, what clears it, and what its absence from a full
# answer means. The row is the decision; the table in the code must say the same.
ROWS = {
    "name": ("replace", LEFT_ALONE, NOT_TOLD, True),
    "image": ("update", LEFT_ALONE, NOT_TOLD, True),
    "gpu_type": ("update", LEFT_ALONE, "none", True),
    "gpu_count": ("update", 0, 0, True),
    "cpu": ("update", LEFT_ALONE, NOT_TOLD, True),
    "memory": ("update", LEFT_ALONE, NOT_TOLD, True),
    "storage": ("update", LEFT_ALONE, NOT_TOLD, True),
    "min_replicas": ("update", 1, 0, False),
    "max_replicas": ("update", "min_replicas", NOT_TOLD, False),
    "autoscaling": ("update", {}, {}, True),
    "capacity_type": ("update", LEFT_ALONE, NOT_TOLD, True),
    "port": ("update", LEFT_ALONE, NOT_TOLD, True),
    "health_check_path": ("update", "", "", True),
    "command": ("update", [], [], True),
    "args": ("update", [], [], True),
    "environment_variables": ("update", {}, {}, True),
    "volumes": ("update", [], [], True),
    "model_mounts": ("update", [], [], True),
    "termination_grace_period_seconds": ("update", LEFT_ALONE, NOT_TOLD, True),
    "description": ("update", "", "", False),
}
HTTP = {"metric": "HTTPTotalRequests"}
QUEUE = {"metric": "QueueBacklogPerWorker"}
CUSTOM = {"metric": "CustomMetric", "custom_metric_name": "n"}
MOUNT = {"name": "weights", "mount_path": "/m"}
MODEL = {"model_id": "ml_a", "mount_path": "/m"}
BY_REFERENCE = {"value_from_secret": "hf"}

# (field, declared, live): the declared value is true of the live one.
SAME = [
    ("name", "llm-prod", "llm-prod"),
    ("image", IMAGE, IMAGE),
    ("image", IMAGE, f"{IMAGE}@sha256:{'a' * 64}"),
    ("gpu_type", "none", None),
    ("gpu_type", "none", ""),
    ("gpu_count", 0, None),
    ("gpu_count", 2, 2.0),
    ("cpu", 0.5, 0.5),
    ("memory", 8, 8.0),
    ("storage", 100, 100),
    ("min_replicas", 0, 0),
    ("max_replicas", 3, 3),
    ("autoscaling", {}, None),
    ("autoscaling", {}, {}),
    ("autoscaling", HTTP, {**HTTP, "target": 100, "time_interval_minutes": 10}),
    ("autoscaling", {**HTTP, "target": 100}, HTTP),
    ("autoscaling", {**HTTP, "target": None}, {**HTTP, "target": 100.0}),
    ("autoscaling", QUEUE, {**QUEUE, "target": 1.01, "model": "llm-prod"}),
    ("autoscaling", {**QUEUE, "model": "llm-prod"}, QUEUE),
    ("autoscaling", CUSTOM, {**CUSTOM, "target": 500, "time_interval_minutes": 10}),
    ("autoscaling", QUEUE, {**QUEUE, "newer_than_us": True}),
    ("autoscaling", QUEUE, {**QUEUE, "time_interval_minutes": 30}),
    ("autoscaling", {"metric": "New", "x": 1}, {"metric": "New", "x": 1, "y": 2}),
    ("capacity_type", "stable", "stable"),
    ("port", 8000, 8000),
    ("health_check_path", "", None),
    ("command", [], None),
    ("command", ["a", "b"], ["a", "b"]),
    ("args", ["a"], ["a"]),
    ("environment_variables", {}, None),
    ("environment_variables", {"A": "1"}, [{"name": "A", "value": "1"}]),
    ("environment_variables", {"A": "1", "B": "2"}, {"B": "2", "A": "1"}),
    ("environment_variables", {"A": "1"}, {"A": "1", "TOGETHER_X": "platform"}),
    ("environment_variables", {"A": ""}, [{"name": "A"}]),
    (
        "environment_variables",
        {"A": BY_REFERENCE},
        [{"name": "A", **BY_REFERENCE, "value_from_secret_expires_at": "2026-12-01"}],
    ),
    ("volumes", [], None),
    ("volumes", [MOUNT], [{**MOUNT, "version": 7}]),
    ("volumes", [{**MOUNT, "version": None}], [{**MOUNT, "version": 7}]),
    ("volumes", [{**MOUNT, "version": 7}], [{**MOUNT, "version": 7.0}]),
    (
        "volumes",
        [MOUNT, {**MOUNT, "mount_path": "/n"}],
        [{**MOUNT, "mount_path": "/n"}, MOUNT],
    ),
    ("model_mounts", [MODEL], [{**MODEL, "revision_id": "rv_pinned"}]),
    ("termination_grace_period_seconds", 300, 300),
    ("description", "", None),
    ("description", "text", "text"),
]

# (field, declared, live): it is not, and these are the paths.
DIFFERENT = [
    ("name", "llm-prod", "llm-dev", ["name"]),
    ("image", IMAGE, "other:1", ["image"]),
    ("image", f"{IMAGE}@sha256:a", IMAGE, ["image"]),
    ("image", IMAGE, f"{IMAGE}0@sha256:a", ["image"]),
    ("image", IMAGE, None, ["image"]),
    ("gpu_type", "none", "h100-80gb", ["gpu_type"]),
    ("gpu_type", "h100-80gb", None, ["gpu_type"]),
    ("gpu_count", 1, None, ["gpu_count"]),
    ("gpu_count", 1, True, ["gpu_count"]),
    ("cpu", 1, "1", ["cpu"]),
    ("memory", 8, 8.5, ["memory"]),
    ("storage", 100, None, ["storage"]),
    ("storage", 100, 10**400, ["storage"]),
    ("min_replicas", 1, 0, ["min_replicas"]),
    ("max_replicas", 2, 3, ["max_replicas"]),
    ("autoscaling", {}, QUEUE, ["autoscaling"]),
    ("autoscaling", QUEUE, None, ["autoscaling"]),
    ("autoscaling", {}, "strange", ["autoscaling"]),
    ("autoscaling", HTTP, {**HTTP, "target": 200}, ["autoscaling.target"]),
    (
        "autoscaling",
        {**HTTP, "target": 5},
        {**HTTP, "target": 6, "time_interval_minutes": 10},
        ["autoscaling.target"],
    ),
    ("autoscaling", QUEUE, {**QUEUE, "model": "other"}, ["autoscaling.model"]),
    # Dropped, so that the service's default is meant, and changed.
    *(
        (
            "autoscaling",
            {**HTTP, **asked},
            {**HTTP, "time_interval_minutes": 30},
            ["autoscaling.time_interval_minutes"],
        )
        for asked in ({}, {"time_interval_minutes": 5})
    ),
    (
        "autoscaling",
        CUSTOM,
        {**CUSTOM, "custom_metric_name": "other"},
        ["autoscaling.custom_metric_name"],
    ),
    (
        "autoscaling",
        QUEUE,
        {**HTTP, "time_interval_minutes": 3},
        ["autoscaling.metric", "autoscaling.target"],
    ),
    ("capacity_type", "stable", "preemptible", ["capacity_type"]),
    ("port", 8000, 8001, ["port"]),
    ("health_check_path", "/health", "", ["health_check_path"]),
    ("command", ["a", "b"], ["b", "a"], ["command[0]", "command[1]"]),
    ("command", ["a"], ["a", "b"], ["command"]),
    ("args", ["a"], "a", ["args"]),
    ("args", [], 5, ["args"]),
    (
        "environment_variables",
        {"A": "1", "B": "2"},
        {"A": "1", "B": "3", "C": "4"},
        ["environment_variables.B", "environment_variables.C"],
    ),
    (
        "environment_variables",
        {"A": "1", "TOGETHER_X": "mine"},
        {"A": "1", "TOGETHER_X": "theirs", "TOGETHER_Y": "2"},
        ["environment_variables.TOGETHER_X"],
    ),
    (
        "environment_variables",
        {"A": BY_REFERENCE},
        {"A": "hf"},
        ["environment_variables.A"],
    ),
    ("volumes", [MOUNT], [], ["volumes"]),
    ("volumes", [MOUNT], None, ["volumes"]),
    ("volumes", [], [MOUNT], ["volumes"]),
    ("volumes", [MOUNT], "strange", ["volumes"]),
    (
        "volumes",
        [{**MOUNT, "version": 7}],
        [{**MOUNT, "version": 8}],
        ["volumes[0].version"],
    ),
    (
        "volumes",
        [{**MOUNT, "name": "w2"}],
        [{**MOUNT, "version": 8}],
        ["volumes[0].name"],
    ),
    (
        "model_mounts",
        [MODEL],
        [{**MODEL, "mount_path": "/n", "revision_id": "rv_1"}],
        ["model_mounts[0].mount_path"],
    ),
    (
        "termination_grace_period_seconds",
        300,
        301,
        ["termination_grace_period_seconds"],
    ),
    ("description", "text", "text ", ["description"]),
]


def test_every_field_has_its_row():
    """A field without a row is a field without a decision."""
    assert (ROWS.keys(), ROWS.keys()) == (
        FIELDS.keys(),
        CreateDeploymentRequest.model_fields.keys(),
    )
    assert FIELDS.keys() == UpdateDeploymentRequest.model_fields.keys()


@pytest.mark.parametrize("name", ROWS)
def test_a_field_means_what_its_row_says(name):
    """Case V7: replacement, clearing, absence and roll-out are as decided."""
    field = FIELDS[name]

    assert ROWS[name] == (
        field.on_change,
        field.default,
        field.absent,
        field.rolls,
    )


@pytest.mark.parametrize("name", ROWS)
def test_every_field_is_compared_in_both_directions(name):
    """Each field has a case in which it is the same, and one in which it is not."""
    assert name in {case[0] for case in SAME}
    assert name in {case[0] for case in DIFFERENT}


@pytest.mark.parametrize(("name", "declared", "live"), SAME)
def test_what_the_service_made_of_a_value_is_no_difference(name, declared, live):
    """
    Cases V5, V8, V11, peers' bugs 35, 36: order, filled defaults, pins and injected
    variables are no change.
    """
    assert is_same(name, declared, live, {"name": "llm-prod"})


@pytest.mark.parametrize(("name", "declared", "live", "paths"), DIFFERENT)
def test_what_differs_is_told_by_its_path(name, declared, live, paths):
    """Case V6: a real difference shows, at the paths that the program can change."""
    inputs = {"name": "llm-prod"}

    assert not is_same(name, declared, live, inputs)
    assert paths == [
        format_path(path) for path in differing_paths(name, declared, live, inputs)
    ]


@pytest.mark.parametrize("live", [None, "", [], {}])
def test_nothing_declared_is_true_of_nothing(live):
    """Case R24, peers' bug 32: None, absent and empty are one thing."""
    assert is_same("port", None, live, {})
    assert not is_same("port", None, 8000, {})


@pytest.mark.parametrize("name", FIELDS)
def test_what_is_not_known_is_never_the_same(name):
    """Case V9: an unknown value, wherever it is hidden, counts as a change."""
    assert not is_same(name, UNKNOWN, "x", {})
    assert not is_same(name, [UNKNOWN], [UNKNOWN], {})
    assert not is_same(name, "x", UNKNOWN, {})
    assert [(name,)] == list(differing_paths(name, UNKNOWN, "x", {}))


def test_secret_markers_do_not_matter_to_a_comparison():
    """A value is the same whether it is marked or not."""
    assert is_same(
        "environment_variables",
        {"A": SecretValue("1")},
        SecretValue({"A": "1"}),
        {},
    )


@pytest.mark.parametrize("name", FIELDS)
@FEW
@given(declared=JUNK, live=JUNK)
def test_no_comparison_stumbles(name, declared, live):
    """Case V4: whatever stands on either side, a comparison ends with an answer."""
    inputs = {"name": "llm-prod"}

    assert is_same(name, declared, live, inputs) in (True, False)
    for path in differing_paths(name, declared, live, inputs):
        assert path[0] == name


@pytest.mark.parametrize("name", FIELDS)
@FEW
@given(value=JUNK)
def test_a_value_is_true_of_itself(name, value):
    """diff(x, x) is empty, for every field and every readable value."""
    known = not has_unknown(value) and "nan" not in repr(value)
    readable = value is None or isinstance(value, _kind(name))

    assert not (known and readable) or is_same(name, value, value, {"name": "n"})


def _kind(name):
    """What a declared value of a field is, after it was checked."""
    numbers = ("gpu_count", "cpu", "memory", "storage", "port", "min_replicas")
    if name in (*numbers, "max_replicas", "termination_grace_period_seconds"):
        # A flag is no number, not even the same one.
        return float
    if name == "autoscaling":
        # An autoscaling without a metric is off.
        return type(None)
    if name == "environment_variables":
        return dict
    return list if name in ("command", "args", "volumes", "model_mounts") else str


def test_clearing_follows_the_table():
    """Peers' bug 34: each field that can be cleared says what an update sends."""
    expected = {
        name: cleared
        for name, (_, cleared, _, _) in ROWS.items()
        if name != "max_replicas"
    }

    assert expected == {name: held_value(name, {}) for name in expected}


@pytest.mark.parametrize(
    ("inputs", "ceiling"), [({}, 1), ({"min_replicas": 0}, 0), ({"min_replicas": 4}, 4)]
)
def test_a_ceiling_is_cleared_to_the_floor(inputs, ceiling):
    """`max_replicas` has a default that hangs on another field."""
    assert ceiling == held_value("max_replicas", inputs)


def test_markers_of_the_table_name_themselves():
    """The two markers can be read in a failure."""
    assert ("LEFT_ALONE", "NOT_TOLD") == (repr(LEFT_ALONE), repr(NOT_TOLD))


@pytest.mark.parametrize(
    ("value", "mapping"),
    [
        (None, {}),
        (5, {}),
        ("text", {}),
        ([], {}),
        ([None, 5, {"value": "nameless"}], {}),
        ([{"name": "A", "value": "1"}], {"A": "1"}),
        ([{"name": "A", "value_from_secret": "s"}], {"A": {"value_from_secret": "s"}}),
        ({"A": {"value": "1"}, "B": "2"}, {"A": "1", "B": "2"}),
        ({"A": {"value_from_secret": None, "value": "1"}}, {"A": "1"}),
    ],
)
def test_variables_are_a_mapping_from_either_form(value, mapping):
    """The API's list and our mapping mean the same variables."""
    assert mapping == environment_mapping(value)


def test_variables_are_sent_as_a_list_in_a_fixed_order():
    """The same variables are the same bytes, and a read-only key is not sent back."""
    given_ = {
        "B": "2",
        "A": {"value_from_secret": "s", "value_from_secret_expires_at": 1},
    }

    assert [
        {"name": "A", "value_from_secret": "s"},
        {"name": "B", "value": "2"},
    ] == environment_list(given_)


@pytest.mark.parametrize(
    ("declared", "live", "same"),
    [
        ({"a": 1}, {"a": 1, "filled": 2}, True),
        ({"a": {"b": True}}, {"a": {"b": True, "c": 1}}, True),
        ([1, {"a": 1}], [1, {"a": 1, "b": 2}], True),
        ({"a": []}, {}, True),
        ({"a": 0}, {}, True),
        (1, 1.0, True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": 1}, {}, False),
        ([1], [1, 2], False),
        (True, 1, False),
        ("x", {"x": 1}, False),
    ],
)
def test_a_passed_through_value_may_come_back_richer(declared, live, same):
    """The service may add to what it was sent, not change it."""
    assert same is same_extra(declared, live)


# --- From an answer ------------------------------------------------------------


def test_an_answer_is_turned_into_the_form_of_the_state():
    """Fields keep the API's names; variables are a mapping; the mark is taken off."""
    live = live_values(
        answer(description="For people. [pulumi-jig shop/prod/llm 4f1c00d2aa17]")
    )

    assert ("For people.", 64, [{**FULL["volumes"][0]}]) == (
        live["description"],
        live["memory"],
        live["volumes"],
    )
    assert {"LOG_LEVEL": "INFO", "TOGETHER_DEPLOYMENT_REVISION_ID": REVISION} == (
        live["environment_variables"]
    )


def test_what_a_full_answer_leaves_out_is_empty():
    """Services of this kind omit empty values: left out of a full answer means empty."""
    left_out = dict.fromkeys(FIELDS, ...)
    live = live_values(answer(**{**left_out, "name": "llm-prod", "image": IMAGE}))

    assert {
        "name": "llm-prod",
        "image": IMAGE,
        **{
            name: absent
            for name, (_, _, absent, _) in ROWS.items()
            if absent is not NOT_TOLD
        },
    } == live


def test_a_receipt_says_nothing_about_what_it_leaves_out():
    """Case R11: an answer with an id and a name only describes no field."""
    receipt = answer(**{**dict.fromkeys(FULL, ...), "id": "x", "name": "llm-prod"})

    assert {"name": "llm-prod"} == live_values(receipt)


@pytest.mark.parametrize("name", ["environment_variables", "cpu"])
def test_null_is_left_out(name):
    """Case R24: null in an answer is as good as nothing."""
    assert live_values(answer(**{name: ...})) == live_values(answer(**{name: None}))


def test_variables_that_cannot_be_read_say_nothing():
    """An unreadable list is no claim that there are no variables."""
    live = live_values(answer(environment_variables="strange"))

    assert "environment_variables" not in live


def test_a_description_that_is_no_text_is_empty():
    """A strange description is shown as none."""
    assert "" == live_values(answer(description=["x"]))["description"]
