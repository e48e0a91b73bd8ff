"""Creating, reading and listing deployments: fields, names, accounts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest


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
        ("name", 7),
        ("name", None),
        ("image", ""),
        ("image", "two words"),
        ("image", None),
        ("gpu_type", None),
        ("gpu_count", 2.0),
        ("gpu_count", "2"),
        ("gpu_count", True),
        ("cpu", "1"),
        ("storage", 1.5),
        ("min_replicas", -1),
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


def test_an_update_of_the_same_model_keeps_its_revision(api):
    """Also one that was chosen by the user and is left open now."""
    mount = {"model_id": "ml_abc", "mount_path": "/m"}
    created = api.create(model_mounts=[{**mount, "revision_id": "rv_mine"}])

    assert created == api.patch(model_mounts=[mount])


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
