"""
The life of a budget: a resource that exists in the state only.

What a budget is for happens in its check, before any of its members is created: it
compares the sizes of all members with its own limits and refuses what is over, one fault
per limit. There is nothing outside to create, read or delete, so every other step keeps
what it is given; it never replaces, since members would follow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.lifecycle.invocation import Checked, Diffed
from pulumi_jig.policy.budget import judge_budget
from pulumi_jig.policy.membership import BUDGET_INPUT, MEMBER_KEYS
from pulumi_jig.values import (
    UNKNOWN,
    changed_paths,
    format_path,
    reveal,
    whole_numbers,
    without_none,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: The keys that hold a limit, each judged by itself so that its fault stands beside it.
LIMITS: Final = ("max_gpus", "max_total_gpus", "max_memory_gib", "max_usd_per_hour")
#: How the protocol writes what is not known yet; the judgement reads that form.
_NOT_KNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def check(news: Mapping[str, Any]) -> Checked:
    """
    Hold the members, together, to the budget's own limits.

    What hangs on a value that is not known yet is let through: the check runs again
    with it before anything is created. Inputs are kept as they are, so that a refusal
    speaks of what the program wrote.
    """
    inputs = without_none(news)
    return Checked(inputs, tuple(_faults(_judged(reveal(inputs)))))


def _faults(inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not isinstance(inputs.get("name"), str) or not inputs["name"]:
        yield "name", "must be the name of the budget, which its members give."
        return
    told = {key: inputs[key] for key in ("name", "members") if key in inputs}
    seen: set[str] = set()
    parts = [
        ("members", told),
        ("prices", {**told, **_some(inputs, "prices")}),
        *((key, {**told, **_some(inputs, key, "prices")}) for key in LIMITS),
    ]
    for key, part in parts:
        for sentence in judge_budget(part):
            if sentence not in seen:
                seen.add(sentence)
                yield key, sentence


def _some(inputs: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: inputs[key] for key in keys if key in inputs}


def _judged(value: Any) -> Any:
    """The same data with unknowns in the form that the judgement reads."""
    if value is UNKNOWN:
        return _NOT_KNOWN
    if isinstance(value, dict):
        return {key: _judged(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_judged(item) for item in value]
    return value


def diff(state: Mapping[str, Any], news: Mapping[str, Any]) -> Diffed:
    """
    Say what an update of the budget would change; never a replacement.

    Members are compared by what they are, not by their place in the list: one that is
    added in the middle is one change, and it is named.
    """
    before, after = _comparable(state), _comparable(news)
    return Diffed(tuple(format_path(path) for path in changed_paths(before, after)))


def uncounted(counted: Any, inputs: Mapping[str, Any]) -> list[tuple[str, str]]:
    """
    Say why a budget does not stand for a deployment, as faults of its check.

    Args:
        counted: What the program tells: `fault`, a sentence about the budget that the
            engine holds, and `size`, what the budget was told. Anything else (not
            known yet, not a member) is no fault.
        inputs: What the deployment asks for, after everything that changed it on its
            way from the program.
    """
    if not isinstance(counted, dict):
        return []
    fault, size = counted.get("fault"), counted.get("size")
    if isinstance(fault, str):
        return [(BUDGET_INPUT, fault)]
    if not isinstance(size, dict):
        return []
    changed = [
        source
        for key, source in MEMBER_KEYS.items()
        if inputs.get(source) is not UNKNOWN and inputs.get(source) != size.get(key)
    ]
    if not changed:
        return []
    return [
        (
            BUDGET_INPUT,
            f"its budget was told another {' and '.join(changed)} than it has, since a "
            "transformation changed it on the way. Declare it where the deployment is "
            "declared.",
        )
    ]


def _comparable(data: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = without_none(whole_numbers(reveal(dict(data))))
    members = found.get("members")
    if not isinstance(members, list):
        return found
    by_name: dict[str, list[Any]] = {}
    for member in members:
        if not isinstance(member, dict) or not isinstance(member.get("name"), str):
            return found
        by_name.setdefault(member["name"], []).append(without_none(member))
    # Under different parents, several members may have one name.
    found["members"] = {
        name: same[0] if len(same) == 1 else sorted(same, key=repr)
        for name, same in by_name.items()
    }
    return found
