"""
What a replica goes through, as data: steps, durations, and named behaviors.

An image asks for a behavior by a name in its path, so that an example can show a
failure without any switch: ``registry.together.ai/team/crashloop:1`` crashes. Reasons
are those of Kubernetes. Walking the steps is `replicas`' work.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

# Durations in emulated seconds. At time scale 0.02, that of the demo, a roll-out takes
# about 0.8 s, and 1.2 s with a volume. The real service says "typically 1-2 minutes".
PULL = 20.0
PRELOAD = 20.0
START = 20.0
CRASH = 5.0
BACK_OFF = 10.0
SLOW = 15.0  # A factor: the /slow behavior takes this many times as long.
DRAIN = 10.0  # At most; a shorter termination grace period is kept.
SETTLE = 2.0  # A change that starts no replica still takes the service a moment.
PATIENCE = 15.0  # How long the service watches a /rollback revision fail.
PENDING = 5.0  # A volume's copy waits to begin,
SYNC = 20.0  # and runs.


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
    return replace(step, seconds=None, failed=True)


_CRASHES = (
    _pull(),
    _preload(),
    _PRELOADED,
    _start(CRASH),
    _BACK_OFF,
    _start(CRASH),
    _last(_BACK_OFF),
)

# Rule ROLL-1, rule ROLL-6: one script per named behavior. The first crash is not the end: a back-off ends,
# the container starts once more, and only then does it stay down. At time scale 0 only
# the last step is ever seen.
BEHAVIORS: Mapping[str, tuple[Step, ...]] = {
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

_BEHAVIOR = re.compile(
    "/(crashloop|rollback|oom|pull-error|flaky-pull|never-ready|slow|preload-failed)"
    "(?=[/:@._-]|$)"
)


def behavior_of(image: str) -> str:
    """
    Return the named behavior that an image asks for, or the empty string.

    The name must begin a path segment and end where a name ends: ``r/oom:1`` and
    ``r/oom-demo`` ask for it, ``r/slowfast:1`` and ``bloom`` do not.
    """
    found = _BEHAVIOR.search(image)
    return found.group(1) if found else ""
