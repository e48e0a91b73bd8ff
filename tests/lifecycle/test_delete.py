"""Deleting: by id, until it is gone, and never what is not ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from simulated import ALWAYS, HTML, KEY, Engine

from pulumi_jig.errors import (
    AuthenticationError,
    ConfigError,
    JigError,
    NotFoundError,
    NotSentError,
    OwnershipError,
    PermissionDeniedError,
    RolloutError,
)
from pulumi_jig.lifecycle import memory

if TYPE_CHECKING:
    from simulated import World

PROGRAM = {"name": "llm-prod", "image": "registry.example/app:1", "gpu_type": "none"}


@pytest.fixture
def made(world: World, engine: Engine) -> Engine:
    """A deployment that serves, and the run after the one that created it."""
    engine.create(PROGRAM)
    memory.forget()
    world.sent.clear()
    return engine


def fault(world: World, method: str, do: Any, **more: Any) -> None:
    world.fault(f"{method} /deployments/{world.live()['id']}", do, **more)


def test_gone_already_is_a_success(world: World, made: Engine) -> None:
    """Case L3, peers' bug 9: deleting what is not there sends nothing and succeeds."""
    world.as_somebody("DELETE", "/deployments/llm-prod")
    world.let_pass(60)
    made.delete()
    assert world.writes() == []


def test_gone_in_between_is_a_success(world: World, made: Engine) -> None:
    """Case L3: a 404 in answer to the deletion itself is one as well."""
    identifier = world.live()["id"]

    def quicker(method: str, _: str) -> None:
        if method == "DELETE":
            world.before.clear()
            world.as_somebody("DELETE", f"/deployments/{identifier}")
            world.let_pass(60)

    world.before.append(quicker)
    made.delete()
    assert world.names() == []


def test_a_delete_waits_until_it_is_gone(world: World, made: Engine) -> None:
    """Peers' bug 10: a deployment that drains is not gone yet."""
    began = world.clock()
    made.delete()
    assert world.clock() - began > 5
    assert "going away (Scaling)" in made.lines


@pytest.mark.parametrize(
    "lost",
    [
        {"do": "swallow"},
        {"do": "hang"},
        {"do": "act-answer", "status": 200, "body": HTML},
        {"do": "act-answer", "status": 500},
        {"do": "lose"},
        {"do": "answer", "status": 503},
        {"do": "answer", "status": 404, "body": HTML},
    ],
    ids=lambda f: f"{f['do']}-{f.get('status', '')}",
)
def test_a_lost_answer_is_settled_by_looking(
    world: World, made: Engine, lost: dict[str, Any]
) -> None:
    """A delete whose answer got lost is waited for, and sent again where it was lost."""
    fault(world, "DELETE", times=4, **lost)
    made.delete()
    assert world.names() == []


def test_blips_while_waiting_are_passed_over(world: World, made: Engine) -> None:
    """A page, a failure, a throttled look: none of them proves anything."""
    fault(world, "GET", "answer", status=404, body=HTML, nth=2, times=2)
    fault(world, "GET", "answer", status=200, body=HTML, nth=2, times=3)
    made.delete()
    assert world.names() == []


def test_a_deletion_that_is_refused_for_a_moment_is_tried_again(
    world: World, made: Engine
) -> None:
    """Case L3: a 409 may be over when whatever uses the deployment is gone as well."""
    fault(world, "DELETE", "answer", status=409, times=5, body={"error": {}})
    made.delete()
    assert world.names() == []


def test_a_deletion_that_is_refused_says_why(world: World, made: Engine) -> None:
    """In use: the service's words, that it is billing, and what to do."""
    body = {"error": {"message": "used by endpoint chat"}}
    fault(world, "DELETE", "answer", status=409, times=ALWAYS, body=body)
    with pytest.raises(RolloutError, match=r"used by endpoint chat.*billing.*Remove"):
        made.delete()
    assert made.state is not None


def test_a_second_deletion_may_be_refused(world: World, made: Engine) -> None:
    """A 409 that follows an accepted deletion is about that one."""
    fault(
        world, "DELETE", "answer", status=409, nth=2, times=ALWAYS, body={"error": {}}
    )
    keep = world.live()
    world.spoil.append(lambda _, shown: shown.update(keep) if not shown else None)
    fault(world, "GET", "answer", status=200, body=keep, nth=2, times=25)
    made.delete()
    assert world.names() == []
    assert world.writes().count("DELETE") > 1


def test_a_deployment_that_never_goes_is_an_error(world: World, made: Engine) -> None:
    """The wait is bounded, and says that it may still be billing."""
    made.timeout = 90
    keep = world.live()
    fault(world, "GET", "answer", status=200, body=keep, times=ALWAYS)
    fault(world, "DELETE", "answer", status=200, body={}, times=ALWAYS)
    with pytest.raises(
        RolloutError, match=r"not known to be gone after 9\d s.*billing"
    ):
        made.delete()
    assert made.state is not None
    assert world.writes().count("DELETE") == 3


def test_a_service_that_stops_answering_is_an_error(world: World, made: Engine) -> None:
    """A deletion that nobody confirms is not a success."""
    made.timeout = 60
    fault(world, "GET", "answer", status=500, nth=2, times=ALWAYS)
    with pytest.raises(JigError, match="may still be running and billing"):
        made.delete()
    assert made.state is not None


@pytest.mark.parametrize(
    ("status", "kind"), [(401, AuthenticationError), (403, PermissionDeniedError)]
)
def test_a_key_that_is_rejected_ends_the_wait_at_once(
    world: World, made: Engine, status: int, kind: type[JigError]
) -> None:
    """Case L4, peers' bug 11: a rejected key is an error now, not after ten minutes."""
    fault(
        world, "GET", "answer", status=status, nth=2, times=ALWAYS, body={"error": {}}
    )
    began = world.clock()
    with pytest.raises(kind, match="may still be running and billing"):
        made.delete()
    assert world.clock() - began < 10
    assert made.state is not None


def test_an_expired_key_keeps_the_state(world: World, made: Engine) -> None:
    """Case L4: a key that is rejected at once changes nothing."""
    made.use_key("invalid-key")
    with pytest.raises(AuthenticationError):
        made.delete()
    assert (made.state is not None, world.writes()) == (True, [])


def test_a_rotated_key_deletes(world: World, made: Engine) -> None:
    """Peers' bug 26: a new key of the same account deletes what the old one made."""
    made.use_key("acct:home:rotated")
    made.delete()
    assert world.names() == []


def test_a_key_of_another_account_does_not_call_it_gone(
    world: World, made: Engine
) -> None:
    """Case L5: with another account's key nothing is deleted and nothing forgotten."""
    made.use_key("acct:rival:1")
    with pytest.raises(ConfigError, match="belongs to account org_rival"):
        made.delete()
    assert (made.state is not None, world.names()) == (True, ["llm-prod"])


def test_a_404_that_proves_nothing_keeps_the_state(world: World, made: Engine) -> None:
    """Case L5: a page, or a 404 while nobody says whose key it is."""
    fault(world, "GET", "answer", status=404, times=1, body=HTML)
    with pytest.raises(NotFoundError, match="not in the API's own words"):
        made.delete()
    made.use_key(KEY)
    fault(world, "GET", "answer", status=404, times=ALWAYS, body={"error": {}})
    world.fault("GET /v3/whoami", "answer", status=500, times=ALWAYS, body={})
    with pytest.raises(ConfigError, match="not whose key this is"):
        made.delete()
    assert world.writes() == []


def test_an_unreachable_service_keeps_the_state(world: World, made: Engine) -> None:
    """A deletion that was not sent says so."""
    fault(world, "DELETE", "refuse", times=ALWAYS)
    with pytest.raises(NotSentError, match="may still be running and billing"):
        made.delete()
    assert made.state is not None


@pytest.mark.parametrize(
    "mark",
    [
        "[pulumi-jig shop/test/other abcdef123456]",
        "[pulumi-jig shop/prod/llm abcdef12]",
    ],
    ids=["another resource", "same resource, another nonce"],
)
def test_what_was_taken_over_is_left_alone(
    world: World, made: Engine, mark: str
) -> None:
    """A foreign mark: the deployment stays, the state lets go, and people are told."""
    world.as_somebody("PATCH", "/deployments/llm-prod", {"description": mark})
    made.delete()
    assert (made.state, world.names(), world.writes()) == (None, ["llm-prod"], [])
    assert "It is left alone" in made.logged[-1][1]


def test_an_unmarked_deployment_with_our_id_is_ours(world: World, made: Engine) -> None:
    """Somebody who edits the description does not make it another's."""
    world.as_somebody("PATCH", "/deployments/llm-prod", {"description": "by hand"})
    made.delete()
    assert world.names() == []


def test_a_successor_under_our_name_is_left_alone(world: World, made: Engine) -> None:
    """Deletion goes by id: what somebody made under the name later is not touched."""
    world.as_somebody("DELETE", "/deployments/llm-prod")
    world.let_pass(60)
    world.as_somebody("POST", "/deployments", PROGRAM)
    made.delete()
    assert world.names() == ["llm-prod"]


def test_a_name_alone_is_no_proof(world: World, made: Engine) -> None:
    """A state without an id does not delete an unmarked deployment of its name."""
    assert made.state is not None
    del made.state["deployment_id"]
    world.as_somebody("PATCH", "/deployments/llm-prod", {"description": ""})
    made.delete()
    assert world.names() == ["llm-prod"]


# --- Taking over ---------------------------------------------------------------

ADOPT = {**PROGRAM, "adopt": True}


def test_adopting_writes_a_fresh_mark_and_what_differs(
    world: World, engine: Engine
) -> None:
    """Adoption changes what is declared and no more, and marks it as ours."""
    theirs = world.as_somebody("POST", "/deployments", {**PROGRAM, "cpu": 2})
    world.let_pass(120)
    engine.create({**ADOPT, "image": "registry.example/app:2"})
    assert engine.state is not None
    assert engine.state["deployment_id"] == theirs["id"]
    assert world.posts() == 0
    assert world.bodies[-1][1].keys() == {"image", "description"}
    assert world.live()["cpu"] == 2


def test_adopting_nothing_creates(world: World, engine: Engine) -> None:
    """Where there is nothing to take over, the deployment is created."""
    engine.create(ADOPT)
    assert (world.posts(), world.names()) == (1, ["llm-prod"])


def test_an_adoption_that_conflicts_is_tried_again(
    world: World, engine: Engine
) -> None:
    """Case T8: what is taken over carries no mark of ours while it conflicts."""
    world.as_somebody("POST", "/deployments", PROGRAM)
    fault(world, "PATCH", "answer", status=409, body={"error": {}})
    engine.create(ADOPT)
    assert "[pulumi-jig shop/prod/llm " in world.live()["description"]


def test_an_adoption_whose_answer_is_lost_is_one_adoption(
    world: World, engine: Engine
) -> None:
    """The mark in a look tells that the adoption arrived."""
    world.as_somebody("POST", "/deployments", PROGRAM)
    fault(world, "PATCH", "raise")
    engine.create(ADOPT)
    assert world.writes() == ["PATCH"]


def test_an_adoption_that_stays_unknown_is_in_the_state(
    world: World, engine: Engine
) -> None:
    """What may have been taken over is not lost, and the next update settles it."""
    world.as_somebody("POST", "/deployments", PROGRAM)
    fault(world, "PATCH", "raise")
    fault(world, "GET", "answer", status=401, times=ALWAYS, body={"error": {}})
    with pytest.raises(JigError, match="not known whether the update"):
        engine.create(ADOPT)
    world.faults.clear()
    engine.update(ADOPT)
    assert engine.diff(ADOPT).changes is False


@pytest.mark.parametrize("refreshed", [False, True])
def test_an_adoption_of_a_marked_one_that_stays_unknown_is_settled(
    world: World, made: Engine, refreshed: bool
) -> None:
    """As long as the mark from before is there, the next update adopts it after all."""
    _adopt_and_lose(world, made)
    if refreshed:
        assert made.refresh()
    made.update(ADOPT)
    assert made.diff(ADOPT).changes is False
    assert world.live()["description"].count(made.state["__nonce"]) == 1
    made.delete()
    assert world.names() == []


def test_an_adoption_that_never_arrived_deletes_nothing(
    world: World, made: Engine
) -> None:
    """A deletion leaves it to whoever had it: nothing says that the adoption arrived."""
    _adopt_and_lose(world, made)
    made.delete()
    assert world.names() == ["llm-prod"]
    assert "left alone" in made.told()


def test_what_a_third_one_took_meanwhile_is_not_adopted_after_all(
    world: World, made: Engine
) -> None:
    """Another mark than the one from before is another owner."""
    _adopt_and_lose(world, made)
    theirs = {"description": "[pulumi-jig web/prod/x 0123456789ab]"}
    world.as_somebody("PATCH", "/deployments/llm-prod", theirs)
    with pytest.raises(OwnershipError, match="was taken over"):
        made.update(ADOPT)


def _adopt_and_lose(world: World, made: Engine) -> None:
    """Adopt what another resource has; the request is lost, and so is every look."""
    fault(world, "PATCH", "lose", times=ALWAYS)
    fault(world, "GET", "answer", status=401, times=ALWAYS, body={"error": {}})
    with pytest.raises(JigError, match="not known whether the update"):
        made.create(ADOPT)
    world.faults.clear()
    memory.forget()


def test_the_old_resource_of_an_adoption_leaves_it_alone(
    world: World, made: Engine
) -> None:
    """A create-before-delete that adopts: the engine's delete of the old one spares it."""
    old = made.state
    made.create(ADOPT)
    new = made.state
    made.state = old
    made.delete()
    assert (world.names(), world.writes().count("DELETE")) == (["llm-prod"], 0)
    made.state = new
    assert made.refresh() is True


def test_the_old_resource_without_a_mark_leaves_it_alone_as_well(
    world: World, engine: Engine
) -> None:
    """Where marks were off before, this run remembers what it has taken over."""
    engine.create({**PROGRAM, "ownership_mark": False})
    memory.forget()
    old = engine.state
    engine.create(ADOPT)
    engine.state = old
    engine.delete()
    assert world.names() == ["llm-prod"]
    assert "another resource of this program" in engine.logged[-1][1]


def test_a_replacement_without_adoption_destroys_nothing(
    world: World, made: Engine
) -> None:
    """`--replace` of an explicit name: the create fails, so the delete never comes."""
    with pytest.raises(JigError, match="delete_before_replace"):
        Engine(world).create(PROGRAM)
    assert world.names() == ["llm-prod"]


def test_a_replacement_in_the_other_order_works(world: World, made: Engine) -> None:
    """Case L6: delete, then create under the same name."""
    old = world.live()["id"]
    made.delete()
    made.create(PROGRAM)
    assert world.live()["id"] != old


def test_adopting_what_this_run_deleted_creates(world: World, made: Engine) -> None:
    """Case L6: what drains is not taken over; its successor is created."""
    corpse = world.live()
    made.delete()
    world.fault("GET /deployments/llm-prod", "answer", status=200, body=corpse)
    made.create(ADOPT)
    assert world.live()["id"] != corpse["id"]


def test_an_adoption_whose_look_finds_a_page_touches_nothing(
    world: World, engine: Engine
) -> None:
    """A 404 that is not the service's is no reason to create."""
    world.fault(
        "GET /deployments/llm-prod", "answer", status=404, times=ALWAYS, body=HTML
    )
    with pytest.raises(NotFoundError):
        engine.create(ADOPT)
    assert world.writes() == []


def test_a_failed_adoption_is_not_rolled_back(world: World, engine: Engine) -> None:
    """on_failed_update is about updates; an adoption that fails is kept and repaired."""
    world.as_somebody("POST", "/deployments", PROGRAM)
    world.let_pass(120)
    bad = {
        **ADOPT,
        "image": "registry.example/crashloop:1",
        "on_failed_update": "rollback",
    }
    with pytest.raises(JigError, match="keeps crashing"):
        engine.create(bad)
    assert world.writes() == ["PATCH"]
    engine.update(ADOPT)
    assert engine.diff(ADOPT).changes is False
