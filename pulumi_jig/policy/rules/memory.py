"""How much memory, storage and how many cores one replica may have, in all and per GPU."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from pulumi_jig.policy.declaration import Facts, Policy
from pulumi_jig.policy.findings import Finding, graded, not_known, violation, within
from pulumi_jig.policy.quantities import Quantity, show
from pulumi_jig.policy.resource import NO_GPU, Resource
from pulumi_jig.policy.settings import GRADE, NUMBER, WHOLE, limit, setting
from pulumi_jig.policy.unknown import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator


def _at_most(
    resource: Resource,
    quantity: Quantity,
    limit_: Decimal | int | None,
    *,
    what: str,
    key: str,
    name: str,
    unit: str,
) -> Iterator[Finding]:
    """Compare one property with one limit of a policy."""
    most = show(limit_ or 0)
    return within(
        quantity,
        limit_,
        subject=resource.subject,
        what=f"the limit of {what}",
        over=f"{resource.subject} must not have more than {most} {unit} of {what}; "
        f"{name} is {show(quantity.low)}. Lower it, or have {key} raised.",
    )


def _undeclared(
    grade: str, resource: Resource, name: str, unit: str
) -> Iterator[Finding]:
    return graded(
        grade,
        f"{resource.subject} must declare {name}; it is not set, so the platform "
        f"chooses. Set {name}, in {unit}.",
    )


def _unjudged(
    resource: Resource, name: str, found: list[Finding], *, grade: str
) -> None:
    """Note a value that is not known where it may yet turn out to be unset."""
    if resource.get(name) is UNKNOWN and not found and grade != "allow":
        found.append(not_known(resource.subject, [name], "whether it is declared"))


class Memory(
    Policy,
    name="jig-memory",
    title="Memory per replica and per GPU",
    says="A replica has a known amount of memory within the limits, in all and for its "
    "GPUs.",
    fix="Set memory, in GiB, or lower it.",
):
    """Fractions of a GiB are legal."""

    max_gib: Decimal | None = limit(
        NUMBER, Decimal(256), "Memory of a replica, at most.", "GiB"
    )
    max_gib_per_gpu: Decimal | None = limit(
        NUMBER,
        Decimal(128),
        "Memory of a replica for each of its GPUs, at most.",
        "GiB",
    )
    max_gib_cpu_only: Decimal | None = limit(
        NUMBER, Decimal(64), "Memory of a replica without a GPU, at most.", "GiB"
    )
    min_gib_per_vram_gib: Decimal | None = limit(
        NUMBER,
        None,
        "Memory of a replica for each GiB of memory of its GPUs, at least.",
        "GiB per GiB of VRAM",
    )
    unset: str = setting(GRADE, "deny", "Memory that is left to the platform.")

    def judge(self, resource: Resource, facts: Facts) -> Iterator[Finding]:
        """Memory per replica is within the limits, in all and for its GPUs."""
        memory = resource.requirements.memory
        if memory is None:
            yield from _undeclared(self.unset, resource, "memory", "GiB")
            return
        found = list(
            _at_most(
                resource,
                memory,
                self.max_gib,
                what="memory per replica",
                key="jig-memory.max_gib",
                name="memory",
                unit="GiB",
            )
        )
        if not found:
            found += self._for_gpus(resource, memory)
            found += self._for_vram(resource, memory, facts)
        _unjudged(resource, "memory", found, grade=self.unset)
        yield from found

    def _for_gpus(self, resource: Resource, memory: Quantity) -> Iterator[Finding]:
        per_gpu, cpu_only = self.max_gib_per_gpu, self.max_gib_cpu_only
        count = resource.requirements.gpu_count
        if count.is_zero:
            yield from _at_most(
                resource,
                memory,
                cpu_only,
                what="memory per replica without a GPU",
                key="jig-memory.max_gib_cpu_only",
                name="memory",
                unit="GiB",
            )
        elif count.exact:
            whole = None if per_gpu is None else per_gpu * count.low
            yield from _at_most(
                resource,
                memory,
                whole,
                what=f"memory per replica for {show(count.low)} GPUs "
                f"({show(per_gpu or 0)} GiB each)",
                key="jig-memory.max_gib_per_gpu",
                name="memory",
                unit="GiB",
            )
        elif per_gpu is not None or cpu_only is not None:
            # With no GPU the one limit holds, with at least one GPU the other: what is
            # within both needs no count to be judged.
            least = min(limit for limit in (per_gpu, cpu_only) if limit is not None)
            if count.invalid:
                yield violation(
                    f"{resource.subject}: gpu_count is not a quantity, so the limit of "
                    "memory per GPU cannot be judged and does not pass. Give a plain "
                    "number."
                )
            elif memory.low > least or not memory.exact:
                yield not_known(
                    resource.subject,
                    ("gpu_count", *memory.unknown),
                    "the limit of memory per GPU",
                )

    def _for_vram(
        self, resource: Resource, memory: Quantity, facts: Facts
    ) -> Iterator[Finding]:
        needs, ratio = resource.requirements, self.min_gib_per_vram_gib
        if not ratio or needs.gpu_count.is_zero or needs.gpu_type in {NO_GPU, None}:
            return
        missing = (*memory.unknown, *needs.gpu_count.unknown)
        if needs.gpu_type is UNKNOWN:
            missing = (*missing, "gpu_type")
        if missing:
            yield not_known(resource.subject, missing, "memory beside that of its GPUs")
            return
        vram = facts.gpu_types.get(str(needs.gpu_type))
        if vram is None or vram.vram_gib is None:
            yield violation(
                f"{resource.subject} must have memory for that of its GPUs; "
                f"jig-gpu-types.types does not say how much {needs.type_text} has. Have "
                "its vram_gib added."
            )
            return
        least = ratio * vram.vram_gib * needs.gpu_count.low
        if memory.low < least:
            yield violation(
                f"{resource.subject} must have at least {show(least)} GiB of memory per "
                f"replica, {show(ratio)} for each GiB of its GPUs; memory is "
                f"{show(memory.low)}. Raise it, or have jig-memory.min_gib_per_vram_gib "
                "lowered."
            )


class Storage(
    Policy,
    name="jig-storage",
    title="Storage per replica",
    says="A replica has an allowed amount of storage.",
    severity="medium",
    fix="Set storage, in GiB, or lower it.",
):
    """Whole GiB; what the service answers may be in another unit and is not judged."""

    max_gib: Decimal | None = limit(
        NUMBER, Decimal(100), "Storage of a replica, at most.", "GiB"
    )
    unset: str = setting(GRADE, "allow", "Storage that is left to the platform.")

    def judge(self, resource: Resource, facts: Facts) -> Iterator[Finding]:
        """Storage is declared where that is asked for, and within the limit."""
        del facts
        storage = resource.requirements.storage
        if storage is None:
            yield from _undeclared(self.unset, resource, "storage", "GiB")
            return
        found = list(
            _at_most(
                resource,
                storage,
                self.max_gib,
                what="storage per replica",
                key="jig-storage.max_gib",
                name="storage",
                unit="GiB",
            )
        )
        _unjudged(resource, "storage", found, grade=self.unset)
        yield from found


class Cpu(
    Policy,
    name="jig-cpu",
    title="CPU per replica, and fleets without GPUs",
    says="A replica has an allowed number of cores, and a fleet without GPUs an allowed "
    "size.",
    severity="medium",
    fix="Lower cpu or max_replicas.",
):
    """Fractions of a core are legal."""

    max_cores: Decimal | None = limit(
        NUMBER, Decimal(32), "Cores of a replica, at most.", "cores"
    )
    max_cores_cpu_only: Decimal | None = limit(
        NUMBER, Decimal(16), "Cores of a replica without a GPU, at most.", "cores"
    )
    max_cpu_only_replicas: int | None = limit(
        WHOLE, 2, "Replicas of a deployment without GPUs, at most.", "replicas"
    )
    unset: str = setting(GRADE, "allow", "Cores that are left to the platform.")

    def judge(self, resource: Resource, facts: Facts) -> Iterator[Finding]:
        """Cores are within the limits, and so is a fleet without GPUs."""
        del facts
        needs = resource.requirements
        found: list[Finding] = []
        if needs.cpu is None:
            found += _undeclared(self.unset, resource, "cpu", "cores")
        else:
            found += self._cores(resource, needs.cpu)
        if needs.gpu_count.is_zero:
            found += _at_most(
                resource,
                needs.peak_replicas,
                self.max_cpu_only_replicas,
                what="a deployment without GPUs",
                key="jig-cpu.max_cpu_only_replicas",
                name="max_replicas",
                unit="replicas",
            )
        elif needs.gpu_count.unknown:
            most = self.max_cpu_only_replicas
            peak = needs.peak_replicas
            if most is not None and (peak.low > most or not peak.exact) and not found:
                found.append(
                    not_known(resource.subject, ["gpu_count"], "a fleet without GPUs")
                )
        _unjudged(resource, "cpu", found, grade=self.unset)
        yield from found

    def _cores(self, resource: Resource, cores: Quantity) -> Iterator[Finding]:
        count = resource.requirements.gpu_count
        alone = self.max_cores_cpu_only
        limits = [(self.max_cores, "cores per replica", "max_cores")]
        if count.is_zero:
            limits.append(
                (alone, "cores per replica without a GPU", "max_cores_cpu_only")
            )
        found: list[Finding] = []
        for most, what, key in limits:
            if not found:
                found += within(
                    cores,
                    most,
                    subject=resource.subject,
                    what=f"the limit of {what}",
                    over=f"{resource.subject} must not have more than {show(most or 0)} "
                    f"{what}; cpu is {show(cores.low)}. Lower it, or have jig-cpu.{key} "
                    "raised.",
                )
        if not found and count.unknown and alone is not None and cores.low > alone:
            found.append(
                not_known(
                    resource.subject, ["gpu_count"], "the limit of cores without a GPU"
                )
            )
        return iter(found)
