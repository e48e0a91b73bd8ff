"""
Data as Pulumi's SDK has it, and as the rest of this package has it.

The SDK hands over floats for all numbers, objects for secrets and unknowns, and its own
bookkeeping between the properties; nothing of that goes further than here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_jig.redaction import remember_secret
from pulumi_jig.values import UNKNOWN, SecretValue, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping


def from_struct(struct: Any) -> dict[str, Any]:
    """A gRPC struct as plain data, secrets revealed, bookkeeping of Pulumi left out."""
    from pulumi.runtime import rpc

    found = rpc.deserialize_properties(struct, True)
    return from_pulumi(found)


def to_struct(data: Mapping[str, Any]) -> Any:
    """Plain data as a gRPC struct, secrets marked."""
    import asyncio

    from pulumi.runtime import rpc

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(rpc.serialize_properties(dict(data), {}))
    finally:
        loop.close()


def from_pulumi(data: Mapping[str, Any]) -> dict[str, Any]:
    """
    What the host hands over, as plain data; the serialised provider left out.

    Every number arrives as a float; whole ones become integers here, once for all.
    """
    found: dict[str, Any] = whole_numbers(_from(dict(data)))
    found.pop("__provider", None)
    return found


def _from(value: Any) -> Any:
    from pulumi.output import Unknown
    from pulumi.runtime import rpc

    if isinstance(value, Unknown):
        return UNKNOWN
    if rpc.is_rpc_secret(value):
        # An engine that keeps secrets apart says here what must not be repeated.
        plain = _from(rpc.unwrap_rpc_secret(value))
        remember_secret(plain)
        return plain
    if isinstance(value, dict):
        return {key: _from(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_from(item) for item in value]
    return value


def to_pulumi(value: Any) -> Any:
    """Plain data as the host takes it: secrets wrapped, unknowns in Pulumi's form."""
    if value is UNKNOWN:
        from pulumi.output import Unknown

        return Unknown()  # type: ignore[no-untyped-call] # Pulumi left it untyped.
    if isinstance(value, SecretValue):
        from pulumi.runtime import rpc

        return rpc.wrap_rpc_secret(to_pulumi(value.value))
    if isinstance(value, dict):
        return {key: to_pulumi(item) for key, item in value.items()}
    if isinstance(value, list):
        return [to_pulumi(item) for item in value]
    return value
