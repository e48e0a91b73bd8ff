"""A secret where answers fail at the worst moment, and where a host says little."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from simulated import ALWAYS, Engine

from pulumi_jig.errors import ConflictError, RolloutError
from pulumi_jig.lifecycle.invocation import PartialFailureError
from pulumi_jig.lifecycle.secret.inputs import inputs_of
from pulumi_jig.schema.responses import SecretResponseItem

if TYPE_CHECKING:
    from simulated import World

URN = "urn:pulumi:prod::shop::pulumi-python:dynamic/jig:Secret::token"
PROGRAM = {"name": "hf-token", "value": "secret-canary-0123456789"}
PATH = "/deployments/secrets"
BUSY = {"status": 409, "body": {"error": {"message": "busy"}}, "times": ALWAYS}


@pytest.fixture
def engine(world: World) -> Engine:
    """An engine with a program of one secret."""
    return Engine(world, URN, life="secret")


@pytest.mark.parametrize("reachable", [True, False])
def test_a_receipt_whose_secret_cannot_be_seen_is_unconfirmed(
    world: World, engine: Engine, *, reachable: bool
) -> None:
    """Case R11: accepted without an id and never seen, so the next update settles it."""
    receipt = {"name": "hf-token"}
    world.fault(f"POST /v1{PATH}", "act-answer", status=201, body=receipt)
    look = f"GET {PATH}/hf-token"
    if reachable:
        world.fault(look, "answer", status=200, body=receipt, times=ALWAYS)
    else:
        world.fault(look, "answer", status=403, body={"error": {}}, times=ALWAYS)

    with pytest.raises(PartialFailureError, match="accepted, but could not be") as end:
        engine.create(PROGRAM)

    assert ("no answer held its id" in end.value.message) is reachable
    assert engine.state is not None
    assert engine.state["__unconfirmed"] is True
    world.faults.clear()
    engine.update(PROGRAM)
    shown = world.as_somebody("GET", f"{PATH}/hf-token")
    assert shown["id"] == engine.state["secret_id"]
    assert "__unconfirmed" not in engine.state


def test_what_the_service_took_otherwise_is_told(world: World, engine: Engine) -> None:
    """A lifetime that comes back as another one is a warning on the resource."""

    def shorten(_: str, shown: dict[str, Any]) -> None:
        if shown.get("object") == "secret":
            shown["ttl_seconds"] = 90_000

    world.spoil.append(shorten)

    engine.create({**PROGRAM, "ttl_seconds": 86_400})

    said = "the service shows other values than were sent: ttl_seconds"
    assert ("warning", said) in engine.logged


def test_one_in_use_is_kept_although_nobody_says_by_whom(
    world: World, engine: Engine
) -> None:
    """Where deployments cannot be listed the refusal is told without them."""
    engine.create(PROGRAM)
    body = {
        "name": "llm-prod",
        "image": "registry.example/app:1",
        "gpu_type": "none",
        "environment_variables": [{"name": "T", "value_from_secret": "hf-token"}],
    }
    world.as_somebody("POST", "/deployments", body)
    refused = {"status": 403, "body": {"error": {}}, "times": ALWAYS}
    world.fault("GET /v1/deployments", "answer", **refused)

    with pytest.raises(RolloutError, match="refuses to delete secret hf-token:"):
        engine.delete()


def test_conflicts_without_end_are_an_error(world: World, engine: Engine) -> None:
    """Case T8: nothing arrived, so the state stays as it was."""
    engine.create(PROGRAM)
    before = engine.state
    world.fault("PATCH ", "answer", **BUSY)

    with pytest.raises(ConflictError):
        engine.update({**PROGRAM, "value": "another-canary-9876543210"})

    assert before == engine.state


def test_conflicts_after_a_lost_value_do_not_settle_it(
    world: World, engine: Engine
) -> None:
    """Case T8: the first request may have arrived although all others conflicted."""
    engine.create(PROGRAM)
    news = {**PROGRAM, "value": "another-canary-9876543210"}
    world.fault("PATCH ", "swallow")
    world.fault("PATCH ", "answer", **BUSY)

    with pytest.raises(PartialFailureError, match="not known whether the update"):
        engine.update(news)

    assert engine.diff(news).changes is True


def test_inputs_without_a_value_get_none_by_a_refresh() -> None:
    """A state that was looked up holds no value, and none is made up."""
    inputs = {"name": "hf-token", "__declared": ["name"]}

    assert inputs == inputs_of(inputs, SecretResponseItem(id="1", name="hf-token"))
