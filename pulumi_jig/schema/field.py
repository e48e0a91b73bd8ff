"""How the table says what a field means for the life of a resource."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class _LeftAlone:
    def __repr__(self) -> str:
        return "LEFT_ALONE"


class _NotTold:
    def __repr__(self) -> str:
        return "NOT_TOLD"


#: Left out, the service chooses a value itself. The API documents no way back to that,
#: so dropping such a field is refused.
LEFT_ALONE: Final = _LeftAlone()
#: An answer without this field says nothing about it.
NOT_TOLD: Final = _NotTold()


Views = tuple[Any, Any]

#: In `Field.parts`, an entry of a list of texts.
ENTRY: Final = "[]"


@dataclass(frozen=True, kw_only=True)
class Range:
    """
    Which numbers a field takes.

    Attributes:
        whole: Whether only whole numbers.
        least: The smallest, or None.
        above: What it must be larger than, or None.
        most: The largest, or None.
    """

    whole: bool = True
    least: float | None = None
    above: float | None = None
    most: float | None = None

    def __str__(self) -> str:
        """In words: `a whole number from 0 to 400`, `more than 0 and at most 1000`."""
        if self.above is not None:
            words = f"more than {self.above}"
            return words if self.most is None else f"{words} and at most {self.most}"
        if not self.whole:
            return f"{self.least} or more"
        words = f"a whole number from {self.least}"
        return words if self.most is None else f"{words} to {self.most}"


@dataclass(frozen=True)
class Field:
    """
    What one field means for the life of a deployment.

    Attributes:
        name: The API's name, also the property's.
        what: What it takes, in words that follow "it takes"; of a number without its
            range.
        range: Which numbers it takes; None where it is no number.
        unit: What a number of it counts, where it is a measure: `GiB`, `cores`, `s`.
        parts: What its parts take, by their key; `ENTRY` for the entries of a list.
        on_change: `update` in place, or `replace` the deployment.
        default: What a field that is left out is held at, in the form that state has;
            `LEFT_ALONE` for a required field and for what the service chooses. Of
            `max_replicas` it is the value of `min_replicas`, see `held_value`.
        same: Whether a wanted value is true of a live one. Third argument: all
            declared inputs, for fields whose default depends on another field.
        views: Both values without what is no difference, where their parts are compared;
            for such a field `same` is that the two views are equal.
        absent: What it means that a full answer leaves the field out: services of this
            kind omit empty values. `NOT_TOLD` where there is no empty value.
        rolls: Whether a change makes a new revision, so that replicas restart.
        source: Where the rule comes from, as the service's documents leave it open.
    """

    name: str
    what: str
    range: Range | None = None
    unit: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    on_change: Literal["update", "replace"] = "update"
    default: Any = LEFT_ALONE
    same: Callable[[Any, Any, Mapping[str, Any]], bool] = lambda d, v, _: bool(d == v)
    views: Callable[[Any, Any, Mapping[str, Any]], Views] | None = None
    absent: Any = NOT_TOLD
    rolls: bool = True
    source: str = ""

    @property
    def takes(self) -> str:
        """What it takes, with the range: `cores per replica, 0.1 or more`."""
        return f"{self.what}, {self.range}" if self.range else self.what
