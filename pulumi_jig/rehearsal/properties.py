"""
Property values: plain Python data, two markers, and their form on the wire.

Programs, plugins and policy packs exchange property maps as protobuf `Struct`s in which
secrets and unknown values hide behind magic strings. The rest of the rehearsal works on
`dict`, `list`, `str`, `float`, `bool` and `None`, with `Secret` and `UNKNOWN` as markers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import struct_pb2

from pulumi_jig.rehearsal.errors import RehearsalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - A marker.
UNKNOWN_STRING: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

# The engine has one sentinel per type of unknown value; Python sends the first only,
# but a plugin may respond with any.
_UNKNOWN_STRINGS: Final = frozenset(
    {
        UNKNOWN_STRING,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
# Programs are told that resource references and output values are not supported, so
# that the SDK sends plain values; a plugin may return either all the same.
_REFUSED_SIGNATURES: Final = {
    "c44067f5952c0a294b673a41bacd8c17": "an asset",
    "0def7320c3a5731c473e5ecbe6d01bc7": "an archive",
    "5cf8f73096256a8f31e491e813e4eb8e": "a resource reference",
}
_OUTPUT_SIGNATURE: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"

PropertyMap = dict[str, Any]


class _Unknown:
    """The type of `UNKNOWN`, a value that only an update can know."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __deepcopy__(self, memo: dict[int, Any]) -> _Unknown:
        return self

    def __copy__(self) -> _Unknown:
        return self


UNKNOWN: Final = _Unknown()


@dataclass(frozen=True, slots=True)
class Secret:
    """
    A value that must not be shown or written in clear.

    `repr` hides the value, so that a failing assertion does not print it.
    """

    value: Any

    def __repr__(self) -> str:
        return "Secret([secret])"


def secret(value: Any) -> Secret:
    """`value` as a secret; a secret inside a secret is one secret."""
    return value if isinstance(value, Secret) else Secret(value)


# --- On the wire -----------------------------------------------------------------


def decode(struct: struct_pb2.Struct) -> PropertyMap:
    """
    Read a property map from the wire.

    Raises:
        RehearsalError: it holds an asset, an archive or a resource reference.
    """
    return {key: _decode(value) for key, value in struct.fields.items()}


def _decode(value: struct_pb2.Value) -> Any:
    match value.WhichOneof("kind"):
        case "number_value":
            return value.number_value
        case "string_value":
            text = value.string_value
            return UNKNOWN if text in _UNKNOWN_STRINGS else text
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [_decode(item) for item in value.list_value.values]
        case "struct_value":
            return _decode_object(decode(value.struct_value))
        case _:
            return None


def _decode_object(fields: PropertyMap) -> Any:
    signature = fields.get(SIGNATURE)
    if signature is None:
        return fields
    if signature == SECRET_SIGNATURE:
        return secret(fields.get("value"))
    if signature == _OUTPUT_SIGNATURE:
        value = fields.get("value", UNKNOWN)
        return secret(value) if fields.get("secret") else value
    kind = _REFUSED_SIGNATURES.get(str(signature), "a value of an unknown kind")
    message = (
        f"a rehearsal does not support {kind} as a property; use a plain value in the "
        "program, or run it with the `pulumi` command"
    )
    raise RehearsalError(message)


def encode(
    properties: PropertyMap, *, keep_secrets: bool = False, skip_internal: bool = False
) -> struct_pb2.Struct:
    """
    Write a property map for the wire.

    Args:
        properties: The values.
        keep_secrets: Mark secrets. The default sends them in clear and unmarked, as the
            engine does for a plugin that does not accept secrets.
        skip_internal: Leave out keys that begin with `__`, at any depth, as the engine
            does for policy packs.
    """
    struct = struct_pb2.Struct()
    _encode_object(properties, struct.fields, keep_secrets, skip_internal)
    return struct


def _encode_object(value: PropertyMap, fields: Any, keep: bool, skip: bool) -> None:
    for key, item in value.items():
        if not (skip and key.startswith("__")):
            _encode(item, fields[key], keep, skip)


def _encode(value: Any, into: struct_pb2.Value, keep: bool, skip: bool) -> None:
    # In the order of how often they come: with thousands of resources this is where the
    # time goes.
    if isinstance(value, str):
        into.string_value = value
    elif isinstance(value, bool):
        into.bool_value = value
    elif isinstance(value, int | float):
        into.number_value = value
    elif value is None:
        into.null_value = struct_pb2.NULL_VALUE
    elif isinstance(value, dict):
        into.struct_value.SetInParent()
        _encode_object(value, into.struct_value.fields, keep, skip)
    elif isinstance(value, list):
        # An empty list must still be a list on the wire.
        into.list_value.SetInParent()
        for item in value:
            _encode(item, into.list_value.values.add(), keep, skip)
    elif isinstance(value, Secret):
        if keep:
            fields = into.struct_value.fields
            fields[SIGNATURE].string_value = SECRET_SIGNATURE
            into = fields["value"]
        _encode(value.value, into, keep, skip)
    elif value is UNKNOWN:
        into.string_value = UNKNOWN_STRING
    else:
        message = f"a value of type {type(value).__name__} cannot be a property"
        raise RehearsalError(message)


# --- As data ---------------------------------------------------------------------


def reveal(value: Any, mask: str | None = None) -> Any:
    """
    The same value without secret markers, whole numbers as `int`.

    With `mask` that takes the place of each secret.
    """
    if isinstance(value, Secret):
        return reveal(value.value) if mask is None else mask
    if isinstance(value, dict):
        return {key: reveal(item, mask) for key, item in value.items()}
    if isinstance(value, list):
        return [reveal(item, mask) for item in value]
    return whole(value)


def whole(value: Any) -> Any:
    """A float without a fraction as `int`: the wire knows doubles only."""
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return int(value)
    return value


def contains_unknown(value: Any) -> bool:
    """Whether any part of `value` is unknown."""
    return _any(value, lambda part: part is UNKNOWN)


def contains_secret(value: Any) -> bool:
    """Whether any part of `value` is secret."""
    return _any(value, lambda part: isinstance(part, Secret))


def _any(value: Any, holds: Callable[[Any], bool]) -> bool:
    if holds(value):
        return True
    if isinstance(value, Secret):
        return _any(value.value, holds)
    if isinstance(value, dict):
        return any(_any(item, holds) for item in value.values())
    return isinstance(value, list) and any(_any(item, holds) for item in value)


def annotate_secrets(outputs: PropertyMap, inputs: PropertyMap) -> PropertyMap:
    """
    Mark again in `outputs` what is secret under the same path in `inputs`.

    A plugin that takes secrets in clear also responds in clear. The engine marks again
    by path through objects; a list with a secret anywhere inside becomes one secret.
    """
    result = dict(outputs)
    for key, out in outputs.items():
        if isinstance(out, Secret) or key not in inputs:
            continue
        given = inputs[key]
        if isinstance(given, dict) and isinstance(out, dict):
            result[key] = annotate_secrets(out, given)
        elif isinstance(given, Secret | list) and contains_secret(given):
            result[key] = secret(out)
    return result


def signs(old: PropertyMap, new: PropertyMap) -> list[str]:
    """Top-level keys that differ, each with `+`, `-` or `~` before it."""
    result = []
    for key in sorted({*old, *new}):
        if key in old and key in new:
            if difference({key: old[key]}, {key: new[key]}):
                result.append(f"~{key}")
        elif not key.startswith("__"):
            result.append(f"{'+' if key in new else '-'}{key}")
    return result


def difference(old: Any, new: Any, path: str = "") -> list[str]:
    """
    Property paths at which two values differ, secrets compared by what they hide.

    Keys that begin with `__` are bookkeeping of providers and are left out.
    """
    if isinstance(old, Secret) or isinstance(new, Secret):
        inside = difference(
            *(v.value if isinstance(v, Secret) else v for v in (old, new))
        )
        # A secret list or object is shown whole, so it has no paths inside.
        return [path] if inside else []
    parts: Iterable[tuple[str, Any, Any]] = ()
    if isinstance(old, dict) and isinstance(new, dict):
        prefix = f"{path}." if path else ""
        keys = [key for key in sorted({*old, *new}) if not key.startswith("__")]
        parts = ((prefix + k, old.get(k, ...), new.get(k, ...)) for k in keys)
    elif isinstance(old, list) and isinstance(new, list):
        pairs = enumerate(zip_longest(old, new, fillvalue=...))
        parts = ((f"{path}[{index}]", *pair) for index, pair in pairs)
    elif isinstance(old, bool) != isinstance(new, bool) or old != new or old is UNKNOWN:
        return [path]
    return [found for here, a, b in parts for found in difference(a, b, here)]
