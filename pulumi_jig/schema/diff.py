"""
What of a deployment differs from what the program declares, through the table.

The program is the whole truth: a field that is left out is held at its documented default
or empty form, and somebody's change of it is drift. Left alone is only what the service
itself chooses when it is not told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pulumi_jig.naming import split_description
from pulumi_jig.schema.comparison import (
    environment_mapping,
    environment_views,
    plain_views,
)
from pulumi_jig.schema.deployment import ENVIRONMENT, FIELDS
from pulumi_jig.schema.field import LEFT_ALONE, NOT_TOLD
from pulumi_jig.text import safe_message
from pulumi_jig.values import (
    UNKNOWN,
    changed_paths,
    format_path,
    has_unknown,
    reveal,
    whole_numbers,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pulumi_jig.schema.responses import DeploymentResponseItem
    from pulumi_jig.values import Path


def held_value(name: str, declared: Mapping[str, Any]) -> Any:
    """
    What a field is held at that the program leaves out.

    Args:
        name: The field.
        declared: All that the program declares.

    Returns:
        The value in the form that state has, or `LEFT_ALONE`.
    """
    if name == "max_replicas":
        return declared.get("min_replicas", FIELDS["min_replicas"].default)
    return FIELDS[name].default


def desired_values(
    declared: Mapping[str, Any], added: Collection[str] = ()
) -> dict[str, Any]:
    """
    What shall be true of what is live: all that is declared, and what is held.

    Args:
        declared: The fields that the program declares.
        added: Property paths that the service itself added; they are not held.
    """
    held = {
        name: value
        for name in FIELDS
        if name not in declared
        and name not in added
        and (value := held_value(name, declared)) is not LEFT_ALONE
    }
    return {**declared, **held}


class Difference(NamedTuple):
    """
    A field whose desired value is not true of what is live.

    Attributes:
        name: The field.
        wanted: The declared value, or the one that it is held at.
        live: What is live; None where nothing tells.
    """

    name: str
    wanted: Any
    live: Any


def differing(
    declared: Mapping[str, Any], live: Mapping[str, Any], added: Collection[str] = ()
) -> Iterator[Difference]:
    """
    The fields whose desired value is not true of what is live.

    A declared field that `live` does not have differs; one that is only held does not,
    since nothing is known of it.

    Args:
        declared: The fields that the program declares.
        live: A state, or the fields of an answer.
        added: Property paths that the service itself added.
    """
    wanted = desired_values(declared, added)
    for name, value in wanted.items():
        if name not in declared and live.get(name) is None:
            continue
        there = live.get(name)
        if name == ENVIRONMENT and added:
            there = _without_added(there, declared.get(name), added)
        if not is_same(name, value, there, wanted):
            yield Difference(name, value, there)


def _without_added(live: Any, declared: Any, added: Collection[str]) -> Any:
    """Live variables without those that the service itself added."""
    ours = environment_mapping(reveal(declared))
    return {
        name: value
        for name, value in environment_mapping(reveal(live)).items()
        if name in ours or variable_path(name) not in added
    }


def variable_path(name: str) -> str:
    """The property path of an environment variable, by its name as a state has it."""
    return format_path((ENVIRONMENT, safe_message(name)))


def added_paths(declared: Mapping[str, Any], live: Mapping[str, Any]) -> list[str]:
    """
    What the answer to our own request shows beyond what was sent, as property paths.

    It is remembered, so that no preview asks for ever to take it away again.
    """
    found: list[str] = []
    for name, wanted, there in differing(declared, live):
        if name == ENVIRONMENT:
            views = environment_views(reveal(wanted), reveal(there), declared)
            found += [variable_path(name) for name in views[1] if name not in views[0]]
        elif name not in declared:
            found.append(name)
    return sorted(found)


def is_same(name: str, declared: Any, live: Any, inputs: Mapping[str, Any]) -> bool:
    """Whether a declared value is true of the live one; unknown is never the same."""
    if has_unknown(declared) or has_unknown(live):
        return False
    declared, live = reveal(declared), reveal(live)
    if declared is None:
        return live is None or live in ("", [], {})
    field = FIELDS[name]
    if field.views is not None:
        wanted, there = field.views(declared, live, inputs)
        return bool(wanted == there)
    return field.same(declared, live, inputs)


def differing_paths(
    name: str, declared: Any, live: Any, inputs: Mapping[str, Any]
) -> Iterator[Path]:
    """Where a declared value and a live one differ; the whole field where one is off."""
    declared, live = reveal(declared), reveal(live)
    if declared is UNKNOWN or live is UNKNOWN:
        yield (name,)
        return
    views = FIELDS[name].views or plain_views
    wanted, there = views(declared, live, inputs)
    if isinstance(wanted, (dict, list)) and isinstance(there, type(wanted)):
        yield from changed_paths(there, wanted, (name,))
    else:
        yield (name,)


# --- From an answer ------------------------------------------------------------


def live_values(item: DeploymentResponseItem) -> dict[str, Any]:
    """
    The fields of an answer in the form that Pulumi state has.

    A field that a full answer leaves out is there with what its absence means
    (`Field.absent`); a field about which the answer says nothing is not there. The mark
    is taken off the description. Variables that the platform injected are left in,
    since only a comparison knows whether the program declared them.
    """
    raw = item.plain()
    # An answer without an image is not a description of the deployment but a receipt.
    full = raw.get("image") is not None
    values: dict[str, Any] = {}
    for name, field in FIELDS.items():
        value = raw.get(name)
        if value is None:
            if not full or field.absent is NOT_TOLD:
                continue
            value = field.absent
        elif name == "description":
            value, _ = split_description(value if isinstance(value, str) else "")
        elif name == "environment_variables":
            if not isinstance(value, list):
                # Not readable, so it says nothing; an empty mapping would be a claim.
                continue
            value = environment_mapping(value)
        values[name] = whole_numbers(value)
    return values
