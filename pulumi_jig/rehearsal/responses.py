"""
What providers answer, as the engine reads it.

Why it exists: a partial failure hides in the details of a gRPC status, secrets must be
marked again by path, and an unknown value in a real run is an error.

What it refuses: answers that the engine refuses too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from pulumi.runtime.proto import provider_pb2, status_pb2

from pulumi_jig.rehearsal.properties import (
    UNKNOWN_STRING,
    PropertyMap,
    annotate_secrets,
    contains_unknown,
    decode,
)

_STATUS_DETAILS: Final = "grpc-status-details-bin"


class ProviderError(RuntimeError):
    """The provider failed a call; `str` is what it said."""


class InitError(ProviderError):
    """
    The provider made or changed the resource, but could not finish it.

    Attributes:
        id: The provider's id of the resource.
        properties: Its outputs so far.
        inputs: What read returned as inputs, if anything.
        reasons: Why it is not finished.
    """

    def __init__(
        self,
        message: str,
        *,
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


@dataclass(frozen=True)
class CheckResponse:
    """What a check made of the inputs; `failures` are (property, reason)."""

    inputs: PropertyMap
    failures: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class DiffResponse:
    """What a diff says; `changes` is None where the provider does not know."""

    changes: bool | None
    replaces: tuple[str, ...] = ()
    delete_before_replace: bool = False


@dataclass(frozen=True)
class ReadResponse:
    """What a read found; an empty id means that it is gone."""

    id: str
    outputs: PropertyMap
    inputs: PropertyMap | None


class UnimplementedError(ProviderError):
    """The host does not know the method."""


def outputs_in(struct: Any, mask: PropertyMap) -> PropertyMap:
    """
    The outputs in an answer, secrets marked as in `mask`.

    Raises:
        ProviderError: one of them is unknown, which a real run cannot have.
    """
    outputs = decode(struct)
    unknown = sorted(key for key, value in outputs.items() if contains_unknown(value))
    if unknown:
        message = (
            f"the provider returned an unknown value ({UNKNOWN_STRING}) for "
            f"{', '.join(unknown)} in a real run"
        )
        raise ProviderError(message)
    return annotate_secrets(outputs, mask)


def diff_in(response: Any) -> DiffResponse:
    """The answer to a diff, or to a diff of a configuration."""
    changes: bool | None = None
    if response.changes == provider_pb2.DiffResponse.DIFF_SOME:
        changes = True
    elif response.changes == provider_pb2.DiffResponse.DIFF_NONE:
        changes = False
    return DiffResponse(changes, tuple(response.replaces), response.deleteBeforeReplace)


def failure_in(error: grpc.RpcError, masks: tuple[PropertyMap, ...]) -> ProviderError:
    """
    The failure as the engine reads it.

    Details count only where the code inside the status equals the code of the call.
    """
    if error.code() == grpc.StatusCode.UNIMPLEMENTED:
        return UnimplementedError(error.details() or "not implemented")
    if error.code() == grpc.StatusCode.UNAVAILABLE:
        # The process is gone. gRPC has several ways to say so, the engine has one.
        return ProviderError("error reading from server: EOF")
    message = str(error.details() or error.code().name)
    for key, value in error.trailing_metadata() or ():
        if key != _STATUS_DETAILS:
            continue
        status = status_pb2.Status()
        status.ParseFromString(value)
        if status.code != error.code().value[0]:
            continue
        message = status.message or message
        for detail in status.details:
            partial = provider_pb2.ErrorResourceInitFailed()
            if detail.Is(partial.DESCRIPTOR):
                detail.Unpack(partial)
                outputs = decode(partial.properties)
                inputs = decode(partial.inputs) if partial.HasField("inputs") else None
                for mask in masks:
                    outputs = annotate_secrets(outputs, mask)
                    if inputs is not None:
                        inputs = annotate_secrets(inputs, mask)
                return InitError(
                    message,
                    resource_id=partial.id,
                    properties=outputs,
                    inputs=inputs,
                    reasons=list(partial.reasons),
                )
    return ProviderError(message)
