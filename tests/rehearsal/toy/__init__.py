"""
A dynamic provider for tests: every resource is a file in the folder `TOY_WORLD`.

What it does wrong on purpose stands in `faults.json` beside them, so that a test can
make a provider fail without changing the program: `{"create:a": "raise"}`. Words:
`raise` fails before anything happens, `partial` does it and reports that it could not
be finished, `die` ends the plugin process, `wait` waits for a file named `go`,
`meet 4` waits until four are there, `alone` fails when another is under way, `report`
logs progress to the engine.
"""

# ruff: noqa: TC002 - Pulumi reads these annotations at run time.

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

HIDDEN = "__"


def world() -> Path:
    return Path(os.environ["TOY_WORLD"])


def fault(method: str, name: str) -> str:
    path = world() / "faults.json"
    if not path.exists():
        return ""
    word: str = json.loads(path.read_text()).get(f"{method}:{name}", "")
    return word


def store(ident: str, props: dict[str, Any]) -> None:
    data = {k: v for k, v in props.items() if not k.startswith(HIDDEN)}
    scratch = world() / f".{ident}"
    scratch.write_text(json.dumps(data, sort_keys=True))
    scratch.replace(world() / f"{ident}.json")


def partial(ident: str, props: dict[str, Any], reason: str) -> None:
    """Put the details of a partial failure where the engine looks for them."""
    import asyncio

    from google.protobuf import any_pb2
    from pulumi.runtime import rpc
    from pulumi.runtime.proto import provider_pb2, status_pb2

    frame = sys._getframe()
    while frame is not None and "context" not in frame.f_locals:
        frame = frame.f_back  # type: ignore[assignment]
    loop = asyncio.new_event_loop()
    struct = loop.run_until_complete(rpc.serialize_properties(props, {}))
    loop.close()
    detail = any_pb2.Any()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=ident, properties=struct, reasons=[reason]
        )
    )
    status = status_pb2.Status(code=2, message=reason, details=[detail])
    frame.f_locals["context"].set_trailing_metadata(
        (("grpc-status-details-bin", status.SerializeToString()),)
    )


def meet(name: str, number: int) -> None:
    """Wait until so many have come; fail when they do not come."""
    (world() / f"{name}.here").touch()
    deadline = time.monotonic() + 30
    while len(list(world().glob("*.here"))) < number:
        if time.monotonic() > deadline:
            message = f"{name} waited in vain"
            raise RuntimeError(message)
        time.sleep(0.02)


def alone(name: str) -> None:
    """Fail when another operation is under way."""
    marker = world() / "busy"
    with marker.open("x"):  # Exists already: somebody else is here.
        time.sleep(0.05)
    marker.unlink()
    del name


def report(message: str) -> None:
    """Log a line beside the resource, as a provider can that knows the engine."""
    import grpc
    from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

    frame = sys._getframe()
    while frame is not None and "request" not in frame.f_locals:
        frame = frame.f_back  # type: ignore[assignment]
    with grpc.insecure_channel(sys.argv[-1]) as channel:
        engine_pb2_grpc.EngineStub(channel).Log(
            engine_pb2.LogRequest(
                severity=engine_pb2.INFO,
                message=message,
                urn=frame.f_locals["request"].urn,
                ephemeral=True,
            )
        )


def fail(method: str, name: str, ident: str, outs: dict[str, Any]) -> None:
    """Fail in the way that `faults.json` asks for."""
    word = fault(method, name)
    if word == "raise":
        message = f"{method} of {name} was refused"
        raise RuntimeError(message)
    if word == "die":
        os._exit(9)
    if word.startswith("meet"):
        meet(name, int(word.split()[1]))
    if word == "alone":
        alone(name)
    if word == "report":
        report("half-way")
    if word == "wait":
        (world() / "waiting").write_text(str(os.getpid()))
        while not (world() / "go").exists():
            time.sleep(0.02)
    if word == "partial":
        store(ident, outs)
        reason = f"{method} of {name} was not finished"
        partial(ident, outs, reason)
        raise RuntimeError(reason)


class ToyProvider(ResourceProvider):
    """Files for resources; `name` cannot be changed in place."""

    serialize_as_secret_always = False

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        failures = []
        if news.get("size") == 13:
            failures.append(CheckFailure("size", "13 brings bad luck"))
        inputs = dict(news)
        if news.get("mark"):
            inputs["__mark"] = olds.get("__mark", "first" if not olds else "late")
        return CheckResult(inputs, failures)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        if news.get("unsure"):
            return DiffResult()
        changed = {
            key
            for key in {*olds, *news} - {"url", "serial"}
            if not key.startswith(HIDDEN) and olds.get(key) != news.get(key)
        }
        return DiffResult(
            changes=bool(changed),
            replaces=sorted(changed & {"name"}),
            delete_before_replace=bool(news.get("exclusive")),
        )

    def create(self, props: dict[str, Any]) -> CreateResult:
        ident = props["name"]
        outs = {**props, "url": f"toy://{ident}"}
        fail("create", ident, ident, outs)
        store(ident, outs)
        return CreateResult(ident, outs)

    def update(
        self, id_: str, _olds: dict[str, Any], news: dict[str, Any]
    ) -> UpdateResult:
        outs = {**news, "url": f"toy://{id_}"}
        fail("update", id_, id_, outs)
        store(id_, outs)
        return UpdateResult(outs)

    def delete(self, id_: str, props: dict[str, Any]) -> None:
        fail("delete", id_, id_, props)
        (world() / f"{id_}.json").unlink(missing_ok=True)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        path = world() / f"{id_}.json"
        if not path.exists():
            return ReadResult("", {})
        found = json.loads(path.read_text())
        hidden = {k: v for k, v in props.items() if k.startswith(HIDDEN)}
        fail("read", id_, id_, {**found, **hidden})
        inputs = {k: v for k, v in found.items() if k != "url"}
        return ReadResult(id_, {**found, **hidden}, {**inputs, **hidden})


class Toy(Resource, module="toy", name="Toy"):
    """A file; named after the resource unless `name` is given."""

    name: pulumi.Output[str]
    url: pulumi.Output[str]
    size: pulumi.Output[int]

    def __init__(
        self,
        resource_name: str,
        props: dict[str, Any] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        given = {"name": resource_name, "url": None, **(props or {})}
        super().__init__(ToyProvider(), resource_name, given, opts)
