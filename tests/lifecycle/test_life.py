"""A deployment's life on a good day."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulated import Engine, World

PROGRAM = {
    "name": "llm-prod",
    "image": "registry.example/app:1",
    "gpu_type": "none",
    "description": "the shop's model",
    "environment_variables": {"TOKEN": "secret-canary-1", "MODE": "fast"},
}


def test_a_deployment_is_created_once_and_serves(world: World, engine: Engine) -> None:
    """A create sends one POST and returns when the deployment is ready."""
    stored = engine.create(PROGRAM)
    assert stored.id == "llm-prod"
    assert engine.state is not None
    assert engine.state["status"] == "Ready"
    assert world.posts() == 1


def test_what_was_created_shows_no_difference(engine: Engine) -> None:
    """Case L1: after a create, the next preview and the one after a refresh are empty."""
    engine.create(PROGRAM)
    assert engine.diff(PROGRAM).changes is False
    assert engine.refresh()
    assert engine.diff(PROGRAM).changes is False


def test_reading_twice_gives_the_same(engine: Engine) -> None:
    """A refresh converges: what it stores, the next one stores again."""
    engine.create(PROGRAM)
    engine.refresh()
    first = engine.state, engine.inputs
    engine.refresh()
    assert first == (engine.state, engine.inputs)


def test_an_update_sends_what_differs_and_nothing_else(
    world: World, engine: Engine
) -> None:
    """An update's body has the changed field only."""
    engine.create(PROGRAM)
    engine.update({**PROGRAM, "image": "registry.example/app:2"})
    assert world.bodies[-1] == ("PATCH", {"image": "registry.example/app:2"})
    assert engine.diff({**PROGRAM, "image": "registry.example/app:2"}).changes is False


def test_nothing_is_left_after_a_delete(world: World, engine: Engine) -> None:
    """A delete returns when the service says that the deployment is gone."""
    engine.create(PROGRAM)
    engine.delete()
    assert world.names() == []


def test_an_hour_passes_without_a_hurry(world: World, engine: Engine) -> None:
    """Peers' bug 60: a roll-out of many minutes is waited for, at a polite pace."""
    engine.timeout = 3600
    engine.create({**PROGRAM, "image": "registry.example/slow:1"})
    assert engine.state is not None
    assert engine.state["status"] == "Ready"
    assert len(world.sent) < 100
