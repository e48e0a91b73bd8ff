"""
Deleting a deployment, by its id, and waiting until it is gone.

One that is gone already is a success. One that is not ours any more is left alone. A
delete that nobody confirms is an error that says it may still be billing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_jig.errors import (
    AmbiguousError,
    ConflictError,
    EngineGoneError,
    NotFoundError,
    RateLimitError,
    RolloutError,
    ServerError,
    TransportError,
)
from pulumi_jig.lifecycle.deployment.identity import (
    foreign,
    require_account,
    require_proof_of_absence,
)
from pulumi_jig.lifecycle.deployment.inputs import UNCONFIRMED
from pulumi_jig.lifecycle.deployment.sending import is_ours, replace_message
from pulumi_jig.lifecycle.invocation import DELETE_TIMEOUT
from pulumi_jig.lifecycle.memory import name_lock, remember_deleted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.context import CallContext
    from pulumi_jig.lifecycle.invocation import Invocation


def delete(id_: str, state: Mapping[str, Any], inv: Invocation) -> None:
    """
    Delete a deployment and wait until it is gone.

    One that is gone already is a success; one that is not ours any more is left alone.

    Raises:
        JigError: It is still there, or nobody can tell.
    """
    ctx = inv.context(DELETE_TIMEOUT)
    name = str(state.get("name") or id_)
    state = {**state, "name": name}
    known = state.get("deployment_id")
    with name_lock(name):
        require_account(state, inv, ctx)
        try:
            item = inv.client.deployments.get(str(known or name), ctx)
        except NotFoundError as error:
            require_proof_of_absence(error, state, inv, ctx)
            return
        if state.get(UNCONFIRMED) and not is_ours(item, state, inv, sent=1):
            inv.log("info", f"deployment {name} was never created; nothing to delete")
            return
        why = foreign(item, state, inv.urn)
        if why:
            inv.log("warning", f"{why} It is left alone, and this state lets it go.")
            return
        reference = str(item.id or name)
        _delete(reference, state, inv, ctx)
        _wait_until_gone(reference, name, inv, ctx)
        remember_deleted(name, item.id)


def _delete(
    reference: str, state: Mapping[str, Any], inv: Invocation, ctx: CallContext
) -> None:
    inv.progress("deleting")
    try:
        inv.client.deployments.delete(reference, ctx)
    except NotFoundError as error:
        require_proof_of_absence(error, state, inv, ctx)
    except ConflictError as error:
        raise replace_message(
            error,
            f"The service refuses to delete deployment {state['name']}: "
            f"{error.detail or error.message} It is still running and billing. Remove "
            "what uses it, then run `pulumi destroy` or `pulumi up` again.",
        ) from None
    except (AmbiguousError, ServerError):
        # The wait below tells whether it arrived.
        pass


def _wait_until_gone(
    reference: str, name: str, inv: Invocation, ctx: CallContext
) -> None:
    pause = 0.25
    again = ctx.clock() + 30.0
    while True:
        try:
            item = inv.client.deployments.get(reference, ctx)
        except NotFoundError as error:
            if error.definitive:
                return
            raise
        except (TransportError, RateLimitError, ServerError) as error:
            if isinstance(error, EngineGoneError) or ctx.expired:
                raise _still_there(name, ctx, error.message) from None
        else:
            inv.progress(f"going away ({item.status or 'no status'})")
            if ctx.clock() >= again:
                # A delete that got lost would be waited for in vain.
                again = ctx.clock() + 30.0
                _delete(reference, {"name": name}, inv, ctx)
        if ctx.expired:
            raise _still_there(name, ctx, "the service still shows it.")
        ctx.pause(pause)
        pause = min(pause * 1.5, 5.0)


def _still_there(name: str, ctx: CallContext, why: str) -> RolloutError:
    return RolloutError(
        f"Deployment {name} was asked to go away and is not known to be gone after "
        f"{ctx.elapsed():.0f} s: {why} It may still be running and billing. It stays in "
        "the state; run the command again, or allow more time with `custom_timeouts`."
    )
