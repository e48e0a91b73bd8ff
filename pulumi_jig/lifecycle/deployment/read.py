"""
Reading a deployment for a refresh.

Gone means a 404 in the API's own words, from the account that the state remembers. Any
other failure is an error, so the state is kept: a resource that is dropped from the
state by mistake goes on billing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.errors import NotFoundError, OwnershipError
from pulumi_jig.fields import FIELDS
from pulumi_jig.lifecycle.deployment.discretion import discreet
from pulumi_jig.lifecycle.deployment.identity import (
    Whose,
    foreign,
    require_account,
    require_proof_of_absence,
    whose,
)
from pulumi_jig.lifecycle.deployment.inputs import (
    EXTRA,
    HIDDEN_INPUTS,
    OPTIONS,
    UNCONFIRMED,
    UNREADY,
    declared_keys,
)
from pulumi_jig.lifecycle.deployment.sending import is_ours
from pulumi_jig.lifecycle.deployment.state import inputs_of, state_of
from pulumi_jig.lifecycle.invocation import READ_TIMEOUT, Stored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.lifecycle.invocation import Invocation


#: Words that say of a deployment that it does what was asked of it.
SERVING: Final = ("Ready", "ScaledToZero")


def read(id_: str, state: Mapping[str, Any], inv: Invocation) -> Stored:
    """
    What is live now, for a refresh.

    Returns:
        The resource; with an empty id when it is gone. Gone means a 404 in the API's
        own words, from the account that the state remembers.

    Raises:
        JigError: Nothing is known, so the state must be kept.
    """
    with discreet(inv, state, inv.old_inputs or {}) as quiet:
        return _read(id_, state, quiet)


def _read(id_: str, state: Mapping[str, Any], inv: Invocation) -> Stored:
    ctx = inv.context(READ_TIMEOUT)
    name = str(state.get("name") or id_)
    known = state.get("deployment_id")
    stored_before = bool(known) or bool(state.get(UNCONFIRMED))
    state = {**state, "name": name}
    try:
        item = inv.client.deployments.get(str(known or name), ctx)
    except NotFoundError as error:
        require_proof_of_absence(error, state, inv, ctx)
        if not stored_before:
            # The engine takes a missing resource for a found one when it looks one up.
            raise NotFoundError(
                f'There is no deployment "{name}" in this account.', status=404
            ) from None
        return Stored("", {})
    if state.get(UNCONFIRMED) and not is_ours(item, state, inv, sent=1):
        if whose(item, state, inv.urn) is Whose.UNMARKED:
            raise OwnershipError(
                f"A deployment {name} (id {item.id}) exists without any mark, so it "
                "cannot be told whether it is the one whose creation ended without an "
                "answer. The state is kept; it may be running and billing. If it is "
                "yours, delete it or take it over with `adopt=True`; if not, remove "
                "this resource with `pulumi state delete`.",
                name=name,
                deployment_id=item.id,
            )
        inv.log(
            "warning",
            f"deployment {name} was never created by this program; the one of that "
            f"name (id {item.id}) is somebody else's",
        )
        return Stored("", {})
    account = require_account(state, inv, ctx)
    # Without an id this is the look that gives it one.
    why = foreign(item, state, inv.urn) if known else None
    if why:
        inv.log("warning", f"{why} It is shown as it is and will not be changed.")
    inputs = inv.old_inputs or _inputs_in(state)
    outputs = state_of({**_inputs_in(state), **inputs}, item, account=account)
    if state.get(UNREADY) and item.status not in SERVING:
        outputs[UNREADY] = state[UNREADY]
    return Stored(str(item.name or name), outputs, inputs_of(inputs, item))


def _inputs_in(state: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs that a state echoes, for a host that cannot tell them."""
    declared = declared_keys(state)
    keys = {*OPTIONS, EXTRA, *FIELDS} & declared
    keys |= {"name", *HIDDEN_INPUTS}
    return {key: state[key] for key in keys if state.get(key) is not None}
