"""How the table says what a field means for the life of a resource."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True)
class Field:
    """
    What one field means for the life of a deployment.

    Attributes:
        name: The API's name, also the property's.
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
    on_change: Literal["update", "replace"] = "update"
    default: Any = LEFT_ALONE
    same: Callable[[Any, Any, Mapping[str, Any]], bool] = lambda d, v, _: bool(d == v)
    views: Callable[[Any, Any, Mapping[str, Any]], Views] | None = None
    absent: Any = NOT_TOLD
    rolls: bool = True
    source: str = ""
