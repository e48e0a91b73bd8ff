"""
Waiting until a revision serves, and saying why it does not.

The service accepts a deployment within a moment and then takes minutes to pull an image,
preload weights and pass health checks. A wait that trusts a status word left over from
before reports green for a revision that crashes; so this one counts the replicas *of
the revision it was asked for*, and takes every way in which a roll-out is known to end
badly as an end.

`look` judges one answer and is pure; `Watch` makes a wait of many looks. Time comes in
from outside (`Deadline`), and so do the requests (`fetch`, `logs`,
`newest_revision`): nothing here knows HTTP or Pulumi, and a test runs an hour of polling
in a millisecond.

What is known of roll-outs (no document enumerates the reasons, they are Kubernetes'):

- `status` may lag behind a change. `Ready` counts only with proof that the answer
  describes the change: its revision, or a time of update that moved. `Failed` left over
  from before the change gets a grace.
- A replica serves when it is `Running` with `replica_ready_since`.
- `CrashLoopBackOff` and a failed preload do not heal by waiting. Image pull errors may
  be transient (a registry hiccup, a node without the credentials yet), so they get a
  grace; so does a replica that was stopped for using too much memory.
- With a floor of zero replicas, `ScaledToZero` is a success.
- Without a health check a container counts as ready as soon as it starts, so readiness
  must hold for a second look before it is believed. So must a mere counter.
- A status word that is not known is "under way", and is shown.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pulumi_jig.rollout.goal import PULL_GRACE, WAIT_FOR, Goal, WaitFor, counted

if TYPE_CHECKING:
    from pulumi_jig.rollout.sight import Sight, look, summary
    from pulumi_jig.rollout.watch import Watch

__all__ = [
    "PULL_GRACE",
    "WAIT_FOR",
    "Goal",
    "Sight",
    "WaitFor",
    "Watch",
    "counted",
    "look",
    "summary",
]


def __getattr__(name: str) -> Any:
    """Load what looks at answers when it is first needed: a check needs the words."""
    if name in __all__:
        home = "watch" if name == "Watch" else "sight"
        return getattr(importlib.import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
