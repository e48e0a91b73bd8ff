"""
What an update would do, from the state and what the program says now.

Compared is what the program declares now, plus what it declared before and dropped, with
what is live. What nobody declared is the service's business (an autoscaler's moves, a
filled default) and no difference. The answer is always definite: an indefinite one would
make the engine compare serialised provider code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_jig.fields import (
    FIELDS,
    NO_RESET,
    clearing_value,
    differing_paths,
    environment_mapping,
    is_same,
)
from pulumi_jig.lifecycle.deployment.inputs import (
    EXTRA,
    declared_fields,
    declared_keys,
)
from pulumi_jig.lifecycle.invocation import Diffed
from pulumi_jig.lifecycle.keys import UNCONFIRMED, UNREADY
from pulumi_jig.models import PLATFORM_PREFIX
from pulumi_jig.values import UNKNOWN, changed_paths, format_path, has_unknown, reveal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping


def diff(
    state: Mapping[str, Any],
    news: Mapping[str, Any],
    *,
    old_inputs: Mapping[str, Any] | None = None,
) -> Diffed:
    """
    Compare the state with what the program says now.

    Args:
        state: The state's outputs.
        news: Checked inputs, possibly with values not known yet.
        old_inputs: The state's inputs, if the host can tell: an unchanged step stores
            new inputs but keeps the old outputs, so only they tell all that was
            declared before.
    """
    changed: list[str] = []
    replaces: list[str] = []
    wanted = declared_fields(news)
    for name, value in wanted.items():
        if is_same(name, value, state.get(name), wanted):
            continue
        paths = differing_paths(name, value, state.get(name), wanted)
        changed.extend(map(format_path, paths))
        if FIELDS[name].on_change == "replace":
            replaces.append(name)
    for name in dropped_fields(state, news, old_inputs=old_inputs):
        if name in wanted:
            changed.extend(format_path((name, v)) for v in _let_go(news, old_inputs))
        else:
            changed.append(name)
    ceiling = implied_ceiling(news, changed)
    if ceiling is not None and state.get("max_replicas") != ceiling:
        changed.append("max_replicas")
    changed.extend(_extra_paths(state, news))
    if not changed:
        changed.extend(_unfinished(state, news))
    return Diffed(tuple(changed), tuple(replaces))


def dropped_fields(
    state: Mapping[str, Any],
    news: Mapping[str, Any],
    *,
    old_inputs: Mapping[str, Any] | None = None,
) -> list[str]:
    """
    Fields that were declared before, are not now, and still show.

    `environment_variables` is one of them also when only a variable was dropped that
    looks like one of the platform's own: nothing else would take it away.
    """
    before = declared_keys(state) | declared_keys(old_inputs or {})
    wanted = declared_fields(news)
    found = []
    for name in FIELDS:
        if name == "environment_variables" and _let_go(news, old_inputs):
            found.append(name)
            continue
        if name not in before or name in wanted or name == "name":
            continue
        clear = clearing_value(name, wanted)
        if clear is NO_RESET or has_unknown(clear):
            continue
        live = state.get(name)
        if live is not None and not is_same(name, clear, live, wanted):
            found.append(name)
    return found


def _let_go(news: Mapping[str, Any], old_inputs: Mapping[str, Any] | None) -> list[str]:
    """
    Variables of the platform's prefix that the program declared and dropped.

    A comparison with what is live passes over such a variable, since the platform may
    have injected it; only the inputs from before say that it was ours.
    """
    now = reveal(news.get("environment_variables"))
    if now is UNKNOWN:
        return []
    wanted = environment_mapping(now)
    before = environment_mapping(
        reveal((old_inputs or {}).get("environment_variables"))
    )
    return sorted(
        name
        for name in before
        if name.startswith(PLATFORM_PREFIX) and name not in wanted
    )


def implied_ceiling(news: Mapping[str, Any], changed: Collection[str]) -> Any:
    """
    What `max_replicas` becomes although nobody declares it, or None.

    Left out, it means `min_replicas` (API document), but the service takes that as a
    default at creation only: an update of the floor alone would be refused, or leave
    a ceiling from before.
    """
    floor = news.get("min_replicas")
    if "min_replicas" not in changed or "max_replicas" in (*news, *changed):
        return None
    return 1 if floor is None else floor


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
