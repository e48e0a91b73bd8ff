"""
Values that nobody knows yet, and plain data with them.

A policy is handed proxies that raise where a preview does not know a value; a state holds
secrets that nobody here can read. Both become UNKNOWN, which refuses to be a truth value,
so that no rule decides on it by accident.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final


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
#: No input of the API is nested nearly as deep; Python's stack ends at about 1,000.
MAX_DEPTH: Final = 100


def plain(value: Any, depth: int = 0) -> Any:
    """
    Return the same value as dicts, lists and scalars, UNKNOWN where nothing is known.

    Takes what policies are handed (proxies that raise on unknown values) and what is in
    an exported state (secrets as tagged mappings; one that is encrypted is UNKNOWN here,
    since nobody can read it).

    Raises:
        ValueError: It is nested deeper than `MAX_DEPTH`.
    """
    if isinstance(value, str):
        return UNKNOWN if value in _WIRE_UNKNOWNS else value
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if depth > MAX_DEPTH:
        msg = f"nested deeper than {MAX_DEPTH} levels"
        raise ValueError(msg)
    if isinstance(value, Mapping):
        result = {str(key): item(value, key, depth) for key in value}
        if result.get(_SIGNATURE) == _SECRET_SIGNATURE:
            return _secret(result)
        return result
    if isinstance(value, Sequence):
        return [item(value, index, depth) for index in range(len(value))]
    return value


def item(container: Any, key: Any, depth: int = 0) -> Any:
    """Return one element through `plain`; UNKNOWN where a proxy refuses to say."""
    try:
        value = container[key]
    except Exception as error:
        # The proxies raise this where a value is not known. It is recognised by name,
        # since this module also runs where the policy SDK is not installed.
        if type(error).__name__ == "UnknownValueError":
            return UNKNOWN
        raise
    return plain(value, depth + 1)


def _secret(tagged: Mapping[str, Any]) -> Any:
    if "value" in tagged:
        return tagged["value"]
    if "plaintext" in tagged:
        import json

        return plain(json.loads(str(tagged["plaintext"])))
    return UNKNOWN
