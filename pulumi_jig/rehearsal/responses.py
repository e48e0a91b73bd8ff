"""What providers respond, as the engine reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import grpc
from pulumi.runtime.proto import provider_pb2, status_pb2

from pulumi_jig.rehearsal.properties import (
    UNKNOWN_STRING,
    PropertyMap,
    annotate_secrets,
    contains_unknown,
    decode,
)

if TYPE_CHECKING:
    from google.protobuf import struct_pb2

_STATUS_DETAILS: Final = "grpc-status-details-bin"


class ProviderError(RuntimeError):
    """A call of a provider failed; `str` is what the provider said."""


class InitError(ProviderError):
    """
    The provider created, changed or read a resource that is not finished.

    Attributes:
        id: The provider's id of the resource.
        properties: Its outputs so far.
        inputs: What a read returned as inputs, if anything.
        reasons: Why it is not finished.
    """

    def __init__(
        self,
        message: str,
        resource_id: str,
        properties: PropertyMap,
        inputs: PropertyMap | None,
        reasons: list[str],
    ) -> None:
        super().__init__(message)
        self.id = resource_id
        self.properties = properties
        self.inputs = inputs
        self.reasons = reasons

    def __str__(self) -> str:
        """All reasons, as the engine lists them."""
        number = len(self.reasons)
        if not number:
            return super().__str__()
        title = "1 error" if number == 1 else f"{number} errors"
        return "\n\t* ".join([f"{title} occurred:", *self.reasons])


@dataclass(frozen=True)
class CheckResponse:
    """The checked inputs; `failures` are (property, reason)."""

    inputs: PropertyMap
    failures: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class DiffResponse:
    """A diff; `changes` is None where the provider leaves it to the engine."""

    changes: bool | None
    replaces: tuple[str, ...] = ()
    delete_before_replace: bool = False


@dataclass(frozen=True)
class ReadResponse:
    """What a read found; an empty id means that the resource is gone."""

    id: str
    outputs: PropertyMap
    inputs: PropertyMap | None


def outputs_in(struct: struct_pb2.Struct, inputs: PropertyMap) -> PropertyMap:
    """
    The outputs in a response, secrets marked as in `inputs`.

    Raises:
        ProviderError: one of them is unknown, which it cannot be in an update.
    """
    outputs = decode(struct)
    unknown = sorted(key for key, value in outputs.items() if contains_unknown(value))
    if unknown:
        message = (
            f"the provider returned an unknown value ({UNKNOWN_STRING}) for "
            f"{', '.join(unknown)} in a real run"
        )
        raise ProviderError(message)
    return annotate_secrets(outputs, inputs)


def diff_in(response: provider_pb2.DiffResponse) -> DiffResponse:
    """The diff in a response."""
    changes = {
        provider_pb2.DiffResponse.DIFF_SOME: True,
        provider_pb2.DiffResponse.DIFF_NONE: False,
    }.get(response.changes)
    return DiffResponse(changes, tuple(response.replaces), response.deleteBeforeReplace)


def failure_in(error: grpc.RpcError, masks: tuple[PropertyMap, ...]) -> ProviderError:
    """
    The failure of a call; secrets in a partial state are marked as in `masks`.

    Details count only where the code inside the status equals the code of the call.
    """
    if error.code() == grpc.StatusCode.UNAVAILABLE:
        # The process is gone. gRPC has several ways to say so, the engine has one.
        return ProviderError("error reading from server: EOF")
    message = str(error.details() or error.code().name)
    metadata: dict[str, Any] = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(metadata.get(_STATUS_DETAILS, b""))
    if status.code != error.code().value[0]:
        return ProviderError(message)
    message = status.message or message
    for detail in status.details:
        partial = provider_pb2.ErrorResourceInitFailed()
        if detail.Unpack(partial):
            outputs = decode(partial.properties)
            inputs = decode(partial.inputs) if partial.HasField("inputs") else None
            for mask in masks:
                outputs = annotate_secrets(outputs, mask)
                inputs = inputs and annotate_secrets(inputs, mask)
            return InitError(
                message, partial.id, outputs, inputs, list(partial.reasons)
            )
    return ProviderError(message)
