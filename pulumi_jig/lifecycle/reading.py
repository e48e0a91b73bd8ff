"""
Reading something for a refresh.

Gone means a 404 in the API's own words, from the account that the state remembers. Any
other failure is an error, so the state is kept: a resource that is dropped from the
state by mistake is nobody's any more, and may go on billing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pulumi_jig.errors import NotFoundError
from pulumi_jig.lifecycle.identity import (
    foreign,
    is_being_adopted,
    require_account,
    require_proof_of_absence,
    require_telling,
)
from pulumi_jig.lifecycle.invocation import READ_TIMEOUT, Stored
from pulumi_jig.lifecycle.keys import (
    ADOPTING,
    KEY,
    UNCONFIRMED,
    UNREADY,
    remember_secrets,
    with_added,
)
from pulumi_jig.lifecycle.kind import id_of, name_in
from pulumi_jig.lifecycle.sending import is_ours, saying, show
from pulumi_jig.schema.responses import ResponseModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.lifecycle.invocation import Invocation
    from pulumi_jig.lifecycle.kind import Kind

Item = TypeVar("Item", bound=ResponseModel)


def read(
    kind: Kind[Item], id_: str, state: Mapping[str, Any], inv: Invocation
) -> Stored:
    """
    What is live now, for a refresh.

    Returns:
        The resource; with an empty id when it is gone. Gone means a 404 in the API's
        own words, from the account that the state remembers.

    Raises:
        JigError: Nothing is known, so the state must be kept.
    """
    remember_secrets(state, inv.old_inputs or {})
    return _read(kind, id_, state, inv)


def _read(
    kind: Kind[Item], id_: str, state: Mapping[str, Any], inv: Invocation
) -> Stored:
    ctx = inv.context(READ_TIMEOUT)
    name = str(state.get("name") or id_)
    known = state.get(kind.id_key)
    stored_before = bool(known) or bool(state.get(UNCONFIRMED))
    state = {**state, "name": name}
    start = f"{kind.title(name)} could not be read"
    try:
        with saying(start, "The state is kept." if stored_before else ""):
            item = show(kind, str(known or name), inv.old_inputs or state, inv, ctx)
    except NotFoundError as error:
        if stored_before or not error.from_api:
            require_proof_of_absence(kind, error, state, inv, ctx)
        if not stored_before:
            # The engine takes a missing resource for a found one when it looks one up.
            raise NotFoundError(
                f'There is no {kind.what} "{name}" in this account.', status=404
            ) from None
        return Stored("", {})
    if state.get(UNCONFIRMED) and not is_ours(kind, item, state, inv, sent=1):
        require_telling(kind, item, state, inv)
        inv.log(
            "warning",
            f"{kind.what} {name} was never created by this program; the one of that "
            f"name (id {id_of(item)}) is somebody else's",
        )
        return Stored("", {})
    account = require_account(kind, state, inv, ctx)
    # Without an id this is the look that gives it one.
    why = foreign(kind, item, state, inv.urn) if known else None
    if why:
        inv.log("warning", f"{why} It is shown as it is and will not be changed.")
    sent = kind.inputs_in(state)
    inputs = with_added(inv.old_inputs or sent, state)
    # After an update that failed, the state's inputs are those from before it: what was
    # sent last is among its outputs only, and a value is shown by no response.
    newer = sent if state.get(UNREADY) else {}
    outputs = kind.state_of({**sent, **inputs, **newer}, item, account=account)
    if why is None:
        # This key sees it, so a 404 to this key will prove that it is gone.
        outputs[KEY] = inv.client.settings.key_fingerprint
    unready = state.get(UNREADY)
    waits = not kind.complete_at_once and inputs.get("wait_for") != "none"
    if state.get(UNCONFIRMED) and waits:
        # It is there, so it is confirmed; but nobody has waited for it.
        unready = unready or ["the run that made it could not see it"]
    if is_being_adopted(item, state):
        outputs[ADOPTING] = state[ADOPTING]
    if unready and kind.still_unready(item):
        outputs[UNREADY] = unready
    kind.notice(state, item, inv)
    return Stored(name_in(item) or name, outputs, kind.inputs_of(inputs, item))
