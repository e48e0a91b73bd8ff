"""What a state holds of a deployment: its id, and what the service has computed."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pulumi_jig.errors import BadRequestError, OwnershipError

if TYPE_CHECKING:
    from simulated import Engine, World

    from pulumi_jig.client.transport import Request, Response

PROGRAM = {
    "name": "llm-prod",
    "image": "registry.example/app:1",
    "gpu_type": "none",
    # With a health check, ready is ready at the first look.
    "port": 8000,
    "health_check_path": "/health",
}


@pytest.mark.parametrize(
    ("told", "stored"),
    [(17, "17"), (2**60, str(2**60)), ("", None), (None, None), (["x"], None)],
)
def test_an_id_is_a_text_and_never_empty(
    world: World,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    told: Any,
    stored: str | None,
) -> None:
    """Case R21: whatever the service answers, the engine gets the name as the id."""
    send = world.send

    def renamed(request: Request, timeout: float) -> Response:
        path = request.path.replace(f"/{stored}", "/llm-prod")
        return send(replace(request, path=path), timeout)

    def strange(_: str, shown: dict[str, Any]) -> None:
        if shown.get("object") == "deployment":
            shown["id"] = told

    monkeypatch.setattr(world, "send", renamed)
    world.spoil.append(strange)

    made = engine.create(PROGRAM)

    assert "llm-prod" == made.id
    assert stored == made.outputs.get("deployment_id")


def test_the_id_in_the_state_is_the_live_one(world: World, engine: Engine) -> None:
    """Peers' bug 20: an update changes in place; it neither makes nor deletes."""
    engine.create(PROGRAM)
    before = world.live()["id"]
    for change in ({"cpu": 2}, {"cpu": 2, "port": 9000}, {"cpu": 2, "args": ["-v"]}):
        engine.update({**PROGRAM, **change})

        assert engine.state is not None
        assert before == engine.state["deployment_id"] == world.live()["id"]
    assert 1 == world.writes().count("POST")
    assert "DELETE" not in world.writes()


@pytest.mark.parametrize(
    "change", [{"wait_for": "first_replica"}, {"cpu": 2}, {"min_replicas": 2}]
)
def test_an_update_keeps_what_the_service_computed(
    world: World, engine: Engine, change: dict[str, Any]
) -> None:
    """Peers' bugs 23, 62: no output is lost, whether an update sends much or nothing."""
    engine.create(PROGRAM)
    assert engine.state is not None
    before = engine.state

    engine.update({**PROGRAM, **change})

    assert before.keys() <= engine.state.keys()
    live = world.live()
    for key in ("status", "created_at", "updated_at", "ready_replicas"):
        assert live[key] == engine.state[key]


def test_no_request_is_without_a_time_limit(
    world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Peers' bug 64: every request of a whole life ends in a minute or two."""
    limits: list[float] = []
    send = world.send

    def timed(request: Request, timeout: float) -> Response:
        limits.append(timeout)
        return send(request, timeout)

    monkeypatch.setattr(world, "send", timed)

    engine.create(PROGRAM)
    engine.refresh()
    engine.update({**PROGRAM, "cpu": 2})
    engine.delete()

    assert len(limits) >= len(world.sent) > 6
    assert [] == [limit for limit in limits if not 0 < limit <= 120]
    assert all(math.isfinite(limit) for limit in limits)


@pytest.mark.parametrize(
    ("refers", "path"),
    [
        (
            {"environment_variables": {"TOKEN": {"value_from_secret": "nobodys"}}},
            "environment_variables",
        ),
        ({"volumes": [{"name": "nobodys", "mount_path": "/data"}]}, "volumes"),
    ],
)
def test_what_is_referred_to_and_missing_is_told_at_its_input(
    world: World, engine: Engine, refers: dict[str, Any], path: str
) -> None:
    """Case L16: a secret or volume that is not there is named, and nothing is kept."""
    with pytest.raises(BadRequestError) as caught:
        engine.create({**PROGRAM, **refers})

    assert path in caught.value.message
    assert "nobodys" in caught.value.message
    assert engine.state is None
    assert [] == world.names()


def test_a_name_that_somebody_took_after_our_delete_is_told_at_once(
    world: World, engine: Engine
) -> None:
    """Case L6: only what this run deleted itself is waited for."""
    engine.create(PROGRAM)
    engine.delete()
    body = {"name": "llm-prod", "image": "r/app:1", "gpu_type": "none"}
    world.as_somebody("POST", "/deployments", body)
    began = world.clock()

    with pytest.raises(OwnershipError):
        engine.create(PROGRAM)

    assert world.clock() - began < 5


def test_a_state_of_a_later_version_is_lived_with(world: World, engine: Engine) -> None:
    """Case L13: what a later version wrote into the state is no change and no obstacle."""
    engine.create(PROGRAM)
    assert engine.state is not None
    assert engine.inputs is not None
    engine.state |= {"__later": {"a": 1}, "newer_output": "x"}
    engine.inputs |= {"__later": {"a": 1}}

    assert () == engine.diff(PROGRAM).changed
    assert engine.refresh()
    assert {"a": 1} == engine.inputs["__later"]
    assert () == engine.diff(PROGRAM).changed
    engine.update({**PROGRAM, "cpu": 2})
    assert 2 == world.live()["cpu"]
    engine.delete()
    assert [] == world.names()
