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
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pulumi_jig.policy.declaration import Facts, Policy
from pulumi_jig.policy.findings import Finding, advice, not_known, violation
from pulumi_jig.policy.quantities import ZERO, Quantity
from pulumi_jig.policy.quota import Limit, Share, judge_together
from pulumi_jig.policy.resource import NO_GPU, Requirements, Resource, label, shown
from pulumi_jig.policy.settings import (
    DATE,
    GLOB,
    GPU_TYPE,
    NUMBER,
    WHOLE,
    Setting,
    limit,
    record,
    setting,
    table,
)
from pulumi_jig.policy.unknown import UNKNOWN

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence

_ONE: Final = Decimal(1)
_GPUS_FIX: Final = "Lower gpu_count or max_replicas"
_MINIMUM_FIX: Final = "Lower gpu_count or min_replicas"


def _group(**limits: Any) -> Setting:
    """Declare limits for groups, with the limits of the policy itself."""
    return Setting(
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
    return (
        limit(NUMBER, None, f"{what} more than the state holds, at most. {note}", unit),
        limit(
            NUMBER,
            None,
            f"{what} more than the state holds, at most, as a percentage. Of nothing no "
            "percentage is taken.",
            "%",
        ),
    )


@dataclass(eq=False)
class _Scope:
    """The stack, or a group in it: its limits, made once and used for every sum."""

    subject: str
    policy: str
    prefix: str
    values: Mapping[str, Any]
    made: dict[str, Limit] = field(default_factory=dict)

    def get(self, key: str) -> Decimal | None:
        value: Decimal | None = self.values.get(key)
        return value

    def limit(
        self, key: str, what: str, fix: str, *, most: Decimal | None = None, **more: Any
    ) -> Limit | None:
        """Return the limit of a key; None where there is none."""
        most = self.get(key) if most is None else most
        if most is None:
            return None
        name = f"{key} {what}"
        if name not in self.made:
            place = f"{self.policy}.{self.prefix}{key}"
            self.made[name] = Limit(self.subject, place, most, what, fix, **more)
        return self.made[name]


class _Quota(Policy, name="", title="", says="", judges="quota"):
    """What quotas share: scopes, growth, and the judgement of sums."""

    growth_what: ClassVar[str] = ""
    groups: Mapping[str, Mapping[str, Any]]
    max_growth: Decimal | None
    max_growth_percent: Decimal | None

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        own = _Scope("The stack", self.name, "", vars(self))
        groups = {
            glob: _Scope(
                f"The group {label(glob)}", self.name, f'groups["{glob}"].', values
            )
            for glob, values in self.groups.items()
        }
        vars(self).update(_own=own, _groups=groups, _grown={})

    def scopes(self, resource: Resource) -> list[_Scope]:
        """Return the stack, and the groups that a resource is in."""
        groups: dict[str, _Scope] = vars(self)["_groups"]
        own: _Scope = vars(self)["_own"]
        if not groups:
            return [own]
        name = resource.name
        found = [scope for g, scope in groups.items() if fnmatch.fnmatchcase(name, g)]
        return [own, *found]

    def shares(self, resource: Resource, facts: Facts) -> Iterator[Share | Finding]:
        """Yield what one deployment adds to each sum."""
        scopes = self.scopes(resource)
        yield from self.impossible(resource, facts, scopes)
        for scope in scopes:
            yield from self.sums(resource, facts, scope)
        if self.max_growth is not None or self.max_growth_percent is not None:
            peak = self.peak(resource, facts)
            if not peak.is_zero:
                for one in self._growth_limits(facts):
                    yield one, peak

    def _growth_limits(self, facts: Facts) -> list[Limit]:
        if facts.baseline is None:
            return []
        made: dict[Facts, list[Limit]] = vars(self)["_grown"]
        if facts not in made:
            before = ZERO
            for resource in facts.baseline:
                if resource.is_deployment and not resource.external:
                    before += self.peak(resource, facts).low
            mosts = {"max_growth": self.max_growth}
            if self.max_growth_percent is not None and before:
                mosts["max_growth_percent"] = before * self.max_growth_percent / 100
            made[facts] = [
                Limit(
                    "The stack",
                    f"{self.name}.{key}",
                    most,
                    self.growth_what,
                    "Grow in smaller steps",
                    grown_from=before,
                )
                for key, most in mosts.items()
                if most is not None
            ]
        return made[facts]

    def beside_sums(
        self, resources: Sequence[Resource], facts: Facts
    ) -> Iterator[Finding]:
        """Name the limits on growth where nobody has said what the state holds."""
        del resources
        wanted = self.max_growth is not None or self.max_growth_percent is not None
        if wanted and facts.baseline is None:
            yield not_known(
                "The stack",
                ["what the state holds (PULUMI_JIG_BASELINE)"],
                f"the limit on growth in {self.name}",
            )

    def judge_together(
        self, resources: Sequence[Resource], facts: Facts, candidate: str | None = None
    ) -> list[Finding]:
        """Judge all deployments of a stack."""
        del candidate
        return judge_together(self, resources, facts)

    # --- What each quota says of itself ------------------------------------------------

    def impossible(
        self, resource: Resource, facts: Facts, scopes: Sequence[_Scope]
    ) -> Iterator[Finding]:
        """Yield what makes it impossible to count a deployment."""
        raise NotImplementedError

    def sums(
        self, resource: Resource, facts: Facts, scope: _Scope
    ) -> Iterator[tuple[Limit, Quantity]]:
        """Yield the shares of a deployment in the sums of one scope."""
        raise NotImplementedError

    def peak(self, resource: Resource, facts: Facts) -> Quantity:
        """Return what growth is measured by, when all replicas run."""
        raise NotImplementedError


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

    growth_what = "GPUs"

    max_gpus: Mapping[str, Decimal] = _GPU_LIMITS["max_gpus"]
    other_types: Decimal | None = _GPU_LIMITS["other_types"]
    max_total_gpus: Decimal | None = _GPU_LIMITS["max_total_gpus"]
    max_floor_gpus: Decimal | None = _GPU_LIMITS["max_floor_gpus"]
    groups: Mapping[str, Mapping[str, Any]] = _group(**_GPU_LIMITS)  # type: ignore[assignment]
    max_growth, max_growth_percent = _growth("GPUs at the peak", "GPUs")

    def _weighted(self, gpus: Quantity, needs: Requirements, facts: Facts) -> Quantity:
        if needs.gpu_type is UNKNOWN:
            # As much as it is at least: of whatever type, it is not lighter than this.
            weights = [
                t.weight for t in facts.gpu_types.values() if t.weight is not None
            ]
            least = min([_ONE, *weights])
            return gpus.scaled(least) + Quantity(unknown=("gpu_type",))
        known = facts.gpu_types.get(str(needs.gpu_type))
        weight = _ONE if known is None or known.weight is None else known.weight
        return gpus if weight == 1 else gpus.scaled(weight)

    def peak(self, resource: Resource, facts: Facts) -> Quantity:
        """GPUs when all replicas run."""
        needs = resource.requirements
        if needs.peak_gpus.is_zero:
            return needs.peak_gpus
        return self._weighted(needs.peak_gpus, needs, facts)

    def impossible(
        self, resource: Resource, facts: Facts, scopes: Sequence[_Scope]
    ) -> Iterator[Finding]:
        """A GPU of no type has no limit."""
        del facts, scopes
        needs = resource.requirements
        if needs.gpu_type is None and not needs.peak_gpus.is_zero:
            yield violation(
                f"{resource.subject} must name the type of its GPUs, which the stack "
                "counts; it names none. Set its gpu_type.",
                urn=resource.urn,
                name=resource.name,
            )

    def sums(
        self, resource: Resource, facts: Facts, scope: _Scope
    ) -> Iterator[tuple[Limit, Quantity]]:
        """GPUs by type, in total, and in total at the minimum."""
        needs = resource.requirements
        if needs.gpu_type is None or needs.peak_gpus.is_zero:
            return
        peak = self.peak(resource, facts)
        by_type: Mapping[str, Decimal] = scope.values.get("max_gpus") or {}
        if needs.gpu_type is UNKNOWN:
            if by_type or scope.get("other_types") is not None:
                # Any of them may be the one.
                most = max([*by_type.values(), scope.get("other_types") or ZERO])
                open_ = scope.limit("max_gpus", "GPUs by type", _GPUS_FIX, most=most)
                assert open_ is not None
                yield open_, Quantity(unknown=("gpu_type",))
        else:
            key = "max_gpus" if needs.gpu_type in by_type else "other_types"
            one = scope.limit(
                key,
                f"GPUs of type {shown(needs.gpu_type)}",
                _GPUS_FIX,
                most=by_type.get(str(needs.gpu_type)),
            )
            if one is not None:
                yield one, peak
        total = scope.limit("max_total_gpus", "GPUs in total", _GPUS_FIX)
        if total is not None:
            yield total, peak
        floor = scope.limit("max_floor_gpus", "GPUs in total", _MINIMUM_FIX, floor=True)
        if floor is not None and not needs.floor_gpus.is_zero:
            yield floor, self._weighted(needs.floor_gpus, needs, facts)


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
    groups: Mapping[str, Mapping[str, Any]] = _group(**_MEMORY_LIMITS)  # type: ignore[assignment]
    max_growth, max_growth_percent = _growth("Memory at the peak", "GiB")

    def _memory(self, needs: Requirements) -> Quantity:
        if needs.memory is not None:
            return needs.memory
        return Quantity(self.unset_memory_gib or ZERO)

    def peak(self, resource: Resource, facts: Facts) -> Quantity:
        """GiB of memory when all replicas run."""
        del facts
        needs = resource.requirements
        return self._memory(needs) * needs.peak_replicas

    def impossible(
        self, resource: Resource, facts: Facts, scopes: Sequence[_Scope]
    ) -> Iterator[Finding]:
        """Memory that nobody declares, and types whose memory nobody knows."""
        needs = resource.requirements
        about = {"urn": resource.urn, "name": resource.name}
        counted = any(
            scope.get(key) is not None
            for scope in scopes
            for key in ("max_memory_gib", "max_floor_memory_gib")
        )
        unset = needs.memory is None and self.unset_memory_gib is None
        if counted and unset and not needs.peak_replicas.is_zero:
            yield violation(
                f"{resource.subject} must declare memory, which the stack counts; it is "
                "not set. Set it, or have jig-stack-memory.unset_memory_gib set.",
                **about,
            )
        vram = any(
            scope.get(key) is not None
            for scope in scopes
            for key in ("max_vram_gib", "max_floor_vram_gib")
        )
        if vram and _lacks(needs, facts, "vram_gib"):
            yield violation(
                f"{resource.subject} must use a GPU type whose memory is known; "
                f"jig-gpu-types.types has no vram_gib for {needs.type_text}. Have it "
                "added.",
                **about,
            )

    def sums(
        self, resource: Resource, facts: Facts, scope: _Scope
    ) -> Iterator[tuple[Limit, Quantity]]:
        """Memory and VRAM, when all replicas run and at the minimum."""
        needs = resource.requirements
        memory = self._memory(needs)
        for key, vram_key, floor in (
            ("max_memory_gib", "max_vram_gib", False),
            ("max_floor_memory_gib", "max_floor_vram_gib", True),
        ):
            replicas = needs.replicas(floor=floor)
            fix = f"Lower memory or {'min' if floor else 'max'}_replicas"
            one = scope.limit(key, "GiB of memory in total", fix, floor=floor)
            if one is not None:
                yield one, memory * replicas
            fix = _MINIMUM_FIX if floor else _GPUS_FIX
            one = scope.limit(vram_key, "GiB of GPU memory in total", fix, floor=floor)
            if one is not None:
                gpus = needs.floor_gpus if floor else needs.peak_gpus
                yield one, _looked_up(gpus, needs, facts, "vram_gib")


_COST_LIMITS: Final[dict[str, Any]] = {
    "max_peak_usd_per_hour": limit(
        NUMBER, Decimal(60), "Cost when all replicas run, at most.", "USD per hour"
    ),
    "max_floor_usd_per_hour": limit(
        NUMBER, Decimal(30), "Cost at the minimum of replicas, at most.", "USD per hour"
    ),
}


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

    growth_what = "USD per hour"

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
    groups: Mapping[str, Mapping[str, Any]] = _group(**_COST_LIMITS)  # type: ignore[assignment]
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
        return any(
            value is not None
            for value in (
                self.max_peak_usd_per_hour,
                self.max_floor_usd_per_hour,
                self.max_deployment_usd_per_hour,
                self.max_growth,
                self.max_growth_percent,
                *(v for values in self.groups.values() for v in values.values()),
            )
        )

    def _cost(self, resource: Resource, facts: Facts, *, floor: bool) -> Quantity:
        needs = resource.requirements
        gpus = needs.floor_gpus if floor else needs.peak_gpus
        total = _looked_up(gpus, needs, facts, "usd_per_hour")
        for price, quantity in (
            (self.usd_per_core_hour, needs.cpu),
            (self.usd_per_memory_gib_hour, needs.memory),
            (self.usd_per_storage_gib_hour, needs.storage),
        ):
            if price and quantity is not None:
                total += (quantity * needs.replicas(floor=floor)).scaled(price)
        return total

    def peak(self, resource: Resource, facts: Facts) -> Quantity:
        """US dollars per hour when all replicas run."""
        return self._cost(resource, facts, floor=False)

    def impossible(
        self, resource: Resource, facts: Facts, scopes: Sequence[_Scope]
    ) -> Iterator[Finding]:
        """Types without a price, and priced quantities that nobody declares."""
        del scopes
        needs = resource.requirements
        if not self._counts or needs.peak_replicas.is_zero:
            return
        about = {"urn": resource.urn, "name": resource.name}
        if _lacks(needs, facts, "usd_per_hour"):
            yield violation(
                f"{resource.subject} must use a GPU type whose price is known; "
                f"jig-gpu-types.types has no usd_per_hour for {needs.type_text}. Have it "
                "added.",
                **about,
            )
        for price, name in (
            (self.usd_per_core_hour, "cpu"),
            (self.usd_per_memory_gib_hour, "memory"),
            (self.usd_per_storage_gib_hour, "storage"),
        ):
            if price and resource.get(name) is None:
                yield violation(
                    f"{resource.subject} must declare {name}, which has a price; it is "
                    "not set. Set it.",
                    **about,
                )

    def sums(
        self, resource: Resource, facts: Facts, scope: _Scope
    ) -> Iterator[tuple[Limit, Quantity]]:
        """Dollars per hour at the peak, at the minimum, and of the deployment alone."""
        for key, floor in (
            ("max_peak_usd_per_hour", False),
            ("max_floor_usd_per_hour", True),
        ):
            fix = _MINIMUM_FIX if floor else _GPUS_FIX
            one = scope.limit(key, "USD per hour", fix, floor=floor, monthly=True)
            if one is not None:
                yield one, self._cost(resource, facts, floor=floor)
        each = scope.get("max_deployment_usd_per_hour")
        if each is not None:
            place = f"{self.name}.max_deployment_usd_per_hour"
            own = Limit(
                resource.subject, place, each, "USD per hour", _GPUS_FIX, monthly=True
            )
            yield own, self.peak(resource, facts)

    def beside_sums(
        self, resources: Sequence[Resource], facts: Facts
    ) -> Iterator[Finding]:
        """Old prices, where something is bought for them."""
        yield from super().beside_sums(resources, facts)
        most = self.prices_max_age_days
        if most is None or not self._counts:
            return
        if all(self.peak(resource, facts).is_zero for resource in resources):
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
    known = facts.gpu_types.get(str(needs.gpu_type))
    return known is None or getattr(known, number) is None


def _looked_up(
    gpus: Quantity, needs: Requirements, facts: Facts, number: str
) -> Quantity:
    """Return GPUs times a number of their type; nothing where the table lacks it."""
    if gpus.is_zero:
        return gpus
    if needs.gpu_type is UNKNOWN:
        return Quantity(unknown=("gpu_type",))
    known = facts.gpu_types.get(str(needs.gpu_type))
    factor = None if known is None else getattr(known, number)
    return Quantity() if factor is None else gpus.scaled(factor)
