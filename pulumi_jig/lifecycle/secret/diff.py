"""
What an update would do to a secret, from the state and what the program says now.

Of the value only the state can tell. A secret past its end is a difference although
nothing else is: the service has deleted it, whether or not a refresh has seen that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_jig.lifecycle.invocation import Diffed
from pulumi_jig.lifecycle.keys import UNCONFIRMED
from pulumi_jig.lifecycle.secret.expiry import is_expired
from pulumi_jig.lifecycle.secret.inputs import sent_anew, text_of
from pulumi_jig.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime


def diff(
    state: Mapping[str, Any],
    news: Mapping[str, Any],
    *,
    old_inputs: Mapping[str, Any] | None = None,
    ignore_changes: Sequence[str] = (),
    now: datetime | None = None,
) -> Diffed:
    """
    Compare the state with what the program says now.

    Args:
        state: The state's outputs.
        news: Checked inputs, possibly with values not known yet.
        old_inputs: The state's inputs; what was declared before does not matter here.
        ignore_changes: Property paths whose changes the program ignores.
        now: The time; this machine's by default.
    """
    replaces = ["name"] if news.get("name") != state.get("name") else []
    changed = [*replaces, *sent_anew(state, news)]
    # One that is left out is held at the empty text.
    if news.get("description") is UNKNOWN or (
        text_of(news) != text_of(state) and "description" not in ignore_changes
    ):
        changed.append("description")
    ttl = news.get("ttl_seconds")
    if ttl is not None and ttl != state.get("ttl_seconds"):
        changed.append("ttl_seconds")
    if not changed and state.get(UNCONFIRMED):
        changed.append("secret_id")
    if not changed and is_expired(state, now):
        changed.append("expires_at")
    return Diffed(tuple(changed), tuple(replaces))
