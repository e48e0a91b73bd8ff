"""
How a replica lives: it walks the steps of its script as time passes.

A replica is a plain record that remembers which step it is on and since when; walking
is done on reads, from the time that has passed. So a thousand idle deployments cost
nothing, and a test with its own clock sees each step exactly. Nothing here knows
deployments, revisions or HTTP.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pulumi_jig.emulator.behaviors import BEHAVIORS, Step, behavior_of

if TYPE_CHECKING:
    from pulumi_jig.emulator.clock import Moment

Record = dict[str, Any]


def timestamp(wall: float) -> str:
    """Return wall time as the API writes it: ISO 8601, UTC, milliseconds."""
    moment = datetime.fromtimestamp(wall, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_replica(
    replica_id: str,
    *,
    revision_id: str,
    image: str,
    mounted: bool,
    now: Moment,
    script: str | None = None,
) -> Record:
    """Return a replica on the first step of its script (by default the image's)."""
    return {
        "id": replica_id,
        "revision_id": revision_id,
        "image": image,
        "script": behavior_of(image) if script is None else script,
        "mounted": mounted,
        "step": 0,
        "since": now.progress,
        "wall": now.wall,
    }


def step_of(replica: Record) -> Step:
    """Return the step that a replica is on."""
    return BEHAVIORS[replica["script"]][replica["step"]]


def is_draining(replica: Record) -> bool:
    """Whether the replica is being stopped."""
    return "draining_since" in replica


def is_serving(replica: Record) -> bool:
    """Whether the replica is ready and not being stopped."""
    if is_draining(replica):
        return False
    manual = replica.get("manual")
    if manual is not None:
        return bool(manual.get("replica_ready_since"))
    return step_of(replica).ready


def is_failed(replica: Record) -> bool:
    """Whether the replica has come to a step that it will not leave by itself."""
    if is_draining(replica) or "manual" in replica:
        return False
    return step_of(replica).failed


def remaining(replica: Record, now: Moment) -> float | None:
    """Return the emulated seconds until the replica's next step, None for never."""
    if is_draining(replica) or "manual" in replica:
        return None
    seconds = step_of(replica).seconds
    return None if seconds is None else seconds - (now.progress - replica["since"])


def walk(
    replica: Record, now: Moment, *, content: tuple[str, float] = ("ready", 0.0)
) -> list[tuple[Step, float]]:
    """
    Move the replica to where it is by *now*.

    Args:
        replica: the record, changed in place.
        now: the clocks.
        content: the state of the mounted volume version, and the progress since when:
            a preload waits for ``ready``, and fails on ``failed``.

    Returns:
        The steps that it has entered, each with the wall time of that.

    """
    entered: list[tuple[Step, float]] = []
    if is_draining(replica) or "manual" in replica:
        return entered

    def enter(step: Step) -> None:
        # Times of one replica never run backwards, whatever was done to the clock.
        wall = max(replica["wall"], now.wall_of(replica["since"]))
        replica["wall"] = wall
        if step.preload:
            replica["preload"] = step.preload
            replica.setdefault("preload_started", wall)
            if step.preload != "InProgress":
                replica["preload_completed"] = wall
        if step.ready:
            replica["ready_since"] = wall
        entered.append((step, wall))

    while True:
        step = step_of(replica)
        if step.preload == "InProgress" and replica["mounted"]:
            # Rule VOLUME-6: a replica waits for the content of its volume.
            state, since = content
            if state == "failed" and replica["script"] != "preload-failed":
                last = len(BEHAVIORS["preload-failed"]) - 1
                since = max(replica["since"], since)
                replica.update(script="preload-failed", step=last, since=since)
                enter(step_of(replica))
                return entered
            if state in {"pending", "syncing"}:
                return entered
            replica["since"] = max(replica["since"], since)
        skipped = step.mounted and not replica["mounted"]
        length = 0.0 if skipped else step.seconds
        if length is None or now.progress - replica["since"] < length:
            return entered
        replica["step"] += 1
        replica["since"] += length
        following = step_of(replica)
        if replica["mounted"] or not following.mounted:
            enter(following)


def drain(replica: Record, progress: float) -> None:
    """Begin to stop a replica."""
    replica.setdefault("draining_since", progress)


def event_of(replica: Record) -> Record:
    """Return the replica as ``replica_events`` shows it."""
    event: Record = {"image": replica["image"], "revision_id": replica["revision_id"]}
    if is_draining(replica):
        event["replica_status"] = "Terminated"
        event["replica_status_reason"] = "Completed"
        event["replica_status_message"] = "the replica is being stopped"
    elif "manual" in replica:
        return {**event, **replica["manual"]}
    else:
        step = step_of(replica)
        event["replica_status"] = step.status
        event["replica_status_reason"] = step.reason
        event["replica_status_message"] = step.message
        if step.ready:
            event["replica_ready_since"] = timestamp(replica["ready_since"])
    if "preload" in replica:
        event["volume_preload_status"] = replica["preload"]
        event["volume_preload_started_at"] = timestamp(replica["preload_started"])
        if "preload_completed" in replica:
            event["volume_preload_completed_at"] = timestamp(
                replica["preload_completed"]
            )
    return event
