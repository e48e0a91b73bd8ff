"""The first Ctrl-C: the request in flight ends, and nothing is begun or waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from simulated import ALWAYS

from pulumi_jig.errors import CancelledError, JigError
from pulumi_jig.lifecycle import memory
from pulumi_jig.lifecycle.invocation import PartialFailureError

if TYPE_CHECKING:
    from simulated import Engine, World

PROGRAM = {"name": "llm-prod", "image": "registry.example/app:1", "gpu_type": "none"}
NEXT = {**PROGRAM, "image": "registry.example/app:2"}
POST = "POST /v1/deployments"
#: How many seconds a person waits after Ctrl-C without pressing again.
SOON = 5.0


def interrupted_at(engine: Engine, method: str, nth: int = 1) -> None:
    """Press Ctrl-C while the nth request of a kind is on its way."""
    seen = 0

    def watch(verb: str, _: str) -> None:
        nonlocal seen
        seen += verb == method
        if seen == nth:
            engine.interrupted = True

    engine.world.before.append(watch)


def test_nothing_is_begun_after_it(world: World, engine: Engine) -> None:
    """A creation that was not sent yet is not sent any more."""
    interrupted_at(engine, "GET")
    with pytest.raises(CancelledError, match="The run was interrupted; stopped"):
        engine.create(PROGRAM)
    assert world.writes() == []


def test_what_was_refused_is_not_asked_again(world: World, engine: Engine) -> None:
    """A service that says "later" for ever does not hold up a Ctrl-C (Case T15)."""
    world.fault(POST, "answer", status=429, body={}, times=ALWAYS)
    interrupted_at(engine, "POST", nth=3)
    with pytest.raises(CancelledError):
        engine.create(PROGRAM)
    assert world.posts() == 3
    assert world.names() == []


def test_a_roll_out_is_not_waited_for(world: World, engine: Engine) -> None:
    """The deployment is in the state, and the words say what goes on without us."""
    interrupted_at(engine, "GET", nth=4)
    with pytest.raises(PartialFailureError, match="was interrupted while deployment"):
        engine.create({**PROGRAM, "image": "registry.example/never-ready:1"})
    assert engine.state is not None
    assert engine.state["deployment_id"] == world.live()["id"]


def test_looks_that_fail_are_not_repeated(world: World, engine: Engine) -> None:
    """A poll that has to be repeated is not; the wait ends in its own words."""
    # The first look asks whose key it is.
    world.fault("GET ", "lose", nth=2, times=ALWAYS)
    interrupted_at(engine, "GET", nth=4)
    with pytest.raises(PartialFailureError, match="was interrupted while deployment"):
        engine.create(PROGRAM)
    assert engine.state is not None


def test_a_lost_creation_stays_in_the_state(world: World, engine: Engine) -> None:
    """Whether it arrived is left to the next update, which settles it."""
    world.fault(POST, "swallow")
    world.fault("GET /deployments/llm-prod", "lose", times=ALWAYS)
    interrupted_at(engine, "POST")
    with pytest.raises(PartialFailureError, match="not known whether"):
        engine.create(PROGRAM)
    assert engine.state is not None
    engine.interrupted = False
    world.before.clear()
    world.faults.clear()
    engine.update(PROGRAM)
    assert engine.state["deployment_id"] == world.live()["id"]
    assert world.posts() == 1


def test_a_lost_update_may_have_taken_effect(world: World, engine: Engine) -> None:
    """A change whose answer was lost is not sent again, and not called unsent."""
    engine.create(PROGRAM)
    world.sent.clear()
    world.fault("PATCH", "swallow", times=ALWAYS)
    interrupted_at(engine, "PATCH")
    world.fault(f"GET {world.live()['id']}", "lose", nth=2, times=ALWAYS)
    with pytest.raises(JigError, match="may have taken effect"):
        engine.update(NEXT)
    assert world.writes() == ["PATCH"]
    engine.interrupted = False
    world.before.clear()
    world.faults.clear()
    engine.update(NEXT)
    assert world.live()["image"] == NEXT["image"]


def test_a_deletion_is_not_waited_for(world: World, engine: Engine) -> None:
    """It goes on without us; the state keeps it until it is known to be gone."""
    engine.create({**PROGRAM, "termination_grace_period_seconds": 300})
    memory.forget()
    before = world.clock()
    interrupted_at(engine, "DELETE")
    with pytest.raises(JigError, match="is not known to be gone: The run was inter"):
        engine.delete()
    assert world.clock() - before < SOON
    assert engine.state is not None
