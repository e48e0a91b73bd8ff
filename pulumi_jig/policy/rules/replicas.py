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
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from pulumi_jig.policy.declaration import Facts, Policy
from pulumi_jig.policy.findings import (
    Finding,
    Kind,
    advice,
    graded,
    not_known,
    violation,
    within,
)
from pulumi_jig.policy.quantities import Quantity, read_number, read_quantity, show
from pulumi_jig.policy.resource import Resource, shown
from pulumi_jig.policy.settings import (
    GRADE,
    NUMBER,
    TEXT,
    WHOLE,
    Setting,
    choice,
    limit,
    many,
    near,
    record,
    setting,
    table,
)
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


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a number, both included; None is no bound."""

    min: Decimal | None = None
    max: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse bounds between which no number is."""
        if self.min is not None and self.max is not None and self.min > self.max:
            msg = "has min above max"
            raise ValueError(msg)


class Replicas(
    Policy,
    name="jig-replicas",
    title="Replica bounds and autoscaling",
    says="Replica bounds are within the limits, and autoscaling fits them.",
    severity="medium",
    fix="Change min_replicas, max_replicas or autoscaling so that they agree.",
):
    """Left out, `min_replicas` is 1 and `max_replicas` is `min_replicas`."""

    max_min_replicas: int | None = limit(
        WHOLE, 1, "Replicas that always run, at most.", "replicas"
    )
    max_max_replicas: int | None = limit(
        WHOLE, 4, "Replicas that may run at once, at most.", "replicas"
    )
    max_spread: int | None = limit(
        WHOLE, 3, "max_replicas - min_replicas, at most.", "replicas"
    )
    unset: str = setting(
        GRADE, "deny", "Bounds (`min_replicas`, `max_replicas`) that are left out."
    )
    scale_to_zero: str = setting(
        choice("allow", "advise", "require", "forbid"),
        "allow",
        "Whether `min_replicas` is to be 0, so that nothing bills while nobody asks, or "
        "must not be, so that nobody waits for a cold start.",
    )
    allowed_metrics: tuple[str, ...] = setting(
        many(TEXT), tuple(_KEYS), "Autoscaling metrics that are allowed."
    )
    targets: Mapping[str, Range] = setting(
        table(
            record(
                Range,
                False,
                min=Setting(NUMBER, None, "Least.", null="no bound"),
                max=Setting(NUMBER, None, "Most.", null="no bound"),
            )
        ),
        {},
        "Bounds of the autoscaling target, by metric: `min`, `max`.",
    )

    def judge(self, resource: Resource, facts: Facts) -> Iterator[Finding]:
        """Bounds are in order and within the limits, and autoscaling fits them."""
        del facts
        low = resource.requirements.floor_replicas
        unset = resource.get("max_replicas") is None
        high = (
            low
            if unset
            else read_quantity(resource.get("max_replicas"), "max_replicas", whole=True)
        )
        missing = [
            name
            for name in ("min_replicas", "max_replicas")
            if resource.get(name) is None
        ]
        if missing:
            yield from graded(
                self.unset,
                f"{resource.subject} must declare {' and '.join(missing)}; left out, it "
                f"has {low.text} to {high.text} replicas. Set what is missing.",
            )
        yield from _bounds(low, high, self, resource.subject)
        yield from self._zero(low, resource.subject)
        yield from _autoscaling(
            resource, low, high, self, resource.subject, fixed=unset
        )

    def _zero(self, low: Quantity, subject: str) -> Iterator[Finding]:
        wanted = self.scale_to_zero
        if wanted == "allow" or low.invalid:
            return
        if not low.exact:
            yield not_known(subject, low.unknown, "whether it scales to zero")
        elif wanted == "forbid" and low.low == 0:
            yield violation(
                f"{subject} must not scale to zero here, since a cold start takes "
                "minutes; min_replicas is 0. Set it to 1 or more."
            )
        elif wanted != "forbid" and low.low > 0:
            yield from graded(
                "deny" if wanted == "require" else "warn",
                f"{subject} must scale to zero here, so that nothing bills while nobody "
                f"asks; min_replicas is {show(low.low)}. Set it to 0, with autoscaling.",
            )


def _bounds(
    low: Quantity, high: Quantity, settings: Replicas, subject: str
) -> Iterator[Finding]:
    found: list[Finding] = []
    for name, quantity, most in (
        ("min_replicas", low, settings.max_min_replicas),
        ("max_replicas", high, settings.max_max_replicas),
    ):
        found += within(
            quantity,
            most,
            subject=subject,
            what=f"the limit of {name}",
            over=f"{subject} must not have {name} above {most}; it is "
            f"{show(quantity.low)}. Lower {name}, or have jig-replicas.max_{name} raised.",
        )
    yield from found
    if not low.exact or not high.exact:
        unknown = (*low.unknown, *high.unknown)
        if unknown and not any(f.kind is Kind.UNKNOWN for f in found):
            yield not_known(subject, unknown, "what is between the bounds")
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
    low: Quantity,
    high: Quantity,
    settings: Replicas,
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
    given: Mapping[str, Any], low: Quantity, settings: Replicas, subject: str
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
    value: Any, metric: str, settings: Replicas, subject: str
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
