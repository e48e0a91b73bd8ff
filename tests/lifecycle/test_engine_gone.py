"""An engine that is gone: the request in flight ends, and nothing follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from simulated import ALWAYS, HTML

from pulumi_jig.errors import EngineDisconnectedError, JigError
from pulumi_jig.lifecycle import memory
from pulumi_jig.lifecycle.invocation import PartialFailureError

if TYPE_CHECKING:
    from simulated import Engine, World

PROGRAM = {"name": "llm-prod", "image": "registry.example/app:1", "gpu_type": "none"}
NEXT = {**PROGRAM, "image": "registry.example/app:2"}
POST = "POST /v1/deployments"


def gone_at(world: World, method: str, nth: int = 1) -> None:
    """Let the engine vanish while the nth request of a kind is on its way."""
    seen = 0

    def watch(verb: str, _: str) -> None:
        nonlocal seen
        seen += verb == method
        if seen == nth:
            world.alive = False

    world.before.append(watch)


def test_nothing_is_created_for_an_engine_that_is_gone(
    world: World, engine: Engine
) -> None:
    """A plugin outlives a killed up; it must not go on creating."""
    world.alive = False
    with pytest.raises(EngineDisconnectedError):
        engine.create(PROGRAM)
    assert world.writes() == []


def test_a_request_in_flight_is_finished_and_then_it_ends(
    world: World, engine: Engine
) -> None:
    """What was accepted is not waited for any more; the partial state says so."""
    gone_at(world, "POST")
    with pytest.raises(PartialFailureError, match="engine that asked for this is gone"):
        engine.create(PROGRAM)
    assert world.names() == ["llm-prod"]
    assert engine.state is not None
    assert engine.state["deployment_id"] == world.live()["id"]
    # One look at most follows what was accepted.
    assert len(world.sent) <= 4


def test_a_lost_creation_is_not_repeated_for_nobody(
    world: World, engine: Engine
) -> None:
    """An ambiguous end with the engine gone stays unconfirmed; no second POST goes out."""
    gone_at(world, "POST")
    world.fault(POST, "lose")
    with pytest.raises(PartialFailureError, match="not known whether"):
        engine.create(PROGRAM)
    assert world.posts() == 1


def test_a_lost_creation_that_is_found_is_kept_for_nobody(
    world: World, engine: Engine
) -> None:
    """A look that needs no waiting still tells what happened."""
    gone_at(world, "POST")
    world.fault(POST, "swallow")
    with pytest.raises(PartialFailureError, match="could not be watched"):
        engine.create(PROGRAM)
    assert engine.state is not None
    assert engine.state["deployment_id"] == world.live()["id"]


def test_a_look_stops_when_the_engine_goes(world: World, engine: Engine) -> None:
    """Retries of a look wait for nobody either."""
    world.fault(POST, "swallow")
    world.fault("GET /deployments/llm-prod", "lose", times=ALWAYS)
    gone_at(world, "GET", nth=4)
    with pytest.raises(PartialFailureError, match="not known whether"):
        engine.create(PROGRAM)
    assert len(world.sent) < 8


def test_polling_stops_when_the_engine_goes(world: World, engine: Engine) -> None:
    """A roll-out of twenty minutes is not polled for an engine that was killed."""
    gone_at(world, "GET", nth=6)
    with pytest.raises(PartialFailureError):
        engine.create({**PROGRAM, "image": "registry.example/slow:1"})
    assert len(world.sent) < 10


def test_no_update_is_sent_for_nobody(world: World, engine: Engine) -> None:
    """A PATCH needs an engine."""
    engine.create(PROGRAM)
    gone_at(world, "GET")
    world.sent.clear()
    with pytest.raises(EngineDisconnectedError):
        engine.update(NEXT)
    assert world.writes() == []


def test_a_lost_update_is_not_repeated_for_nobody(world: World, engine: Engine) -> None:
    """A PATCH whose answer was lost is looked for at most."""
    engine.create(PROGRAM)
    world.sent.clear()
    gone_at(world, "PATCH")
    world.fault(
        f"PATCH {world.live()['id']}", "answer", status=200, body=HTML, times=ALWAYS
    )
    with pytest.raises(JigError):
        engine.update(NEXT)
    assert world.writes() == ["PATCH"]


def test_the_wait_for_a_revision_stops_when_the_engine_goes(
    world: World, engine: Engine
) -> None:
    """Looking for the new revision is polling as well."""
    engine.create(PROGRAM)
    kept = world.live()["environment_variables"]
    world.spoil.append(
        lambda _, shown: (
            shown.update(environment_variables=kept)
            if "image" in shown
            else shown.update(data=[])
            if "data" in shown
            else None
        )
    )
    world.sent.clear()
    gone_at(world, "PATCH")
    with pytest.raises(PartialFailureError):
        engine.update(NEXT)
    assert len(world.sent) < 6


def test_looks_for_a_revision_stop_when_the_engine_goes(
    world: World, engine: Engine
) -> None:
    """A look that has to be repeated is not, for nobody."""
    engine.create(PROGRAM)
    kept = world.live()["environment_variables"]
    world.spoil.append(
        lambda _, shown: (
            shown.update(environment_variables=kept) if "image" in shown else None
        )
    )
    world.fault("GET /revisions", "answer", status=404, times=ALWAYS, body={})
    world.fault(f"GET {world.live()['id']}", "lose", nth=2, times=ALWAYS)
    world.sent.clear()
    gone_at(world, "GET", nth=3)
    with pytest.raises(PartialFailureError):
        engine.update(NEXT)
    assert len(world.sent) < 8


def test_a_history_that_must_be_asked_again_is_not_for_nobody(
    world: World, engine: Engine
) -> None:
    """The newest revision is not asked for twice when nobody waits."""
    world.spoil.append(
        lambda _, shown: (
            shown.update(environment_variables=[]) if "image" in shown else None
        )
    )
    world.fault("GET /revisions", "lose", times=ALWAYS)
    gone_at(world, "POST")
    with pytest.raises(PartialFailureError, match="engine that asked"):
        engine.create(PROGRAM)
    assert engine.state is not None


def test_no_deletion_is_sent_for_nobody(world: World, engine: Engine) -> None:
    """A DELETE needs an engine."""
    engine.create(PROGRAM)
    memory.forget()
    gone_at(world, "GET")
    world.sent.clear()
    with pytest.raises(EngineDisconnectedError):
        engine.delete()
    assert world.writes() == []


@pytest.mark.parametrize("fault", [None, "lose"])
def test_the_wait_for_a_deletion_stops_when_the_engine_goes(
    world: World, engine: Engine, fault: str | None
) -> None:
    """The deletion that is under way goes on without us."""
    engine.create(PROGRAM)
    world.sent.clear()
    if fault:
        world.fault(f"GET {world.live()['id']}", "lose", nth=2, times=ALWAYS)
    gone_at(world, "DELETE")
    with pytest.raises(EngineDisconnectedError, match="not known to be gone"):
        engine.delete()
    assert world.writes() == ["DELETE"]
    assert len(world.sent) < 4


def test_no_roll_back_for_nobody(world: World, engine: Engine) -> None:
    """A roll-back is a write of its own, which nobody asked for any more."""
    engine.create(PROGRAM)
    world.sent.clear()
    bad = {
        **PROGRAM,
        "image": "registry.example/crashloop:1",
        "on_failed_update": "rollback",
    }
    gone_at(world, "PATCH")
    with pytest.raises(PartialFailureError):
        engine.update(bad)
    assert world.writes() == ["PATCH"]
