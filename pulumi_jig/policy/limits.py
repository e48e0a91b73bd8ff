"""
Limits of what many deployments use together, and how a sum speaks of them.

The same three sets of limits serve the stack policies and the policy on budgets; the
budget's own limits are fewer and have their own names.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from pulumi_jig.policy.settings import Settings, key

if TYPE_CHECKING:
    import datetime as dt

#: A MIG slice of 40 GB is half of an H100's memory.
DEFAULT_WEIGHTS: Final = {"h100-40gb-mig": Decimal("0.5")}


class GpuLimits(Settings):
    """How many GPUs may run together."""

    max_gpus: dict[str, Decimal] = key(
        "numbers by type",
        {"h100-80gb": Decimal(8)},
        "GPUs by type when all replicas run, at most (count x weight).",
    )
    other_types: Decimal | None = key(
        "number?",
        Decimal(0),
        "The limit of each type that `max_gpus` does not name; null for no limit.",
    )
    max_total_gpus: Decimal | None = key(
        "number?", Decimal(8), "GPUs of all types when all replicas run, at most."
    )
    max_floor_gpus: Decimal | None = key(
        "number?", Decimal(4), "GPUs of all types that always run, at most."
    )
    weights: dict[str, Decimal] = key(
        "numbers by type",
        DEFAULT_WEIGHTS,
        "How much of a GPU one of this type counts; 1 where it is not named.",
    )


class MemoryLimits(Settings):
    """How much memory may be in use together."""

    max_memory_gib: Decimal | None = key(
        "number?", Decimal(512), "GiB of memory when all replicas run, at most."
    )
    unset_memory_gib: Decimal | None = key(
        "number?",
        None,
        "GiB to count for a replica that leaves memory to the platform; null makes "
        "such a replica a violation.",
    )
    max_vram_gib: Decimal | None = key(
        "number?", Decimal(640), "GiB of GPU memory when all replicas run, at most."
    )
    vram_gib: dict[str, Decimal] = key(
        "numbers by type",
        {"h100-80gb": Decimal(80)},
        "GiB of memory of one GPU, by type. A type in use that it lacks is a "
        "violation.",
    )


class CostLimits(Settings):
    """How much GPUs may cost together."""

    prices: dict[str, Decimal] = key(
        "numbers by type",
        {},
        "US dollars per GPU and hour, by type: your contract's. A type in use without "
        "a price is a violation.",
    )
    prices_as_of: dt.date | None = key(
        "date?", None, "The day from which the prices are."
    )
    prices_max_age_days: int | None = key(
        "count?", 180, "Days after which the prices are advised to be looked up again."
    )
    max_peak_usd_per_hour: Decimal | None = key(
        "number?", Decimal(60), "US dollars per hour when all replicas run, at most."
    )
    max_floor_usd_per_hour: Decimal | None = key(
        "number?", Decimal(30), "US dollars per hour that are always spent, at most."
    )
    max_deployment_usd_per_hour: Decimal | None = key(
        "number?", Decimal(30), "US dollars per hour of one deployment at its peak."
    )


@dataclass(frozen=True, eq=False, repr=False)
class Voice:
    """
    How a sum speaks of its limits: in the words of whoever set them.

    Attributes:
        subject: Whose sum it is, to begin a sentence with.
        policy: The policy whose keys the limits are.
    """

    subject: str
    policy: str

    def raised(self, setting: str) -> str:
        """The remedy that changes a limit."""
        return f"have {self.policy}.{setting} raised"

    def extended(self, table: str) -> str:
        """The remedy that adds a type to a table."""
        return f"Have {self.policy}.{table} extended."

    def memory_given(self) -> str:
        """The remedy for memory that is not set."""
        return f"Set it, or have {self.policy}.unset_memory_gib set."
