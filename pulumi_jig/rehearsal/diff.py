"""
What a diff comes to, and how a refused value is shown.

Why it exists: a provider may leave a diff to the engine; the engine then compares the
inputs, and only then honours `replace_on_changes`.

What it refuses: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_jig.rehearsal.paths import reset
from pulumi_jig.rehearsal.properties import Secret, contains_unknown, reveal, whole
from pulumi_jig.rehearsal.responses import DiffResponse

if TYPE_CHECKING:
    from pulumi_jig.rehearsal.goals import Goal
    from pulumi_jig.rehearsal.properties import PropertyMap


def settle(
    diff: DiffResponse, olds: PropertyMap, news: PropertyMap, goal: Goal
) -> DiffResponse:
    """
    A diff of which the provider is not sure, decided by comparing the inputs.

    Only then do `replace_on_changes` and bookkeeping keys count, as in the engine.
    """
    if diff.changes is not None:
        return diff
    before, after = reveal(olds), reveal(reset(news, olds, goal.ignore_changes))
    if before == after:
        return DiffResponse(False, diff.replaces, diff.delete_before_replace)
    changed = [key for key in {*before, *after} if before.get(key) != after.get(key)]
    forced = [
        key
        for key in sorted(changed)
        if any(path in {"*", key} for path in goal.replace_on_changes)
    ]
    return DiffResponse(True, (*diff.replaces, *forced), diff.delete_before_replace)


def trigger_fires(old: object, new: object) -> bool:
    """
    Whether a replacement trigger demands a replacement.

    One that was not there before, or is there no longer, does not; one that is not
    known yet does.
    """
    if contains_unknown(old) or contains_unknown(new):
        return True
    before, after = reveal(old), reveal(new)
    return before is not None and after is not None and bool(before != after)


def shown(value: object) -> str:
    """A value as the engine's messages show it; secrets hidden."""
    match value:
        case Secret():
            return "[secret]"
        case dict():
            inner = " ".join(f"{k}:{{{shown(v)}}}" for k, v in sorted(value.items()))
            return f"map[{inner}]"
        case list():
            return f"[{' '.join(f'{{{shown(item)}}}' for item in value)}]"
        case bool():
            return str(value).lower()
        case None:
            return "<nil>"
        case _:
            return str(whole(value))
