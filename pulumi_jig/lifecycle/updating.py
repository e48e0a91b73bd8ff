"""
Updating something: what is declared and differs from what is live, and nothing else.

Compared is with what is live at this moment, so a change that somebody made since the
last refresh does not survive on a declared field. What is not ours any more is not touched.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from pulumi_jig.errors import NotFoundError
from pulumi_jig.lifecycle.identity import (
    refuse_foreign,
    require_account,
    require_proof_of_absence,
    taken,
)
from pulumi_jig.lifecycle.invocation import PartialFailureError
from pulumi_jig.lifecycle.keys import (
    UNCONFIRMED,
    remember_secrets,
    still_secret,
    with_added,
)
from pulumi_jig.lifecycle.kind import id_of
from pulumi_jig.lifecycle.memory import name_lock
from pulumi_jig.lifecycle.patching import patch
from pulumi_jig.lifecycle.posting import post
from pulumi_jig.lifecycle.sending import (
    Change,
    is_ours,
    require_storable,
    required_name,
    saying,
    show,
)
from pulumi_jig.schema.responses import ResponseModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.deadline import Deadline
    from pulumi_jig.lifecycle.invocation import Invocation, Stored
    from pulumi_jig.lifecycle.kind import Kind

Item = TypeVar("Item", bound=ResponseModel)


def update(
    kind: Kind[Item],
    state: Mapping[str, Any],
    inputs: Mapping[str, Any],
    inv: Invocation,
) -> Stored:
    """
    Bring something to what the program declares, and wait until it is that.

    Args:
        kind: What it is.
        state: The state's outputs.
        inputs: Checked inputs, all known.
        inv: The call.

    Raises:
        PartialFailureError: The change was accepted and is not in effect.
        OwnershipError: The thing is not ours any more; nothing was changed.
        JigError: Nothing was changed.
    """
    name = required_name(kind, inputs)
    require_storable(inputs)
    inputs = with_added(inputs, state)
    remember_secrets(state, inputs, inv.old_inputs or {})
    with name_lock(kind.key(name)):
        try:
            stored = _update(kind, state, inputs, inv)
        except PartialFailureError as error:
            error.outputs = still_secret(error.outputs, state)
            raise
    return replace(stored, outputs=still_secret(stored.outputs, state))


def _update(
    kind: Kind[Item],
    state: Mapping[str, Any],
    inputs: Mapping[str, Any],
    inv: Invocation,
) -> Stored:
    ctx = inv.context(kind.update_timeout)
    account = require_account(kind, state, inv, ctx)
    confirming = bool(state.get(UNCONFIRMED))
    if confirming:
        found = _confirm(kind, state, inputs, inv, ctx)
    else:
        found = _live(kind, state, inputs, inv, ctx)
    if found is None:
        made = post(kind, inputs, lambda: account, inv, ctx)
        return kind.finish(made, inv, ctx)
    if confirming:
        # From here on it is known by its id.
        state = {**state, kind.id_key: id_of(found)}
    else:
        refuse_foreign(kind, found, state, inv.urn)
    body = kind.patch_body(inputs, found, inv, state)
    change = Change(inputs, found, before=found, account=account)
    item = patch(
        kind,
        change,
        body,
        inv,
        ctx,
        still_ours=lambda shown: refuse_foreign(kind, shown, state, inv.urn),
        state=state,
    )
    return kind.finish(replace(change, item=item, changed=tuple(body)), inv, ctx)


def _live(
    kind: Kind[Item],
    state: Mapping[str, Any],
    inputs: Mapping[str, Any],
    inv: Invocation,
    ctx: Deadline,
) -> Item | None:
    name = state.get("name")
    try:
        with saying(f"{kind.title(name)} was not updated", "Nothing was changed."):
            return show(kind, str(state.get(kind.id_key) or name), inputs, inv, ctx)
    except NotFoundError as error:
        require_proof_of_absence(kind, error, state, inv, ctx)
        if kind.may_return(state):
            return None
        # Kept as a failure of the resource: with the old program back in place, the next
        # `pulumi up` would compare it with the state alone and call it unchanged.
        raise PartialFailureError(
            str(name),
            _without_live(kind, state, inv),
            [
                f"{kind.title(name)} does not exist any more: somebody deleted it, or a "
                "deletion of an earlier run was carried out although that run failed. "
                "Run `pulumi refresh`, then `pulumi up` creates it anew."
            ],
        ) from None


def _without_live(
    kind: Kind[Item], state: Mapping[str, Any], inv: Invocation
) -> dict[str, Any]:
    """The state of what is gone: what was declared, its id, and the bookkeeping."""
    inputs = with_added(inv.old_inputs or kind.inputs_in(state), state)
    outputs = kind.state_of({**kind.inputs_in(state), **inputs}, None)
    kept = {key: value for key, value in state.items() if key.startswith("__")}
    return {**outputs, **kept, kind.id_key: state.get(kind.id_key)}


def _confirm(
    kind: Kind[Item],
    state: Mapping[str, Any],
    inputs: Mapping[str, Any],
    inv: Invocation,
    ctx: Deadline,
) -> Item | None:
    """Settle a creation that ended without an answer; None means: never happened."""
    try:
        found = show(kind, required_name(kind, state), inputs, inv, ctx)
    except NotFoundError as error:
        require_proof_of_absence(kind, error, state, inv, ctx)
        return None
    if not is_ours(kind, found, state, inv, sent=1):
        raise taken(kind, found, inputs, inv.urn)
    return found
