"""
Numbers as policies meet them, and quantities that know what they miss.

All numbers arrive as floats, some as text, and some are none. What is not a number is
never compared: NaN is smaller than no limit and larger than none, so it would pass all of
them. Sums are decimal: 0.1 + 0.1 + 0.1 USD are 0.3 USD.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from pulumi_jig.policy.unknown import UNKNOWN

_NUMERAL: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,2})?")
# No machine, bill or API limit comes near; what is above is a mistake in the program.
_ABSURD: Final = Decimal(10) ** 12
ZERO: Final = Decimal(0)


def read_number(value: Any) -> Decimal | None:
    """
    Return the finite number that a value means, or None.

    Floats (all numbers arrive as floats) and numeric text are numbers. Booleans, NaN,
    infinities and everything that only Python reads as a number are not.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Decimal(value) if abs(value) < _ABSURD else None
    if isinstance(value, float | Decimal):
        # NaN and the infinities have no digits, so the pattern below refuses them.
        value = repr(value) if isinstance(value, float) else str(value)
    if not isinstance(value, str):
        return None
    text = value.strip()
    if not text.isascii() or _NUMERAL.fullmatch(text) is None:
        return None
    number = Decimal(text)
    return number if abs(number) < _ABSURD else None


def quantity_fault(value: Any, *, whole: bool) -> str | None:
    """
    Say why a value is not a quantity, as the end of a sentence, or None if it is one.

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
    """Write a number as people do: `8`, `0.5`, never `8.0`."""
    text = format(Decimal(number), "f")
    return text.rstrip("0").rstrip(".") or "0" if "." in text else text


@dataclass(frozen=True, slots=True)
class Quantity:
    """
    How much of something, as far as it is known.

    Attributes:
        low: The least that it can be; the quantity itself where nothing is missing.
        unknown: Properties that are not known yet, on which it depends.
        invalid: Properties that are no quantities, on which it depends.
    """

    low: Decimal = ZERO
    unknown: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether nothing is missing."""
        return not self.unknown and not self.invalid

    @property
    def is_zero(self) -> bool:
        """Whether it is certainly nothing."""
        return self.low == 0 and self.exact

    @property
    def text(self) -> str:
        """The quantity for a sentence: `8`, or `at least 8` where something is missing."""
        return show(self.low) if self.exact else f"at least {show(self.low)}"

    def __add__(self, other: Quantity) -> Quantity:
        """Return the sum, which misses what either part misses."""
        return Quantity(
            self.low + other.low,
            _merged(self.unknown, other.unknown),
            _merged(self.invalid, other.invalid),
        )

    def __mul__(self, other: Quantity) -> Quantity:
        """Return the product; nothing times anything, known or not, is nothing."""
        if self.is_zero or other.is_zero:
            return Quantity()
        return Quantity(
            self.low * other.low,
            _merged(self.unknown, other.unknown),
            _merged(self.invalid, other.invalid),
        )

    def scaled(self, factor: Decimal) -> Quantity:
        """Return the quantity times a known factor."""
        return self * Quantity(factor)

    def at(self, prefix: str) -> Quantity:
        """Return the same quantity with its properties named from further away."""
        if self.exact:
            return self
        return Quantity(
            self.low,
            tuple(f"{prefix}{path}" for path in self.unknown),
            tuple(f"{prefix}{path}" for path in self.invalid),
        )


def _merged(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return one if one == other else tuple(dict.fromkeys(one + other))


def read_quantity(value: Any, path: str, *, whole: bool, default: int = 0) -> Quantity:
    """Read the quantity that one property holds; unset means `default`."""
    if value is None:
        return Quantity(Decimal(default))
    if value is UNKNOWN:
        return Quantity(unknown=(path,))
    if quantity_fault(value, whole=whole) is not None:
        return Quantity(invalid=(path,))
    number = read_number(value)
    assert number is not None
    return Quantity(number)
