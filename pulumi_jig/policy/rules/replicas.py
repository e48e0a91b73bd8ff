"""
How many replicas a deployment may have, and whether anything moves between the bounds.

Bounds without autoscaling never scale; autoscaling without room never acts. Both read
well in a program and do nothing, so both are refused here. Which keys belong to which
metric is the API's documented rule; that `model` is tolerated beside every metric is
what the vendor's own command line sends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from pulumi_jig.policy.facts import Resource, shown
from pulumi_jig.policy.findings import Finding, advice, not_known, violation, within
from pulumi_jig.policy.quantities import Amount, read_amount, read_number, show
from pulumi_jig.policy.settings import Range, Settings, key, near
from pulumi_jig.policy.unknown import UNKNOWN

# Source: the API's three kinds of autoscaling configuration.
_KEYS: Final[Mapping[str, frozenset[str]]] = {
    "HTTPTotalRequests": frozenset({"target", "time_interval_minutes"}),
    "HTTPAvgRequestDuration": frozenset({"target", "time_interval_minutes"}),
    "QueueBacklogPerWorker": frozenset({"target"}),
    "CustomMetric": frozenset({"target", "custom_metric_name"}),
}
_DEFAULT_TARGETS: Final[Mapping[str, Decimal]] = {
    "HTTPTotalRequests": Decimal(100),
    "HTTPAvgRequestDuration": Decimal(500),
    "QueueBacklogPerWorker": Decimal("1.01"),
    "CustomMetric": Decimal(500),
}
_EVERYWHERE: Final = frozenset({"metric", "model"})
_METRIC_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


class ReplicaSettings(Settings):
    """Limits of `jig-replicas`."""

    max_min_replicas: int | None = key(
        "count?", 1, "Replicas that always run, at most; null for no limit."
    )
    max_max_replicas: int | None = key(
        "count?", 4, "Replicas that may run at once, at most."
    )
    max_spread: int | None = key("count?", 3, "max_replicas - min_replicas, at most.")
    allowed_metrics: tuple[str, ...] = key(
        "words", tuple(_KEYS), "Autoscaling metrics that are allowed."
    )
    targets: dict[str, Range] = key(
        "ranges by metric", {}, "Bounds of the autoscaling target: `min`, `max`."
    )


def replicas(resource: Resource, settings: ReplicaSettings) -> Iterator[Finding]:
    """Replica bounds are in order and within the limits, and autoscaling fits them."""
    subject = f"The deployment {shown(resource.name)}"
    low = resource.size.floor_replicas
    unset = resource.get("max_replicas") is None
    high = (
        low
        if unset
        else read_amount(resource.get("max_replicas"), "max_replicas", whole=True)
    )
    yield from _bounds(low, high, settings, subject)
    yield from _autoscaling(resource, low, high, settings, subject, fixed=unset)


def _bounds(
    low: Amount, high: Amount, settings: ReplicaSettings, subject: str
) -> Iterator[Finding]:
    for name, amount, limit in (
        ("min_replicas", low, settings.max_min_replicas),
        ("max_replicas", high, settings.max_max_replicas),
    ):
        yield from within(
            amount,
            limit,
            subject=subject,
            what=f"the limit of {name}",
            over=f"{subject} must not have {name} above {limit}; it is "
            f"{show(amount.low)}. Lower {name}, or have jig-replicas.max_{name} raised.",
        )
    if not low.exact or not high.exact:
        return
    if low.low > high.low:
        yield violation(
            f"{subject} must not have min_replicas above max_replicas; they are "
            f"{show(low.low)} and {show(high.low)}. Raise max_replicas or lower "
            "min_replicas."
        )
    spread = high.low - low.low
    if settings.max_spread is not None and spread > settings.max_spread:
        yield violation(
            f"{subject} must not have more than {settings.max_spread} replicas between "
            f"min_replicas and max_replicas; {show(high.low)} - {show(low.low)} is "
            f"{show(spread)}. Bring the bounds closer, or have jig-replicas.max_spread "
            "raised."
        )


def _autoscaling(
    resource: Resource,
    low: Amount,
    high: Amount,
    settings: ReplicaSettings,
    subject: str,
    *,
    fixed: bool,
) -> Iterator[Finding]:
    given = resource.get("autoscaling")
    if given is UNKNOWN:
        yield not_known(subject, ["autoscaling"], "whether autoscaling fits the bounds")
        return
    on = given is not None and given != {}
    exact = low.exact and high.exact
    if not on:
        if exact and high.low > low.low:
            yield violation(
                f"{subject} must set autoscaling where max_replicas is above "
                f"min_replicas; they are {show(high.low)} and {show(low.low)}, and "
                "nothing would scale between them. Set autoscaling, or make the two "
                "equal."
            )
        return
    if fixed or (exact and high.low == low.low):
        yield violation(
            f"{subject} must not set autoscaling where its size is fixed; max_replicas "
            "is left out or equal to min_replicas. Raise max_replicas, or remove "
            "autoscaling."
        )
    if not isinstance(given, Mapping):
        yield violation(
            f"{subject} must give autoscaling as a mapping with a metric. Write "
            '{"metric": "HTTPTotalRequests", "target": 100}, for example.'
        )
        return
    yield from _metric(given, low, settings, subject)


def _metric(
    given: Mapping[str, Any], low: Amount, settings: ReplicaSettings, subject: str
) -> Iterator[Finding]:
    metric = given.get("metric")
    allowed = ", ".join(settings.allowed_metrics) or "none"
    if metric is UNKNOWN:
        yield not_known(subject, ["autoscaling.metric"], "the autoscaling metric")
        return
    if not isinstance(metric, str) or metric not in settings.allowed_metrics:
        said = "is not set" if metric is None else f"is {shown(metric)}"
        yield violation(
            f"{subject} must scale by an allowed metric; autoscaling.metric {said}"
            f"{near(str(metric), settings.allowed_metrics)}. Use one of: {allowed}."
        )
        return
    known = _KEYS.get(metric)
    # A metric that the owner allows but this version does not know has keys that this
    # version does not know either.
    for name in given if known is not None else ():
        if name not in _EVERYWHERE and name not in (known or ()):
            yield violation(
                f"{subject} must not set autoscaling.{_word(name)} for the metric "
                f"{metric}, which does not use it"
                f"{near(name, (known or frozenset()) | _EVERYWHERE)}. Remove it."
            )
    if metric == "CustomMetric":
        yield from _custom_name(given.get("custom_metric_name"), subject)
    yield from _target(given.get("target"), metric, settings, subject)
    if metric.startswith("HTTP") and low.is_zero:
        yield advice(
            f"{subject} may never wake: min_replicas is 0, and {metric} is measured on "
            "running replicas. Use QueueBacklogPerWorker, or set min_replicas to 1."
        )


def _custom_name(name: Any, subject: str) -> Iterator[Finding]:
    if name is UNKNOWN:
        yield not_known(
            subject, ["autoscaling.custom_metric_name"], "the custom metric"
        )
    elif not isinstance(name, str) or _METRIC_NAME.fullmatch(name) is None:
        yield violation(
            f"{subject} must name its custom metric; autoscaling.custom_metric_name is "
            "not set or not a Prometheus name ([a-zA-Z_:][a-zA-Z0-9_:]*). Set it to "
            "the name under which the container exports the metric."
        )


def _target(
    value: Any, metric: str, settings: ReplicaSettings, subject: str
) -> Iterator[Finding]:
    if value is UNKNOWN:
        yield not_known(subject, ["autoscaling.target"], "the autoscaling target")
        return
    target = _DEFAULT_TARGETS.get(metric) if value is None else read_number(value)
    if target is None:
        if value is not None:
            yield violation(
                f"{subject} must give autoscaling.target as a number. Write a plain "
                "number above 0."
            )
        return
    bounds = settings.targets.get(metric, Range())
    if target <= 0:
        yield violation(
            f"{subject} must have an autoscaling.target above 0; it is {show(target)}. "
            "Raise it."
        )
    elif (bounds.min is not None and target < bounds.min) or (
        bounds.max is not None and target > bounds.max
    ):
        least = "0" if bounds.min is None else show(bounds.min)
        most = "any number" if bounds.max is None else show(bounds.max)
        yield violation(
            f"{subject} must have an autoscaling.target from {least} to {most} for "
            f"{metric}; it is {show(target)}. Change it, or have jig-replicas.targets "
            "changed."
        )


def _word(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", name) else "(a key)"
