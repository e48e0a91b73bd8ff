"""
What a preview says beside the engine's own diff, and nothing that it shows already.

The engine compares inputs with inputs. It cannot see that something was changed outside
of the program, that a change brings another along, or that the last run did not finish.
And of what is secret, or has a secret inside, it shows no difference at all.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from pulumi_jig.lifecycle.keys import UNCONFIRMED, UNREADY, secret_paths
from pulumi_jig.values import UNKNOWN, format_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pulumi_jig.lifecycle.invocation import Diffed


def messages(
    found: Diffed,
    state: Mapping[str, Any],
    news: Mapping[str, Any],
    old_inputs: Mapping[str, Any] | None,
    diff: Callable[[Mapping[str, Any]], Diffed],
) -> Iterator[str]:
    """
    Sentences about a change, with property paths and never with values.

    Args:
        found: What would change.
        state: The state's outputs.
        news: What the program says now.
        old_inputs: The state's inputs; None for a host that cannot tell.
        diff: Compares the state with other inputs.
    """
    before = old_inputs or {}
    unseen = [path for path in found.changed if not _is_shown(path, before, news)]
    secret = [_hidden_by(path) for path in secret_paths(before, news)]
    hidden = [
        path
        for path in found.changed
        if path not in unseen and any(_is_inside(path, one) for one in secret)
    ]
    if hidden:
        yield f"changes what is secret: {', '.join(hidden)}"
    if not unseen:
        return
    # What differs from what the program said before, somebody else has changed.
    drifted = diff(before).changed if old_inputs is not None else ()
    others = []
    for path in unseen:
        if (sentence := _unfinished(path, state)) is not None:
            yield sentence
        elif path not in drifted:
            others.append(path)
    drift = [path for path in unseen if path in drifted and path not in _UNFINISHED]
    if drift:
        yield f"changed outside of this program, will be set back: {', '.join(drift)}"
    if others:
        yield f"changes as well: {', '.join(others)}"


def _is_shown(path: str, before: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
    """Whether the engine's diff of the inputs has the property."""
    name = path.partition(".")[0].partition("[")[0]
    if path in _UNFINISHED:
        return False
    new = news.get(name)
    return new is UNKNOWN or bool(before.get(name) != new)


def _hidden_by(path: list[Any]) -> str:
    """What the engine hides because of a secret: a list as a whole."""
    names = itertools.takewhile(lambda part: isinstance(part, str), path)
    return format_path(tuple(names))


def _is_inside(path: str, secret: str) -> bool:
    """Whether a property is a secret, is inside one, or has one inside."""
    shorter, longer = sorted((path, secret), key=len)
    return shorter == longer or longer.startswith((f"{shorter}.", f"{shorter}["))


#: Properties that no program sets: a difference in one says that something is not done.
_UNFINISHED = frozenset(
    {"deployment_id", "secret_id", "volume_id", "status", "expires_at"}
)


def _unfinished(path: str, state: Mapping[str, Any]) -> str | None:
    if path == "expires_at":
        return "has expired; will be made anew"
    if path not in _UNFINISHED and not (path == "value" and state.get(UNREADY)):
        return None
    if state.get(UNCONFIRMED):
        return "it is not known whether the last run created it; will find out"
    if path == "value":
        return "it is not known whether the last value arrived; will send it again"
    if state.get(UNREADY):
        return "the last run did not finish; will wait for it"
    return f"its status is {state.get('status')}; will try to repair it"
