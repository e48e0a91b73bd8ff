"""
Quotas: what the deployments of a stack, or of a group in it, use together.

Nothing is left out of a sum: a type without a price or without VRAM in the table is a
violation, so is a quantity that is none, and what is not known yet is named. A sum that
skips the odd ones is a sum that anyone can stay under.

Units: GPUs are whole-GPU equivalents (count x weight, so that a MIG slice counts as the
part of a card that it is); memory and VRAM are GiB; prices are US dollars per hour.
"""

from __future__ import annotations

import fnmatch
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from pulumi_jig.policy.declaration import Facts, Policy
from pulumi_jig.policy.findings import Finding, advice, not_known, violation
from pulumi_jig.policy.quantities import ZERO, Quantity
from pulumi_jig.policy.quota import Limit
from pulumi_jig.policy.resource import NO_GPU, Requirements, Resource, label, shown
from pulumi_jig.policy.settings import (
    DATE,
    GLOB,
    GPU_TYPE,
    NUMBER,
    WHOLE,
    limit,
    record,
    setting,
    table,
)
from pulumi_jig.policy.unknown import UNKNOWN

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence

    from pulumi_jig.policy.quota import Share

_ONE: Final = Decimal(1)
_GPUS_FIX: Final = "Lower gpu_count or max_replicas"
_MINIMUM_FIX: Final = "Lower gpu_count or min_replicas"


def _groups(**limits: Any) -> Any:
    """Declare limits for groups, with the limits of the policy itself."""
    return setting(
        table(record(dict, False, **limits), GLOB),
        {},
        "Limits of groups inside a stack, by a glob on resource names: "
        f"{', '.join(f'`{name}`' for name in limits)}.",
    )


def _growth(what: str, unit: str) -> tuple[Any, Any]:
    note = (
        "What the state holds is asked of the `pulumi` command, or read from the file "
        "that PULUMI_JIG_BASELINE names (`pulumi stack export --file`)."
    )
    more = f"{what} more than the state holds, at most"
    return (
        limit(NUMBER, None, f"{more}. {note}", unit),
        limit(
            NUMBER,
            None,
            f"{more}, as a percentage. Of nothing no percentage is taken.",
            "%",
        ),
    )


class _Sum(NamedTuple):
    """One sum of a quota: the setting that limits it, and what it counts."""

    key: str
    counts: str
    what: str
    fix: str
    floor: bool = False


class _Scope(NamedTuple):
    """The stack, or a group in it, with its limits."""

    subject: str
    place: str
    values: Mapping[str, Any]

    def limit(self, one: _Sum, most: Decimal | None = None) -> Limit | None:
        """Return the limit of a sum; None where there is none."""
        most = self.values.get(one.key) if most is None else most
        if most is None:
            return None
        place = f"{self.place}{one.key}"
        return Limit(self.subject, place, most, one.what, one.fix, one.floor)


class _Quota(Policy, name="", title="", says="", judges="quota"):
    """What quotas share: the stack and its groups, sums, and growth."""

    #: The sums that one deployment adds to; the first is the one that growth is of.
    sums: ClassVar[tuple[_Sum, ...]] = ()
    growth_what: ClassVar[str] = ""
    groups: Mapping[str, Mapping[str, Any]]
    max_growth: Decimal | None
    max_growth_percent: Decimal | None

    def quantity(self, one: _Sum, resource: Resource, facts: Facts) -> Quantity:
        """Return what a deployment adds to a sum."""
        raise NotImplementedError

    def impossible(
        self, resource: Resource, facts: Facts, scopes: Sequence[_Scope]
    ) -> Iterator[str]:
        """Yield what makes it impossible to count a deployment, after its subject."""
        raise NotImplementedError

    def of_scope(
        self, resource: Resource, facts: Facts, scope: _Scope
    ) -> Iterator[Share]:
        """Yield the shares of a deployment in the sums of one scope."""
        for one in self.sums:
            most = scope.limit(one)
            if most is not None:
                yield most, self.quantity(one, resource, facts)

    def shares(self, resource: Resource, facts: Facts) -> Iterator[Share | Finding]:
        """Yield what one deployment adds to each sum, and what makes that impossible."""
        scopes = [_Scope("The stack", f"{self.name}.", vars(self))]
        scopes += [
            _Scope(f"The group {label(glob)}", f'{self.name}.groups["{glob}"].', values)
            for glob, values in self.groups.items()
            if fnmatch.fnmatchcase(resource.name, glob)
        ]
        for text in self.impossible(resource, facts, scopes):
            yield violation(
                f"{resource.subject} {text}", urn=resource.urn, name=resource.name
            )
        for scope in scopes:
            yield from self.of_scope(resource, facts, scope)
        if self._limits_growth and facts.baseline is not None:
            peak = self.quantity(self.sums[0], resource, facts)
            if not peak.is_zero:
                for growth in self._growth_limits(facts):
                    yield growth, peak

    @property
    def _limits_growth(self) -> bool:
        return self.max_growth is not None or self.max_growth_percent is not None

    def _growth_limits(self, facts: Facts) -> list[Limit]:
        # The state is summed once: every deployment of a run is compared with it.
        known: dict[Facts, Decimal] = vars(self).setdefault("_before", {})
        if facts not in known:
            known[facts] = sum(
                (
                    self.quantity(self.sums[0], resource, facts).low
                    for resource in facts.baseline or ()
                    if resource.is_deployment and not resource.external
                ),
                start=ZERO,
            )
        before = known[facts]
        mosts = {"max_growth": self.max_growth}
        if self.max_growth_percent is not None and before:
            mosts["max_growth_percent"] = before * self.max_growth_percent / 100
        what, fix = self.growth_what, "Grow in smaller steps"
        return [
            Limit("The stack", f"{self.name}.{key}", most, what, fix, False, before)
            for key, most in mosts.items()
            if most is not None
        ]

    def beside_sums(
        self, resources: Sequence[Resource], facts: Facts
    ) -> Iterator[Finding]:
        """Name the limits on growth where nobody has said what the state holds."""
        del resources
        if self._limits_growth and facts.baseline is None:
            yield not_known(
                "The stack",
                ["what the state holds (PULUMI_JIG_BASELINE)"],
                f"the limit on growth in {self.name}",
            )


_GPU_LIMITS: Final[dict[str, Any]] = {
    "max_gpus": setting(
        table(NUMBER, GPU_TYPE),
        {"h100-80gb": Decimal(8)},
        "GPUs by type when all replicas run, at most (count x weight).",
        unit="GPUs",
    ),
    "other_types": limit(
        NUMBER, ZERO, "The limit of each type that `max_gpus` does not name.", "GPUs"
    ),
    "max_total_gpus": limit(
        NUMBER, Decimal(8), "GPUs of all types when all replicas run, at most.", "GPUs"
    ),
    "max_floor_gpus": limit(
        NUMBER, Decimal(4), "GPUs of all types at the minimum of replicas.", "GPUs"
    ),
}


class StackGpus(
    _Quota,
    name="jig-stack-gpus",
    title="GPUs of the stack",
    says="All deployments of the stack, together, use an allowed number of GPUs.",
    severity="critical",
    judges="quota",
    fix="Lower gpu_count or max_replicas of the largest deployments.",
):
    """Weights are `jig-gpu-types.types`: a MIG slice counts as the part that it is."""

    sums = (
        _Sum("max_total_gpus", "gpus", "GPUs in total", _GPUS_FIX),
        _Sum("max_floor_gpus", "gpus", "GPUs in total", _MINIMUM_FIX, floor=True),
    )
    growth_what = "GPUs"

    max_gpus: Mapping[str, Decimal] = _GPU_LIMITS["max_gpus"]
    other_types: Decimal | None = _GPU_LIMITS["other_types"]
    max_total_gpus: Decimal | None = _GPU_LIMITS["max_total_gpus"]
    max_floor_gpus: Decimal | None = _GPU_LIMITS["max_floor_gpus"]
    groups = _groups(**_GPU_LIMITS)
    max_growth, max_growth_percent = _growth("GPUs at the peak", "GPUs")

    def quantity(self, one: _Sum, resource: Resource, facts: Facts) -> Quantity:
        """GPUs, weighted by their type."""
        needs = resource.requirements
        gpus = needs.floor_gpus if one.floor else needs.peak_gpus
        if gpus.is_zero:
            return gpus
        if needs.gpu_type is UNKNOWN:
            # As much as it is at least: of whatever type, it is not lighter than this.
            weights = (t.weight for t in facts.gpu_types.values())
            least = min([_ONE, *(w for w in weights if w is not None)])
            return gpus.scaled(least) + Quantity(unknown=("gpu_type",))
        known = facts.gpu_types.get(str(needs.gpu_type))
        weight = _ONE if known is None or known.weight is None else known.weight
        return gpus if weight == 1 else gpus.scaled(weight)

    def impossible(
        self, resource: Resource, facts: Facts, scopes: Sequence[_Scope]
    ) -> Iterator[str]:
        """A GPU of no type has no limit."""
        del facts, scopes
        needs = resource.requirements
        if needs.gpu_type is None and not needs.peak_gpus.is_zero:
            yield (
                "must name the type of its GPUs, which the stack counts; it names none. "
                "Set its gpu_type."
            )

    def of_scope(
        self, resource: Resource, facts: Facts, scope: _Scope
    ) -> Iterator[Share]:
        """GPUs by type, in total, and in total at the minimum."""
        gpu_type = resource.requirements.gpu_type
        if gpu_type is None or resource.requirements.peak_gpus.is_zero:
            return
        by_type: Mapping[str, Decimal] = scope.values.get("max_gpus") or {}
        other: Decimal | None = scope.values.get("other_types")
        if gpu_type is UNKNOWN:
            if by_type or other is not None:
                # Any of them may be the one.
                most = max([*by_type.values(), other or ZERO])
                any_type = _Sum("max_gpus", "gpus", "GPUs by type", _GPUS_FIX)
                open_ = scope.limit(any_type, most)
                assert open_ is not None
                yield open_, Quantity(unknown=("gpu_type",))
        else:
            key = "max_gpus" if gpu_type in by_type else "other_types"
            one = _Sum(key, "gpus", f"GPUs of type {shown(gpu_type)}", _GPUS_FIX)
            of_type = scope.limit(one, by_type.get(str(gpu_type)))
            if of_type is not None:
                yield of_type, self.quantity(one, resource, facts)
        yield from super().of_scope(resource, facts, scope)


_MEMORY_LIMITS: Final[dict[str, Any]] = {
    "max_memory_gib": limit(
        NUMBER, Decimal(512), "Memory when all replicas run, at most.", "GiB"
    ),
    "max_floor_memory_gib": limit(
        NUMBER, None, "Memory at the minimum of replicas, at most.", "GiB"
    ),
    "max_vram_gib": limit(
        NUMBER, Decimal(640), "Memory of GPUs when all replicas run, at most.", "GiB"
    ),
    "max_floor_vram_gib": limit(
        NUMBER, None, "Memory of GPUs at the minimum of replicas, at most.", "GiB"
    ),
}
_MEMORY: Final = "GiB of memory in total"
_VRAM: Final = "GiB of GPU memory in total"


class StackMemory(
    _Quota,
    name="jig-stack-memory",
    title="Memory of the stack",
    says="All deployments of the stack, together, use an allowed amount of memory and of "
    "GPU memory.",
    judges="quota",
    fix="Lower memory or max_replicas of the largest deployments.",
):
    """VRAM is `jig-gpu-types.types`."""

    sums = (
        _Sum("max_memory_gib", "memory", _MEMORY, "Lower memory or max_replicas"),
        _Sum("max_vram_gib", "vram", _VRAM, _GPUS_FIX),
        _Sum(
            "max_floor_memory_gib",
            "memory",
            _MEMORY,
            "Lower memory or min_replicas",
            True,
        ),
        _Sum("max_floor_vram_gib", "vram", _VRAM, _MINIMUM_FIX, True),
    )
    growth_what = "GiB of memory"

    max_memory_gib: Decimal | None = _MEMORY_LIMITS["max_memory_gib"]
    max_floor_memory_gib: Decimal | None = _MEMORY_LIMITS["max_floor_memory_gib"]
    max_vram_gib: Decimal | None = _MEMORY_LIMITS["max_vram_gib"]
    max_floor_vram_gib: Decimal | None = _MEMORY_LIMITS["max_floor_vram_gib"]
    unset_memory_gib: Decimal | None = setting(
        NUMBER,
        None,
        "What a replica counts that leaves memory to the platform.",
        unit="GiB",
        null="such a replica is refused",
    )
    groups = _groups(**_MEMORY_LIMITS)
    max_growth, max_growth_percent = _growth("Memory at the peak", "GiB")

    def quantity(self, one: _Sum, resource: Resource, facts: Facts) -> Quantity:
        """GiB of memory, or of GPU memory."""
        needs = resource.requirements
        if one.counts == "vram":
            return _looked_up(needs, facts, "vram_gib", floor=one.floor)
        memory = needs.memory
        if memory is None:
            memory = Quantity(self.unset_memory_gib or ZERO)
        return memory * needs.replicas(floor=one.floor)

    def impossible(
        self, resource: Resource, facts: Facts, scopes: Sequence[_Scope]
    ) -> Iterator[str]:
        """Memory that nobody declares, and types whose memory nobody knows."""
        needs = resource.requirements
        counted = {
            one.counts
            for one in self.sums
            if any(scope.limit(one) is not None for scope in scopes)
        }
        unset = needs.memory is None and self.unset_memory_gib is None
        if "memory" in counted and unset and not needs.peak_replicas.is_zero:
            yield (
                "must declare memory, which the stack counts; it is not set. Set it, or "
                "have jig-stack-memory.unset_memory_gib set."
            )
        if "vram" in counted and _lacks(needs, facts, "vram_gib"):
            yield (
                "must use a GPU type whose memory is known; jig-gpu-types.types has no "
                f"vram_gib for {needs.type_text}. Have it added."
            )


_COST_LIMITS: Final[dict[str, Any]] = {
    "max_peak_usd_per_hour": limit(
        NUMBER, Decimal(60), "Cost when all replicas run, at most.", "USD per hour"
    ),
    "max_floor_usd_per_hour": limit(
        NUMBER, Decimal(30), "Cost at the minimum of replicas, at most.", "USD per hour"
    ),
}
_USD: Final = "USD per hour"


def _price(what: str, unit: str) -> Any:
    return setting(
        NUMBER, None, f"Price of {what} and hour.", unit=unit, null="not counted"
    )


class StackCost(
    _Quota,
    name="jig-stack-cost",
    title="Cost of the stack",
    says="All deployments of the stack, together, cost an allowed amount per hour.",
    severity="critical",
    judges="quota",
    fix="Lower what costs most, at the peak or at the minimum.",
):
    """Prices of GPUs are `jig-gpu-types.types`; those of the rest are here."""

    sums = (
        _Sum("max_peak_usd_per_hour", "usd", _USD, _GPUS_FIX),
        _Sum("max_floor_usd_per_hour", "usd", _USD, _MINIMUM_FIX, floor=True),
    )
    growth_what = _USD

    max_peak_usd_per_hour: Decimal | None = _COST_LIMITS["max_peak_usd_per_hour"]
    max_floor_usd_per_hour: Decimal | None = _COST_LIMITS["max_floor_usd_per_hour"]
    max_deployment_usd_per_hour: Decimal | None = limit(
        NUMBER, Decimal(30), "Cost of one deployment at its peak.", "USD per hour"
    )
    usd_per_core_hour: Decimal | None = _price("a core", "USD per core and hour")
    usd_per_memory_gib_hour: Decimal | None = _price("memory", "USD per GiB and hour")
    usd_per_storage_gib_hour: Decimal | None = _price("storage", "USD per GiB and hour")
    prices_as_of: dt.date | None = setting(
        DATE, None, "The day from which the prices are.", null="not known"
    )
    prices_max_age_days: int | None = limit(
        WHOLE, 180, "After which the prices are advised to be looked up again.", "days"
    )
    groups = _groups(**_COST_LIMITS)
    max_growth, max_growth_percent = _growth("Cost at the peak", "USD per hour")

    def contradictions(self, today: dt.date) -> Iterator[tuple[str, str]]:
        """Prices are of today or before."""
        yield from super().contradictions(today)
        if self.prices_as_of is not None and self.prices_as_of > today:
            yield (
                "prices_as_of",
                f"prices_as_of must not be in the future; it is {self.prices_as_of}",
            )

    @property
    def _counts(self) -> bool:
        own = (*(one.key for one in self.sums), "max_deployment_usd_per_hour")
        limits = [getattr(self, key) for key in own]
        limits += [most for values in self.groups.values() for most in values.values()]
        return self._limits_growth or any(most is not None for most in limits)

    def _priced(
        self, needs: Requirements
    ) -> dict[str, tuple[Decimal, Quantity | None]]:
        prices = {
            "cpu": (self.usd_per_core_hour, needs.cpu),
            "memory": (self.usd_per_memory_gib_hour, needs.memory),
            "storage": (self.usd_per_storage_gib_hour, needs.storage),
        }
        return {name: (price, q) for name, (price, q) in prices.items() if price}

    def quantity(self, one: _Sum, resource: Resource, facts: Facts) -> Quantity:
        """US dollars per hour."""
        needs = resource.requirements
        total = _looked_up(needs, facts, "usd_per_hour", floor=one.floor)
        for price, quantity in self._priced(needs).values():
            if quantity is not None:
                total += (quantity * needs.replicas(floor=one.floor)).scaled(price)
        return total

    def impossible(
        self, resource: Resource, facts: Facts, scopes: Sequence[_Scope]
    ) -> Iterator[str]:
        """Types without a price, and priced quantities that nobody declares."""
        del scopes
        needs = resource.requirements
        if not self._counts or needs.peak_replicas.is_zero:
            return
        if _lacks(needs, facts, "usd_per_hour"):
            yield (
                "must use a GPU type whose price is known; jig-gpu-types.types has no "
                f"usd_per_hour for {needs.type_text}. Have it added."
            )
        for name, (_, quantity) in self._priced(needs).items():
            if quantity is None:
                yield f"must declare {name}, which has a price; it is not set. Set it."

    def shares(self, resource: Resource, facts: Facts) -> Iterator[Share | Finding]:
        """Dollars per hour of the stack and its groups, and of the deployment alone."""
        yield from super().shares(resource, facts)
        most = self.max_deployment_usd_per_hour
        if most is not None:
            place = f"{self.name}.max_deployment_usd_per_hour"
            alone = Limit(resource.subject, place, most, _USD, _GPUS_FIX)
            yield alone, self.quantity(self.sums[0], resource, facts)

    def beside_sums(
        self, resources: Sequence[Resource], facts: Facts
    ) -> Iterator[Finding]:
        """Old prices, where something is bought for them."""
        yield from super().beside_sums(resources, facts)
        most = self.prices_max_age_days
        if most is None or not self._counts:
            return
        if all(self.quantity(self.sums[0], r, facts).is_zero for r in resources):
            return
        if self.prices_as_of is None:
            yield advice(
                "The stack is priced from a table of unknown age. Have "
                "jig-stack-cost.prices_as_of set to the day from which the prices are."
            )
        elif (age := (facts.today - self.prices_as_of).days) > most:
            yield advice(
                f"The stack is priced from a table of {self.prices_as_of}, {age} days "
                f"ago; {most} are allowed. Have the prices looked up again, then "
                "jig-stack-cost.prices_as_of set."
            )


def _lacks(needs: Requirements, facts: Facts, number: str) -> bool:
    """Whether the table lacks a number of a type that is in use."""
    if needs.peak_gpus.is_zero or needs.gpu_type in {UNKNOWN, NO_GPU}:
        return False
    return getattr(facts.gpu_types.get(str(needs.gpu_type)), number, None) is None


def _looked_up(
    needs: Requirements, facts: Facts, number: str, *, floor: bool
) -> Quantity:
    """Return GPUs times a number of their type; nothing where the table lacks it."""
    gpus = needs.floor_gpus if floor else needs.peak_gpus
    if gpus.is_zero:
        return gpus
    if needs.gpu_type is UNKNOWN:
        return Quantity(unknown=("gpu_type",))
    factor = getattr(facts.gpu_types.get(str(needs.gpu_type)), number, None)
    return Quantity() if factor is None else gpus.scaled(factor)
