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
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pulumi_jig.errors import ConfigError
from pulumi_jig.policy.facts import Size, shown
from pulumi_jig.policy.findings import Finding, Kind, violation
from pulumi_jig.policy.limits import CostLimits, GpuLimits, MemoryLimits, Voice
from pulumi_jig.policy.settings import Settings, key, read_settings
from pulumi_jig.policy.sums import judge_cost, judge_gpus, judge_memory
from pulumi_jig.policy.unknown import UNKNOWN, plain


@dataclass(frozen=True, eq=False, repr=False)
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
    unknown: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, urn: str, inputs: Mapping[str, Any]) -> Budget:
        """Read a budget from its inputs, through `plain`."""
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


class OwnLimits(Settings):
    """The limits that a program gives its budget; None and {} are no limit."""

    max_gpus: dict[str, Decimal] | None = key(
        "numbers by type?", None, "GPUs by type; types that it does not name: none."
    )
    max_total_gpus: Decimal | None = key("number?", None, "GPUs of all types.")
    max_memory_gib: Decimal | None = key("number?", None, "GiB of memory.")
    max_usd_per_hour: Decimal | None = key("number?", None, "US dollars per hour.")
    prices: dict[str, Decimal] = key(
        "numbers by type", {}, "US dollars per GPU and hour, by type."
    )


class _OwnVoice(Voice):
    """Speaks of the keys of the budget itself."""

    def raised(self, setting: str) -> str:
        if setting == "other_types":
            return "add the type to the budget's max_gpus"
        name = {"max_peak_usd_per_hour": "max_usd_per_hour"}.get(setting, setting)
        return f"have the budget's {name} raised"

    def extended(self, table: str) -> str:
        return f"Add it to the budget's {table}."

    def memory_given(self) -> str:
        return "Set it."


def judge_budget(budget: Mapping[str, Any]) -> list[str]:
    """
    Say how a budget breaks its own limits.

    Args:
        budget: The resource's inputs, as in this module's docstring. Values that are
            not known yet may stand in them as the protocol's own markers or as
            `UNKNOWN`; what hangs on them is not judged.

    Returns:
        One sentence per fault, each with limit, value and remedy; empty where the
        budget holds. Limits that cannot be read are faults too.
    """
    inputs = plain(budget)
    read = Budget.of("budget", "", inputs)
    findings = list(read.malformed())
    # A limit that is not known yet is not judged; it is known before anything happens.
    known = {
        name: inputs[name]
        for name in OwnLimits.keys
        if inputs.get(name) is not None and _is_known(inputs[name])
    }
    try:
        own = read_settings(OwnLimits, known, where=read.subject)
    except ConfigError as error:
        return [*(f.message for f in findings), error.message]
    voice = _OwnVoice(read.subject, "")
    gpus = GpuLimits(
        max_gpus=own.max_gpus or {},
        other_types=None if own.max_gpus is None else Decimal(0),
        max_total_gpus=own.max_total_gpus,
        max_floor_gpus=None,
    )
    memory = MemoryLimits(max_memory_gib=own.max_memory_gib, max_vram_gib=None)
    cost = CostLimits(
        prices=own.prices,
        prices_max_age_days=None,
        max_peak_usd_per_hour=own.max_usd_per_hour
        if _is_known(inputs.get("prices"))
        else None,
        max_floor_usd_per_hour=None,
        max_deployment_usd_per_hour=None,
    )
    findings += judge_gpus(read.sizes, gpus, voice)
    findings += judge_memory(read.sizes, memory, voice)
    findings += judge_cost(read.sizes, cost, voice, today=dt.date.min)
    return [f.message for f in findings if f.kind is Kind.VIOLATION]


def _is_known(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(item is not UNKNOWN for item in value.values())
    return value is not UNKNOWN
