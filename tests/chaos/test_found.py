"""What chaos has found, each as the shortest life that shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from chaos_engine import Declared, Engine, GoneError
from chaos_story import Story
from chaos_world import Death

from pulumi_jig.lifecycle import memory, preview

if TYPE_CHECKING:
    from collections.abc import Iterator

PROPS: dict[str, Any] = {
    "name": "llm-prod",
    "image": "registry.example/app:1",
    "gpu_type": "none",
}
#: The request after the one that writes: what it wrote is there, its end is not told.
AFTER_POST = Death(3, acted=True, whom="engine")


@pytest.fixture(autouse=True)
def _fresh_process() -> Iterator[None]:
    yield
    memory.forget()
    preview.forget()


@pytest.fixture
def story() -> Iterator[Story]:
    """A stack with nothing in it, and no faults."""
    made = Story("nothing")
    made.program = {}
    yield made
    made.world.backend.store.close()


def _killed(engine: Engine, death: Death, **props: Any) -> None:
    engine.world.death = death
    with pytest.raises(GoneError):
        engine.up({"llm": Declared({**PROPS, **props})}, frozenset({"llm"}))
    engine.world.death = None
    engine.world.alive = True


def test_an_old_resource_without_a_mark_lets_go_what_was_adopted_in_an_earlier_run(
    story: Story,
) -> None:
    """A rename with adopt=True, the deletion in a later run: the deployment lives."""
    engine, world = story.engine, story.world
    without = Declared({**PROPS, "ownership_mark": False})
    assert engine.up({"old": without}) is True
    # Another resource of the program fails, so the run ends before the deletion.
    broken = Declared({**PROPS, "name": "llm-test", "image": "r.example/crashloop:1"})
    adopting = Declared({**PROPS, "adopt": True})
    assert engine.up({"new": adopting, "broken": broken}) is False
    assert engine.up({"new": adopting}) is True
    assert ["llm-prod"] == [d["name"] for d in world.records()]
    assert world.violations == []


def test_a_replacement_that_adopted_its_own_is_recovered_as_the_new_one(
    story: Story,
) -> None:
    """`--replace` with adopt=True, killed after the claim: the state learns the claim."""
    engine, world = story.engine, story.world
    assert engine.up({"llm": Declared({**PROPS, "adopt": True})}) is True
    _killed(engine, Death(4, acted=True, whom="engine"), adopt=True)
    story._recover()
    program = {"llm": Declared({**PROPS, "adopt": True})}
    assert engine.up(program) is True
    program["llm"].props["image"] = "registry.example/app:2"
    assert engine.up(program) is True
    assert engine.destroy() is True
    assert ([], []) == (world.records(), world.violations)


def test_a_stale_operation_does_not_displace_a_later_deployment(story: Story) -> None:
    """Killed, renamed, brought up, then recovered: the newer one stays the resource."""
    engine, world = story.engine, story.world
    _killed(engine, AFTER_POST)
    later = {"llm": Declared({**PROPS, "name": "llm-next"})}
    assert engine.up(later) is True
    story._recover()
    assert engine.up(later) is True
    assert {} == engine.preview(later)
    assert ["llm-next"] == [d["name"] for d in world.records()]


def test_an_adoption_that_a_late_refusal_hides_is_in_the_state(story: Story) -> None:
    """The claim took effect, its answer was lost, the repetition was refused."""
    engine, world = story.engine, story.world
    body = {"name": "llm-prod", "image": PROPS["image"], "gpu_type": "none"}
    made = world.as_somebody("POST", "/deployments", body)
    assert made is not None
    world.owner[made["id"]] = None
    world.planned = {"PATCH": ["act-cut", "forbid"]}
    assert engine.up({"llm": Declared({**PROPS, "adopt": True})}) is True
    assert [made["id"]] == [r["outputs"]["deployment_id"] for r in engine.resources]
