"""
How a replica lives: the steps it walks, as data, and the walk itself.

A replica is a plain record that remembers which step it is on and since when; walking
is done on reads, from the time that has passed. So a thousand idle deployments cost
nothing, and a test with its own clock sees each step exactly. Nothing here knows
deployments, revisions or HTTP.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .clock import Moment

Record = dict[str, Any]

# Durations in emulated seconds. At time scale 0.02, that of the demo, a roll-out takes
# about 0.8 s, and 1.2 s with a volume. The real service says "typically 1-2 minutes".
PULL = 20.0
PRELOAD = 20.0
START = 20.0
CRASH = 5.0
BACK_OFF = 10.0
SLOW = 15.0  # A factor: the /slow behaviour takes this many times as long.
DRAIN = 10.0  # At most; a shorter termination grace period is kept.


@dataclass(frozen=True, slots=True)
class Step:
    """
    One state of a replica.

    Attributes:
        status: ``replica_status`` as the API shows it.
        reason: ``replica_status_reason``, a Kubernetes reason.
        message: ``replica_status_message``.
        seconds: emulated seconds until the next step, or None where it stays.
        preload: what ``volume_preload_status`` says from this step on.
        mounted: the step is skipped by replicas that mount nothing.
        ready: the replica serves.
        failed: the replica will not serve by itself.
        line: what the log says when the step is entered.

    """

    status: Literal["Waiting", "Running", "Terminated"]
    reason: str = ""
    message: str = ""
    seconds: float | None = None
    preload: Literal["InProgress", "Completed", "Failed"] | None = None
    mounted: bool = False
    ready: bool = False
    failed: bool = False
    line: str = ""


_CRASH_MESSAGE = "back-off restarting failed container (exit code 1)"
_OOM_MESSAGE = "container exceeded its memory limit and was killed (exit code 137)"
_PULL_MESSAGE = "failed to pull and unpack image: manifest unknown: not found"


def _pull(seconds: float = PULL) -> Step:
    return Step(
        "Waiting", "ContainerCreating", seconds=seconds, line="pulling the image"
    )


def _preload(seconds: float = PRELOAD) -> Step:
    return Step(
        "Waiting",
        "ContainerCreating",
        "preloading volume contents",
        seconds=seconds,
        preload="InProgress",
        mounted=True,
        line="preloading volume contents",
    )


# Not a moment of its own: it only records that the preload is over.
_PRELOADED = Step(
    "Waiting",
    "ContainerCreating",
    seconds=0.0,
    preload="Completed",
    mounted=True,
    line="volume contents preloaded",
)


def _start(seconds: float | None = START) -> Step:
    return Step("Running", seconds=seconds, line="container started")


_READY = Step("Running", ready=True, line="application is ready to serve")
_BACK_OFF = Step(
    "Waiting",
    "CrashLoopBackOff",
    _CRASH_MESSAGE,
    seconds=BACK_OFF,
    line="Traceback (most recent call last): RuntimeError: the model failed to load",
)
_OOM = Step(
    "Terminated",
    "OOMKilled",
    _OOM_MESSAGE,
    seconds=BACK_OFF,
    line="killed: out of memory",
)
_PULL_ERROR = Step(
    "Waiting", "ErrImagePull", _PULL_MESSAGE, seconds=BACK_OFF, line=_PULL_MESSAGE
)
_PULL_BACK_OFF = Step(
    "Waiting",
    "ImagePullBackOff",
    "back-off pulling image",
    seconds=BACK_OFF,
    line="back-off pulling image",
)


def _last(step: Step) -> Step:
    """Return the step as one that stays, and counts as failed."""
    return Step(
        step.status,
        step.reason,
        step.message,
        preload=step.preload,
        mounted=step.mounted,
        failed=True,
        line=step.line,
    )


_CRASHES = (
    _pull(),
    _preload(),
    _PRELOADED,
    _start(CRASH),
    _BACK_OFF,
    _start(CRASH),
    _last(_BACK_OFF),
)

# One script per named behaviour. The first crash is not the last word: a back-off ends,
# the container starts once more, and only then does it stay down. At time scale 0 only
# the last step is ever seen.
SCRIPTS: Mapping[str, tuple[Step, ...]] = {
    "": (_pull(), _preload(), _PRELOADED, _start(), _READY),
    "crashloop": _CRASHES,
    "rollback": _CRASHES,
    "oom": (
        _pull(),
        _preload(),
        _PRELOADED,
        _start(CRASH),
        _OOM,
        _start(CRASH),
        _last(_OOM),
    ),
    "pull-error": (_pull(CRASH), _PULL_ERROR, _last(_PULL_BACK_OFF)),
    "flaky-pull": (
        _pull(CRASH),
        _PULL_ERROR,
        _PULL_BACK_OFF,
        _pull(),
        _preload(),
        _PRELOADED,
        _start(),
        _READY,
    ),
    "never-ready": (_pull(), _preload(), _PRELOADED, _start(None)),
    "slow": (
        _pull(PULL * SLOW),
        _preload(PRELOAD * SLOW),
        _PRELOADED,
        _start(START * SLOW),
        _READY,
    ),
    "preload-failed": (
        _pull(),
        Step(
            "Waiting",
            "ContainerCreating",
            "preloading volume contents",
            seconds=CRASH,
            preload="InProgress",
            line="preloading volume contents",
        ),
        Step(
            "Waiting",
            "ContainerCreating",
            "volume preload failed: the content cannot be read",
            preload="Failed",
            failed=True,
            line="volume preload failed: the content cannot be read",
        ),
    ),
    # Not reached by an image name: a secret that expired is needed by the container.
    "missing-secret": (
        Step(
            "Waiting",
            "CreateContainerConfigError",
            "a secret that the environment refers to does not exist",
            failed=True,
            line="a secret that the environment refers to does not exist",
        ),
    ),
}

_BEHAVIOUR = re.compile(
    "/(crashloop|rollback|oom|pull-error|flaky-pull|never-ready|slow|preload-failed)"
    "(?=[/:@._-]|$)"
)


def behaviour_of(image: str) -> str:
    """
    Return the named behaviour that an image asks for, or the empty string.

    The name must begin a path segment and end where a word ends: ``r/oom:1`` and
    ``r/oom-demo`` ask for it, ``r/slowfast:1`` and ``bloom`` do not.
    """
    found = _BEHAVIOUR.search(image)
    return found.group(1) if found else ""


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
    """Return a replica on the first step of its script."""
    name = behaviour_of(image) if script is None else script
    return {
        "id": replica_id,
        "revision_id": revision_id,
        "image": image,
        "script": name,
        "mounted": mounted,
        "step": 0,
        "since": now.progress,
    }


def step_of(replica: Record) -> Step:
    """Return the step that a replica is on."""
    return SCRIPTS[replica["script"]][replica["step"]]


def is_serving(replica: Record) -> bool:
    """Whether the replica is ready and not being stopped."""
    if "draining_since" in replica:
        return False
    manual = replica.get("manual")
    if manual is not None:
        return bool(manual.get("replica_ready_since"))
    return step_of(replica).ready


def is_failed(replica: Record) -> bool:
    """Whether the replica has come to a step that it will not leave by itself."""
    return (
        "draining_since" not in replica
        and replica.get("manual") is None
        and step_of(replica).failed
    )


def walk(replica: Record, now: Moment, *, preloadable: str = "ready") -> list[Step]:
    """
    Move the replica to where it is by *now*; return the steps it has entered.

    Args:
        replica: the record, changed in place.
        now: the clocks.
        preloadable: the state of the mounted volume version: a preload waits for
            ``ready``, and fails on ``failed``.

    """
    entered: list[Step] = []
    if "draining_since" in replica or replica.get("manual") is not None:
        return entered
    script = SCRIPTS[replica["script"]]
    while True:
        step = script[replica["step"]]
        if step.preload == "InProgress" and step.mounted and replica["mounted"]:
            if preloadable == "failed":
                replica.update(script="preload-failed", step=2, since=now.progress)
                entered.append(SCRIPTS["preload-failed"][2])
                _mark(replica, entered[-1], now.progress, now)
                return entered
            if preloadable != "ready":
                # The preload begins anew once the content is there.
                replica["since"] = now.progress
                return entered
        skip = step.mounted and not replica["mounted"]
        length = 0.0 if skip else step.seconds
        if length is None or now.progress - replica["since"] < length:
            return entered
        replica["step"] += 1
        replica["since"] += length
        following = script[replica["step"]]
        if not following.mounted or replica["mounted"]:
            entered.append(following)
            _mark(replica, following, replica["since"], now)


def _mark(replica: Record, step: Step, progress: float, now: Moment) -> None:
    """Note the wall times that the API shows for a step."""
    wall = now.wall_of(progress)
    if step.preload == "InProgress":
        replica["preload_started"] = wall
    if step.preload in {"Completed", "Failed"}:
        replica["preload_completed"] = wall
    if step.preload:
        replica["preload"] = step.preload
    if step.ready:
        replica["ready_since"] = wall


def drain(replica: Record, progress: float) -> None:
    """Begin to stop a replica; what never served is stopped the same way."""
    replica.setdefault("draining_since", progress)


def event_of(replica: Record) -> Record:
    """Return the replica as ``replica_events`` shows it."""
    event: Record = {"image": replica["image"], "revision_id": replica["revision_id"]}
    manual = replica.get("manual")
    if "draining_since" in replica:
        event |= {
            "replica_status": "Terminated",
            "replica_status_reason": "Completed",
            "replica_status_message": "the replica is being stopped",
        }
    elif manual is not None:
        return event | manual
    else:
        step = step_of(replica)
        event |= {
            "replica_status": step.status,
            "replica_status_reason": step.reason,
            "replica_status_message": step.message,
        }
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
