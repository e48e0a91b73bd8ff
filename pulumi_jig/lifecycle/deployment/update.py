"""
Updating a deployment: what is declared and differs from what is live, and nothing else.

Compared is with what is live at this moment, so a change that somebody made since the
last refresh does not survive on a declared field. A deployment that is not ours any more
is not touched.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pulumi_jig.errors import NotFoundError
from pulumi_jig.fields import live_values
from pulumi_jig.lifecycle.deployment.diff import dropped_fields
from pulumi_jig.lifecycle.deployment.discretion import discreet
from pulumi_jig.lifecycle.deployment.identity import (
    refuse_foreign,
    require_account,
    require_proof_of_absence,
    taken,
)
from pulumi_jig.lifecycle.deployment.inputs import UNCONFIRMED
from pulumi_jig.lifecycle.deployment.patching import patch, patch_body
from pulumi_jig.lifecycle.deployment.posting import post
from pulumi_jig.lifecycle.deployment.sending import (
    Change,
    is_ours,
    require_storable,
    required_name,
)
from pulumi_jig.lifecycle.deployment.serving import roll_out
from pulumi_jig.lifecycle.invocation import UPDATE_TIMEOUT, Stored
from pulumi_jig.lifecycle.memory import name_lock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.context import CallContext
    from pulumi_jig.lifecycle.invocation import Invocation
    from pulumi_jig.models import DeploymentResponseItem


def update(
    state: Mapping[str, Any], inputs: Mapping[str, Any], inv: Invocation
) -> Stored:
    """
    Bring a deployment to what the program declares, and wait until it serves.

    Args:
        state: The state's outputs.
        inputs: Checked inputs, all known.
        inv: The call.

    Raises:
        PartialFailureError: The change was accepted and does not serve.
        OwnershipError: The deployment is not ours any more; nothing was changed.
        JigError: Nothing was changed.
    """
    name = required_name(inputs)
    require_storable(inputs)
    with discreet(inv, state, inputs) as quiet, name_lock(name):
        return _update(state, inputs, quiet)


def _update(
    state: Mapping[str, Any], inputs: Mapping[str, Any], inv: Invocation
) -> Stored:
    ctx = inv.context(UPDATE_TIMEOUT)
    account = require_account(state, inv, ctx)
    if state.get(UNCONFIRMED):
        found = _confirm(state, inputs, inv, ctx)
        if found is None:
            return roll_out(post(inputs, account, inv, ctx), inv, ctx)
        # From here on it is known by its id.
        state = {**state, "deployment_id": found.id}
    else:
        found = _live(state, inv, ctx)
        refuse_foreign(found, state, inv.urn)
    clear = dropped_fields(
        {**state, **live_values(found)}, inputs, old_inputs=inv.old_inputs
    )
    body = patch_body(inputs, found, inv, clear=clear)
    change = Change(inputs, found, before=found, account=account)
    item = patch(
        change,
        body,
        inv,
        ctx,
        still_ours=lambda shown: refuse_foreign(shown, state, inv.urn),
    )
    return roll_out(replace(change, item=item, changed=tuple(body)), inv, ctx)


def _live(
    state: Mapping[str, Any], inv: Invocation, ctx: CallContext
) -> DeploymentResponseItem:
    name = state.get("name")
    try:
        return inv.client.deployments.get(str(state.get("deployment_id") or name), ctx)
    except NotFoundError as error:
        require_proof_of_absence(error, state, inv, ctx)
        raise NotFoundError(
            f"Deployment {name} does not exist any more: it was deleted outside of "
            "this program. Run `pulumi refresh`, then `pulumi up` creates it anew.",
            status=404,
        ) from None


def _confirm(
    state: Mapping[str, Any],
    inputs: Mapping[str, Any],
    inv: Invocation,
    ctx: CallContext,
) -> DeploymentResponseItem | None:
    """Settle a creation that ended without an answer; None means: never happened."""
    try:
        found = inv.client.deployments.get(required_name(state), ctx)
    except NotFoundError as error:
        require_proof_of_absence(error, state, inv, ctx)
        return None
    if not is_ours(found, state, inv, sent=1):
        raise taken(found, inputs, inv.urn)
    return found
