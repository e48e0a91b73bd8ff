"""
Whose is it? The questions to answer before anything is written or deleted.

Three things tell. The service's own id: another id under our name is somebody else's thing. The ownership mark: the same nonce is ours; the same resource with another
nonce is an orphan of an interrupted run, or the very thing that is being replaced,
and no create can tell which. The account: a 404 from another account proves nothing.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.errors import (
    APIError,
    ConfigError,
    NotFoundError,
    OwnershipError,
    RequestError,
)
from pulumi_jig.lifecycle.keys import ACCOUNT, ADOPTING, KEY, NONCE, place_of
from pulumi_jig.lifecycle.kind import id_of, mark_on
from pulumi_jig.lifecycle.memory import holder_of, remember_stated_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.deadline import Deadline
    from pulumi_jig.lifecycle.invocation import Invocation
    from pulumi_jig.lifecycle.kind import Kind
    from pulumi_jig.schema.responses import ResponseModel

#: Seconds that the question whose key this is may take, retries included.
WHOAMI_TIMEOUT: Final = 15.0


class Whose(enum.Enum):
    """What a thing's mark says, seen from one resource."""

    OURS = "ours"
    """The mark has our nonce."""
    SAME_RESOURCE = "same resource"
    """The mark names our resource with another nonce."""
    OTHERS = "others"
    """The mark names another resource."""
    UNMARKED = "unmarked"
    """There is no mark."""


def whose(item: ResponseModel, data: Mapping[str, Any], urn: str | None) -> Whose:
    """What the mark of a live thing says to the resource with this data."""
    mark = mark_on(item)
    if mark is None:
        return Whose.UNMARKED
    if mark.nonce == data.get(NONCE):
        return Whose.OURS
    place = place_of(data, urn)
    same = (mark.project, mark.stack, mark.resource) == (
        place.project,
        place.stack,
        place.resource,
    )
    return Whose.SAME_RESOURCE if same else Whose.OTHERS


def _is_of_this_stack(
    item: ResponseModel, data: Mapping[str, Any], urn: str | None
) -> bool:
    mark = mark_on(item)
    place = place_of(data, urn)
    return mark is not None and (mark.project, mark.stack) == (
        place.project,
        place.stack,
    )


def remember_entry(kind: Kind[Any], state: Mapping[str, Any]) -> None:
    """
    Remember what the state gives to a resource that the program still has.

    An older entry of the same URN may wait for its deletion, and what that one knows
    (a name, because its own creation stayed unknown) may lead to this very thing.
    """
    remember_stated_id(state.get(kind.id_key), state.get(NONCE))


def has_same_key(data: Mapping[str, Any], inv: Invocation) -> bool:
    """Whether the key in use is the one that the data was made with."""
    return data.get(KEY) == inv.client.settings.key_fingerprint


def account_of(inv: Invocation, ctx: Deadline) -> str | None:
    """
    The API's word for whose key this is; None where it does not say.

    It never stands in the way of the work itself: whether a key is accepted is what the
    request for the thing tells, and a service that does not answer this question gets
    no more than `WHOAMI_TIMEOUT` seconds for it.
    """
    try:
        return inv.client.whoami(ctx.limited_to(WHOAMI_TIMEOUT))
    except (APIError, RequestError):
        return None


def refuse_other_account(
    kind: Kind[Any], state: Mapping[str, Any], now: str | None
) -> None:
    """
    Refuse to work on a thing of one account with a key of another.

    Args:
        kind: What it is.
        state: What the state remembers.
        now: Whose key is in use, if the service says so.

    Raises:
        ConfigError: The key belongs to another account than the one that the state
            remembers.
    """
    remembered = state.get(ACCOUNT)
    if not isinstance(remembered, str) or now is None or now == remembered:
        return
    raise ConfigError(
        f"{kind.title(state.get('name'))} was created with a key of account "
        f"{remembered}, but the key in use belongs to account {now}. Nothing was "
        "changed. Use a key of the first account (TOGETHER_API_KEY, jig:apiKey or "
        "the resource's provider); to move it, create a new resource and delete "
        "this one."
    )


def require_account(
    kind: Kind[Any], state: Mapping[str, Any], inv: Invocation, ctx: Deadline
) -> str | None:
    """
    Refuse to work on a thing of one account with a key of another.

    Returns:
        Whose key is in use; None where neither state nor service says.

    Raises:
        ConfigError: The key belongs to another account than the one that the state
            remembers.
    """
    now = account_of(inv, ctx)
    refuse_other_account(kind, state, now)
    remembered = state.get(ACCOUNT)
    return remembered if isinstance(remembered, str) else now


def require_proof_of_absence(
    kind: Kind[Any],
    error: NotFoundError,
    state: Mapping[str, Any],
    inv: Invocation,
    ctx: Deadline,
) -> None:
    """
    Accept a 404 as "gone" only where it proves that.

    Raises:
        NotFoundError: The answer was not the API's own.
        ConfigError: The key belongs to another account than the state remembers, or
            nobody says whose key it is or was.
    """
    name = state.get("name")
    if not error.from_api:
        raise NotFoundError(
            f"Something answered 404 for {kind.what} {name}, but not in the API's own "
            "words, so this proves nothing; the state is kept. Check TOGETHER_BASE_URL "
            "(or jig:baseUrl) and any proxy in between.",
            status=404,
            from_api=False,
        )
    remembered = state.get(ACCOUNT)
    if not isinstance(remembered, str):
        if has_same_key(state, inv):
            return
        raise ConfigError(
            f"The service says that {kind.what} {name} does not exist for this key, but "
            "it never said which account created it, and the key that did was another "
            f"one. The state is kept{kind.at_stake('; it may be running and billing')}. "
            "Use a key of the account that created it; if you are sure that it is gone, "
            "remove it from the state with `pulumi state delete`."
        )
    now = account_of(inv, ctx)
    refuse_other_account(kind, state, now)
    if now is None:
        raise ConfigError(
            f"The service says that {kind.what} {name} does not exist, but not whose "
            f"key this is; it was created by account {remembered}. The state is kept. "
            "Try again, with a key of that account."
        )


def taken(
    kind: Kind[Any],
    item: ResponseModel | None,
    data: Mapping[str, Any],
    urn: str | None,
) -> OwnershipError:
    """The error for a name that is taken: what its mark says, and the way on."""
    name = str(data.get("name"))
    if item is None:
        return OwnershipError(
            f'The name "{name}" is taken by a {kind.what} that this account cannot '
            f"see: names are unique {kind.reach}. Nothing was "
            "created. Choose another `name`, or set `jig:namespace` to any word to "
            "change all names that are made automatically.",
            name=name,
        )
    id_ = id_of(item)
    start = f'A {kind.what} "{name}" (id {id_}) exists already'
    match whose(item, data, urn):
        case Whose.SAME_RESOURCE:
            text = (
                f"{start}, and its mark names this very resource: it is left over from "
                "an interrupted run, it is what is being replaced right now, or it "
                "belongs to a stack of the same name on another backend. "
                f"Nothing was changed{kind.at_stake('; it may be running and billing')}. "
                f"Left over: {kind.returns}. Being replaced: set "
                f"`delete_before_replace`, since two {kind.what}s cannot share a name. "
                "Another backend's: leave it alone, and choose another `name` or set "
                "`jig:namespace`."
            )
        case Whose.OTHERS:
            mark = mark_on(item)
            assert mark is not None
            text = (
                f"{start} and belongs to {mark.owner}. Nothing was changed. Choose another "
                "`name`; if this program shall take it over, set `adopt=True` (and "
                "remove it from the other program without deleting it)."
            )
        case _:
            text = kind.taken_unmarked(start, data, urn)
    return OwnershipError(text, name=name, deployment_id=id_)


def require_telling(
    kind: Kind[Any], item: ResponseModel, state: Mapping[str, Any], inv: Invocation
) -> None:
    """
    Refuse to let go of an unconfirmed creation where what is there tells nothing.

    Raises:
        OwnershipError: What stands under the name has no mark, so it may be the one
            whose creation got no answer, changed since by somebody else.
    """
    if whose(item, state, inv.urn) is not Whose.UNMARKED:
        return
    if holder_of(id_of(item)) not in (None, state.get(NONCE)):
        # This run itself made it for another resource, and two cannot share a name.
        return
    name = state.get("name")
    raise OwnershipError(
        f"A {kind.what} {name} (id {id_of(item)}) exists without any mark, so it cannot "
        "be told whether it is the one whose creation ended without an answer. The state "
        f"is kept{kind.at_stake('; it may be running and billing')}. If it is yours, "
        "delete it or take it over with `adopt=True`; if not, remove this resource with "
        "`pulumi state delete`.",
        name=str(name),
        deployment_id=id_of(item),
    )


def refuse_foreign(
    kind: Kind[Any], item: ResponseModel, state: Mapping[str, Any], urn: str | None
) -> None:
    """
    Refuse to write to a thing that is not the one that the state knows.

    A missing mark is not a foreign one: with an equal id it is written again.

    Raises:
        OwnershipError: The live one has another id or another nonce.
    """
    why = foreign(kind, item, state, urn)
    if why:
        raise OwnershipError(
            f"{why} Nothing was changed. If this resource gave it up, remove it from "
            "the state with `pulumi state delete`; to take it back, set `adopt=True` "
            "on a new resource.",
            name=str(state.get("name")),
            deployment_id=id_of(item),
        )


def is_being_adopted(item: ResponseModel, state: Mapping[str, Any]) -> bool:
    """Whether it still carries the mark from before an adoption of unknown end."""
    mark = mark_on(item)
    return mark is not None and mark.nonce == state.get(ADOPTING)


def foreign(
    kind: Kind[Any], item: ResponseModel, state: Mapping[str, Any], urn: str | None
) -> str | None:
    """
    Say why a live thing is not the one that the state knows, or None.

    The service's id and the mark must not contradict the state, and one of the two must
    speak for it: under a name alone, anybody's may stand.
    """
    name = state.get("name")
    known = state.get(kind.id_key)
    live = id_of(item)
    if known and live and live != known:
        return (
            f"The {kind.what} that is now called {name} has another id ({live} "
            f"instead of {known}): somebody deleted ours and made a new one."
        )
    holder = holder_of(live)
    if holder is not None and holder != state.get(NONCE):
        return f"{kind.title(name)} was taken over by another resource of this program."
    if is_being_adopted(item, state):
        return None
    verdict = whose(item, state, urn)
    marked = kind.marked and state.get("ownership_mark") is not False
    # A resource without a mark has no say in what the description holds, except where
    # it is the mark of this very stack: only an adoption by another resource writes it.
    unclaimed = verdict is Whose.UNMARKED or not (
        marked or _is_of_this_stack(item, state, urn)
    )
    if verdict is Whose.OURS or (known and unclaimed):
        return None
    if not known and not (marked and verdict is not Whose.UNMARKED):
        return (
            f"Nothing tells whether the {kind.what} that is called {name} is the one of "
            "this resource: the state has no id of it, and it carries no mark of ours. "
            "(`pulumi refresh` takes its id into the state.)"
        )
    mark = mark_on(item)
    assert mark is not None
    return (
        f"{kind.title(name)} carries the mark of {mark.owner} with a newer claim than this "
        "resource has: it was taken over."
    )
