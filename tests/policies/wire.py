"""
The policy protocol as the engine speaks it: requests, configuration, a real process.

Policies are judged here through the SDK's own servicer, in this process or in one of its
own, so that floats, proxies, levels and unknown values are the real ones. What the engine
adds, the merging of configuration, is done here as its source does it.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime import proto
from pulumi.runtime.proto import analyzer_pb2_grpc
from pulumi_policy.policy import _PolicyAnalyzerServicer
from pulumi_policy.proxy import UNKNOWN_NUMBER_VALUE

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PACK = ROOT / "policies" / "gpu-guardrails"
PROFILES = ROOT / "policies" / "profiles"
DEPLOYMENT = "pulumi-python:dynamic/jig:Deployment"
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
UNKNOWN = UNKNOWN_NUMBER_VALUE
LEVELS = {
    "advisory": proto.ADVISORY,
    "mandatory": proto.MANDATORY,
    "disabled": proto.DISABLED,
}
GOOD: dict[str, Any] = {
    "name": "llm-0001",
    "image": "registry.together.ai/p/llm:1@sha256:" + "0f" * 32,
    "gpu_type": "h100-80gb",
    "gpu_count": 1,
    "min_replicas": 1,
    "max_replicas": 2,
    "autoscaling": {"metric": "HTTPTotalRequests", "target": 100},
    "memory": 64,
    "port": 8000,
    "health_check_path": "/health",
    "environment_variables": {"LOG_LEVEL": "info"},
}


def secret(value: Any) -> dict[str, Any]:
    """A value marked as secret, as the protocol spells it."""
    return {**SECRET, "value": value}


def good(**patch: Any) -> dict[str, Any]:
    """A deployment that every profile accepts, with a patch; None removes a key."""
    inputs = {**GOOD, **patch}
    return {key: value for key, value in inputs.items() if value is not None}


def struct(values: dict[str, Any]) -> struct_pb2.Struct:
    """A protocol struct; all numbers become doubles."""
    made = struct_pb2.Struct()
    made.update(values)
    return made


def urn_of(type_: str, name: str, stack: str = "dev") -> str:
    """A URN of a stack."""
    return f"urn:pulumi:{stack}::shop::{type_}::{name}"


def request(
    inputs: dict[str, Any],
    *,
    type_: str = DEPLOYMENT,
    name: str = "llm",
    stack: str = "dev",
    protect: bool = True,
    ignore_changes: tuple[str, ...] = (),
    provider: dict[str, Any] | None = None,
) -> proto.AnalyzeRequest:
    """What the engine asks about one resource."""
    made = proto.AnalyzeRequest(
        type=type_,
        name=name,
        urn=urn_of(type_, name, stack),
        properties=struct(inputs),
        options=proto.AnalyzerResourceOptions(
            protect=protect, ignoreChanges=list(ignore_changes)
        ),
    )
    if provider is not None:
        made.provider.CopyFrom(
            proto.AnalyzerProviderResource(
                type="pulumi:providers:pulumi-python",
                urn=urn_of("pulumi:providers:pulumi-python", "default", stack),
                name="default",
                properties=struct(provider),
            )
        )
    return made


def stack_request(
    *resources: tuple[str, str, dict[str, Any]], stack: str = "dev"
) -> proto.AnalyzeStackRequest:
    """What the engine asks about a stack: type, name and properties of each."""
    return proto.AnalyzeStackRequest(
        resources=[
            proto.AnalyzerResource(
                type=type_,
                name=name,
                urn=urn_of(type_, name, stack),
                properties=struct(inputs),
            )
            for type_, name, inputs in resources
        ]
    )


def merged(info: proto.AnalyzerInfo, given: dict[str, Any]) -> Any:
    """
    A Configure request from a pack's information and a configuration file.

    As the engine merges: level of the file, else of the initial configuration, else of
    the policy; `all` for policies that the file does not name; keys of the file over
    keys of the initial configuration, one level deep.
    """
    made = proto.ConfigureAnalyzerRequest()
    for policy in info.policies:
        level, keys = policy.enforcementLevel, {}
        if policy.name in info.initialConfig:
            initial = info.initialConfig[policy.name]
            level = initial.enforcementLevel
            keys.update(dict(initial.properties.items()))
        if isinstance(given.get("all"), str):
            level = LEVELS[given["all"]]
        entry = given.get(policy.name)
        if isinstance(entry, str):
            level = LEVELS[entry]
        elif entry is not None:
            level = LEVELS.get(entry.get("enforcementLevel"), level)
            own = {k: v for k, v in entry.items() if k != "enforcementLevel"}
            keys.update(own)
        config = made.policyConfig[policy.name]
        config.enforcementLevel = level
        config.properties.update(keys)
    return made


def profile_of_today(name: str) -> dict[str, Any]:
    """A shipped profile as if its prices were looked up today: older ones are noted."""
    profile: dict[str, Any] = json.loads((PROFILES / f"{name}.json").read_text())
    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    profile["jig-stack-cost"]["prices_as_of"] = today
    return profile


class Analyzer:
    """A pack, asked as the engine asks; `stub` is a servicer or a gRPC stub."""

    pid = 0

    def __init__(self, stub: Any, *, local: bool) -> None:
        self._stub = stub
        self._extra = (None,) if local else ()
        self.info = self._call("GetAnalyzerInfo", empty_pb2.Empty())

    def _call(self, method: str, message: Any) -> Any:
        return getattr(self._stub, method)(message, *self._extra)

    def configure(self, given: dict[str, Any]) -> Analyzer:
        """Merge a configuration file as the engine does, and send it."""
        self._call("Configure", merged(self.info, given))
        return self

    def profile(self, name: str) -> Analyzer:
        """Configure with one of the repository's profiles."""
        return self.configure(profile_of_today(name))

    def resource(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Diagnostics about one resource."""
        return list(self._call("Analyze", request(*args, **kwargs)).diagnostics)

    def analyze(self, message: Any) -> Any:
        """The whole answer about one resource."""
        return self._call("Analyze", message)

    def stack(self, *resources: Any, stack: str = "dev") -> list[Any]:
        """Diagnostics about a stack."""
        message = stack_request(*resources, stack=stack)
        return list(self._call("AnalyzeStack", message).diagnostics)


def local(arguments: dict[str, Any]) -> Analyzer:
    """A pack in this process, from the arguments of `PolicyPack`."""
    servicer = _PolicyAnalyzerServicer(
        arguments["name"],
        "0.0.1",
        arguments["policies"],
        arguments["enforcement_level"],
        arguments.get("initial_config"),
    )
    return Analyzer(servicer, local=True)


def environment(**more: str) -> dict[str, str]:
    """The variables of a pack process, without what this one inherited."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PULUMI_", "TOGETHER_", "PYTHON"))
    }
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **more}


@contextmanager
def process(folder: Path = PACK, **variables: str) -> Iterator[Analyzer]:
    """A pack in a process of its own, started as the language host starts it."""
    child = subprocess.Popen(
        [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(folder)],
        cwd=folder,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert child.stderr is not None
        line = child.stdout.readline()
        assert line.strip().isdigit(), (line, child.stderr.read())
        with grpc.insecure_channel(f"127.0.0.1:{line.strip()}") as channel:
            analyzer = Analyzer(analyzer_pb2_grpc.AnalyzerStub(channel), local=False)
            analyzer.pid = child.pid
            yield analyzer
    finally:
        child.kill()
        child.communicate()


def mandatory(diagnostics: list[Any]) -> list[str]:
    """The policies that stop the run."""
    return sorted(
        {d.policyName for d in diagnostics if d.enforcementLevel == proto.MANDATORY}
    )


def advisory(diagnostics: list[Any]) -> list[str]:
    """The policies that only say something."""
    return sorted(
        {d.policyName for d in diagnostics if d.enforcementLevel == proto.ADVISORY}
    )
