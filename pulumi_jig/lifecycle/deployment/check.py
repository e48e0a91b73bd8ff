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

from pulumi_jig.lifecycle.checking import (
    completed,
    distinct,
    last_sent,
    made_name,
    name_claim_faults,
    unknown_properties,
)
from pulumi_jig.lifecycle.deployment.inputs import ENDPOINT, EXTRA, OPTIONS
from pulumi_jig.lifecycle.deployment.rules import rule_faults, warnings
from pulumi_jig.lifecycle.deployment.shapes import (
    normal_environment,
    shape_faults,
)
from pulumi_jig.lifecycle.invocation import Checked
from pulumi_jig.naming import name_fault
from pulumi_jig.schema.deployment import FIELDS
from pulumi_jig.values import UNKNOWN, reveal, whole_numbers, without_none

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pulumi_jig.lifecycle.invocation import Severity
    from pulumi_jig.lifecycle.wording import Fault


def check(
    olds: Mapping[str, Any],
    news: Mapping[str, Any],
    *,
    old_outputs: Mapping[str, Any] | None = None,
    urn: str | None = None,
    log: Callable[[Severity, str], None] | None = None,
    config_faults: Iterable[tuple[str, str]] = (),
) -> Checked:
    """
    Complete and check the inputs of a deployment.

    Args:
        olds: The inputs that the state holds; empty at creation and replacement.
        news: What the program says now, possibly with values not known yet.
        old_outputs: The outputs that the state holds, where the engine tells them.
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
    if inputs.get(ENDPOINT) == olds.get(ENDPOINT):
        # Made here; a file of imports brings it along.
        inputs.pop(ENDPOINT, None)
    declared = sorted(inputs)
    newer = f" A field newer than this package goes into `{EXTRA}`."
    known = (*FIELDS, *OPTIONS, EXTRA)
    faults += unknown_properties("deployment", declared, known, otherwise=newer)
    faults += normal_environment(inputs)
    inputs["name"], name_faults = _name(reveal(inputs), olds, news, urn)
    faults += name_faults
    inputs |= completed("deployment", olds, news, declared, urn)

    plain = reveal(inputs)
    faults += shape_faults(plain, skip={path for path, _ in faults})
    sent = last_sent(olds, old_outputs)
    faults += rule_faults(plain, olds, sent)
    faults += name_claim_faults("deployment", plain, urn)
    if log is not None:
        for warning in warnings(plain):
            log("warning", warning)
    return Checked(without_none(inputs), tuple(distinct(faults)))


def _name(
    inputs: Mapping[str, Any],
    olds: Mapping[str, Any],
    news: Mapping[str, Any],
    urn: str | None,
) -> tuple[Any, list[Fault]]:
    declared = inputs.get("name")
    old = olds.get("name")
    if declared is UNKNOWN:
        return declared, []
    if declared is not None:
        if not isinstance(declared, str):
            return declared, [("name", f"must be a string: {FIELDS['name'].takes}")]
        # A name from before the rule was tightened is fine where it already stands.
        exists = inputs.get("adopt") is True
        fault = None if declared == old else name_fault(declared, exists=exists)
        return declared, [("name", fault)] if fault else []
    if isinstance(old, str) and old:
        return old, []
    return made_name("deployment", news, urn)
