"""
What an update would do, from the state and what the program says now.

Compared is what the program declares, and what is held where it says nothing
(`pulumi_jig.schema.deployment`), with what is live. An autoscaler's moves, what the platform added
and what the service chose for itself are no difference. The answer is always definite:
an indefinite one would make the engine compare serialised provider code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_jig.lifecycle.deployment.inputs import (
    ENDPOINT,
    EXTRA,
    added_in,
    declared_fields,
)
from pulumi_jig.lifecycle.invocation import Diffed
from pulumi_jig.lifecycle.keys import UNCONFIRMED, UNREADY
from pulumi_jig.lifecycle.sending import is_ignored
from pulumi_jig.schema.comparison import environment_mapping
from pulumi_jig.schema.deployment import ENVIRONMENT, FIELDS
from pulumi_jig.schema.diff import differing, differing_paths, variable_path
from pulumi_jig.schema.enums import PLATFORM_PREFIX
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
            new inputs but keeps the old outputs, so only they tell all that was
            declared before.
        ignore_changes: Property paths whose changes the program ignores.
    """
    changed: list[str] = []
    replaces: list[str] = []
    declared = declared_fields(news)
    for name, wanted, live in differing(declared, state, added_in(state)):
        paths = differing_paths(name, wanted, live, declared)
        changed.extend(map(format_path, paths))
        if FIELDS[name].on_change == "replace":
            replaces.append(name)
    changed.extend(map(variable_path, released_variables(news, old_inputs)))
    changed.extend(_extra_paths(state, news))
    if state.get(ENDPOINT) is not None and state[ENDPOINT] != news.get(ENDPOINT):
        # Another address, and outputs of an unchanged step stay as they were.
        changed.append(ENDPOINT)
    # The engine takes care of what is declared; it knows nothing of what is held.
    changed = [path for path in changed if not is_ignored(path, ignore_changes)]
    if not changed:
        changed.extend(_unfinished(state, news))
    return Diffed(tuple(dict.fromkeys(changed)), tuple(replaces))


def released_variables(
    news: Mapping[str, Any], old_inputs: Mapping[str, Any] | None
) -> list[str]:
    """
    Variables of the platform's prefix that the program declared and dropped.

    A comparison with what is live passes over such a variable, since the platform may
    have injected it; only the inputs from before say that it was ours.
    """
    now = reveal(news.get(ENVIRONMENT))
    if now is UNKNOWN:
        return []
    wanted = environment_mapping(now)
    before = environment_mapping(reveal((old_inputs or {}).get(ENVIRONMENT)))
    return sorted(
        name
        for name in before
        if name.startswith(PLATFORM_PREFIX) and name not in wanted
    )


def _extra_paths(state: Mapping[str, Any], news: Mapping[str, Any]) -> Iterator[str]:
    before, after = reveal(state.get(EXTRA)), reveal(news.get(EXTRA))
    if not isinstance(after, dict):
        if after is UNKNOWN:
            yield EXTRA
        return
    before = before if isinstance(before, dict) else {}
    # A field that is no longer passed through has no documented reset.
    for path in changed_paths({k: v for k, v in before.items() if k in after}, after):
        yield format_path((EXTRA, *path))


def _unfinished(state: Mapping[str, Any], news: Mapping[str, Any]) -> Iterator[str]:
    """Nothing declared differs, and yet it is not done."""
    if state.get(UNCONFIRMED):
        yield "deployment_id"
    elif state.get(UNREADY) or (
        state.get("status") == "Failed" and news.get("wait_for") != "none"
    ):
        yield "status"
