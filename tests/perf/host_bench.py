"""
How fast the plugin process is, as ratios within one run.

    64 creates of 1 s at once       one create of 1 s
    64 refreshes of 1 s, at once, against a host that has just been started
    start to first check            the same for a trivial dynamic provider
    resident memory after it        the same for a trivial dynamic provider

Everything goes through the real `python -m pulumi.dynamic`, by gRPC, against the
emulator, whose answers are slowed down by a second.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf import struct_pb2
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from pulumi_jig.emulator import start
from pulumi_jig.naming import DEPLOYMENT_TYPE
from pulumi_jig.provider import DeploymentProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RUNS = 5
MANY = 64
TRIVIAL = """
from pulumi.dynamic import CheckResult, CreateResult, ReadResult, ResourceProvider
import time


class Trivial(ResourceProvider):
    serialize_as_secret_always = False

    def check(self, olds, news):
        return CheckResult(news, [])

    def create(self, props):
        time.sleep(1)
        return CreateResult("x", props)

    def read(self, id_, props):
        time.sleep(1)
        return ReadResult(id_, props)
"""


def struct(data: dict[str, Any]) -> struct_pb2.Struct:
    """Plain data on the wire."""
    found = struct_pb2.Struct()
    found.update(data)
    return found


@contextmanager
def host(env: dict[str, str]) -> Iterator[tuple[Any, int]]:
    """A plugin process: its stub and its process id."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "pulumi.dynamic"],
        stdout=subprocess.PIPE,
        env={**os.environ, **env},
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = provider_pb2_grpc.ResourceProviderStub(channel)
            stub.Configure(provider_pb2.ConfigureRequest(args=struct({})))
            yield stub, process.pid
    finally:
        process.kill()
        process.wait()


def inputs(name: str, provider: str) -> dict[str, Any]:
    """What the engine would hand to a create."""
    return {
        "name": name,
        "image": "registry.together.ai/proj/llm:1",
        "gpu_type": "h100-80gb",
        "gpu_count": 1,
        "wait_for": "none",
        "__provider": provider,
        "__nonce": "0123456789ab",
        "__declared": ["name", "image", "gpu_type", "gpu_count", "wait_for"],
    }


def urn(name: str) -> str:
    """A resource's URN."""
    return f"urn:pulumi:dev::bench::{DEPLOYMENT_TYPE}::{name}"


def elapsed(run: Callable[[], Any]) -> float:
    """Seconds that something takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def create(stub: Any, name: str, provider: str) -> None:
    """One create."""
    stub.Create(
        provider_pb2.CreateRequest(
            urn=urn(name), properties=struct(inputs(name, provider))
        )
    )


def read(stub: Any, name: str, provider: str) -> None:
    """One read, as a refresh makes it."""
    data = struct(inputs(name, provider))
    stub.Read(
        provider_pb2.ReadRequest(id=name, urn=urn(name), properties=data, inputs=data)
    )


def at_once(
    do: Callable[[Any, str, str], None], stub: Any, provider: str, tag: str
) -> float:
    """Seconds for many at once."""
    names = [f"{tag}-{number:03}" for number in range(MANY)]
    with ThreadPoolExecutor(MANY) as pool:
        return elapsed(lambda: list(pool.map(lambda n: do(stub, n, provider), names)))


def first_check(env: dict[str, str], provider: str) -> tuple[float, float]:
    """Seconds from start to the first check, and MiB then."""
    data = inputs("bench-name", provider)
    began = time.perf_counter()
    with host(env) as (stub, pid):
        stub.Check(provider_pb2.CheckRequest(urn=urn("a"), news=struct(data)))
        took = time.perf_counter() - began
        status = Path(f"/proc/{pid}/status").read_text()
    resident = next(
        line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")
    )
    return took, int(resident) / 1024


missed: list[str] = []


def row(what: str, ratio: float, limit: float, detail: str) -> None:
    """One line of the table."""
    verdict = "ok" if ratio <= limit else "ABOVE"
    if ratio > limit:
        missed.append(what)
    print(f"{what:<44} {ratio:5.2f} x  (target {limit:.2f} x, {verdict})  {detail}")


def main() -> None:
    """Measure and print."""
    ours = serialize_provider(DeploymentProvider())
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "bench_trivial.py").write_text(TRIVIAL)
        sys.path.insert(0, folder)
        import bench_trivial  # type: ignore[import-not-found]

        trivial = serialize_provider(bench_trivial.Trivial())
        starts: dict[str, list[tuple[float, float]]] = {"ours": [], "trivial": []}
        with start(time_scale=0) as emulator:
            env = {
                "TOGETHER_BASE_URL": emulator.url,
                "TOGETHER_API_KEY": "bench",
                "PYTHONPATH": folder,
                "PULUMI_PROJECT": "bench",
            }
            first_check(env, ours)
            first_check(env, trivial)
            for _ in range(RUNS):
                starts["ours"].append(first_check(env, ours))
                starts["trivial"].append(first_check(env, trivial))
            ones, manies, colds = [], [], []
            for number in range(RUNS):
                emulator.admin.reset()
                emulator.admin.clear_faults()
                emulator.admin.fault(
                    "POST", "/deployments", times=None, delay=1, acted=True
                )
                with host(env) as (stub, _):
                    create(stub, f"warm-{number}", ours)
                    ones.append(
                        elapsed(lambda s=stub, n=number: create(s, f"one-{n}x", ours))
                    )
                    manies.append(at_once(create, stub, ours, "many"))
                emulator.admin.clear_faults()
                emulator.admin.fault(
                    "GET", "/deployments/*", times=None, delay=1, acted=True
                )
                with host(env) as (stub, _):
                    colds.append(at_once(read, stub, ours, "many"))
        with host(env) as (stub, _):
            read(stub, "x", trivial)
            stock_one = elapsed(lambda: create(stub, "x", trivial))
            stock = at_once(create, stub, trivial, "x")
    one, many, cold = (statistics.median(x) for x in (ones, manies, colds))
    row(
        "64 creates of 1 s, to one",
        many / one,
        1.5,
        f"stock host {stock / stock_one:.1f} x",
    )
    row("64 refreshes of 1 s, cold, to one create", cold / one, 1.7, "")
    for index, what, limit in ((0, "start to first check", 1.7), (1, "memory", 1.4)):
        pair = [
            statistics.median(s[index] for s in starts[who])
            for who in ("ours", "trivial")
        ]
        row(f"{what}, to a trivial provider", pair[0] / pair[1], limit, "")


if __name__ == "__main__":
    main()
    sys.exit(1 if missed else 0)
