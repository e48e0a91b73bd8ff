"""
Property values: between the wire, the memory of a rehearsal, and a state file.

Why it exists: programs, plugins and policy packs exchange property maps as protobuf
`Struct`s in which secrets and unknown values hide behind magic strings. Everything
else in the rehearsal works on plain Python data: `dict`, `list`, `str`, `float`,
`bool`, `None`, plus the two markers `Secret` and `UNKNOWN`.

What it refuses: assets, archives, output values and resource references. Programs are
told that the rehearsal does not support the latter two, so that the SDK sends plain
values; an asset is refused by name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import struct_pb2

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - A marker.
UNKNOWN_STRING: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

# The engine has one sentinel per type of unknown value; Python sends the first only,
# but a plugin may answer with any.
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

_REFUSED_SIGNATURES: Final = {
    "c44067f5952c0a294b673a41bacd8c17": "an asset",
    "0def7320c3a5731c473e5ecbe6d01bc7": "an archive",
    "5cf8f73096256a8f31e491e813e4eb8e": "a resource reference",
}
_OUTPUT_SIGNATURE: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"

Value = Any
PropertyMap = dict[str, Any]


class UnsupportedValueError(ValueError):
    """A program or plugin sent a kind of value that a rehearsal cannot carry."""


class _Unknown:
    """The one value of its class: a value that only a real run can know."""

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


def decode(struct: struct_pb2.Struct) -> PropertyMap:
    """Plain data of a property map on the wire."""
    return {key: _decode(value) for key, value in struct.fields.items()}


def _decode(value: struct_pb2.Value) -> Value:
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


def _decode_object(fields: PropertyMap) -> Value:
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
        f"a rehearsal cannot carry {kind} as a property; use a plain value in the "
        "program, or run it with the `pulumi` command"
    )
    raise UnsupportedValueError(message)


def secret(value: Value) -> Secret:
    """`value` as a secret; a secret inside a secret is one secret."""
    return value if isinstance(value, Secret) else Secret(value)


def encode(
    properties: PropertyMap,
    *,
    keep_secrets: bool,
    skip_internal: bool = False,
) -> struct_pb2.Struct:
    """
    A property map for the wire.

    `keep_secrets=False` strips the markers and sends the values in clear, as the
    engine does for a plugin that does not accept secrets. `skip_internal` leaves out
    keys that begin with `__`, at any depth, as it does for policy packs.
    """
    if skip_internal:
        properties = without_internal(properties)
    struct = struct_pb2.Struct()
    for key, value in properties.items():
        _encode(value, keep_secrets, struct.fields[key])
    return struct


def without_internal(value: Value) -> Value:
    """The same value without the bookkeeping keys (`__...`) of providers."""
    if isinstance(value, Secret):
        return Secret(without_internal(value.value))
    if isinstance(value, dict):
        return {
            key: without_internal(item)
            for key, item in value.items()
            if not key.startswith("__")
        }
    if isinstance(value, list):
        return [without_internal(item) for item in value]
    return value


def _encode(value: Value, keep_secrets: bool, into: struct_pb2.Value) -> None:
    if value is None:
        into.null_value = struct_pb2.NULL_VALUE
    elif isinstance(value, bool):
        into.bool_value = value
    elif isinstance(value, int | float):
        into.number_value = value
    elif isinstance(value, str):
        into.string_value = value
    elif isinstance(value, _Unknown):
        into.string_value = UNKNOWN_STRING
    elif isinstance(value, Secret):
        if not keep_secrets:
            _encode(value.value, keep_secrets, into)
            return
        fields = into.struct_value.fields
        fields[SIGNATURE].string_value = SECRET_SIGNATURE
        _encode(value.value, keep_secrets, fields["value"])
    elif isinstance(value, list):
        # An empty list must still be a list on the wire.
        into.list_value.SetInParent()
        for item in value:
            _encode(item, keep_secrets, into.list_value.values.add())
    elif isinstance(value, dict):
        into.struct_value.SetInParent()
        for key, item in value.items():
            _encode(item, keep_secrets, into.struct_value.fields[key])
    else:
        message = f"a value of type {type(value).__name__} cannot be a property"
        raise UnsupportedValueError(message)


def reveal(value: Value, mask: str | None = None) -> Value:
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


def whole(value: Value) -> Value:
    """A float without a fraction as `int`: the wire knows doubles only."""
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return int(value)
    return value


def tidy(value: Value) -> Value:
    """The same value, secret markers kept, whole numbers as `int`."""
    if isinstance(value, Secret):
        return Secret(tidy(value.value))
    if isinstance(value, dict):
        return {key: tidy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [tidy(item) for item in value]
    return whole(value)


def known(value: Value) -> Value:
    """The same value without the unknown parts of objects and lists."""
    if isinstance(value, Secret):
        return Secret(known(value.value))
    if isinstance(value, dict):
        return {k: known(item) for k, item in value.items() if not _hides(item)}
    if isinstance(value, list):
        return [known(item) for item in value if not _hides(item)]
    return value


def _hides(value: Value) -> bool:
    """Whether nothing is known of a value, secret or not."""
    return value is UNKNOWN or (isinstance(value, Secret) and value.value is UNKNOWN)


def contains_unknown(value: Value) -> bool:
    """Whether any part of `value` is unknown."""
    if value is UNKNOWN:
        return True
    if isinstance(value, Secret):
        return contains_unknown(value.value)
    if isinstance(value, dict):
        return any(contains_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(contains_unknown(item) for item in value)
    return False


def contains_secret(value: Value) -> bool:
    """Whether any part of `value` is secret."""
    if isinstance(value, Secret):
        return True
    if isinstance(value, dict):
        return any(contains_secret(item) for item in value.values())
    if isinstance(value, list):
        return any(contains_secret(item) for item in value)
    return False


def annotate_secrets(outputs: PropertyMap, inputs: PropertyMap) -> PropertyMap:
    """
    Mark again in `outputs` what is secret under the same path in `inputs`.

    A plugin that takes secrets in clear also answers in clear. The engine re-marks by
    path through objects; a list with a secret anywhere inside becomes one secret.
    """
    result = dict(outputs)
    for key, out in outputs.items():
        if isinstance(out, Secret) or key not in inputs:
            continue
        given = inputs[key]
        if isinstance(given, Secret):
            result[key] = secret(out)
        elif isinstance(given, dict) and isinstance(out, dict):
            result[key] = annotate_secrets(out, given)
        elif isinstance(given, list) and contains_secret(given):
            result[key] = secret(out)
    return result


def signs(old: PropertyMap, new: PropertyMap) -> list[str]:
    """Top-level keys that differ, each with `+`, `-` or `~` before it."""
    result = []
    for key in sorted({*old, *new}):
        if key.startswith("__"):
            continue
        if key not in old:
            result.append(f"+{key}")
        elif key not in new:
            result.append(f"-{key}")
        elif difference(old[key], new[key], key):
            result.append(f"~{key}")
    return result


def difference(old: Value, new: Value, path: str = "") -> list[str]:
    """
    Property paths at which two values differ, secrets compared by what they hide.

    Keys that begin with `__` are bookkeeping of providers and are left out.
    """
    if isinstance(old, Secret) or isinstance(new, Secret):
        inner_old = old.value if isinstance(old, Secret) else old
        inner_new = new.value if isinstance(new, Secret) else new
        # A secret list or object is shown whole, so it has no paths inside.
        return [path] if difference(inner_old, inner_new, path) else []
    if isinstance(old, dict) and isinstance(new, dict):
        paths: list[str] = []
        for key in sorted({*old, *new}):
            if key.startswith("__"):
                continue
            here = f"{path}.{key}" if path else key
            if key not in old or key not in new:
                paths.append(here)
            else:
                paths += difference(old[key], new[key], here)
        return paths
    if isinstance(old, list) and isinstance(new, list):
        paths = []
        for index in range(max(len(old), len(new))):
            here = f"{path}[{index}]"
            if index >= len(old) or index >= len(new):
                paths.append(here)
            else:
                paths += difference(old[index], new[index], here)
        return paths
    if old is UNKNOWN and new is UNKNOWN:
        return [path]
    if isinstance(old, bool) != isinstance(new, bool) or old != new:
        return [path]
    return []
