"""A volume when things go wrong: the wire, the copy, other people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from simulated import ALWAYS, HTML
from volume_cases import (
    FILES,
    LOOK,
    MORE_FILES,
    POST,
    ROLE,
    VOLUMES,
    engine_for,
    live,
    names,
    s3,
    versions,
)

from pulumi_jig.errors import (
    BadRequestError,
    ConfigError,
    ConflictError,
    JigError,
    OwnershipError,
    ServerError,
)
from pulumi_jig.lifecycle import memory
from pulumi_jig.lifecycle.invocation import PartialFailureError
from pulumi_jig.lifecycle.volume.create import adoption_preview
from pulumi_jig.values import storable_fault

if TYPE_CHECKING:
    from simulated import Deed, Engine, World

PATCH = "PATCH "


def patch_of(engine: Engine) -> str:
    """Where the volume is changed."""
    assert engine.state is not None
    return f"PATCH {VOLUMES}/{engine.state['volume_id']}"


def look_at(engine: Engine) -> str:
    """Where the volume is read once its id is known."""
    assert engine.state is not None
    return f"GET {VOLUMES}/{engine.state['volume_id']}"


# --- Creating ------------------------------------------------------------------


@pytest.mark.parametrize("deed", ["swallow", "hang", "lose", "refuse", "raise"])
def test_a_creation_without_an_answer_makes_one_volume(
    world: World, deed: Deed
) -> None:
    """Cases R1, R3, R5: whatever became of the request, one volume comes of it."""
    engine = engine_for(world)
    world.fault(POST, deed)
    engine.create(FILES)
    assert names(world) == ["weights"]
    assert world.acted.count("POST") == 1


@pytest.mark.parametrize("body", [HTML, "", '{"id": "vol'])
def test_an_answer_that_is_no_answer_is_looked_for(world: World, body: str) -> None:
    """Case R9: a page, an empty or a cut answer leave the end open; the look tells."""
    engine = engine_for(world)
    world.fault(POST, "act-answer", status=200, body=body)
    engine.create(FILES)
    assert names(world) == ["weights"]


def test_a_refusal_is_final(world: World) -> None:
    """A refused creation is not repeated, and nothing is kept in the state."""
    engine = engine_for(world)
    world.fault(POST, "answer", status=400, times=ALWAYS, body={"error": "no"})
    with pytest.raises(BadRequestError):
        engine.create(FILES)
    assert (engine.state, names(world)) == (None, [])


def test_a_volume_that_stands_already_is_not_taken(world: World) -> None:
    """Case L14: a namesake is refused, with its id and the ways on, and not touched."""
    made = world.as_somebody("POST", VOLUMES, {**FILES, "type": "readOnly"})
    engine = engine_for(world)
    with pytest.raises(OwnershipError) as caught:
        engine.create(FILES)
    assert made["id"] in caught.value.message
    assert "carries no mark" in caught.value.message
    assert "`adopt=True`" in caught.value.message
    assert "`delete_before_replace`" in caught.value.message
    assert world.writes() == []


def test_a_left_over_volume_is_known_by_its_made_name(world: World) -> None:
    """A name that was made for this very resource says so in the refusal."""
    unnamed = {"content": FILES["content"]}
    first = engine_for(world)
    first.create(unnamed)
    memory.forget()
    with pytest.raises(OwnershipError, match="made for this very resource"):
        engine_for(world).create(unnamed)


def test_what_came_in_between_with_other_content_is_not_ours(world: World) -> None:
    """Case R7: after a lost answer, a namesake with another content is somebody else's."""
    engine = engine_for(world)
    world.fault(POST, "lose")

    def meddle(method: str, _: str) -> None:
        if method == "POST":
            world.before.remove(meddle)
            world.as_somebody("POST", VOLUMES, {**MORE_FILES, "type": "readOnly"})

    world.before.append(meddle)
    with pytest.raises(OwnershipError, match="carries no mark"):
        engine.create(FILES)
    assert world.writes() == ["POST"]


def test_a_name_that_is_taken_out_of_sight_is_told(world: World) -> None:
    """A conflict over a name that no look finds names the ways on."""
    engine = engine_for(world)
    world.fault(POST, "answer", status=409, body={"error": "already exists"})
    with pytest.raises(OwnershipError, match="cannot see"):
        engine.create(FILES)


def lose_creation(world: World, engine: Engine, deed: Deed) -> None:
    """A creation of whose end nothing can be found out."""
    world.fault(POST, deed)
    world.fault(LOOK, "answer", nth=2, times=ALWAYS, status=502, body=HTML)
    with pytest.raises(PartialFailureError, match="not known whether"):
        engine.create(FILES)
    world.faults.clear()
    assert engine.state is not None
    assert engine.state["__unconfirmed"] is True


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    """Our clock and the service's show the same time."""
    from simulated import EPOCH

    started = world.clock()
    monkeypatch.setattr("time.time", lambda: EPOCH + world.clock() - started)


@pytest.mark.usefixtures("now")
@pytest.mark.parametrize(("deed", "posts"), [("swallow", 1), ("lose", 2)])
def test_an_unconfirmed_creation_is_settled_by_the_next_update(
    world: World, deed: Deed, posts: int
) -> None:
    """What arrived is taken up, what did not is created; there is one volume."""
    engine = engine_for(world)
    lose_creation(world, engine, deed)
    assert engine.diff(FILES).changed == ("volume_id",)
    engine.update(FILES)
    assert names(world) == ["weights"]
    assert world.sent.count(("POST", f"/v1{VOLUMES}")) == posts
    assert engine.state is not None
    assert engine.state["volume_id"] == live(world)["id"]
    assert "__unconfirmed" not in engine.state
    assert engine.diff(FILES).changes is False


@pytest.mark.usefixtures("now")
def test_a_later_namesake_is_not_taken_for_an_unconfirmed_creation(
    world: World,
) -> None:
    """
    A twin that was made hours later is somebody else's.

    It is not written to, not taken up by a refresh, and not deleted.
    """
    engine = engine_for(world)
    lose_creation(world, engine, "lose")
    world.let_pass(7200)
    world.as_somebody("POST", VOLUMES, {**FILES, "type": "readOnly"})
    with pytest.raises(OwnershipError):
        engine.update(FILES)
    with pytest.raises(OwnershipError, match="cannot be told"):
        engine.refresh()
    # Nor is it let go of: an update that was killed may have made it, hours later.
    with pytest.raises(OwnershipError, match="cannot be told"):
        engine.delete()
    assert names(world) == ["weights"]


@pytest.mark.usefixtures("now")
def test_a_volume_with_a_second_version_is_not_taken_for_an_unconfirmed_creation(
    world: World,
) -> None:
    """Somebody has made something of it meanwhile, so it is left to a person."""
    engine = engine_for(world)
    lose_creation(world, engine, "swallow")
    again = {"content": {"type": "files", "source_prefix": "models/llm/1"}}
    world.as_somebody("PATCH", f"{VOLUMES}/weights", again)
    with pytest.raises(OwnershipError):
        engine.update(FILES)
    assert versions(world) == 2


@pytest.mark.usefixtures("now")
def test_without_a_time_of_creation_nothing_proves_that_it_is_ours(
    world: World,
) -> None:
    """A service that does not tell when it made a volume leaves it unproved."""
    engine = engine_for(world)
    lose_creation(world, engine, "swallow")
    world.spoil.append(lambda _, shown: shown.pop("created_at", None))
    with pytest.raises(OwnershipError):
        engine.update(FILES)


@pytest.mark.usefixtures("now")
def test_an_unconfirmed_creation_is_deleted_where_it_is_proved(world: World) -> None:
    """Destroying after a lost answer leaves nothing behind."""
    engine = engine_for(world)
    lose_creation(world, engine, "swallow")
    engine.delete()
    assert names(world) == []


# --- Taking over ---------------------------------------------------------------


def test_an_existing_volume_is_taken_over_as_it_is(world: World) -> None:
    """`adopt=True` with the same content sends nothing."""
    made = world.as_somebody("POST", VOLUMES, {**FILES, "type": "readOnly"})
    engine = engine_for(world)
    engine.create({**FILES, "adopt": True, "version": 4})
    assert world.writes() == []
    assert engine.state is not None
    assert engine.state["volume_id"] == made["id"]


def test_an_existing_volume_is_taken_over_with_what_is_declared(world: World) -> None:
    """`adopt=True` with another content makes a new version of the existing volume."""
    world.as_somebody("POST", VOLUMES, {**FILES, "type": "readOnly"})
    engine = engine_for(world)
    engine.create({**MORE_FILES, "adopt": True})
    assert world.writes() == ["PATCH"]
    assert versions(world) == 2


def test_what_another_resource_took_over_is_let_go(world: World) -> None:
    """
    A volume that this run has given to another resource is not changed or deleted.

    That is what the engine does in a replacement whose creation adopts.
    """
    first = engine_for(world)
    first.create(FILES)
    second = engine_for(world)
    second.create({**FILES, "adopt": True})
    with pytest.raises(OwnershipError, match="taken over by another resource"):
        first.update(MORE_FILES)
    first.delete()
    assert names(world) == ["weights"]


# --- The copy ------------------------------------------------------------------


def test_a_failed_copy_is_a_partial_failure(world: World) -> None:
    """It is red, with the service's reason; the id is kept, and no version to mount."""
    engine = engine_for(world)
    with pytest.raises(PartialFailureError, match="access denied") as caught:
        engine.create(s3("models/access-denied"))
    assert caught.value.id == "weights"
    assert engine.state is not None
    assert engine.state["volume_id"] == live(world)["id"]
    assert engine.state["status"] == "failed"
    assert engine.state["status_message"] == "access denied"
    assert "current_version" not in engine.state
    assert engine.diff(s3("models/access-denied")).changed == ("status",)


def test_the_next_update_asks_again_after_a_failed_copy(world: World) -> None:
    """A failed version never becomes ready, so another one of the same content is made."""
    engine = engine_for(world)
    with pytest.raises(PartialFailureError, match="connection to the bucket was lost"):
        engine.create(s3("models/flaky"))
    engine.update(s3("models/flaky"))
    assert engine.state is not None
    assert (engine.state["status"], engine.state["current_version"]) == ("ready", 1)
    assert "__unready" not in engine.state
    assert engine.diff(s3("models/flaky")).changes is False


def test_a_failed_new_version_leaves_the_one_before_to_mount(world: World) -> None:
    """`current_version` stays at what is ready, also after a refresh."""
    engine = engine_for(world)
    engine.create(FILES)
    with pytest.raises(PartialFailureError, match="bucket 'no-such-bucket' does not"):
        engine.update(s3("no-such-bucket"))
    assert engine.state is not None
    assert (engine.state["status"], engine.state["current_version"]) == ("failed", 0)
    engine.refresh()
    assert (engine.state["status"], engine.state["current_version"]) == ("failed", 0)
    assert engine.diff(s3("no-such-bucket")).changed == ("status",)


def test_a_failure_is_remembered_by_a_refresh(world: World) -> None:
    """A refresh that still finds the copy unfinished does not call it done."""
    engine = engine_for(world)
    engine.timeout = 10
    with pytest.raises(PartialFailureError, match="was not ready after 10 s"):
        engine.create(s3("models/slow"))
    engine.refresh()
    assert engine.diff(s3("models/slow")).changed == ("status",)


def test_a_copy_that_outlasted_its_wait_is_waited_for_again(world: World) -> None:
    """The time limit ends the wait, not the copy; the next update makes no new version."""
    engine = engine_for(world)
    engine.timeout = 10
    with pytest.raises(PartialFailureError):
        engine.create(s3("models/slow"))
    engine.timeout = None
    engine.update(s3("models/slow"))
    assert engine.state is not None
    assert engine.state["status"] == "ready"
    assert versions(world) == 1


def test_ctrl_c_ends_the_wait_and_keeps_the_id(world: World) -> None:
    """An interrupted run leaves the volume in the state, and the next one goes on."""
    engine = engine_for(world)

    def interrupt(method: str, _: str) -> None:
        engine.interrupted = engine.interrupted or world.sent.count(("GET", "")) > 0
        if method == "GET" and world.acted.count("POST"):
            engine.interrupted = True

    world.before.append(interrupt)
    with pytest.raises(PartialFailureError, match="The run was interrupted"):
        engine.create(s3("models/slow"))
    world.before.clear()
    engine.interrupted = False
    assert engine.state is not None
    assert engine.state["volume_id"] == live(world)["id"]
    engine.update(s3("models/slow"))
    assert (engine.state["status"], versions(world)) == ("ready", 1)


def test_a_look_that_fails_does_not_end_the_wait(world: World) -> None:
    """Errors of the service and pages of proxies pass while a copy is waited for."""
    engine = engine_for(world)
    engine.create(FILES)
    world.fault(look_at(engine), "answer", nth=3, times=3, status=200, body=HTML)
    engine.update(s3())
    assert "no answer from the service (OutcomeUnknownError)" in engine.told()
    assert engine.state is not None
    assert engine.state["status"] == "ready"


def test_a_volume_that_disappears_while_it_is_filled_is_told(world: World) -> None:
    """A definite 404 ends the wait with what to do."""
    engine = engine_for(world)

    def delete(method: str, _: str) -> None:
        if method == "GET" and world.acted.count("GET") > 3:
            world.before.remove(delete)
            world.as_somebody("DELETE", f"{VOLUMES}/weights")

    world.before.append(delete)
    with pytest.raises(PartialFailureError, match="disappeared"):
        engine.create(s3())


def test_a_volume_that_does_not_show_yet_is_waited_for(world: World) -> None:
    """Case R6: a service that takes a moment to show what it made is given that moment."""
    engine = engine_for(world)
    world.fault(POST, "act-answer", body={}, status=200)
    world.fault(LOOK, "answer", nth=2, times=3, status=404, body={"error": "not found"})
    engine.create(FILES)
    assert engine.state is not None
    assert engine.state["volume_id"] == live(world)["id"]


def test_a_version_without_a_status_must_be_seen_twice(world: World) -> None:
    """No status means ready, as for old volumes; but not from one look at a new one."""
    world.spoil.append(lambda _, shown: shown.pop("status", None))
    engine = engine_for(world)
    engine.create(FILES)
    assert engine.state is not None
    assert engine.state["status"] == "ready"
    assert [method for method, _ in world.sent].count("GET") == 4


# --- Updating ------------------------------------------------------------------


@pytest.mark.parametrize("deed", ["swallow", "hang", "raise"])
def test_an_update_that_arrived_without_an_answer_is_not_repeated(
    world: World, deed: Deed
) -> None:
    """Each request makes a version, so a lost answer is looked for first."""
    engine = engine_for(world)
    engine.create(FILES)
    world.fault(patch_of(engine), deed)
    engine.update(MORE_FILES)
    assert versions(world) == 2
    assert engine.diff(MORE_FILES).changes is False


def test_a_version_that_shows_late_is_not_asked_for_again(world: World) -> None:
    """A lost request is looked for during a while, since each one makes a copy."""
    engine = engine_for(world)
    engine.create(FILES)
    world.fault(patch_of(engine), "swallow")
    hidden = 0

    def hide(method: str, shown: dict[str, object]) -> None:
        nonlocal hidden
        if method == "GET" and shown.get("current_version") == 1 and hidden < 5:
            hidden += 1
            history = shown["version_history"]
            assert isinstance(history, dict)
            shown.update(history["0"], current_version=0, version_history={})

    world.spoil.append(hide)
    engine.update(MORE_FILES)
    assert hidden == 5
    assert versions(world) == 2


def test_a_snapshot_that_arrived_without_an_answer_is_not_repeated(
    world: World,
) -> None:
    """The same content again is told by the version alone."""
    engine = engine_for(world)
    engine.create(s3(version=1))
    world.fault(patch_of(engine), "swallow")
    engine.update(s3(version=2))
    assert versions(world) == 2


def test_an_update_that_did_not_arrive_is_sent_again(world: World) -> None:
    """After a while without a new version it is asked for once more."""
    engine = engine_for(world)
    engine.create(FILES)
    world.fault(patch_of(engine), "lose")
    engine.update(MORE_FILES)
    assert versions(world) == 2


def test_a_snapshot_that_did_not_arrive_is_sent_again(world: World) -> None:
    """The version from before, of the same content, is not taken for the new one."""
    engine = engine_for(world)
    engine.create(s3(version=1))
    world.fault(patch_of(engine), "lose")
    engine.update(s3(version=2))
    assert versions(world) == 2


def test_an_update_that_never_arrives_is_an_error(world: World) -> None:
    """Nothing changed, and the state says what it said before."""
    engine = engine_for(world)
    engine.create(FILES)
    world.fault(patch_of(engine), "lose", times=ALWAYS)
    with pytest.raises(JigError):
        engine.update(MORE_FILES)
    assert versions(world) == 1
    assert engine.diff(MORE_FILES).changed == ("content.source_prefix",)


@pytest.mark.parametrize("refreshed", [False, True])
@pytest.mark.parametrize("deed", ["swallow", "lose"])
def test_a_snapshot_of_unknown_end_is_settled_by_the_next_update(
    world: World, deed: Deed, refreshed: bool
) -> None:
    """It is asked for once more where it did not arrive, and not where it did."""
    engine = engine_for(world)
    engine.create(s3(version=1))
    world.fault(patch_of(engine), deed)
    world.fault(look_at(engine), "answer", nth=2, times=ALWAYS, status=502, body=HTML)
    with pytest.raises(PartialFailureError, match="not known whether the update"):
        engine.update(s3(version=2))
    world.faults.clear()
    if refreshed:
        assert engine.refresh()
    assert engine.diff(s3(version=2)).changes
    engine.update(s3(version=2))
    assert versions(world) == 2
    assert engine.diff(s3(version=2)).changes is False
    engine.update(s3(version=3))
    assert versions(world) == 3


def test_a_taken_over_volume_may_have_an_update_of_unknown_end(world: World) -> None:
    """The id is kept, and the next update settles it."""
    made = world.as_somebody("POST", VOLUMES, {**FILES, "type": "readOnly"})
    engine = engine_for(world)
    where = f"{VOLUMES}/{made['id']}"
    world.fault(f"PATCH {where}", "lose")
    world.fault(f"GET {where}", "answer", times=ALWAYS, status=502, body=HTML)
    with pytest.raises(PartialFailureError, match="not known whether the update"):
        engine.create({**MORE_FILES, "adopt": True, "version": 1})
    world.faults.clear()
    engine.update({**MORE_FILES, "adopt": True, "version": 1})
    assert versions(world) == 2


def test_drift_of_the_content_is_put_back(world: World) -> None:
    """Case V6: another content, made by somebody, shows after a refresh; up restores."""
    engine = engine_for(world)
    engine.create(FILES)
    other = {"content": {"type": "files", "source_prefix": "somebody/else"}}
    world.as_somebody("PATCH", f"{VOLUMES}/weights", other)
    engine.refresh()
    assert engine.state is not None
    assert engine.state["content"] == {"source_prefix": "somebody/else"}
    assert engine.inputs is not None
    assert engine.inputs["content"] == {"source_prefix": "somebody/else"}
    assert engine.diff(FILES).changed == ("content.source_prefix",)
    engine.update(FILES)
    assert live(world)["content"]["source_prefix"] == "models/llm/1"
    assert engine.diff(FILES).changes is False


def test_drift_of_an_ignored_content_is_left_alone(world: World) -> None:
    """Case L8: with `ignore_changes`, an update for another reason keeps what is live."""
    engine = engine_for(world)
    engine.create({**FILES, "version": 1})
    other = {"content": {"type": "files", "source_prefix": "somebody/else"}}
    world.as_somebody("PATCH", f"{VOLUMES}/weights", other)
    engine.ignore = ("content",)
    engine.update({**FILES, "version": 2})
    assert live(world)["current_version"] == 2
    assert live(world)["content"]["source_prefix"] == "somebody/else"
    engine.ignore = ()
    assert engine.diff({**FILES, "version": 2}).changed == ("content.source_prefix",)


def test_somebody_elses_version_on_top_is_not_called_green(world: World) -> None:
    """A version of another content, made while ours was copied, ends in an error."""
    engine = engine_for(world)
    engine.create(FILES)

    def meddle(method: str, _: str) -> None:
        if method == "GET" and "PATCH" in world.acted:
            world.before.remove(meddle)
            other = {"content": {"type": "files", "source_prefix": "somebody/else"}}
            world.as_somebody("PATCH", f"{VOLUMES}/weights", other)

    world.before.append(meddle)
    with pytest.raises(PartialFailureError, match="Somebody made version 2"):
        engine.update(s3())
    assert engine.state is not None
    assert engine.state["current_version"] == 2


def test_a_lost_update_overtaken_by_somebody_is_not_taken_for_ours(
    world: World,
) -> None:
    """Only a version of the content that was asked for is what was asked for."""
    engine = engine_for(world)
    engine.create(FILES)
    world.fault(patch_of(engine), "act-answer", body={}, status=200)

    def meddle(method: str, shown: dict[str, object]) -> None:
        if method == "GET" and shown.get("current_version"):
            shown["content"] = {"source_prefix": "somebody/else"}

    world.spoil.append(meddle)
    with pytest.raises(PartialFailureError, match="Somebody made version 1"):
        engine.update(MORE_FILES)


def test_a_service_that_makes_no_version_is_told(world: World) -> None:
    """An accepted request that makes no version within half a minute is an error."""
    engine = engine_for(world)
    engine.create(s3(version=1))
    world.fault(patch_of(engine), "answer", status=200, body=live(world))
    with pytest.raises(PartialFailureError, match="made no new version"):
        engine.update(s3(version=2))


def test_a_form_of_the_services_own_is_not_drift(world: World) -> None:
    """
    A service that writes the same content in another way makes no version at each up.

    The form that it showed for what was sent is remembered, until the program says
    something else.
    """

    def rewrite(_: str, shown: dict[str, dict[str, str]]) -> None:
        prefix = shown.get("content", {}).get("source_prefix")
        if prefix:
            shown["content"]["source_prefix"] = f"{prefix}/"

    world.spoil.append(rewrite)
    engine = engine_for(world)
    engine.create(FILES)
    assert "in another form" in engine.told()
    assert engine.diff(FILES).changes is False
    engine.refresh()
    assert engine.diff(FILES).changes is False
    engine.update({**FILES, "version": 1})
    engine.update({**FILES, "version": 1})
    assert versions(world) == 2
    engine.update(MORE_FILES)
    assert versions(world) == 3
    assert engine.diff(MORE_FILES).changes is False


def test_a_conflict_is_insisted_upon(world: World) -> None:
    """Case T8: somebody changes it at the same time; a look, and once more."""
    engine = engine_for(world)
    engine.create(FILES)
    world.fault(patch_of(engine), "answer", status=409, body={"error": "busy"})
    engine.update(MORE_FILES)
    assert versions(world) == 2


def test_a_conflict_for_ever_is_an_error(world: World) -> None:
    """Case T8: in the end the service's words are told."""
    engine = engine_for(world)
    engine.create(FILES)
    world.fault(
        patch_of(engine), "answer", times=ALWAYS, status=409, body={"error": "busy"}
    )
    with pytest.raises(ConflictError, match="busy"):
        engine.update(MORE_FILES)


def test_an_update_of_what_is_gone_says_what_to_do(world: World) -> None:
    """Deleted outside: refresh, then up."""
    engine = engine_for(world)
    engine.create(FILES)
    world.as_somebody("DELETE", f"{VOLUMES}/weights")
    with pytest.raises(PartialFailureError, match="pulumi refresh"):
        engine.update(MORE_FILES)


def test_the_key_of_another_account_changes_nothing(world: World) -> None:
    """A 404 for another account proves nothing: no step lets the volume go."""
    engine = engine_for(world)
    engine.create(FILES)
    engine.use_key("acct:other:key")
    with pytest.raises(ConfigError, match="account"):
        engine.update(MORE_FILES)
    with pytest.raises(ConfigError, match="account"):
        engine.refresh()
    with pytest.raises(ConfigError, match="account"):
        engine.delete()
    assert names(world) == ["weights"]


def test_a_namesake_is_not_ours(world: World) -> None:
    """Deleted and made anew by somebody: another id is another volume."""
    engine = engine_for(world)
    engine.create(FILES)
    world.as_somebody("DELETE", f"{VOLUMES}/weights")
    world.as_somebody("POST", VOLUMES, {**FILES, "type": "readOnly"})
    assert engine.refresh() is False


def test_the_content_comes_in_both_directions(world: World) -> None:
    """From files to a bucket and back: one volume, three versions."""
    engine = engine_for(world)
    engine.create(FILES)
    assert engine.diff(s3()).changed == ("content.origin", "content.source_prefix")
    engine.update(s3())
    assert live(world)["content"]["origin"]["s3"]["role_arn"] == ROLE
    engine.update(FILES)
    assert versions(world) == 3


@pytest.mark.parametrize("status", [500, 503])
def test_a_service_that_is_down_keeps_the_state(world: World, status: int) -> None:
    """Case L5: nothing is known, so nothing is let go."""
    engine = engine_for(world)
    engine.create(FILES)
    world.fault(look_at(engine), "answer", times=ALWAYS, status=status, body={})
    with pytest.raises(ServerError):
        engine.refresh()


# --- Odd answers ---------------------------------------------------------------


def test_another_type_is_changed_in_place(world: World) -> None:
    """A type that drifted is sent; it makes no new version."""
    engine = engine_for(world)
    engine.create({**FILES, "type": "readOnly"})

    def drift(_: str, shown: dict[str, object]) -> None:
        if "PATCH" not in world.acted:
            shown["type"] = "older"

    world.spoil.append(drift)
    engine.refresh()
    assert engine.diff({**FILES, "type": "readOnly"}).changed == ("type",)
    engine.update({**FILES, "type": "readOnly"})
    assert world.bodies[-1] == ("PATCH", {"type": "readOnly"})
    assert versions(world) == 1
    assert engine.diff({**FILES, "type": "readOnly"}).changes is False


def test_a_lost_change_of_the_type_is_looked_for(world: World) -> None:
    """It is sent again until an answer shows it."""
    engine = engine_for(world)
    engine.create({**FILES, "type": "readOnly"})

    def drift(_: str, shown: dict[str, object]) -> None:
        if "PATCH" not in world.acted:
            shown["type"] = "older"

    world.spoil.append(drift)
    world.fault(patch_of(engine), "answer", times=3, status=200, body=HTML)
    engine.update({**FILES, "type": "readOnly"})
    assert engine.state is not None
    assert engine.state["type"] == "readOnly"


def test_what_would_be_taken_over_is_told_in_the_preview(world: World) -> None:
    """The fields that differ; nothing where there is nothing to take."""
    engine = engine_for(world)
    inputs = engine.check({**MORE_FILES, "type": "newer"})
    assert adoption_preview(inputs, engine.invocation()) is None
    world.as_somebody("POST", VOLUMES, {**FILES, "type": "readOnly"})
    assert adoption_preview(inputs, engine.invocation()) == ["type", "content"]
    assert adoption_preview(engine.check(FILES), engine.invocation()) == []


def test_an_answer_that_cannot_be_stored_keeps_the_id(world: World) -> None:
    """Case R22: an answer too strange to be stored does not lose what it is about."""

    def spoil(_: str, shown: dict[str, object]) -> None:
        if "content" in shown:
            shown["content"] = {"source_prefix": "\ud800"}

    engine = engine_for(world)
    world.spoil.append(spoil)
    engine.create(FILES)
    assert engine.state is not None
    assert engine.state["volume_id"] == live(world)["id"]
    assert engine.state["content"] == FILES["content"]
    assert storable_fault(engine.state) is None


def test_a_word_that_no_state_can_hold_keeps_the_id(world: World) -> None:
    """Half a surrogate pair anywhere in an answer does not lose what it is about."""
    engine = engine_for(world)
    world.spoil.append(lambda _, shown: shown.update(type="\ud800"))
    engine.create(FILES)
    assert engine.state is not None
    assert engine.state["volume_id"] == live(world)["id"]
    assert storable_fault(engine.state) is None


def test_a_volume_without_an_id_is_not_trusted_later(world: World) -> None:
    """What no answer ever gave an id stays unconfirmed."""
    world.spoil.append(lambda _, shown: shown.pop("id", None))
    engine = engine_for(world)
    engine.create(FILES)
    assert engine.state is not None
    assert engine.state["__unconfirmed"] is True
    assert engine.diff(FILES).changed == ("volume_id",)


def test_an_error_of_our_own_while_waiting_keeps_the_id(world: World) -> None:
    """Case R15: whatever breaks after the service accepted is a partial failure."""
    engine = engine_for(world)
    engine.create(FILES)
    world.fault(look_at(engine), "raise", nth=2)
    with pytest.raises(PartialFailureError) as caught:
        engine.update(MORE_FILES)
    assert "internal error (RuntimeError)" in caught.value.message
    assert "secret-canary" not in caught.value.message
    assert engine.state is not None
    assert engine.state["volume_id"] == live(world)["id"]


def test_a_key_that_expires_while_waiting_keeps_the_id(world: World) -> None:
    """Case T5: the service's own refusal is told, and the next update waits again."""
    engine = engine_for(world)
    engine.create(FILES)
    world.fault(look_at(engine), "answer", nth=2, times=ALWAYS, status=401, body={})
    with pytest.raises(PartialFailureError, match="could not be watched"):
        engine.update(MORE_FILES)


def test_a_new_volume_that_is_hidden_by_a_proxy_is_waited_for(world: World) -> None:
    """A page with status 404 says nothing about a volume that was accepted."""
    engine = engine_for(world)
    engine.create(FILES)
    world.fault(look_at(engine), "answer", nth=2, times=3, status=404, body=HTML)
    engine.update(MORE_FILES)
    assert "no answer from the service (NotFoundError)" in engine.told()
