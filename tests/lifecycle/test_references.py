"""Secrets and volumes that an answer names by another word than the program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from simulated import ALWAYS, Engine

if TYPE_CHECKING:
    from simulated import World

Record = dict[str, Any]

BASE = {"name": "llm-prod", "image": "registry.example/app:1", "gpu_type": "none"}
SECRETS = "/deployments/secrets"
VOLUMES = "/deployments/storage/volumes"


@pytest.fixture
def things(world: World) -> Record:
    """Two secrets and two volumes; their ids by name."""
    ids = {}
    for name in ("token", "other-token"):
        made = world.as_somebody("POST", SECRETS, {"name": name, "value": "v"})
        ids[name] = made["id"]
    for name in ("weights", "other-weights"):
        body = {
            "name": name,
            "type": "readOnly",
            "content": {"type": "files", "source_prefix": "p"},
        }
        ids[name] = world.as_somebody("POST", VOLUMES, body)["id"]
    world.let_pass(600)
    return ids


def program(words: Record) -> Record:
    """A deployment with one secret and one volume."""
    return {
        **BASE,
        "environment_variables": {"TOKEN": {"value_from_secret": words["token"]}},
        "volumes": [{"name": words["weights"], "mount_path": "/models"}],
    }


def answer_with(world: World, words: Record) -> None:
    """Let the service name both by these words from now on."""

    def change(_: str, shown: Record) -> None:
        for variable in shown.get("environment_variables") or []:
            if "value_from_secret" in variable:
                variable["value_from_secret"] = words["token"]
        for mount in shown.get("volumes") or []:
            mount["name"] = words["weights"]

    world.spoil.append(change)


NAMES = {"token": "token", "weights": "weights"}


@pytest.mark.parametrize("written", ["names", "ids"])
def test_the_other_word_for_the_same_thing_is_no_change(
    world: World, engine: Engine, things: Record, written: str
) -> None:
    """
    What was referred to by name and is answered by id, or the reverse, is the same
    (peers' bug 37).
    """
    ids = {key: things[key] for key in NAMES}
    mine, theirs = (NAMES, ids) if written == "names" else (ids, NAMES)
    answer_with(world, theirs)
    engine.create(program(mine))
    assert engine.diff(program(mine)).changed == ()
    assert engine.refresh()
    assert engine.diff(program(mine)).changed == ()
    engine.update({**program(mine), "description": "new"})
    assert world.bodies[-1][1].keys() == {"description"}


def test_another_thing_is_a_change(
    world: World, engine: Engine, things: Record
) -> None:
    """Case V6: a reference that somebody moved shows as drift, whichever word is used."""
    engine.create(program(NAMES))
    answer_with(
        world, {"token": things["other-token"], "weights": things["other-weights"]}
    )
    assert engine.refresh()
    assert set(engine.diff(program(NAMES)).changed) == {
        "environment_variables.TOKEN.value_from_secret",
        "volumes[0].name",
    }


def test_what_cannot_be_looked_up_stays_a_change(
    world: World, engine: Engine, things: Record
) -> None:
    """No guess: without an answer about the secret, another word is another secret."""
    engine.create(program(NAMES))
    answer_with(world, {"token": things["token"], "weights": "weights"})
    world.fault(f"GET {SECRETS}/token", "answer", status=503, times=ALWAYS)
    assert engine.refresh()
    assert engine.diff(program(NAMES)).changes is True


def test_a_roll_out_does_not_ask_at_every_look(
    world: World, engine: Engine, things: Record
) -> None:
    """What two words mean is remembered for a while."""
    answer_with(world, {key: things[key] for key in NAMES})
    engine.create(program(NAMES))
    assert engine.state is not None
    looked = world.sent.count(
        ("GET", f"/v1/deployments/{engine.state['deployment_id']}")
    )
    asked = world.sent.count(("GET", f"/v1{SECRETS}/token"))
    assert 0 < 2 * asked < looked
