"""
Single calls to the plugin process, what it holds in memory, and what a wait costs.

    python tests/perf/calls_bench.py

Check, Diff and Create by gRPC, one after the other, of a usual deployment and of one with
1,000 environment variables, as multiples of a stock provider's in the same run; the
service's part is the emulator, without delay. Memory with 1,000 deployments created, as a
multiple of that after the first. 64 roll-outs at once as a multiple of one. How the calls
grow with the number of deployments (calls through 64 threads), as the exponent fitted
from 100 on. And what a wait of five minutes asks of the service, by a clock of its own.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from host_bench import host, struct, urn
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime.proto import provider_pb2
from stacks_bench import PROGRAMS, exponent

from pulumi_jig.deadline import Deadline
from pulumi_jig.emulator import start
from pulumi_jig.provider import DeploymentProvider
from pulumi_jig.rollout import Goal, Watch
from pulumi_jig.schema.responses import DeploymentResponseItem

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS: Final = 60
RUNS: Final = 5
MEMORY_TARGET: Final = 1.5
WAITS_TARGET: Final = 1.25
SIZES: Final = (10, 100, 1000, 5000)

sys.path.insert(0, str(PROGRAMS / "stock"))
missed: list[str] = []


def declared(name: str, variables: int, *, ours: bool, image: str) -> dict[str, Any]:
    """What a program declares."""
    values = {f"SETTING_{index:04}": "some value" for index in range(variables)}
    found: dict[str, Any] = {
        "name": name,
        "image": image,
        "gpu_type": "h100-80gb",
        "gpu_count": 1,
        "port": 8000,
        "health_check_path": "/health",
        "environment_variables": values
        if ours
        else [{"name": key, "value": value} for key, value in values.items()],
    }
    if ours:
        found["__declared"] = list(found)
        found["__nonce"] = "0123456789ab"
    return found


class Calls:
    """One plugin process and one kind of provider."""

    def __init__(self, stub: Any, provider: str, *, ours: bool) -> None:
        self._stub = stub
        self._provider = provider
        self._ours = ours

    def inputs(self, name: str, variables: int = 5, image: str = "app:1") -> Any:
        """The inputs of a deployment as the engine hands them over."""
        data = declared(name, variables, ours=self._ours, image=image)
        return struct({**data, "__provider": self._provider})

    def check(self, name: str, inputs: Any) -> None:
        """Check."""
        self._stub.Check(provider_pb2.CheckRequest(urn=urn(name), news=inputs))

    def create(self, name: str, inputs: Any) -> Any:
        """Create, and return the state."""
        request = provider_pb2.CreateRequest(urn=urn(name), properties=inputs)
        return self._stub.Create(request).properties

    def diff(self, name: str, inputs: Any, state: Any) -> None:
        """Diff."""
        self._stub.Diff(
            provider_pb2.DiffRequest(
                id=name, urn=urn(name), olds=state, news=inputs, old_inputs=inputs
            )
        )


def elapsed(run: Callable[[], Any]) -> float:
    """Seconds that something takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def resident(pid: int) -> float:
    """Resident memory in MiB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def one(calls: Calls, name: str, variables: int) -> dict[str, float]:
    """Milliseconds of each call for one deployment."""
    inputs = calls.inputs(name, variables)
    states: list[Any] = []
    return {
        "Check": elapsed(lambda: calls.check(name, inputs)) * 1000,
        "Create": elapsed(lambda: states.append(calls.create(name, inputs))) * 1000,
        "Diff": elapsed(lambda: calls.diff(name, inputs, states[0])) * 1000,
    }


def compare(env: dict[str, str], providers: dict[str, str]) -> None:
    """Single calls, ours and stock in turns."""
    with host(env) as (mine, _), host(env) as (theirs, _):
        both = {
            "ours": Calls(mine, providers["ours"], ours=True),
            "stock": Calls(theirs, providers["stock"], ours=False),
        }
        for who, calls in both.items():
            name = f"{who}-warm"
            calls.create(name, calls.inputs(name))
        for variables in (5, 1000):
            taken: dict[str, list[dict[str, float]]] = {"ours": [], "stock": []}
            for number in range(CALLS if variables < 100 else CALLS // 4):
                for who, calls in both.items():
                    name = f"{who}-{variables}-{number:03}"
                    taken[who].append(one(calls, name, variables))
            for call in ("Check", "Diff", "Create"):
                ours, stock = (
                    statistics.median(times[call] for times in taken[who])
                    for who in ("ours", "stock")
                )
                low, high = (
                    extreme(times[call] for times in taken["ours"])
                    for extreme in (min, max)
                )
                print(
                    f"{call:<7} {variables:>5} variables {ours:8.2f} ms "
                    f"({low:.2f}-{high:.2f}) = {ours / stock:5.2f} x stock",
                    flush=True,
                )


def many(env: dict[str, str], provider: str, size: int) -> dict[str, float]:
    """Seconds of each call for so many deployments, and how the memory grew."""
    with host(env) as (stub, pid), ThreadPoolExecutor(64) as pool:
        calls = Calls(stub, provider, ours=True)
        calls.check("first", calls.inputs("first"))
        calls.create("first", calls.inputs("first"))
        before = resident(pid)
        names = [f"many-{number:04}" for number in range(size)]
        inputs = {name: calls.inputs(name) for name in names}
        states: dict[str, Any] = {}

        def create(name: str) -> None:
            states[name] = calls.create(name, inputs[name])

        def each(call: Callable[[str], None]) -> float:
            return elapsed(lambda: list(pool.map(call, names)))

        return {
            "check": each(lambda name: calls.check(name, inputs[name])),
            "create": each(create),
            "diff": each(lambda name: calls.diff(name, inputs[name], states[name])),
            "memory": resident(pid) / before,
        }


def memory_and_growth(env: dict[str, str], provider: str, emulator: Any) -> None:
    """Memory with many deployments, and how the calls grow."""
    seconds: dict[str, list[float]] = {"check": [], "create": [], "diff": []}
    for size in SIZES:
        emulator.admin.reset()
        taken = many(env, provider, size)
        ratio = taken.pop("memory")
        for call, times in seconds.items():
            times.append(taken[call])
        if size == 1000:
            verdict = "ok" if ratio <= MEMORY_TARGET else "ABOVE"
            print(
                f"memory with 1,000 deployments: {ratio:.2f} x that after the first "
                f"(target {MEMORY_TARGET}, {verdict})"
            )
            if ratio > MEMORY_TARGET:
                missed.append("memory")
    for call, times in seconds.items():
        slope = exponent(list(SIZES[1:]), times[1:])
        row = ", ".join(f"{second:.2f}" for second in times)
        sizes = ", ".join(map(str, SIZES))
        print(f"{call:<7} of {sizes}: {row} s, exponent {slope:.2f} from 100 on")


def waits(env: dict[str, str], provider: str) -> None:
    """64 roll-outs at once, to one."""
    # A slow image takes 600 emulated seconds, here ten real ones.
    with start(time_scale=1 / 60) as emulator:
        env = {**env, "TOGETHER_BASE_URL": emulator.url}
        ones, manies, looks = [], [], []
        for _ in range(RUNS):
            emulator.admin.reset()
            with host(env) as (stub, _pid), ThreadPoolExecutor(64) as pool:
                calls = Calls(stub, provider, ours=True)

                def create(name: str, calls: Calls = calls) -> None:
                    calls.create(name, calls.inputs(name, image="r.io/team/slow:1"))

                ones.append(elapsed(lambda c=create: c("one-alone")))
                emulator.admin.clear_requests()
                names = [f"many-{number:02}" for number in range(64)]
                manies.append(
                    elapsed(lambda c=create, n=names, p=pool: list(p.map(c, n)))
                )
                looks.append(len(emulator.admin.requests()) / 64)
    ratio = statistics.median(manies) / statistics.median(ones)
    verdict = "ok" if ratio <= WAITS_TARGET else "ABOVE"
    print(
        f"64 roll-outs at once: {ratio:.2f} x one (target {WAITS_TARGET}, {verdict}); "
        f"{min(manies):.1f}-{max(manies):.1f} s to {min(ones):.1f}-{max(ones):.1f} s; "
        f"{statistics.median(looks):.0f} requests each"
    )
    if ratio > WAITS_TARGET:
        missed.append("waits")


def polling() -> None:
    """Requests a minute of one wait of five minutes that nothing ends."""
    now = 0.0
    asked: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    def fetch() -> DeploymentResponseItem:
        asked.append(now)
        return DeploymentResponseItem.model_validate(
            {"id": "d", "name": "d", "image": "i", "status": "Updating"}
        )

    watch = Watch(
        Goal("d", health_checked=True),
        fetch,
        Deadline(300, clock=lambda: now, sleep=sleep),
    )
    try:
        watch.run()
    except Exception as error:
        ended = type(error).__name__
    minutes = [sum(m * 60 <= t < m * 60 + 60 for t in asked) for m in range(5)]
    print(
        f"a wait of 5 minutes asks {len(asked)} times ({ended}): "
        f"{', '.join(map(str, minutes))} in each minute"
    )


def main() -> int:
    """Measure, print, and say whether the targets are met."""
    import bench_stock  # type: ignore[import-not-found]

    providers = {
        "ours": serialize_provider(DeploymentProvider()),
        "stock": serialize_provider(bench_stock.StockProvider()),
    }
    with start(time_scale=0) as emulator:
        env = {
            "TOGETHER_BASE_URL": emulator.url,
            "TOGETHER_API_KEY": "bench",
            "PYTHONPATH": os.pathsep.join([str(PROGRAMS / "stock")]),
            "PULUMI_PROJECT": "bench",
        }
        compare(env, providers)
        memory_and_growth(env, providers["ours"], emulator)
    waits(env, providers["ours"])
    polling()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
