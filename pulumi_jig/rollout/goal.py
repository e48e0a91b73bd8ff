"""What a roll-out must reach before anybody may call it done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

WaitFor = Literal["min_replicas", "first_replica", "none"]
WAIT_FOR: Final = ("min_replicas", "first_replica", "none")

#: Seconds for which an image pull error or a memory kill may heal by itself.
PULL_GRACE: Final = 60.0


@dataclass(frozen=True)
class Goal:
    """
    What a roll-out must reach.

    Attributes:
        name: The deployment's name, for messages.
        wait_for: `min_replicas` (it serves at its floor), `first_replica` or `none`.
        floor: `min_replicas` as the service has it.
        revision_id: The revision to wait for; None where no answer named one.
        not_before: The `updated_at` from before the change, which an answer that names
            no revision must have left behind; None where nothing has to move.
        status_before: The status from before the change. The same word again may be a
            leftover: `Failed` ends the wait only after a grace.
        health_checked: Whether the platform checks the container's health.
        pull_grace: Seconds for which an image pull error may heal.
        previous: The revision that served before an update; None for a creation.
        rolls_back: Whether that one is applied again where the update fails.
    """

    name: str
    wait_for: WaitFor = "min_replicas"
    floor: int = 1
    revision_id: str | None = None
    not_before: str | None = None
    status_before: str | None = None
    health_checked: bool = False
    pull_grace: float = PULL_GRACE
    previous: str | None = None
    rolls_back: bool = False

    @property
    def needed(self) -> int:
        """How many replicas must serve."""
        return 1 if self.wait_for == "first_replica" else max(1, self.floor)


def counted(replicas: int) -> str:
    """A number of replicas in words."""
    return f"{replicas} replica{'' if replicas == 1 else 's'}"
