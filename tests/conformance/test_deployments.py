"""Rules of a deployment at rest: defaults, PATCH, revisions. No replica has to run."""

from __future__ import annotations

from typing import Any

import pytest
from service import DEPLOYMENTS, REVISION, Service, param, revision, variables

rule = pytest.mark.rule


@pytest.fixture(scope="module")
def smallest(service: Service) -> Any:
    """What a create of the three required fields is answered with."""
    body = {"name": service.name(), "image": service.settings.image, "gpu_type": "none"}
    created = service.ok("POST", DEPLOYMENTS, body)
    yield created
    service.delete(created["name"])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param(field, value, marks=rule(name), id=field)
        for name, field, value in [
            ("DEFAULT-1", "gpu_count", 0),
            ("DEFAULT-1", "min_replicas", 1),
            ("DEFAULT-2", "max_replicas", 1),
            ("DEFAULT-3", "cpu", 1),
            ("DEFAULT-3", "memory", 8),
            ("DEFAULT-3", "storage", 100),
            ("DEFAULT-3", "termination_grace_period_seconds", 300),
            ("DEFAULT-3", "capacity_type", "stable"),
        ]
    ],
)
def test_what_was_left_out_has_its_default(
    smallest: dict, field: str, value: object
) -> None:
    """A create of the three required fields is answered with the others filled in."""
    assert smallest.get(field) == value


@rule("DEFAULT-2")
def test_the_ceiling_follows_the_floor(service: Service) -> None:
    """With a floor of 0 and no ceiling the ceiling is 0."""
    created = service.create(min_replicas=0)
    service.delete(created["name"])
    assert created["max_replicas"] == 0


@rule("ENV-3")
def test_the_revision_is_among_the_variables(service: Service, idle: dict) -> None:
    """Of every answer: create, read and list."""
    listed = service.ok("GET", DEPLOYMENTS)["data"]
    found = [item for item in listed if item["name"] == idle["name"]]
    for answer in (idle, service.get(idle["name"]), *found):
        assert REVISION in {item["name"] for item in answer["environment_variables"]}


@rule("ENV-4")
def test_the_services_variable_is_ignored_when_it_is_sent_back(
    service: Service, idle: dict
) -> None:
    """A list that was read and is sent back changes nothing."""
    before = service.get(idle["name"])
    sent = before["environment_variables"]
    service.patch(idle["name"], environment_variables=sent)
    assert revision(before) == revision(service.get(idle["name"]))


CHANGES: list[tuple[str, object]] = [
    ("cpu", 0.2),
    ("memory", 1),
    ("storage", 2),
    ("port", 8001),
    ("health_check_path", "/ready"),
    ("command", ["serve"]),
    ("args", ["--fast"]),
    ("termination_grace_period_seconds", 30),
    ("environment_variables", [{"name": "A", "value": "1"}]),
]


@rule("PATCH-1", "REVISION-1")
@pytest.mark.parametrize(("field", "value"), CHANGES, ids=[f for f, _ in CHANGES])
def test_a_change_makes_a_revision_and_leaves_the_rest(
    service: Service, idle: dict, field: str, value: object
) -> None:
    """What a PATCH leaves out stays."""
    before = service.get(idle["name"])
    service.patch(idle["name"], **{field: value})
    after = service.get(idle["name"])
    shown = variables(after) if field == "environment_variables" else after[field]
    assert shown == value
    assert revision(before) != revision(after)
    passing = {"status", "updated_at", "environment_variables", "replica_events"}
    changed = {k for k in before if before[k] != after.get(k)} - passing
    assert changed <= {field}


@pytest.mark.parametrize(
    ("field", "value", "cleared"),
    [
        pytest.param(field, value, cleared, marks=rule(name), id=field)
        for name, field, value, cleared in [
            ("PATCH-3", "health_check_path", "/ready", ""),
            ("PATCH-4", "description", "for people", ""),
            ("PATCH-4", "command", ["serve"], []),
            ("PATCH-4", "args", ["--fast"], []),
            ("PATCH-2", "environment_variables", [{"name": "A", "value": "1"}], []),
            (
                "PATCH-3",
                "autoscaling",
                {"metric": "HTTPTotalRequests", "target": 7},
                {},
            ),
        ]
    ],
)
def test_a_field_is_cleared_by_its_empty_form(
    service: Service, idle: dict, field: str, value: Any, cleared: Any
) -> None:
    """What the empty form is differs from field to field."""
    service.patch(idle["name"], **{field: value})
    after = service.patch(idle["name"], **{field: cleared})
    shown = variables(after) if field == "environment_variables" else after.get(field)
    # Services of this kind may leave out what is empty.
    assert not shown


@rule("PATCH-4")
def test_an_empty_list_clears_model_mounts(
    service: Service, idle: dict, needs: Any
) -> None:
    """`[]` is the clearing value of model mounts too."""
    mount = {"model_id": needs("model"), "mount_path": "/m"}
    service.patch(idle["name"], model_mounts=[mount])
    assert not service.patch(idle["name"], model_mounts=[]).get("model_mounts")


@rule("PATCH-2")
def test_a_list_replaces_what_was_there(service: Service, idle: dict) -> None:
    """One variable after two is one variable."""
    two = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    service.patch(idle["name"], environment_variables=two)
    after = service.patch(idle["name"], environment_variables=two[:1])
    assert variables(after) == two[:1]


@rule("PATCH-5")
def test_asking_for_what_is_there_changes_nothing(service: Service, idle: dict) -> None:
    """No revision, and no new `updated_at`."""
    service.patch(idle["name"], port=8002)
    before = service.get(idle["name"])
    service.patch(idle["name"], port=8002)
    after = service.get(idle["name"])
    assert revision(before) == revision(after)
    assert before["updated_at"] == after["updated_at"]


@rule("PATCH-1", "BOUNDS-1")
def test_a_patch_is_checked_together_with_what_it_leaves_out(
    service: Service, idle: dict
) -> None:
    """A floor above the ceiling that stands is refused, and nothing changes."""
    before = service.serving(idle["name"])
    path = f"{DEPLOYMENTS}/{idle['name']}"
    response = service.send("PATCH", path, {"min_replicas": 1})
    assert (response.status_code, param(response)) == (400, "min_replicas")
    assert service.get(idle["name"]) == before


@rule("NAME-3")
def test_a_name_that_exists_is_refused(service: Service, idle: dict) -> None:
    """The text says "already exists"."""
    response = service.send("POST", DEPLOYMENTS, service.body(name=idle["name"]))
    assert response.status_code == 400
    assert "already exists" in response.text


@rule("NAME-3")
def test_a_name_of_another_account_is_refused(
    service: Service, other: Service, idle: dict
) -> None:
    """Names are unique over all customers."""
    response = other.refused("POST", DEPLOYMENTS, other.body(name=idle["name"]))
    assert "already exists" in response.text


@rule("NAME-4")
def test_the_same_name_is_harmless_and_another_is_refused(
    service: Service, idle: dict
) -> None:
    """The vendor's client always sends the name; it cannot be changed."""
    service.patch(idle["name"], name=idle["name"])
    response = service.send(
        "PATCH", f"{DEPLOYMENTS}/{idle['name']}", {"name": service.name()}
    )
    assert (response.status_code, param(response)) == (400, "name")


@rule("SCALE-2")
def test_an_empty_object_means_off_on_create(service: Service) -> None:
    """The vendor's client sends it."""
    created = service.create(autoscaling={}, min_replicas=0, max_replicas=0)
    service.delete(created["name"])
    assert not created.get("autoscaling")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"metric": "HTTPTotalRequests"}, {"target": 100, "time_interval_minutes": 10}),
        (
            {"metric": "HTTPAvgRequestDuration", "target": 200},
            {"target": 200, "time_interval_minutes": 10},
        ),
        ({"metric": "QueueBacklogPerWorker"}, {"target": 1.01}),
        ({"metric": "CustomMetric", "custom_metric_name": "a:b"}, {"target": 500}),
    ],
    ids=lambda value: value.get("metric", ""),
)
@rule("SCALE-1", "SCALE-3", "SCALE-4")
def test_autoscaling_is_answered_with_its_defaults(
    service: Service, idle: dict, given: dict, shown: dict
) -> None:
    """What a metric left out is filled in; `model` is accepted with every metric."""
    wanted = {**given, "model": idle["name"]}
    after = service.patch(idle["name"], autoscaling=wanted, max_replicas=2)
    service.patch(idle["name"], autoscaling={}, max_replicas=0)
    assert {**wanted, **shown}.items() <= after["autoscaling"].items()


@rule("SCALE-6")
def test_with_no_replica_wanted_the_status_is_scaled_to_zero(
    service: Service, idle: dict
) -> None:
    """A floor of 0 without load comes to rest."""
    assert service.serving(idle["name"])["status"] == "ScaledToZero"


@rule("MODEL-2")
def test_an_open_model_revision_is_pinned_and_stays_so(
    service: Service, idle: dict, needs: Any
) -> None:
    """The answer has the revision that was chosen; the same mount keeps it."""
    mounts = [{"model_id": needs("model"), "mount_path": "/m"}]
    pinned = service.patch(idle["name"], model_mounts=mounts)["model_mounts"]
    again = service.patch(idle["name"], model_mounts=mounts)["model_mounts"]
    service.patch(idle["name"], model_mounts=[])
    assert pinned[0]["revision_id"]
    assert pinned == again
