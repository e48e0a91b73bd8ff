"""A service that cannot be reached, or refuses: who, what holds now, and how soon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from simulated import ALWAYS, KEY

from pulumi_jig.errors import JigError
from pulumi_jig.lifecycle import memory

if TYPE_CHECKING:
    from simulated import Engine, World

PROGRAM = {"name": "llm-prod", "image": "registry.example/app:1", "gpu_type": "none"}
NEXT = {**PROGRAM, "image": "registry.example/app:2"}
DEEDS: list[Any] = [
    pytest.param("refuse", {}, "nobody listens", id="dead"),
    pytest.param("answer", {"status": 401, "body": {}}, "TOGETHER_API_KEY", id="401"),
    pytest.param("answer", {"status": 403, "body": {}}, "status 403", id="403"),
    pytest.param("answer", {"status": 503, "body": {}}, "status 503", id="503"),
]


def broken(world: World, deed: Any, more: dict[str, Any]) -> None:
    """Nothing works from now on."""
    memory.forget()
    for method in ("GET", "POST", "PATCH", "DELETE"):
        world.fault(f"{method} ", deed, times=ALWAYS, **more)


@pytest.mark.parametrize(("deed", "more", "why"), DEEDS)
def test_a_refresh_says_that_the_state_is_kept(
    world: World, engine: Engine, deed: Any, more: dict[str, Any], why: str
) -> None:
    """Which deployment, why, and that nothing is lost by it (Case L5)."""
    engine.create(PROGRAM)
    broken(world, deed, more)
    with pytest.raises(JigError) as caught:
        engine.refresh()
    said = str(caught.value)
    assert said.startswith("Deployment llm-prod could not be read: ")
    assert said.endswith("The state is kept.")
    assert why in said


@pytest.mark.parametrize(("deed", "more", "why"), DEEDS)
def test_an_update_says_that_nothing_was_changed(
    world: World, engine: Engine, deed: Any, more: dict[str, Any], why: str
) -> None:
    """Which deployment, why, and that it is as it was."""
    engine.create(PROGRAM)
    broken(world, deed, more)
    with pytest.raises(JigError) as caught:
        engine.update(NEXT)
    said = str(caught.value)
    assert said.startswith("Deployment llm-prod was not updated: ")
    assert said.endswith("Nothing was changed.")
    assert why in said


@pytest.mark.parametrize(("deed", "more", "why"), DEEDS)
def test_a_deletion_says_that_it_may_be_billing(
    world: World, engine: Engine, deed: Any, more: dict[str, Any], why: str
) -> None:
    """Which deployment, why, and what it may cost (Case L4)."""
    engine.create(PROGRAM)
    broken(world, deed, more)
    with pytest.raises(JigError) as caught:
        engine.delete()
    said = str(caught.value)
    assert said.startswith("Deployment llm-prod was not deleted: ")
    assert said.endswith("It stays in the state, and may be running and billing.")
    assert why in said


def test_a_creation_says_that_there_is_none(world: World, engine: Engine) -> None:
    """Which deployment, and why not: the first word to a service is a question."""
    broken(world, "refuse", {})
    with pytest.raises(JigError, match=r"^Deployment llm-prod was not created: GET"):
        engine.create(PROGRAM)


def test_an_address_that_never_answered_is_given_up_sooner(
    world: World, engine: Engine
) -> None:
    """A wrong address is told soon; a service that was there gets a minute (Case R1)."""
    engine.create(PROGRAM)
    broken(world, "refuse", {})
    before = world.clock()
    with pytest.raises(JigError, match="Given up"):
        engine.refresh()
    known = world.clock() - before
    # Another run, whose client has met nobody yet.
    engine.use_key(KEY)
    before = world.clock()
    with pytest.raises(JigError, match="Given up"):
        engine.refresh()
    assert 60 <= known < 69
    assert 20 <= world.clock() - before < 29
