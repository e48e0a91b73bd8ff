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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any, Final

from pulumi_jig.naming import (
    DEPLOYMENT_TYPE,
    GPU_BUDGET_TYPE,
    SECRET_TYPE,
    VOLUME_TYPE,
)


class Unknown:
    """
    A value that nobody knows yet.

    It has no truth value on purpose: `if value` would silently take one of two
    branches, and a policy that takes the wrong one lets a GPU through.
    """

    __slots__ = ()

    def __bool__(self) -> bool:
        """Refuse to be a truth value."""
        msg = "an unknown value is neither true nor false; compare with UNKNOWN"
        raise TypeError(msg)

    def __repr__(self) -> str:
        """Name it as code does."""
        return "UNKNOWN"


UNKNOWN: Final = Unknown()

# How unknown values are spelled on the wire; these are part of Pulumi's protocol.
_WIRE_UNKNOWNS: Final = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # boolean
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",  # string
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # list
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # mapping
    }
)
_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a tag


def plain(value: Any) -> Any:
    """
    The same value as dicts, lists and scalars, with UNKNOWN where nothing is known.

    Takes what policies are handed (proxies that raise on unknown values), what stands
    in an exported state (secrets as tagged mappings; one that is encrypted is UNKNOWN
    here, since nobody can read it), and what a provider's check is handed (unknown
    values as the protocol's own strings).
    """
    if isinstance(value, str):
        return UNKNOWN if value in _WIRE_UNKNOWNS else value
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Mapping):
        result = {str(key): item(value, key) for key in value}
        if result.get(_SIGNATURE) == _SECRET_SIGNATURE:
            return _secret(result)
        return result
    if isinstance(value, Sequence):
        return [item(value, index) for index in range(len(value))]
    return value


def item(container: Any, key: Any) -> Any:
    """One element, through `plain`; UNKNOWN where a proxy refuses to say."""
    try:
        value = container[key]
    except Exception as error:
        # The proxies raise this where a value is not known. It is recognised by name,
        # since this module also runs where the policy SDK is not installed.
        if type(error).__name__ == "UnknownValueError":
            return UNKNOWN
        raise
    return plain(value)


def _secret(tagged: Mapping[str, Any]) -> Any:
    if "value" in tagged:
        return tagged["value"]
    if "plaintext" in tagged:
        import json

        return plain(json.loads(str(tagged["plaintext"])))
    return UNKNOWN


# --- Quantities --------------------------------------------------------------------

_NUMERAL: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,2})?")
# No machine, bill or API limit comes near; what is above is a mistake in the program.
_ABSURD: Final = Decimal(10) ** 12
ZERO: Final = Decimal(0)


def read_number(value: Any) -> Decimal | None:
    """
    The finite number that a value means, or None.

    Floats (all numbers arrive as floats) and numeric text are numbers. Booleans, NaN,
    infinities and everything that only Python reads as a number are not.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Decimal(value) if abs(value) < _ABSURD else None
    if isinstance(value, float):
        # NaN and the infinities have no digits, so the pattern below refuses them.
        value = repr(value)
    if isinstance(value, Decimal):
        value = str(value)
    if not isinstance(value, str):
        return None
    text = value.strip()
    if _NUMERAL.fullmatch(text) is None:
        return None
    number = Decimal(text)
    return number if abs(number) < _ABSURD else None


def quantity_fault(value: Any, *, whole: bool) -> str | None:
    """
    Why a value is not a quantity, as the end of a sentence, or None if it is one.

    The value itself is shown only where it is a number: text may be anything, a secret
    included.
    """
    if value is None or value is UNKNOWN:
        return None
    number = read_number(value)
    if number is None:
        return f"is {_kind(value)}, not a number"
    if number < 0:
        return f"is {show(number)}, which is negative"
    if whole and number != number.to_integral_value():
        return f"is {show(number)}, not a whole number"
    return None


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, float | int):
        return "out of all bounds"
    if isinstance(value, str):
        return "text"
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, Sequence) else "of another type"


def show(number: Decimal | int) -> str:
    """A number as people write it: `8`, `0.5`, never `8.0`."""
    text = format(Decimal(number), "f")
    return text.rstrip("0").rstrip(".") or "0" if "." in text else text


@dataclass(frozen=True, slots=True)
class Amount:
    """
    How much of something, as far as it is known.

    Attributes:
        low: The least that it can be; the amount itself where nothing is missing.
        unknown: Properties that are not known yet, of which it depends.
        invalid: Properties that are not quantities, of which it depends.
    """

    low: Decimal = ZERO
    unknown: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """True where nothing is missing."""
        return not self.unknown and not self.invalid

    def __add__(self, other: Amount) -> Amount:
        """The sum, which misses what either part misses."""
        return Amount(
            self.low + other.low,
            _merged(self.unknown, other.unknown),
            _merged(self.invalid, other.invalid),
        )

    def __mul__(self, other: Amount) -> Amount:
        """The product; nothing times anything, known or not, is nothing."""
        if self.is_zero or other.is_zero:
            return Amount()
        return Amount(
            self.low * other.low,
            _merged(self.unknown, other.unknown),
            _merged(self.invalid, other.invalid),
        )

    @property
    def is_zero(self) -> bool:
        """True where it is certainly nothing."""
        return self.exact and self.low == 0

    @property
    def text(self) -> str:
        """The amount for a sentence: `8`, or `at least 8` where something is missing."""
        return show(self.low) if self.exact else f"at least {show(self.low)}"

    def scaled(self, factor: Decimal) -> Amount:
        """The amount times a known factor."""
        return self * Amount(factor)

    def at(self, prefix: str) -> Amount:
        """The same amount, with its properties named from further away."""
        return Amount(
            self.low,
            tuple(f"{prefix}{path}" for path in self.unknown),
            tuple(f"{prefix}{path}" for path in self.invalid),
        )


def _merged(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return one if one == other else tuple(dict.fromkeys(one + other))


def read_amount(value: Any, path: str, *, whole: bool, default: int = 0) -> Amount:
    """The amount that one property holds; unset means `default`."""
    if value is None:
        return Amount(Decimal(default))
    if value is UNKNOWN:
        return Amount(unknown=(path,))
    if quantity_fault(value, whole=whole) is not None:
        return Amount(invalid=(path,))
    number = read_number(value)
    assert number is not None
    return Amount(number)


# --- Resources ------------------------------------------------------------------------

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
