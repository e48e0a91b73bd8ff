"""
What a whole stack may use: GPUs, memory, dollars.

These rules see the stack as it will be, so they stop a preview; where a preview is
skipped they speak only after everything was created. Budgets close that gap; these stay,
since they count what stands in no budget too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_jig.policy.limits import CostLimits, GpuLimits, MemoryLimits, Voice
from pulumi_jig.policy.sums import judge_cost, judge_gpus, judge_memory

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence

    from pulumi_jig.policy.facts import Resource, Size
    from pulumi_jig.policy.findings import Finding


def _sizes(resources: Sequence[Resource]) -> list[Size]:
    return [resource.size for resource in resources if resource.is_deployment]


def stack_gpus(
    resources: Sequence[Resource], settings: GpuLimits, today: dt.date
) -> Iterator[Finding]:
    """GPUs of all deployments, by type, in total and at the floor."""
    del today
    yield from judge_gpus(
        _sizes(resources), settings, Voice("The stack", "jig-stack-gpus")
    )


def stack_memory(
    resources: Sequence[Resource], settings: MemoryLimits, today: dt.date
) -> Iterator[Finding]:
    """Memory and GPU memory of all deployments when all replicas run."""
    del today
    yield from judge_memory(
        _sizes(resources), settings, Voice("The stack", "jig-stack-memory")
    )


def stack_cost(
    resources: Sequence[Resource], settings: CostLimits, today: dt.date
) -> Iterator[Finding]:
    """Dollars per hour of all deployments, at the peak and at the floor."""
    yield from judge_cost(
        _sizes(resources),
        settings,
        Voice("The stack", "jig-stack-cost"),
        today=today,
    )
