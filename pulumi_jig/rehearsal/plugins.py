"""
The client side of the real plugin host process (`python -m pulumi.dynamic`).

Requests carry the same fields as the engine's, and responses are read as the engine reads
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from pulumi_jig.rehearsal.processes import GRPC_OPTIONS
from pulumi_jig.rehearsal.properties import (
    PropertyMap,
    annotate_secrets,
    contains_unknown,
    decode,
    encode,
    reveal,
)
from pulumi_jig.rehearsal.responses import (
    CheckResponse,
    DiffResponse,
    ProviderError,
    ReadResponse,
    diff_in,
    failure_in,
    outputs_in,
)

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from pulumi_jig.rehearsal.processes import Process
    from pulumi_jig.rehearsal.recording import Recorder
    from pulumi_jig.rehearsal.state import Resource

PACKAGE: Final = "pulumi-python"


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
        return diff_in(response)

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
        return response.id, outputs_in(response.properties, new.inputs)

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
        return outputs_in(response.properties, new.inputs)

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
        found = outputs_in(response.properties, outputs)
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
        record = self._recorder.begin(method, request) if self._recorder else None
        try:
            response = getattr(self._stub, method)(request)
        except grpc.RpcError as error:
            failure = failure_in(error, masks)
            if record:
                record(None, str(failure.args[0]))
            raise failure from None
        if record:
            record(response, None)
        return response
