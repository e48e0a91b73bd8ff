"""
What an update of a volume would do, from the state and what the program says now.

Another content makes a new version of the same volume, and so does a raised `version`
counter; mounts follow through `current_version`. Only another name replaces: mounts hold
the name, and no document says what becomes of them when a volume is renamed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_jig.lifecycle.invocation import Diffed
from pulumi_jig.lifecycle.keys import UNCONFIRMED, UNREADY
from pulumi_jig.lifecycle.volume.inputs import (
    DEFAULT_TYPE,
    declared_keys,
    normal_content,
    same_content,
)
from pulumi_jig.lifecycle.volume.versions import FAILED
from pulumi_jig.values import UNKNOWN, changed_paths, format_path, reveal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def diff(
    state: Mapping[str, Any],
    news: Mapping[str, Any],
    *,
    old_inputs: Mapping[str, Any] | None = None,
    ignore_changes: Sequence[str] = (),
) -> Diffed:
    """
    Compare the state with what the program says now.

    Args:
        state: The state's outputs.
        news: Checked inputs, possibly with values not known yet.
        old_inputs: The state's inputs, if the host can tell: an unchanged step stores
            new inputs but keeps the old outputs.
        ignore_changes: Not needed: the engine leaves out what is declared, and nothing
            of a volume is held that is not.
    """
    changed: list[str] = []
    replaces: list[str] = []
    if _differs(news.get("name"), state.get("name")):
        changed.append("name")
        replaces.append("name")
    if _differs(wanted_type(news, old_inputs), state.get("type")):
        changed.append("type")
    changed.extend(_content_paths(state.get("content"), news.get("content")))
    if _differs(news.get("version"), state.get("version")):
        changed.append("version")
    if not changed:
        changed.extend(_unfinished(state))
    return Diffed(tuple(changed), tuple(replaces))


def wanted_type(
    news: Mapping[str, Any], old_inputs: Mapping[str, Any] | None = None
) -> Any:
    """The type that the volume shall have; None where nobody ever said."""
    if news.get("type") is not None:
        return news["type"]
    # Dropped: back to the one that stands for "nothing said".
    return DEFAULT_TYPE if "type" in declared_keys(old_inputs or {}) else None


def _differs(wanted: Any, live: Any) -> bool:
    wanted, live = reveal(wanted), reveal(live)
    if wanted is None:
        return False
    return wanted is UNKNOWN or bool(wanted != live)


def _content_paths(live: Any, wanted: Any) -> Iterator[str]:
    if wanted is None or same_content(wanted, live):
        return
    after = reveal(wanted)
    if after is UNKNOWN or not normal_content(live):
        yield "content"
        return
    for path in changed_paths(normal_content(live), normal_content(after)):
        yield format_path(("content", *path))


def _unfinished(state: Mapping[str, Any]) -> Iterator[str]:
    """Nothing declared differs, and yet it is not done."""
    if state.get(UNCONFIRMED):
        yield "volume_id"
    elif state.get(UNREADY) or state.get("status") == FAILED:
        yield "status"
