"""
Having a deployment changed: only what differs, and a lost answer settled by a look.

An update has the same effect however often it is sent, so one whose answer got lost is
looked for, and sent once more where it did not arrive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_jig.errors import (
    AmbiguousError,
    ConflictError,
    JigError,
)
from pulumi_jig.fields import (
    FIELDS,
    NO_RESET,
    clearing_value,
    is_same,
    live_values,
    same_extra,
)
from pulumi_jig.lifecycle.deployment.diff import implied_ceiling
from pulumi_jig.lifecycle.deployment.inputs import (
    EXTRA,
    declared_fields,
    extra_fields,
    mark_of,
    request_value,
)
from pulumi_jig.lifecycle.deployment.sending import (
    LAST_LOOK,
    MAX_SENDS,
    SETTLE_PAUSE,
    Change,
    ignored_parts,
    is_ambiguous,
    reference_of,
    required_name,
    said,
)
from pulumi_jig.lifecycle.deployment.state import state_of
from pulumi_jig.lifecycle.invocation import PartialFailureError
from pulumi_jig.naming import join_description, split_description

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pulumi_jig.context import CallContext
    from pulumi_jig.lifecycle.invocation import Invocation
    from pulumi_jig.models import DeploymentResponseItem


def patch_body(
    inputs: Mapping[str, Any],
    live_item: DeploymentResponseItem,
    inv: Invocation,
    *,
    clear: Collection[str],
) -> dict[str, Any]:
    """What to send: declared fields that differ from what is live, and clears."""
    declared = declared_fields(inputs)
    live = live_values(live_item)
    body: dict[str, Any] = {}
    ignored = ignored_parts(inv)

    def is_ignored(name: str) -> bool:
        return name in ignored and ignored[name] is None

    for name, declared_value in declared.items():
        value = declared_value
        if name == "name" or is_ignored(name):
            continue
        if name == "environment_variables":
            # A single ignored variable stays as it is, while the list is replaced.
            value = _with_live(value, live.get(name, {}), ignored.get(name) or ())
        if name not in live or not is_same(name, value, live[name], declared):
            body[name] = request_value(name, value)
    for name in clear:
        value = clearing_value(name, declared)
        if value is NO_RESET or is_ignored(name):
            continue
        if name == "environment_variables" and ignored.get(name):
            left = _with_live(
                declared.get(name, {}), live.get(name, {}), ignored[name] or ()
            )
            value = request_value(name, left)
        body[name] = value
    ceiling = implied_ceiling(declared, body)
    if (
        ceiling is not None
        and live.get("max_replicas") != ceiling
        and not is_ignored("max_replicas")
    ):
        body["max_replicas"] = ceiling
    # What was not declared before and never sent needs no clearing; what stays out of
    # the body stays as it is on the service.
    raw = live_item.plain()
    ignored_extra = ignored.get(EXTRA, set())
    body |= {
        key: value
        for key, value in extra_fields(inputs).items()
        if ignored_extra is not None
        and key not in ignored_extra
        and not same_extra(value, raw.get(key))
    }
    _mark_description(inputs, live_item, body, inv)
    return body


def _with_live(
    value: Any, live: Mapping[str, Any], ignored: Collection[str]
) -> dict[str, Any]:
    kept = {name: item for name, item in dict(value).items() if name not in ignored}
    return kept | {name: live[name] for name in ignored if name in live}


def _mark_description(
    inputs: Mapping[str, Any],
    live_item: DeploymentResponseItem,
    body: dict[str, Any],
    inv: Invocation,
) -> None:
    """The mark rides on the description, whatever else happens to it."""
    mark = mark_of(inputs, inv.urn)
    live_text, live_mark = split_description(live_item.description)
    if "description" in body:
        body["description"] = join_description(body["description"], mark)
    elif mark is not None and mark != live_mark:
        body["description"] = join_description(live_text, mark)


def patch(
    change: Change,
    body: dict[str, Any],
    inv: Invocation,
    ctx: CallContext,
    *,
    still_ours: Callable[[DeploymentResponseItem], None],
) -> DeploymentResponseItem:
    """
    Have the service accept an update; an empty one is not sent.

    Args:
        change: What is changed.
        body: What to send.
        inv: The call.
        ctx: The operation.
        still_ours: Raises where a deployment is not the one that is meant.

    Raises:
        PartialFailureError: It stays unknown whether it arrived.
        JigError: Nothing was changed.
    """
    if not body:
        return change.item
    sent = 0
    while True:
        inv.progress("sending the change")
        sent += 1
        try:
            return _send(reference_of(change), body, inv, ctx)
        except ConflictError:
            # Somebody else changes it at the same time: look again, then insist.
            if sent >= MAX_SENDS or ctx.expired:
                raise
            still_ours(inv.client.deployments.get(reference_of(change), ctx))
        except JigError as error:
            # What was certainly not acted upon the client has repeated for as long as
            # there was hope.
            if not is_ambiguous(error):
                raise
            found = _look(change, error, inv, ctx)
            if arrived(body, found):
                return found
            if sent >= MAX_SENDS or ctx.expired:
                raise
        ctx.pause(SETTLE_PAUSE)


def _send(
    reference: str, body: Mapping[str, Any], inv: Invocation, ctx: CallContext
) -> DeploymentResponseItem:
    """One request; whatever breaks while its answer is read leaves its end unknown."""
    try:
        return inv.client.deployments.update(reference, body, ctx)
    except JigError:
        raise
    except BaseException as error:
        raise AmbiguousError(
            f"The answer to the update ended in {said(error)}"
        ) from None


def _look(
    change: Change, error: JigError, inv: Invocation, ctx: CallContext
) -> DeploymentResponseItem:
    look = ctx if ctx.remaining() > LAST_LOOK else ctx.beyond(LAST_LOOK)
    try:
        return inv.client.deployments.get(reference_of(change), look)
    except BaseException as other:
        name = required_name(change.inputs)
        outputs = state_of(change.inputs, change.item, account=change.account)
        raise PartialFailureError(
            name,
            outputs,
            [
                f"It is not known whether the update of deployment {name} arrived: "
                f"{error.message} Looking failed as well: {said(other)} It is "
                "running and billing in one form or the other; the next `pulumi up` "
                "settles it."
            ],
        ) from None


def arrived(body: Mapping[str, Any], found: DeploymentResponseItem) -> bool:
    """
    Whether all that was sent, clears included, is true of an answer.

    What the answer does not tell proves nothing either way and does not count.
    """
    live, raw = live_values(found), found.plain()
    context = {**live, **body}
    for name, value in body.items():
        if name == "description":
            if (found.description or "") != value:
                return False
        elif name in FIELDS:
            if name in live and not is_same(name, value, live[name], context):
                return False
        elif raw.get(name, value) != value:
            return False
    return True
