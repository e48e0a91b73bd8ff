"""
How many GPUs one deployment may ask for, of which types, and whether the numbers are.

These rules speak before a deployment is created, one deployment at a time; what a whole
stack may use is in `stack`. They refuse to compare what is not a number: NaN is smaller
than no limit and larger than none, so it would pass all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_jig.policy.facts import NO_GPU, Resource, Size, shown
from pulumi_jig.policy.findings import (
    Finding,
    Kind,
    advice,
    not_known,
    violation,
    within,
)
from pulumi_jig.policy.quantities import Amount, quantity_fault, show
from pulumi_jig.policy.settings import Settings, TypeLimits, key
from pulumi_jig.policy.unknown import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Property, whether it must be whole, unit.
_QUANTITIES = (
    ("gpu_count", True, "GPUs"),
    ("min_replicas", True, "replicas"),
    ("max_replicas", True, "replicas"),
    ("memory", False, "GiB"),
    ("cpu", False, "cores"),
    ("storage", True, "GiB"),
    ("port", True, ""),
    ("termination_grace_period_seconds", True, "seconds"),
)


class QuantitySettings(Settings):
    """`jig-valid-quantities` has no limits of its own."""


def valid_quantities(
    resource: Resource, settings: QuantitySettings
) -> Iterator[Finding]:
    """Every quantity is a finite number, not negative, and whole where it must be."""
    del settings
    for name, whole, unit in _QUANTITIES:
        fault = quantity_fault(resource.get(name), whole=whole)
        if fault is not None:
            number = "whole number" if whole else "number"
            yield violation(
                f"The deployment {shown(resource.name)} must give {name} as a plain "
                f"{number}{f' of {unit}' if unit else ''}; it {fault}. "
                f"Write {name} as a {number} of 0 or more."
            )


class GpuCountSettings(Settings):
    """Limits of `jig-gpu-count`."""

    max_per_replica: int | None = key(
        "count?", 2, "GPUs per replica, at most; null for no limit."
    )
    max_per_deployment: int | None = key(
        "count?", 4, "GPUs of one deployment when all its replicas run, at most."
    )
    per_type: dict[str, TypeLimits] = key(
        "limits by type",
        {},
        "Other limits for single GPU types: `max_per_replica`, `max_per_deployment`.",
    )
    allowed_counts: tuple[int, ...] = key(
        "counts", (1, 2), "GPUs per replica that are allowed; an empty list allows all."
    )
    zero_gpus: str = key(
        "choice",
        "deny",
        "A real GPU type with no GPU (the API's default for gpu_count).",
        choices=("allow", "warn", "deny"),
    )


def gpu_count(resource: Resource, settings: GpuCountSettings) -> Iterator[Finding]:
    """GPUs per replica, and per deployment at its peak, are within the limits."""
    size = resource.size
    subject = f"The deployment {shown(resource.name)}"
    count = size.gpu_count
    if size.gpu_type == NO_GPU:
        if count.low > 0 or count.invalid:
            yield violation(
                f'{subject} must not have GPUs of gpu_type "none"; gpu_count is '
                f"{show(count.low)}. Set gpu_count to 0, or name a GPU type."
                if not count.invalid
                else f"{subject}: gpu_count is not a quantity. Set it to 0."
            )
        elif count.unknown:
            yield not_known(subject, count.unknown, "the CPU form")
        return
    if count.is_zero:
        yield from _zero(size, settings, subject)
        return
    over = list(
        _per_replica(count, _limits(size, settings, "max_per_replica"), subject)
    )
    yield from over
    counts = settings.allowed_counts
    if counts and count.exact and count.low not in counts and not over:
        allowed = ", ".join(str(n) for n in counts)
        yield violation(
            f"{subject} must have one of {allowed} GPUs per replica; gpu_count is "
            f"{show(count.low)}. Choose one of these."
        )
    whole = _per_deployment(
        size, _limits(size, settings, "max_per_deployment"), subject
    )
    # What hangs on the same unknown value is said once.
    said = any(finding.kind is Kind.UNKNOWN for finding in over)
    yield from (f for f in whole if not (said and f.kind is Kind.UNKNOWN))


def _zero(size: Size, settings: GpuCountSettings, subject: str) -> Iterator[Finding]:
    if size.gpu_type is UNKNOWN or size.gpu_type is None:
        return
    message = (
        f"{subject} has gpu_type {size.type_text} but no GPU: gpu_count is 0, which is "
        "the API's default where it is left out. Set gpu_count to 1 or more, or "
        'gpu_type to "none" for a CPU-only deployment.'
    )
    if settings.zero_gpus == "deny":
        yield violation(message)
    elif settings.zero_gpus == "warn":
        yield advice(message)


def _limits(
    size: Size, settings: GpuCountSettings, name: str
) -> tuple[int | None, ...]:
    """The limits that may apply: one, or all of them while the type is not known."""
    general: int | None = getattr(settings, name)
    own = {
        gpu_type: getattr(limits, name)
        for gpu_type, limits in settings.per_type.items()
        if getattr(limits, name) is not None
    }
    if size.gpu_type is UNKNOWN:
        return (general, *own.values())
    return (own.get(str(size.gpu_type), general),)


def _judge(
    amount: Amount, limits: Iterable[int | None], subject: str, what: str, over: str
) -> Iterator[Finding]:
    candidates = list(limits)
    known = [limit for limit in candidates if limit is not None]
    if not known:
        return
    least = min(known)
    most = None if len(known) < len(candidates) else max(known)
    if least == most:
        yield from within(
            amount, least, subject=subject, what=what, over=over.format(limit=least)
        )
    elif most is not None and amount.low > most:
        yield violation(over.format(limit=most))
    elif amount.low > least or not amount.exact:
        # The type decides which limit holds, and the type is not known yet.
        if amount.invalid:
            yield from within(amount, least, subject=subject, what=what, over="")
        else:
            yield not_known(subject, ("gpu_type", *amount.unknown), what)


def _per_replica(
    count: Amount, limits: tuple[int | None, ...], subject: str
) -> Iterator[Finding]:
    yield from _judge(
        count,
        limits,
        subject,
        "the limit of GPUs per replica",
        f"{subject} must not have more than {{limit}} GPUs per replica; gpu_count is "
        f"{show(count.low)}. Lower gpu_count to {{limit}} or less, or have "
        "jig-gpu-count.max_per_replica raised.",
    )


def _per_deployment(
    size: Size, limits: tuple[int | None, ...], subject: str
) -> Iterator[Finding]:
    peak = size.peak_gpus
    factors = f"{size.gpu_count.text} per replica x {size.peak_replicas.text} replicas"
    yield from _judge(
        peak,
        limits,
        subject,
        "the limit of GPUs per deployment",
        f"{subject} must not have more than {{limit}} GPUs when all its replicas run; "
        f"gpu_count x max_replicas is {peak.text} ({factors}). Lower gpu_count or "
        "max_replicas, or have jig-gpu-count.max_per_deployment raised.",
    )


class GpuTypeSettings(Settings):
    """Limits of `jig-gpu-types`."""

    allow: tuple[str, ...] = key("types", ("h100-80gb",), "GPU types that are allowed.")
    deny: tuple[str, ...] = key(
        "types", (), "GPU types that are refused, even where `allow` names them."
    )
    allow_cpu: bool = key(
        "bool", True, 'Whether CPU-only deployments (`gpu_type` "none") are allowed.'
    )


def gpu_types(resource: Resource, settings: GpuTypeSettings) -> Iterator[Finding]:
    """The GPU type is one that this environment may use."""
    from pulumi_jig.policy.settings import near

    subject = f"The deployment {shown(resource.name)}"
    gpu_type = resource.size.gpu_type
    allowed = [t for t in settings.allow if t not in settings.deny]
    choice = f"one of {', '.join(allowed)}" if allowed else "a type that is allowed"
    if gpu_type is UNKNOWN:
        yield not_known(subject, ["gpu_type"], "the list of allowed GPU types")
    elif not isinstance(gpu_type, str):
        yield violation(
            f"{subject} must name its gpu_type; it names none. Set it to {choice}, or "
            'to "none" for a CPU-only deployment.'
        )
    elif gpu_type == NO_GPU:
        if not settings.allow_cpu:
            yield violation(
                f'{subject} must have a GPU; gpu_type is "none", and '
                "jig-gpu-types.allow_cpu is false. Use "
                f"{choice}, or have allow_cpu set."
            )
    elif gpu_type in settings.deny:
        yield violation(
            f"{subject} must not use gpu_type {shown(gpu_type)}, which "
            f"jig-gpu-types.deny refuses. Use {choice}."
        )
    elif gpu_type not in settings.allow:
        yield violation(
            f"{subject} must not use gpu_type {shown(gpu_type)}, which is not in "
            f"jig-gpu-types.allow{near(gpu_type, allowed)}. Use {choice}, or have the "
            "type allowed."
        )
