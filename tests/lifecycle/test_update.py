"""Updating: what is declared and differs, and nothing that is not ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from simulated import ALWAYS, HTML, KEY, Engine

from pulumi_jig.errors import (
    BadRequestError,
    ConfigError,
    ConflictError,
    JigError,
    NotFoundError,
    NotSentError,
    OwnershipError,
    ServerError,
)
from pulumi_jig.lifecycle import memory
from pulumi_jig.lifecycle.invocation import PartialFailureError

if TYPE_CHECKING:
    from simulated import World

PROGRAM = {"name": "llm-prod", "image": "registry.example/app:1", "gpu_type": "none"}
NEXT = {**PROGRAM, "image": "registry.example/app:2"}
PATCH = "PATCH"


@pytest.fixture
def made(world: World, engine: Engine) -> Engine:
    """A deployment that serves, and the run after the one that created it."""
    engine.create(PROGRAM)
    memory.forget()
    world.sent.clear()
    world.bodies.clear()
    return engine


def patch_fault(world: World, do: Any, **more: Any) -> None:
    world.fault(f"PATCH /deployments/{world.live()['id']}", do, **more)


def look_fault(world: World, do: Any, **more: Any) -> None:
    world.fault(f"GET /deployments/{world.live()['id']}", do, **more)


# --- Lost answers --------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        {"do": "swallow"},
        {"do": "act-answer", "status": 200, "body": HTML},
        {"do": "act-answer", "status": 500},
        {"do": "raise", "raises": SystemExit},
        {"do": "raise", "raises": RuntimeError},
    ],
    ids=["reset", "html", "500", "SystemExit", "error"],
)
def test_an_update_whose_answer_is_lost_is_one_update(
    world: World, made: Engine, fault: dict[str, Any]
) -> None:
    """A PATCH that arrived makes one revision, however its answer got lost."""
    patch_fault(world, **fault)
    made.update(NEXT)
    events = world.as_somebody("GET", f"/deployments/{world.live()['id']}/revisions")
    assert len(events["data"]) == 2
    assert made.state is not None
    assert made.state["image"] == NEXT["image"]


def test_an_update_that_got_lost_is_sent_again(world: World, made: Engine) -> None:
    """A PATCH that did not arrive is repeated, by the client and after a look."""
    patch_fault(world, "answer", status=200, body=HTML, times=4)
    made.update(NEXT)
    assert world.live()["image"] == NEXT["image"]


def test_an_update_that_never_arrives_leaves_the_state_as_it_was(
    world: World, made: Engine
) -> None:
    """Peers' bug 29: a failed update is not recorded, so the next up sends it again."""
    before = made.state
    patch_fault(world, "answer", status=200, body=HTML, times=ALWAYS)
    with pytest.raises(JigError, match="no usable answer"):
        made.update(NEXT)
    assert made.state == before
    assert made.diff(NEXT).changed == ("image",)


def test_an_update_that_stays_unknown_is_a_partial_failure(
    world: World, made: Engine
) -> None:
    """Where neither answer nor look comes, the state says what is known and is retried."""
    patch_fault(world, "act-answer", status=200, body=HTML, times=ALWAYS)
    look_fault(world, "answer", status=401, nth=2, times=ALWAYS, body={"error": {}})
    with pytest.raises(PartialFailureError, match="not known whether the update"):
        made.update(NEXT)
    world.faults.clear()
    made.update(NEXT)
    assert made.diff(NEXT).changes is False


def test_a_look_after_a_lost_update_is_made_though_the_time_is_up(
    world: World, made: Engine
) -> None:
    """The last look has seconds of its own."""
    made.timeout = 8
    patch_fault(world, "hang", times=ALWAYS)
    with pytest.raises(PartialFailureError, match="not serving after 8 s"):
        made.update(NEXT)
    assert made.state is not None
    assert made.state["image"] == NEXT["image"]


def test_an_unreachable_service_leaves_the_state_as_it_was(
    world: World, made: Engine
) -> None:
    """Nothing was sent, so nothing is looked for."""
    patch_fault(world, "refuse", times=ALWAYS)
    with pytest.raises(NotSentError):
        made.update(NEXT)
    assert made.diff(NEXT).changed == ("image",)


def test_a_refused_update_is_final(world: World, made: Engine) -> None:
    """A 400 is told as it is, once."""
    patch_fault(world, "answer", status=400, body={"error": {"message": "too big"}})
    with pytest.raises(BadRequestError, match="too big"):
        made.update(NEXT)
    assert world.writes() == ["PATCH"]


def test_a_service_that_only_fails_is_named(world: World, made: Engine) -> None:
    """5xx until the deadline, and a look that shows the old values: an error, no state."""
    made.timeout = 60
    patch_fault(world, "answer", status=503, times=ALWAYS, body={"error": {}})
    with pytest.raises(ServerError):
        made.update(NEXT)
    assert made.diff(NEXT).changed == ("image",)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("health_check_path", "/health"),
        ("description", "the shop's model"),
        ("args", ["--fast"]),
        ("environment_variables", {"MODE": "fast"}),
    ],
)
def test_a_clear_that_got_lost_does_not_count_as_done(
    world: World, engine: Engine, field: str, value: Any
) -> None:
    """Peers' bug 34: an update of nothing but clears is looked for like any other."""
    engine.create({**PROGRAM, field: value})
    patch_fault(world, "answer", status=200, body=HTML, times=4)
    engine.update(PROGRAM)
    assert not engine.diff(PROGRAM).changes
    shown = world.live()[field]
    assert value != shown
    assert "MODE" not in str(shown)


def test_an_extra_field_that_got_lost_does_not_count_as_done(
    world: World, made: Engine
) -> None:
    """A passed-through field is looked for where the service echoes it."""
    seen: list[Any] = []

    def echo(method: str, shown: dict[str, Any]) -> None:
        bodies = [body for verb, body in world.bodies if verb == "PATCH"]
        if "image" in shown:
            shown["novelty"] = bodies[-1]["novelty"] if len(bodies) > 4 else 0
            seen.append(method)

    world.spoil.append(echo)
    patch_fault(world, "answer", status=200, body=HTML, times=4)
    made.update({**PROGRAM, "extra": {"novelty": 1}})
    assert world.writes().count("PATCH") > 4
    assert made.state is not None
    assert made.state["extra"] == {"novelty": 1}


def test_an_extra_field_that_is_not_echoed_counts_as_sent(
    world: World, made: Engine
) -> None:
    """What an answer does not tell proves nothing; the rest of the body decides."""
    patch_fault(world, "raise")
    made.update({**NEXT, "extra": {"novelty": 1}})
    assert world.writes() == ["PATCH"]


# --- Conflicts -----------------------------------------------------------------


def test_a_conflict_is_looked_at_and_tried_again(world: World, made: Engine) -> None:
    """Case T8: 409 means that somebody is quicker; look, then insist."""
    patch_fault(world, "answer", status=409, times=2, body={"error": {}})
    made.update(NEXT)
    assert world.live()["image"] == NEXT["image"]


def test_a_conflict_without_end_is_an_error(world: World, made: Engine) -> None:
    """Case T8: three conflicts are enough."""
    patch_fault(world, "answer", status=409, times=ALWAYS, body={"error": {}})
    with pytest.raises(ConflictError):
        made.update(NEXT)
    assert world.writes() == ["PATCH"] * 3


def test_a_conflict_with_whoever_took_it_over_ends_the_update(
    world: World, made: Engine
) -> None:
    """What was taken over in between is not written to again."""
    identifier = world.live()["id"]

    def taken_over(method: str, _: str) -> None:
        if method == "PATCH":
            mark = "[pulumi-jig shop/test/other abcdef123456]"
            world.as_somebody(
                "PATCH", f"/deployments/{identifier}", {"description": mark}
            )

    world.before.append(taken_over)
    patch_fault(world, "answer", status=409, times=ALWAYS, body={"error": {}})
    with pytest.raises(OwnershipError, match="shop/test/other"):
        made.update(NEXT)
    assert world.writes() == ["PATCH"]


def test_what_somebody_changes_at_the_same_moment_is_not_called_green(
    world: World, made: Engine
) -> None:
    """A field that was true, so was not sent, and is not what the answer shows."""
    other = {"image": "registry.example/app:9"}

    def meddle(method: str, _: str) -> None:
        if method == "PATCH":
            world.as_somebody("PATCH", "/deployments/llm-prod", other)

    world.before.append(meddle)
    with pytest.raises(PartialFailureError, match=r"not what was asked for.* image"):
        made.update({**PROGRAM, "command": ["serve"]})
    assert made.diff({**PROGRAM, "command": ["serve"]}).changed == ("image",)


# --- Roll-outs -----------------------------------------------------------------


def test_a_stale_ready_is_not_taken_for_the_new_revision(
    world: World, made: Engine
) -> None:
    """Peers' bug 1: an answer that still shows the old revision, Ready, proves nothing."""
    old = world.live()
    patched: list[float] = []

    def stale(method: str, shown: dict[str, Any]) -> None:
        if method == "PATCH":
            patched.append(world.clock())
        if patched and "image" in shown and world.clock() < patched[0] + 10:
            shown.update(old)

    world.spoil.append(stale)
    with pytest.raises(PartialFailureError, match="keeps crashing"):
        made.update({**PROGRAM, "image": "registry.example/crashloop:1"})


def test_a_stale_ready_is_noticed_without_a_history(world: World, made: Engine) -> None:
    """Peers' bug 1: where there is no history, looks tell when the revision is new."""
    old = world.live()
    patched: list[float] = []

    def stale(method: str, shown: dict[str, Any]) -> None:
        if method == "PATCH":
            patched.append(world.clock())
        if patched and "image" in shown and world.clock() < patched[0] + 10:
            shown.update(old)

    world.spoil.append(stale)
    world.fault(
        f"GET {old['id']}/revisions", "answer", status=404, times=ALWAYS, body={}
    )
    look_fault(world, "answer", nth=2, status=403, body={"error": {}})
    with pytest.raises(PartialFailureError, match="keeps crashing"):
        made.update({**PROGRAM, "image": "registry.example/crashloop:1"})


def test_a_revision_that_is_kept_is_accepted_in_the_end(
    world: World, made: Engine
) -> None:
    """A service that makes no new revision for a change is not waited for for ever."""
    kept = world.live()["environment_variables"]

    def same(_: str, shown: dict[str, Any]) -> None:
        if "image" in shown:
            shown["environment_variables"] = kept
            for event in shown["replica_events"].values():
                event["revision_id"] = kept[0]["value"]
        if "data" in shown:
            shown["data"] = []

    world.spoil.append(same)
    began = world.clock()
    made.update(NEXT)
    assert made.state is not None
    assert made.state["image"] == NEXT["image"]
    assert 30 <= world.clock() - began < 120


def test_a_short_limit_ends_the_wait_for_a_revision(world: World, made: Engine) -> None:
    """The wait for a new revision ends with the operation's own limit."""
    kept = world.live()["environment_variables"]

    def same(_: str, shown: dict[str, Any]) -> None:
        if "image" in shown:
            shown["environment_variables"] = kept
        if "data" in shown:
            shown["data"] = []

    world.spoil.append(same)
    made.timeout = 10
    with pytest.raises(PartialFailureError):
        made.update(NEXT)


def test_a_failing_update_keeps_the_truth_and_is_tried_again(
    world: World, made: Engine
) -> None:
    """A failed roll-out shows the revision that failed, and the next up tries again."""
    bad = {**PROGRAM, "image": "registry.example/crashloop:1"}
    with pytest.raises(PartialFailureError):
        made.update(bad)
    assert made.state is not None
    assert made.state["image"] == bad["image"]
    with pytest.raises(PartialFailureError):
        made.update(bad)
    made.update(NEXT)
    assert made.state["status"] == "Ready"


def test_an_update_that_the_service_undoes_is_an_error(
    world: World, made: Engine
) -> None:
    """Peers' bug 4: a roll-back of the service's own is never green."""
    bad = {**PROGRAM, "image": "registry.example/rollback:1"}
    made.ignore = ()
    with pytest.raises(PartialFailureError):
        made.update(bad)
    world.let_pass(120)
    made.refresh()
    assert made.state is not None
    assert made.state["image"] == PROGRAM["image"]
    assert made.diff(bad).changed == ("image",)


def test_on_failed_update_rollback_goes_back_and_still_fails(
    world: World, made: Engine
) -> None:
    """With on_failed_update rollback the old revision serves, and the update is red."""
    bad = {
        **PROGRAM,
        "image": "registry.example/crashloop:1",
        "on_failed_update": "rollback",
    }
    with pytest.raises(PartialFailureError, match=r"(?s)crashing.*It was rolled back"):
        made.update(bad)
    assert world.live()["image"] == PROGRAM["image"]
    assert made.state is not None
    assert made.state["ready_replicas"] == 1
    assert made.diff(bad).changed == ("image",)


def test_a_roll_back_whose_answer_is_stale_waits_for_the_right_revision(
    world: World, made: Engine
) -> None:
    """The answer to a roll-back may still show what failed."""
    world.spoil.append(
        lambda method, shown: (
            shown.update(environment_variables=world.live()["environment_variables"])
            if method == "POST"
            else None
        )
    )
    failed: list[Any] = []

    def stale(method: str, shown: dict[str, Any]) -> None:
        if method == "PATCH":
            failed.append(shown["environment_variables"])
        if method == "POST" and failed:
            shown["environment_variables"] = failed[0]

    world.spoil.append(stale)
    bad = {
        **PROGRAM,
        "image": "registry.example/crashloop:1",
        "on_failed_update": "rollback",
    }
    with pytest.raises(PartialFailureError, match="It was rolled back"):
        made.update(bad)


@pytest.mark.parametrize("raises", [RuntimeError, SystemExit])
def test_a_roll_back_that_breaks_is_told_beside_the_reason(
    world: World, made: Engine, raises: type[BaseException]
) -> None:
    """The reason of the failure is told first, whatever happens to the roll-back."""
    identifier = world.live()["id"]
    world.fault(f"POST {identifier}/rollback", "raise", raises=raises)
    bad = {
        **PROGRAM,
        "image": "registry.example/crashloop:1",
        "on_failed_update": "rollback",
    }
    with pytest.raises(PartialFailureError, match=r"(?s)crashing.*failed as well"):
        made.update(bad)


def test_a_refused_roll_back_is_told_beside_the_reason(
    world: World, made: Engine
) -> None:
    """A revision that is gone from the history cannot be gone back to."""
    identifier = world.live()["id"]
    world.fault(f"POST {identifier}/rollback", "answer", status=404, body={"error": {}})
    bad = {
        **PROGRAM,
        "image": "registry.example/crashloop:1",
        "on_failed_update": "rollback",
    }
    with pytest.raises(PartialFailureError, match="failed as well"):
        made.update(bad)


def test_without_an_earlier_revision_there_is_no_roll_back(
    world: World, made: Engine
) -> None:
    """A service that names no revision cannot be asked for an earlier one."""

    def bare(_: str, shown: dict[str, Any]) -> None:
        if "image" in shown:
            shown["environment_variables"] = []
        if "data" in shown:
            shown["data"] = []

    world.spoil.append(bare)
    bad = {
        **PROGRAM,
        "image": "registry.example/crashloop:1",
        "on_failed_update": "rollback",
    }
    with pytest.raises(PartialFailureError, match="names no earlier revision"):
        made.update(bad)


def test_a_repair_that_fails_has_nothing_to_go_back_to(
    world: World, engine: Engine
) -> None:
    """An update that changes nothing and fails stands where it stood."""
    bad = {
        **PROGRAM,
        "image": "registry.example/crashloop:1",
        "on_failed_update": "rollback",
    }
    with pytest.raises(PartialFailureError):
        engine.create(bad)
    with pytest.raises(PartialFailureError, match="as before the update"):
        engine.update(bad)
    assert world.writes() == ["POST"]


def test_an_update_that_never_ends_is_told_and_tried_again(
    world: World, made: Engine
) -> None:
    """Case R20: a time limit ends the wait; the state shows what is live."""
    made.timeout = 120
    slow = {**PROGRAM, "image": "registry.example/never-ready:1"}
    with pytest.raises(PartialFailureError, match="not serving after 120 s"):
        made.update(slow)
    assert made.state is not None
    assert made.state["image"] == slow["image"]


def test_replica_bounds_keep_their_revision(world: World, made: Engine) -> None:
    """An update of the bounds waits for the replicas of the revision that is there."""
    made.update({**PROGRAM, "min_replicas": 2, "max_replicas": 3})
    assert made.state is not None
    assert made.state["ready_replicas"] == 2


def test_the_ceiling_follows_the_floor(world: World, made: Engine) -> None:
    """A ceiling that nobody declares becomes the floor."""
    made.update({**PROGRAM, "min_replicas": 2})
    assert world.bodies == [("PATCH", {"min_replicas": 2, "max_replicas": 2})]


# --- Dropped and ignored -------------------------------------------------------


def test_dropped_fields_are_cleared_on_the_service(
    world: World, engine: Engine
) -> None:
    """Cases V10, peers' bugs 34, 63: what the program drops goes away."""
    engine.create(
        {
            **PROGRAM,
            "port": 8000,
            "health_check_path": "/health",
            "args": ["--fast"],
            "command": ["serve"],
            "environment_variables": {"A": "1"},
            "description": "text",
            "min_replicas": 2,
            "max_replicas": 4,
            "autoscaling": {"metric": "HTTPTotalRequests", "target": 60},
        }
    )
    rest = {**PROGRAM, "port": 8000}
    engine.update(rest)
    live = world.live()
    assert engine.diff(rest).changes is False
    assert (live["health_check_path"], live["args"], live["command"]) == ("", [], [])
    assert [v["name"] for v in live["environment_variables"]] == [
        "TOGETHER_DEPLOYMENT_REVISION_ID"
    ]
    assert (live["min_replicas"], live["max_replicas"]) == (1, 1)
    assert live.get("autoscaling") in (None, {})


@pytest.mark.parametrize(
    "path", ["environment_variables.A", 'environment_variables["A"]']
)
def test_one_ignored_variable_stays_while_another_changes(
    world: World, engine: Engine, path: str
) -> None:
    """Case L8: a list that replaces all of them carries the ignored one as it is live."""
    engine.create({**PROGRAM, "environment_variables": {"A": "1", "B": "1"}})
    world.as_somebody(
        "PATCH",
        "/deployments/llm-prod",
        {
            "environment_variables": [
                {"name": "A", "value": "9"},
                {"name": "B", "value": "1"},
            ]
        },
    )
    world.let_pass(120)
    engine.ignore = (path,)
    engine.update({**PROGRAM, "environment_variables": {"A": "1", "B": "2"}})
    shown = {v["name"]: v["value"] for v in world.live()["environment_variables"]}
    assert (shown["A"], shown["B"]) == ("9", "2")


def test_two_ignored_variables_stay_both(world: World, engine: Engine) -> None:
    """Case L8: several paths into one field are all kept; one that is gone stays gone."""
    engine.create({**PROGRAM, "environment_variables": {"A": "1", "B": "1", "C": "1"}})
    world.as_somebody(
        "PATCH",
        "/deployments/llm-prod",
        {"environment_variables": [{"name": "A", "value": "9"}]},
    )
    world.let_pass(120)
    engine.ignore = ("environment_variables.A", "environment_variables.B")
    engine.update({**PROGRAM, "environment_variables": {"A": "1", "B": "1", "C": "2"}})
    shown = {v["name"]: v["value"] for v in world.live()["environment_variables"]}
    assert (shown["A"], shown["C"], "B" in shown) == ("9", "2", False)


def test_a_lost_update_with_an_ignored_variable_is_found(
    world: World, engine: Engine
) -> None:
    """Case L8: what was sent is compared, not what was declared."""
    engine.create({**PROGRAM, "environment_variables": {"A": "1", "B": "1"}})
    world.as_somebody(
        "PATCH",
        "/deployments/llm-prod",
        {
            "environment_variables": [
                {"name": "A", "value": "9"},
                {"name": "B", "value": "1"},
            ]
        },
    )
    world.let_pass(120)
    world.sent.clear()
    engine.ignore = ("environment_variables.A",)
    patch_fault(world, "raise")
    engine.update({**PROGRAM, "environment_variables": {"A": "1", "B": "2"}})
    assert world.writes() == ["PATCH"]


@pytest.mark.parametrize(
    "path", ["environment_variables", "environment_variables[*]", "cpu"]
)
def test_an_ignored_field_is_not_sent(world: World, engine: Engine, path: str) -> None:
    """Case L8: ignore_changes keeps a field as it is live."""
    program = {**PROGRAM, "cpu": 1, "environment_variables": {"A": "1"}}
    engine.create(program)
    drift = {"cpu": 2, "environment_variables": [{"name": "A", "value": "2"}]}
    world.as_somebody("PATCH", "/deployments/llm-prod", drift)
    world.let_pass(120)
    engine.ignore = (path,)
    engine.update({**program, "image": "registry.example/app:2"})
    field = path.partition("[")[0]
    assert field not in world.bodies[-1][1]
    assert len(world.bodies[-1][1]) == 2


def test_a_whole_field_that_is_ignored_wins_over_a_part(
    world: World, engine: Engine
) -> None:
    """Case L8: both the field and a key inside it may be listed, in either order."""
    program = {**PROGRAM, "environment_variables": {"A": "1"}}
    engine.create(program)
    engine.ignore = ("environment_variables", "environment_variables.A")
    engine.update(
        {**NEXT, "environment_variables": {"A": "1", "B": "2"}},
    )
    assert world.bodies[-1][1] == {"image": NEXT["image"]}


def test_ignored_bounds_are_neither_sent_nor_waited_for(
    world: World, made: Engine
) -> None:
    """Case L8: a floor that is ignored is not what the roll-out must reach."""
    world.as_somebody(
        "PATCH", "/deployments/llm-prod", {"min_replicas": 1, "max_replicas": 3}
    )
    world.let_pass(120)
    made.ignore = ("min_replicas", "max_replicas")
    made.update({**NEXT, "min_replicas": 2})
    assert world.bodies == [("PATCH", {"image": NEXT["image"]})]
    assert made.state is not None
    assert made.state["status"] == "Ready"


def test_an_ignored_ceiling_does_not_follow_the_floor(
    world: World, made: Engine
) -> None:
    """Case L8: the implied ceiling is not sent where the program ignores it."""
    world.as_somebody("PATCH", "/deployments/llm-prod", {"max_replicas": 5})
    made.ignore = ("max_replicas",)
    made.update({**PROGRAM, "min_replicas": 2})
    assert world.bodies == [("PATCH", {"min_replicas": 2})]


@pytest.mark.parametrize(
    ("path", "sent"), [("extra", {}), ("extra.novelty", {"other": 1})]
)
def test_ignored_extra_fields_are_not_sent(
    world: World, made: Engine, path: str, sent: dict[str, Any]
) -> None:
    """Case L8: fields that are passed through can be ignored, all or one."""
    made.ignore = (path,)
    made.update({**NEXT, "extra": {"novelty": 1, "other": 1}})
    assert world.bodies == [("PATCH", {**sent, "image": NEXT["image"]})]


def test_an_ignored_field_that_is_dropped_is_not_cleared(
    world: World, engine: Engine
) -> None:
    """Case L8: a clear is a change as well."""
    engine.create({**PROGRAM, "health_check_path": "/health", "port": 80})
    engine.ignore = ("health_check_path",)
    engine.update({**NEXT, "port": 80})
    assert world.live()["health_check_path"] == "/health"


# --- Whose it is ---------------------------------------------------------------


def test_a_missing_mark_is_written_again(world: World, made: Engine) -> None:
    """An equal id without a mark is ours still; the next update marks it."""
    world.as_somebody("PATCH", "/deployments/llm-prod", {"description": "by hand"})
    made.update(NEXT)
    assert "[pulumi-jig shop/prod/llm " in world.live()["description"]
    # The program gives no description, so somebody else's does not stay.
    assert "by hand" not in world.live()["description"]


def test_a_description_carries_the_mark_along(world: World, made: Engine) -> None:
    """A new description does not lose the mark."""
    made.update({**PROGRAM, "description": "new"})
    assert world.live()["description"].startswith("new [pulumi-jig shop/prod/llm ")


@pytest.mark.parametrize(
    "mark",
    [
        "[pulumi-jig shop/test/other abcdef123456]",
        "[pulumi-jig shop/prod/llm abcdef12]",
    ],
    ids=["another resource", "same resource, another nonce"],
)
def test_a_foreign_mark_ends_the_update(world: World, made: Engine, mark: str) -> None:
    """What was taken over is not written to."""
    world.as_somebody("PATCH", "/deployments/llm-prod", {"description": mark})
    with pytest.raises(OwnershipError, match="was taken over"):
        made.update(NEXT)
    assert world.writes() == []


def test_without_marks_the_id_is_the_proof(world: World, engine: Engine) -> None:
    """Where marks are off, an equal id is ours whatever the description says."""
    program = {**PROGRAM, "ownership_mark": False}
    engine.create(program)
    memory.forget()
    world.as_somebody(
        "PATCH",
        "/deployments/llm-prod",
        {"description": "[pulumi-jig shop/test/other abcdef123456]"},
    )
    engine.update({**program, "image": NEXT["image"]})
    assert world.live()["image"] == NEXT["image"]


def test_a_namesake_with_another_id_is_not_updated(world: World, made: Engine) -> None:
    """Somebody deleted ours and made a new one: that is not ours, and ours is gone."""
    world.as_somebody("DELETE", "/deployments/llm-prod")
    world.let_pass(60)
    world.as_somebody("POST", "/deployments", PROGRAM)
    with pytest.raises(PartialFailureError, match=r"pulumi refresh"):
        made.update(NEXT)
    assert world.writes() == []


def test_an_answer_about_another_id_is_not_trusted(world: World, made: Engine) -> None:
    """A service that answers with another deployment than was asked for is refused."""

    def other(_: str, shown: dict[str, Any]) -> None:
        shown["id"] = "another"

    world.spoil.append(other)
    with pytest.raises(OwnershipError, match="has another id"):
        made.update(NEXT)
    assert world.writes() == []


@pytest.mark.parametrize("marked", [True, False])
def test_a_name_alone_is_no_proof(
    world: World, engine: Engine, *, marked: bool
) -> None:
    """A state without an id does not trust an unmarked deployment of its name."""
    program = {**PROGRAM, "ownership_mark": marked}
    engine.create(program)
    memory.forget()
    assert engine.state is not None
    del engine.state["deployment_id"]
    world.as_somebody("PATCH", "/deployments/llm-prod", {"description": ""})
    world.sent.clear()
    with pytest.raises(OwnershipError, match="Nothing tells whether"):
        engine.update({**program, "image": NEXT["image"]})
    assert world.writes() == []


def test_our_mark_is_a_proof_without_an_id(world: World, made: Engine) -> None:
    """A state without an id trusts its own nonce."""
    assert made.state is not None
    del made.state["deployment_id"]
    made.update(NEXT)
    assert world.live()["image"] == NEXT["image"]


def test_a_foreign_mark_is_refused_without_an_id(world: World, made: Engine) -> None:
    """A state without an id is no reason to write to another resource's deployment."""
    assert made.state is not None
    del made.state["deployment_id"]
    world.as_somebody(
        "PATCH",
        "/deployments/llm-prod",
        {"description": "[pulumi-jig shop/test/other abcdef123456]"},
    )
    with pytest.raises(OwnershipError, match="carries the mark of shop/test/other"):
        made.update(NEXT)


def test_a_key_of_another_account_is_refused(world: World, made: Engine) -> None:
    """Case L5: a deployment of one account is not worked on with another's key."""
    made.use_key("acct:rival:1")
    with pytest.raises(ConfigError, match="belongs to account org_rival/proj_rival"):
        made.update(NEXT)
    assert world.writes() == []


def test_a_rotated_key_of_the_same_account_works(world: World, made: Engine) -> None:
    """Peers' bug 26: a key may change between two runs."""
    made.use_key("acct:home:rotated")
    made.update(NEXT)
    assert world.live()["image"] == NEXT["image"]


def test_a_404_without_a_word_on_the_account_proves_nothing(
    world: World, made: Engine
) -> None:
    """Case L5: where nobody says whose key it is, a deployment is not given up."""
    look_fault(world, "answer", status=404, times=ALWAYS, body={"error": {}})
    made.use_key(KEY)
    world.fault("GET /v3/whoami", "answer", status=500, times=ALWAYS, body={})
    with pytest.raises(ConfigError, match="not whose key this is"):
        made.update(NEXT)


def test_a_404_of_a_proxy_proves_nothing(world: World, made: Engine) -> None:
    """Case L5: a page is not the service's word."""
    look_fault(world, "answer", status=404, times=ALWAYS, body=HTML)
    with pytest.raises(NotFoundError, match="not in the API's own words"):
        made.update(NEXT)


def test_a_state_without_an_account_learns_it(world: World, engine: Engine) -> None:
    """Where whoami was silent at creation, an update fills the gap."""
    world.fault("GET /v3/whoami", "answer", status=404, body={})
    engine.create(PROGRAM)
    engine.use_key(KEY)
    engine.update(NEXT)
    assert engine.state is not None
    assert engine.state["__account"] == "org_home/proj_home"


# --- Unconfirmed creations -----------------------------------------------------


def unconfirmed(world: World, engine: Engine, program: dict[str, Any], do: Any) -> None:
    world.fault("POST /v1/deployments", do)
    world.fault("GET /deployments/llm-prod", "answer", status=401, body={"error": {}})
    if program.get("ownership_mark") is False:
        world.faults[-1].nth = 2
    with pytest.raises(PartialFailureError):
        engine.create(program)
    world.faults.clear()
    memory.forget()


@pytest.mark.parametrize("marked", [True, False])
def test_an_unconfirmed_creation_that_happened_is_taken_up(
    world: World, engine: Engine, *, marked: bool
) -> None:
    """The next update finds what was accepted, and updates it."""
    program = {**PROGRAM, "ownership_mark": marked}
    unconfirmed(world, engine, program, "swallow")
    assert engine.diff(program).changes is True
    engine.update({**program, "image": NEXT["image"]})
    assert engine.state is not None
    assert "__unconfirmed" not in engine.state
    assert engine.state["deployment_id"] == world.live()["id"]
    assert world.posts() == 1


def test_an_unconfirmed_creation_that_did_not_happen_is_made(
    world: World, engine: Engine
) -> None:
    """The next update creates what is truly absent."""
    unconfirmed(world, engine, PROGRAM, "lose")
    engine.update(PROGRAM)
    assert engine.state is not None
    assert "__unconfirmed" not in engine.state
    assert engine.diff(PROGRAM).changes is False


def test_an_unconfirmed_creation_whose_name_is_taken_is_told(
    world: World, engine: Engine
) -> None:
    """A namesake that came in between is not ours."""
    unconfirmed(world, engine, PROGRAM, "lose")
    world.as_somebody("POST", "/deployments", PROGRAM)
    world.sent.clear()
    with pytest.raises(OwnershipError, match="carries no mark"):
        engine.update(PROGRAM)
    assert world.writes() == []


def test_an_unconfirmed_creation_is_dropped_by_a_refresh_that_finds_nothing(
    world: World, engine: Engine
) -> None:
    """A proved absence settles it."""
    unconfirmed(world, engine, PROGRAM, "lose")
    assert engine.refresh() is False


def test_an_unconfirmed_creation_is_settled_by_a_refresh(
    world: World, engine: Engine
) -> None:
    """A refresh that finds our mark confirms it."""
    unconfirmed(world, engine, PROGRAM, "swallow")
    assert engine.refresh() is True
    assert engine.state is not None
    assert engine.state["deployment_id"] == world.live()["id"]
    assert "__unconfirmed" not in engine.state


def test_a_refresh_does_not_take_a_namesake_for_an_unconfirmed_creation(
    world: World, engine: Engine
) -> None:
    """A namesake with another's mark is not ours; the state lets the creation go."""
    unconfirmed(world, engine, PROGRAM, "lose")
    mark = "[pulumi-jig other/prod/llm 0123456789ab]"
    world.as_somebody("POST", "/deployments", {**PROGRAM, "description": mark})
    assert engine.refresh() is False
    assert engine.logged[-1][0] == "warning"
    assert "somebody else's" in engine.logged[-1][1]


def test_an_unmarked_namesake_of_an_unconfirmed_creation_keeps_the_state(
    world: World, engine: Engine
) -> None:
    """Without a mark nobody can tell, so the state is kept and a person decides."""
    unconfirmed(world, engine, PROGRAM, "lose")
    world.as_somebody("POST", "/deployments", PROGRAM)
    with pytest.raises(OwnershipError, match="cannot be told"):
        engine.refresh()


def test_an_unconfirmed_creation_that_happened_is_deleted(
    world: World, engine: Engine
) -> None:
    """A destroy leaves nothing of it."""
    unconfirmed(world, engine, PROGRAM, "swallow")
    engine.delete()
    assert world.names() == []


def test_anothers_namesake_of_an_unconfirmed_creation_is_not_deleted(
    world: World, engine: Engine
) -> None:
    """A destroy leaves the namesake alone, says which it is, and is done."""
    unconfirmed(world, engine, PROGRAM, "lose")
    mark = "[pulumi-jig other/prod/llm 0123456789ab]"
    body = {**PROGRAM, "description": mark}
    identifier = world.as_somebody("POST", "/deployments", body)["id"]
    engine.delete()
    assert world.names() == ["llm-prod"]
    assert identifier in engine.logged[-1][1]


@pytest.mark.parametrize("marked", [True, False])
def test_a_destroy_does_not_let_go_of_what_may_be_ours(
    world: World, engine: Engine, *, marked: bool
) -> None:
    """An unmarked namesake that was changed by hand may be ours: the state is kept."""
    unconfirmed(world, engine, {**PROGRAM, "ownership_mark": marked}, "lose")
    changed = {**PROGRAM, "image": NEXT["image"]}
    world.as_somebody("POST", "/deployments", changed)
    with pytest.raises(OwnershipError, match="cannot be told"):
        engine.delete()
    assert world.names() == ["llm-prod"]
