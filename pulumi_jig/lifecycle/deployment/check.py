"""
Checking the inputs of a deployment: all faults at once, before anything is sent.

Each fault has the property's path and a remedy. What is not known yet (a preview) is
let through at any depth; it is checked when it is known. Nothing here raises: whatever
goes wrong becomes a fault, because an exception in a check ends the whole run. No
message holds the value of an environment variable, of `extra` or of an argument.

Words that the service may add to (a GPU type, an autoscaling metric) give a warning and
are sent: a list in this package must not keep anybody from new hardware.

What a single field takes is in `shapes`, what only several fields show is in `rules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_jig.fields import FIELDS
from pulumi_jig.lifecycle.deployment.inputs import (
    DECLARED,
    EXTRA,
    NONCE,
    OPTIONS,
    PROGRAM,
    place_of,
)
from pulumi_jig.lifecycle.deployment.rules import rule_faults, warnings
from pulumi_jig.lifecycle.deployment.shapes import (
    TAKES,
    normal_environment,
    shape_faults,
)
from pulumi_jig.lifecycle.deployment.wording import near
from pulumi_jig.lifecycle.invocation import Checked
from pulumi_jig.lifecycle.memory import claim, remember_stated
from pulumi_jig.naming import NONCE_PATTERN, auto_name, name_fault, new_nonce
from pulumi_jig.values import (
    UNKNOWN,
    format_path,
    reveal,
    whole_numbers,
    without_none,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pulumi_jig.lifecycle.deployment.wording import Fault
    from pulumi_jig.lifecycle.invocation import Severity


def check(
    olds: Mapping[str, Any],
    news: Mapping[str, Any],
    *,
    urn: str | None = None,
    log: Callable[[Severity, str], None] | None = None,
    config_faults: Iterable[tuple[str, str]] = (),
) -> Checked:
    """
    Complete and check the inputs of a deployment.

    Args:
        olds: The inputs that the state holds; empty at creation and replacement.
        news: What the program says now, possibly with values not known yet.
        urn: The resource's URN, if the host can tell.
        log: Takes warnings.
        config_faults: What is wrong with the credentials, as (setting, sentence).

    Returns:
        The inputs as they will be stored, and every fault.
    """
    news = whole_numbers(without_none(news))
    olds = reveal(whole_numbers(without_none(olds)))
    faults: list[Fault] = [("", sentence) for _, sentence in config_faults]

    inputs = {k: v for k, v in news.items() if not k.startswith("__")}
    declared = sorted(inputs)
    faults += _unknown_properties(declared)
    faults += normal_environment(inputs)
    inputs["name"], name_faults = _name(reveal(inputs), olds, news, urn)
    faults += name_faults
    if PROGRAM in news:
        inputs[PROGRAM] = news[PROGRAM]
    inputs[NONCE] = _nonce(olds)
    inputs[DECLARED] = declared

    plain = reveal(inputs)
    faults += shape_faults(plain, skip={path for path, _ in faults})
    faults += rule_faults(plain, olds)
    faults += _claim_faults(plain, urn)
    if log is not None:
        for warning in warnings(plain):
            log("warning", warning)
    return Checked(without_none(inputs), tuple(_distinct(faults)))


def _distinct(faults: Iterable[Fault]) -> list[Fault]:
    # A message is sent as UTF-8; half of a surrogate pair in it would end the call.
    return list(dict.fromkeys((_sendable(path), _sendable(s)) for path, s in faults))


def _sendable(text: str) -> str:
    return text.encode(errors="replace").decode()


def _nonce(olds: Mapping[str, Any]) -> str:
    old = olds.get(NONCE)
    # One that no mark could carry would make the deployment somebody else's.
    if isinstance(old, str) and NONCE_PATTERN.fullmatch(old):
        return old
    return new_nonce()


def _unknown_properties(names: Iterable[str]) -> list[Fault]:
    known = (*FIELDS, *OPTIONS, EXTRA)
    newer = f" A field newer than this package goes into `{EXTRA}`."
    return [
        (
            format_path((name,)),
            f"is not a property of a deployment.{near(name, known) or newer}",
        )
        for name in names
        if name not in known
    ]


def _name(
    inputs: Mapping[str, Any],
    olds: Mapping[str, Any],
    news: Mapping[str, Any],
    urn: str | None,
) -> tuple[Any, list[Fault]]:
    declared = inputs.get("name")
    old = olds.get("name")
    if isinstance(old, str) and urn is not None:
        remember_stated(old, urn)
    if declared is UNKNOWN:
        return declared, []
    if declared is not None:
        if not isinstance(declared, str):
            return declared, [("name", f"must be a string: {TAKES['name']}")]
        # A name from before the rule was tightened is fine where it already stands.
        exists = inputs.get("adopt") is True
        fault = None if declared == old else name_fault(declared, exists=exists)
        return declared, [("name", fault)] if fault else []
    if isinstance(old, str) and old:
        return old, []
    place = place_of(news, urn)
    if not place.resource:
        return None, [
            (
                "name",
                "is required here: nothing tells which resource this is, so no name "
                "can be made. Give `name`, or use the Deployment class",
            )
        ]
    return (
        auto_name(
            place.resource,
            organization=place.organization,
            project=place.project,
            stack=place.stack,
            urn=place.urn,
            namespace=place.namespace,
        ),
        [],
    )


def _claim_faults(inputs: Mapping[str, Any], urn: str | None) -> list[Fault]:
    name = inputs.get("name")
    if urn is None or not isinstance(name, str):
        return []
    owner = claim(name, urn)
    if owner == urn:
        return []
    other = place_of({}, owner).resource or owner
    return [
        (
            "name",
            f'"{name}" is the name of resource {other} in this stack already; '
            "a deployment's name must be unique",
        )
    ]
