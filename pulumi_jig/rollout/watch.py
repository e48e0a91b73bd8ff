"""
Waiting for a goal: looks with pauses between them, until it is reached or cannot be.

A wait does not end because one look failed: the service may hiccup, or not show yet
what it has just accepted. It ends when the deployment serves, when it certainly will
not, when the time is up, or when nobody waits any more.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from pulumi_jig.deadline import MAX_SLEEP
from pulumi_jig.errors import (
    CancelledError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
    RolloutFailedError,
    RolloutInterruptedError,
    RolloutTimeoutError,
    ServerError,
)
from pulumi_jig.rollout.goal import counted
from pulumi_jig.rollout.sight import look, replica_name, serving_replicas
from pulumi_jig.text import safe_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi_jig.deadline import Deadline
    from pulumi_jig.rollout.goal import Goal
    from pulumi_jig.rollout.sight import Sight
    from pulumi_jig.schema.responses import DeploymentResponseItem

#: Seconds between two looks: the first, the factor, the longest. A wait of 20 minutes
#: makes about 130 requests, 6 a minute once it has settled.
FIRST_PAUSE: Final = 0.25
PAUSE_FACTOR: Final = 1.5
LONGEST_PAUSE: Final = 10.0
#: Seconds between the two looks that a container without a health check must pass.
SETTLE: Final = 1.0
#: Seconds for which the service may not show yet what it has just accepted. (Assumed:
#: no document says how soon a new deployment can be read.)
SHOWING_GRACE: Final = 15.0
#: Seconds for which `Failed` may be left over from before a change.
STATUS_GRACE: Final = 30.0
#: Lines of output shown with a failure, and characters of each.
LOG_LINES: Final = 12
LONGEST_LOG_LINE: Final = 500

#: Only these may pass: a wait must not end because one look failed.
_BLIPS: Final = (OutcomeUnknownError, NotSentError, RateLimitError, ServerError)


def _no_logs(_replica: str | None) -> list[str]:
    return []


def _no_revision() -> str | None:
    return None


def _never() -> bool:
    return False


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
        logs: Last lines of a replica's output; may fail.
        newest_revision: The newest revision in the deployment's history; may be None.
        is_as_sent: Whether an answer's fields are those that were sent.
        interrupted: True once the run was interrupted, so that nothing is waited for.
        report: Takes one line for people after each look.
    """

    goal: Goal
    fetch: Callable[[], DeploymentResponseItem]
    ctx: Deadline
    logs: Callable[[str | None], list[str]] = _no_logs
    newest_revision: Callable[[], str | None] = _no_revision
    is_as_sent: Callable[[DeploymentResponseItem], bool] = lambda _: True
    report: Callable[[str], None] = _nothing
    interrupted: Callable[[], bool] = _never

    _last: DeploymentResponseItem | None = field(default=None, init=False)
    _line: str = field(default="waiting for the service", init=False)
    _ailing_since: dict[str, float] = field(default_factory=dict, init=False)
    _seen_ours: bool = field(default=False, init=False)
    #: Whether the last answer showed the goal reached, and only a second one is missing.
    _held: bool = field(default=False, init=False)

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
            RolloutInterruptedError: The run was interrupted. The deployment goes on.
            EngineDisconnectedError: Nobody waits for this any more.
        """
        try:
            return self._until_reached()
        except CancelledError:
            raise self._interruption() from None

    def _until_reached(self) -> DeploymentResponseItem:
        began = self.ctx.clock()
        pause = FIRST_PAUSE
        while True:
            item = self._fetch(began)
            if item is not None:
                sight = look(item, self.goal)
                self._line = sight.line
                self.report(f"{sight.line} ({self.ctx.elapsed():.0f} s)")
                self._judge(sight, item, began)
                certain = self.goal.health_checked and sight.by_events
                if sight.reached and (self._held or certain or not sight.ready):
                    return item
                self._held = sight.reached
                if self._held:
                    self._wait(SETTLE)
                    continue
            self._wait(pause)
            pause = min(pause * PAUSE_FACTOR, LONGEST_PAUSE)

    def _fetch(self, began: float) -> DeploymentResponseItem | None:
        try:
            self._last = self.fetch()
        except NotFoundError as error:
            # HTML from a proxy proves nothing; nor does the first moment after a write.
            fresh = self._last is None and self.ctx.clock() - began < SHOWING_GRACE
            if error.from_api and not fresh:
                raise RolloutFailedError(
                    f"Deployment {self.goal.name} disappeared while it was rolling "
                    "out: somebody deleted it. Nothing of it runs any more; run "
                    "`pulumi refresh`, then `pulumi up`.",
                    reasons=[error.detail or "not found"],
                    last=self._last.plain() if self._last else None,
                ) from None
            self._blip(error)
            return None
        except _BLIPS as error:
            self._blip(error)
            return None
        return self._last

    def _blip(self, error: Exception) -> None:
        self._line = f"no answer from the service ({type(error).__name__})"
        self.report(self._line)

    def _judge(self, sight: Sight, item: DeploymentResponseItem, began: float) -> None:
        """Take what one look showed into account; raises where it is the end."""
        if sight.other_revision:
            self._superseded(item, sight.other_revision)
        elif sight.stale:
            if item.status not in (None, "", "Ready", self.goal.status_before):
                # The change is under way, so what comes after it describes it.
                self.goal = replace(self.goal, not_before=None)
        else:
            self._seen_ours = True
        if item.status != self.goal.status_before:
            self.goal = replace(self.goal, status_before=None)
        leftover = (
            sight.only_status
            and self.goal.status_before is not None
            and self.ctx.clock() - began < STATUS_GRACE
        )
        if sight.fatal and not leftover:
            self._fail(*sight.fatal, item)
        self._outlast(sight, item)

    def _wait(self, seconds: float) -> None:
        until = self.ctx.clock() + seconds
        while not self.ctx.expired and (left := until - self.ctx.clock()) > 0:
            if self.interrupted():
                raise self._interruption()
            self.ctx.pause(min(left, MAX_SLEEP))
        if self.ctx.expired:
            raise self._timeout()

    def _timeout(self) -> RolloutTimeoutError:
        last, limit = self._last, self.ctx.timeout
        status = (last.status if last else None) or "unknown"
        if self._held:
            # It may crash a moment later, so a single answer is not believed.
            why = (
                f"had {self._line} when its {limit:.0f} s were over, but not for long enough to "
                "call it serving: without a health check it must be ready twice, a "
                "second apart."
            )
        else:
            why = (
                f"was not serving after {limit:.0f} s ({self._line}; status {status})."
            )
        return RolloutTimeoutError(
            f"Deployment {self.goal.name} {why}{self._what_serves(last)} The wait "
            "ended, the deployment did not: it may be running and billing. `pulumi up` waits again; "
            "`custom_timeouts` allows more time.",
            reasons=[f"not serving after {limit:.0f} s: {self._line}"],
            last=last.plain() if last else None,
        )

    def _interruption(self) -> RolloutInterruptedError:
        return RolloutInterruptedError(
            f"The run was interrupted while deployment {self.goal.name} was "
            f"rolling out ({self._line}). The wait ended, the deployment did "
            "not: it may be running and billing. Its id is in the state; "
            "`pulumi up` waits again, `pulumi destroy` takes it down.",
            reasons=[f"interrupted: {self._line}"],
            last=self._last.plain() if self._last else None,
        )

    def _outlast(self, sight: Sight, item: DeploymentResponseItem) -> None:
        """Let what may heal be for a while, and no longer."""
        now = self.ctx.clock()
        since = self._ailing_since
        for replica in since.keys() - sight.ailing.keys():
            del since[replica]
        for replica, why in sight.ailing.items():
            began = since.setdefault(replica, now)
            if now - began >= self.goal.pull_grace:
                self._fail(f"{why}, for {now - began:.0f} s", replica, item)

    def _superseded(self, item: DeploymentResponseItem, shown: str) -> None:
        """Tell "not switched yet" from "went back to something else"."""
        try:
            newest = self.newest_revision()
        except (NotFoundError, *_BLIPS):
            newest = None
        went_back = newest == shown if newest else self._seen_ours
        if not went_back:
            return
        if self.is_as_sent(item):
            # A revision of the platform's own with the same content is as good.
            self.goal = replace(self.goal, revision_id=shown)
            return
        self._fail(
            f"the service went back to revision {shown} instead of "
            f"{self.goal.revision_id}",
            None,
            item,
        )

    def _failure(self, why: str, item: DeploymentResponseItem) -> str:
        """What failed, what serves meanwhile, and what to do."""
        name, serves = self.goal.name, self._what_serves(item)
        if self.goal.rolls_back:
            # What comes of going back is told next.
            return f"The update of deployment {name} failed: {why}.{serves}"
        if serves:
            return (
                f"The update of deployment {name} failed: {why}.{serves} What failed may "
                "be running and billing beside it: correct the program and run "
                "`pulumi up`."
            )
        return (
            f"Deployment {name} does not serve: {why}. It may be running and billing: "
            "correct the program and run `pulumi up`, or take it down with `pulumi "
            "destroy`."
        )

    def _what_serves(self, item: DeploymentResponseItem | None) -> str:
        """A sentence about the revision from before an update; empty where it is gone."""
        before = self.goal.previous
        if item is None or before is None:
            return ""
        count = serving_replicas(item, before)
        if not count:
            return ""
        return f" Revision {before}, from before, still serves with {counted(count)}."

    def _fail(
        self, why: str, replica: str | None, item: DeploymentResponseItem
    ) -> None:
        where = f" on replica {replica_name(replica)}" if replica else ""
        text = self._failure(f"{why}{where}", item)
        try:
            lines = safe_lines(self.logs(replica)[-LOG_LINES:], LONGEST_LOG_LINE)
        except Exception:
            # The failure itself must be told, with or without output beside it.
            lines = []
        if lines:
            shown = (f"    {line}" for line in lines[-LOG_LINES:])
            text += " Last output:\n" + "\n".join(shown)
        raise RolloutFailedError(
            text, reasons=[f"{why}{where}"], last=item.plain()
        ) from None
