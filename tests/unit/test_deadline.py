"""One deadline per operation, and a sign of life of who asked."""

from __future__ import annotations

import pytest

from pulumi_jig.deadline import MAX_SLEEP, Deadline
from pulumi_jig.errors import EngineDisconnectedError


class Clock:
    """A clock that moves only when somebody sleeps."""

    def __init__(self):
        self.now = 100.0
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


def context(clock, timeout=10.0, **more):
    return Deadline(timeout, clock=clock, sleep=clock.sleep, **more)


def test_time_left_counts_down_to_zero(clock):
    """The time left is never negative, and at zero the operation has expired."""
    ctx = context(clock)
    seen = []
    for seconds in (0, 4, 6, 5):
        clock.now += seconds
        seen.append((ctx.elapsed(), ctx.remaining(), ctx.expired))

    assert [
        (0, 10, False),
        (4, 6, False),
        (10, 0, True),
        (15, 0, True),
    ] == seen


def test_a_part_never_lasts_longer_than_the_whole(clock):
    """A limit within an operation ends with it at the latest."""
    ctx = context(clock)
    clock.now += 4

    assert [(2, 106), (6, 110)] == [
        (part.timeout, part.ends_at) for part in (ctx.limited_to(2), ctx.limited_to(60))
    ]


def test_a_last_request_may_go_beyond_the_deadline(clock):
    """What must be done although the time is up gets a limit of its own."""
    ctx = context(clock)
    clock.now += 20

    assert 5 == ctx.extended_by(5).remaining()


def test_parts_know_the_same_engine(clock):
    """A part of an operation notices that the engine is gone as well."""
    ctx = context(clock, engine_alive=lambda: False)

    assert [False, False, False] == [
        part.engine_alive for part in (ctx, ctx.limited_to(1), ctx.extended_by(1))
    ]


def test_a_pause_lasts_as_long_as_it_was_asked_to(clock):
    """A pause is slept in slices, so that a vanished engine is noticed."""
    context(clock).pause(2.5)

    assert [MAX_SLEEP, MAX_SLEEP, 0.5] == clock.slept


def test_a_pause_ends_at_the_deadline(clock):
    """Case T11: nobody sleeps past the deadline."""
    context(clock, timeout=1.5).pause(60)

    assert 1.5 == sum(clock.slept)


def test_a_pause_ends_when_the_engine_is_gone(clock):
    """Case T15: a wait for nobody stops within a slice, and sends nothing more."""
    ctx = context(clock, timeout=600, engine_alive=lambda: clock.now < 103)

    with pytest.raises(
        EngineDisconnectedError, match="stopped before waiting any longer"
    ):
        ctx.pause(300)

    assert 103 == clock.now


def test_nothing_is_done_for_an_engine_that_is_gone(clock):
    """The error says before which step it stopped."""
    context(clock).require_engine("creating it")

    with pytest.raises(EngineDisconnectedError, match="stopped before creating it"):
        context(clock, engine_alive=lambda: False).require_engine("creating it")


def test_an_engine_is_there_unless_something_says_otherwise():
    """Without a sign of life the engine is taken to be there."""
    assert Deadline(1).engine_alive
