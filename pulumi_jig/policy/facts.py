"""
What a policy may know of a resource, as plain data.

A policy is handed proxies that raise, numbers that are floats, quantities that are text,
and values that a preview does not know. All of that ends here, once, so that a rule is
ordinary Python. This module refuses to guess: a value that is not known stays UNKNOWN,
which cannot be used as a truth value, and a quantity that is not one stays invalid,
which no limit can be satisfied with.

Units: GiB for memory and VRAM, whole GPUs, whole replicas. Defaults are the API's own:
`gpu_count` 0, `min_replicas` 1, `max_replicas` as many as `min_replicas`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.naming import (
    DEPLOYMENT_TYPE,
    GPU_BUDGET_TYPE,
    SECRET_TYPE,
    VOLUME_TYPE,
)
from pulumi_jig.policy.quantities import Amount, read_amount
from pulumi_jig.policy.unknown import UNKNOWN, Unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

_DYNAMIC: Final = "pulumi-python:dynamic"
_OWN_TYPES: Final = frozenset({SECRET_TYPE, VOLUME_TYPE, GPU_BUDGET_TYPE})


def is_dynamic(type_: str) -> bool:
    """True for resources of Python dynamic providers, whatever their class."""
    return type_.startswith(_DYNAMIC)


def is_deployment(type_: str, keys: Any) -> bool:
    """
    True for our deployments, and for dynamic resources that have their shape.

    A plain subclass of a dynamic resource can lose its type token; it must not lose
    its limits with it.
    """
    if type_ == DEPLOYMENT_TYPE:
        return True
    return (
        is_dynamic(type_)
        and type_ not in _OWN_TYPES
        and "gpu_type" in keys
        and "image" in keys
    )


@dataclass(frozen=True, eq=False, repr=False)
class Resource:
    """
    One resource as every rule sees it.

    Attributes:
        type: Type token.
        name: The resource's name in the program.
        urn: Its URN, or "" outside a run.
        inputs: Its properties, through `plain`.
        protect: The resource option `protect`.
        ignore_changes: The property paths of the option `ignore_changes`.
        base_url: The address that its provider talks to: None for the service's own.
    """

    type: str
    name: str
    urn: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    protect: bool = False
    ignore_changes: tuple[str, ...] = ()
    base_url: Any = None

    @property
    def is_deployment(self) -> bool:
        """Whether rules for deployments judge it."""
        return is_deployment(self.type, self.inputs)

    @property
    def is_budget(self) -> bool:
        """Whether it is a `GpuBudget`."""
        return self.type == GPU_BUDGET_TYPE

    @cached_property
    def size(self) -> Size:
        """What it asks for, where it is a deployment."""
        return Size.of(self.name, self.urn, self.inputs, memory="memory")

    def get(self, key: str) -> Any:
        """A property, None where it is unset."""
        return self.inputs.get(key)


NO_GPU: Final = "none"


@dataclass(frozen=True, eq=False, repr=False)
class Size:
    """
    What one deployment asks for.

    Attributes:
        name: The deployment's name in the program.
        urn: Its URN, or "".
        gpu_type: In lower case without blanks; None where unset or not text; UNKNOWN.
        gpu_count: GPUs per replica.
        floor_replicas: Replicas that always run.
        peak_replicas: Replicas that may run at once.
        memory: GiB per replica; None where it is unset (the platform then chooses).
    """

    name: str
    urn: str
    gpu_type: str | Unknown | None
    gpu_count: Amount
    floor_replicas: Amount
    peak_replicas: Amount
    memory: Amount | None

    @classmethod
    def of(cls, name: str, urn: str, inputs: Mapping[str, Any], *, memory: str) -> Size:
        """Read a size from a deployment's inputs, or from a budget's member."""
        low = read_amount(
            inputs.get("min_replicas"), "min_replicas", whole=True, default=1
        )
        if inputs.get("max_replicas") is None:
            peak = low
        else:
            high = read_amount(inputs["max_replicas"], "max_replicas", whole=True)
            peak = _peak(low, high)
        memory_value = inputs.get(memory)
        return cls(
            name=name,
            urn=urn,
            gpu_type=read_gpu_type(inputs.get("gpu_type")),
            gpu_count=read_amount(inputs.get("gpu_count"), "gpu_count", whole=True),
            floor_replicas=low,
            peak_replicas=peak,
            memory=None
            if memory_value is None
            else read_amount(memory_value, memory, whole=False),
        )

    @cached_property
    def peak_gpus(self) -> Amount:
        """GPUs when all replicas run."""
        return self.gpu_count * self.peak_replicas

    @cached_property
    def floor_gpus(self) -> Amount:
        """GPUs that always run, and always bill."""
        return self.gpu_count * self.floor_replicas

    @property
    def type_text(self) -> str:
        """The GPU type for a sentence."""
        if isinstance(self.gpu_type, str):
            return shown(self.gpu_type)
        return "no type" if self.gpu_type is None else "a type not known yet"


def _peak(low: Amount, high: Amount) -> Amount:
    if not low.exact:
        # The service refuses a floor above the ceiling, so the ceiling is the peak
        # whatever the floor turns out to be.
        return high
    if not high.exact:
        return Amount(low.low, high.unknown, high.invalid)
    return Amount(max(low.low, high.low))


def read_gpu_type(value: Any) -> str | Unknown | None:
    """A GPU type as rules compare it: lower case, no blanks around it."""
    if isinstance(value, Unknown):
        return UNKNOWN
    if not isinstance(value, str):
        return None
    return value.strip().lower() or None


_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,79}")


def shown(text: Any) -> str:
    """
    A word of the program for a message, in quotes.

    Only what looks like a name is repeated: a value may be a secret that was put into
    the wrong place.
    """
    if isinstance(text, str) and _SAFE.fullmatch(text):
        return f'"{text}"'
    return "a value that is not shown here"
