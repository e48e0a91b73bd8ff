"""Every field of a deployment: kept, changed, drifted; on both engines."""

from __future__ import annotations

import random
from typing import Any

import pytest
from jig_stage import IMAGE, JigStage, dep

from pulumi_jig.schema.deployment import FIELDS

SEED = 20261122

QUEUE = {"metric": "QueueBacklogPerWorker", "target": 1.05}
HTTP = {"metric": "HTTPTotalRequests", "target": 50, "time_interval_minutes": 5}
CUSTOM = {"metric": "CustomMetric", "custom_metric_name": "vllm:num_requests_running"}

#: For every field: a value, and another one. (`volumes` and `model_mounts` need
#: something to mount, so their second value differs in the path only.)
VALUES: dict[str, tuple[Any, Any]] = {
    "name": ("first-name", "second-name"),
    "image": (IMAGE, "registry.together.ai/proj/llm:1.5"),
    "gpu_type": ("h100-80gb", "h200-140gb"),
    "gpu_count": (1, 2),
    "cpu": (2, 2.5),
    "memory": (32, 48.5),
    "storage": (100, 120),
    "min_replicas": (1, 2),
    "max_replicas": (4, 5),
    "autoscaling": (QUEUE, HTTP),
    "capacity_type": ("stable", "preemptible"),
    "port": (8000, 8080),
    "health_check_path": ("/health", "/ready"),
    "command": (["serve"], ["serve", "--fast"]),
    "args": (["a", "b"], ["b", "a"]),
    "environment_variables": ({"A": "1", "B": "2"}, {"A": "1", "B": "3"}),
    "volumes": (
        [{"name": "weights", "mount_path": "/data"}],
        [{"name": "weights", "mount_path": "/models"}],
    ),
    "model_mounts": (
        [{"model_id": "ml_1", "mount_path": "/data"}],
        [{"model_id": "ml_1", "mount_path": "/models"}],
    ),
    "termination_grace_period_seconds": (60, 90),
    "description": ("one", "two"),
}
#: What a field needs beside it to be legal. Bounds go with autoscaling.
BESIDE: dict[str, dict[str, Any]] = {
    "max_replicas": {"autoscaling": QUEUE},
    "autoscaling": {"max_replicas": 4},
    "health_check_path": {"port": 8000},
    "min_replicas": {"max_replicas": 4, "autoscaling": QUEUE},
}


@pytest.fixture(autouse=True)
def _volume(jig: JigStage) -> None:
    """The volume that the deployments mount."""
    import json
    import urllib.request

    body = {
        "name": "weights",
        "type": "readOnly",
        "content": {"type": "files", "source_prefix": "weights/0"},
    }
    request = urllib.request.Request(
        f"{jig.emulator.url}/v1/deployments/storage/volumes",
        data=json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {jig.env['TOGETHER_API_KEY']}",
            "Content-Type": "application/json",
        },
        method="POST",
    )
    urllib.request.urlopen(request).close()


def key(field: str) -> str:
    """A resource's name for a field."""
    return field.replace("_", "-")


def plan_of(pick: int, only: str | None = None) -> dict[str, Any]:
    """One deployment per field, each with that field's first or second value."""
    plan = {}
    for field in FIELDS:
        chosen = pick if only in (None, field) else 0
        plan[key(field)] = dep(
            None, **{**BESIDE.get(field, {}), field: VALUES[field][chosen]}
        )
    return plan


def deployments(stage: JigStage) -> dict[str, list[str]]:
    """What the last operation did to each deployment."""
    return {
        label.removeprefix("Deployment "): steps
        for label, steps in stage.acts[-1].steps.items()
        if label.startswith("Deployment ")
    }


def test_the_table_has_a_row_for_every_field() -> None:
    """A field without values here would go untested."""
    assert set(VALUES) == set(FIELDS)


def test_every_combination_is_kept(jig: JigStage) -> None:
    """After `up` the preview is empty, before and after a refresh, whatever is set."""
    picks = random.Random(SEED)
    plan: dict[str, Any] = {}
    optional = [f for f in FIELDS if f not in ("name", "image", "gpu_type")]
    for number in range(30):
        props: dict[str, Any] = {}
        for field in picks.sample(optional, picks.randint(0, len(optional))):
            props[field] = picks.choice(VALUES[field])
        if "volumes" in props:
            props.pop("model_mounts", None)
        if picks.random() < 0.3:
            # Declared and empty is a declaration, too.
            props |= {"command": [], "environment_variables": {}, "description": ""}
        if picks.random() < 0.2:
            props |= {"gpu_type": "none", "gpu_count": 0}
        if "max_replicas" in props:
            props["min_replicas"] = min(props.get("min_replicas", 1), 2)
        plan[f"d{number}"] = dep(None, **props)
    jig.plan(plan)

    assert jig.up().ok, jig.errors()
    jig.preview()
    assert deployments(jig) == {name: ["same"] for name in plan}
    assert jig.refresh().ok
    jig.preview()
    assert deployments(jig) == {name: ["same"] for name in plan}


def test_a_change_of_one_field_sends_exactly_that_field(jig: JigStage) -> None:
    """
    Each field updates or replaces as the table says; nothing else is sent (peers' bugs
    18, 19).
    """
    jig.plan(plan_of(0))
    assert jig.up().ok, jig.errors()
    jig.emulator.admin.clear_requests()
    jig.plan(plan_of(1))

    jig.preview()
    for field, row in FIELDS.items():
        replaces = row.on_change == "replace"
        steps = deployments(jig)[key(field)]
        assert ("replace" in steps, steps == ["update"]) == (replaces, not replaces)
    assert jig.up().ok, jig.errors()
    sent = [r for r in jig.emulator.admin.requests() if r["method"] == "PATCH"]
    bodies = sorted(sorted(r["body"]) for r in sent)
    assert bodies == sorted([f] for f in FIELDS if f != "name")
    jig.preview()
    assert set(map(tuple, deployments(jig).values())) == {("same",)}


def test_drift_of_every_declared_field_is_repaired(jig: JigStage) -> None:
    """
    An out-of-band change of each field shows in the preview and is undone (Case V6).
    """
    fields = [f for f in FIELDS if f != "name"]
    plan = {f: p for f, p in plan_of(0).items() if f != "name"}
    jig.plan(plan)
    assert jig.up().ok, jig.errors()
    state = {
        item["label"].removeprefix("Deployment "): item["outputs"]["name"]
        for item in jig.acts[-1].state
        if item["label"].startswith("Deployment")
    }
    for field in fields:
        value = VALUES[field][1]
        if field == "environment_variables":
            value = [{"name": n, "value": v} for n, v in value.items()]
        jig.emulator.admin.patch(state[key(field)], {field: value})

    assert jig.refresh().ok, jig.errors()
    jig.preview()
    assert deployments(jig) == {key(f): ["update"] for f in fields}
    jig.emulator.admin.clear_requests()
    assert jig.up().ok, jig.errors()
    sent = [r for r in jig.emulator.admin.requests() if r["method"] == "PATCH"]
    # The description carries the mark, which was overwritten along with it.
    assert sorted(sorted(r["body"]) for r in sent) == sorted([f] for f in fields)
    jig.preview()
    assert deployments(jig) == {key(f): ["same"] for f in fields}


def test_dropped_fields_are_cleared_on_the_server(jig: JigStage) -> None:
    """
    What is no longer declared returns to "none of it"; unresettable is refused (Case
    V10, peers' bug 34).
    """
    cleared = {
        "autoscaling": "autoscaling",
        "health_check_path": "health_check_path",
        "command": "command",
        "args": "args",
        "environment_variables": "environment_variables",
        "volumes": "volumes",
        "description": "description",
    }
    full = {
        field: VALUES[field][0]
        for field in (*cleared, "max_replicas", "port", "min_replicas")
    }
    jig.deployment(**full)
    assert jig.up().ok, jig.errors()
    jig.deployment(port=8000)

    assert jig.up().ok, jig.errors()
    live = jig.only()
    assert live.get("autoscaling") is None
    assert (live["min_replicas"], live["max_replicas"]) == (1, 1)
    for field in ("command", "args", "volumes"):
        assert not live.get(field)
    assert not live.get("health_check_path")
    names = {v["name"] for v in live["environment_variables"]}
    assert not {n for n in names if not n.startswith("TOGETHER_")}
    jig.preview()
    assert jig.steps() == ["same"]
    jig.deployment()
    assert not jig.preview().ok
    assert "port" in jig.errors()
    assert "8000" in jig.errors()
