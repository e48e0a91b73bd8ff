"""
The client side of the real plugin host process (`python -m pulumi.dynamic`).

Requests carry the same fields as the engine's, and responses are read as the engine reads
them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf import empty_pb2
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from pulumi_jig.rehearsal.errors import RehearsalError
from pulumi_jig.rehearsal.processes import GRPC_OPTIONS
from pulumi_jig.rehearsal.properties import (
    UNKNOWN_STRING,
    PropertyMap,
    annotate_secrets,
    contains_unknown,
    decode,
    encode,
    reveal,
)

if TYPE_CHECKING:
    from google.protobuf import struct_pb2
    from google.protobuf.message import Message

    from pulumi_jig.rehearsal.processes import Process
    from pulumi_jig.rehearsal.recording import Recorder
    from pulumi_jig.rehearsal.state import Resource

PACKAGE: Final = "pulumi-python"
_STATUS_DETAILS: Final = "grpc-status-details-bin"
_CHANGES: Final = {
    provider_pb2.DiffResponse.DIFF_SOME: True,
    provider_pb2.DiffResponse.DIFF_NONE: False,
}


class ProviderError(RehearsalError):
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


class Provider:
    """
    A plugin host process: one per provider resource and operation.

    Its calls raise `InitError` for what was done and is not finished, and
    `ProviderError` for everything else.
    """

    def __init__(self, process: Process, recorder: Recorder | None) -> None:
        self._process = process
        self._recorder = recorder
        self._channel = grpc.insecure_channel(
            f"127.0.0.1:{process.port()}", options=GRPC_OPTIONS
        )
        self._stub = provider_pb2_grpc.ResourceProviderStub(self._channel)
        self._is_configured = False

    def configure(self, provider: Resource) -> None:
        """
        Hand over the configuration.

        One with unknown values cannot be handed over: the provider stays unconfigured,
        and in the preview nothing is asked of it.
        """
        if contains_unknown(provider.inputs):
            return
        self._call(
            "Configure",
            provider_pb2.ConfigureRequest,
            provider,
            variables={
                f"{PACKAGE}:config:{key}": str(value)
                for key, value in reveal(provider.inputs).items()
            },
            args=encode(provider.inputs, keep_secrets=True),
            acceptSecrets=True,
            acceptResources=True,
            sends_old_inputs=True,
            sends_old_inputs_to_delete=True,
            id=provider.id,
        )
        self._is_configured = True

    def check(self, new: Resource, old: Resource | None, seed: bytes) -> CheckResponse:
        """Check and complete the inputs of `new`."""
        if not self._is_configured:
            return CheckResponse(new.inputs)
        response = self._call(
            "Check",
            provider_pb2.CheckRequest,
            new,
            olds=encode(old.inputs if old else {}),
            # The engine sends them from 3.274 on; older SDKs have no such field.
            old_outputs=encode(old.outputs if old else {}),
            news=encode(new.inputs),
            randomSeed=seed,
        )
        return CheckResponse(
            annotate_secrets(decode(response.inputs), new.inputs),
            [(failure.property, failure.reason) for failure in response.failures],
        )

    def diff(
        self, old: Resource, inputs: PropertyMap, new: Resource | None = None
    ) -> DiffResponse:
        """Compare `inputs` with `old`; `new` says which changes are ignored."""
        if not self._is_configured:
            return DiffResponse(None)
        about = new or old
        response = self._call(
            "Diff",
            provider_pb2.DiffRequest,
            about,
            id=old.id,
            olds=encode(old.outputs),
            old_inputs=encode(old.inputs),
            news=encode(inputs),
            ignoreChanges=about.ignore_changes,
        )
        return DiffResponse(
            _CHANGES.get(response.changes),
            tuple(response.replaces),
            response.deleteBeforeReplace,
        )

    def create(self, new: Resource) -> tuple[str, PropertyMap]:
        """Create the resource; its id and outputs."""
        response = self._call(
            "Create",
            provider_pb2.CreateRequest,
            new,
            new.inputs,
            properties=encode(new.inputs),
            timeout=new.custom_timeouts.get("create", 0.0),
        )
        if not response.id:
            message = f"the provider returned no id for {new.name!r} from create"
            raise ProviderError(message)
        return response.id, _outputs_in(response.properties, new.inputs)

    def update(self, old: Resource, new: Resource) -> PropertyMap:
        """Change the resource in place; its outputs."""
        response = self._call(
            "Update",
            provider_pb2.UpdateRequest,
            new,
            new.inputs,
            id=old.id,
            olds=encode(old.outputs),
            old_inputs=encode(old.inputs),
            news=encode(new.inputs),
            timeout=new.custom_timeouts.get("update", 0.0),
            ignoreChanges=new.ignore_changes,
        )
        return _outputs_in(response.properties, new.inputs)

    def delete(self, old: Resource) -> None:
        """Remove the resource."""
        self._call(
            "Delete",
            provider_pb2.DeleteRequest,
            old,
            id=old.id,
            properties=encode(old.outputs),
            old_inputs=encode(old.inputs),
            timeout=old.custom_timeouts.get("delete", 0.0),
        )

    def read(self, resource: Resource, outputs: PropertyMap) -> ReadResponse:
        """Read the resource, whose last outputs were `outputs`."""
        response = self._call(
            "Read",
            provider_pb2.ReadRequest,
            resource,
            resource.inputs,
            outputs,
            id=resource.id,
            properties=encode(outputs),
            inputs=encode(resource.inputs),
        )
        inputs = None
        if response.HasField("inputs"):
            inputs = annotate_secrets(decode(response.inputs), resource.inputs)
        found = _outputs_in(response.properties, outputs)
        return ReadResponse(
            response.id, annotate_secrets(found, resource.inputs), inputs
        )

    def cancel(self) -> None:
        """Tell the provider that the operation is being given up."""
        try:
            self._stub.Cancel(empty_pb2.Empty(), timeout=1.0)
        except grpc.RpcError:
            pass  # Best effort: the engine does not insist either.

    def close(self) -> None:
        """End the process, as the engine does at the end of an operation."""
        self._channel.close()
        self._process.stop()

    def _call(
        self,
        method: str,
        kind: type[Message],
        about: Resource,
        *masks: PropertyMap,
        **fields: Any,
    ) -> Any:
        """Send those of `fields` that the installed SDK's protocol knows."""
        fields |= {"urn": about.urn, "name": about.name, "type": about.type}
        known = kind.DESCRIPTOR.fields_by_name
        request = kind(**{key: value for key, value in fields.items() if key in known})
        call = self._recorder.begin(method, request) if self._recorder else None
        try:
            response = getattr(self._stub, method)(request)
        except grpc.RpcError as error:
            failure = _failure_in(error, masks)
            if call:
                call.error = str(failure.args[0])
            raise failure from None
        if call:
            call.response = MessageToDict(response)
        return response


def _outputs_in(struct: struct_pb2.Struct, inputs: PropertyMap) -> PropertyMap:
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


def _failure_in(error: grpc.RpcError, masks: tuple[PropertyMap, ...]) -> ProviderError:
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
