"""
Looks at the service during a preview.

A preview changes nothing and must work without a network, so these looks are short, and
one that got no answer is not repeated for every resource of a stack.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pulumi_jig.errors import (
    APIError,
    AuthenticationError,
    NotSentError,
    RequestError,
)
from pulumi_jig.lifecycle.identity import refuse_other_account, taken
from pulumi_jig.lifecycle.invocation import PREVIEW_TIMEOUT
from pulumi_jig.lifecycle.keys import ACCOUNT
from pulumi_jig.lifecycle.kind import id_of, name_in
from pulumi_jig.lifecycle.memory import holder_of, was_deleted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi_jig.deadline import Deadline
    from pulumi_jig.lifecycle.invocation import Invocation
    from pulumi_jig.lifecycle.kind import Kind
    from pulumi_jig.schema.responses import ResponseModel

T = TypeVar("T")

#: Seconds for which a service that did not answer is not asked again.
_SILENCE: Final = 60.0
#: Seconds for the list of what exists.
_LIST_TIMEOUT: Final = 5.0
#: Ends of a look from which nothing follows.
_UNTOLD: Final = (APIError, RequestError)


@dataclass(frozen=True)
class _Silence:
    """
    A service that did not answer.

    Attributes:
        until: When it is asked again, by the clock of the calls.
        why: Why it could not be asked.
        told: Whether people were told, once for each process.
    """

    until: float
    why: str
    told: bool


_lock = threading.Lock()
_silence: _Silence | None = None
_list_lock = threading.Lock()
#: What exists, by kind, address and key; nothing where that could not be learnt.
_lists: dict[tuple[str, str, str], dict[str, ResponseModel]] = {}


def glance(inv: Invocation, look: Callable[[Deadline], T], *, quiet: bool = False) -> T:
    """
    One short look at the service.

    Args:
        inv: The call.
        look: What to ask, within the limit that it is given.
        quiet: Whether nothing is said to people where the service does not answer.

    Raises:
        NotSentError: The service did not answer a moment ago, so it was not asked.
        JigError: What `look` raises.
    """
    global _silence  # noqa: PLW0603 - one memory per process
    with _lock:
        before = _silence
    silent = before is not None and inv.clock() < before.until
    try:
        if before is not None and silent:
            raise NotSentError(before.why)
        return look(inv.context(PREVIEW_TIMEOUT, fixed=True))
    except RequestError as error:
        with _lock:
            told = _silence is not None and _silence.told
            until = before.until if before and silent else inv.clock() + _SILENCE
            _silence = _Silence(until, error.message, told or not quiet)
        if not quiet and not told:
            inv.log(
                "warning",
                f"The service could not be asked: {error.message} What follows is "
                "compared with the state of the last run only.",
            )
        raise


def require_same_account(
    kind: Kind[Any], state: Mapping[str, Any], inv: Invocation
) -> None:
    """
    Refuse to move a resource to a provider of another account.

    Best effort: where the service cannot be asked, the update will find out.

    Raises:
        ConfigError: The key belongs to another account than the state remembers, or
            there is no usable key.
        AuthenticationError: The key was rejected.
    """
    if not isinstance(state.get(ACCOUNT), str):
        return
    client = inv.client
    try:
        refuse_other_account(kind, state, glance(inv, client.whoami))
    except AuthenticationError:
        # Only the noun's own path tells whether this key works for it.
        _require_accepted_key(kind, state, inv)
    except _UNTOLD:
        return


def _require_accepted_key(
    kind: Kind[Any], state: Mapping[str, Any], inv: Invocation
) -> None:
    reference = str(state.get(kind.id_key) or state.get("name"))
    try:
        glance(inv, lambda ctx: kind.noun(inv.client).get(reference, ctx))
    except AuthenticationError:
        raise
    except _UNTOLD:
        return


def taken_name(
    kind: Kind[Any], inputs: Mapping[str, Any], inv: Invocation
) -> str | None:
    """
    Why a creation would find its name taken; None where nothing says so.

    The engine checks one resource after the other, so a request for each name would add
    up: a process asks once for all that exists.

    Args:
        kind: What would be created.
        inputs: Its checked inputs.
        inv: The call.
    """
    found = _existing(kind, inv).get(str(inputs.get("name")))
    if found is None or was_deleted(kind.key(str(inputs["name"])), id_of(found)):
        return None
    if holder_of(id_of(found)) is not None:
        # The state has it: it is what is being replaced.
        return None
    return taken(kind, found, inputs, inv.urn).message


def _existing(kind: Kind[Any], inv: Invocation) -> Mapping[str, ResponseModel]:
    try:
        settings = inv.client.settings
        key = (kind.what, settings.base_url, settings.key_fingerprint)
        with _list_lock:
            if key not in _lists:
                # Asked once, whatever comes of it.
                _lists[key] = {}
                client = kind.noun(inv.client)
                items = glance(
                    inv,
                    lambda ctx: client.list(ctx.limited_to(_LIST_TIMEOUT)),
                    quiet=True,
                )
                _lists[key] = {str(name_in(item)): item for item in items}
            return _lists[key]
    except AuthenticationError as error:
        inv.log("warning", error.message)
    except Exception:
        # The creation finds out, and says it better.
        return {}
    return {}


def forget() -> None:
    """Start afresh, as a new process would; for tests."""
    global _silence  # noqa: PLW0603 - one memory per process
    with _lock:
        _silence = None
    with _list_lock:
        _lists.clear()
