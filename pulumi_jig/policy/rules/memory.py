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


class _Amount(Policy, name="", title="", says=""):
    """A policy about one property of a replica: `unset` judges where it is left out."""

    prop = ""
    unit = ""
    unset: str

    def judge(self, resource: Resource, facts: Facts) -> Iterator[Finding]:
        """It is declared where that is asked for, and within its limits."""
        quantity: Quantity | None = getattr(resource.requirements, self.prop)
        if quantity is None:
            yield from graded(
                self.unset,
                f"{resource.subject} must declare {self.prop}; it is not set, so the "
                f"platform chooses. Set {self.prop}, in {self.unit}.",
            )
            found = list(self.beside(resource, facts))
        else:
            found = list(self.limits(resource, quantity, facts))
            found += self.beside(resource, facts)
        if resource.get(self.prop) is UNKNOWN and not found and self.unset != "allow":
            found.append(
                not_known(resource.subject, [self.prop], "whether it is declared")
            )
        yield from found

    def limits(
        self, resource: Resource, quantity: Quantity, facts: Facts
    ) -> Iterator[Finding]:
        """Compare a declared quantity with its limits; stop at the first that speaks."""
        raise NotImplementedError

    def beside(self, resource: Resource, facts: Facts) -> Iterator[Finding]:
        """Judge what else this policy is about."""
        del resource, facts
        return iter(())

    def at_most(
        self,
        resource: Resource,
        quantity: Quantity,
        most: Decimal | int | None,
        key: str,
        what: str,
        *,
        prop: str = "",
    ) -> list[Finding]:
        """Compare a quantity with the limit of one setting."""
        text = show(most or 0)
        name = what if self.unit == what.partition(" ")[0] else f"{self.unit} of {what}"
        found = within(
            quantity,
            most,
            subject=resource.subject,
            what=f"the limit of {what}",
            over=f"{resource.subject} must not have more than {text} {name}; "
            f"{prop or self.prop} is {show(quantity.low)}. Lower it, or have "
            f"{self.name}.{key} raised.",
        )
        return list(found)


class Memory(
    _Amount,
    name="jig-memory",
    title="Memory per replica and per GPU",
    says="A replica has a known amount of memory within the limits, in all and for its "
    "GPUs.",
    fix="Set memory, in GiB, or lower it.",
):
    """Fractions of a GiB are legal."""

    prop, unit = "memory", "GiB"

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

    def limits(
        self, resource: Resource, quantity: Quantity, facts: Facts
    ) -> Iterator[Finding]:
        """Memory per replica is within the limits, in all and for its GPUs."""
        found = self.at_most(
            resource, quantity, self.max_gib, "max_gib", "memory per replica"
        )
        if not found:
            found += self._for_gpus(resource, quantity)
            found += self._for_vram(resource, quantity, facts)
        yield from found

    def _for_gpus(self, resource: Resource, memory: Quantity) -> Iterator[Finding]:
        per_gpu, cpu_only = self.max_gib_per_gpu, self.max_gib_cpu_only
        count = resource.requirements.gpu_count
        if count.is_zero:
            what = "memory per replica without a GPU"
            yield from self.at_most(
                resource, memory, cpu_only, "max_gib_cpu_only", what
            )
        elif count.exact:
            whole = None if per_gpu is None else per_gpu * count.low
            each = f"({show(per_gpu or 0)} GiB each)"
            what = f"memory per replica for {show(count.low)} GPUs {each}"
            yield from self.at_most(resource, memory, whole, "max_gib_per_gpu", what)
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
    _Amount,
    name="jig-storage",
    title="Storage per replica",
    says="A replica has an allowed amount of storage.",
    severity="medium",
    fix="Set storage, in GiB, or lower it.",
):
    """Whole GiB; what the service answers may be in another unit and is not judged."""

    prop, unit = "storage", "GiB"

    max_gib: Decimal | None = limit(
        NUMBER, Decimal(100), "Storage of a replica, at most.", "GiB"
    )
    unset: str = setting(GRADE, "allow", "Storage that is left to the platform.")

    def limits(
        self, resource: Resource, quantity: Quantity, facts: Facts
    ) -> Iterator[Finding]:
        """Storage is within the limit."""
        del facts
        yield from self.at_most(
            resource, quantity, self.max_gib, "max_gib", "storage per replica"
        )


class Cpu(
    _Amount,
    name="jig-cpu",
    title="CPU per replica, and fleets without GPUs",
    says="A replica has an allowed number of cores, and a fleet without GPUs an allowed "
    "size.",
    severity="medium",
    fix="Lower cpu or max_replicas.",
):
    """Fractions of a core are legal."""

    prop, unit = "cpu", "cores"

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

    def limits(
        self, resource: Resource, quantity: Quantity, facts: Facts
    ) -> Iterator[Finding]:
        """Cores are within the limits, with and without a GPU."""
        del facts
        count, alone = resource.requirements.gpu_count, self.max_cores_cpu_only
        what = "cores per replica"
        found = self.at_most(resource, quantity, self.max_cores, "max_cores", what)
        if not found and count.is_zero:
            what += " without a GPU"
            key = "max_cores_cpu_only"
            found = self.at_most(resource, quantity, alone, key, what)
        elif not found and count.unknown and alone is not None and quantity.low > alone:
            rule = "the limit of cores without a GPU"
            found.append(not_known(resource.subject, ["gpu_count"], rule))
        yield from found

    def beside(self, resource: Resource, facts: Facts) -> Iterator[Finding]:
        """A fleet without GPUs has an allowed size."""
        del facts
        most, peak = self.max_cpu_only_replicas, resource.requirements.peak_replicas
        count = resource.requirements.gpu_count
        if count.is_zero:
            yield from within(
                peak,
                most,
                subject=resource.subject,
                what="the limit of a deployment without GPUs",
                over=f"{resource.subject} must not have more than {most} replicas "
                f"without GPUs; max_replicas is {show(peak.low)}. Lower it, or have "
                "jig-cpu.max_cpu_only_replicas raised.",
            )
        elif count.unknown and most is not None and (peak.low > most or not peak.exact):
            yield not_known(resource.subject, ["gpu_count"], "a fleet without GPUs")
