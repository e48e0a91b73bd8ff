"""What does not serve is remembered until it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from simulated import ALWAYS

from pulumi_jig.lifecycle.invocation import PartialFailureError
from pulumi_jig.lifecycle.keys import UNREADY

if TYPE_CHECKING:
    from simulated import Engine, World

GOOD = {"name": "llm-prod", "image": "registry.example/app:1", "gpu_type": "none"}
BAD = {**GOOD, "image": "registry.example/crashloop:1"}


def test_a_refresh_does_not_make_a_failure_forgotten(engine: Engine) -> None:
    """
    A refresh clears the engine's own note of a failed creation, not ours (Case R19).
    """
    with pytest.raises(PartialFailureError):
        engine.create(BAD)
    assert engine.state[UNREADY]

    engine.refresh()

    assert engine.state[UNREADY]
    assert engine.diff(BAD).changes


def test_a_creation_that_a_refresh_confirms_is_still_waited_for(
    world: World, engine: Engine
) -> None:
    """Found, and not serving yet: the next update must not call it unchanged."""
    never = {**GOOD, "image": "registry.example/never-ready:1"}
    world.fault("POST /v1/deployments", "swallow")
    world.fault("GET /v1/deployments/llm-prod", "answer", status=401, body={}, times=9)
    with pytest.raises(PartialFailureError, match="not known whether"):
        engine.create(never)
    world.faults.clear()

    engine.refresh()

    assert engine.state["deployment_id"]
    assert engine.diff(never).changed == ("status",)


def test_an_update_of_unknown_end_that_a_refresh_shows_is_still_waited_for(
    world: World, engine: Engine
) -> None:
    """Its new values are live, and nobody has seen them serve."""
    engine.create(GOOD)
    never = {**GOOD, "image": "registry.example/never-ready:1"}
    world.fault("PATCH ", "swallow", times=ALWAYS)
    look = f"GET /v1/deployments/{engine.state['deployment_id']}"
    world.fault(look, "answer", nth=2, status=401, body={}, times=ALWAYS)
    with pytest.raises(PartialFailureError, match="not known whether the update"):
        engine.update(never)
    world.faults.clear()

    engine.refresh()

    assert engine.state["image"] == never["image"]
    assert engine.diff(never).changed == ("status",)
    assert engine.diff(GOOD).changed == ("image",)


def test_what_serves_is_not_called_unready(engine: Engine) -> None:
    """The note goes with the update that serves."""
    with pytest.raises(PartialFailureError):
        engine.create(BAD)

    engine.update(GOOD)

    assert UNREADY not in engine.state
    assert not engine.diff(GOOD).changes


def test_the_note_has_no_container_output(engine: Engine) -> None:
    """Only the first line of a reason is kept, not the container's last words."""
    with pytest.raises(PartialFailureError) as failed:
        engine.create(BAD)

    assert "\n" in "".join(failed.value.reasons)
    assert "\n" not in "".join(engine.state[UNREADY])


def test_an_ignored_variable_survives_a_dropped_one(
    world: World, engine: Engine
) -> None:
    """Dropping a variable replaces the list; an ignored one stays as it is live."""
    variables = {"A": "1", "B": "2", "TOGETHER_DEBUG": "1"}
    engine.create({**GOOD, "environment_variables": variables})
    engine.ignore = ("environment_variables.A",)
    live = world.live()
    listed = [
        {"name": v["name"], "value": "9" if v["name"] == "A" else v["value"]}
        for v in live["environment_variables"]
        if v["name"] != "TOGETHER_DEPLOYMENT_REVISION_ID"
    ]
    world.as_somebody(
        "PATCH", f"/deployments/{live['id']}", {"environment_variables": listed}
    )

    engine.update({**GOOD, "environment_variables": {"A": "1", "B": "2"}})

    after = {v["name"]: v.get("value") for v in world.live()["environment_variables"]}
    assert after["A"] == "9"
    assert "TOGETHER_DEBUG" not in after


def test_nobody_waits_and_yet_it_is_seen_once(world: World, engine: Engine) -> None:
    """With `wait_for="none"` a creation ends when the service shows what it took."""
    # Every look, the one for the account included: the service is slow to show it.
    world.fault("GET ", "answer", status=404, body={}, times=5)

    engine.create({**GOOD, "wait_for": "none"})

    assert [method for method, _ in world.sent].count("GET") == 6
    assert engine.refresh() is True
