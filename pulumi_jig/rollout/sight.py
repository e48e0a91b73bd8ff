"""
Judging one answer: how far the roll-out is, and what is wrong with it.

Pure, and it takes any answer: a reason of the wrong type, an event that is none or a
counter that is a word say nothing, and never end a wait by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.schema.enums import (
    CRASHED,
    DEPLOYMENT_STATUSES,
    NOT_PULLED,
    OUT_OF_MEMORY,
    UNSTARTABLE,
)
from pulumi_jig.schema.responses import ReplicaEvent
from pulumi_jig.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pulumi_jig.rollout.goal import Goal
    from pulumi_jig.schema.responses import DeploymentResponseItem

#: Characters of a replica's name that a message shows.
_NAME_MAX: Final = 100


@dataclass(frozen=True)
class Sight:
    """
    What one look showed.

    Attributes:
        ready: Replicas of the revision that serve.
        line: One line for people.
        reached: Whether the goal is reached by this look alone.
        by_events: Whether replicas were seen to serve, not only counted.
        fatal: A reason that no waiting mends, with the replica it concerns.
        only_status: Whether nothing but the status word says that it is fatal.
        ailing: Reasons that may heal, by replica.
        other_revision: The revision that answered instead, where that is known.
        stale: Whether the answer may describe the time before the change.
    """

    ready: int
    line: str
    reached: bool = False
    by_events: bool = False
    fatal: tuple[str, str | None] | None = None
    only_status: bool = False
    ailing: Mapping[str, str] = field(default_factory=dict)
    other_revision: str | None = None
    stale: bool = False


def look(item: DeploymentResponseItem, goal: Goal) -> Sight:
    """Judge one answer against the goal; pure."""
    shown = item.revision_id
    if goal.revision_id and shown and shown != goal.revision_id:
        return Sight(
            0, f"waiting for revision {goal.revision_id}", other_revision=shown
        )
    events = list(_events(item))
    if goal.revision_id and any(e.revision_id for _, e in events):
        # Replicas that name their revision are the best witnesses there are.
        events = [(r, e) for r, e in events if e.revision_id == goal.revision_id]
        by_events = True
    else:
        by_events = False
    if not shown and not (by_events and events) and not _has_moved(item, goal):
        return Sight(0, "waiting for the change to show", stale=True)

    if by_events:
        ready = sum(
            e.replica_status == "Running" and bool(e.replica_ready_since)
            for _, e in events
        )
    else:
        # Nothing tells these replicas from those of the revision before, so the counter
        # counts only together with the word that nothing is under way.
        ready = _count(item.ready_replicas) if item.status == "Ready" else 0
    fatal, ailing, doing = _ailments(events)
    only_status = fatal is None and item.status == "Failed"
    if only_status:
        replica, why = next(iter(ailing.items()), (None, ""))
        why = f" ({why})" if why else ""
        fatal = (f"the service reports it as Failed{why}", replica)

    # A service of this kind leaves out what is zero.
    idle = item.status == "Ready" and not item.desired_replicas and not ready
    asleep = goal.floor == 0 and (item.status == "ScaledToZero" or idle)
    # An autoscaler may aim at more than is waited for, and more may be ready than it aims.
    wanted = max(goal.needed, _count(item.desired_replicas), ready)
    line = f"{ready}/{wanted} replicas ready"
    if doing:
        line += f" · {doing}"
    if item.status and item.status not in DEPLOYMENT_STATUSES:
        line += f" · status {item.status}"
    return Sight(
        ready,
        "scaled to zero" if asleep else line,
        reached=fatal is None and (asleep or ready >= goal.needed),
        by_events=by_events,
        fatal=fatal,
        only_status=only_status,
        ailing=ailing,
    )


def serving_replicas(item: DeploymentResponseItem, revision: str | None = None) -> int:
    """
    How many replicas serve, as far as the answer names them one by one.

    Args:
        item: The answer.
        revision: Only replicas of this revision; None for all.
    """
    return sum(
        event.replica_status == "Running"
        and bool(event.replica_ready_since)
        and revision in (None, event.revision_id)
        for _, event in _events(item)
    )


def _events(item: DeploymentResponseItem) -> Iterator[tuple[str, ReplicaEvent]]:
    events: Any = item.replica_events
    # Answers are tolerant: whatever is not an event is passed over.
    if isinstance(events, dict):
        for replica, event in sorted(events.items()):
            if isinstance(event, ReplicaEvent):
                yield replica, event


def _has_moved(item: DeploymentResponseItem, goal: Goal) -> bool:
    """Whether an answer without a revision describes the state after the change."""
    if goal.not_before is None:
        return True
    return item.updated_at is not None and item.updated_at != goal.not_before


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def replica_name(replica: str) -> str:
    """A replica in a message."""
    return safe_text(replica, _NAME_MAX)


def _says(event: ReplicaEvent) -> str:
    reason = _text(event.replica_status_reason) or _text(event.replica_status)
    message = _text(event.replica_status_message)
    return f"{reason or 'unknown'}: {message}" if message else reason or "unknown"


def _ailments(
    events: list[tuple[str, ReplicaEvent]],
) -> tuple[tuple[str, str | None] | None, dict[str, str], str]:
    fatal: tuple[str, str | None] | None = None
    ailing: dict[str, str] = {}
    doing = ""
    for replica, event in events:
        reason = _text(event.replica_status_reason)
        status = event.replica_status
        if status == "Terminated" and reason not in OUT_OF_MEMORY:
            # Ended replicas are replaced; the one that follows tells how it goes.
            continue
        if event.volume_preload_status == "Failed":
            fatal = fatal or (f"preloading the volume failed ({_says(event)})", replica)
        elif reason in CRASHED:
            fatal = fatal or (f"the container keeps crashing ({_says(event)})", replica)
        elif reason in UNSTARTABLE:
            fatal = fatal or (
                f"the container cannot be started ({_says(event)})",
                replica,
            )
        elif reason in NOT_PULLED:
            ailing[replica] = f"the image cannot be pulled ({_says(event)})"
            doing = (
                doing or f"image cannot be pulled yet (replica {replica_name(replica)})"
            )
        elif reason in OUT_OF_MEMORY:
            ailing[replica] = f"the container ran out of memory ({_says(event)})"
            doing = (
                doing
                or f"stopped for using too much memory (replica {replica_name(replica)})"
            )
        elif event.volume_preload_status == "InProgress":
            doing = doing or f"preloading the volume (replica {replica_name(replica)})"
        elif status == "Running" and not event.replica_ready_since:
            doing = (
                doing
                or f"waiting for the health check (replica {replica_name(replica)})"
            )
        elif status == "Waiting":
            doing = doing or f"{reason or 'starting'} (replica {replica_name(replica)})"
    return fatal, ailing, doing


def summary(item: DeploymentResponseItem) -> dict[str, Any]:
    """What a deployment's state says of its roll-out."""
    found: dict[str, Any] = {
        "status": item.status,
        "revision_id": item.revision_id,
        "desired_replicas": item.desired_replicas,
        "ready_replicas": item.ready_replicas,
    }
    return {key: value for key, value in found.items() if value is not None}
