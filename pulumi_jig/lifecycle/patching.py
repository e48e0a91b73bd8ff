"""
Having something changed: only what differs, and a lost answer settled by a look.

An update has the same effect however often it is sent, so one whose answer got lost is
looked for, and sent once more where it did not arrive, or where no look can tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pulumi_jig.errors import (
    ConflictError,
    JigError,
    OutcomeUnknownError,
)
from pulumi_jig.lifecycle.invocation import PartialFailureError
from pulumi_jig.lifecycle.keys import ADOPTING
from pulumi_jig.lifecycle.kind import mark_on
from pulumi_jig.lifecycle.sending import (
    LAST_LOOK,
    MAX_SENDS,
    SETTLE_PAUSE,
    Change,
    is_ambiguous,
    reference_of,
    required_name,
    said,
    show,
)
from pulumi_jig.schema.responses import ResponseModel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi_jig.deadline import Deadline
    from pulumi_jig.lifecycle.invocation import Invocation
    from pulumi_jig.lifecycle.kind import Kind

Item = TypeVar("Item", bound=ResponseModel)


def patch(
    kind: Kind[Item],
    change: Change[Item],
    body: dict[str, Any],
    inv: Invocation,
    ctx: Deadline,
    *,
    still_ours: Callable[[Item], None],
    state: Mapping[str, Any] | None = None,
) -> Item:
    """
    Have the service accept an update; an empty one is not sent.

    Args:
        kind: What it is.
        change: What is changed.
        body: What to send.
        inv: The call.
        ctx: The operation.
        still_ours: Raises where a thing is not the one that is meant.
        state: What the state held before; None when it is taken over.

    Raises:
        PartialFailureError: It stays unknown whether it arrived.
        JigError: Nothing was changed.
    """
    if not body:
        return change.item
    sent, lost = 0, False
    unseen = kind.unseen(body, change.item)
    while True:
        inv.progress("sending the change")
        sent += 1
        try:
            return _send(kind, change, body, inv, ctx)
        except ConflictError as error:
            # Somebody else changes it at the same time: look again, then insist. What
            # the client sent before the conflict may have arrived.
            lost = lost or error.uncertain
            if sent >= MAX_SENDS or ctx.expired:
                if lost and unseen:
                    raise _unsettled(kind, change, state, error) from None
                raise
            still_ours(show(kind, reference_of(kind, change), change.inputs, inv, ctx))
        except JigError as error:
            # What was certainly not acted upon the client has repeated for as long as
            # there was hope.
            lost = lost or is_ambiguous(error)
            if is_ambiguous(error):
                found = _look_for(
                    kind, change, inv, ctx, body=body, state=state, error=error
                )
                if found is not None:
                    return found
            if not is_ambiguous(error) or sent >= MAX_SENDS or ctx.expired:
                if lost and unseen:
                    raise _unsettled(kind, change, state, error) from None
                raise
        ctx.pause(SETTLE_PAUSE)


def _send(
    kind: Kind[Item],
    change: Change[Item],
    body: Mapping[str, Any],
    inv: Invocation,
    ctx: Deadline,
) -> Item:
    """One request; whatever breaks while its answer is read leaves its end unknown."""
    reference, verbs = reference_of(kind, change), kind.noun(inv.client)
    verbs.item.prepare()
    try:
        item = verbs.update(reference, body, ctx)
        return kind.recognise(item, change.inputs, inv, ctx)
    except JigError:
        raise
    except BaseException as error:
        raise OutcomeUnknownError(
            f"The answer to the update ended in {said(error)}"
        ) from None


def _look_for(
    kind: Kind[Item],
    change: Change[Item],
    inv: Invocation,
    ctx: Deadline,
    *,
    body: Mapping[str, Any],
    state: Mapping[str, Any] | None,
    error: JigError,
) -> Item | None:
    """What a lost update has made of it, or None where it has not arrived."""
    until = ctx.clock() + kind.patience
    while True:
        found = _look(kind, change, inv, ctx, state=state, error=error)
        if kind.arrived(body, found, change.item):
            return found
        if ctx.clock() >= until or ctx.expired:
            return None
        inv.progress("no answer; looking for what became of the change")
        ctx.pause(SETTLE_PAUSE)


def _look(
    kind: Kind[Item],
    change: Change[Item],
    inv: Invocation,
    ctx: Deadline,
    *,
    state: Mapping[str, Any] | None,
    error: JigError,
) -> Item:
    look = ctx if ctx.remaining() > LAST_LOOK else ctx.extended_by(LAST_LOOK)
    try:
        return show(kind, reference_of(kind, change), change.inputs, inv, look)
    except BaseException as other:
        looked = f"Looking failed as well: {said(other)} "
        raise _unsettled(kind, change, state, error, looked) from None


def _unsettled(
    kind: Kind[Item],
    change: Change[Item],
    state: Mapping[str, Any] | None,
    error: JigError,
    looked: str = "",
) -> PartialFailureError:
    name = required_name(kind, change.inputs)
    reason = (
        f"It is not known whether the update of {kind.what} {name} arrived: "
        f"{error.message} {looked}"
        + kind.at_stake("It is running and billing in one form or the other; ")
        + "the next `pulumi up` settles it."
    )
    outputs = kind.unsettled(change, state)
    mark = mark_on(change.item)
    if mark is not None and (state is None or ADOPTING in state):
        outputs[ADOPTING] = mark.nonce
    return PartialFailureError(name, outputs, [reason])
