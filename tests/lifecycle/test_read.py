"""Reading: gone means a 404 in the API's own words, from the right account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from simulated import ALWAYS, HTML, KEY, Engine

from pulumi_jig.errors import (
    AuthenticationError,
    ConfigError,
    JigError,
    NotFoundError,
)
from pulumi_jig.lifecycle import memory
from pulumi_jig.lifecycle.deployment.read import read

if TYPE_CHECKING:
    from simulated import World

PROGRAM = {
    "name": "llm-prod",
    "image": "registry.example/app:1",
    "gpu_type": "none",
    "environment_variables": {"A": "1"},
}


@pytest.fixture
def made(world: World, engine: Engine) -> Engine:
    """A deployment that serves, and the run after the one that created it."""
    engine.create(PROGRAM)
    memory.forget()
    world.sent.clear()
    return engine


def look_fault(world: World, do: Any, **more: Any) -> None:
    world.fault(f"GET /deployments/{world.live()['id']}", do, **more)


def test_what_is_gone_leaves_the_state(world: World, made: Engine) -> None:
    """Case L2, peers' bug 14: deleted out of band, so the next up creates it anew."""
    world.as_somebody("DELETE", "/deployments/llm-prod")
    world.let_pass(60)
    assert made.refresh() is False


def test_a_successor_under_our_name_is_not_ours(world: World, made: Engine) -> None:
    """Somebody deleted ours and made a new one: ours is gone."""
    world.as_somebody("DELETE", "/deployments/llm-prod")
    world.let_pass(60)
    world.as_somebody("POST", "/deployments", {**PROGRAM, "environment_variables": []})
    assert made.refresh() is False


@pytest.mark.parametrize(
    "fault",
    [
        {"do": "answer", "status": 401, "body": {"error": {}}},
        {"do": "answer", "status": 403, "body": {"error": {}}},
        {"do": "answer", "status": 404, "body": HTML},
        {"do": "answer", "status": 404, "body": ""},
        {
            "do": "answer",
            "status": 400,
            "body": {"error": {"message": "404 not found"}},
        },
        {"do": "answer", "status": 429, "body": {"error": {}}},
        {"do": "answer", "status": 500, "body": {"error": {}}},
        {"do": "answer", "status": 200, "body": HTML},
        {"do": "answer", "status": 200, "body": ""},
        {"do": "answer", "status": 307, "body": ""},
        {"do": "lose"},
        {"do": "refuse"},
        {"do": "hang"},
    ],
    ids=lambda f: f"{f['do']}-{f.get('status', '')}-{str(f.get('body', ''))[:9]}",
)
def test_anything_but_a_proof_keeps_the_state(
    world: World, made: Engine, fault: dict[str, Any]
) -> None:
    """Cases L5, peers' bugs 12, 13: an answer that proves nothing is an error."""
    before = made.state
    look_fault(world, times=ALWAYS, **fault)
    with pytest.raises(JigError):
        made.refresh()
    assert made.state == before


def test_a_key_of_another_account_keeps_the_state(world: World, made: Engine) -> None:
    """Case L5: another account's 404 proves nothing, and the message says why."""
    made.use_key("acct:rival:1")
    with pytest.raises(ConfigError, match="belongs to account org_rival/proj_rival"):
        made.refresh()
    assert made.state is not None


def test_a_404_without_a_word_on_the_account_keeps_the_state(
    world: World, made: Engine
) -> None:
    """Case L5: where nobody says whose key it is, a 404 proves nothing."""
    world.as_somebody("DELETE", "/deployments/llm-prod")
    world.let_pass(60)
    made.use_key(KEY)
    world.fault("GET /v3/whoami", "answer", status=404, times=ALWAYS, body={})
    with pytest.raises(ConfigError, match="not whose key this is"):
        made.refresh()


def test_a_404_counts_where_no_account_was_ever_known(
    world: World, engine: Engine
) -> None:
    """A service without whoami is believed when it says 404."""
    world.fault("GET /v3/whoami", "answer", status=404, times=ALWAYS, body={})
    engine.create(PROGRAM)
    world.as_somebody("DELETE", "/deployments/llm-prod")
    world.let_pass(60)
    assert engine.refresh() is False


def test_a_rejected_key_is_named(world: World, made: Engine) -> None:
    """A key that expired between two runs is told as such."""
    made.use_key("invalid-key")
    with pytest.raises(AuthenticationError, match="rejected the API key"):
        made.refresh()


def test_drift_is_seen_and_shown(world: World, made: Engine) -> None:
    """Case V6, peers' bug 16: what was changed out of band stands in the state after."""
    world.as_somebody(
        "PATCH", "/deployments/llm-prod", {"image": "registry.example/x:9"}
    )
    made.refresh()
    assert made.state is not None
    assert made.inputs is not None
    assert made.state["image"] == made.inputs["image"] == "registry.example/x:9"
    assert made.diff(PROGRAM).changed == ("image",)


def test_bookkeeping_survives_a_refresh(made: Engine) -> None:
    """The inputs that a refresh returns have all the keys that they had."""
    assert made.inputs is not None
    before = set(made.inputs)
    made.refresh()
    assert before == set(made.inputs)


def test_a_host_that_knows_no_inputs_gets_them_from_the_state(
    world: World, made: Engine
) -> None:
    """Without the old inputs the state's own echo of them is returned."""
    assert made.inputs is not None
    before = made.inputs
    made.inputs = None
    made.refresh()
    assert made.inputs is not None
    assert {k: v for k, v in before.items() if k in made.inputs} == made.inputs
    assert made.inputs["__nonce"] == before["__nonce"]


def test_what_was_taken_over_is_shown_with_a_warning(
    world: World, made: Engine
) -> None:
    """A refresh tells of a foreign mark; the state stays what it is."""
    mark = "[pulumi-jig shop/test/other abcdef123456]"
    world.as_somebody("PATCH", "/deployments/llm-prod", {"description": mark})
    assert made.refresh() is True
    assert made.logged[-1][0] == "warning"
    assert "shop/test/other" in made.logged[-1][1]


def test_a_look_up_finds_what_is_there(world: World, made: Engine) -> None:
    """Case L9: `.get` reads an existing deployment by its name, marked or not."""
    got = Engine(world)
    stored = read("llm-prod", {"name": "llm-prod"}, got.invocation())
    assert stored.id == "llm-prod"
    assert stored.outputs["deployment_id"] == world.live()["id"]
    assert got.logged == []


def test_a_look_up_of_nothing_is_an_error(world: World, engine: Engine) -> None:
    """Case L9: the engine takes an empty answer to `.get` for a found resource."""
    with pytest.raises(NotFoundError, match='no deployment "llm-prod"'):
        read("llm-prod", {}, engine.invocation())
