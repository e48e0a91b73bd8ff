"""The program is the whole truth: what it leaves out is held, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from simulated import Engine

from pulumi_jig.lifecycle import memory
from pulumi_jig.lifecycle.invocation import PartialFailureError

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulated import World

PROGRAM = {"name": "llm-prod", "image": "registry.example/app:1", "gpu_type": "none"}
NEXT = {**PROGRAM, "image": "registry.example/app:2"}

#: What somebody sets by hand, and what the next update has to bring back.
BY_HAND: list[tuple[dict[str, Any], str, Any]] = [
    ({"max_replicas": 50}, "max_replicas", 1),
    ({"min_replicas": 0}, "min_replicas", 1),
    (
        {
            "max_replicas": 50,
            "autoscaling": {"metric": "HTTPTotalRequests", "target": 5},
        },
        "autoscaling",
        None,
    ),
    ({"command": ["sleep", "1"]}, "command", []),
    ({"args": ["--debug"]}, "args", []),
    ({"description": "by hand"}, "description", None),
    ({"health_check_path": "/up", "port": 80}, "health_check_path", ""),
    (
        {"environment_variables": [{"name": "DEBUG", "value": "1"}]},
        "environment_variables",
        None,
    ),
]


@pytest.fixture
def made(engine: Engine) -> Engine:
    """A deployment that serves, and the run after the one that created it."""
    engine.create(PROGRAM)
    memory.forget()
    return engine


@pytest.mark.parametrize(
    ("change", "field", "back"), BY_HAND, ids=[field for _, field, _ in BY_HAND]
)
def test_what_somebody_sets_of_a_field_left_out_is_shown_and_repaired(
    world: World, made: Engine, change: dict[str, Any], field: str, back: Any
) -> None:
    """A refresh shows the change, the diff names the field, the update takes it back."""
    world.as_somebody("PATCH", "/deployments/llm-prod", change)

    assert made.refresh()
    changed = made.diff(PROGRAM).changed
    made.update(PROGRAM)

    assert field in {path.partition(".")[0] for path in changed}
    live = world.live()
    if field == "environment_variables":
        assert not any(one["name"] == "DEBUG" for one in live[field])
    elif field == "description":
        assert live[field].startswith("[pulumi-jig ")
    else:
        assert (live.get(field) or back) == back
    assert made.diff(PROGRAM).changed == ()


def test_a_fleet_raised_by_hand_comes_back_without_a_refresh(
    world: World, made: Engine
) -> None:
    """Any update compares with what is live at this moment, what is held included."""
    world.as_somebody("PATCH", "/deployments/llm-prod", {"max_replicas": 50})

    made.update(NEXT)

    assert world.live()["max_replicas"] == 1


def test_what_the_service_chooses_stays(world: World, made: Engine) -> None:
    """What the service chooses when it is not told is shown and never asked back."""
    world.as_somebody("PATCH", "/deployments/llm-prod", {"cpu": 7, "storage": 200})

    assert made.refresh()

    assert made.state is not None
    assert (made.state["cpu"], made.state["storage"]) == (7, 200)
    assert made.diff(PROGRAM).changed == ()


def test_a_held_field_that_is_ignored_stays(world: World, made: Engine) -> None:
    """`ignore_changes` leaves a field to others although the program leaves it out."""
    made.ignore = ("max_replicas",)
    world.as_somebody("PATCH", "/deployments/llm-prod", {"max_replicas": 50})
    assert made.refresh()

    assert made.diff(PROGRAM).changed == ()
    made.update(NEXT)

    assert world.live()["max_replicas"] == 50


def test_a_variable_that_goes_takes_no_other_along(
    world: World, engine: Engine
) -> None:
    """
    The list is replaced as a whole, so what is still declared is sent again (peers' bug
    39).
    """
    variables = {"A": "1", "B": "2", "C": "3"}
    engine.create({**PROGRAM, "environment_variables": variables})
    memory.forget()
    del variables["B"]

    engine.update({**PROGRAM, "environment_variables": variables})

    live = world.live()["environment_variables"]
    assert {
        one["name"]: one["value"]
        for one in live
        if not one["name"].startswith("TOGETHER_")
    } == variables


# --- What the service itself adds ----------------------------------------------


def _variable(_: str, shown: dict[str, Any]) -> None:
    if isinstance(shown.get("environment_variables"), list):
        shown["environment_variables"] += [{"name": "SIDECAR", "value": "on"}]


def _ceiling(_: str, shown: dict[str, Any]) -> None:
    if "max_replicas" in shown:
        shown["max_replicas"] = 5


def _command(_: str, shown: dict[str, Any]) -> None:
    if "command" in shown:
        shown["command"] = ["/entry"]


ADDING = pytest.mark.parametrize("add", [_variable, _ceiling, _command])


@ADDING
def test_what_the_service_adds_is_not_asked_back_for_ever(
    world: World, engine: Engine, add: Callable[[str, dict[str, Any]], None]
) -> None:
    """What the answer to our own creation shows beyond what was sent is no drift."""
    world.spoil.append(add)
    engine.create(PROGRAM)
    memory.forget()

    assert engine.diff(PROGRAM).changed == ()
    assert engine.refresh()
    assert engine.diff(PROGRAM).changed == ()
    engine.update(NEXT)
    assert engine.diff(NEXT).changed == ()
    assert engine.refresh()
    assert engine.diff(NEXT).changed == ()


@ADDING
def test_what_the_service_begins_to_add_is_asked_back_once(
    world: World, made: Engine, add: Callable[[str, dict[str, Any]], None]
) -> None:
    """What comes back with the answer to the update that took it away is the service's."""
    world.spoil.append(add)
    assert made.refresh()
    assert made.diff(PROGRAM).changed != ()

    made.update(PROGRAM)

    assert made.refresh()
    assert made.diff(PROGRAM).changed == ()


def test_what_somebody_adds_beside_the_service_is_drift(
    world: World, engine: Engine
) -> None:
    """Only the names that the service added are left alone, not their whole field."""
    world.spoil.append(_variable)
    engine.create(PROGRAM)
    memory.forget()
    more = {"environment_variables": [{"name": "DEBUG", "value": "1"}]}
    world.as_somebody("PATCH", "/deployments/llm-prod", more)

    assert engine.refresh()

    assert engine.diff(PROGRAM).changed == ("environment_variables.DEBUG",)


def test_what_the_service_added_is_held_once_it_is_declared(
    world: World, engine: Engine
) -> None:
    """A field that the program declares is the program's, whoever set it first."""
    world.spoil.append(_ceiling)
    engine.create(PROGRAM)
    memory.forget()

    assert engine.diff({**PROGRAM, "max_replicas": 2}).changed == ("max_replicas",)


def test_a_change_at_the_moment_of_an_update_is_not_taken_for_the_services(
    world: World, made: Engine
) -> None:
    """A held field that changes under an update which did not send it is reported."""

    def somebody(method: str, path: str) -> None:
        if method == "PATCH" and path.startswith("/v1/deployments/"):
            world.before.clear()
            world.as_somebody("PATCH", "/deployments/llm-prod", {"args": ["--x"]})

    world.before.append(somebody)

    with pytest.raises(PartialFailureError, match="args"):
        made.update(NEXT)

    assert made.diff(NEXT).changed == ("args",)


def test_adopting_shows_and_clears_what_the_program_leaves_out(
    world: World, engine: Engine
) -> None:
    """Taking over makes the program the whole truth, and the preview says so before."""
    world.as_somebody(
        "POST", "/deployments", {**PROGRAM, "args": ["--x"], "max_replicas": 9}
    )
    program = {**PROGRAM, "adopt": True}
    inputs = engine.check(program, anew=True)
    from pulumi_jig.lifecycle.deployment.create import adoption_preview

    assert adoption_preview(inputs, engine.invocation()) == ["max_replicas", "args"]
    engine.create(program)

    assert (world.live()["max_replicas"], world.live().get("args") or []) == (1, [])


def test_a_secrets_description_by_hand_is_drift(world: World) -> None:
    """A secret's description that is left out is held at the empty text."""
    program = {"name": "hf-token", "value": "a-value-of-it"}
    engine = Engine(
        world,
        "urn:pulumi:prod::shop::pulumi-python:dynamic/jig:Secret::hf",
        life="secret",
    )
    engine.create(program)
    memory.forget()
    world.as_somebody(
        "PATCH", "/deployments/secrets/hf-token", {"description": "by hand"}
    )

    assert engine.refresh()
    assert engine.diff(program).changed == ("description",)
    engine.update(program)

    live = world.as_somebody("GET", "/deployments/secrets/hf-token")
    assert live["description"].startswith("[pulumi-jig ")
