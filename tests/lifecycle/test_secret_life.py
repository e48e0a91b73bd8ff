"""A secret's life: sent once, never seen again, and not lost on the way."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from simulated import ALWAYS, HTML, Engine

from pulumi_jig.errors import (
    AuthenticationError,
    ConfigError,
    JigError,
    NotFoundError,
    NotSentError,
    OwnershipError,
    RolloutError,
)
from pulumi_jig.lifecycle import memory
from pulumi_jig.lifecycle.invocation import PartialFailureError
from pulumi_jig.lifecycle.secret.create import adoption_preview

if TYPE_CHECKING:
    from simulated import World

Record = dict[str, Any]

URN = "urn:pulumi:prod::shop::pulumi-python:dynamic/jig:Secret::token"
CANARY = "secret-canary-0123456789"
OTHER = "another-canary-9876543210"
PROGRAM = {"name": "hf-token", "value": CANARY}
TTL = {**PROGRAM, "ttl_seconds": 86_400}
PATH = "/deployments/secrets"
POST = f"POST /v1{PATH}"
LOOK = f"GET {PATH}/hf-token"


@pytest.fixture
def engine(world: World) -> Engine:
    """An engine with a program of one secret."""
    return Engine(world, URN, life="secret")


def live(world: World, name: str = "hf-token") -> Record:
    """The secret as the service shows it."""
    found: Record = world.as_somebody("GET", f"{PATH}/{name}")
    return found


def value(world: World, name: str = "hf-token") -> str:
    """The digest of what the service keeps."""
    found = world.backend.store.by_name("secrets", name, "home")
    assert found is not None
    return str(found["value_sha256"])


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def names(world: World) -> list[str]:
    return [s["name"] for s in world.as_somebody("GET", PATH)["data"]]


def use(world: World, name: str = "llm-prod", **variable: str) -> None:
    """A deployment that starts with a secret."""
    body = {
        "name": name,
        "image": "registry.example/app:1",
        "gpu_type": "none",
        "environment_variables": [{"name": "TOKEN", **variable}],
    }
    world.as_somebody("POST", "/deployments", body)


# --- A good day ----------------------------------------------------------------


def test_a_secret_is_created_once_and_marked(world: World, engine: Engine) -> None:
    """One POST with the value and the mark; the state knows the service's id."""
    stored = engine.create({**PROGRAM, "description": "for models"})
    assert engine.state is not None
    assert stored.id == "hf-token"
    assert world.writes() == ["POST"]
    assert value(world) == digest(CANARY)
    shown = live(world)
    nonce = engine.state["__nonce"]
    assert shown["description"] == f"for models [pulumi-jig shop/prod/token {nonce}]"
    told = {key: v for key, v in engine.state.items() if not key.startswith("__")}
    assert told == {
        "name": "hf-token",
        "value": CANARY,
        "description": "for models",
        "value_version": f"{nonce[:6]}-1",
        "secret_id": shown["id"],
        "created_at": shown["created_at"],
        "updated_at": shown["updated_at"],
    }


@pytest.mark.parametrize(
    "program",
    [
        PROGRAM,
        TTL,
        {**PROGRAM, "description": "text", "version": 3},
        {**PROGRAM, "ownership_mark": False},
        {"value": CANARY},
        {**PROGRAM, "name": "team/models.hf_token-1"},
    ],
)
def test_what_was_created_shows_no_difference(
    world: World, engine: Engine, program: Record
) -> None:
    """Case L1: after a create, the next preview and the one after a refresh are empty."""
    engine.create(program)
    assert engine.diff(program).changed == ()
    assert engine.refresh()
    assert engine.diff(program).changed == ()
    assert world.writes() == ["POST"]
    engine.delete()
    assert names(world) == []


@pytest.mark.parametrize(
    ("change", "sent"),
    [
        ({"value": OTHER}, {"value": OTHER}),
        ({"version": 2}, {"value": CANARY}),
        ({"ttl_seconds": 172_800}, {"ttl_seconds": 172_800}),
        (
            {"value": OTHER, "ttl_seconds": 86_400},
            {"value": OTHER, "ttl_seconds": 86_400},
        ),
    ],
)
def test_an_update_sends_what_differs(
    world: World, engine: Engine, change: Record, sent: Record
) -> None:
    """A value goes over the wire when it changes, or when the counter does."""
    engine.create(PROGRAM)
    engine.update({**PROGRAM, **change})
    assert ("PATCH", sent) == world.bodies[-1]
    assert engine.diff({**PROGRAM, **change}).changed == ()


def test_a_new_value_begins_a_new_lifetime(world: World, engine: Engine) -> None:
    """The lifetime goes along with a value, so that it begins anew in any case."""
    engine.create(TTL)
    assert engine.state is not None
    before = engine.state["expires_at"]
    world.let_pass(3600)
    engine.update({**TTL, "version": 2})
    assert ("PATCH", {"value": CANARY, "ttl_seconds": 86_400}) == world.bodies[-1]
    assert engine.state["expires_at"] > before


def test_a_dropped_description_is_cleared_and_the_mark_stays(
    world: World, engine: Engine
) -> None:
    """Case V10: what is no longer declared goes; the mark is not the program's."""
    engine.create({**PROGRAM, "description": "text"})
    assert engine.diff(PROGRAM).changed == ("description",)
    engine.update(PROGRAM)
    assert engine.state is not None
    mark = f"[pulumi-jig shop/prod/token {engine.state['__nonce']}]"
    assert live(world)["description"] == mark
    assert engine.diff(PROGRAM).changed == ()


# --- Creations that end badly --------------------------------------------------

AMBIGUOUS: list[Any] = [
    pytest.param({"do": "swallow"}, id="R3-R4-reset"),
    pytest.param({"do": "hang"}, id="R5-timeout"),
    pytest.param({"do": "act-answer", "status": 500}, id="R2-500"),
    pytest.param({"do": "act-answer", "status": 200, "body": HTML}, id="R9-html"),
    pytest.param({"do": "act-answer", "status": 200, "body": '{"id'}, id="R9-cut"),
    pytest.param({"do": "raise", "raises": KeyboardInterrupt}, id="R15-Ctrl-C"),
]


@pytest.mark.parametrize("fault", AMBIGUOUS)
@pytest.mark.parametrize("mark", [True, False], ids=["marked", "unmarked"])
def test_an_accepted_creation_whose_answer_is_lost_is_found(
    world: World, engine: Engine, fault: Record, mark: bool
) -> None:
    """Cases R2-R5, R9, R15: a look finds what was accepted; no second POST goes out."""
    program = {**PROGRAM, "ownership_mark": mark}
    world.fault(POST, **fault)
    engine.create(program)
    assert engine.state is not None
    assert world.sent.count(("POST", f"/v1{PATH}")) == 1
    assert engine.state["secret_id"] == live(world)["id"]
    assert engine.diff(program).changed == ()


def test_a_creation_that_stays_unknown_is_kept_and_settled(
    world: World, engine: Engine
) -> None:
    """What nobody can look up is kept as unconfirmed; the next update finds it."""
    world.fault(POST, "swallow")
    blind = world.fault(LOOK, "answer", status=503, times=ALWAYS)
    with pytest.raises(PartialFailureError, match="not known whether secret") as caught:
        engine.create(PROGRAM)
    assert "billing" not in caught.value.message
    world.faults.remove(blind)
    assert engine.diff(PROGRAM).changed == ("secret_id",)
    engine.update(PROGRAM)
    assert engine.state is not None
    assert engine.state["secret_id"] == live(world)["id"]
    assert engine.diff(PROGRAM).changed == ()
    assert len(names(world)) == 1


def test_an_unconfirmed_secret_gets_the_value_of_now(
    world: World, engine: Engine
) -> None:
    """A creation that arrived may hold an older value: settling it sends the new one."""
    world.fault(POST, "swallow")
    blind = world.fault(LOOK, "answer", status=503, times=ALWAYS)
    with pytest.raises(PartialFailureError):
        engine.create(PROGRAM)
    world.faults.remove(blind)
    engine.update({**PROGRAM, "value": OTHER})
    assert value(world) == digest(OTHER)


def test_an_answer_that_is_only_a_receipt_is_looked_up(
    world: World, engine: Engine
) -> None:
    """Case R11: an answer without an id is enough, since the name leads to it."""
    world.fault(POST, "act-answer", status=201, body={"name": "hf-token"})
    engine.create(PROGRAM)
    assert engine.state is not None
    assert engine.state["secret_id"] == live(world)["id"]


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ("", "carries no mark"),
        ("[pulumi-jig shop/dev/token 0123456789ab]", "belongs to shop/dev/token"),
        ("[pulumi-jig shop/prod/token 0123456789ab]", "left over from an interrupted"),
    ],
)
def test_a_name_that_is_taken_is_refused_with_what_to_do(
    world: World, engine: Engine, description: str, words: str
) -> None:
    """Case L14: whose it is, and the way on; its value is not touched."""
    body = {"name": "hf-token", "value": "theirs", "description": description}
    world.as_somebody("POST", PATH, body)
    with pytest.raises(OwnershipError, match=words) as caught:
        engine.create(PROGRAM)
    assert "import" not in caught.value.message
    assert value(world) == digest("theirs")


def test_adopting_replaces_the_value_and_marks_it(world: World, engine: Engine) -> None:
    """`adopt` takes an existing secret over: the program's value, the program's mark."""
    body = {"name": "hf-token", "value": "theirs", "description": "old words"}
    theirs = world.as_somebody("POST", PATH, body)
    program = {**PROGRAM, "adopt": True}
    engine.create(program)
    assert engine.state is not None
    assert engine.state["secret_id"] == theirs["id"]
    assert value(world) == digest(CANARY)
    assert engine.state["__nonce"] in live(world)["description"]
    assert engine.diff(program).changed == ()


@pytest.mark.parametrize("exists", [True, False])
def test_the_preview_says_what_adoption_would_change(
    world: World, engine: Engine, exists: bool
) -> None:
    """The value always, since nobody can compare it; nothing is sent."""
    if exists:
        world.as_somebody("POST", PATH, {"name": "hf-token", "value": "theirs"})
    inputs = engine.check({**PROGRAM, "adopt": True, "description": "new"})
    found = adoption_preview(inputs, engine.invocation())
    assert found == (["value", "description"] if exists else None)
    assert world.writes() == []


# --- Updates that end badly ----------------------------------------------------


@pytest.mark.parametrize("fault", [*AMBIGUOUS, {"do": "lose"}])
def test_a_value_whose_update_got_lost_is_sent_again(
    world: World, engine: Engine, fault: Record
) -> None:
    """No look can tell whether a value has arrived, so it is sent until one is answered."""
    engine.create(PROGRAM)
    world.fault("PATCH ", **fault)
    engine.update({**PROGRAM, "value": OTHER})
    assert world.writes() == ["POST", "PATCH", "PATCH"]
    assert value(world) == digest(OTHER)
    assert engine.diff({**PROGRAM, "value": OTHER}).changed == ()


def test_a_value_that_stays_unknown_is_remembered_and_sent_by_the_next_update(
    world: World, engine: Engine
) -> None:
    """Going back to the old value must not look unchanged: the new one may be there."""
    engine.create(PROGRAM)
    lost = world.fault("PATCH ", "swallow", times=ALWAYS)
    with pytest.raises(PartialFailureError, match="not known whether the update"):
        engine.update({**PROGRAM, "value": OTHER})
    world.faults.remove(lost)
    assert value(world) == digest(OTHER)
    assert engine.refresh()
    assert engine.diff(PROGRAM).changes is True
    engine.update(PROGRAM)
    assert value(world) == digest(CANARY)
    assert engine.diff(PROGRAM).changed == ()


def test_a_refusal_after_a_lost_value_does_not_settle_it(
    world: World, engine: Engine
) -> None:
    """The first request may have arrived although the second was refused."""
    engine.create(PROGRAM)
    world.fault("PATCH ", "swallow")
    world.fault("PATCH ", "answer", status=403, body={"error": {}}, times=ALWAYS)
    with pytest.raises(PartialFailureError):
        engine.update({**PROGRAM, "value": OTHER})
    assert engine.diff({**PROGRAM, "value": OTHER}).changes is True


def test_a_description_whose_update_got_lost_is_found_by_a_look(
    world: World, engine: Engine
) -> None:
    """What the service shows need not be sent again."""
    engine.create(PROGRAM)
    world.fault("PATCH ", "swallow", times=ALWAYS)
    engine.update({**PROGRAM, "description": "new"})
    assert engine.diff({**PROGRAM, "description": "new"}).changed == ()


def test_an_update_that_was_refused_leaves_the_state_as_it_was(
    world: World, engine: Engine
) -> None:
    """Nothing arrived, so the next preview shows the same change again."""
    engine.create(PROGRAM)
    world.fault("PATCH ", "refuse", times=ALWAYS)
    with pytest.raises(NotSentError):
        engine.update({**PROGRAM, "value": OTHER})
    world.faults.clear()
    assert engine.diff({**PROGRAM, "value": OTHER}).changed == ("value",)


def test_a_secret_that_was_taken_over_is_not_written(
    world: World, engine: Engine
) -> None:
    """Another nonce in the mark is another owner: neither value nor mark is touched."""
    engine.create(PROGRAM)
    theirs = {"description": "[pulumi-jig shop/dev/token 0123456789ab]"}
    world.as_somebody("PATCH", f"{PATH}/hf-token", theirs)
    with pytest.raises(OwnershipError, match="was taken over"):
        engine.update({**PROGRAM, "value": OTHER})
    engine.delete()
    assert value(world) == digest(CANARY)
    assert "left alone" in engine.told()


def test_a_namesake_with_another_id_is_not_written(
    world: World, engine: Engine
) -> None:
    """A secret that somebody deleted and made anew is somebody's, whatever its name."""
    engine.create(PROGRAM)
    world.as_somebody("DELETE", f"{PATH}/hf-token")
    world.as_somebody("POST", PATH, {"name": "hf-token", "value": "theirs"})
    with pytest.raises(PartialFailureError, match="does not exist any more"):
        engine.update({**PROGRAM, "value": OTHER})
    assert not engine.refresh()
    assert value(world) == digest("theirs")


def test_an_ignored_value_is_not_sent(world: World, engine: Engine) -> None:
    """Case L8: with `ignore_changes` the value stays what it is."""
    engine.create(PROGRAM)
    engine.ignore = ("value",)
    engine.update({**PROGRAM, "description": "new"})
    assert "value" not in world.bodies[-1][1]


def test_an_ignored_description_stays(world: World, engine: Engine) -> None:
    """With `ignore_changes` a description is left to others, whatever else is sent."""
    engine.create(PROGRAM)
    engine.ignore = ("description",)
    engine.update({**PROGRAM, "value": OTHER, "description": "new"})
    assert "new" not in str(world.bodies[-1][1].get("description", ""))


# --- Time ----------------------------------------------------------------------


def test_an_expired_secret_is_gone_for_a_refresh(world: World, engine: Engine) -> None:
    """Case L2: the service deletes it, the refresh drops it, the update makes it."""
    engine.create(TTL)
    world.let_pass(86_401)
    assert not engine.refresh()
    engine.create(TTL)
    assert names(world) == ["hf-token"]


def test_an_expired_secret_is_made_again_without_a_refresh(
    world: World, engine: Engine
) -> None:
    """An update that finds it gone makes it anew, since its end was announced."""
    engine.create(TTL)
    world.let_pass(86_401)
    engine.update(TTL)
    assert engine.state is not None
    assert engine.state["secret_id"] == live(world)["id"]


def test_a_secret_without_a_lifetime_does_not_come_back_by_itself(
    world: World, engine: Engine
) -> None:
    """Somebody deleted it: that is said, and a refresh settles it."""
    engine.create(PROGRAM)
    world.as_somebody("DELETE", f"{PATH}/hf-token")
    with pytest.raises(PartialFailureError, match="Run `pulumi refresh`"):
        engine.update({**PROGRAM, "value": OTHER})
    assert names(world) == []


# --- Looking -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"description": "theirs"}, "description"),
        ({"ttl_seconds": 172_800}, "ttl_seconds"),
    ],
)
def test_drift_is_seen_and_put_right(
    world: World, engine: Engine, change: Record, path: str
) -> None:
    """Case V6: a refresh shows what somebody changed, and the update restores it."""
    program = {**TTL, "description": "ours"}
    engine.create(program)
    world.as_somebody("PATCH", f"{PATH}/hf-token", change)
    assert engine.refresh()
    assert engine.diff(program).changed == (path,)
    engine.update(program)
    assert engine.diff(program).changed == ()


def test_a_refresh_says_that_somebody_changed_it(world: World, engine: Engine) -> None:
    """A value cannot be compared, but that something was written can be seen; once."""
    engine.create(PROGRAM)
    world.let_pass(60)
    world.as_somebody("PATCH", f"{PATH}/hf-token", {"value": "theirs"})
    engine.refresh()
    engine.refresh()
    warned = [text for severity, text in engine.logged if severity == "warning"]
    assert len(warned) == 1
    assert "changed outside of this program" in warned[0]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"do": "answer", "status": 401, "body": {"error": {}}}, AuthenticationError),
        ({"do": "answer", "status": 404, "body": HTML}, NotFoundError),
        ({"do": "answer", "status": 503}, JigError),
        ({"do": "refuse"}, JigError),
    ],
)
def test_only_the_service_itself_can_say_that_it_is_gone(
    world: World, engine: Engine, fault: Record, kind: type[JigError]
) -> None:
    """Case L5: any other end of a look keeps the state."""
    engine.create(PROGRAM)
    assert engine.state is not None
    world.fault(f"GET {PATH}/{engine.state['secret_id']}", times=ALWAYS, **fault)
    with pytest.raises(kind):
        engine.refresh()
    assert engine.state is not None


def test_another_accounts_key_proves_nothing(world: World, engine: Engine) -> None:
    """Case L5: what this key cannot see is not gone."""
    engine.create(PROGRAM)
    engine.use_key("acct:rival:key")
    with pytest.raises(ConfigError, match="Secret hf-token was created with a key"):
        engine.refresh()


# --- Deleting ------------------------------------------------------------------


def test_one_that_is_gone_already_is_deleted(world: World, engine: Engine) -> None:
    """Case L3: gone is what was asked for."""
    engine.create(PROGRAM)
    world.as_somebody("DELETE", f"{PATH}/hf-token")
    engine.delete()
    assert engine.state is None


@pytest.mark.parametrize("by", ["name", "id"])
def test_one_in_use_is_kept_and_said_by_whom(
    world: World, engine: Engine, by: str
) -> None:
    """Case L17: the message names the deployments, and what to do."""
    engine.create(PROGRAM)
    shown = live(world)
    use(world, value_from_secret=shown[by])
    with pytest.raises(RolloutError) as caught:
        engine.delete()
    words = caught.value.message
    assert "used by llm-prod" in words
    assert "environment_variables" in words
    assert "billing" not in words
    assert names(world) == ["hf-token"]


def test_one_in_use_by_what_goes_as_well_is_waited_for(
    world: World, engine: Engine
) -> None:
    """A deployment that is deleted a moment later lets the secret go."""
    engine.create(PROGRAM)
    use(world, value_from_secret="hf-token")
    looks: list[str] = []

    def watch(method: str, _: str) -> None:
        looks.append(method)
        if looks.count("DELETE") == 2:
            world.before.remove(watch)
            world.as_somebody("DELETE", "/deployments/llm-prod")
            world.let_pass(20)

    world.before.append(watch)
    engine.delete()
    assert names(world) == []


# --- Confidence ----------------------------------------------------------------


def test_no_word_of_an_operation_holds_the_value(world: World, engine: Engine) -> None:
    """Case S4: a service that quotes the request is quoted without the value."""
    said = json.dumps({"error": {"message": f"bad value {CANARY}", "param": "value"}})
    world.fault(POST, "answer", status=400, body=said, times=ALWAYS)
    with pytest.raises(JigError) as caught:
        engine.create(PROGRAM)
    assert CANARY not in f"{caught.value.message} {caught.value.args} {engine.told()}"


def test_the_mark_of_an_interrupted_run_is_recognised(
    world: World, engine: Engine
) -> None:
    """A killed run's secret is not taken silently, and not doubled."""
    engine.create(PROGRAM)
    memory.forget()
    again = Engine(world, URN, life="secret")
    with pytest.raises(OwnershipError, match="left over from an interrupted run"):
        again.create(PROGRAM)
    assert names(world) == ["hf-token"]


# --- Looking up somebody else's ------------------------------------------------


def test_a_secret_can_be_looked_up_without_its_value(
    world: World, engine: Engine
) -> None:
    """`Secret.get` tells what the service tells, and makes up no value."""
    made = world.as_somebody("POST", PATH, {"name": "hf-token", "value": "theirs"})
    engine.state = {"name": "hf-token"}
    assert engine.refresh()
    assert engine.state["secret_id"] == made["id"]
    assert "value" not in engine.state


def test_a_secret_that_does_not_exist_cannot_be_looked_up(engine: Engine) -> None:
    """The engine would take a missing one for a found one, so this is an error."""
    engine.state = {"name": "hf-token"}
    with pytest.raises(NotFoundError, match='There is no secret "hf-token"'):
        engine.refresh()
