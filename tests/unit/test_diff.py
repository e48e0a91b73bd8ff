"""What an update would do, from the state and what the program says now."""

from __future__ import annotations

import pytest
from core_cases import (
    IMAGE,
    JUNK,
    LEAST,
    OLDER,
    answer,
    checked,
    programs,
    service,
    wired,
)
from hypothesis import given
from hypothesis import strategies as st

from pulumi_jig.lifecycle.deployment.diff import diff, released_variables
from pulumi_jig.lifecycle.deployment.inputs import create_body
from pulumi_jig.lifecycle.deployment.state import state_of
from pulumi_jig.schema.deployment import FIELDS
from pulumi_jig.schema.field import LEFT_ALONE
from pulumi_jig.values import UNKNOWN

BASE = {
    **LEAST,
    "gpu_type": "h100-80gb",
    "gpu_count": 1,
    "cpu": 4,
    "memory": 64,
    "storage": 100,
    "min_replicas": 1,
    "max_replicas": 3,
    "autoscaling": {"metric": "HTTPTotalRequests", "target": 10},
    "capacity_type": "stable",
    "port": 8000,
    "health_check_path": "/health",
    "command": ["serve"],
    "args": ["--port", "8000"],
    "environment_variables": {"A": "1", "B": {"value_from_secret": "hf-token"}},
    "volumes": [{"name": "weights", "mount_path": "/m"}],
    "termination_grace_period_seconds": 60,
    "description": "text",
}

# Another value of each field, and the paths at which a preview shows it.
CHANGES = [
    ("name", "llm-next", ["name"]),
    ("image", "r/app:2", ["image"]),
    ("gpu_type", "h200-140gb", ["gpu_type"]),
    ("gpu_count", 2, ["gpu_count"]),
    ("cpu", 4.5, ["cpu"]),
    ("memory", 65, ["memory"]),
    ("storage", 101, ["storage"]),
    ("min_replicas", 2, ["min_replicas"]),
    ("max_replicas", 4, ["max_replicas"]),
    (
        "autoscaling",
        {"metric": "HTTPTotalRequests", "target": 11},
        ["autoscaling.target"],
    ),
    ("autoscaling", {}, ["autoscaling"]),
    ("capacity_type", "preemptible", ["capacity_type"]),
    ("port", 8001, ["port"]),
    ("health_check_path", "/ready", ["health_check_path"]),
    ("health_check_path", "", ["health_check_path"]),
    ("command", ["run"], ["command[0]"]),
    ("command", [], ["command"]),
    ("args", ["--port", "8001"], ["args[1]"]),
    (
        "environment_variables",
        {"A": "2", "B": {"value_from_secret": "hf-token"}},
        ["environment_variables.A"],
    ),
    (
        "environment_variables",
        {"A": "1", "B": {"value_from_secret": "other"}},
        ["environment_variables.B.value_from_secret"],
    ),
    (
        "environment_variables",
        {},
        ["environment_variables.A", "environment_variables.B"],
    ),
    (
        "volumes",
        [{"name": "weights", "mount_path": "/n"}],
        ["volumes[0].mount_path"],
    ),
    (
        "volumes",
        [{"name": "weights", "mount_path": "/m", "version": 0}],
        ["volumes[0].version"],
    ),
    ("volumes", [], ["volumes"]),
    ("model_mounts", [{"model_id": "ml_a", "mount_path": "/m"}], ["model_mounts"]),
    ("termination_grace_period_seconds", 61, ["termination_grace_period_seconds"]),
    ("description", "other", ["description"]),
]

# What the service shows when somebody changes a field out of band.
DRIFTS = {
    "image": "r/evil:1",
    "gpu_type": "b200-192gb",
    "gpu_count": 8,
    "cpu": 5,
    "memory": 63,
    "storage": 99,
    "min_replicas": 0,
    "max_replicas": 9,
    "autoscaling": None,
    "capacity_type": "preemptible",
    "port": 81,
    "health_check_path": "",
    "command": [],
    "args": ["--port", "1"],
    "environment_variables": [{"name": "A", "value": "1"}],
    "volumes": [],
    "termination_grace_period_seconds": 1,
    "description": "out of band",
}


HELD = {
    name
    for name, field in FIELDS.items()
    if field.default is not LEFT_ALONE and name != "gpu_count"
}


def shown(program, **more):
    """The state of a program after its creation, as the engine hands it back."""
    inputs = checked(program)
    live = {key: program[key] for key in FIELDS if key in program}
    live["environment_variables"] = [
        {"name": "A", "value": "1"},
        {"name": "B", "value_from_secret": "hf-token"},
        {"name": "TOGETHER_DEPLOYMENT_REVISION_ID", "value": OLDER},
    ]
    live["autoscaling"] = {**live.get("autoscaling", {}), "time_interval_minutes": 10}
    live["volumes"] = [{**v, "version": 3} for v in live.get("volumes", [])]
    item = answer(**{**dict.fromkeys(FIELDS, ...), **live, **more})
    return inputs, wired(state_of(inputs, item))


def changes(program, **live):
    """The paths that differ between the state of BASE and what is declared now."""
    inputs, state = shown(BASE, **live)
    news = checked(program, inputs)
    return diff(state, news, old_inputs=wired(inputs))


def test_nothing_differs_after_a_creation():
    """Case L1: the second preview is empty."""
    found = changes(BASE)

    assert ((), (), False) == (found.changed, found.replaces, found.changes)


def test_numbers_from_a_state_are_floats():
    """Case V1: every number comes back from a state as a float, and is the same."""

    def floats(value):
        if isinstance(value, dict):
            return {k: floats(v) for k, v in value.items()}
        if isinstance(value, list):
            return [floats(v) for v in value]
        return float(value) if type(value) is int else value

    volumes = [{"name": "weights", "mount_path": "/m", "version": 3}]
    inputs, state = shown({**BASE, "volumes": volumes, "extra": {"new": {"a": 1}}})

    assert () == diff(floats(state), inputs, old_inputs=floats(wired(inputs))).changed


@pytest.mark.parametrize(("name", "value", "paths"), CHANGES)
def test_a_change_of_one_field_shows_that_field(name, value, paths):
    """Peers' bugs 18 and 19: every field shows, replaces only where the table says."""
    program = {**BASE, name: value}
    if name == "model_mounts":
        del program["volumes"]
        paths = ["volumes", *paths]

    found = changes(program)

    assert sorted(paths) == sorted(found.changed)
    assert (("name",) if name == "name" else ()) == found.replaces


def test_every_field_has_a_change():
    """A field without a case here is a field whose change nobody looked at."""
    assert FIELDS.keys() == {name for name, _, _ in CHANGES}


@pytest.mark.parametrize("name", DRIFTS)
def test_drift_on_a_declared_field_shows(name):
    """Case V6: what somebody changed out of band is shown at its own path."""
    found = changes(BASE, **{name: DRIFTS[name]})

    assert {name} == {
        path.partition(".")[0].partition("[")[0] for path in found.changed
    }


#: What somebody sets of a field that the program leaves out.
BY_HAND = {
    "min_replicas": 0,
    "max_replicas": 50,
    "autoscaling": {"metric": "HTTPTotalRequests", "target": 10},
    "health_check_path": "/up",
    "command": ["sleep"],
    "args": ["--debug"],
    "environment_variables": [{"name": "DEBUG", "value": "1"}],
    "volumes": [{"name": "weights", "mount_path": "/m", "version": 1}],
    "model_mounts": [{"model_id": "ml_a", "mount_path": "/m"}],
    "description": "by hand",
}


def by_hand(name, value, **news):
    """What a preview says after somebody set a field that the program leaves out."""
    inputs = checked(LEAST)
    item = answer(
        **{
            **dict.fromkeys(FIELDS, ...),
            **LEAST,
            "min_replicas": 1,
            "max_replicas": 1,
            "cpu": 1,
            "environment_variables": [{"name": "TOGETHER_X", "value": "theirs"}],
            name: value,
        }
    )
    state = wired(state_of(inputs, item)) | news.pop("state", {})
    return diff(state, checked(LEAST, inputs), old_inputs=inputs, **news)


@pytest.mark.parametrize("name", sorted(HELD))
def test_what_somebody_sets_of_a_field_that_is_left_out_is_drift(name):
    """A field that is left out is held at its documented default or empty form."""
    found = by_hand(name, BY_HAND[name])

    path = "environment_variables.DEBUG" if name == "environment_variables" else name
    assert (path,) == found.changed
    assert () == by_hand("cpu", 1).changed


def test_gpus_that_somebody_adds_to_a_cpu_deployment_are_drift():
    """`gpu_count` is held at 0 where the program asks for no GPU."""
    assert ("gpu_count",) == by_hand("gpu_count", 2).changed


@pytest.mark.parametrize("name", sorted(HELD))
def test_a_held_field_can_be_left_to_others(name):
    """`ignore_changes` is the way to leave a field that is left out to others."""
    assert () == by_hand(name, BY_HAND[name], ignore_changes=[name]).changed


def test_a_single_variable_can_be_left_to_others():
    """A path below a field ignores no more than it names."""
    path = "environment_variables.DEBUG"
    two = [{"name": "DEBUG", "value": "1"}, {"name": "OTHER", "value": "1"}]

    found = by_hand("environment_variables", two, ignore_changes=[path])

    assert ("environment_variables.OTHER",) == found.changed


@pytest.mark.parametrize("name", sorted(HELD))
def test_what_the_service_added_itself_is_no_drift(name):
    """What the answer to our own request showed beyond what was sent is not held."""
    path = "environment_variables.DEBUG" if name == "environment_variables" else name

    assert () == by_hand(name, BY_HAND[name], state={"__added": [path]}).changed


@pytest.mark.parametrize(
    "name", ["cpu", "memory", "storage", "port", "termination_grace_period_seconds"]
)
def test_what_the_service_chooses_itself_is_left_alone(name):
    """What the service chooses when it is not told is its business."""
    assert () == by_hand(name, 7).changed
    assert () == by_hand("capacity_type", "preemptible").changed


def test_every_declared_field_drifts():
    """Every field but the name can change under us; each has a case."""
    assert FIELDS.keys() - {"name", "model_mounts"} == DRIFTS.keys()


@pytest.mark.parametrize("name", sorted(HELD))
def test_a_dropped_field_shows(name):
    """Peers' bug 34: what the program no longer declares is cleared, and shown."""
    base = {**BASE, "min_replicas": 2}
    if name == "model_mounts":
        base |= {"volumes": [], name: [{"model_id": "ml_a", "mount_path": "/m"}]}
    inputs, state = shown(base)
    program = {k: v for k, v in base.items() if k != name}

    found = diff(state, checked(program, inputs), old_inputs=wired(inputs))

    whole = (name,)
    if name == "environment_variables":
        whole = ("environment_variables.A", "environment_variables.B")
    assert whole == found.changed


def test_a_dropped_number_of_gpus_shows_where_there_were_some():
    """A number of GPUs goes together with the GPU type, and is shown beside it."""
    inputs, state = shown(BASE)
    program = {k: v for k, v in BASE.items() if k != "gpu_count"}
    news = checked({**program, "gpu_type": "none"}, inputs)

    assert ("gpu_type", "gpu_count") == diff(state, news, old_inputs=inputs).changed


def test_a_dropped_field_counts_also_by_the_state_alone():
    """A host that cannot tell the old inputs still has the names in the state."""
    _, state = shown(BASE)
    program = {k: v for k, v in BASE.items() if k != "args"}

    assert ("args",) == diff(state, checked(program)).changed


def test_a_dropped_field_that_is_cleared_already_is_no_change():
    """There is nothing to clear where nothing is."""
    inputs, state = shown({**BASE, "args": []}, args=...)
    program = {k: v for k, v in BASE.items() if k != "args"}

    assert () == diff(state, checked(program, inputs), old_inputs=inputs).changed


def test_a_variable_of_the_platforms_prefix_can_be_dropped():
    """A declared `TOGETHER_` variable that goes is ours to take away."""
    base = {**BASE, "environment_variables": {"A": "1", "TOGETHER_X": "mine"}}
    inputs, state = shown(base)
    rest = checked({**BASE, "environment_variables": {"A": "1"}}, inputs)
    none = checked(
        {k: v for k, v in BASE.items() if k != "environment_variables"}, inputs
    )
    there = {**state, "environment_variables": {"A": "1", "TOGETHER_X": "mine"}}

    assert ("environment_variables.TOGETHER_X",) == (
        diff(there, rest, old_inputs=inputs).changed
    )
    assert ("environment_variables.A", "environment_variables.TOGETHER_X") == (
        diff(there, none, old_inputs=inputs).changed
    )
    assert ["TOGETHER_X"] == released_variables(rest, inputs)
    assert () == diff(there, rest, old_inputs=rest).changed
    later = {**rest, "environment_variables": UNKNOWN}
    assert ("environment_variables",) == diff(there, later, old_inputs=inputs).changed


def test_a_ceiling_follows_its_floor():
    """`max_replicas` left out means `min_replicas`, in an update as well."""
    low = {k: v for k, v in BASE.items() if k != "max_replicas"}
    inputs, state = shown(low, max_replicas=1)

    def paths(program):
        return diff(state, checked(program, inputs), old_inputs=inputs).changed

    assert ("min_replicas", "max_replicas") == paths({**low, "min_replicas": 2})
    assert () == paths(low)
    assert ("min_replicas", "max_replicas") == paths({**low, "min_replicas": UNKNOWN})


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_a_value_that_is_not_known_yet_counts_as_a_change(name):
    """Case V9: a preview says "may change" rather than nothing."""
    found = changes({**BASE, name: UNKNOWN})

    assert name in found.changed
    assert (("name",) if name == "name" else ()) == found.replaces


def test_an_unknown_part_is_shown_at_its_place():
    """Case V9: one unknown variable is one path."""
    variables = {**BASE["environment_variables"], "A": UNKNOWN}

    found = changes({**BASE, "environment_variables": variables})

    assert ("environment_variables.A",) == found.changed


# --- Extra ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "paths"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, ["extra.a"]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, ["extra.a.c"]),
        ({"a": True}, {"a": 1}, ["extra.a"]),
        ({"a": 1, "b": 2}, {"a": 1}, []),
        ({"a": 1}, {"a": 1, "b": 2}, ["extra.b"]),
        ({"a": 1}, None, []),
        (None, {}, []),
        (None, {"a": 1}, ["extra.a"]),
        ({"a": 1}, UNKNOWN, ["extra"]),
        ({"a": 1}, {"a": UNKNOWN}, ["extra.a"]),
    ],
)
def test_passed_through_fields_are_compared(before, after, paths):
    """A dropped one has no documented reset, so it is no change."""
    olds = LEAST if before is None else {**LEAST, "extra": before}
    news = LEAST if after is None else {**LEAST, "extra": after}
    inputs = checked(olds)
    state = state_of(inputs, None)

    assert paths == list(diff(state, checked(news, inputs)).changed)


# --- Not finished --------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "paths"),
    [
        ({"__unconfirmed": True}, ("deployment_id",)),
        ({"__unready": ["it crashed"]}, ("status",)),
        ({"status": "Failed"}, ("status",)),
        ({"status": "Failed", "wait_for": "none"}, ()),
        ({"status": "Updating"}, ()),
    ],
)
def test_what_is_not_finished_is_a_change(more, paths):
    """Cases R19 and R20: a failed roll-out is not reported as done next time."""
    program = {**BASE, **{k: v for k, v in more.items() if k == "wait_for"}}
    inputs, state = shown(program)

    assert paths == diff({**state, **more}, checked(program, inputs)).changed


def test_a_real_change_says_enough():
    """What differs is repaired together with what is not finished."""
    inputs, state = shown(BASE)
    news = checked({**BASE, "cpu": 1}, inputs)

    assert ("cpu",) == diff({**state, "__unready": ["x"]}, news).changed


# --- For every combination -----------------------------------------------------


@given(programs())
def test_the_second_preview_is_empty(program):
    """Case C1: after a creation nothing differs, whatever was declared."""
    inputs = checked(program)
    item = service().create(create_body(inputs, None))
    state = wired(state_of(inputs, item))

    assert () == diff(state, checked(program, wired(inputs)), old_inputs=inputs).changed


@given(programs(), programs())
def test_a_diff_names_declared_or_dropped_fields_only(before, after):
    """Nobody is told of a field that the program never mentioned."""
    inputs = checked(before)
    state = wired(state_of(inputs, service().create(create_body(inputs, None))))
    # What has no way back stays declared.
    kept = {k: v for k, v in before.items() if k not in HELD}
    kept.pop("gpu_count", None)
    news = checked({**kept, **after}, inputs)

    found = diff(state, news, old_inputs=inputs)

    heads = {path.partition(".")[0].partition("[")[0] for path in found.changed}
    mentioned = {*before, *after, "max_replicas"}
    assert heads <= mentioned
    assert set(found.replaces) <= {"name"}


@given(programs(), st.data())
def test_a_changed_field_is_found(before, data):
    """Peers' bug 18: a declared value that becomes another one shows, and nothing else."""
    name, value, _ = data.draw(
        st.sampled_from([case for case in CHANGES if case[0] in before])
    )
    inputs = checked(before)
    state = wired(state_of(inputs, service().create(create_body(inputs, None))))
    news = {**inputs, name: value}

    found = diff(state, news, old_inputs=inputs).changed

    heads = {path.partition(".")[0].partition("[")[0] for path in found}
    implied = {"max_replicas"} if "max_replicas" not in before else set()
    assert heads - implied <= {name}
    assert bool(found) is (state.get(name) != value)


@given(
    st.dictionaries(st.sampled_from([*FIELDS, "extra", "__declared", "status"]), JUNK),
    st.dictionaries(st.sampled_from([*FIELDS, "extra", "__declared"]), JUNK),
)
def test_a_diff_never_raises(state, news):
    """Whatever a state holds, the answer is definite."""
    found = diff(state, news, old_inputs=state)

    assert found.changes is bool(found.changed)
    assert [] == [name for name in found.replaces if name != "name"]


def test_an_image_that_the_service_pinned_is_no_change():
    """Case V5: a digest for a tag that the program left open is no difference."""
    assert () == changes(BASE, image=f"{IMAGE}@sha256:{'a' * 64}").changed
