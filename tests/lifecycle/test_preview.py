"""Looks during a preview: short, few, and never in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from simulated import ALWAYS, Engine

from pulumi_jig.errors import AuthenticationError, ConfigError, NotSentError
from pulumi_jig.lifecycle import memory
from pulumi_jig.lifecycle.deployment.create import adoption_preview
from pulumi_jig.lifecycle.deployment.kind import DEPLOYMENT
from pulumi_jig.lifecycle.invocation import Invocation
from pulumi_jig.lifecycle.preview import require_same_account, taken_name

if TYPE_CHECKING:
    from simulated import World

PROGRAM = {"name": "llm-prod", "image": "registry.example/app:1", "gpu_type": "none"}
WHOAMI = "GET /v3/whoami"


@pytest.fixture
def made(engine: Engine) -> Engine:
    """A deployment whose state remembers an account."""
    engine.create(PROGRAM)
    engine.use_key("acct:home:next-run")
    return engine


def ask(engine: Engine) -> None:
    assert engine.state is not None
    require_same_account(DEPLOYMENT, engine.state, engine.invocation())


def test_the_same_account_is_fine(made: Engine) -> None:
    """A preview with a key of the account that the state remembers goes on."""
    ask(made)


def test_another_account_is_refused_in_the_preview(made: Engine) -> None:
    """Moving a resource to a provider of another account is told before an update."""
    made.use_key("acct:rival:1")
    with pytest.raises(ConfigError, match=r"org_home/proj_home.*org_rival/proj_rival"):
        ask(made)


def test_a_rejected_key_is_told_in_the_preview(made: Engine) -> None:
    """A key that the service rejects for deployments ends the preview."""
    made.use_key("invalid-key")
    with pytest.raises(AuthenticationError):
        ask(made)


@pytest.mark.parametrize("look", [{"do": "lose"}, None])
def test_a_key_that_is_only_rejected_by_whoami_is_not(
    world: World, made: Engine, look: dict[str, Any] | None
) -> None:
    """A key that works for deployments works, whatever another path says of it."""
    world.fault(WHOAMI, "answer", status=401, times=ALWAYS, body={"error": {}})
    if look:
        world.fault(f"GET {world.live()['id']}", times=ALWAYS, **look)
    ask(made)


@pytest.mark.parametrize("do", ["refuse", "lose", "hang"])
def test_a_preview_works_without_a_network(world: World, made: Engine, do: Any) -> None:
    """Case L18: one short look, and no other resource waits for the same silence."""
    world.fault(WHOAMI, do, times=ALWAYS)
    began = world.clock()
    for _ in range(100):
        ask(made)
    assert world.clock() - began <= 11


def test_a_service_that_is_back_is_asked_again(world: World, made: Engine) -> None:
    """Silence is remembered for a minute, not for ever."""
    world.fault(WHOAMI, "refuse", times=ALWAYS)
    ask(made)
    world.faults.clear()
    world.let_pass(61)
    made.use_key("acct:rival:1")
    with pytest.raises(ConfigError):
        ask(made)


def test_a_lasting_silence_is_said_once(world: World, made: Engine) -> None:
    """A later look that fails as well says nothing new."""
    world.fault(WHOAMI, "refuse", times=ALWAYS)
    ask(made)
    world.let_pass(61)
    ask(made)
    said = [text for _, text in made.logged if "could not be asked" in text]
    assert len(said) == 1


def test_a_failing_service_is_no_obstacle(world: World, made: Engine) -> None:
    """Case L18: a 500 tells nothing about the account."""
    world.fault(WHOAMI, "answer", status=500, times=ALWAYS, body={})
    ask(made)


def test_a_state_without_an_account_asks_nothing(world: World, made: Engine) -> None:
    """Where no account is remembered there is nothing to compare."""
    assert made.state is not None
    del made.state["__account"]
    world.sent.clear()
    ask(made)
    assert world.sent == []


def test_an_adoption_is_told_before_it_happens(world: World, engine: Engine) -> None:
    """A preview names the fields that taking over would change, and changes none."""
    inputs = engine.check({**PROGRAM, "adopt": True, "cpu": 2})
    assert adoption_preview(inputs, engine.invocation()) is None
    world.as_somebody("POST", "/deployments", PROGRAM)
    assert adoption_preview(inputs, engine.invocation()) == ["cpu"]
    assert world.writes() == []


def test_an_adoption_without_a_network_is_asked_for_once(
    world: World, engine: Engine
) -> None:
    """Case L18: many adoptions in one preview wait for one silence."""
    inputs = engine.check({**PROGRAM, "adopt": True})
    world.fault("GET /deployments/llm-prod", "refuse", times=ALWAYS)
    began = world.clock()
    for _ in range(20):
        with pytest.raises(NotSentError):
            adoption_preview(inputs, engine.invocation())
    assert world.clock() - began <= 11


def test_what_a_run_remembers_is_forgotten_with_it(world: World) -> None:
    """Names, deletions and holders are one process's, and an id not known is any."""
    memory.remember_deleted("a", None)
    memory.remember_held(None, "n")
    assert memory.was_deleted("a", "any")
    assert memory.was_deleted("a")
    assert not memory.was_deleted("b")
    assert memory.holder_of(None) is None
    memory.forget()
    assert not memory.was_deleted("a")


def test_a_host_that_knows_nothing_is_enough() -> None:
    """An invocation without a host's gifts has safe values for all of them."""
    bare = Invocation(connect=lambda: pytest.fail("nothing to ask"))
    bare.log("info", "said to nobody")
    bare.progress("shown to nobody")
    assert bare.engine_alive()
    assert not bare.interrupted()
    assert bare.context(20.0).timeout == 20.0


# --- Names that are taken ----------------------------------------------------------


def taken(engine: Engine, **more: Any) -> str | None:
    inputs = engine.check({**PROGRAM, **more}, anew=True)
    return taken_name(DEPLOYMENT, inputs, engine.invocation())


def test_a_taken_name_is_told_and_a_free_one_is_not(
    world: World, engine: Engine
) -> None:
    """One request for all that exists, whatever is asked about."""
    world.as_somebody("POST", "/deployments", PROGRAM)
    world.sent.clear()
    assert "exists already" in (taken(engine) or "")
    assert taken(engine, name="llm-stage") is None
    assert world.sent == [("GET", "/v1/deployments")]


def test_what_this_run_deleted_is_not_called_taken(
    world: World, engine: Engine
) -> None:
    """The service may show it for a moment longer."""
    world.as_somebody("POST", "/deployments", PROGRAM)
    memory.remember_deleted("deployment llm-prod", world.live()["id"])
    assert taken(engine) is None


def test_a_rejected_key_is_told_before_the_first_creation(engine: Engine) -> None:
    """The preview of a new stack warns of a key that the update would fail with."""
    engine.use_key("invalid-key")
    assert taken(engine) is None
    assert taken(engine) is None
    (told,) = [text for _, text in engine.logged]
    assert "rejected the API key" in told


@pytest.mark.parametrize("do", ["refuse", "lose", "hang"])
def test_names_without_a_network_say_nothing(
    world: World, made: Engine, do: Any
) -> None:
    """A preview of what is new is silent; of what exists it says what it could not ask."""
    world.fault("GET ", do, times=ALWAYS)
    began = world.clock()
    for _ in range(20):
        assert taken(made) is None
    assert made.logged == []
    ask(made)
    ask(made)
    assert world.clock() - began <= 11
    (told,) = [text for _, text in made.logged]
    assert "could not be asked" in told
