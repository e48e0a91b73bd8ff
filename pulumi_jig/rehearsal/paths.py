"""Property paths as people write them in `ignore_changes`: `a.b[0]["c.d"]`, `*`."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.rehearsal.properties import Secret

if TYPE_CHECKING:
    from pulumi_jig.rehearsal.properties import PropertyMap

_PART: Final = re.compile(
    r"""
    \.?(?P<name>[^.\[\]"]+)
    | \[(?P<index>\d+)\]
    | \[(?P<star>\*)\]
    | \["(?P<quoted>(?:[^"\\]|\\.)*)"\]
    """,
    re.VERBOSE,
)
_MISSING: Final = object()


class PathError(ValueError):
    """A property path cannot be read."""


def parse(path: str) -> list[str | int]:
    """
    The steps of a path; `*` stands for every element.

    Raises:
        PathError: it cannot be read.
    """
    result: list[str | int] = []
    position = 0
    while position < len(path):
        match = _PART.match(path, position)
        if match is None:
            message = f"{path!r} is not a property path"
            raise PathError(message)
        if match["index"] is not None:
            result.append(int(match["index"]))
        elif match["quoted"] is not None:
            result.append(match["quoted"].replace('\\"', '"'))
        else:
            result.append(match["star"] or match["name"])
        position = match.end()
    return result


def reset(new: PropertyMap, old: PropertyMap, paths: list[str]) -> PropertyMap:
    """
    `new` with the values at `paths` set back to what they are in `old`.

    A path that is absent from the old values is removed from the new ones.
    """
    result = copy.deepcopy(new) if paths else new
    for path in paths:
        try:
            steps = parse(path)
        except PathError:
            continue  # The engine ignores what it cannot read.
        if steps:
            _reset(result, old, steps)
    return result


def _reset(new: Any, old: Any, steps: list[str | int]) -> None:
    new, old = (v.value if isinstance(v, Secret) else v for v in (new, old))
    first, *rest = steps
    for key in _keys(new, old, first):
        before, inside = _get(old, key), _get(new, key)
        if rest and inside is not _MISSING and before is not _MISSING:
            _reset(inside, before, rest)
        elif inside is not before:
            _put(new, key, before)


def _keys(new: Any, old: Any, step: str | int) -> list[Any]:
    if step != "*":
        return [step]
    if isinstance(new, dict) and isinstance(old, dict):
        return sorted({*new, *old})
    if isinstance(new, list) and isinstance(old, list):
        return list(range(min(len(new), len(old))))
    return []


def _get(container: Any, key: str | int) -> Any:
    if isinstance(container, dict):
        return container.get(key, _MISSING)
    if isinstance(container, list) and isinstance(key, int) and key < len(container):
        return container[key]
    return _MISSING


def _put(container: Any, key: str | int, value: Any) -> None:
    if isinstance(container, dict) and isinstance(key, str):
        if value is _MISSING:
            container.pop(key, None)
        else:
            container[key] = copy.deepcopy(value)
    elif _get(container, key) is not _MISSING and value is not _MISSING:
        container[key] = copy.deepcopy(value)
