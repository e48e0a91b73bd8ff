"""
What one call of the engine brings along, and what it may get back.

The host fills in what it knows. Everything has a safe value for a host that knows less:
without a URN no mark is written, without a time limit the defaults count, without a
sign of life the engine is taken to be there.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from pulumi_jig.deadline import Deadline
from pulumi_jig.errors import JigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pulumi_jig.client import JigClient

#: Default time limits in seconds, where the program sets no `custom_timeouts`.
CREATE_TIMEOUT: Final = 20 * 60.0
UPDATE_TIMEOUT: Final = 20 * 60.0
DELETE_TIMEOUT: Final = 10 * 60.0
READ_TIMEOUT: Final = 2 * 60.0
#: Seconds for a look that only informs a preview: it must work without a network.
PREVIEW_TIMEOUT: Final = 10.0

Severity = Literal["debug", "info", "warning", "error"]


def _ignore_log(_severity: Severity, _message: str) -> None:
    return None


def _ignore_line(_line: str) -> None:
    return None


def _always() -> bool:
    return True


def _never() -> bool:
    return False


def _at_once(work: Callable[[], Any]) -> Callable[[], Any]:
    found = work()
    return lambda: found


@dataclass(frozen=True)
class Invocation:
    """
    One call of the engine, as far as the life cycle needs to know it.

    Attributes:
        connect: Gives the API client; opened at the first use, so that a check that
            needs no network loads no HTTP library.
        urn: The resource's URN, if the host can tell.
        timeout: The resource's own time limit for this operation, in seconds.
        ignore_changes: Property paths whose changes the program ignores.
        old_inputs: The inputs that the state holds, if the host can tell.
        log: Tells people something, on the resource.
        progress: Shows a line beside the resource while it is worked on.
        engine_alive: False once the engine that asked is gone.
        interrupted: True once the run was interrupted, so that nothing is waited for.
        alongside: Begins something that does not raise, and gives what waits for its
            result; at once and in this thread, unless the host has a better way.
        pull_grace: Seconds for which an image pull error may heal.
        clock: A monotonic clock in seconds.
        sleep: Sleeps for so many seconds.
    """

    connect: Callable[[], JigClient]
    urn: str | None = None
    timeout: float | None = None
    ignore_changes: Sequence[str] = ()
    old_inputs: Mapping[str, Any] | None = None
    log: Callable[[Severity, str], None] = _ignore_log
    progress: Callable[[str], None] = _ignore_line
    engine_alive: Callable[[], bool] = _always
    interrupted: Callable[[], bool] = _never
    alongside: Callable[[Callable[[], Any]], Callable[[], Any]] = _at_once
    pull_grace: float = 60.0
    clock: Callable[[], float] = field(default=time.monotonic)
    sleep: Callable[[float], None] = field(default=time.sleep)

    @property
    def client(self) -> JigClient:
        """
        The API client of this process.

        Raises:
            ConfigError: The credentials are missing or unusable.
        """
        return self.connect()

    def context(self, default: float, *, fixed: bool = False) -> Deadline:
        """
        The deadline of this operation.

        Args:
            default: Seconds, where the program sets no limit of its own.
            fixed: Whether the program's limit does not apply.
        """
        limit = default if fixed or not self.timeout else self.timeout
        return Deadline(
            limit,
            clock=self.clock,
            sleep=self.sleep,
            engine_alive=self.engine_alive,
            interrupted=self.interrupted,
        )


class PartialFailureError(JigError):
    """
    Something exists now, and it is not as it was asked for.

    The host stores it all the same and reports the failure, so that the next update
    repairs it.

    Attributes:
        id: The resource's id.
        outputs: Its state, secrets marked.
        reasons: Sentences for people, the main one first.
    """

    def __init__(
        self, id_: str, outputs: dict[str, Any], reasons: Sequence[str]
    ) -> None:
        # Each on its own line: a reason may end in lines of output.
        super().__init__("\n".join(reasons))
        self.id = id_
        self.outputs = outputs
        self.reasons = tuple(reasons)


@dataclass(frozen=True)
class Checked:
    """Inputs as they will be stored, and all faults: (property path, sentence)."""

    inputs: dict[str, Any]
    faults: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Diffed:
    """
    What an update would do.

    Attributes:
        changed: Property paths that differ, never values.
        replaces: Those of them that replace the resource.
    """

    changed: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.changed)


@dataclass(frozen=True)
class Stored:
    """A resource as the state shall hold it; an empty id says that it is gone."""

    id: str
    outputs: dict[str, Any]
    inputs: dict[str, Any] | None = None
