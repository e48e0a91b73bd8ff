"""Creating: accepted exactly once, whatever happens on the wire."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from simulated import ALWAYS, HTML, Engine

from pulumi_jig.errors import (
    AuthenticationError,
    BadRequestError,
    ConflictError,
    InputError,
    JigError,
    NotSentError,
    OwnershipError,
    PermissionDeniedError,
    ServerError,
)
from pulumi_jig.lifecycle import memory
from pulumi_jig.lifecycle.deployment.create import create
from pulumi_jig.lifecycle.invocation import PartialFailureError

if TYPE_CHECKING:
    from simulated import World

PROGRAM = {"name": "llm-prod", "image": "registry.example/app:1", "gpu_type": "none"}
UNMARKED = {**PROGRAM, "ownership_mark": False}
POST = "POST /v1/deployments"
LOOK = "GET /deployments/llm-prod"


# --- Ends that are certain -----------------------------------------------------


def test_a_service_that_was_not_reached_is_tried_again(
    world: World, engine: Engine
) -> None:
    """Case R1: a refused connection is tried again, and one deployment comes of it."""
    world.fault(POST, "refuse", times=3)
    engine.create(PROGRAM)
    assert world.acted.count("POST") == 1
    assert world.names() == ["llm-prod"]


def test_a_service_that_is_never_reached_ends_in_its_own_error(
    world: World, engine: Engine
) -> None:
    """Case R1: nothing was created, so the state holds nothing."""
    world.fault(POST, "refuse", times=ALWAYS)
    with pytest.raises(NotSentError, match="nobody listens"):
        engine.create(PROGRAM)
    assert engine.state is None


def test_throttling_is_waited_out(world: World, engine: Engine) -> None:
    """A 429 is a promise that nothing happened, so the POST is sent again."""
    world.fault(POST, "answer", status=429, headers={"retry-after": "2"})
    engine.create(PROGRAM)
    assert world.acted.count("POST") == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, BadRequestError), (401, AuthenticationError), (403, PermissionDeniedError)],
)
def test_a_refusal_is_final(
    world: World, engine: Engine, status: int, kind: type[JigError]
) -> None:
    """A refused creation is not repeated, and nothing is kept in the state."""
    world.fault(POST, "answer", status=status, times=ALWAYS, body={"error": {}})
    with pytest.raises(kind):
        engine.create(PROGRAM)
    assert (engine.state, world.posts()) == (None, 1)


# --- Ends that are not ---------------------------------------------------------

AMBIGUOUS: list[Any] = [
    pytest.param({"do": "swallow"}, id="R3-R4-reset"),
    pytest.param({"do": "hang"}, id="R5-timeout"),
    pytest.param({"do": "act-answer", "status": 500}, id="R2-500"),
    pytest.param({"do": "act-answer", "status": 502, "body": HTML}, id="bug7-502"),
    pytest.param({"do": "act-answer", "status": 504}, id="bug7-504"),
    pytest.param({"do": "act-answer", "status": 408}, id="408"),
    pytest.param({"do": "act-answer", "status": 200, "body": HTML}, id="R9-html"),
    pytest.param({"do": "act-answer", "status": 200, "body": ""}, id="R9-empty"),
    pytest.param({"do": "act-answer", "status": 200, "body": '{"id'}, id="R9-cut"),
    pytest.param({"do": "raise", "raises": RuntimeError}, id="R15-error"),
    pytest.param({"do": "raise", "raises": SystemExit}, id="R15-SystemExit"),
    pytest.param({"do": "raise", "raises": KeyboardInterrupt}, id="R15-Ctrl-C"),
    pytest.param({"do": "raise", "raises": GeneratorExit}, id="R15-GeneratorExit"),
]


@pytest.mark.parametrize("program", [PROGRAM, UNMARKED], ids=["marked", "unmarked"])
@pytest.mark.parametrize("fault", AMBIGUOUS)
def test_an_accepted_creation_whose_answer_is_lost_is_found(
    world: World, engine: Engine, fault: dict[str, Any], program: dict[str, Any]
) -> None:
    """Cases R2-R5, R9, R15: a look finds what was accepted; no second POST goes out."""
    world.fault(POST, **fault)
    engine.create(program)
    assert engine.state is not None
    assert world.posts() == 1
    assert engine.state["deployment_id"] == world.live()["id"]
    assert engine.diff(program).changes is False
    assert any("no answer; looking for it" in line for line in engine.lines)


@pytest.mark.parametrize("fault", [{"do": "lose"}, {"do": "answer", "status": 503}])
def test_a_creation_that_got_lost_is_sent_again(
    world: World, engine: Engine, fault: dict[str, Any]
) -> None:
    """Case R2: absent for long enough is absent, so the POST is sent once more."""
    world.fault(POST, **fault)
    engine.create(PROGRAM)
    assert (world.posts(), world.acted.count("POST")) == (2, 1)


def test_a_service_that_shows_late_what_it_accepted_is_given_time(
    world: World, engine: Engine
) -> None:
    """Case R6: some looks that find nothing do not make a second POST."""
    world.fault(POST, "swallow")
    world.fault(LOOK, "answer", status=404, body={"error": {}}, times=8)
    engine.create(PROGRAM)
    assert world.posts() == 1


@pytest.mark.parametrize("timeout", [1.0, 5.0, 20.0])
def test_a_short_time_limit_does_not_shorten_the_look(
    world: World, engine: Engine, timeout: float
) -> None:
    """Case R6: the wait may be over, but what was accepted is not lost sight of."""
    engine.timeout = timeout
    world.fault(POST, "swallow")
    world.fault(LOOK, "answer", status=404, body={"error": {}}, times=10)
    with pytest.raises(PartialFailureError):
        engine.create(PROGRAM)
    assert engine.state is not None
    assert engine.state["deployment_id"] == world.live()["id"]


def test_blips_while_looking_begin_the_window_anew(
    world: World, engine: Engine
) -> None:
    """Case R6: absence counts only where looks followed one another without a gap."""
    world.fault(POST, "swallow")
    world.fault(LOOK, "answer", status=404, body={"error": {}}, times=10)
    world.fault(LOOK, "answer", status=404, body=HTML, nth=1, times=1)
    world.fault(LOOK, "answer", status=404, body={"error": {}}, times=10)
    engine.create(PROGRAM)
    assert world.posts() == 1


def test_a_creation_that_never_arrives_is_given_up(
    world: World, engine: Engine
) -> None:
    """Case R2: after three lost POSTs the error says that nothing was created."""
    world.fault(POST, "lose", times=ALWAYS)
    with pytest.raises(JigError, match="shows that deployment llm-prod was not"):
        engine.create(PROGRAM)
    assert (engine.state, world.posts()) == (None, 3)


def test_a_repeated_post_that_is_refused_says_that_nothing_was_created(
    world: World, engine: Engine
) -> None:
    """Case R2: the refusal of the second POST counts once the first is known lost."""
    world.fault(POST, "lose")
    world.fault(POST, "answer", status=403, times=ALWAYS, body={"error": {}})
    with pytest.raises(PermissionDeniedError, match="was not created"):
        engine.create(PROGRAM)
    assert engine.state is None


def test_a_first_post_that_arrives_late_is_found_after_a_refusal(
    world: World, engine: Engine
) -> None:
    """Case R6: absent for the whole window, and there it is after all."""
    world.fault(POST, "swallow")
    world.fault(LOOK, "answer", status=404, body={"error": {}}, times=17)
    world.fault(POST, "answer", status=403, times=ALWAYS, body={"error": {}})
    engine.create(PROGRAM)
    assert world.names() == ["llm-prod"]


def test_a_name_that_exists_after_a_lost_post_is_ours(
    world: World, engine: Engine
) -> None:
    """Case R8, peers' bug 7: the conflict of the second POST is with the first."""
    world.fault(POST, "swallow")
    world.fault(LOOK, "answer", status=404, body={"error": {}}, times=17)
    engine.create(PROGRAM)
    assert (world.posts(), world.names()) == (2, ["llm-prod"])


def test_a_name_that_is_invisible_after_a_lost_post_is_somebody_elses(
    world: World, engine: Engine
) -> None:
    """Case R8: a conflict with a name that nobody shows is another customer's."""
    world.fault(POST, "lose")
    world.as_somebody("POST", "/deployments", PROGRAM, account="rival")
    with pytest.raises(OwnershipError, match="unique across all customers"):
        engine.create(PROGRAM)


@pytest.mark.parametrize("program", [PROGRAM, UNMARKED], ids=["marked", "unmarked"])
def test_somebody_elses_deployment_is_not_taken_for_a_lost_one(
    world: World, engine: Engine, program: dict[str, Any]
) -> None:
    """Case R7: another's deployment under our name is an error; nothing is written."""

    def overtaken(method: str, _: str) -> None:
        if method == "POST" and not world.names():
            world.as_somebody(
                "POST", "/deployments", {**PROGRAM, "image": "registry.example/x:9"}
            )

    world.before.append(overtaken)
    world.fault(POST, "lose")
    with pytest.raises(OwnershipError, match="carries no mark"):
        engine.create(program)
    assert (engine.state, world.posts()) == (None, 1)


def test_an_end_that_stays_unknown_is_kept_as_unconfirmed(
    world: World, engine: Engine
) -> None:
    """The state knows the name of what may be running, and says that it may."""
    world.fault(POST, "swallow")
    world.fault(LOOK, "lose", times=ALWAYS)
    with pytest.raises(PartialFailureError, match="may be running and billing"):
        engine.create(PROGRAM)
    assert engine.state is not None
    assert engine.state["__unconfirmed"] is True
    assert "deployment_id" not in engine.state


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 307, "headers": {"location": "https://elsewhere.example/v1"}},
        {"status": 200, "body": HTML},
    ],
    ids=["R10-redirect", "portal"],
)
def test_an_address_that_answers_nonsense_ends_before_the_time_limit(
    world: World, engine: Engine, answer: dict[str, Any]
) -> None:
    """Case R10: a redirect or a portal's page is not asked for twenty minutes."""
    for where in (POST, LOOK, "GET /v3/whoami"):
        world.fault(where, "answer", times=ALWAYS, **answer)
    began = world.clock()
    with pytest.raises(PartialFailureError, match="not known whether"):
        engine.create(PROGRAM)
    assert world.clock() - began < 180
    assert world.posts() == 1


def test_a_key_that_is_revoked_while_looking_leaves_an_unconfirmed_state(
    world: World, engine: Engine
) -> None:
    """A look that is refused tells nothing about the deployment."""
    world.fault(POST, "swallow")
    world.fault(LOOK, "answer", status=401, times=ALWAYS, body={"error": {}})
    with pytest.raises(PartialFailureError, match="rejected the API key"):
        engine.create(PROGRAM)
    assert engine.state is not None
    assert engine.state["__unconfirmed"] is True


def test_a_broken_look_leaves_an_unconfirmed_state(
    world: World, engine: Engine
) -> None:
    """Case R15: an exception of our own while looking loses nothing either."""
    world.fault(POST, "swallow")
    world.fault(LOOK, "raise", raises=SystemExit)
    with pytest.raises(PartialFailureError, match="SystemExit"):
        engine.create(PROGRAM)
    assert engine.state is not None


# --- Strange answers -----------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202])
def test_any_success_is_a_success(world: World, engine: Engine, status: int) -> None:
    """Case R11: 201 and 202 count, and an answer without an id is filled by a look."""
    world.fault(POST, "act-answer", status=status, body={"name": "llm-prod"})
    engine.create(PROGRAM)
    assert engine.state is not None
    assert engine.state["deployment_id"] == world.live()["id"]


def test_what_is_accepted_without_an_id_and_never_seen_is_unconfirmed(
    world: World, engine: Engine
) -> None:
    """
    Case R11, peers' bug 25: under its name alone a deployment is not trusted later.
    """
    world.fault(POST, "act-answer", status=202, body={"name": "llm-prod"})
    world.fault(LOOK, "answer", status=401, times=ALWAYS, body={"error": {}})
    with pytest.raises(PartialFailureError, match="could not be watched"):
        engine.create(PROGRAM)
    assert engine.state is not None
    assert engine.state["__unconfirmed"] is True


def test_a_deployment_that_shows_late_is_not_taken_for_deleted(
    world: World, engine: Engine
) -> None:
    """Case R6: looks right after an accepted POST may find nothing yet."""
    world.fault(POST, "act-answer", body={"name": "llm-prod"}, status=200)
    world.fault(LOOK, "answer", status=404, body={"error": {}}, times=4)
    engine.create(PROGRAM)
    assert engine.state is not None
    assert engine.state["status"] == "Ready"


def test_a_proxy_that_answers_404_is_not_a_deletion(
    world: World, engine: Engine
) -> None:
    """A page that says 404 while waiting is a blip, not somebody's delete."""
    engine.create(PROGRAM)
    identifier = world.live()["id"]
    world.fault(
        f"GET /deployments/{identifier}", "answer", status=404, body=HTML, nth=2
    )
    engine.update({**PROGRAM, "image": "registry.example/app:2"})
    assert engine.state is not None
    assert engine.state["status"] == "Ready"


def test_a_deployment_that_is_deleted_while_it_rolls_out_is_an_error(
    world: World, engine: Engine
) -> None:
    """Somebody's delete during the wait is told, with the id kept."""

    def somebody(method: str, path: str) -> None:
        if method == "GET" and world.posts() and world.clock() > 1030:
            world.before.clear()
            world.as_somebody("DELETE", path.removeprefix("/v1"))
            world.let_pass(60)

    world.before.append(somebody)
    with pytest.raises(PartialFailureError, match="somebody deleted it"):
        engine.create(PROGRAM)


def test_an_answer_that_cannot_be_stored_does_not_lose_the_id(
    world: World, engine: Engine
) -> None:
    """Case R22: half a surrogate pair in an answer ends in a state that can be stored."""

    def strange(method: str, shown: dict[str, Any]) -> None:
        del method
        if "image" in shown:
            shown["health_check_path"] = "/\ud800"

    world.spoil.append(strange)
    engine.create(PROGRAM)
    assert engine.state is not None
    assert engine.state["deployment_id"] == world.live()["id"]
    assert engine.state["health_check_path"] == "/\\ud800"


def test_an_answer_that_cannot_be_read_does_not_lose_the_deployment(
    world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case R22: where an answer breaks our own reading of it, its id is kept all the same."""
    from pulumi_jig.lifecycle.deployment import serving

    whole = serving.state_of

    def broken(inputs: Any, item: Any, **more: Any) -> Any:
        if item is not None:
            raise TypeError
        return whole(inputs, item, **more)

    monkeypatch.setattr(serving, "state_of", broken)
    engine.create(PROGRAM)
    assert engine.state is not None
    assert engine.state["deployment_id"] == world.live()["id"]


def test_an_answer_that_cannot_be_read_and_has_no_id_is_unconfirmed(
    world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case R22: where not even an id can be read, the name is kept to be looked up."""
    from pulumi_jig.lifecycle.deployment import serving

    whole = serving.state_of

    def broken(inputs: Any, item: Any, **more: Any) -> Any:
        if item is not None:
            raise TypeError
        return whole(inputs, item, **more)

    monkeypatch.setattr(serving, "state_of", broken)
    world.fault(POST, "act-answer", status=200, body={})
    world.fault(LOOK, "answer", status=401, times=ALWAYS, body={"error": {}})
    with pytest.raises(PartialFailureError):
        engine.create(PROGRAM)
    assert engine.state is not None
    assert engine.state["__unconfirmed"] is True


def test_inputs_that_cannot_be_stored_are_refused_before_anything_is_sent(
    world: World, engine: Engine
) -> None:
    """Case R22: the state is proved storable before the POST."""
    inputs = engine.check(PROGRAM)
    with pytest.raises(InputError, match="is not a finite number"):
        create({**inputs, "cpu": float("nan")}, engine.invocation())
    assert world.sent == []


def test_a_deployment_without_a_name_is_not_sent(world: World, engine: Engine) -> None:
    """A body without a name would be the service's to interpret."""
    with pytest.raises(InputError, match="has no name"):
        create({"image": "x"}, engine.invocation())
    assert world.sent == []


# --- Whose key -----------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_service_that_does_not_say_who_we_are_is_no_obstacle(
    world: World, engine: Engine, status: int
) -> None:
    """The question whose key this is neither blocks nor uses up a creation."""
    world.fault("GET /v3/whoami", "answer", status=status, times=ALWAYS, body={})
    engine.create(PROGRAM)
    assert engine.state is not None
    assert "__account" not in engine.state
    assert world.clock() - 1000 < 120


def test_a_rejected_key_is_told_and_nothing_is_kept(world: World) -> None:
    """A key that the service rejects ends in one sentence."""
    engine = Engine(world, key="invalid-key")
    with pytest.raises(AuthenticationError, match="rejected the API key"):
        engine.create(PROGRAM)
    assert engine.state is None


# --- Names that are taken ------------------------------------------------------


def test_a_name_of_another_customer_is_told(world: World, engine: Engine) -> None:
    """Case L14: a name that this account cannot see is taken, and a way on is named."""
    world.as_somebody("POST", "/deployments", PROGRAM, account="rival")
    with pytest.raises(OwnershipError, match=r"jig:namespace"):
        engine.create(PROGRAM)
    assert engine.state is None


def test_a_name_without_a_mark_is_told(world: World, engine: Engine) -> None:
    """Peers' bug 8: an unmarked namesake is an error; nothing is written to it."""
    world.as_somebody("POST", "/deployments", PROGRAM)
    with pytest.raises(OwnershipError, match=r"carries no mark.*pulumi-jig import"):
        engine.create(PROGRAM)
    assert world.writes() == ["POST"]


def test_a_name_without_a_mark_is_told_where_marks_are_off(
    world: World, engine: Engine
) -> None:
    """Without marks the namesake is ruled out before anything is sent."""
    world.as_somebody("POST", "/deployments", PROGRAM)
    with pytest.raises(OwnershipError, match="carries no mark"):
        engine.create(UNMARKED)
    assert world.writes() == []


def test_a_name_of_another_resource_is_told(world: World, engine: Engine) -> None:
    """Another resource's mark is named in the error."""
    other = Engine(world, urn=engine.urn.replace("::llm", "::chat"))
    other.create(PROGRAM)
    memory.forget()
    with pytest.raises(OwnershipError, match=r"belongs to shop/prod/chat"):
        engine.create(PROGRAM)


def test_what_an_interrupted_run_left_is_told(world: World, engine: Engine) -> None:
    """Our own mark with another nonce: recover, or delete_before_replace."""
    engine.create(PROGRAM)
    memory.forget()
    with pytest.raises(OwnershipError, match=r"recover.*delete_before_replace"):
        Engine(world).create(PROGRAM)
    assert world.names() == ["llm-prod"]


def test_a_replacement_under_the_same_name_looks_before_it_asks(
    world: World, engine: Engine
) -> None:
    """While the old one has the name, no failure leaves a new one that never was."""
    engine.create(PROGRAM)
    memory.forget()
    engine.check(PROGRAM)
    world.sent.clear()
    world.fault(POST, "answer", status=500, times=ALWAYS)
    with pytest.raises(OwnershipError, match="names this very resource"):
        engine.create(PROGRAM)
    assert [] == world.writes()


def test_a_name_that_is_released_late_is_waited_for(
    world: World, engine: Engine
) -> None:
    """Peers' bug 10, case L6: a create after our own delete waits for the name."""
    engine.create(PROGRAM)
    engine.delete()
    exists = {"error": {"message": "deployment with name llm-prod already exists"}}
    world.fault(POST, "answer", status=400, body=exists, times=5)
    engine.create(PROGRAM)
    assert "waiting for the name to be released" in engine.lines


def test_a_name_that_is_never_released_is_an_error(
    world: World, engine: Engine
) -> None:
    """Case L6: the wait for a name of our own delete is bounded."""
    engine.create(PROGRAM)
    engine.delete()
    exists = {"error": {"message": "deployment with name llm-prod already exists"}}
    world.fault(POST, "answer", status=400, body=exists, times=ALWAYS)
    began = world.clock()
    with pytest.raises(OwnershipError):
        engine.create(PROGRAM)
    assert 110 < world.clock() - began < 150


def test_the_corpse_of_an_unmarked_deployment_is_not_taken_for_its_successor(
    world: World, engine: Engine
) -> None:
    """What this run deleted and still shows is not what a lost POST created."""
    engine.create(UNMARKED)
    identifier = world.live()["id"]
    corpse = {**world.live()}
    engine.delete()
    world.fault(POST, "lose")
    world.fault(LOOK, "answer", status=200, body=corpse, times=6)
    engine.create(UNMARKED)
    assert engine.state is not None
    assert engine.state["deployment_id"] not in (None, identifier)
    assert engine.state["deployment_id"] == world.live()["id"]


def test_a_corpse_that_stays_leaves_the_end_unknown(
    world: World, engine: Engine
) -> None:
    """While what this run deleted still shows, nobody can tell what a POST came to."""
    engine.create(UNMARKED)
    corpse = world.live()
    engine.delete()
    engine.timeout = 60
    world.fault(POST, "lose")
    world.fault(LOOK, "answer", status=200, body=corpse, times=ALWAYS)
    with pytest.raises(PartialFailureError, match="time limit"):
        engine.create(UNMARKED)


def test_two_creates_of_one_name_at_once_give_one_deployment(world: World) -> None:
    """Cases L14 and R17: one wins, the other gets a clean error; nothing is lost."""
    first = Engine(world)
    second = Engine(world, urn="urn:pulumi:test::shop::t::other")
    inputs = [first.check(PROGRAM)]
    # Two runs of the engine are two processes: the second knows of no claim.
    memory.forget()
    inputs.append(second.check(PROGRAM))
    ends: list[str] = []

    def run(engine: Engine, body: dict[str, Any]) -> None:
        try:
            create(body, engine.invocation())
            ends.append("created")
        except OwnershipError:
            ends.append("taken")

    threads = [
        threading.Thread(target=run, args=each)
        for each in zip([first, second], inputs, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["created", "taken"]
    assert world.names() == ["llm-prod"]


# --- Repeated by the engine ----------------------------------------------------


@pytest.mark.parametrize("program", [PROGRAM, UNMARKED], ids=["marked", "unmarked"])
def test_a_creation_that_the_engine_repeats_finds_what_it_made(
    world: World, engine: Engine, program: dict[str, Any]
) -> None:
    """Case R18: an on_error hook calls create again; no second deployment comes of it."""
    engine.timeout = 30
    with pytest.raises(PartialFailureError):
        engine.create({**program, "image": "registry.example/slow:1"})
    assert engine.inputs is not None
    engine.timeout = 3600
    stored = create(engine.inputs, engine.invocation())
    assert stored.outputs["deployment_id"] == world.live()["id"]
    assert world.names() == ["llm-prod"]


def test_a_repeated_creation_that_cannot_look_stays_known(
    world: World, engine: Engine
) -> None:
    """Case R18: the second create's conflict with the first is not an error of its own."""
    engine.create(PROGRAM)
    assert engine.inputs is not None
    world.fault(LOOK, "answer", status=401, times=ALWAYS, body={"error": {}})
    with pytest.raises(PartialFailureError):
        create(engine.inputs, engine.invocation())


# --- Roll-outs -----------------------------------------------------------------


def test_a_roll_out_that_fails_is_kept_with_its_id_and_repaired(
    world: World, engine: Engine
) -> None:
    """Case R19, peers' bug 6: the state holds what failed, and the next up mends it."""
    bad = {**PROGRAM, "image": "registry.example/crashloop:1"}
    with pytest.raises(PartialFailureError, match="keeps crashing"):
        engine.create(bad)
    assert engine.state is not None
    assert engine.state["deployment_id"] == world.live()["id"]
    engine.update(PROGRAM)
    assert engine.state["status"] == "Ready"
    assert world.posts() == 1


def test_a_roll_out_that_takes_too_long_is_kept_with_its_id(
    world: World, engine: Engine
) -> None:
    """Case R20: the wait ends, the deployment does not, and the message says both."""
    engine.timeout = 60
    with pytest.raises(PartialFailureError, match="not serving after 60 s") as caught:
        engine.create({**PROGRAM, "image": "registry.example/slow:1"})
    assert "may be running and billing" in str(caught.value)
    assert engine.state is not None
    assert engine.state["deployment_id"] == world.live()["id"]


def test_a_failed_roll_out_can_be_destroyed(world: World, engine: Engine) -> None:
    """Case R19: what failed is deleted like anything else."""
    with pytest.raises(PartialFailureError):
        engine.create({**PROGRAM, "image": "registry.example/crashloop:1"})
    engine.delete()
    assert world.names() == []


def test_an_exception_while_waiting_becomes_a_partial_failure(
    world: World, engine: Engine
) -> None:
    """Case R15: whatever ends the wait, the id is kept, and the text is not quoted."""

    def interrupted(method: str, _: str) -> None:
        if method == "GET" and world.posts() and world.clock() > 1020:
            raise SystemExit("token=secret-canary")

    world.before.append(interrupted)
    with pytest.raises(PartialFailureError, match="SystemExit") as caught:
        engine.create(PROGRAM)
    assert "canary" not in str(caught.value)
    assert engine.state is not None
    assert engine.state["deployment_id"] == world.live()["id"]


def test_nobody_waits_with_wait_for_none(world: World, engine: Engine) -> None:
    """With wait_for none a create returns with one look after it was accepted."""
    engine.create({**PROGRAM, "wait_for": "none"})
    assert engine.state is not None
    assert engine.state["status"] == "Updating"
    assert world.clock() - 1000 < 1


def test_the_one_look_of_wait_for_none_may_fail(world: World, engine: Engine) -> None:
    """With wait_for none an accepted creation is a success, seen or not."""
    world.before.append(
        lambda method, _: (
            world.fault(f"GET /deployments/{world.live()['id']}", "lose", times=ALWAYS)
            if method == "GET" and world.names() and not world.faults
            else None
        )
    )
    engine.create({**PROGRAM, "wait_for": "none"})
    assert engine.state is not None
    assert engine.state["deployment_id"] == world.live()["id"]


def test_an_exception_during_the_one_look_is_a_partial_failure(
    world: World, engine: Engine
) -> None:
    """With wait_for none an exception of our own is told, with the id kept."""

    def interrupted(method: str, _: str) -> None:
        if method == "GET" and world.posts():
            raise KeyboardInterrupt

    world.before.append(interrupted)
    with pytest.raises(PartialFailureError, match="KeyboardInterrupt"):
        engine.create({**PROGRAM, "wait_for": "none"})
    assert engine.state is not None


def test_values_that_go_back_while_rolling_out_are_an_error(
    world: World, engine: Engine
) -> None:
    """Peers' bug 4: what was accepted and is not there any more is not called green."""

    def undone(method: str, shown: dict[str, Any]) -> None:
        if method == "GET" and "image" in shown and world.clock() > 1030:
            shown["image"] = "registry.example/app:0"

    world.spoil.append(undone)
    with pytest.raises(PartialFailureError, match=r"accepted image.*something else"):
        engine.create(PROGRAM)
    assert engine.state is not None
    assert engine.state["image"] == "registry.example/app:0"


def test_values_that_the_service_never_took_are_a_warning(
    world: World, engine: Engine
) -> None:
    """A value that the service normalises is told, and the next preview shows it."""

    def rounded(_: str, shown: dict[str, Any]) -> None:
        if "image" in shown:
            shown["cpu"] = 2

    world.spoil.append(rounded)
    engine.create({**PROGRAM, "cpu": 1.5})
    assert ("warning", "the service shows other values than were sent: cpu") in (
        engine.logged
    )
    assert engine.diff({**PROGRAM, "cpu": 1.5}).changed == ("cpu",)


def test_what_somebody_changes_before_the_first_look_is_not_called_green(
    world: World, engine: Engine
) -> None:
    """The answer was lost, and what a look finds has another image: not as asked."""

    def meddle(method: str, _: str) -> None:
        if method == "GET" and "POST" in world.acted and "PATCH" not in world.acted:
            world.acted.append("PATCH")
            other = {"image": "registry.example/app:9"}
            world.as_somebody("PATCH", "/deployments/llm-prod", other)

    world.before.append(meddle)
    world.fault(POST, "swallow")
    with pytest.raises(PartialFailureError, match=r"not what was asked for.* image"):
        engine.create(PROGRAM)
    assert engine.diff(PROGRAM).changed == ("image",)


def test_without_a_revision_in_any_answer_the_status_counts(
    world: World, engine: Engine
) -> None:
    """Peers' bug 3: a service that shows no revision at all is still waited for."""

    def bare(_: str, shown: dict[str, Any]) -> None:
        if "image" in shown:
            shown["environment_variables"] = []
            shown["replica_events"] = None
        if "data" in shown:
            shown["data"] = []

    world.spoil.append(bare)
    engine.create(PROGRAM)
    assert engine.state is not None
    assert engine.state["status"] == "Ready"


def test_conflict_is_the_error_where_nothing_else_is_known(
    world: World, engine: Engine
) -> None:
    """A 409 for a name that nobody shows is an ownership error, never a raw one."""
    world.fault(POST, "answer", status=409, body={"error": {"message": "conflict"}})
    with pytest.raises(OwnershipError) as caught:
        engine.create(PROGRAM)
    assert not isinstance(caught.value, ConflictError)


def test_a_failing_service_is_named(world: World, engine: Engine) -> None:
    """Three times 500 ends in the service's failure, and in what a look showed."""
    world.fault(POST, "answer", status=500, times=ALWAYS, body={"error": {}})
    with pytest.raises(ServerError, match="was not created"):
        engine.create(PROGRAM)
