"""
What many deployments use together: GPUs, memory and VRAM, and what they cost per hour.

One set of sums serves the stack policies, the policy on budgets and the budget's own
check, so that a limit means the same wherever it is written. All arithmetic is decimal:
0.1 + 0.1 + 0.1 USD are 0.3 USD.

This module refuses to leave anything out: a type without a price or without VRAM in its
table is a violation, a quantity that is not one is a violation, and what is not known yet
is named. A sum that silently skips the odd ones is a sum that anyone can stay under.

Units: GPUs are whole-GPU equivalents (count x weight, so that MIG slices count by the
part of a card that they are); memory and VRAM are GiB; prices are US dollars per GPU and
hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from pulumi_jig.policy.facts import NO_GPU, Size, shown
from pulumi_jig.policy.findings import Finding, advice, listed, not_known, violation
from pulumi_jig.policy.quantities import Amount, show
from pulumi_jig.policy.unknown import UNKNOWN

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pulumi_jig.policy.limits import CostLimits, GpuLimits, MemoryLimits, Voice

_HOURS_PER_MONTH: Final = 730
_CONTRIBUTORS: Final = 3


@dataclass(frozen=True, eq=False, repr=False)
class _Part:
    """One size's share of a sum."""

    size: Size
    amount: Amount


def _total(parts: Iterable[_Part]) -> Amount:
    total = Amount()
    for part in parts:
        total = total + part.amount.at(f"{part.size.name}.")
    return total


def _largest(parts: Sequence[_Part]) -> list[_Part]:
    ordered = sorted(parts, key=lambda part: (-part.amount.low, part.size.name))
    return [part for part in ordered if part.amount.low > 0]


def _made_of(parts: Sequence[_Part]) -> str:
    largest = _largest(parts)
    text = ", ".join(
        f"{part.size.name} {show(part.amount.low)}" for part in largest[:_CONTRIBUTORS]
    )
    more = len(largest) - _CONTRIBUTORS
    return f"{text} and {more} more" if more > 0 else text


class _Ledger:
    """Compares sums with limits, and gathers what was not known for one sentence."""

    def __init__(self, voice: Voice) -> None:
        self.voice = voice
        self.subject = voice.subject
        self.missing: dict[str, list[str]] = {}

    def compare(
        self,
        parts: Sequence[_Part],
        limit: Decimal | None,
        *,
        what: str,
        setting: str,
        unit: str = "",
        note: str = "",
    ) -> Iterator[Finding]:
        """One sum against one limit: over it, malformed, not known, or silence."""
        if limit is None:
            return
        total = _total(parts)
        if total.low > limit:
            largest = _largest(parts)[0].size
            yield violation(
                f"{self.subject} must not use more than {show(limit)}{unit} {what}; it "
                f"uses {total.text}{unit}{note} ({_made_of(parts)}). Lower the largest, "
                f"or {self.voice.raised(setting)}.",
                urn=largest.urn,
                name=largest.name,
            )
        elif total.invalid:
            yield violation(
                f"{self.subject}: {listed(total.invalid)} not a quantity, so the limit "
                f"of {show(limit)}{unit} {what} cannot be judged and does not pass. "
                "Give plain numbers."
            )
        elif total.unknown:
            self.miss(what, total.unknown)

    def miss(self, what: str, properties: Iterable[str]) -> None:
        """Remember that something could not be judged."""
        self.missing.setdefault(what, []).extend(properties)

    def unknowns(self) -> Iterator[Finding]:
        """One finding for all that was not known."""
        if self.missing:
            paths = dict.fromkeys(p for ps in self.missing.values() for p in ps)
            limits = ", ".join(what.removeprefix("of ") for what in self.missing)
            yield not_known(self.subject, paths, f"the limit of {limits}")


def judge_gpus(
    sizes: Sequence[Size], limits: GpuLimits, voice: Voice
) -> Iterator[Finding]:
    """GPUs by type, in total, and in total at the floor."""
    ledger = _Ledger(voice)
    by_type: dict[str, list[_Part]] = {}
    open_types: list[_Part] = []
    peak: list[_Part] = []
    floor: list[_Part] = []
    least = min([Decimal(1), *limits.weights.values()])
    for size in sizes:
        if size.peak_gpus.is_zero:
            continue
        if size.gpu_type is None:
            yield violation(
                f"{voice.subject} must name the type of every GPU; {size.name} names none. "
                "Set its gpu_type.",
                urn=size.urn,
                name=size.name,
            )
            continue
        missing: tuple[str, ...] = ()
        if size.gpu_type is UNKNOWN:
            # As much as it is at least: of whatever type, it is not lighter than this.
            weight, missing = least, ("gpu_type",)
        else:
            weight = limits.weights.get(str(size.gpu_type), Decimal(1))
        part = _Part(size, _open(size.peak_gpus.scaled(weight), missing))
        peak.append(part)
        if not size.floor_gpus.is_zero:
            floor.append(_Part(size, _open(size.floor_gpus.scaled(weight), missing)))
        if missing:
            open_types.append(_Part(size, Amount(unknown=missing)))
        else:
            by_type.setdefault(str(size.gpu_type), []).append(part)
    for gpu_type, parts in sorted(by_type.items()):
        named = gpu_type in limits.max_gpus
        limit = limits.max_gpus[gpu_type] if named else limits.other_types
        yield from ledger.compare(
            [*parts, *open_types],
            limit,
            what=f"GPUs of type {shown(gpu_type)}",
            setting="max_gpus" if named else "other_types",
        )
    if open_types and (limits.max_gpus or limits.other_types is not None):
        ledger.miss("GPUs by type", _total(open_types).unknown)
    yield from ledger.compare(
        peak, limits.max_total_gpus, what="GPUs in total", setting="max_total_gpus"
    )
    yield from ledger.compare(
        floor,
        limits.max_floor_gpus,
        what="GPUs that always run",
        setting="max_floor_gpus",
    )
    yield from ledger.unknowns()


def _open(amount: Amount, missing: tuple[str, ...]) -> Amount:
    return amount + Amount(unknown=missing) if missing else amount


def judge_memory(
    sizes: Sequence[Size], limits: MemoryLimits, voice: Voice
) -> Iterator[Finding]:
    """Memory and VRAM when all replicas run."""
    ledger = _Ledger(voice)
    parts: list[_Part] = []
    for size in sizes:
        if size.peak_replicas.is_zero or limits.max_memory_gib is None:
            continue
        memory = size.memory
        if memory is None:
            if limits.unset_memory_gib is None:
                yield violation(
                    f"{voice.subject} must know the memory of every deployment; memory of "
                    f"{size.name} is not set. {voice.memory_given()}",
                    urn=size.urn,
                    name=size.name,
                )
                continue
            memory = Amount(limits.unset_memory_gib)
        parts.append(_Part(size, memory * size.peak_replicas))
    yield from ledger.compare(
        parts,
        limits.max_memory_gib,
        what="of memory in total",
        setting="max_memory_gib",
        unit=" GiB",
    )
    if limits.max_vram_gib is not None:
        looked_up = _looked_up(
            sizes,
            limits.vram_gib,
            lambda size: size.peak_gpus,
            lambda size: (
                f"{voice.subject} must know the memory of every GPU type in use; "
                f"{size.type_text} of {size.name} is not in the table. "
                f"{voice.extended('vram_gib')}"
            ),
        )
        vram = []
        for item in looked_up:
            if isinstance(item, Finding):
                yield item
            else:
                vram.append(item)
        yield from ledger.compare(
            vram,
            limits.max_vram_gib,
            what="of GPU memory in total",
            setting="max_vram_gib",
            unit=" GiB",
        )
    yield from ledger.unknowns()


def _looked_up(
    sizes: Iterable[Size],
    table: Mapping[str, Decimal],
    gpus: Callable[[Size], Amount],
    lacking: Callable[[Size], str],
) -> Iterator[_Part | Finding]:
    """GPUs times a table's value; a type in use that it lacks is a violation."""
    for size in sizes:
        amount = gpus(size)
        if amount.is_zero:
            continue
        if size.gpu_type is UNKNOWN:
            yield _Part(size, Amount(unknown=("gpu_type",)))
            continue
        value = table.get(str(size.gpu_type))
        if value is None:
            yield violation(lacking(size), urn=size.urn, name=size.name)
        else:
            yield _Part(size, amount.scaled(value))


def judge_cost(
    sizes: Sequence[Size],
    limits: CostLimits,
    voice: Voice,
    *,
    today: dt.date,
) -> Iterator[Finding]:
    """Dollars per hour of GPUs at the peak, at the floor, and per deployment."""
    peak_limit, floor_limit = (
        limits.max_peak_usd_per_hour,
        limits.max_floor_usd_per_hour,
    )
    each = limits.max_deployment_usd_per_hour
    if peak_limit is None and floor_limit is None and each is None:
        return
    ledger = _Ledger(voice)
    peak: list[_Part] = []
    for item in _looked_up(
        sizes,
        limits.prices,
        lambda size: size.peak_gpus,
        lambda size: (
            f"{voice.subject} must know the price of every GPU type in use; {size.type_text} "
            f"of {size.name} has none. {voice.extended('prices')}"
        ),
    ):
        if isinstance(item, Finding):
            yield item
        else:
            peak.append(item)
    floor = [
        item
        for item in _looked_up(
            sizes, limits.prices, lambda size: size.floor_gpus, lambda _: ""
        )
        if isinstance(item, _Part)
    ]
    for part in peak:
        yield from ledger.compare(
            [part],
            each,
            what="USD per hour for one deployment",
            note=_monthly(part.amount),
            setting="max_deployment_usd_per_hour",
        )
    yield from ledger.compare(
        peak,
        peak_limit,
        what="USD per hour when all replicas run",
        note=_monthly(_total(peak)),
        setting="max_peak_usd_per_hour",
    )
    yield from ledger.compare(
        floor,
        floor_limit,
        what="USD per hour that are always spent",
        note=_monthly(_total(floor)),
        setting="max_floor_usd_per_hour",
    )
    if any(size.gpu_type != NO_GPU and not size.peak_gpus.is_zero for size in sizes):
        yield from _stale(limits, today, voice)
    yield from ledger.unknowns()


def _monthly(amount: Amount) -> str:
    return f", or {show(amount.low * _HOURS_PER_MONTH)} per month"


def _stale(limits: CostLimits, today: dt.date, voice: Voice) -> Iterator[Finding]:
    if limits.prices_max_age_days is None:
        return
    if limits.prices_as_of is None:
        yield advice(
            f"{voice.subject} is priced from a table of unknown age. Have "
            f"{voice.policy}.prices_as_of set to the day from which the prices are."
        )
        return
    age = (today - limits.prices_as_of).days
    if age > limits.prices_max_age_days:
        yield advice(
            f"{voice.subject} is priced from a table of {limits.prices_as_of}, {age} days "
            f"ago; {limits.prices_max_age_days} are allowed. Have the prices looked up "
            f"again, then {voice.policy}.prices_as_of set."
        )
