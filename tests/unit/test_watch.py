"""Waiting for a goal: when a wait ends, how, and what it says."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from core_cases import FULL, OLDER, REVISION, answer

from pulumi_jig import rollout
from pulumi_jig.deadline import Deadline
from pulumi_jig.errors import (
    AuthenticationError,
    BadRequestError,
    EngineDisconnectedError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    RolloutFailedError,
    RolloutInterruptedError,
    RolloutTimeoutError,
    ServerError,
)
from pulumi_jig.rollout import Goal, Watch

READY = {
    "replica_status": "Running",
    "replica_ready_since": "2026-11-22T08:00:00Z",
    "revision_id": REVISION,
}
WAITING = {
    "replica_status": "Waiting",
    "replica_status_reason": "ContainerCreating",
    "revision_id": REVISION,
}


def waiting(reason, message=None):
    return {
        **WAITING,
        "replica_status_reason": reason,
        "replica_status_message": message,
    }


def marked(revision):
    return [{"name": "TOGETHER_DEPLOYMENT_REVISION_ID", "value": revision}]


def going(*replicas, status="Updating", **more):
    """An answer with these replicas."""
    events = {f"r{number}": replica for number, replica in enumerate(replicas)}
    return answer(replica_events=events, status=status, **more)


SERVING = going(READY, status="Ready")
STARTING = going(WAITING)
GONE = NotFoundError("gone", status=404, detail="deployment not found")
GOAL = Goal("llm-prod", revision_id=REVISION, health_checked=True)


@dataclass
class Play:
    """
    A service that answers by a script of (seconds from the start, answer or error).

    Attributes:
        script: The last entry whose time has come answers.
        looks: When it was asked, in seconds from the start.
        lines: What people saw.
    """

    script: list
    goal: Goal = GOAL
    timeout: float = 1200.0
    alive_until: float = float("inf")
    now: float = 1000.0
    looks: list = field(default_factory=list)
    lines: list = field(default_factory=list)
    options: dict = field(default_factory=dict)

    @property
    def seconds(self):
        return self.now - 1000.0

    def fetch(self):
        self.looks.append(round(self.seconds, 2))
        told = [what for since, what in self.script if since <= self.seconds][-1]
        if isinstance(told, Exception):
            raise told
        return told

    def sleep(self, seconds):
        self.now += seconds

    def run(self):
        ctx = Deadline(
            self.timeout,
            clock=lambda: self.now,
            sleep=self.sleep,
            engine_alive=lambda: self.seconds < self.alive_until,
        )
        watch = Watch(
            self.goal, self.fetch, ctx, report=self.lines.append, **self.options
        )
        return watch.run()

    def fails(self, kind=RolloutFailedError):
        with pytest.raises(kind) as caught:
            self.run()
        return caught.value


# --- Success -------------------------------------------------------------------


def test_a_wait_ends_when_the_revision_serves():
    """The answer that showed it is returned, and people saw the way there."""
    play = Play([(0, STARTING), (5, SERVING)])

    assert SERVING is play.run()
    assert [
        "0/1 replicas ready · ContainerCreating (replica r0) (0 s)",
        "1/1 replicas ready (5 s)",
    ] == [play.lines[0], play.lines[-1]]


def test_with_a_health_check_one_look_is_enough():
    """The platform has asked the container, so its word is believed."""
    play = Play([(0, SERVING)])
    play.run()

    assert [0] == play.looks


def test_without_a_health_check_readiness_must_hold():
    """A container counts as ready as soon as it starts, so it is looked at again."""
    goal = Goal("llm-prod", revision_id=REVISION)
    play = Play([(0, SERVING)], goal)
    flapping = Play([(0, SERVING), (0.5, STARTING), (20, SERVING)], goal)
    play.run()
    flapping.run()

    assert [0, 1] == play.looks
    assert 20 < flapping.looks[-1]


def test_a_mere_counter_must_hold_as_well():
    """Without events of the revision a second look must agree, health check or not."""
    counted = answer(replica_events=None)
    play = Play([(0, counted)])
    play.run()

    assert [0, 1] == play.looks


def test_scaled_to_zero_is_a_success():
    """With a floor of zero nobody has to serve."""
    goal = Goal("llm-prod", floor=0, revision_id=REVISION)
    play = Play([(0, STARTING), (3, going(status="ScaledToZero"))], goal)

    assert "ScaledToZero" == play.run().status


def test_a_stale_ready_is_not_believed():
    """Peers' bug 1: the revision before serves on; ours crashes, and that is the end."""
    stale = going(status="Ready", environment_variables=marked(OLDER), ready_replicas=3)
    play = Play([(0, stale), (8, going(waiting("CrashLoopBackOff")))])

    assert "keeps crashing" in play.fails().message


def test_a_stale_ready_without_markers_is_not_believed():
    """Peers' bugs 1 and 3: only a time of update that moved shows the change."""
    goal = Goal("llm-prod", not_before=FULL["updated_at"])
    bare = {"environment_variables": None, "replica_events": None}
    stale = answer(**bare)
    fresh = answer(**bare, updated_at="2026-11-22T09:00:00Z")

    assert fresh is Play([(0, stale), (9, fresh)], goal).run()


def test_without_any_marker_the_status_must_leave_ready():
    """Peers' bug 3: where nothing else tells, being under way shows the change."""
    goal = Goal("llm-prod", not_before=FULL["updated_at"], status_before="Ready")
    bare = {"environment_variables": None, "replica_events": None, "updated_at": None}
    stale, busy = answer(**bare), answer(**bare, status="Updating")
    play = Play([(0, stale), (9, busy), (30, stale)], goal)
    play.run()

    assert 30 < play.looks[-1]
    assert RolloutTimeoutError is type(
        Play([(0, stale)], goal).fails(RolloutTimeoutError)
    )


# --- Failure -------------------------------------------------------------------


#: What every failed roll-out says: whether it bills, and the way on.
WHAT_TO_DO = (
    "It may be running and billing: correct the program and run `pulumi up`, or take "
    "it down with `pulumi destroy`."
)


def test_an_interrupted_wait_ends_at_once():
    """Ctrl-C ends the wait, says that the deployment goes on, and rolls nothing back."""
    play = Play([(0, going())], options={"interrupted": lambda: True})
    error = play.fails(RolloutInterruptedError)

    assert "was interrupted" in error.message
    assert "may be running and billing" in error.message
    assert [0] == play.looks


def test_a_failure_ends_the_wait_at_the_first_look():
    """Peers' bug 2: `Failed` is an end within one poll."""
    play = Play([(0, going(status="Failed"))])
    error = play.fails()

    assert (
        "Deployment llm-prod does not serve: the service reports it as Failed. "
        f"{WHAT_TO_DO}"
    ) == error.message
    assert ([0], ("the service reports it as Failed",), FULL["id"]) == (
        play.looks,
        error.reasons,
        error.last["id"],
    )


def test_a_crash_tells_replica_and_last_words():
    """The reason, the replica and the last lines of its output are in the message."""
    asked = []

    def logs(replica):
        asked.append(replica)
        return [f"line {number}" for number in range(40)] + ["x" * 9999]

    play = Play([(0, going(waiting("CrashLoopBackOff", "exit 1")))])
    play.options["logs"] = logs
    lines = play.fails().message.splitlines()

    assert (
        "Deployment llm-prod does not serve: the container keeps crashing "
        f"(CrashLoopBackOff: exit 1) on replica r0. {WHAT_TO_DO} Last output:"
    ) == lines[0]
    assert ["r0"] == asked
    assert (12, "    line 29", 504) == (len(lines) - 1, lines[1], len(lines[-1]))


def test_output_that_cannot_be_had_hides_nothing():
    """The failure is told although its logs fail."""

    def logs(_replica):
        raise ServerError("no logs", status=500)

    play = Play([(0, going(waiting("CrashLoopBackOff")))], options={"logs": logs})

    assert play.fails().message.endswith(f"on replica r0. {WHAT_TO_DO}")


@pytest.mark.parametrize("reason", ["ErrImagePull", "OOMKilled"])
def test_what_may_heal_gets_a_grace(reason):
    """A pull error or a memory kill that passes is no failure."""
    play = Play([(0, going(waiting(reason))), (45, SERVING)])

    assert SERVING is play.run()


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("ErrImagePull", "the image cannot be pulled (ErrImagePull)"),
        ("OOMKilled", "the container ran out of memory (OOMKilled)"),
    ],
)
def test_what_does_not_heal_ends_the_wait(reason, why):
    """After the grace it is a failure, with how long it lasted."""
    play = Play([(0, going(waiting(reason)))])
    message = play.fails().message

    assert f"{why}, for " in message
    assert 60 <= play.seconds <= 70


def test_a_grace_begins_anew_with_every_ailment():
    """A replica that recovered in between starts from the beginning."""
    ailing = going(waiting("ErrImagePull"))
    play = Play([(0, ailing), (40, STARTING), (50, ailing), (90, SERVING)])

    assert SERVING is play.run()


def test_a_grace_can_be_chosen():
    """Who knows the registry sets how long a pull error may last."""
    goal = Goal("llm-prod", revision_id=REVISION, pull_grace=0)

    play = Play([(0, going(waiting("ErrImagePull")))], goal)
    play.fails()

    assert [0] == play.looks


def test_a_failed_left_over_from_before_gets_a_grace():
    """A repair is not ended by the status word of what it repairs."""
    goal = Goal("llm-prod", revision_id=REVISION, status_before="Failed")
    failed = going(status="Failed")
    healed = Play([(0, failed), (5, STARTING), (9, SERVING)], goal)
    again = Play([(0, failed), (5, STARTING), (9, failed)], goal)
    never = Play([(0, failed)], goal)
    healed.run()
    again.fails()
    never.fails()

    assert 5 < again.seconds < 20
    assert 30 <= never.seconds < 45


def test_a_crash_is_no_leftover():
    """Only the bare word may be left over; a replica that crashes is a fact."""
    goal = Goal("llm-prod", revision_id=REVISION, status_before="Failed")
    play = Play([(0, going(waiting("CrashLoopBackOff"), status="Failed"))], goal)
    play.fails()

    assert [0] == play.looks


# --- Another revision ----------------------------------------------------------

OTHER = going(status="Ready", environment_variables=marked("other"))


@pytest.mark.parametrize("newest", [lambda: REVISION, lambda: None])
def test_a_revision_that_does_not_show_yet_is_waited_for(newest):
    """The answer may lag behind; that is not a step back."""
    play = Play([(0, OTHER), (9, SERVING)], options={"newest_revision": newest})

    assert SERVING is play.run()


def test_a_step_back_is_a_failure():
    """Peers' bug 4: a roll-back that the service made by itself is never green."""
    options = {"newest_revision": lambda: "other", "is_as_sent": lambda _: False}
    message = Play([(0, OTHER)], options=options).fails().message

    assert f"the service went back to revision other instead of {REVISION}" in message


def test_a_step_back_is_seen_without_a_history():
    """Peers' bug 4: what was ours and is no longer has gone back."""
    options = {"is_as_sent": lambda _: False}
    play = Play([(0, STARTING), (9, OTHER)], options=options)

    assert "went back" in play.fails().message


@pytest.mark.parametrize("error", [GONE, ServerError("no", status=500)])
def test_a_history_that_cannot_be_had_proves_nothing(error):
    """A failed look at the history is no step back."""

    def newest():
        raise error

    play = Play([(0, OTHER), (9, SERVING)], options={"newest_revision": newest})

    assert SERVING is play.run()


def test_a_revision_of_the_platforms_own_is_as_good():
    """The platform may renew a revision; what serves is still what was sent."""
    serving = going(
        {**READY, "revision_id": "other"}, environment_variables=marked("other")
    )
    options = {"newest_revision": lambda: "other", "is_as_sent": lambda _: True}

    assert serving is Play([(0, serving)], options=options).run()


# --- The world -----------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        OutcomeUnknownError("reset"),
        NotSentError("refused"),
        RateLimitError("slow down", status=429),
        ServerError("oops", status=502),
        NotFoundError("a proxy's page", status=404, from_api=False),
    ],
)
def test_a_look_that_fails_is_not_the_end(error):
    """Peers' bug 53: blips pass, whenever they come, and are shown."""
    play = Play([(0, STARTING), (2, error), (400, SERVING)])

    assert SERVING is play.run()
    assert f"no answer from the service ({type(error).__name__})" in play.lines


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationError("expired", status=401),
        PermissionDeniedError("no", status=403),
        BadRequestError("what?", status=400),
    ],
)
def test_a_refusal_ends_the_wait(error):
    """Peers' bug 11: a key that was revoked is told at once."""
    play = Play([(0, STARTING), (2, error)])
    play.fails(type(error))

    assert 5 > play.seconds


def test_a_deployment_that_disappears_is_told():
    """Somebody deleted it while it was rolling out: nothing of it bills any more."""
    error = Play([(0, STARTING), (2, GONE)]).fails()

    assert "somebody deleted it. Nothing of it runs any more" in error.message
    assert (("deployment not found",), "llm-prod") == (
        error.reasons,
        error.last["name"],
    )


def test_a_deployment_may_take_a_moment_to_show():
    """Case R6: right after the creation it may be unknown to the next request."""
    assert SERVING is Play([(0, GONE), (10, SERVING)]).run()


def test_a_deployment_that_never_shows_is_gone():
    """The moment is bounded, and the end says that nothing was seen."""
    play = Play([(0, NotFoundError("gone", status=404))])
    error = play.fails()

    assert (("not found",), None) == (error.reasons, error.last)
    assert 15 <= play.seconds <= 30


def test_nobody_waits_for_an_engine_that_is_gone():
    """Case T15: the wait ends within a second, and asks nothing more."""
    play = Play([(0, STARTING)], alive_until=100)
    play.fails(EngineDisconnectedError)

    assert 100 <= play.seconds <= 101
    assert 100 > play.looks[-1]


# --- Time ----------------------------------------------------------------------


def test_a_timeout_says_that_the_deployment_goes_on():
    """Case R20: the last line, the status, the bill and the way on are in the message."""
    error = Play([(0, STARTING)], timeout=90).fails(RolloutTimeoutError)

    assert (
        "Deployment llm-prod was not serving after 90 s (0/1 replicas ready · "
        "ContainerCreating (replica r0); status Updating). The wait ended, the "
        "deployment did not: it may be running and billing. `pulumi up` waits again; "
        "`custom_timeouts` allows more time."
    ) == error.message
    assert "Updating" == error.last["status"]
    assert error.reasons[0].startswith("not serving after 90 s: 0/1")


def test_a_timeout_without_any_answer_says_so():
    """Who never answered has no status."""
    error = Play([(0, NotSentError("refused"))], timeout=30).fails(RolloutTimeoutError)

    assert "no answer from the service (NotSentError); status unknown" in error.message
    assert error.last is None


def test_a_wait_ends_on_time():
    """Case T11: nothing is slept past the deadline, which may be over already."""
    late = Play([(0, STARTING)], timeout=0)
    play = Play([(0, STARTING)], timeout=33)
    late.fails(RolloutTimeoutError)
    play.fails(RolloutTimeoutError)

    assert ([0], 33) == (late.looks, play.seconds)


def test_an_hour_of_waiting_is_at_most_370_requests():
    """Peers' bug 60: a long wait neither hangs nor hammers, and shows every look."""
    play = Play([(0, STARTING)], timeout=3600)
    play.fails(RolloutTimeoutError)

    assert 350 <= len(play.looks) <= 370
    assert len(play.lines) == len(play.looks)


def test_looks_are_frequent_at_first_and_rare_later():
    """A quick roll-out is seen at once; a slow one is asked six times a minute."""
    play = Play([(0, STARTING)], timeout=120)
    play.fails(RolloutTimeoutError)
    pauses = [b - a for a, b in zip(play.looks, play.looks[1:], strict=False)]

    assert (0.25, 10.0) == (round(pauses[0], 2), round(max(pauses), 2))
    assert pauses == sorted(pauses)


def test_nobody_has_to_listen():
    """A wait works without anybody who takes its lines."""
    ctx = Deadline(10)

    assert SERVING is Watch(GOAL, lambda: SERVING, ctx).run()


def test_the_public_names_are_those_that_exist():
    """Everything that `__all__` promises is there, and a typing error is told."""
    assert all(getattr(rollout, name) is not None for name in rollout.__all__)
    with pytest.raises(AttributeError, match="Wtach"):
        _ = rollout.Wtach


def test_a_wait_that_ends_between_two_looks_says_that_one_was_ready():
    """Without a health check ready must hold; the message says that it was seen once."""
    play = Play(
        [(0.0, SERVING)], goal=Goal("llm-prod", revision_id=REVISION), timeout=0.5
    )
    assert "but not for long enough" in play.fails(RolloutTimeoutError).message
