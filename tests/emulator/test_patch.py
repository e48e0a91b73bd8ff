"""PATCH, field by field: what it changes, what it clears, what it leaves."""

from __future__ import annotations

import pytest

FULL = {
    "description": "first",
    "gpu_count": 0,
    "cpu": 2,
    "memory": 4.5,
    "storage": 10,
    "port": 8000,
    "min_replicas": 1,
    "max_replicas": 3,
    "health_check_path": "/health",
    "command": ["a"],
    "args": ["b"],
    "termination_grace_period_seconds": 30,
    "capacity_type": "preemptible",
    "autoscaling": {
        "metric": "HTTPTotalRequests",
        "target": 7,
        "time_interval_minutes": 3,
    },
    "environment_variables": [{"name": "A", "value": "1"}],
}

CHANGES = [
    ("image", "r/app:2"),
    ("gpu_type", "h200-140gb"),
    ("cpu", 0.1),
    ("memory", 1000),
    ("storage", 400),
    ("port", 1),
    ("health_check_path", "/ready"),
    ("health_check_path", ""),
    ("command", ["x", "y"]),
    ("command", []),
    ("args", []),
    ("termination_grace_period_seconds", 0),
    ("capacity_type", "stable"),
    ("description", ""),
    ("description", "second"),
    ("min_replicas", 2),
    ("max_replicas", 5),
]

# What a PATCH must send to have each field cleared, and what is shown then.
KEEPS_REVISION = {"min_replicas", "max_replicas", "description"}


@pytest.mark.parametrize(("field", "value"), CHANGES)
def test_a_patch_changes_the_field_and_no_other(quick, field, value):
    """Every other field of the answer is as before."""
    before = quick.create(**FULL)

    quick.patch(**{field: value})

    after = quick.get()
    assert value == after[field]
    passing = {
        "updated_at",
        "status",
        "ready_replicas",
        "desired_replicas",
        "replica_events",
        "environment_variables",
    }
    assert {field} == {
        key for key in before if key not in passing and before[key] != after[key]
    }


@pytest.mark.parametrize(("field", "value"), CHANGES)
def test_a_change_makes_a_revision_unless_it_is_of_bounds_or_words(quick, field, value):
    """Replica bounds and the description keep the revision, all else makes one."""
    quick.create(**FULL)
    before = quick.get()

    patched = quick.patch(**{field: value})

    same = quick.revision(before) == quick.revision(patched)
    assert (field in KEEPS_REVISION) == same


@pytest.mark.parametrize("field", [field for field, _ in CHANGES] + ["autoscaling"])
def test_null_leaves_a_field_as_it_is(quick, field):
    """Null in a PATCH means the same as leaving the key out (Case V10)."""
    quick.create(**FULL)
    before = quick.get()

    assert before == quick.patch(**{field: None})


def test_an_empty_object_switches_autoscaling_off(quick):
    """`{}` is the clearing value; the answer has no autoscaling then."""
    quick.create(**FULL)

    assert "autoscaling" not in quick.patch(autoscaling={})


def test_lists_replace_what_was_there(quick):
    """A list of variables is the whole list, and the empty one clears it (Case V11)."""
    quick.create(**FULL)

    one = quick.patch(environment_variables=[{"name": "B", "value": "2"}])
    none = quick.patch(environment_variables=[])

    shown = "TOGETHER_DEPLOYMENT_REVISION_ID"
    assert ["B", shown] == [v["name"] for v in one["environment_variables"]]
    assert [shown] == [v["name"] for v in none["environment_variables"]]


def test_a_patch_that_asks_for_what_is_there_changes_nothing(api, clock):
    """No revision, no new time, no roll-out: the answer equals the last one."""
    api.create(**FULL)
    clock.pass_(100)
    before = api.get()
    clock.pass_(100)

    after = api.patch(**FULL, image="r/app:1", gpu_type="none")

    assert before == after


def test_a_real_change_is_never_answered_ready(api, clock):
    """A watcher that trusts the first answer must not stop there."""
    api.create()
    clock.pass_(100)
    assert "Ready" == api.get()["status"]

    patched = api.patch(image="r/app:2")

    assert "Updating" == patched["status"]
    assert patched["updated_at"] == "2026-11-22T08:01:40.000Z"


def test_a_change_of_bounds_alone_is_answered_scaling(api, clock):
    """It keeps the revision and still is not Ready at once, even if nothing moves."""
    api.create()
    clock.pass_(100)

    patched = api.patch(max_replicas=4)

    assert "Scaling" == patched["status"]
    clock.pass_(2)
    assert "Ready" == api.get()["status"]


def test_a_change_of_words_disturbs_nobody(api, clock):
    """The description is no part of a revision: status and replicas stay."""
    api.create()
    clock.pass_(100)
    before = api.get()

    after = api.patch(description="for people")

    assert {"description"} == {key for key in before if before[key] != after[key]} - {
        "updated_at"
    }


def test_the_same_name_is_harmless_and_another_is_refused(api):
    """The vendor's client always sends the name; it cannot be changed."""
    created = api.create()

    assert created == api.patch(name="demo-app")
    status, message = api.refused(
        "PATCH", "/v1/deployments/demo-app", {"name": "other-name"}
    )
    assert (400, "name: cannot be changed") == (status, message)


def test_a_patch_is_checked_as_a_whole(api):
    """A floor above the ceiling that stands is refused, and nothing changes."""
    created = api.create()

    status, _ = api.refused("PATCH", "/v1/deployments/demo-app", {"min_replicas": 2})

    assert 400 == status
    assert created == api.get()


def test_a_patch_of_a_deployment_that_is_not_there_says_so(api):
    """404 is what tells the vendor's client to create it."""
    status, message = api.refused("PATCH", "/v1/deployments/demo-app", {})

    assert (404, "deployment demo-app not found") == (status, message)
