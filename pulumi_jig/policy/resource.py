"""
A resource as every rule sees it, and what a deployment asks for.

A policy is handed proxies that raise, numbers that are floats, quantities that are text,
and values that a preview does not know. All of that ends here, once, so that a rule is
ordinary Python. Nothing is guessed: a value that is not known stays UNKNOWN, and a
quantity that is none stays invalid, which satisfies no limit.

Units: GiB for memory, storage and VRAM, whole GPUs, whole replicas, cores. Defaults are
the API's own: `gpu_count` 0, `min_replicas` 1, `max_replicas` as many as `min_replicas`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.naming import DEPLOYMENT_TYPE
from pulumi_jig.policy.quantities import Quantity, read_quantity
from pulumi_jig.policy.unknown import UNKNOWN, Unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

_DYNAMIC: Final = "pulumi-python:dynamic"
#: The `gpu_type` of a deployment without GPUs.
NO_GPU: Final = "none"


def is_dynamic(type_: str) -> bool:
    """Whether a type is one of Python dynamic providers, whatever its class."""
    return type_.startswith(_DYNAMIC)


def is_deployment(type_: str, keys: Any) -> bool:
    """
    Whether a resource is a deployment of ours, or a dynamic one that has its shape.

    A plain subclass of a dynamic resource loses its type token; it must not lose its
    limits with it.
    """
    if type_ == DEPLOYMENT_TYPE:
        return True
    return is_dynamic(type_) and "gpu_type" in keys and "image" in keys


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
        retain_on_delete: The option of that name. The engine does not hand it to
            policies; a state and a test know it.
        external: Whether the stack only reads it (`Deployment.get`) and does not own it.
        base_url: The address that its provider talks to: None for the service's own.
    """

    type: str
    name: str
    urn: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    protect: bool = False
    ignore_changes: tuple[str, ...] = ()
    retain_on_delete: bool = False
    external: bool = False
    base_url: Any = None

    @cached_property
    def is_deployment(self) -> bool:
        """Whether rules for deployments judge it."""
        return is_deployment(self.type, self.inputs)

    @cached_property
    def requirements(self) -> Requirements:
        """What it asks for, where it is a deployment."""
        return Requirements.of(self.inputs)

    @cached_property
    def label(self) -> str:
        """Its name for a message, in quotes."""
        return label(self.name)

    @property
    def subject(self) -> str:
        """The beginning of a sentence about it."""
        return f"The deployment {self.label}"

    def get(self, key: str) -> Any:
        """Return a property, None where it is unset."""
        return self.inputs.get(key)


@dataclass(frozen=True, eq=False, repr=False)
class Requirements:
    """
    What one deployment asks for.

    Attributes:
        gpu_type: In lower case without blanks; None where unset or not text; UNKNOWN.
        gpu_count: GPUs per replica.
        floor_replicas: Replicas that always run.
        peak_replicas: Replicas that may run at once.
        memory: GiB per replica; None where it is unset (the platform then chooses).
        cpu: Cores per replica; None where unset.
        storage: GiB per replica; None where unset.
    """

    gpu_type: str | Unknown | None
    gpu_count: Quantity
    floor_replicas: Quantity
    peak_replicas: Quantity
    memory: Quantity | None
    cpu: Quantity | None
    storage: Quantity | None

    @classmethod
    def of(cls, inputs: Mapping[str, Any]) -> Requirements:
        """Read them from a deployment's inputs."""
        low = read_quantity(
            inputs.get("min_replicas"), "min_replicas", whole=True, default=1
        )
        peak = low
        if inputs.get("max_replicas") is not None:
            high = read_quantity(inputs["max_replicas"], "max_replicas", whole=True)
            peak = _peak(low, high)

        def optional(name: str, *, whole: bool) -> Quantity | None:
            value = inputs.get(name)
            return None if value is None else read_quantity(value, name, whole=whole)

        return cls(
            gpu_type=read_gpu_type(inputs.get("gpu_type")),
            gpu_count=read_quantity(inputs.get("gpu_count"), "gpu_count", whole=True),
            floor_replicas=low,
            peak_replicas=peak,
            memory=optional("memory", whole=False),
            cpu=optional("cpu", whole=False),
            storage=optional("storage", whole=True),
        )

    def replicas(self, *, floor: bool) -> Quantity:
        """Replicas at the minimum, or when all run."""
        return self.floor_replicas if floor else self.peak_replicas

    @cached_property
    def peak_gpus(self) -> Quantity:
        """GPUs when all replicas run."""
        return self.gpu_count * self.peak_replicas

    @cached_property
    def floor_gpus(self) -> Quantity:
        """GPUs that always run, and always bill."""
        return self.gpu_count * self.floor_replicas

    @property
    def type_text(self) -> str:
        """The GPU type for a sentence."""
        if isinstance(self.gpu_type, str):
            return shown(self.gpu_type)
        return "no type" if self.gpu_type is None else "a type that is not known yet"


def _peak(low: Quantity, high: Quantity) -> Quantity:
    if not low.exact:
        # The service refuses a floor above the ceiling, so the ceiling is the peak
        # whatever the floor turns out to be.
        return high
    if not high.exact:
        return Quantity(low.low, high.unknown, high.invalid)
    return Quantity(max(low.low, high.low))


def read_gpu_type(value: Any) -> str | Unknown | None:
    """Read a GPU type as rules compare it: lower case, no blanks around it."""
    if isinstance(value, Unknown):
        return UNKNOWN
    if not isinstance(value, str):
        return None
    return value.strip().lower() or None


_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,79}")
_LONGEST: Final = 80


def shown(text: Any) -> str:
    """
    Quote a value of the program for a message.

    Only what looks like a name is repeated: a value may be a secret that was put into
    the wrong place.
    """
    if isinstance(text, str) and _SAFE.fullmatch(text):
        return f'"{text}"'
    return "a value that is not shown here"


def label(name: str) -> str:
    """
    Quote a resource's name for a message.

    A name is no secret, so what cannot be printed is escaped rather than left out, and
    long names keep their beginning and a digest: two resources never read the same.
    """
    if _SAFE.fullmatch(name):
        return f'"{name}"'
    # Pulumi reads `<{%...%}>` as a colour.
    text = name.encode("unicode_escape").decode("ascii").replace("<{", "<\\x7b")
    text = text.replace('"', '\\"')
    if len(text) > _LONGEST:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        text = f"{text[:_LONGEST]}...{digest}"
    return f'"{text}"'
