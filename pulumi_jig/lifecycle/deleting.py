"""
Deleting something, by its id, and waiting until it is gone.

One that is gone already is a success. One that is not ours any more is left alone. A
delete that nobody confirms is an error that says what may still be billing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from pulumi_jig.errors import (
    ConflictError,
    EngineDisconnectedError,
    JigError,
    NotFoundError,
    RateLimitError,
    RequestError,
    RolloutError,
    ServerError,
)
from pulumi_jig.lifecycle.identity import (
    foreign,
    require_account,
    require_proof_of_absence,
    require_telling,
)
from pulumi_jig.lifecycle.keys import ADOPTING, KEY, UNCONFIRMED, remember_secrets
from pulumi_jig.lifecycle.kind import id_of
from pulumi_jig.lifecycle.memory import name_lock, remember_deleted
from pulumi_jig.lifecycle.sending import (
    LAST_LOOK,
    is_ambiguous,
    is_ours,
    replace_message,
    saying,
    show,
)
from pulumi_jig.schema.responses import ResponseModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.deadline import Deadline
    from pulumi_jig.lifecycle.invocation import Invocation
    from pulumi_jig.lifecycle.kind import Kind

Item = TypeVar("Item", bound=ResponseModel)

#: Seconds between two looks: the first, the factor, the longest.
FIRST_PAUSE: Final = 0.25
PAUSE_FACTOR: Final = 1.5
LONGEST_PAUSE: Final = 5.0
#: Seconds after which a delete that seems to have got lost is sent again.
SEND_AGAIN: Final = 30.0
#: Seconds for which the service may refuse (what uses the deployment may be going too).
REFUSALS: Final = 30.0


def delete(
    kind: Kind[Item], id_: str, state: Mapping[str, Any], inv: Invocation
) -> None:
    """
    Delete something and wait until it is gone.

    One that is gone already is a success; one that is not ours any more is left alone.

    Raises:
        JigError: It is still there, or nobody can tell.
    """
    name = str(state.get("name") or id_)
    state = {**state, "name": name}
    remember_secrets(state, inv.old_inputs or {})
    with name_lock(kind.key(name)):
        _delete(kind, name, state, inv)


def _delete(
    kind: Kind[Item], name: str, state: Mapping[str, Any], inv: Invocation
) -> None:
    ctx = inv.context(kind.delete_timeout)
    known = state.get(kind.id_key)
    require_account(kind, state, inv, ctx)
    end = f"It stays in the state{kind.at_stake(', and may be running and billing')}."
    try:
        with saying(f"{kind.title(name)} was not deleted", end):
            item = show(kind, str(known or name), state, inv, ctx)
    except NotFoundError as error:
        require_proof_of_absence(kind, error, state, inv, ctx)
        return
    # This key has seen it, so what it sees of it from now on is a proof.
    state = {**state, KEY: inv.client.settings.key_fingerprint}
    if not _may_delete(kind, item, state, inv):
        return
    kind.require_unused(item, state, inv, ctx)
    _Deletion(kind, id_of(item) or name, state, inv, ctx).run()
    remember_deleted(kind.key(name), id_of(item))


def _may_delete(
    kind: Kind[Item], item: Item, state: Mapping[str, Any], inv: Invocation
) -> bool:
    name = state["name"]
    if state.get(UNCONFIRMED):
        if is_ours(kind, item, state, inv, sent=1):
            return True
        require_telling(kind, item, state, inv)
        inv.log(
            "warning",
            f"{kind.what} {name} was never created by this program, so there is nothing "
            f"to delete; the one of that name (id {id_of(item)}) is left alone",
        )
        return False
    # An adoption that never arrived leaves it to whoever had it.
    settled = {key: value for key, value in state.items() if key != ADOPTING}
    why = foreign(kind, item, settled, inv.urn)
    if why:
        text = f"{why} It is left alone, and this state lets it go."
        if kind.marked:
            # What a killed run claimed for this very resource is in no state.
            text += " If no other state has it, `pulumi-jig orphans` shows it."
        inv.log("warning", text)
    return not why


class _Deletion(Generic[Item]):
    """One deletion, from the request to the proof that it is gone."""

    def __init__(
        self,
        kind: Kind[Item],
        reference: str,
        state: Mapping[str, Any],
        inv: Invocation,
        ctx: Deadline,
    ) -> None:
        self._kind = kind
        self._reference = reference
        self._state = state
        self._title = kind.title(state["name"])
        self._risk = kind.at_stake(" It may still be running and billing.")
        self._inv = inv
        self._ctx = ctx
        self._accepted = False
        self._refused: tuple[float, ConflictError] | None = None

    def run(self) -> None:
        self._inv.progress("deleting")
        try:
            self._send()
            self._wait_until_gone()
        except JigError as error:
            if isinstance(error, RolloutError):
                raise
            raise replace_message(
                error,
                f"{self._title} is not known to be gone: {error.message}"
                f"{self._risk} It stays in the state; run the command again.",
            ) from None

    def _send(self) -> None:
        try:
            self._kind.noun(self._inv.client).delete(self._reference, self._ctx)
            self._accepted = True
            self._refused = None
        except ConflictError as error:
            # A second request may well be refused because the first is under way.
            if not self._accepted:
                since = self._refused[0] if self._refused else self._ctx.clock()
                self._refused = (since, error)
        except NotFoundError:
            # The look that follows tells whether that is a proof.
            self._refused = None
        except JigError as error:
            # It may have arrived; the looks that follow tell.
            if not is_ambiguous(error):
                raise

    def _wait_until_gone(self) -> None:
        ctx, pause = self._ctx, FIRST_PAUSE
        sent_at = ctx.clock()
        while True:
            why = self._look()
            if why is None:
                return
            if self._refused and ctx.clock() - self._refused[0] >= REFUSALS:
                why = self._kind.in_use(
                    self._state, self._refused[1], self._inv, ctx.extended_by(LAST_LOOK)
                )
                raise RolloutError(why)
            if ctx.expired:
                raise RolloutError(
                    f"{self._title} was asked to go away and is not known to be gone "
                    f"after {ctx.elapsed():.0f} s: {why}{self._risk} It stays in the "
                    "state; run the command again, or allow more time with `custom_timeouts`."
                )
            ctx.pause(pause)
            pause = min(pause * PAUSE_FACTOR, LONGEST_PAUSE)
            if self._refused or ctx.clock() - sent_at >= SEND_AGAIN:
                # A delete that got lost would be waited for in vain.
                sent_at = ctx.clock()
                self._send()

    def _look(self) -> str | None:
        """None once it is gone, else what is known."""
        try:
            item = self._kind.noun(self._inv.client).get(self._reference, self._ctx)
        except NotFoundError as error:
            if error.from_api:
                require_proof_of_absence(
                    self._kind, error, self._state, self._inv, self._ctx
                )
                return None
            return error.message
        except EngineDisconnectedError:
            raise
        except (RequestError, RateLimitError, ServerError) as error:
            return error.message
        status = getattr(item, "status", None)
        self._inv.progress(f"going away ({status or 'no status'})")
        return "the service still shows it."
