"""How many GPUs one deployment may ask for, of which types, and whether numbers are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_jig.policy.declaration import Facts, GpuType, Policy
from pulumi_jig.policy.findings import (
    Finding,
    Kind,
    graded,
    not_known,
    violation,
    within,
)
from pulumi_jig.policy.quantities import Quantity, quantity_fault, show
from pulumi_jig.policy.resource import NO_GPU, Requirements, Resource, shown
from pulumi_jig.policy.settings import (
    FLAG,
    GPU_TYPE,
    GRADE,
    POSITIVE,
    WHOLE,
    Setting,
    limit,
    many,
    near,
    record,
    setting,
    table,
)
from pulumi_jig.policy.unknown import UNKNOWN

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping

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


class ValidQuantities(
    Policy,
    name="jig-valid-quantities",
    title="Quantities are numbers",
    says="Every quantity of a deployment is a plain number.",
    fix="Write the number without unit, sign or fraction.",
):
    """A value that a preview does not know is judged in the update, before creation."""

    def judge(self, resource: Resource, facts: Facts) -> Iterator[Finding]:
        """Every quantity is finite, not negative, and whole where it must be."""
        del facts
        for name, whole, unit in _QUANTITIES:
            fault = quantity_fault(resource.get(name), whole=whole)
            if fault is not None:
                number = "whole number" if whole else "number"
                yield violation(
                    f"{resource.subject} must give {name} as a plain {number}"
                    f"{f' of {unit}' if unit else ''}; it {fault}. Write {name} as a "
                    f"{number} of 0 or more."
                )


def _own_limits(
    max_per_replica: int | None = None, max_per_deployment: int | None = None
) -> dict[str, int | None]:
    return {
        "max_per_replica": max_per_replica,
        "max_per_deployment": max_per_deployment,
    }


class GpuCount(
    Policy,
    name="jig-gpu-count",
    title="GPUs per replica and per deployment",
    says="A deployment has an allowed number of GPUs, per replica and when all its "
    "replicas run.",
    fix="Lower gpu_count or max_replicas.",
):
    """Counts are of GPUs as the program names them; MIG slices count one each."""

    max_per_replica: int | None = limit(WHOLE, 2, "GPUs per replica, at most.", "GPUs")
    max_per_deployment: int | None = limit(
        WHOLE, 4, "GPUs of one deployment when all its replicas run, at most.", "GPUs"
    )
    per_type: Mapping[str, Mapping[str, int | None]] = setting(
        table(
            record(
                _own_limits,
                False,
                max_per_replica=limit(WHOLE, None, "As above.", "GPUs"),
                max_per_deployment=limit(WHOLE, None, "As above.", "GPUs"),
            ),
            GPU_TYPE,
        ),
        {},
        "Other limits for single GPU types: `max_per_replica`, `max_per_deployment`.",
    )
    allowed_counts: tuple[int, ...] = setting(
        many(WHOLE),
        (1, 2),
        "GPUs per replica that are allowed; an empty list allows all.",
        unit="GPUs",
    )
    zero_gpus: str = setting(
        GRADE, "deny", "A real GPU type with no GPU (the API's default for gpu_count)."
    )

    def judge(self, resource: Resource, facts: Facts) -> Iterator[Finding]:
        """GPUs per replica, and per deployment at its peak, are within the limits."""
        del facts
        needs, subject = resource.requirements, resource.subject
        count = needs.gpu_count
        if needs.gpu_type == NO_GPU:
            yield from self._without_gpu(count, subject)
            return
        if count.is_zero:
            yield from self._zero(needs, subject)
            return
        found = list(self._per_replica(count, needs, subject))
        if count.exact and not found and self.allowed_counts:
            yield from self._allowed(count, subject)
        # What depends on the same unknown value is said once.
        said = any(finding.kind is Kind.UNKNOWN for finding in found)
        found += [
            finding
            for finding in self._per_deployment(needs, subject)
            if not (said and finding.kind is Kind.UNKNOWN)
        ]
        if count.unknown and not found and (self.allowed_counts or self._zero_counts):
            found.append(not_known(subject, count.unknown, "the number of GPUs"))
        yield from found

    @property
    def _zero_counts(self) -> bool:
        return self.zero_gpus != "allow"

    def _without_gpu(self, count: Quantity, subject: str) -> Iterator[Finding]:
        if count.invalid:
            yield violation(
                f'{subject} must not have GPUs of gpu_type "none"; gpu_count is not a '
                "quantity. Set it to 0."
            )
        elif count.low > 0:
            yield violation(
                f'{subject} must not have GPUs of gpu_type "none"; gpu_count is '
                f"{show(count.low)}. Set gpu_count to 0, or name a GPU type."
            )
        elif count.unknown:
            yield not_known(subject, count.unknown, "the CPU form")

    def _zero(self, needs: Requirements, subject: str) -> Iterator[Finding]:
        if needs.gpu_type is None:
            return
        if needs.gpu_type is UNKNOWN:
            if self.zero_gpus == "deny":
                yield not_known(subject, ["gpu_type"], "a count of 0 GPUs")
            return
        yield from graded(
            self.zero_gpus,
            f"{subject} must have a GPU of its gpu_type {needs.type_text}; gpu_count is "
            "0, which is the API's default where it is left out. Set gpu_count to 1 or "
            'more, or gpu_type to "none" for a CPU-only deployment.',
        )

    def _allowed(self, count: Quantity, subject: str) -> Iterator[Finding]:
        if count.low not in self.allowed_counts:
            allowed = ", ".join(str(n) for n in self.allowed_counts)
            yield violation(
                f"{subject} must have one of {allowed} GPUs per replica; gpu_count is "
                f"{show(count.low)}. Choose one of these."
            )

    def _limits(self, needs: Requirements, name: str) -> tuple[int | None, ...]:
        """Return what may limit it: one, or all while the type is not known."""
        general: int | None = getattr(self, name)
        own = {
            gpu_type: limits[name]
            for gpu_type, limits in self.per_type.items()
            if limits[name] is not None
        }
        if needs.gpu_type is UNKNOWN:
            return (general, *own.values())
        return (own.get(str(needs.gpu_type), general),)

    def _per_replica(
        self, count: Quantity, needs: Requirements, subject: str
    ) -> Iterator[Finding]:
        return _compare(
            count,
            self._limits(needs, "max_per_replica"),
            subject,
            "the limit of GPUs per replica",
            f"{subject} must not have more than {{limit}} GPUs per replica; gpu_count "
            f"is {show(count.low)}. Lower gpu_count to {{limit}} or less, or have "
            "jig-gpu-count.max_per_replica raised.",
        )

    def _per_deployment(self, needs: Requirements, subject: str) -> Iterator[Finding]:
        peak = needs.peak_gpus
        factors = (
            f"{needs.gpu_count.text} per replica x {needs.peak_replicas.text} replicas"
        )
        return _compare(
            peak,
            self._limits(needs, "max_per_deployment"),
            subject,
            "the limit of GPUs per deployment",
            f"{subject} must not have more than {{limit}} GPUs when all its replicas "
            f"run; gpu_count x max_replicas is {peak.text} ({factors}). Lower gpu_count "
            "or max_replicas, or have jig-gpu-count.max_per_deployment raised.",
        )


def _compare(
    quantity: Quantity,
    limits: Iterable[int | None],
    subject: str,
    what: str,
    over: str,
) -> Iterator[Finding]:
    candidates = list(limits)
    known = [limit for limit in candidates if limit is not None]
    if not known:
        return
    least = min(known)
    most = None if len(known) < len(candidates) else max(known)
    if least == most:
        yield from within(
            quantity, least, subject=subject, what=what, over=over.format(limit=least)
        )
    elif most is not None and quantity.low > most:
        yield violation(over.format(limit=most))
    elif quantity.low > least or not quantity.exact:
        # The type decides which limit holds, and the type is not known yet.
        if quantity.invalid:
            yield from within(quantity, least, subject=subject, what=what, over="")
        else:
            yield not_known(subject, ("gpu_type", *quantity.unknown), what)


class GpuTypes(
    Policy,
    name="jig-gpu-types",
    title="Allowed GPU types",
    says="A deployment uses a GPU type that this environment allows.",
    fix="Choose one of the allowed types.",
):
    """Also holds the table of GPU types, from which quotas take price, VRAM, weight."""

    allow: tuple[str, ...] = setting(
        many(GPU_TYPE), ("h100-80gb",), "GPU types that are allowed."
    )
    deny: tuple[str, ...] = setting(
        many(GPU_TYPE), (), "GPU types that are refused, even where `allow` names them."
    )
    allow_cpu: bool = setting(
        FLAG, True, 'Whether CPU-only deployments (`gpu_type` "none") are allowed.'
    )
    types: Mapping[str, GpuType] = setting(
        table(
            record(
                GpuType,
                False,
                usd_per_hour=Setting(POSITIVE, None, "Price.", "USD per GPU and hour"),
                vram_gib=Setting(POSITIVE, None, "Memory of one GPU.", "GiB"),
                weight=Setting(POSITIVE, None, "How much of a GPU it counts."),
            ),
            GPU_TYPE,
        ),
        {},
        "What one GPU of a type costs and is: `usd_per_hour` (your contract's), "
        "`vram_gib`, `weight` (how much of a GPU it counts; 1 where it is left out). "
        "A quota that needs a number which a type in use lacks refuses the deployment.",
    )

    def contradictions(self, today: dt.date) -> Iterator[tuple[str, str]]:
        """An allowed type is not denied as well."""
        yield from super().contradictions(today)
        both = [name for name in self.allow if name in self.deny]
        if both and len(both) == len(self.allow):
            yield (
                "deny",
                f"deny refuses every type that allow names ({', '.join(both)})",
            )

    def judge(self, resource: Resource, facts: Facts) -> Iterator[Finding]:
        """The GPU type is one that this environment may use."""
        del facts
        subject = resource.subject
        gpu_type = resource.requirements.gpu_type
        allowed = [t for t in self.allow if t not in self.deny]
        one = f"one of {', '.join(allowed)}" if allowed else "a type that is allowed"
        if gpu_type is UNKNOWN:
            yield not_known(subject, ["gpu_type"], "the list of allowed GPU types")
        elif not isinstance(gpu_type, str):
            yield violation(
                f"{subject} must name its gpu_type; it names none. Set it to {one}, or "
                'to "none" for a CPU-only deployment.'
            )
        elif gpu_type == NO_GPU:
            if not self.allow_cpu:
                yield violation(
                    f'{subject} must have a GPU; gpu_type is "none", and '
                    f"jig-gpu-types.allow_cpu is false. Use {one}, or have allow_cpu set."
                )
        elif gpu_type in self.deny:
            yield violation(
                f"{subject} must not use gpu_type {shown(gpu_type)}, which "
                f"jig-gpu-types.deny refuses. Use {one}."
            )
        elif gpu_type not in self.allow:
            yield violation(
                f"{subject} must not use gpu_type {shown(gpu_type)}, which is not in "
                f"jig-gpu-types.allow{near(gpu_type, allowed)}. Use {one}, or have the "
                "type allowed."
            )
