"""
Budgets as gates: their sizes, who belongs to them, and whether they were told the truth.

The first two rules judge one resource each, so they hold before anything is created, in
`up --skip-preview` too. The third needs the whole stack: it closes the gap between what
a budget lists and what the stack has.
"""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

from pulumi_jig.policy.budget import Budget
from pulumi_jig.policy.facts import Resource, Size, shown
from pulumi_jig.policy.findings import Finding, listed, not_known, violation
from pulumi_jig.policy.limits import CostLimits, GpuLimits, MemoryLimits, Voice
from pulumi_jig.policy.membership import BUDGET_INPUT
from pulumi_jig.policy.quantities import Amount, show
from pulumi_jig.policy.settings import Settings, key
from pulumi_jig.policy.sums import judge_cost, judge_gpus, judge_memory
from pulumi_jig.policy.unknown import UNKNOWN

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence


class BudgetSettings(GpuLimits, MemoryLimits, CostLimits):
    """The owner's limits of `jig-gpu-budget`, whatever the program's own are."""


def gpu_budget(
    budgets: Sequence[Budget], settings: BudgetSettings, today: dt.date
) -> Iterator[Finding]:
    """
    The members of a budget, together, are within the owner's limits.

    Args:
        budgets: The budget being judged, first; then those that this run has already
            seen, which count too: two budgets must not each use the whole limit.
        settings: The owner's limits.
        today: For the age of the prices.
    """
    budget, others = budgets[0], budgets[1:]
    yield from budget.malformed()
    if budget.unknown:
        yield not_known(budget.subject, budget.unknown, "their sizes")
    sizes = [size for one in budgets for size in one.sizes]
    subject = budget.subject
    if others:
        subject += f" with {', '.join(shown(one.name) for one in others)}"
    voice = Voice(subject, "jig-gpu-budget")
    for finding in (
        *judge_gpus(sizes, settings, voice),
        *judge_memory(sizes, settings, voice),
        *judge_cost(sizes, settings, voice, today=today),
    ):
        # It is the budget that is refused, not the member that is its largest.
        yield Finding(finding.kind, finding.message, budget.urn, budget.name)


class MembershipSettings(Settings):
    """Limits of `jig-budget-membership`."""

    budgets: tuple[str, ...] = key(
        "words", (), "Globs of budgets to belong to; an empty list allows every budget."
    )


def budget_membership(
    resource: Resource, settings: MembershipSettings
) -> Iterator[Finding]:
    """Every deployment names a budget that it belongs to."""
    subject = f"The deployment {shown(resource.name)}"
    budget = resource.get(BUDGET_INPUT)
    remedy = 'Declare it inside "with GpuBudget(...):".'
    if budget is UNKNOWN:
        yield not_known(subject, [BUDGET_INPUT], "whether it belongs to a budget")
    elif budget is None or budget == "":
        yield violation(f"{subject} must belong to a budget; it names none. {remedy}")
    elif not isinstance(budget, str):
        yield violation(
            f"{subject} must name its budget; budget is not a name. {remedy}"
        )
    elif settings.budgets and not any(
        fnmatch.fnmatchcase(budget, glob) for glob in settings.budgets
    ):
        yield violation(
            f"{subject} must belong to one of the budgets "
            f"{', '.join(settings.budgets)}; budget is {shown(budget)}. Move it, or "
            "have jig-budget-membership.budgets extended."
        )


class CoverageSettings(Settings):
    """`jig-budget-coverage` has no limits of its own."""


def budget_coverage(
    resources: Sequence[Resource], settings: CoverageSettings, today: dt.date
) -> Iterator[Finding]:
    """Every deployment that names a budget stands in it, at no less than its size."""
    del settings, today
    budgets = {
        budget.name: budget
        for budget in (
            Budget.of(r.name, r.urn, r.inputs) for r in resources if r.is_budget
        )
    }
    # Several deployments may share a name (under different parents); then the budget
    # needs an entry for each of them.
    left = {name: list(budget.sizes) for name, budget in budgets.items()}
    for resource in resources:
        if not resource.is_deployment:
            continue
        name = resource.get(BUDGET_INPUT)
        subject = f"The deployment {shown(resource.name)}"
        if name is UNKNOWN:
            yield not_known(
                subject,
                [f"{resource.name}.{BUDGET_INPUT}"],
                "whether its budget knows it",
                urn=resource.urn,
                name=resource.name,
            )
            continue
        if not isinstance(name, str) or not name:
            continue
        for finding in _covered(resource.size, name, budgets, left, subject):
            yield Finding(finding.kind, finding.message, resource.urn, resource.name)


def _covered(
    size: Size,
    name: str,
    budgets: dict[str, Budget],
    left: dict[str, list[Size]],
    subject: str,
) -> Iterator[Finding]:
    remedy = 'Declare the deployment inside "with GpuBudget(...):".'
    budget = budgets.get(name)
    if budget is None:
        yield violation(
            f"{subject} must belong to a budget of this stack; it names "
            f"{shown(name)}, and there is none. {remedy}"
        )
        return
    entry = next((s for s in left[name] if s.name == size.name), None)
    if entry is None:
        if budget.unknown:
            yield not_known(
                subject, [f"{name}.{p}" for p in budget.unknown], "its place in it"
            )
        else:
            yield violation(
                f"{subject} must stand in the list of its budget; {shown(name)} does "
                f"not list it. {remedy}"
            )
        return
    left[name].remove(entry)
    yield from _told(size, entry, shown(name), subject)


def _told(size: Size, entry: Size, name: str, subject: str) -> Iterator[Finding]:
    missing: list[str] = []
    pairs: list[tuple[str, Amount, Amount]] = [
        ("GPUs at the peak", size.peak_gpus, entry.peak_gpus),
        ("GPUs at the floor", size.floor_gpus, entry.floor_gpus),
    ]
    # Memory that the program leaves out is chosen by the platform and may be known
    # afterwards; the budget has counted it as unset.
    if size.memory is not None and entry.memory is not None:
        pairs.append(
            (
                "GiB of memory",
                size.memory * size.peak_replicas,
                entry.memory * entry.peak_replicas,
            )
        )
    if size.gpu_type is UNKNOWN or entry.gpu_type is UNKNOWN:
        missing.append(f"{size.name}.gpu_type")
    elif size.gpu_type != entry.gpu_type and not size.peak_gpus.is_zero:
        yield violation(
            f"{subject} must stand in its budget with its own type; {name} has "
            f"{entry.type_text}, the deployment {size.type_text}. Run the program "
            "again, so that the budget is written anew."
        )
    for what, real, told in pairs:
        if real.invalid or told.invalid:
            paths = [f"{size.name}.{p}" for p in (*real.invalid, *told.invalid)]
            yield violation(
                f"{subject}: {listed(paths)} not a quantity, so its place in "
                f"{name} cannot be judged and does not pass. Give plain numbers."
            )
        elif real.unknown or told.unknown:
            missing += [f"{size.name}.{p}" for p in (*real.unknown, *told.unknown)]
        elif real.low > told.low:
            yield violation(
                f"{subject} must not be larger than its budget was told; it has "
                f"{show(real.low)} {what}, and {name} counts {show(told.low)}. Run the "
                "program again, so that the budget is written anew."
            )
    if missing:
        yield not_known(subject, missing, "whether its budget knows its size")
