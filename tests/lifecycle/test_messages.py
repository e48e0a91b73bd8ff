"""What people are told when an update fails: what serves, what failed, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from simulated import ALWAYS, KEY, Engine

from pulumi_jig.lifecycle import memory, preview
from pulumi_jig.lifecycle.deployment.kind import DEPLOYMENT
from pulumi_jig.lifecycle.invocation import PartialFailureError
from pulumi_jig.lifecycle.preview import require_same_account

if TYPE_CHECKING:
    from simulated import World

PROGRAM = {
    "name": "llm-prod",
    "image": "registry.example/app:1",
    "gpu_type": "none",
    "min_replicas": 2,
}
BROKEN = {**PROGRAM, "image": "registry.example/crashloop:1"}


@pytest.fixture
def made(engine: Engine) -> Engine:
    """A deployment that serves, and the run after the one that created it."""
    engine.create(PROGRAM)
    memory.forget()
    return engine


def failure(engine: Engine, program: dict[str, object]) -> str:
    with pytest.raises(PartialFailureError) as caught:
        engine.update(program)
    return caught.value.message


def test_a_failed_update_says_what_serves(made: Engine) -> None:
    """The old revision serves on its replicas, and nobody is told to take it down."""
    assert made.state is not None
    before = made.state["revision_id"]

    message = failure(made, BROKEN)

    assert "The update of deployment llm-prod failed: the container keeps" in message
    assert f"Revision {before}, from before, still serves with 2 replicas." in message
    assert "correct the program and run `pulumi up`" in message
    assert "does not serve" not in message
    assert "destroy" not in message


def test_a_roll_back_does_not_contradict_itself(made: Engine) -> None:
    """An update that was rolled back does not say that nothing serves."""
    message = failure(made, {**BROKEN, "on_failed_update": "rollback"})

    assert "failed: the container keeps crashing" in message
    assert "It was rolled back" in message
    assert "does not serve" not in message
    assert "destroy" not in message


def test_a_wait_that_ends_says_what_serves(made: Engine) -> None:
    """A time limit that passes tells which revision serves meanwhile."""
    assert made.state is not None
    before = made.state["revision_id"]
    made.timeout = 3.0

    message = failure(made, {**PROGRAM, "image": "registry.example/slow:1"})

    assert f"Revision {before}, from before, still serves with 2 replicas." in message


def test_a_preview_says_that_the_service_could_not_be_asked(
    world: World, made: Engine
) -> None:
    """A dead server is told once in a preview, which then goes by the state alone."""
    preview.forget()
    # The account that a run of this stack remembers, with nobody to ask.
    world.fault("GET /v3/whoami", "refuse", times=ALWAYS)
    # Another run, which has asked nobody yet.
    made.use_key(KEY)
    assert made.state is not None

    for _ in range(3):
        require_same_account(DEPLOYMENT, made.state, made.invocation())

    told = [text for _, text in made.logged if "could not be asked" in text]
    assert len(told) == 1
    assert "the state of the last run only" in told[0]
    preview.forget()
