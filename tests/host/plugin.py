"""
The real plugin host process, spoken to as the engine does, and an engine that listens.

`Plugin` is `python -m pulumi.dynamic` with one resource type of ours in it; `Listener`
is the engine's own gRPC server, of which plugins need no more than `Log`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import (
    engine_pb2_grpc,
    provider_pb2,
    provider_pb2_grpc,
    status_pb2,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

Record = dict[str, Any]

GOLDEN = Path(__file__).parent / "golden"
#: The string that every state holds, by pickle protocol.
PROVIDERS: dict[str, str] = json.loads((GOLDEN / "provider.json").read_text())
PROVIDER = PROVIDERS["4"]
#: Whether the installed SDK's check can be told the state's outputs.
KNOWS_OLD_OUTPUTS = "old_outputs" in (
    provider_pb2.CheckRequest.DESCRIPTOR.fields_by_name
)
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
URN = "urn:pulumi:prod::shop::pulumi-python:dynamic/jig:Deployment::llm"
KEY = "acct:home:key-canary-0123456789"


@dataclass
class Line:
    """One message that the engine got."""

    message: str
    urn: str
    ephemeral: bool
    severity: int


class Listener(engine_pb2_grpc.EngineServicer):
    """The engine's own server: keeps what plugins log."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._news = threading.Condition()
        self._server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
        engine_pb2_grpc.add_EngineServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def Log(self, request: Any, _: Any) -> Any:  # noqa: N802 - gRPC's name
        """Take a message."""
        with self._news:
            self.lines.append(
                Line(request.message, request.urn, request.ephemeral, request.severity)
            )
            self._news.notify_all()
        return empty_pb2.Empty()

    def wait_for(self, text: str) -> None:
        """Wait until a message with this text has arrived."""
        with self._news:
            assert self._news.wait_for(
                lambda: any(text in line.message for line in self.lines), timeout=50
            )

    def die(self) -> None:
        """Be gone."""
        self._server.stop(0).wait()

    def said(self, *, ephemeral: bool) -> list[str]:
        """Messages of one kind."""
        return [line.message for line in self.lines if line.ephemeral == ephemeral]


@dataclass
class Failed(Exception):  # noqa: N818 - it is an answer
    """
    A call that failed, as the engine reads it.

    Attributes:
        message: What the engine shows: the status of the details, or gRPC's own text.
        text: gRPC's own text.
        id: The id of a partial failure, else None.
        outputs: Its outputs.
        reasons: Its reasons.
    """

    message: str
    text: str
    id: str | None = None
    outputs: Record = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)


class Plugin:
    """
    The plugin host process.

    Args:
        url: Address of the service; None for none in the environment.
        engine: The engine; one of its own that nobody looks at by default.
        key: The key in the environment; None for none.
        config: The stack's configuration, with full keys.
        env: Further variables.
        folder: Where it is started: the folder of the program.
    """

    def __init__(
        self,
        url: str | None,
        *,
        engine: Listener | None = None,
        key: str | None = KEY,
        config: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TOGETHER_", "PULUMI_", "COV_"))
            and not name.upper().endswith("_PROXY")
        }
        clean["PULUMI_PROJECT"] = "shop"
        if not any(name.upper().endswith("_PROXY") for name in env or {}):
            # Nothing of a test reaches the real service.
            clean["HTTPS_PROXY"] = "http://127.0.0.1:9"
        clean |= env or {}
        if url is not None:
            clean["TOGETHER_BASE_URL"] = url
        if key is not None:
            clean["TOGETHER_API_KEY"] = key
        listener = engine or Listener()
        self._own_engine = None if engine else listener
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pulumi.dynamic", f"127.0.0.1:{listener.port}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env=clean,
            cwd=folder,
        )
        assert self._process.stdout is not None
        port = int(self._process.stdout.readline())
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self.stub = provider_pb2_grpc.ResourceProviderStub(self._channel)
        self.stderr = ""
        self.stub.Configure(
            provider_pb2.ConfigureRequest(args=struct(dict(config or {}))), timeout=30
        )

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process has ended by itself."""
        return self._process.poll() is not None

    def wait(self, seconds: float = 60) -> int:
        """Wait for its end; its exit status."""
        return self._process.wait(seconds)

    def stop(self) -> str:
        """End the process; what it wrote to stderr."""
        self._channel.close()
        # SIGTERM, so that a measured process can still write down what it ran.
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.stderr = self._process.stderr.read().decode()
        self._process.stdout.close()
        self._process.stderr.close()
        self._process.wait()
        if self._own_engine is not None:
            self._own_engine.die()
        return self.stderr

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- Calls -----------------------------------------------------------------

    def check(
        self,
        news: Record,
        olds: Record | None = None,
        urn: str = URN,
        *,
        old_outputs: Record | None = None,
    ) -> tuple[Record, list[tuple[str, str]]]:
        """
        Inputs as they will be stored, and failures as (property, reason).

        `old_outputs` come with engines from 3.274 on.
        """
        newer = {} if old_outputs is None else {"old_outputs": struct(old_outputs)}
        answer = called(
            self.stub.Check,
            provider_pb2.CheckRequest(
                urn=urn,
                olds=struct(olds or {}),
                news=struct(provided(news)),
                randomSeed=b"0" * 32,
                **newer,
            ),
        )
        failures = [(f.property, f.reason) for f in answer.failures]
        return plain(answer.inputs), failures

    def diff(
        self,
        olds: Record,
        news: Record,
        old_inputs: Record | None = None,
        urn: str = URN,
    ) -> Any:
        """The raw answer to a Diff."""
        return called(
            self.stub.Diff,
            provider_pb2.DiffRequest(
                id=str(olds.get("name")),
                urn=urn,
                olds=struct(provided(olds)),
                news=struct(provided(news)),
                old_inputs=struct(provided(old_inputs or {})),
            ),
        )

    def create_request(
        self, inputs: Record, *, timeout: float = 0.0, urn: str = URN
    ) -> provider_pb2.CreateRequest:
        """A Create, not sent yet."""
        return provider_pb2.CreateRequest(
            urn=urn, properties=struct(provided(inputs)), timeout=timeout
        )

    def create(
        self, inputs: Record, *, timeout: float = 0.0, urn: str = URN
    ) -> tuple[str, Record]:
        """Id and outputs."""
        request = self.create_request(inputs, timeout=timeout, urn=urn)
        answer = called(self.stub.Create, request)
        return answer.id, plain(answer.properties)

    def made(self, program: Record, urn: str = URN, **more: Any) -> Record:
        """Check and create; the outputs."""
        inputs, failures = self.check(program, urn=urn)
        assert failures == []
        return self.create(inputs, urn=urn, **more)[1]

    def update(
        self, olds: Record, news: Record, *, ignore: tuple[str, ...] = ()
    ) -> Record:
        """The new outputs."""
        answer = called(
            self.stub.Update,
            provider_pb2.UpdateRequest(
                id=str(olds.get("name")),
                urn=URN,
                olds=struct(provided(olds)),
                news=struct(provided(news)),
                old_inputs=struct(provided(news)),
                ignoreChanges=ignore,
            ),
        )
        return plain(answer.properties)

    def read(self, olds: Record, inputs: Record | None = None) -> tuple[str, Any, Any]:
        """Id, outputs and inputs as they came, secrets wrapped."""
        answer = called(
            self.stub.Read,
            provider_pb2.ReadRequest(
                id=str(olds.get("name")),
                urn=URN,
                properties=struct(provided(olds)),
                inputs=struct(provided(inputs or olds)),
            ),
        )
        return answer.id, raw(answer.properties), raw(answer.inputs)

    def delete(self, olds: Record) -> None:
        """Delete it."""
        called(
            self.stub.Delete,
            provider_pb2.DeleteRequest(
                id=str(olds.get("name")), urn=URN, properties=struct(provided(olds))
            ),
        )


def called(method: Any, request: Any) -> Any:
    """Call, and read a failure as the engine does."""
    try:
        return method(request, timeout=60)
    except grpc.RpcError as error:
        raise failure(error) from None


def failure(error: Any) -> Failed:
    """A failed call as the engine reads it."""
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        status = status_pb2.Status.FromString(value)
        # The engine takes the details only where both codes are the same.
        assert status.code == error.code().value[0]
        failed = Failed(status.message, str(error.details()))
        for detail in status.details:
            init = provider_pb2.ErrorResourceInitFailed()
            assert detail.Unpack(init)
            failed.id = init.id
            failed.outputs = raw(init.properties)
            failed.reasons = list(init.reasons)
        return failed
    return Failed(str(error.details()), str(error.details()))


def provided(data: Record) -> Record:
    """With the reference to the provider's code, as the SDK adds it; a deployment's."""
    return {"__provider": PROVIDER, **data}


def struct(data: Record) -> struct_pb2.Struct:
    """Data as it crosses the wire."""
    found = struct_pb2.Struct()
    json_format.ParseDict(data, found)
    return found


def raw(data: Any) -> Any:
    """Data as it came."""
    return json_format.MessageToDict(data)


def plain(data: Any) -> Record:
    """Data without the wrappings of secrets and without the SDK's own key."""
    found = _unwrapped(raw(data))
    found.pop("__provider", None)
    return dict(found)


def _unwrapped(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return _unwrapped(value["value"])
        return {key: _unwrapped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unwrapped(item) for item in value]
    return value
