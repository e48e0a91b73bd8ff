"""
Having something created: accepted exactly once, whatever happens on the wire.

A creation is sent once; it is sent again only when it certainly had no effect. After an
ambiguous end one looks: our nonce is ours, absent for long enough is absent, anything
else is somebody else's. What stays unknown becomes a state that says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from pulumi_jig.errors import (
    ConflictError,
    EngineDisconnectedError,
    JigError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    OwnershipError,
    RateLimitError,
    RequestError,
    ServerError,
)
from pulumi_jig.lifecycle.identity import taken
from pulumi_jig.lifecycle.invocation import PartialFailureError
from pulumi_jig.lifecycle.keys import NONCE, UNCONFIRMED
from pulumi_jig.lifecycle.kind import id_of
from pulumi_jig.lifecycle.memory import holds_any, is_stated, was_deleted
from pulumi_jig.lifecycle.sending import (
    LAST_LOOK,
    MAX_SENDS,
    SETTLE_PAUSE,
    SETTLE_WINDOW,
    Change,
    find,
    is_ambiguous,
    is_ours,
    just_deleted,
    replace_message,
    required_name,
    said,
)
from pulumi_jig.schema.responses import ResponseModel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi_jig.deadline import Deadline
    from pulumi_jig.lifecycle.invocation import Invocation
    from pulumi_jig.lifecycle.kind import Kind

Item = TypeVar("Item", bound=ResponseModel)

#: Seconds for which a name may stay taken after our own delete.
NAME_RELEASE: Final = 120.0
#: Seconds for which looks may bring answers that are not the API's.
STRANGERS: Final = 60.0


def post(
    kind: Kind[Item],
    inputs: Mapping[str, Any],
    account: Callable[[], str | None],
    inv: Invocation,
    ctx: Deadline,
) -> Change[Item]:
    """
    Have the service accept it, exactly once.

    Args:
        kind: What it is.
        inputs: Checked inputs.
        account: Gives whose key it is, and raises nothing: by then it may exist.
        inv: The call.
        ctx: The operation.

    Returns:
        The creation, with the answer to it or with what a look found of it.

    Raises:
        OwnershipError: The name is taken; nothing was created.
        PartialFailureError: It stays unknown whether it was created.
        JigError: Nothing was created.
    """
    name = required_name(kind, inputs)
    body = kind.create_body(inputs, inv.urn)
    # All that may break on this side breaks now, while nothing has been sent.
    kind.noun(inv.client).item.prepare()
    try:
        inv.client.reach(ctx)
    except NotSentError as error:
        raise _never_sent(kind, error, name) from None

    def change(item: Item, *, answered: bool) -> Change[Item]:
        return Change(inputs, item, account=account(), created=True, answered=answered)

    key = kind.key(name)
    replaced = is_stated(key, inv.urn) and not was_deleted(key)
    if replaced or kind.mark(inputs, inv.urn) is None:
        # Without a mark nothing tells ours from a namesake after an ambiguous end, so
        # the namesake must be ruled out before. The same where this resource is being
        # replaced under its name: a creation that can only be refused must not end as
        # one of which nobody knows, because then the old one waits in the state for
        # its deletion, and the new one for the name.
        found = find(kind, inputs, inv, ctx)
        if found is not None and is_ours(kind, found, inputs, inv, sent=0):
            return change(found, answered=False)
        if found is not None and not just_deleted(kind, name, found):
            raise taken(kind, found, inputs, inv.urn)
    released_by = ctx.clock() + NAME_RELEASE
    # Requests whose end was never seen: they may have arrived, or arrive late. An
    # engine that repeats a failed creation counts as one.
    lost = 1 if holds_any(inputs.get(NONCE)) else 0
    while True:
        inv.progress("asking the service for it")
        try:
            return change(_send(kind, body, inputs, inv, ctx), answered=True)
        except ConflictError as error:
            if not lost:
                found = find(kind, inputs, inv, ctx)
                id_ = None if found is None else id_of(found)
                lingers = was_deleted(key, id_)
                if lingers and ctx.clock() < released_by and not ctx.expired:
                    inv.progress("waiting for the name to be released")
                    ctx.pause(SETTLE_PAUSE * 2)
                    continue
                raise taken(kind, found, inputs, inv.urn) from None
            found = _settle(kind, inputs, inv, ctx, error, account=account)
            if found is None:
                raise taken(kind, None, inputs, inv.urn) from None
            return change(found, answered=False)
        except JigError as error:
            ambiguous = is_ambiguous(error)
            if not ambiguous and not lost:
                raise _never_sent(kind, error, name) from None
            found = _settle(kind, inputs, inv, ctx, error, account=account)
            if found is not None:
                return change(found, answered=False)
            lost += 1
            if not ambiguous or lost >= MAX_SENDS or ctx.expired:
                raise _not_created(kind, error, name) from None


def _never_sent(kind: Kind[Any], error: JigError, name: str) -> JigError:
    return replace_message(
        error, f"{kind.title(name)} was not created: {error.message}"
    )


def _send(
    kind: Kind[Item],
    body: Mapping[str, Any],
    inputs: Mapping[str, Any],
    inv: Invocation,
    ctx: Deadline,
) -> Item:
    """One request; whatever breaks while its answer is read leaves its end unknown."""
    verbs = kind.noun(inv.client)
    try:
        item = verbs.create(body, ctx)
        return kind.recognise(item, inputs, inv, ctx)
    except JigError:
        raise
    except BaseException as error:
        raise OutcomeUnknownError(
            f"The answer to the request for it ended in {said(error)}"
        ) from None


def _not_created(kind: Kind[Any], error: JigError, name: str) -> JigError:
    return replace_message(
        error,
        f"{error.message} A look at the service shows that {kind.what} {name} was not "
        "created. Run `pulumi up` again.",
    )


def _settle(
    kind: Kind[Item],
    inputs: Mapping[str, Any],
    inv: Invocation,
    ctx: Deadline,
    error: JigError,
    *,
    account: Callable[[], str | None],
) -> Item | None:
    """
    Find out how a creation ended that got no usable answer.

    It takes what time it needs to be sure, even where the operation's own is up: being
    late is better than losing track of it.

    Returns:
        What was created, or None when it stayed absent for `SETTLE_WINDOW` seconds.

    Raises:
        OwnershipError: The name turned out to be somebody else's.
        PartialFailureError: It stays unknown.
    """
    if ctx.remaining() < SETTLE_WINDOW + LAST_LOOK:
        ctx = ctx.extended_by(SETTLE_WINDOW + LAST_LOOK)
    try:
        return _look_for(kind, inputs, inv, ctx)
    except OwnershipError:
        raise
    except BaseException as other:
        name = required_name(kind, inputs)
        outputs = {**kind.state_of(inputs, None, account=account()), UNCONFIRMED: True}
        raise PartialFailureError(
            name,
            outputs,
            [
                f"It is not known whether {kind.what} {name} was created: "
                f"{error.message} Looking for it failed as well: {said(other)}"
                f"{kind.at_stake(' It may be running and billing.')} "
                "It is kept in the state as unconfirmed; the next `pulumi up` finds it, or creates it if there is none."
            ],
        ) from None


def _look_for(
    kind: Kind[Item], inputs: Mapping[str, Any], inv: Invocation, ctx: Deadline
) -> Item | None:
    name = required_name(kind, inputs)
    inv.progress("no answer; looking for it")
    absent_since: float | None = None
    strange_since: float | None = None
    while True:
        now = ctx.clock()
        try:
            found = find(kind, inputs, inv, ctx)
        except EngineDisconnectedError:
            raise
        except (RequestError, RateLimitError, ServerError, NotFoundError) as blip:
            absent_since = None
            strange_since = now if strange_since is None else strange_since
            # The client repeats until the deadline what repeating may mend; what it
            # gives up earlier is somebody else's answer, which will not change soon.
            if ctx.expired or now - strange_since >= STRANGERS:
                raise blip from None
        else:
            strange_since = None
            if found is None:
                absent_since = now if absent_since is None else absent_since
                if now - absent_since >= SETTLE_WINDOW:
                    return None
            elif is_ours(kind, found, inputs, inv, sent=1):
                return found
            elif not just_deleted(kind, name, found):
                raise taken(kind, found, inputs, inv.urn)
        ctx.pause(SETTLE_PAUSE)
