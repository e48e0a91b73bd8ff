"""
How long an operation may take, and whether anybody still waits for it.

An operation on a deployment makes many requests and waits between them. All of them
share one deadline (a wall-clock limit for the whole operation, not for each read), and
all of them stop when the engine that asked is gone: a plugin outlives a killed
`pulumi up`, and a plugin whose engine is gone must not go on creating. Likewise when the
run is interrupted: people who have to wait after a Ctrl-C press again, which kills.

The clock and the sleep are arguments, so that a test runs a day of waiting in a
millisecond. This module knows neither HTTP nor Pulumi.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pulumi_jig.errors import CancelledError, EngineDisconnectedError

if TYPE_CHECKING:
    from collections.abc import Callable

#: The longest uninterrupted sleep, in seconds: how late a vanished engine is noticed.
MAX_SLEEP = 1.0


def _always() -> bool:
    return True


def _never() -> bool:
    return False


class Deadline:
    """
    When one operation must end, and whether the engine that asked still waits for it.

    Args:
        timeout: Seconds from now until the whole operation must end.
        clock: A monotonic clock, in seconds.
        sleep: Sleeps for so many seconds.
        engine_alive: False once the engine that asked is gone.
        interrupted: True once the run was interrupted.
    """

    def __init__(
        self,
        timeout: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        engine_alive: Callable[[], bool] = _always,
        interrupted: Callable[[], bool] = _never,
    ) -> None:
        self.timeout = timeout
        self.clock = clock
        self._sleep = sleep
        self._engine_alive = engine_alive
        self._interrupted = interrupted
        self.started = clock()
        self.ends_at = self.started + timeout

    def elapsed(self) -> float:
        """Seconds since the operation began."""
        return self.clock() - self.started

    def remaining(self) -> float:
        """Seconds until the deadline, never negative."""
        return max(0.0, self.ends_at - self.clock())

    @property
    def expired(self) -> bool:
        """Whether the deadline has passed."""
        return self.clock() >= self.ends_at

    def limited_to(self, timeout: float) -> Deadline:
        """A part of this operation that ends after so many seconds, never later than it."""
        return Deadline(
            min(timeout, self.remaining()),
            clock=self.clock,
            sleep=self._sleep,
            engine_alive=self._engine_alive,
            interrupted=self._interrupted,
        )

    def extended_by(self, timeout: float) -> Deadline:
        """
        So many seconds from now, although the deadline may have passed.

        For the request that tells what a failed operation left behind.
        """
        return Deadline(
            timeout,
            clock=self.clock,
            sleep=self._sleep,
            engine_alive=self._engine_alive,
            interrupted=self._interrupted,
        )

    @property
    def engine_alive(self) -> bool:
        """Whether the engine that asked for this is still there."""
        return self._engine_alive()

    def require_engine(self, doing: str) -> None:
        """
        Refuse to go on for an engine that is gone, or that was told to stop.

        Raises:
            EngineDisconnectedError: The engine that asked for this is gone.
            CancelledError: The run was interrupted.
        """
        if self._interrupted():
            raise CancelledError(f"The run was interrupted; stopped before {doing}.")
        if not self._engine_alive():
            raise EngineDisconnectedError(
                f"The Pulumi engine that asked for this is gone; stopped before {doing}."
            )

    def pause(self, seconds: float) -> None:
        """
        Sleep, but not past the deadline, and wake up when nobody waits any more.

        Raises:
            EngineDisconnectedError: The engine that asked for this is gone.
            CancelledError: The run was interrupted.
        """
        until = min(self.clock() + seconds, self.ends_at)
        while True:
            self.require_engine("waiting any longer")
            left = until - self.clock()
            if left <= 0:
                return
            self._sleep(min(left, MAX_SLEEP))
