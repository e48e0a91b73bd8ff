"""
What every request that changes something has in common.

A `Change` is what was asked for together with what came back. Around it stand the
questions that creating and updating share: what is there under this name, is it ours,
and is what was asked for true of it.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from pulumi_jig.errors import (
    APIError,
    InputError,
    JigError,
    NotFoundError,
    OutcomeUnknownError,
    RequestError,
    ServerError,
)
from pulumi_jig.lifecycle.identity import Whose, whose
from pulumi_jig.lifecycle.keys import NONCE
from pulumi_jig.lifecycle.kind import id_of
from pulumi_jig.lifecycle.memory import holder_of, was_deleted
from pulumi_jig.schema.responses import ResponseModel
from pulumi_jig.values import storable_fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pulumi_jig.deadline import Deadline
    from pulumi_jig.lifecycle.invocation import Invocation
    from pulumi_jig.lifecycle.kind import Kind

Item = TypeVar("Item", bound=ResponseModel)

#: Seconds for which a name must stay absent before a lost creation counts as absent.
#: (Assumed: the service may take a moment to show what it has accepted.)
SETTLE_WINDOW: Final = 15.0
#: Seconds between two looks while an end is unknown.
SETTLE_PAUSE: Final = 1.0
#: How often a request is sent whose answers get lost.
MAX_SENDS: Final = 3
#: Seconds for the last look of an operation whose own time is up.
LAST_LOOK: Final = 10.0

#: A part of a property path: `["any key"]`, or what stands between dots and brackets.
_PATH_PART: Final = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|([^.\[\]]+)')


@dataclass(frozen=True)
class Change(Generic[Item]):
    """
    A change that the service has accepted.

    Attributes:
        inputs: What was asked for.
        item: The answer.
        before: What was there before, if anything.
        account: Whose key was used.
        created: Whether the resource did not exist for the engine before.
        changed: Fields that were sent in an update.
        answered: Whether `item` is the service's answer to a creation. One that a look
            found may have been changed by somebody since.
    """

    inputs: Mapping[str, Any]
    item: Item
    before: Item | None = None
    account: str | None = None
    created: bool = False
    changed: tuple[str, ...] = ()
    answered: bool = True


def required_name(kind: Kind[Any], data: Mapping[str, Any]) -> str:
    """
    The thing's name.

    Raises:
        InputError: There is none; nothing was sent.
    """
    name = data.get("name")
    if not isinstance(name, str) or not name:
        raise InputError(f"This {kind.what} has no name; nothing was sent.")
    return name


def require_storable(inputs: Mapping[str, Any]) -> None:
    """
    Prove that the state can be stored, before anything exists that it must hold.

    Raises:
        InputError: It cannot; nothing was sent.
    """
    fault = storable_fault(dict(inputs))
    if fault:
        raise InputError(f"Nothing was sent: {fault}, so it could not be stored.")


def show(
    kind: Kind[Item],
    reference: str,
    data: Mapping[str, Any],
    inv: Invocation,
    ctx: Deadline,
) -> Item:
    """
    What is there under a name or id.

    Args:
        kind: What it is.
        reference: The name or id.
        data: Inputs or a state, in whose words the answer is put.
        inv: The call.
        ctx: The operation.

    Raises:
        NotFoundError: Nothing is.
        JigError: Nobody can tell.
    """
    found = kind.noun(inv.client).get(reference, ctx)
    return kind.recognise(found, data, inv, ctx)


@contextlib.contextmanager
def saying(start: str, end: str) -> Iterator[None]:
    """
    Say what a failure of the service means for whoever ran the program.

    Args:
        start: What did not happen, and to which resource.
        end: What holds now.
    """
    try:
        yield
    except NotFoundError:
        # That has words of its own.
        raise
    except (APIError, RequestError) as error:
        raise replace_message(
            error, f"{start}: {error.message} {end}".strip()
        ) from None


def find(
    kind: Kind[Item], data: Mapping[str, Any], inv: Invocation, ctx: Deadline
) -> Item | None:
    """What has the name of the data, or None where the API itself says there is none."""
    try:
        return show(kind, required_name(kind, data), data, inv, ctx)
    except NotFoundError as error:
        if not error.from_api:
            raise
        return None


def just_deleted(kind: Kind[Any], name: str, found: ResponseModel) -> bool:
    """Whether a thing is the one that this very run deleted."""
    return was_deleted(kind.key(name), id_of(found))


def is_ours(
    kind: Kind[Item],
    found: Item,
    inputs: Mapping[str, Any],
    inv: Invocation,
    *,
    sent: int,
) -> bool:
    """
    Whether a thing is the one that we asked for.

    Args:
        kind: What it is.
        found: What is there under the name.
        inputs: What was asked for.
        inv: The call.
        sent: How many requests to create it went out.
    """
    nonce, holder = inputs.get(NONCE), holder_of(id_of(found))
    if holder is not None:
        # A replacement that this run made under the same name is nobody else's, and its
        # predecessor, whose own creation stayed unknown, is still to be deleted.
        return holder == nonce
    told = whose(found, inputs, inv.urn)
    if told is not Whose.UNMARKED or kind.mark(inputs, inv.urn) is not None:
        # A mark that is there tells, whether ours is turned on or not.
        return told is Whose.OURS
    if just_deleted(kind, required_name(kind, inputs), found):
        return False
    # Its absence before the first request was proved, so a twin of what was sent is it.
    return sent > 0 and kind.is_twin(found, inputs)


def is_ignored(path: str, ignored: Iterable[str]) -> bool:
    """Whether the program ignores changes of a property path, or of one above it."""
    return any(
        one in (path, "*") or path.startswith((f"{one}.", f"{one}["))
        for one in (other.removesuffix(".*").removesuffix("[*]") for other in ignored)
    )


def ignored_parts(inv: Invocation) -> dict[str, set[str] | None]:
    """
    What the program ignores changes of: field -> keys inside it, None for all of it.

    Paths are written as `field`, `field.KEY`, `field["KEY"]` or `field[0].key`.
    """
    found: dict[str, set[str] | None] = {}
    for path in inv.ignore_changes:
        field, *rest = [
            (quoted or plain).replace('\\"', '"')
            for quoted, plain in _PATH_PART.findall(path)
        ]
        if not rest or rest[0] == "*":
            found[field] = None
        elif (keys := found.setdefault(field, set())) is not None:
            keys.add(rest[0])
    return found


def replace_message(error: JigError, message: str) -> JigError:
    """The same error with other words."""
    error.message = message
    error.args = (message,)
    return error


def is_ambiguous(error: JigError) -> bool:
    """Whether the service may have acted on the request although it failed."""
    if error.uncertain or isinstance(error, OutcomeUnknownError | ServerError):
        return True
    return isinstance(error, APIError) and error.status == 408


def said(error: BaseException) -> str:
    """An error in a sentence; of a foreign one the kind only, as it may quote anything."""
    if isinstance(error, JigError):
        return error.message
    return f"an internal error ({type(error).__name__})."


def reference_of(kind: Kind[Item], change: Change[Item]) -> str:
    """How to address a thing: its id, so that no namesake is ever meant."""
    return id_of(change.item) or required_name(kind, change.inputs)
