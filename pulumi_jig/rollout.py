"""
Waiting until a revision serves, and saying why it does not.

The service accepts a deployment within a moment and then takes minutes to pull an image,
preload weights and pass health checks. A wait that trusts a status word left over from
before reports green for a revision that crashes; so this one counts the replicas *of
the revision it was asked for*, and takes every way in which a roll-out is known to end
badly as an end.

Time comes in from outside (`CallContext`), and so do the requests (`fetch`, `logs`,
`newest_revision`): nothing here knows HTTP or Pulumi, and a test runs an hour of
polling in a millisecond.

What is known of roll-outs (no document enumerates the reasons, they are Kubernetes'):

- `status` may lag behind a change. `Ready` counts only with the revision.
- A replica serves when it is `Running` with `replica_ready_since`.
- `CrashLoopBackOff` and a failed preload do not heal by waiting. Image pull errors may
  be transient (a registry hiccup, a node without the credentials yet), so they get a
  grace; so does a replica that was stopped for using too much memory.
- With a floor of zero replicas, `ScaledToZero` is a success.
- Without a health check a container counts as ready as soon as it starts, so readiness
  must hold for a second look before it is believed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from pulumi_jig.errors import (
    AmbiguousError,
    AuthenticationError,
    NotFoundError,
    NotSentError,
    PermissionDeniedError,
    RateLimitError,
    RolloutFailedError,
    RolloutTimeoutError,
    ServerError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pulumi_jig.context import CallContext
    from pulumi_jig.models import DeploymentResponseItem, ReplicaEvent

WaitFor = Literal["min_replicas", "first_replica", "none"]
WAIT_FOR: Final = ("min_replicas", "first_replica", "none")

#: Seconds between two looks: the first, the factor, the longest. A wait of 20 minutes
#: makes about 135 requests, 6 a minute once it has settled.
FIRST_PAUSE: Final = 0.25
PAUSE_FACTOR: Final = 1.5
LONGEST_PAUSE: Final = 10.0
#: Seconds between the two looks that a container without a health check must pass.
SETTLE: Final = 1.0
#: Seconds for which an image pull error or a memory kill may heal by itself.
PULL_GRACE: Final = 60.0
#: Lines of output shown with a failure.
LOG_LINES: Final = 12

CRASHED: Final = frozenset({"CrashLoopBackOff"})
NOT_PULLED: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable"}
)
#: Reasons that name a mistake in the request, which no retry of the platform mends.
UNSTARTABLE: Final = frozenset(
    {
        "InvalidImageName",
        "ErrImageNeverPull",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    }
)
OUT_OF_MEMORY: Final = frozenset({"OOMKilled"})

#: Only these may pass: a wait must not end because one look failed.
_BLIPS: Final = (AmbiguousError, NotSentError, RateLimitError, ServerError)


@dataclass(frozen=True)
class Goal:
    """
    What a roll-out must reach.

    Attributes:
        name: The deployment's name, for messages.
        wait_for: `min_replicas` (it serves at its floor), `first_replica` or `none`.
        floor: `min_replicas` as the service has it.
        revision_id: The revision to wait for; None where no answer named one.
        not_before: Without a revision: the `updated_at` from before the change, which
            an answer must have left behind.
        health_checked: Whether the platform checks the container's health.
        pull_grace: Seconds for which an image pull error may heal.
    """

    name: str
    wait_for: WaitFor = "min_replicas"
    floor: int = 1
    revision_id: str | None = None
    not_before: str | None = None
    health_checked: bool = False
    pull_grace: float = PULL_GRACE

    @property
    def needed(self) -> int:
        """How many replicas must serve."""
        return 1 if self.wait_for == "first_replica" else max(1, self.floor)


@dataclass(frozen=True)
class Sight:
    """
    What one look showed.

    Attributes:
        ready: Replicas of the revision that serve.
        line: One line for people.
        reached: Whether the goal is reached by this look alone.
        fatal: A reason that no waiting mends, with the replica it concerns.
        ailing: Reasons that may heal, by replica.
        other_revision: The revision that answered instead, where that is known.
    """

    ready: int
    line: str
    reached: bool = False
    fatal: tuple[str, str | None] | None = None
    ailing: Mapping[str, str] = field(default_factory=dict)
    other_revision: str | None = None


def _events(item: DeploymentResponseItem) -> Iterator[tuple[str, ReplicaEvent]]:
    events = item.replica_events
    # Answers are tolerant: whatever is not an event is passed over.
    if isinstance(events, dict):
        for replica, event in sorted(events.items()):
            if hasattr(event, "replica_status"):
                yield replica, event


def _says(event: ReplicaEvent) -> str:
    reason = event.replica_status_reason or event.replica_status or "unknown"
    message = event.replica_status_message
    return f"{reason}: {message}" if message else str(reason)


def _is_fresh(item: DeploymentResponseItem, goal: Goal) -> bool:
    """Whether an answer without a revision describes the state after the change."""
    if goal.not_before is None:
        return True
    return item.updated_at is not None and item.updated_at != goal.not_before


def look(item: DeploymentResponseItem, goal: Goal) -> Sight:
    """Judge one answer against the goal; pure."""
    shown = item.revision_id
    if goal.revision_id and shown and shown != goal.revision_id:
        return Sight(
            0, f"waiting for revision {goal.revision_id}", other_revision=shown
        )
    if not goal.revision_id and not _is_fresh(item, goal):
        return Sight(0, "waiting for the change to show")

    ours = [
        (replica, event)
        for replica, event in _events(item)
        if event.replica_status != "Terminated"
        or (event.replica_status_reason or "") in OUT_OF_MEMORY
    ]
    # Events that name no revision cannot be told apart from those of the revision
    # before, so then the counters are all there is, and they count only together with
    # the word that nothing is under way.
    apart = goal.revision_id is not None and any(
        e.revision_id for _, e in _events(item)
    )
    if apart:
        ours = [(r, e) for r, e in ours if e.revision_id == goal.revision_id]
        ready = sum(
            e.replica_status == "Running" and bool(e.replica_ready_since)
            for _, e in ours
        )
    else:
        ready = item.ready_replicas or 0 if item.status == "Ready" else 0
    fatal, ailing, doing = _ailments(ours)
    if fatal is None and item.status == "Failed":
        worst = next(iter(ailing.items()), None)
        why = f" ({worst[1]})" if worst else ""
        fatal = (f"the service reports it as Failed{why}", worst[0] if worst else None)

    asleep = goal.floor == 0 and (
        item.status == "ScaledToZero"
        or (item.status == "Ready" and item.desired_replicas == 0)
    )
    line = f"{ready}/{max(goal.needed, 1)} replicas ready"
    if doing:
        line += f" · {doing}"
    return Sight(
        ready,
        "scaled to zero" if asleep else line,
        reached=asleep or (fatal is None and ready >= goal.needed),
        fatal=fatal,
        ailing=ailing,
    )


def _ailments(
    events: list[tuple[str, ReplicaEvent]],
) -> tuple[tuple[str, str | None] | None, dict[str, str], str]:
    fatal: tuple[str, str | None] | None = None
    ailing: dict[str, str] = {}
    doing = ""
    for replica, event in events:
        reason = event.replica_status_reason or ""
        if event.volume_preload_status == "Failed":
            fatal = fatal or (f"preloading the volume failed ({_says(event)})", replica)
        elif reason in CRASHED:
            fatal = fatal or (
                f"the container keeps crashing ({_says(event)})",
                replica,
            )
        elif reason in UNSTARTABLE:
            fatal = fatal or (
                f"the container cannot be started ({_says(event)})",
                replica,
            )
        elif reason in NOT_PULLED:
            ailing[replica] = f"the image cannot be pulled ({_says(event)})"
            doing = doing or f"image cannot be pulled yet (replica {replica})"
        elif reason in OUT_OF_MEMORY:
            ailing[replica] = f"the container ran out of memory ({_says(event)})"
            doing = doing or f"stopped for using too much memory (replica {replica})"
        elif event.volume_preload_status == "InProgress":
            doing = doing or f"preloading the volume (replica {replica})"
        elif event.replica_status == "Running" and not event.replica_ready_since:
            doing = doing or f"waiting for the health check (replica {replica})"
        elif event.replica_status == "Waiting":
            doing = doing or f"{reason or 'starting'} (replica {replica})"
    return fatal, ailing, doing


def _no_logs(_replica: str | None) -> list[str]:
    return []


def _no_revision() -> str | None:
    return None


def _nothing(_line: str) -> None:
    return None


@dataclass
class Watch:
    """
    One wait for one goal.

    Args:
        goal: What must be reached.
        fetch: Asks the service for the deployment.
        ctx: Deadline, clock and sign of life.
        logs: Last lines of a replica's output, secrets removed; may fail.
        newest_revision: The newest revision in the deployment's history; may be None.
        is_as_sent: Whether an answer's fields are those that were sent.
        report: Takes one line for people after each look.
    """

    goal: Goal
    fetch: Callable[[], DeploymentResponseItem]
    ctx: CallContext
    logs: Callable[[str | None], list[str]] = _no_logs
    newest_revision: Callable[[], str | None] = _no_revision
    is_as_sent: Callable[[DeploymentResponseItem], bool] = lambda _: True
    report: Callable[[str], None] = _nothing

    def run(self) -> DeploymentResponseItem:
        """
        Wait until the goal is reached.

        Returns:
            The answer that showed it.

        Raises:
            RolloutFailedError: It ended badly; the message has the reason, the replica
                and the last lines of output.
            RolloutTimeoutError: The deadline passed. The deployment goes on.
            AuthenticationError: The key was rejected while waiting.
            PermissionDeniedError: The key no longer reaches the deployment.
            EngineGoneError: Nobody waits for this any more.
        """
        ailing_since: dict[str, float] = {}
        pause = FIRST_PAUSE
        last: DeploymentResponseItem | None = None
        line = "waiting for the service"
        held = False
        seen_ours = False
        while True:
            try:
                item = self.fetch()
            except NotFoundError as error:
                raise RolloutFailedError(
                    f"Deployment {self.goal.name} disappeared while it was rolling "
                    "out: somebody deleted it. Nothing of it runs any more; run "
                    "`pulumi refresh`, then `pulumi up`.",
                    reasons=[str(error.detail or "not found")],
                    last=last.plain() if last else None,
                ) from None
            except (AuthenticationError, PermissionDeniedError):
                raise
            except _BLIPS as error:
                line = f"no answer from the service ({type(error).__name__})"
                self.report(line)
            else:
                last = item
                sight = look(item, self.goal)
                line = sight.line
                self.report(f"{line} ({self.ctx.elapsed():.0f} s)")
                if sight.other_revision:
                    self._superseded(item, sight.other_revision, seen_ours=seen_ours)
                else:
                    seen_ours = True
                if sight.fatal:
                    self._fail(*sight.fatal, item)
                self._outlast(sight, ailing_since, item)
                if sight.reached:
                    if held or self.goal.health_checked or not sight.ready:
                        return item
                    held = True
                    self._wait(SETTLE, last, line)
                    continue
                held = False
            self._wait(pause, last, line)
            pause = min(pause * PAUSE_FACTOR, LONGEST_PAUSE)

    def _wait(
        self, seconds: float, last: DeploymentResponseItem | None, line: str
    ) -> None:
        if not self.ctx.expired:
            self.ctx.pause(seconds)
        if self.ctx.expired:
            status = (last.status if last else None) or "unknown"
            raise RolloutTimeoutError(
                f"Deployment {self.goal.name} was not serving after "
                f"{self.ctx.timeout:.0f} s ({line}; status {status}). The wait ended, "
                "the deployment did not: it may be running and billing. `pulumi up` "
                "waits again; `custom_timeouts` allows more time.",
                reasons=[f"not serving after {self.ctx.timeout:.0f} s: {line}"],
                last=last.plain() if last else None,
            )

    def _outlast(
        self,
        sight: Sight,
        since: dict[str, float],
        item: DeploymentResponseItem,
    ) -> None:
        now = self.ctx.clock()
        for replica in list(since):
            if replica not in sight.ailing:
                del since[replica]
        for replica, why in sight.ailing.items():
            began = since.setdefault(replica, now)
            if now - began >= self.goal.pull_grace:
                self._fail(f"{why}, for {now - began:.0f} s", replica, item)

    def _superseded(
        self, item: DeploymentResponseItem, shown: str, *, seen_ours: bool
    ) -> None:
        """Tell "not switched yet" from "went back to something else"."""
        try:
            newest = self.newest_revision()
        except (NotFoundError, *_BLIPS):
            newest = None
        went_back = newest == shown if newest else seen_ours
        if not went_back:
            return
        if self.is_as_sent(item):
            # A revision of the platform's own with the same content is as good.
            self.goal = Goal(**{**self.goal.__dict__, "revision_id": shown})
            return
        self._fail(
            f"the service went back to revision {shown} instead of "
            f"{self.goal.revision_id}",
            None,
            item,
        )

    def _fail(
        self, why: str, replica: str | None, item: DeploymentResponseItem
    ) -> None:
        where = f" on replica {replica}" if replica else ""
        text = f"Deployment {self.goal.name} does not serve: {why}{where}."
        try:
            lines = self.logs(replica)[-LOG_LINES:]
        except Exception:
            lines = []
        if lines:
            text += " Last output:\n" + "\n".join(f"    {line}" for line in lines)
        raise RolloutFailedError(
            text, reasons=[f"{why}{where}"], last=item.plain()
        ) from None


def summary(item: DeploymentResponseItem) -> dict[str, Any]:
    """What a deployment's state says of its roll-out."""
    found: dict[str, Any] = {
        "status": item.status,
        "revision_id": item.revision_id,
        "desired_replicas": item.desired_replicas,
        "ready_replicas": item.ready_replicas,
    }
    return {key: value for key, value in found.items() if value is not None}
