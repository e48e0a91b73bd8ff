"""
Time, as the emulated service sees it.

Two clocks, for two purposes. *Wall time* stamps what the API
shows (``created_at``, ``replica_ready_since``, a secret's ``expires_at``). *Progress*
is how far the work of the service has come (pulling an image, loading weights,
draining), in emulated seconds; the time scale stretches or shrinks it. Both are read
on demand: nothing here sleeps, and no thread ticks.

The time scale is real seconds per emulated second: 1 is real time, 0.02 runs fifty
times faster, 0 finishes every transition before the next operation begins. Changing it
never takes back what has happened.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# At scale 0 each operation finds this many emulated seconds gone by: longer than any
# chain of transitions, so that all of them are over.
INSTANT = 1_000_000.0


@dataclass(frozen=True, slots=True)
class Moment:
    """
    One reading of both clocks.

    Attributes:
        progress: emulated seconds since the state was first made.
        wall: seconds since the epoch.
        scale: real seconds per emulated second.

    """

    progress: float
    wall: float
    scale: float

    def wall_of(self, progress: float) -> float:
        """Wall time at which *progress* was reached, never later than this moment."""
        return min(self.wall, self.wall - (self.progress - progress) * self.scale)

    def at(self, progress: float) -> Moment:
        """Return the same moment with progress stopped at *progress*, for a hold."""
        return Moment(progress=progress, wall=self.wall, scale=self.scale)


class Clock:
    """
    The clock of one emulated service.

    Not safe for threads by itself: the backend reads it under its lock.
    """

    def __init__(
        self,
        *,
        scale: float = 1.0,
        wall: Callable[[], float] = time.time,
        progress: float = 0.0,
    ) -> None:
        if not 0 <= scale < float("inf"):
            message = f"time scale must be 0 or more and finite, not {scale!r}"
            raise ValueError(message)
        self._wall = wall
        self._skipped = 0.0
        self._scale = scale
        self._progress = progress
        self._anchor = wall()
        self._tick = 0.0

    @property
    def scale(self) -> float:
        """Real seconds per emulated second."""
        return self._scale

    def _wall_now(self) -> float:
        return self._wall() + self._skipped

    def now(self) -> Moment:
        """Read both clocks; at scale 0, progress is where the operation found it."""
        wall = self._wall_now()
        if self._scale > 0:
            # A wall clock that is set back must not undo progress.
            gone = max(0.0, wall - self._anchor) / self._scale
            self._progress += gone
            self._anchor = wall
        return Moment(progress=self._progress, wall=wall, scale=self._scale)

    def begin(self) -> Moment:
        """Mark the beginning of an operation and read both clocks."""
        if self._scale == 0:
            self._progress += INSTANT
            self._anchor = self._wall_now()
        return self.now()

    def set_scale(self, scale: float) -> None:
        """Change the time scale from now on; the past keeps its own."""
        if not 0 <= scale < float("inf"):
            message = f"time scale must be 0 or more and finite, not {scale!r}"
            raise ValueError(message)
        self.now()
        self._anchor = self._wall_now()
        self._scale = scale

    def skip(self, seconds: float) -> None:
        """
        Let *seconds* of service time pass at once.

        Progress and wall time both move by that many seconds, whatever the scale, so
        that a secret of one day expires when a day is skipped.
        """
        if not 0 <= seconds < float("inf"):
            message = f"seconds must be 0 or more and finite, not {seconds!r}"
            raise ValueError(message)
        self.now()
        self._skipped += seconds
        self._anchor = self._wall_now()
        self._progress += seconds

    def resume(self, *, progress: float, wall: float) -> None:
        """Go on from saved readings; time that passed in between counts as usual."""
        now = self._wall_now()
        self._skipped += max(0.0, wall - now)
        now = self._wall_now()
        gone = (now - wall) / self._scale if self._scale > 0 else INSTANT
        self._progress = progress + max(0.0, gone)
        self._anchor = now
