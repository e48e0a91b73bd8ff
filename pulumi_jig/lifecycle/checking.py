"""
What the checks of all kinds of things have in common.

A check completes the inputs (a name, the bookkeeping) and collects every fault with its
property path and a remedy. Nothing here raises: an exception in a check ends the whole
run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_jig.lifecycle.keys import (
    DECLARED,
    KEY,
    NONCE,
    PROGRAM,
    SECRETS,
    place_of,
    remember_secrets,
)
from pulumi_jig.lifecycle.memory import claim, remember_stated
from pulumi_jig.lifecycle.wording import near
from pulumi_jig.naming import NONCE_PATTERN, auto_name, new_nonce
from pulumi_jig.values import (
    UNKNOWN,
    format_path,
    reveal,
    whole_numbers,
    without_none,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from pulumi_jig.lifecycle.wording import Fault


def completed(
    what: str,
    olds: Mapping[str, Any],
    news: Mapping[str, Any],
    declared: list[str],
    urn: str | None,
) -> dict[str, Any]:
    """
    The bookkeeping among the inputs.

    Args:
        what: What they describe.
        olds: The inputs that the state holds; empty at creation and replacement.
        news: What the program says now.
        declared: The keys that it set.
        urn: The resource's URN, if the host can tell.
    """
    remember_secrets(olds, news)
    stated = olds.get("name")
    if isinstance(stated, str) and urn is not None:
        remember_stated(f"{what} {stated}", urn)
    told = {key: news[key] for key in (PROGRAM, SECRETS) if key in news}
    # The key of the creation: what exists already was not made with the present one.
    key = (olds if NONCE in olds else news).get(KEY)
    if isinstance(key, str):
        told[KEY] = key
    old = olds.get(NONCE)
    # One that no mark could carry would make the thing somebody else's.
    kept = isinstance(old, str) and NONCE_PATTERN.fullmatch(old) is not None
    return {**told, NONCE: old if kept else new_nonce(), DECLARED: declared}


def last_sent(
    olds: Mapping[str, Any], old_outputs: Mapping[str, Any] | None
) -> dict[str, Any]:
    """
    What was sent to the service last, as far as the state tells.

    After an update that was accepted and then failed, the state holds the inputs from
    before it; what was sent is among its outputs only.

    Args:
        olds: The inputs that the state holds; empty at creation and replacement.
        old_outputs: Its outputs, where the engine tells them.
    """
    found: dict[str, Any] = reveal(without_none(whole_numbers(old_outputs or olds)))
    return found


def unknown_properties(
    what: str, names: Iterable[str], known: Collection[str], *, otherwise: str = ""
) -> list[Fault]:
    """
    A fault for each key that is no property.

    Args:
        what: What it would be a property of.
        names: The keys that the program set.
        known: Those that there are.
        otherwise: What to say where nothing near is known.
    """
    return [
        (
            format_path((name,)),
            f"is not a property of a {what}.{near(name, known) or otherwise}",
        )
        for name in names
        if name not in known
    ]


def made_name(
    what: str, news: Mapping[str, Any], urn: str | None
) -> tuple[str | None, list[Fault]]:
    """The name of a thing whose program gives none, or why none can be made."""
    place = place_of(news, urn)
    if not place.resource:
        return None, [
            (
                "name",
                "is required here: nothing tells which resource this is, so no name "
                f"can be made. Give `name`, or use the {what.capitalize()} class",
            )
        ]
    name = auto_name(
        place.resource,
        organization=place.organization,
        project=place.project,
        stack=place.stack,
        urn=place.urn,
        namespace=place.namespace,
        fallback=what,
    )
    return name, []


def name_claim_faults(
    what: str, inputs: Mapping[str, Any], urn: str | None
) -> list[Fault]:
    """A fault where another resource of this run has the name already."""
    name = inputs.get("name")
    if urn is None or not isinstance(name, str):
        return []
    owner = claim(f"{what} {name}", urn)
    if owner == urn:
        return []
    other = place_of({}, owner).resource or owner
    return [
        (
            "name",
            f'"{name}" is the name of resource {other} in this stack already; '
            f"a {what}'s name must be unique",
        )
    ]


def claim_option_faults(what: str, inputs: Mapping[str, Any]) -> Iterator[Fault]:
    """
    What is wrong with the options about whose a thing is.

    Args:
        what: What it is.
        inputs: All inputs, completed, possibly with unknown values.
    """
    for name in ("adopt", "ownership_mark"):
        value = inputs.get(name)
        if value is not None and value is not UNKNOWN and not isinstance(value, bool):
            yield name, "must be true or false"
    if inputs.get("adopt") is True:
        if inputs.get("ownership_mark") is False:
            yield (
                "ownership_mark",
                f"must stay on with `adopt`: it is what keeps the {what} from "
                "being deleted by whoever had it before",
            )
        if "name" not in inputs[DECLARED]:
            yield "name", f"is required with `adopt`: say which {what}"


def distinct(faults: Iterable[Fault]) -> list[Fault]:
    """Each fault once, in texts that a message can carry."""
    # A message is sent as UTF-8; half of a surrogate pair in it would end the call.
    return list(dict.fromkeys((_sendable(path), _sendable(s)) for path, s in faults))


def _sendable(text: str) -> str:
    return text.encode(errors="replace").decode()
