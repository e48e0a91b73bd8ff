"""
The client side of the real plugin host process (`python -m pulumi.dynamic`).

Why it exists: requests must carry the same fields as the engine's, answers must be read
as the engine reads them: secrets marked again by path, a partial failure told from a
total one by the details of the gRPC status.

What it refuses: providers of other packages than `pulumi-python`; answers that the
engine refuses too (an empty id, unknown values in a real run).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf import empty_pb2
from google.protobuf.message import Message
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from pulumi_jig.rehearsal.processes import Process
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
    UnimplementedError,
    diff_in,
    failure_in,
    outputs_in,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from google.protobuf.message import Message

    from pulumi_jig.rehearsal.recording import Recorder
    from pulumi_jig.rehearsal.state import Resource

PACKAGE: Final = "pulumi-python"
_NO_LIMIT: Final = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]


class Provider:
    """One plugin host process: one per provider resource and operation."""

    def __init__(self, child: Process, urn: str, recorder: Recorder | None) -> None:
        self._child = child
        self._urn = urn
        self._recorder = recorder
        self._channel = grpc.insecure_channel(
            f"127.0.0.1:{child.port()}", options=_NO_LIMIT
        )
        self._stub = provider_pb2_grpc.ResourceProviderStub(self._channel)
        self._configured = False

    @classmethod
    def start(
        cls,
        python: str,
        engine: str,
        *,
        urn: str,
        cwd: Path,
        env: Mapping[str, str],
        on_line: Callable[[str, str], None],
        recorder: Recorder | None,
    ) -> Provider:
        """
        Start the host and connect to it.

        Raises:
            ProcessError: it did not come up.
        """
        name = urn.rpartition("::")[2]
        child = Process(
            f"the dynamic provider host of {name!r}",
            [python, "-u", "-m", "pulumi.dynamic", engine],
            cwd=cwd,
            env=env,
            on_line=on_line,
            serves=True,
        )
        return cls(child, urn, recorder)

    def close(self) -> None:
        """End the process, as the engine does at the end of an operation."""
        self._channel.close()
        self._child.stop()

    # ----------------------------------------------------------------- configuration

    def check_config(self, olds: PropertyMap, news: PropertyMap) -> PropertyMap:
        """Ask whether `news` will do; the dynamic host takes everything."""
        request = _request(
            provider_pb2.CheckRequest,
            urn=self._urn,
            olds=encode(olds, keep_secrets=False),
            news=encode(news, keep_secrets=False),
            name=_name(self._urn),
            type=_type(self._urn),
        )
        try:
            response = self._call("CheckConfig", request)
        except UnimplementedError:
            return news
        return annotate_secrets(decode(response.inputs), news)

    def diff_config(self, old: Resource, news: PropertyMap) -> DiffResponse:
        """Ask whether a changed configuration replaces the provider."""
        request = _request(
            provider_pb2.DiffRequest,
            urn=self._urn,
            olds=encode(old.outputs, keep_secrets=False),
            news=encode(news, keep_secrets=False),
            old_inputs=encode(old.inputs, keep_secrets=False),
            name=_name(self._urn),
            type=_type(self._urn),
        )
        try:
            response = self._call("DiffConfig", request)
        except UnimplementedError:
            return DiffResponse(None)
        return diff_in(response)

    def configure(self, inputs: PropertyMap, provider_id: str) -> None:
        """
        Hand over the configuration, once.

        A configuration with unknown values cannot be handed over: the provider stays
        unconfigured, and in the preview nothing is asked of it.
        """
        if contains_unknown(inputs):
            return
        clear = reveal(inputs)
        request = _request(
            provider_pb2.ConfigureRequest,
            variables={
                f"{PACKAGE}:config:{key}": str(value) for key, value in clear.items()
            },
            args=encode(inputs, keep_secrets=True),
            acceptSecrets=True,
            acceptResources=True,
            sends_old_inputs=True,
            sends_old_inputs_to_delete=True,
            id=provider_id,
            urn=self._urn,
            name=_name(self._urn),
            type=_type(self._urn),
        )
        self._call("Configure", request)
        self._configured = True

    # --------------------------------------------------------------------- life cycle

    def check(
        self,
        urn: str,
        olds: PropertyMap,
        news: PropertyMap,
        seed: bytes,
        outputs: PropertyMap,
    ) -> CheckResponse:
        """Let the provider check and complete the inputs `news`."""
        if not self._configured:
            return CheckResponse(news)
        request = _request(
            provider_pb2.CheckRequest,
            urn=urn,
            olds=encode(olds, keep_secrets=False),
            news=encode(news, keep_secrets=False),
            randomSeed=seed,
            name=_name(urn),
            type=_type(urn),
        )
        if hasattr(request, "old_outputs"):
            # Older SDKs have no such field.
            request.old_outputs.CopyFrom(encode(outputs, keep_secrets=False))
        response = self._call("Check", request)
        return CheckResponse(
            annotate_secrets(decode(response.inputs), news),
            [(failure.property, failure.reason) for failure in response.failures],
        )

    def diff(
        self,
        urn: str,
        old: Resource,
        news: PropertyMap,
        ignore: list[str],
        *,
        old_inputs: PropertyMap | None = None,
        olds: PropertyMap | None = None,
    ) -> DiffResponse:
        """
        Ask what the inputs `news` would change on `old`.

        `olds` and `old_inputs` replace those of `old`, for a refresh.
        """
        if not self._configured:
            return DiffResponse(None)
        before = old.outputs if olds is None else olds
        given = old.inputs if old_inputs is None else old_inputs
        request = _request(
            provider_pb2.DiffRequest,
            id=old.id,
            urn=urn,
            olds=encode(before, keep_secrets=False),
            news=encode(news, keep_secrets=False),
            ignoreChanges=ignore,
            old_inputs=encode(given, keep_secrets=False),
            name=_name(urn),
            type=_type(urn),
        )
        return diff_in(self._call("Diff", request))

    def create(
        self, urn: str, inputs: PropertyMap, timeout: float
    ) -> tuple[str, PropertyMap]:
        """
        Make the resource; its id and outputs.

        Raises:
            InitError: it was made, but is not finished.
            ProviderError: it was not made, as far as the provider knows.
        """
        request = _request(
            provider_pb2.CreateRequest,
            urn=urn,
            properties=encode(inputs, keep_secrets=False),
            timeout=timeout,
            name=_name(urn),
            type=_type(urn),
        )
        response = self._call("Create", request, inputs)
        if not response.id:
            message = f"the provider returned no id for {_name(urn)!r} from create"
            raise ProviderError(message)
        return response.id, outputs_in(response.properties, inputs)

    def update(
        self,
        urn: str,
        old: Resource,
        inputs: PropertyMap,
        timeout: float,
        ignore: list[str],
    ) -> PropertyMap:
        """
        Change the resource in place; its outputs.

        Raises:
            InitError: it was changed, but is not finished.
            ProviderError: the update failed.
        """
        request = _request(
            provider_pb2.UpdateRequest,
            id=old.id,
            urn=urn,
            olds=encode(old.outputs, keep_secrets=False),
            news=encode(inputs, keep_secrets=False),
            timeout=timeout,
            ignoreChanges=ignore,
            old_inputs=encode(old.inputs, keep_secrets=False),
            name=_name(urn),
            type=_type(urn),
        )
        response = self._call("Update", request, inputs)
        return outputs_in(response.properties, inputs)

    def delete(self, old: Resource, timeout: float) -> None:
        """
        Remove the resource.

        Raises:
            ProviderError: it may still be there.
        """
        request = _request(
            provider_pb2.DeleteRequest,
            id=old.id,
            urn=old.urn,
            properties=encode(old.outputs, keep_secrets=False),
            timeout=timeout,
            old_inputs=encode(old.inputs, keep_secrets=False),
            name=_name(old.urn),
            type=_type(old.urn),
        )
        self._call("Delete", request)

    def read(
        self,
        urn: str,
        resource_id: str,
        inputs: PropertyMap,
        outputs: PropertyMap,
        timeout: float = 0.0,
    ) -> ReadResponse:
        """
        Look at what is there; an empty id in the answer means that it is gone.

        Raises:
            InitError: it is there, but in a bad state.
            ProviderError: it could not be looked at.
        """
        request = _request(
            provider_pb2.ReadRequest,
            id=resource_id,
            urn=urn,
            properties=encode(outputs, keep_secrets=False),
            inputs=encode(inputs, keep_secrets=False),
            timeout=timeout,
            name=_name(urn),
            type=_type(urn),
        )
        response = self._call("Read", request, inputs, outputs)
        found = outputs_in(response.properties, outputs)
        given: PropertyMap | None = None
        if response.HasField("inputs"):
            given = annotate_secrets(decode(response.inputs), inputs)
        return ReadResponse(response.id, annotate_secrets(found, inputs), given)

    def cancel(self) -> None:
        """Tell the provider that the operation is being given up."""
        try:
            self._stub.Cancel(empty_pb2.Empty(), timeout=1.0)
        except grpc.RpcError:
            pass  # Best effort: the engine does not insist either.

    # ------------------------------------------------------------------------- calls

    def _call(self, method: str, request: Message, *masks: PropertyMap) -> Any:
        number = self._recorder.begin(method, request) if self._recorder else 0
        try:
            response = getattr(self._stub, method)(request)
        except grpc.RpcError as error:
            failure = failure_in(error, masks)
            if self._recorder:
                self._recorder.fail(number, method, request, str(failure))
            raise failure from None
        if self._recorder:
            self._recorder.end(number, method, request, response)
        return response


def _request(kind: type[Message], **fields: Any) -> Message:
    """A request with those of `fields` that the installed SDK's protocol knows."""
    known = kind.DESCRIPTOR.fields_by_name
    return kind(**{key: value for key, value in fields.items() if key in known})


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


def _type(urn: str) -> str:
    return urn.split("::")[2].rpartition("$")[2]
