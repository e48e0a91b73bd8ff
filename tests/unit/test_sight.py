"""Judging one answer: how far a roll-out is, and what is wrong with it."""

from __future__ import annotations

import pytest
from core_cases import FULL, JUNK, OLDER, REVISION, answer
from hypothesis import given
from hypothesis import strategies as st

from pulumi_jig.rollout import Goal, look, summary
from pulumi_jig.values import has_unknown

READY = {"replica_status": "Running", "replica_ready_since": "2026-11-22T08:00:00Z"}
RUNNING = {"replica_status": "Running"}
WAITING = {"replica_status": "Waiting", "replica_status_reason": "ContainerCreating"}
GOAL = Goal("llm-prod", revision_id=REVISION)


def event(base, revision=REVISION, **more):
    return {**base, "revision_id": revision, **more}


def waiting(reason, message=None):
    found = {"replica_status": "Waiting", "replica_status_reason": reason}
    return event(found, replica_status_message=message)


def see(goal=GOAL, *replicas, status="Updating", **more):
    """A look at an answer with these replicas."""
    events = {f"r{number}": replica for number, replica in enumerate(replicas)}
    return look(answer(replica_events=events, status=status, **more), goal)


# (goal, status, replicas, ready, reached)
PROGRESS = [
    (GOAL, "Updating", [], 0, False),
    (GOAL, "Updating", [event(WAITING)], 0, False),
    (GOAL, "Updating", [event(RUNNING)], 0, False),
    (GOAL, "Updating", [event(READY)], 1, True),
    (GOAL, "Ready", [event(READY)], 1, True),
    (GOAL, "Ready", [event(RUNNING)], 0, False),
    (GOAL, "Ready", [event(READY, OLDER)], 0, False),
    (GOAL, "Scaling", [event(READY), event(READY, OLDER)], 1, True),
    (Goal("n", floor=2, revision_id=REVISION), "Ready", [event(READY)], 1, False),
    (Goal("n", floor=2, revision_id=REVISION), "Ready", [event(READY)] * 2, 2, True),
    (
        Goal("n", "first_replica", floor=4, revision_id=REVISION),
        "Updating",
        [event(READY), event(WAITING)],
        1,
        True,
    ),
    (Goal("n", floor=0, revision_id=REVISION), "Updating", [], 0, False),
    (Goal("n", floor=0, revision_id=REVISION), "Updating", [event(READY)], 1, True),
    (Goal("n", floor=0, revision_id=REVISION), "ScaledToZero", [], 0, True),
    (GOAL, "ScaledToZero", [], 0, False),
    (GOAL, "Pausing", [], 0, False),
    (GOAL, None, [], 0, False),
]


@pytest.mark.parametrize(("goal", "status", "replicas", "ready", "reached"), PROGRESS)
def test_replicas_of_the_revision_count(goal, status, replicas, ready, reached):
    """Peers' bugs 1 and 5: what counts is who serves of the revision, not the word."""
    sight = see(goal, *replicas, status=status, ready_replicas=0)

    assert (ready, reached, None) == (sight.ready, sight.reached, sight.fatal)


def test_another_revision_is_not_ours():
    """Peers' bug 1: an answer about the revision before says nothing about ours."""
    sight = see(Goal("n", revision_id="new"), event(READY), status="Ready")

    assert (0, False, REVISION) == (sight.ready, sight.reached, sight.other_revision)
    assert "waiting for revision new" == sight.line


# --- Without a marker, or without events ----------------------------------------


@pytest.mark.parametrize(
    ("status", "count", "reached"),
    [
        ("Ready", 1, True),
        ("Updating", 1, False),
        ("Ready", 0, False),
        ("Ready", None, False),
        ("Ready", "many", False),
    ],
)
@pytest.mark.parametrize("events", [None, {}, {"a": None}, "strange", [1]])
def test_without_events_the_counter_counts_with_the_word(
    events, status, count, reached
):
    """Peers' bug 3: null events leave the counter, and the word that all is done."""
    item = answer(replica_events=events, status=status, ready_replicas=count)

    sight = look(item, GOAL)

    assert (reached, False) == (sight.reached, sight.by_events)


def test_events_that_name_no_revision_are_not_counted():
    """They cannot be told apart from those of the revision before."""
    sight = see(GOAL, READY, READY, status="Updating")

    assert (0, False) == (sight.ready, sight.by_events)


UNMARKED = {"environment_variables": []}


@pytest.mark.parametrize(
    ("not_before", "updated_at", "stale"),
    [
        (None, None, False),
        (None, FULL["updated_at"], False),
        (FULL["updated_at"], FULL["updated_at"], True),
        (FULL["updated_at"], "2026-11-22T09:00:00Z", False),
        (FULL["updated_at"], None, True),
    ],
)
@pytest.mark.parametrize("revision", [None, REVISION])
def test_without_a_marker_the_time_of_update_must_have_moved(
    revision, not_before, updated_at, stale
):
    """Peers' bug 3: a stale Ready is not believed, known revision or not."""
    goal = Goal("n", revision_id=revision, not_before=not_before)
    item = answer(**UNMARKED, updated_at=updated_at, ready_replicas=1)

    sight = look(item, goal)

    assert (stale, not stale) == (sight.stale, sight.reached)


def test_an_event_of_the_revision_is_proof_enough():
    """Without a marker, a replica that names our revision tells that it is there."""
    goal = Goal("n", revision_id=REVISION, not_before=FULL["updated_at"])
    ours = look(answer(**UNMARKED, replica_events={"a": event(READY)}), goal)
    theirs = look(answer(**UNMARKED, replica_events={"a": event(READY, OLDER)}), goal)

    assert (True, False) == (ours.reached, ours.stale)
    assert (False, True) == (theirs.reached, theirs.stale)


@pytest.mark.parametrize(
    ("desired", "ready", "reached"),
    [(0, 0, True), (..., ..., True), (1, 0, False), (1, 1, True), (0, 1, True)],
)
def test_a_floor_of_zero_may_rest(desired, ready, reached):
    """Ready with nobody wanted is asleep; a service may leave out what is zero."""
    goal = Goal("n", floor=0, revision_id=REVISION)

    sight = see(goal, status="Ready", desired_replicas=desired, ready_replicas=ready)

    assert reached is sight.reached


# --- What is wrong -------------------------------------------------------------

PRELOAD = event(WAITING, volume_preload_status="Failed")

FATAL = [
    (
        waiting("CrashLoopBackOff", "exit 1"),
        "keeps crashing (CrashLoopBackOff: exit 1)",
    ),
    (PRELOAD, "preloading the volume failed (ContainerCreating)"),
    (waiting("CreateContainerConfigError"), "the container cannot be started"),
    (waiting("CreateContainerError"), "the container cannot be started"),
    (waiting("RunContainerError"), "the container cannot be started"),
    (waiting("InvalidImageName"), "the container cannot be started"),
    (waiting("ErrImageNeverPull"), "the container cannot be started"),
]
AILING = [
    (waiting("ErrImagePull", "denied"), "the image cannot be pulled (ErrImagePull: d"),
    (waiting("ImagePullBackOff"), "the image cannot be pulled (ImagePullBackOff)"),
    (waiting("ImageInspectError"), "the image cannot be pulled"),
    (waiting("RegistryUnavailable"), "the image cannot be pulled"),
    (waiting("OOMKilled"), "the container ran out of memory (OOMKilled)"),
    (
        event({"replica_status": "Terminated", "replica_status_reason": "OOMKilled"}),
        "the container ran out of memory",
    ),
]


@pytest.mark.parametrize(("replica", "words"), FATAL)
def test_what_no_waiting_mends_is_fatal(replica, words):
    """Peers' bug 2: the reason is told with the replica that it concerns."""
    sight = see(GOAL, event(READY), replica)
    why, where = sight.fatal

    assert (True, "r1", False) == (words in why, where, sight.reached)


@pytest.mark.parametrize(("replica", "words"), AILING)
def test_what_may_heal_is_not_fatal_yet(replica, words):
    """A registry hiccup or a memory kill gets a grace, and is shown."""
    sight = see(GOAL, replica)

    assert (None, ["r0"], True) == (
        sight.fatal,
        list(sight.ailing),
        words in sight.ailing["r0"],
    )
    assert "replica r0" in sight.line


def test_the_first_fatal_reason_is_told():
    """Of several replicas one is named, always the same."""
    sight = see(
        GOAL, waiting("CrashLoopBackOff"), waiting("RunContainerError"), PRELOAD
    )

    assert "r0" == sight.fatal[1]


def test_failures_of_another_revision_are_not_ours():
    """A crash of the revision before is what the change may mend."""
    crash = {**waiting("CrashLoopBackOff"), "revision_id": OLDER}

    assert see(GOAL, crash).fatal is None


@pytest.mark.parametrize("reason", [None, "Completed", "Error", "CrashLoopBackOff"])
def test_ended_replicas_do_not_count(reason):
    """Whoever is replaced says nothing; the one that follows does."""
    ended = {"replica_status": "Terminated", "replica_status_reason": reason}
    sight = see(GOAL, event(ended, replica_ready_since="2026"))

    assert (None, 0) == (sight.fatal, sight.ready)


def test_the_word_failed_is_fatal():
    """Peers' bug 2: `Failed` ends the wait, with a reason where one shows."""
    plain = see(GOAL, event(WAITING), status="Failed")
    told = see(GOAL, waiting("ErrImagePull"), status="Failed")
    crashed = see(GOAL, waiting("CrashLoopBackOff"), status="Failed")

    assert (("the service reports it as Failed", None), True) == (
        plain.fatal,
        plain.only_status,
    )
    assert "Failed (the image cannot be pulled (ErrImagePull))" in told.fatal[0]
    assert ("r0", True) == (told.fatal[1], told.only_status)
    assert (False, True) == (crashed.only_status, "crashing" in crashed.fatal[0])


# --- The line ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replicas", "status", "line"),
    [
        ([], "Updating", "0/1 replicas ready"),
        ([event(READY)], "Ready", "1/1 replicas ready"),
        (
            [event(WAITING)],
            "Updating",
            "0/1 replicas ready · ContainerCreating (replica r0)",
        ),
        (
            [event({"replica_status": "Waiting"})],
            "Updating",
            "0/1 replicas ready · starting (replica r0)",
        ),
        (
            [event(RUNNING)],
            "Updating",
            "0/1 replicas ready · waiting for the health check (replica r0)",
        ),
        (
            [event(WAITING, volume_preload_status="InProgress")],
            "Updating",
            "0/1 replicas ready · preloading the volume (replica r0)",
        ),
        (
            [waiting("ErrImagePull"), waiting("OOMKilled")],
            "Updating",
            "0/1 replicas ready · image cannot be pulled yet (replica r0)",
        ),
        (
            [waiting("OOMKilled"), waiting("ErrImagePull"), event(RUNNING)],
            "Updating",
            "0/1 replicas ready · stopped for using too much memory (replica r0)",
        ),
        ([], "Pausing", "0/1 replicas ready · status Pausing"),
    ],
)
def test_one_line_tells_how_far_it_is(replicas, status, line):
    """People see what is missing; a word that is not known is shown (peers' bug 5)."""
    assert line == see(GOAL, *replicas, status=status, ready_replicas=0).line


def test_a_goal_of_many_shows_how_many():
    """The line counts against the floor, or against one where one is enough."""
    many = Goal("n", floor=4, revision_id=REVISION)
    first = Goal("n", "first_replica", floor=4, revision_id=REVISION)

    assert ("1/4 replicas ready", "1/1 replicas ready", "scaled to zero") == (
        see(many, event(READY)).line,
        see(first, event(READY)).line,
        see(Goal("n", floor=0, revision_id=REVISION), status="ScaledToZero").line,
    )


def test_the_services_words_are_shortened():
    """Peers' bug 54: a message of any length becomes one line of a bearable one."""
    sight = see(GOAL, waiting("CrashLoopBackOff", "a\nb " + "x" * 9999))

    assert sight.fatal[0].startswith(
        "the container keeps crashing (CrashLoopBackOff: a b x"
    )
    assert 400 > len(sight.fatal[0])


# --- Any answer ----------------------------------------------------------------


@given(
    st.dictionaries(st.sampled_from(sorted(FULL)), JUNK, max_size=6),
    st.dictionaries(
        st.text(max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "replica_status",
                    "replica_status_reason",
                    "replica_status_message",
                    "replica_ready_since",
                    "revision_id",
                    "volume_preload_status",
                ]
            ),
            JUNK | st.sampled_from([REVISION, "Running", "Waiting", "OOMKilled"]),
        ),
        max_size=3,
    ),
)
def test_no_answer_confuses_a_look(fields, events):
    """Case V4: whatever the service says, a look ends with a judgement."""
    fields = {"replica_events": events, **fields}
    item = answer(**{k: v for k, v in fields.items() if not has_unknown(v)})

    sight = look(item, GOAL)

    assert sight.line
    assert sight.ready >= 0
    assert summary(item).keys() <= {
        "status",
        "revision_id",
        "desired_replicas",
        "ready_replicas",
    }


def test_a_summary_holds_what_the_answer_told():
    """Zeros are told, what the answer left out is not."""
    told = summary(answer(ready_replicas=0, desired_replicas=...))

    assert {"status": "Ready", "revision_id": REVISION, "ready_replicas": 0} == told
