"""
From "accepted" to "serving": what follows once the service has taken a change.

From here on nothing may be lost. Whatever goes wrong leaves the deployment's id in the
state together with the reason, and the next update goes on from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.errors import (
    EngineDisconnectedError,
    JigError,
    NotFoundError,
    OutcomeUnknownError,
    RolloutError,
    RolloutFailedError,
    RolloutInterruptedError,
)
from pulumi_jig.lifecycle.deployment.inputs import added_in, declared_fields
from pulumi_jig.lifecycle.deployment.patching import differences
from pulumi_jig.lifecycle.deployment.references import recognise
from pulumi_jig.lifecycle.deployment.state import state_of
from pulumi_jig.lifecycle.invocation import READ_TIMEOUT, PartialFailureError, Stored
from pulumi_jig.lifecycle.keys import ADDED, NONCE, UNCONFIRMED, UNREADY
from pulumi_jig.lifecycle.memory import remember_held
from pulumi_jig.lifecycle.sending import (
    LAST_LOOK,
    SETTLE_PAUSE,
    SETTLE_WINDOW,
    Change,
    ignored_parts,
    is_ignored,
)
from pulumi_jig.rollout import Goal, Watch
from pulumi_jig.schema.deployment import FIELDS
from pulumi_jig.schema.diff import added_paths, live_values
from pulumi_jig.values import storable_fault

if TYPE_CHECKING:
    from pulumi_jig.deadline import Deadline
    from pulumi_jig.lifecycle.invocation import Invocation
    from pulumi_jig.schema.responses import DeploymentResponseItem

#: Seconds that a roll-back gets although the update's own time may be up.
ROLLBACK_TIMEOUT: Final = 300.0
#: Seconds within which the service shows the revision that a change makes. One that
#: shows none by then has kept the one from before. (Assumed; nothing documents it.)
REVISION_PATIENCE: Final = 30.0


def roll_out(
    change: Change[DeploymentResponseItem], inv: Invocation, ctx: Deadline
) -> Stored:
    """
    Wait until an accepted change serves.

    Raises:
        PartialFailureError: It does not, or nobody could watch it.
    """
    return _RollOut(change, inv, ctx).run()


class _RollOut:
    """
    The wait for one accepted change.

    Attributes:
        seen: The newest answer: what the state is made of, however this ends.
    """

    def __init__(
        self,
        change: Change[DeploymentResponseItem],
        inv: Invocation,
        ctx: Deadline,
    ) -> None:
        self._change = change
        self._inv = inv
        self._ctx = ctx
        self._name = str(change.inputs["name"])
        #: Its id where it is known, so that no namesake is ever meant.
        self._reference = str(change.item.id or self._name)
        self._accepted = ctx.clock()
        self._shown = False
        self._id: str | None = None
        #: What the answer to our own request showed beyond what was sent.
        self._added: list[str] | None = None
        self._see(change.item)

    def run(self) -> Stored:
        unwatched = self._change.inputs.get("wait_for") == "none"
        try:
            self._remember_added(self._change.item)
            if unwatched:
                self._until_shown()
            else:
                self._watch()
        except BaseException as error:
            if not (unwatched and isinstance(error, JigError)):
                reasons = [_reason(error, self._name)]
                # An interrupted update has not failed, so nothing is rolled back.
                ended = isinstance(error, RolloutError) and not isinstance(
                    error, RolloutInterruptedError
                )
                if ended and not self._change.created:
                    reasons += self._roll_back()
                # A refresh clears what the engine remembers of a failure; this does not
                # go until it serves.
                unready = {UNREADY: [reason.splitlines()[0] for reason in reasons]}
                raise PartialFailureError(
                    self._name, {**self._state(), **unready}, reasons
                ) from None
        return Stored(self._name, self._state())

    def _state(self) -> dict[str, Any]:
        inputs, account = self._with_added(), self._change.account
        try:
            outputs = state_of(inputs, self.seen, account=account)
            readable = storable_fault(outputs) is None
        except Exception:
            readable = False
        if not readable:
            # An answer too strange to be stored must not lose what it is about.
            outputs = state_of(inputs, None, account=account)
            if self._id is not None:
                outputs["deployment_id"] = self._id
        if "deployment_id" not in outputs:
            # Accepted, but by no answer so far known by an id: under its name alone
            # it must not be trusted later.
            outputs[UNCONFIRMED] = True
        return outputs

    # --- Looks -----------------------------------------------------------------

    def _fetch(self) -> DeploymentResponseItem:
        try:
            item = self._get(self._ctx.limited_to(READ_TIMEOUT))
        except NotFoundError as error:
            new = self._change.created and not self._shown
            if error.from_api and not (
                new and self._ctx.clock() - self._accepted < SETTLE_WINDOW
            ):
                raise
            # A page of a proxy, or a service that takes a moment to show what it has
            # accepted: neither says that somebody deleted it.
            raise OutcomeUnknownError(error.message) from None
        self._shown = True
        self._see(item)
        self._remember_added(item)
        return item

    def _until_shown(self) -> None:
        """
        One look, as the answer to a write may be a receipt only.

        A service may take a moment to show what it has accepted; a refresh within that
        moment would drop the deployment from the state.
        """
        while True:
            try:
                self._fetch()
            except OutcomeUnknownError:
                if self._ctx.clock() - self._accepted >= SETTLE_WINDOW:
                    raise
                self._ctx.pause(SETTLE_PAUSE)
            else:
                return

    def _see(self, item: DeploymentResponseItem) -> None:
        self.seen = item
        self._id = item.id or self._id
        remember_held(item.id, self._change.inputs.get(NONCE))

    def _get(self, ctx: Deadline) -> DeploymentResponseItem:
        client = self._inv.client
        item = client.deployments.get(self._reference, ctx)
        return recognise(item, self._change.inputs, client, ctx)

    def _logs(self, replica: str | None) -> list[str]:
        # Output is a courtesy: it may be there although the time is up, but a service
        # that does not give it must not hold up the reason.
        return self._inv.client.deployments.logs(
            self._reference, self._ctx.extended_by(LAST_LOOK), replica_id=replica
        )

    def _newest_revision(self) -> str | None:
        try:
            events = self._inv.client.deployments.revisions(
                self._reference, self._ctx.limited_to(LAST_LOOK), limit=1
            )
        except EngineDisconnectedError:
            raise
        except JigError:
            return None
        return events[0].revision_id if events else None

    # --- Waiting ---------------------------------------------------------------

    def _watch(self) -> None:
        Watch(
            self._goal(),
            self._fetch,
            self._ctx,
            logs=self._logs,
            newest_revision=self._newest_revision,
            is_as_sent=lambda shown: not self._differences(shown),
            report=self._inv.progress,
            interrupted=self._inv.interrupted,
        ).run()
        self._compare()

    def _remember_added(self, item: DeploymentResponseItem) -> None:
        """
        Take what the first whole answer shows beyond what was sent for the service's own.

        What was true before an update and was not sent in it is none of that: where the
        answer says otherwise, somebody changed it at the same moment. And where a
        creation was never answered, nothing tells the service's values from somebody's.
        """
        change = self._change
        if not change.answered or self._added is not None or item.image is None:
            return
        declared = declared_fields(change.inputs)
        found = added_paths(declared, live_values(item))
        if change.before is not None:
            there = added_paths(declared, live_values(change.before))
            found = [
                path
                for path in found
                if path in there or path.partition(".")[0] in change.changed
            ]
        ignored = self._inv.ignore_changes
        self._added = [path for path in found if not is_ignored(path, ignored)]

    def _with_added(self) -> dict[str, Any]:
        inputs = self._change.inputs
        return {**inputs, ADDED: sorted({*added_in(inputs), *(self._added or ())})}

    def _differences(self, item: DeploymentResponseItem) -> list[str]:
        return differences(self._with_added(), item, self._inv)

    def _compare(self) -> None:
        """Refuse to call a roll-out good that ended with other values than it began."""
        wrong = self._differences(self.seen)
        accepted = self._shown_otherwise()
        lost = [name for name in wrong if name not in accepted]
        if lost:
            raise RolloutFailedError(
                f"Deployment {self._name} serves, but not what was asked for: the "
                f"service accepted {', '.join(lost)} and shows something else now; "
                "somebody changed it, or the service went back. Run `pulumi refresh` "
                "to see it, `pulumi up` to try again."
            )
        if wrong:
            self._inv.log(
                "warning",
                f"the service shows other values than were sent: {', '.join(wrong)}",
            )

    def _shown_otherwise(self) -> set[str]:
        """
        Fields of which the service showed other values from the beginning.

        What was true before an update and was not sent in it is none of them: where
        the answer says otherwise, somebody changed it at the same moment. And where a
        creation was never answered, nothing tells the service's values from somebody's.
        """
        change = self._change
        if not change.answered:
            return set()
        found = set(self._differences(change.item))
        if change.before is None:
            return found
        before = set(self._differences(change.before))
        return {name for name in found if name in change.changed or name in before}

    def _goal(self) -> Goal:
        change = self._change
        declared = declared_fields(change.inputs)
        floor = declared.get("min_replicas", change.item.min_replicas)
        if "min_replicas" in ignored_parts(self._inv):
            # Nothing was sent for it, so what is live counts.
            floor = change.item.min_replicas
        before = change.before
        rolls = before is not None and any(
            FIELDS[name].rolls for name in change.changed if name in FIELDS
        )
        if before is not None and rolls:
            revision = self._moved_from(before.revision_id, change.item.revision_id)
        else:
            revision = change.item.revision_id or self._newest_revision()
        return Goal(
            name=self._name,
            wait_for=change.inputs.get("wait_for") or "min_replicas",
            floor=int(floor) if isinstance(floor, (int, float)) else 1,
            revision_id=revision,
            not_before=before.updated_at if before is not None and rolls else None,
            status_before=before.status if before is not None else None,
            health_checked=bool(declared.get("health_check_path")),
            pull_grace=self._inv.pull_grace,
            previous=before.revision_id if before is not None and rolls else None,
            rolls_back=self._rolls_back(),
        )

    def _rolls_back(self) -> bool:
        change = self._change
        wanted = change.inputs.get("on_failed_update") == "rollback"
        return wanted and change.before is not None and not change.created

    def _moved_from(self, stale: str | None, shown: str | None) -> str | None:
        """
        The revision that a change has made, where the answer may show the one before.

        Waiting for the stale one would be over at once: it serves already.
        """
        until = self._ctx.clock() + REVISION_PATIENCE
        while stale is not None and shown in (None, stale):
            self._inv.progress("waiting for the new revision")
            newest = self._newest_revision()
            if newest not in (None, stale):
                return newest
            if self._ctx.clock() >= until or self._ctx.expired:
                break
            self._ctx.pause(SETTLE_PAUSE)
            try:
                shown = self._fetch().revision_id
            except EngineDisconnectedError:
                raise
            except JigError:
                # The watch that follows knows what to make of it.
                continue
        return shown or self._newest_revision()

    # --- Going back ------------------------------------------------------------

    def _roll_back(self) -> list[str]:
        """Re-apply the revision from before, where the program asks for it."""
        change = self._change
        before = change.before
        if not self._rolls_back() or before is None:
            return []
        revision, failed = before.revision_id, self.seen.revision_id
        if not revision:
            return ["The service names no earlier revision to go back to."]
        if revision == failed:
            return [f"It stands at revision {revision}, as before the update."]
        self._ctx = self._ctx.extended_by(ROLLBACK_TIMEOUT)
        self._inv.progress("rolling back")
        try:
            self._see(
                self._inv.client.deployments.rollback(
                    self._reference, revision, self._ctx
                )
            )
            goal = Goal(
                name=self._name,
                wait_for="first_replica",
                floor=int(before.min_replicas or 0),
                revision_id=self._moved_from(failed, self.seen.revision_id),
                health_checked=True,
                pull_grace=self._inv.pull_grace,
            )
            Watch(
                goal,
                self._fetch,
                self._ctx,
                report=self._inv.progress,
                interrupted=self._inv.interrupted,
            ).run()
        except BaseException as error:
            why = _reason(error, self._name)
            return [f"Rolling back to revision {revision} failed as well: {why}"]
        return [
            f"It was rolled back: the configuration of revision {revision} serves "
            "again. The next `pulumi up` tries the update again."
        ]


def _reason(error: BaseException, name: str) -> str:
    if isinstance(error, RolloutError):
        return error.message
    if isinstance(error, JigError):
        return (
            f"Deployment {name} was accepted, but could not be watched: "
            f"{error.message} It may be running and billing; its id is in the state, "
            "and the next `pulumi up` waits for it again."
        )
    # Not the text of the exception: nobody knows what it holds.
    return (
        f"Deployment {name} was accepted, but waiting for it ended with an internal "
        f"error ({type(error).__name__}). It may be running and billing; its id is in "
        "the state, and the next `pulumi up` waits for it again."
    )
