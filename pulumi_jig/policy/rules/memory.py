"""
How much memory one replica may have, in all and per GPU. Units: GiB.

Fractions of a GiB are legal. What is left out is the platform's choice, which nobody can
add up, so an owner may ask for it to be given.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from pulumi_jig.policy.facts import Resource, shown
from pulumi_jig.policy.findings import Finding, advice, not_known, violation, within
from pulumi_jig.policy.quantities import show
from pulumi_jig.policy.settings import Settings, key

if TYPE_CHECKING:
    from collections.abc import Iterator


class MemorySettings(Settings):
    """Limits of `jig-memory`."""

    max_gib: Decimal | None = key(
        "number?", Decimal(256), "GiB per replica, at most; null for no limit."
    )
    max_gib_per_gpu: Decimal | None = key(
        "number?", Decimal(128), "GiB per GPU of a replica, at most."
    )
    max_gib_cpu_only: Decimal | None = key(
        "number?", Decimal(64), "GiB of a replica without a GPU, at most."
    )
    unset: str = key(
        "choice",
        "deny",
        "A deployment that leaves memory to the platform.",
        choices=("allow", "warn", "deny"),
    )


def memory(resource: Resource, settings: MemorySettings) -> Iterator[Finding]:
    """Memory per replica is within the limits, in all and for its GPUs."""
    size = resource.size
    subject = f"The deployment {shown(resource.name)}"
    if size.memory is None:
        message = (
            f"{subject} must say how much memory a replica gets; memory is not set, so "
            "the platform chooses. Set memory, in GiB."
        )
        if settings.unset == "deny":
            yield violation(message)
        elif settings.unset == "warn":
            yield advice(message)
        return
    amount = size.memory
    value = f"memory is {show(amount.low)} GiB"
    raised = "Lower memory, or have {key} raised."
    findings = list(
        within(
            amount,
            settings.max_gib,
            subject=subject,
            what="the limit of memory per replica",
            over=f"{subject} must not have more than {show(settings.max_gib or 0)} GiB "
            f"of memory per replica; {value}. "
            + raised.format(key="jig-memory.max_gib"),
        )
    )
    if findings:
        yield from findings
        return
    per_gpu, cpu_only = settings.max_gib_per_gpu, settings.max_gib_cpu_only
    count = size.gpu_count
    if count.is_zero:
        yield from within(
            amount,
            cpu_only,
            subject=subject,
            what="the limit of memory without a GPU",
            over=f"{subject} must not have more than {show(cpu_only or 0)} GiB of "
            f"memory per replica without a GPU; {value}. "
            + raised.format(key="jig-memory.max_gib_cpu_only"),
        )
    elif count.exact:
        limit = None if per_gpu is None else per_gpu * count.low
        yield from within(
            amount,
            limit,
            subject=subject,
            what="the limit of memory per GPU",
            over=f"{subject} must not have more than {show(limit or 0)} GiB of memory "
            f"per replica for {show(count.low)} GPUs ({show(per_gpu or 0)} GiB each); "
            f"{value}. " + raised.format(key="jig-memory.max_gib_per_gpu"),
        )
    elif per_gpu is not None or cpu_only is not None:
        # With no GPU the one limit holds, with at least one GPU the other: what is
        # within both needs no count to be judged.
        least = min(limit for limit in (per_gpu, cpu_only) if limit is not None)
        if count.invalid:
            yield violation(
                f"{subject}: gpu_count is not a quantity, so the limit of memory per "
                "GPU cannot be judged and does not pass. Give a plain number."
            )
        elif amount.low > least or not amount.exact:
            yield not_known(
                subject,
                ("gpu_count", *amount.unknown),
                "the limit of memory per GPU",
            )
