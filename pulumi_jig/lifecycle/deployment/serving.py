"""
From "accepted" to "serving": what follows once the service has taken a change.

From here on nothing may be lost. Whatever goes wrong leaves the deployment's id in the
state together with the reason, and the next update goes on from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulumi_jig.errors import JigError, RolloutError
from pulumi_jig.fields import FIELDS
from pulumi_jig.lifecycle.deployment.inputs import declared_fields, redact, secret_texts
from pulumi_jig.lifecycle.deployment.sending import (
    LAST_LOOK,
    Change,
    differences,
    reference_of,
    required_name,
)
from pulumi_jig.lifecycle.deployment.state import state_of
from pulumi_jig.lifecycle.invocation import READ_TIMEOUT, PartialFailureError, Stored
from pulumi_jig.rollout import Goal, Watch

if TYPE_CHECKING:
    from pulumi_jig.context import CallContext
    from pulumi_jig.lifecycle.invocation import Invocation
    from pulumi_jig.models import DeploymentResponseItem

#: Seconds that a roll-back gets although the update's own time may be up.
ROLLBACK_TIMEOUT: Final = 300.0


def roll_out(change: Change, inv: Invocation, ctx: CallContext) -> Stored:
    """
    Wait until an accepted change serves.

    Raises:
        PartialFailureError: It does not, or nobody could watch it.
    """
    inputs, item = change.inputs, change.item
    name = required_name(inputs)
    seen = [item]

    def fetch() -> DeploymentResponseItem:
        seen.append(
            inv.client.deployments.get(reference_of(change), ctx.within(READ_TIMEOUT))
        )
        del seen[:-1]
        return seen[-1]

    try:
        if inputs.get("wait_for") == "none":
            # The answer to a write may be a receipt only; one look fills it in.
            fetch()
        else:
            Watch(
                _goal(change, inv, ctx),
                fetch,
                ctx,
                logs=lambda replica: _logs(change, replica, inv, ctx),
                newest_revision=lambda: _newest_revision(change, inv, ctx),
                is_as_sent=lambda shown: not differences(inputs, shown),
                report=inv.progress,
            ).run()
    except BaseException as error:
        if inputs.get("wait_for") == "none" and isinstance(error, JigError):
            return Stored(name, state_of(inputs, seen[-1], account=change.account))
        reasons = [_reason(error, name)]
        if isinstance(error, RolloutError) and not change.created:
            reasons += _roll_back(change, seen, inv, ctx)
        outputs = state_of(inputs, seen[-1], account=change.account)
        raise PartialFailureError(name, outputs, reasons) from None
    return Stored(name, state_of(inputs, seen[-1], account=change.account))


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


def _goal(change: Change, inv: Invocation, ctx: CallContext) -> Goal:
    inputs, item = change.inputs, change.item
    declared = declared_fields(inputs)
    floor = declared.get("min_replicas", item.min_replicas)
    revision = item.revision_id or _newest_revision(change, inv, ctx)
    before = change.before
    must_move = before is not None and any(
        FIELDS[name].rolls for name in change.changed if name in FIELDS
    )
    return Goal(
        name=required_name(inputs),
        wait_for=inputs.get("wait_for") or "min_replicas",
        floor=int(floor) if isinstance(floor, (int, float)) else 1,
        revision_id=revision,
        not_before=before.updated_at if before is not None and must_move else None,
        health_checked=bool(declared.get("health_check_path")),
        pull_grace=inv.pull_grace,
    )


def _newest_revision(change: Change, inv: Invocation, ctx: CallContext) -> str | None:
    try:
        events = inv.client.deployments.revisions(
            reference_of(change), ctx.within(LAST_LOOK), limit=1
        )
    except JigError:
        return None
    return events[0].revision_id if events else None


def _logs(
    change: Change, replica: str | None, inv: Invocation, ctx: CallContext
) -> list[str]:
    lines = inv.client.deployments.logs(
        reference_of(change), ctx.beyond(LAST_LOOK), replica_id=replica
    )
    secrets = secret_texts(change.inputs)
    return [redact(line, secrets) for line in lines]


def _roll_back(
    change: Change,
    seen: list[DeploymentResponseItem],
    inv: Invocation,
    ctx: CallContext,
) -> list[str]:
    """Re-apply the revision from before, where the program asks for it."""
    before = change.before
    if change.inputs.get("on_failed_update") != "rollback" or before is None:
        return []
    revision = before.revision_id
    if not revision or revision == seen[-1].revision_id:
        return ["There is no earlier revision to go back to."]
    ctx = ctx.beyond(ROLLBACK_TIMEOUT)
    inv.progress("rolling back")
    try:
        item = inv.client.deployments.rollback(reference_of(change), revision, ctx)
        seen[:] = [item]
        goal = Goal(
            name=required_name(change.inputs),
            wait_for="first_replica",
            floor=int(before.min_replicas or 0),
            revision_id=item.revision_id or revision,
            health_checked=True,
            pull_grace=inv.pull_grace,
        )

        def fetch() -> DeploymentResponseItem:
            seen[:] = [inv.client.deployments.get(reference_of(change), ctx)]
            return seen[-1]

        Watch(goal, fetch, ctx, report=inv.progress).run()
    except JigError as error:
        return [f"Rolling back to revision {revision} failed as well: {error.message}"]
    return [
        f"It was rolled back: the configuration of revision {revision} serves again. "
        "The next `pulumi up` tries the update again."
    ]
