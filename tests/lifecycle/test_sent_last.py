"""A refresh after an update of unknown or bad end keeps what was sent last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from simulated import ALWAYS, Engine
from volume_cases import engine_for, s3, versions

from pulumi_jig.lifecycle.invocation import PartialFailureError

if TYPE_CHECKING:
    from simulated import World

SECRET_URN = "urn:pulumi:prod::shop::pulumi-python:dynamic/jig:Secret::token"
TOKEN: dict[str, Any] = {"name": "hf-token", "value": "secret-canary-0123456789"}
ROTATED = {**TOKEN, "value": "another-canary-9876543210"}
APP: dict[str, Any] = {
    "name": "llm-prod",
    "image": "registry.example/app:1",
    "gpu_type": "none",
}


def lose_updates(world: World) -> None:
    """Let every PATCH arrive, and no response of one."""
    world.fault("PATCH ", "swallow", times=ALWAYS)


@pytest.mark.parametrize("change", [{"value": ROTATED["value"]}, {"version": 2}])
def test_going_back_from_a_lost_rotation_is_a_rotation(
    world: World, change: dict[str, Any]
) -> None:
    """Whoever started meanwhile may hold the lost value, so what follows it rolls."""
    engine = Engine(world, SECRET_URN, life="secret")
    engine.create(TOKEN)
    lose_updates(world)
    with pytest.raises(PartialFailureError, match="not known whether"):
        engine.update({**TOKEN, **change})
    world.faults.clear()
    assert engine.state is not None
    lost = engine.state["value_version"]

    engine.refresh()

    assert engine.state["value_version"] == lost
    back = engine.check(TOKEN)
    assert back["value_version"] not in (lost, "", None)
    assert int(back["value_version"].rpartition("-")[2]) == 3
    assert engine.diff(TOKEN).changes
    engine.update(TOKEN)
    assert not engine.diff(TOKEN).changes


def test_a_lost_rotation_that_is_repeated_is_the_same_rotation(world: World) -> None:
    """The value is sent again, and what has rolled for it need not roll again."""
    engine = Engine(world, SECRET_URN, life="secret")
    engine.create(TOKEN)
    lose_updates(world)
    with pytest.raises(PartialFailureError):
        engine.update(ROTATED)
    world.faults.clear()
    assert engine.state is not None
    lost = engine.state["value_version"]

    engine.refresh()

    assert engine.check(ROTATED)["value_version"] == lost
    assert engine.diff(ROTATED).changes


def test_a_version_that_was_accepted_is_not_made_twice(world: World) -> None:
    """A copy that outlasted its wait is waited for after a refresh, not begun anew."""
    engine = engine_for(world)
    engine.create(s3("models/slow", version=1))
    engine.timeout = 10
    with pytest.raises(PartialFailureError, match="was not ready after 10 s"):
        engine.update(s3("models/slow", version=2))
    engine.timeout = None
    before = world.writes().count("PATCH")

    engine.refresh()

    assert before == 1
    engine.update(s3("models/slow", version=2))
    assert world.writes().count("PATCH") == before
    assert versions(world) == 2


def test_a_field_that_no_response_shows_is_set_back(world: World) -> None:
    """An accepted update of `extra` that did not serve is not forgotten by a refresh."""
    engine = Engine(world)
    engine.create({**APP, "extra": {"novelty": 1}})
    bad = {**APP, "image": "registry.example/crashloop:1", "extra": {"novelty": 2}}
    with pytest.raises(PartialFailureError):
        engine.update(bad)

    engine.refresh()

    assert engine.state is not None
    assert engine.state["extra"] == {"novelty": 2}
    good = {**APP, "extra": {"novelty": 1}}
    assert "extra.novelty" in engine.diff(good).changed
