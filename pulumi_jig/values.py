"""
Plain data with two markers: what is not known yet, and what must stay secret.

The life cycle works on dictionaries, lists, strings and numbers, whatever host brought
them. A preview knows some values only later (`UNKNOWN`), and some values must be stored
encrypted although nobody declared them so (`SecretValue`). The host adapter translates
both; nothing else needs to know how Pulumi spells them.

`UNKNOWN` cannot be used as a truth value: `if port:` on a port that is not known yet
would be a guess.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Path = tuple[str | int, ...]


class _Unknown:
    """A value that is known only after something else has been created."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        raise TypeError("an unknown value has no truth; test it with `is UNKNOWN`")

    def __deepcopy__(self, memo: object) -> _Unknown:
        return self


UNKNOWN: Final = _Unknown()


@dataclass(frozen=True)
class SecretValue:
    """A value that must be encrypted wherever it is stored, and is shown nowhere."""

    value: Any

    def __repr__(self) -> str:
        return "SecretValue(...)"


def reveal(value: Any) -> Any:
    """The same data without secret markers."""
    if isinstance(value, SecretValue):
        return reveal(value.value)
    if isinstance(value, dict):
        return {key: reveal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [reveal(item) for item in value]
    return value


def secret_leaves(value: Any) -> Iterator[SecretValue]:
    """The markers in the data."""
    if isinstance(value, SecretValue):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from secret_leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from secret_leaves(item)


def has_unknown(value: Any) -> bool:
    """Whether anything in the data is not known yet."""
    return any(True for _ in unknown_paths(value))


def unknown_paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where the data is not known yet."""
    if value is UNKNOWN:
        yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from unknown_paths(item, (*path, key))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from unknown_paths(item, (*path, index))


_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def format_path(path: Path) -> str:
    """A property path as Pulumi writes it: `volumes[0].mount_path`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part)}]"
    return text


def changed_paths(old: Any, new: Any, path: Path = ()) -> Iterator[Path]:
    """
    The deepest paths at which two values differ; never the values.

    Lists are compared element by element when they are equally long, else as a whole.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            if key not in old or key not in new:
                yield (*path, key)
            else:
                yield from changed_paths(old[key], new[key], (*path, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from changed_paths(before, after, (*path, index))
    elif old is UNKNOWN or new is UNKNOWN or not _equal(old, new):
        yield path


def _equal(old: Any, new: Any) -> bool:
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    return bool(old == new)


def whole_numbers(value: Any) -> Any:
    """
    The same data with integral floats as integers.

    Every number crosses Pulumi's wire as a double; `gpu_count: 8.0` in a request body
    or a message would be wrong. Numbers beyond 2**53 have lost digits on the way and
    are left alone.
    """
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        return int(value)
    if isinstance(value, dict):
        return {key: whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole_numbers(item) for item in value]
    return value


def without_none(data: Mapping[str, Any]) -> dict[str, Any]:
    """Without keys whose value is None: None and absent are one thing on the wire."""
    return {key: value for key, value in data.items() if value is not None}


def storable_fault(value: Any, path: Path = ()) -> str | None:
    """
    Say what in the data could not be stored in Pulumi state, or None.

    Proved before a request that creates something, since a failure afterwards would
    lose track of what was created.
    """
    match value:
        case SecretValue():
            return storable_fault(value.value, path)
        case None | bool() | int():
            return None
        case float():
            if math.isfinite(value):
                return None
            return f"{format_path(path)} is not a finite number"
        case str():
            try:
                value.encode()
            except UnicodeEncodeError:
                return f"{format_path(path)} is not valid Unicode"
            return None
        case dict():
            for key, item in value.items():
                if not isinstance(key, str):
                    return f"{format_path(path)} has a key that is not a string"
                if fault := storable_fault(item, (*path, key)):
                    return fault
            return None
        case list():
            for index, item in enumerate(value):
                if fault := storable_fault(item, (*path, index)):
                    return fault
            return None
        case _:
            return (
                f"{format_path(path)} has a {type(value).__name__}, which is not data"
            )
