"""
What a `GpuBudget` resource looks like to a policy, and when it breaks its own limits.

A stack policy speaks when everything has been created. A budget is a resource that
stands before its members: it carries their sizes, so one judgement of one resource
decides about all of them before any is created. This module states that shape once, for
the resource that writes it, for the provider that checks it, and for the policies that
read it. It refuses a member that says less than its size.

The inputs of a budget:

    {
      "name": "team",                        # what members name in their `budget`
      "max_gpus": {"h100-80gb": 16},         # by type; types not named: none
      "max_total_gpus": 20,                  # optional, all types (MIG slices by weight)
      "max_memory_gib": 1024,                # optional, GiB when all replicas run
      "max_usd_per_hour": 120,               # optional, needs `prices`
      "prices": {"h100-80gb": 6},            # USD per GPU and hour
      "members": [
        {"name": "llm",                      # the deployment's name in the program
         "gpu_type": "h100-80gb",
         "gpu_count": 2,                     # per replica; absent = 0
         "min_replicas": 1,                  # absent = 1
         "max_replicas": 4,                  # absent = min_replicas
         "memory_gib": 64}                   # per replica; absent = the platform's
      ]
    }

A deployment names its budget in its own input `budget`. Other keys are allowed in all
three places and ignored here. Standard library only: the provider loads this.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pulumi_jig.errors import ConfigError
from pulumi_jig.policy.facts import UNKNOWN, Size, plain, shown
from pulumi_jig.policy.findings import Finding, Kind, violation
from pulumi_jig.policy.settings import read_settings
from pulumi_jig.policy.sums import (
    CostLimits,
    GpuLimits,
    MemoryLimits,
    judge_cost,
    judge_gpus,
    judge_memory,
)

#: The input of a deployment that names its budget.
BUDGET_INPUT: Final = "budget"
#: The keys of a member that say its size, the deployment's input that each comes from.
MEMBER_KEYS: Final = {
    "gpu_type": "gpu_type",
    "gpu_count": "gpu_count",
    "min_replicas": "min_replicas",
    "max_replicas": "max_replicas",
    "memory_gib": "memory",
}


def member_of(name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The member that stands for a deployment: its name and what it asks for."""
    sizes = {
        key: inputs[source]
        for key, source in MEMBER_KEYS.items()
        if inputs.get(source) is not None
    }
    return {"name": name, **sizes}


@dataclass(frozen=True)
class Budget:
    """
    A budget as policies read it.

    Attributes:
        name: What members call it.
        urn: Its URN, or "".
        sizes: Its members.
        faults: Sentences about members that are not ones.
        unknown: Members, or the list of them, that are not known yet.
    """

    name: str
    urn: str = ""
    sizes: tuple[Size, ...] = ()
    faults: tuple[str, ...] = ()
    unknown: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, name: str, urn: str, inputs: Mapping[str, Any]) -> Budget:
        """Read a budget from its inputs, through `facts.plain`."""
        given = inputs.get("name")
        called = given if isinstance(given, str) and given else name
        members = inputs.get("members")
        if members is UNKNOWN:
            return cls(called, urn, unknown=("members",))
        if not isinstance(members, list):
            return cls(called, urn, faults=("members is not a list",))
        sizes: list[Size] = []
        faults: list[str] = []
        unknown: list[str] = []
        for index, member in enumerate(members):
            where = f"members[{index}]"
            if member is UNKNOWN:
                unknown.append(where)
            elif not isinstance(member, Mapping) or not isinstance(
                member.get("name"), str
            ):
                faults.append(f"{where} is not a mapping with a name")
            elif member.get("gpu_type") is None:
                faults.append(f"{where} ({shown(member['name'])}) has no gpu_type")
            else:
                sizes.append(Size.of(member["name"], "", member, memory="memory_gib"))
        return cls(called, urn, tuple(sizes), tuple(faults), tuple(unknown))

    @property
    def subject(self) -> str:
        """The beginning of a sentence about it."""
        return f"The budget {shown(self.name)}"

    def malformed(self) -> Iterator[Finding]:
        """What is wrong with its members, as findings."""
        for fault in self.faults:
            yield violation(
                f"{self.subject} must list the size of every member; {fault}. Let "
                "pulumi_jig.GpuBudget write the list."
            )


_LIMIT_KEYS: Final = {
    "max_gpus",
    "max_total_gpus",
    "max_memory_gib",
    "max_usd_per_hour",
    "prices",
}


def judge_budget(
    budget: Mapping[str, Any], *, today: dt.date | None = None
) -> list[str]:
    """
    Say how a budget breaks its own limits.

    Args:
        budget: The resource's inputs, as in this module's docstring. Values that are
            not known yet may stand in them as the protocol's own markers or as
            `facts.UNKNOWN`; what hangs on them is not judged.
        today: For exemptions and price ages, of which a budget has none; any date.

    Returns:
        One sentence per fault, each with limit, value and remedy; empty where the
        budget holds. Limits that cannot be read are faults too.
    """
    inputs = plain(budget)
    read = Budget.of("budget", "", inputs)
    findings = list(read.malformed())
    try:
        gpus, memory, cost = _own_limits(inputs)
    except ConfigError as error:
        return [*(f.message for f in findings), error.message]
    say = {"subject": read.subject, "policy": "the budget's "}
    findings += judge_gpus(read.sizes, gpus, **say)
    findings += judge_memory(read.sizes, memory, **say)
    findings += judge_cost(read.sizes, cost, today=today or dt.date.min, **say)
    return [f.message for f in findings if f.kind is Kind.VIOLATION]


def _own_limits(
    inputs: Mapping[str, Any],
) -> tuple[GpuLimits, MemoryLimits, CostLimits]:
    where = f"The budget {shown(inputs.get('name') or 'budget')}"
    # A limit that is not known yet is not judged; it is known before anything happens.
    known = {
        key: inputs[key]
        for key in _LIMIT_KEYS
        if inputs.get(key) is not None and inputs[key] is not UNKNOWN
    }
    by_type = known.get("max_gpus")
    gpus = read_settings(
        GpuLimits,
        {
            "max_gpus": {} if by_type is None else _known_items(by_type),
            "other_types": None if by_type is None or _has_unknown(by_type) else 0,
            "max_total_gpus": known.get("max_total_gpus"),
            "max_floor_gpus": None,
        },
        where=where,
    )
    memory = read_settings(
        MemoryLimits,
        {"max_memory_gib": known.get("max_memory_gib"), "max_vram_gib": None},
        where=where,
    )
    prices = known.get("prices", {})
    cost = read_settings(
        CostLimits,
        {
            "prices": _known_items(prices),
            "prices_max_age_days": None,
            "max_peak_usd_per_hour": None
            if _has_unknown(prices)
            else known.get("max_usd_per_hour"),
            "max_floor_usd_per_hour": None,
            "max_deployment_usd_per_hour": None,
        },
        where=where,
    )
    return gpus, memory, cost


def _known_items(table: Any) -> Any:
    if not isinstance(table, Mapping):
        return table
    return {name: value for name, value in table.items() if value is not UNKNOWN}


def _has_unknown(table: Any) -> bool:
    return isinstance(table, Mapping) and any(v is UNKNOWN for v in table.values())
