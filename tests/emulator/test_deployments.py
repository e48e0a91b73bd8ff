"""Creating, reading and listing deployments: fields, names, accounts."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest


def test_create_fills_what_was_left_out(api):
    """A create of the three required fields is answered with every default."""
    created = api.create("demo-app", image="r/app:1", gpu_type="h100-80gb")

    assert {
        "object": "deployment",
        "name": "demo-app",
        "status": "Updating",
        "description": "",
        "image": "r/app:1",
        "gpu_type": "h100-80gb",
        "gpu_count": 0,
        "cpu": 1,
        "memory": 8,
        "storage": 100,
        "capacity_type": "stable",
        "min_replicas": 1,
        "max_replicas": 1,
        "desired_replicas": 1,
        "ready_replicas": 0,
        "health_check_path": "",
        "command": [],
        "args": [],
        "termination_grace_period_seconds": 300,
        "volumes": [],
        "model_mounts": [],
        "created_at": "2026-11-22T08:00:00.000Z",
        "updated_at": "2026-11-22T08:00:00.000Z",
    } == {
        key: value
        for key, value in created.items()
        if key not in {"id", "environment_variables", "replica_events"}
    }


def test_create_shows_the_revision_among_the_variables(api):
    """The service's own variable stands beside the user's, in every answer."""
    created = api.create(environment_variables=[{"name": "A", "value": "1"}])

    assert ["A", "TOGETHER_DEPLOYMENT_REVISION_ID"] == [
        v["name"] for v in created["environment_variables"]
    ]
    assert re.fullmatch(r"[0-9a-f-]{36}", api.revision(created))
    assert api.revision(created) == api.revision(api.get())
    listed = api.ok("GET", "/v1/deployments")["data"]
    assert [api.revision(created)] == [api.revision(d) for d in listed]


def test_the_services_own_variable_is_ignored_when_it_is_sent_back(api):
    """A list that was read and sent back changes nothing."""
    created = api.create(environment_variables=[{"name": "A", "value": "1"}])

    patched = api.patch(environment_variables=created["environment_variables"])

    assert created == patched


def test_max_replicas_follows_min_replicas(api):
    """A ceiling that was left out is the floor."""
    created = api.create(min_replicas=3)

    assert (3, 3, 3) == (
        created["min_replicas"],
        created["max_replicas"],
        created["desired_replicas"],
    )


def test_a_deployment_is_read_by_name_and_by_id(api):
    """Both paths answer with the same deployment."""
    created = api.create()

    assert api.get("demo-app") == api.get(created["id"])


def test_the_list_holds_the_accounts_own_deployments_oldest_first(api):
    """Another account's deployments are not in the list."""
    api.create("second-first")
    api.create("another-one")
    api.as_account("other").create("not-yours")

    listed = api.ok("GET", "/v1/deployments")

    assert "list" == listed["object"]
    assert ["second-first", "another-one"] == [d["name"] for d in listed["data"]]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "abc"),
        ("name", "Upper-case"),
        ("name", "under_score"),
        ("name", "-hyphen-first"),
        ("name", "a" * 64),
        ("name", 7),
        ("name", None),
        ("name", "secrets"),
        ("name", "storage"),
        ("image", ""),
        ("image", "two words"),
        ("image", None),
        ("gpu_type", "a100-80gb"),
        ("gpu_type", None),
        ("gpu_count", -1),
        ("gpu_count", 2.0),
        ("gpu_count", "2"),
        ("gpu_count", True),
        ("cpu", 0.09),
        ("cpu", "1"),
        ("memory", 0),
        ("memory", 1000.5),
        ("storage", 401),
        ("storage", 1.5),
        ("port", 0),
        ("port", 65536),
        ("min_replicas", -1),
        ("max_replicas", 101),
        ("health_check_path", "health"),
        ("command", "python"),
        ("args", {}),
        ("termination_grace_period_seconds", -1),
        ("capacity_type", "spot"),
        ("description", 5),
        ("description", "nul \x00"),
    ],
)
def test_a_field_out_of_range_is_refused_by_name(api, field, value):
    """Each field has bounds, and the refusal names the field."""
    body = {"name": "demo-app", "image": "r/a:1", "gpu_type": "none", field: value}

    answer = api.send("POST", "/v1/deployments", body)

    assert (400, field) == (answer.status, answer.body["error"]["param"])


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"min_replicas": 2, "max_replicas": 1}, "min_replicas"),
        ({"gpu_count": 1}, "gpu_count"),
        (
            {"environment_variables": [{"name": "1A", "value": ""}]},
            "environment_variables[0].name",
        ),
        ({"environment_variables": [{"name": "A"}]}, "environment_variables[0]"),
        (
            {
                "environment_variables": [
                    {"name": "A", "value": "", "value_from_secret": "s"}
                ]
            },
            "environment_variables[0]",
        ),
        (
            {
                "environment_variables": [
                    {"name": "A", "value": "1"},
                    {"name": "A", "value": "2"},
                ]
            },
            "environment_variables[1].name",
        ),
        (
            {"environment_variables": [{"name": "A", "value_from_secret": "nope"}]},
            "environment_variables[0].value_from_secret",
        ),
        ({"volumes": [{"name": "nope", "mount_path": "/m"}]}, "volumes[0].name"),
        ({"volumes": [{"name": "v", "mount_path": "m"}]}, "volumes[0].mount_path"),
        (
            {
                "volumes": [
                    {"name": "v", "mount_path": "/a"},
                    {"name": "w", "mount_path": "/b"},
                ]
            },
            "volumes",
        ),
        (
            {"model_mounts": [{"model_id": "gpt", "mount_path": "/m"}]},
            "model_mounts[0].model_id",
        ),
        ({"autoscaling": {"target": 1}}, "autoscaling.metric"),
        ({"autoscaling": {"metric": "Whim"}}, "autoscaling.metric"),
        (
            {"autoscaling": {"metric": "CustomMetric"}},
            "autoscaling.custom_metric_name",
        ),
        (
            {"autoscaling": {"metric": "HTTPTotalRequests", "target": 0}},
            "autoscaling.target",
        ),
        (
            {
                "autoscaling": {
                    "metric": "HTTPTotalRequests",
                    "time_interval_minutes": 0,
                }
            },
            "autoscaling.time_interval_minutes",
        ),
    ],
)
def test_what_only_the_whole_body_can_tell_is_refused_by_path(api, fields, param):
    """Contradictions, unknown references and nested faults name where they are."""
    body = {"name": "demo-app", "image": "r/a:1", "gpu_type": "none", **fields}

    answer = api.send("POST", "/v1/deployments", body)

    assert (400, param) == (answer.status, answer.body["error"]["param"])


def test_a_refused_create_leaves_nothing(api):
    """After a refusal the name is free and the list is empty."""
    api.refused("POST", "/v1/deployments", {"name": "demo-app"})

    assert [] == api.ok("GET", "/v1/deployments")["data"]


def test_a_volume_and_a_model_mount_exclude_each_other(api):
    """There is a single preload sidecar, so it is one or the other."""
    api.ok(
        "POST",
        "/v1/deployments/storage/volumes",
        {"name": "v", "type": "readOnly", "content": {"source_prefix": "v/0"}},
    )
    body = {
        "name": "demo-app",
        "image": "r/a:1",
        "gpu_type": "none",
        "volumes": [{"name": "v", "mount_path": "/v"}],
        "model_mounts": [{"model_id": "ml_abc", "mount_path": "/m"}],
    }

    status, message = api.refused("POST", "/v1/deployments", body)

    assert (400, "model_mounts: cannot be combined with volumes") == (status, message)


def test_an_open_model_revision_is_pinned_and_stays_so(api):
    """The answer carries the revision that was chosen, and an update keeps it."""
    created = api.create(model_mounts=[{"model_id": "ml_abc", "mount_path": "/m"}])

    pinned = created["model_mounts"][0]["revision_id"]
    assert pinned.startswith("rv_")
    patched = api.patch(model_mounts=[{"model_id": "ml_abc", "mount_path": "/m"}])
    assert created == patched


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (
            {"metric": "HTTPTotalRequests"},
            {
                "metric": "HTTPTotalRequests",
                "target": 100,
                "time_interval_minutes": 10,
            },
        ),
        (
            {"metric": "HTTPAvgRequestDuration", "target": 200},
            {
                "metric": "HTTPAvgRequestDuration",
                "target": 200,
                "time_interval_minutes": 10,
            },
        ),
        (
            {"metric": "QueueBacklogPerWorker", "model": "demo-app"},
            {"metric": "QueueBacklogPerWorker", "target": 1.01, "model": "demo-app"},
        ),
        (
            {"metric": "CustomMetric", "custom_metric_name": "a:b", "model": "x"},
            {
                "metric": "CustomMetric",
                "custom_metric_name": "a:b",
                "target": 500,
                "model": "x",
            },
        ),
    ],
)
def test_autoscaling_is_answered_with_its_defaults(api, given, shown):
    """What a metric's configuration left out is filled in."""
    created = api.create(max_replicas=2, autoscaling=given)

    assert shown == created["autoscaling"]


@pytest.mark.parametrize("off", [None, {}])
def test_autoscaling_that_is_off_is_not_in_the_answer(api, off):
    """Null and an empty object both mean off on create, and off is left out."""
    assert "autoscaling" not in api.create(autoscaling=off)


def test_unknown_keys_are_ignored(api):
    """The vendor's own client sends keys that no document has."""
    created = api.create(experimental={"auto_optimize": True}, project_id="x")

    assert "experimental" not in created


def test_a_name_is_unique_over_all_accounts(api):
    """A name held by another customer reads as absent and creates as taken."""
    api.as_account("other").create("demo-app")

    assert 404 == api.send("GET", "/v1/deployments/demo-app").status
    status, message = api.refused(
        "POST",
        "/v1/deployments",
        {"name": "demo-app", "image": "r/a:1", "gpu_type": "none"},
    )
    assert (400, "deployment with name demo-app already exists") == (status, message)


def test_another_accounts_deployment_cannot_be_touched(api):
    """Neither its name nor its id lets anyone else read, change or delete it."""
    other = api.as_account("other").create("demo-app")

    statuses = [
        api.send(method, f"/v1/deployments/{identifier}", {}).status
        for identifier in ("demo-app", other["id"])
        for method in ("GET", "PATCH", "DELETE")
    ]

    assert [404] * 6 == statuses


def test_keys_of_one_account_share_what_it_has(api):
    """A rotated key of the same account sees the same deployments."""
    api.create()
    rotated = type(api)(api.url, "acct:home:2")

    assert api.get() == rotated.get()


def test_any_other_key_is_an_account_of_its_own(api):
    """Two plain keys do not see each other's deployments."""
    one, two = type(api)(api.url, "key-one"), type(api)(api.url, "key-two")
    one.create()

    assert [] == two.ok("GET", "/v1/deployments")["data"]


def test_64_creates_of_one_name_give_one_deployment(api):
    """
    Of many at once, one succeeds and the others are told that it exists (Case M7).
    """
    body = {"name": "demo-app", "image": "r/a:1", "gpu_type": "none"}

    with ThreadPoolExecutor(64) as pool:
        answers = list(
            pool.map(lambda _: api.send("POST", "/v1/deployments", body), range(64))
        )

    assert [200] + [400] * 63 == sorted(a.status for a in answers)
    assert 1 == len(api.ok("GET", "/v1/deployments")["data"])
