"""
Whole commands on whole stacks, against a stock provider and against the ideal.

    python tests/perf/stacks_bench.py rehearsal|engine|official|growth [--runs 5]
                                      [--cells 100@0,0.05,0.5@default,64 ...]

`up`, a preview without changes, `refresh` and `destroy` of so many deployments, against
the emulator whose every answer takes so long. *Stock* is the same stack by a dynamic
provider written the usual way; it is left out (-) where its life would take more than
five minutes. *Trivial* is one that makes no request at all and has no outputs of its own;
*shaped* is the same with a deployment's outputs, which Pulumi pays for whoever provides
them. The ideal of a command is the requests it cannot do without, so many at a time, and
nothing else: two for a creation or a deletion (the request, and one look that it is
true), one for a refresh. The engine is the rehearsal, and the `pulumi` command where it
is on PATH. Runs of all take turns; figures are medians, with the least and the most in
brackets. The command's file backend writes the whole state with each step, so that an
`up` of 1,000 takes minutes whoever provides: there one life, in which preview and refresh
are repeated.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from pulumi_jig.emulator import start
from pulumi_jig.rehearsal import Rehearsal

if TYPE_CHECKING:
    from pulumi_jig.emulator import RunningEmulator

PROGRAMS: Final = Path(__file__).parent / "programs"
#: Requests that a command cannot do without, for each deployment.
NEEDED: Final = {"up": 2, "preview": 0, "refresh": 1, "destroy": 2}
CELLS: Final = ("100@0,0.05,0.5@default,64", "1000@0,0.5@64")
#: Seconds that the requests of a stock provider's life may take.
STOCK_LIMIT: Final = 300.0
TARGET_UP: Final = 1.25
TARGET_START: Final = 1.1
TARGET_PREVIEW: Final = 1.3


def environment(count: int, emulator: RunningEmulator, who: str) -> dict[str, str]:
    """What program and plugin find in their environment."""
    return {
        "BENCH_COUNT": str(count),
        "TOGETHER_BASE_URL": emulator.url,
        "TOGETHER_API_KEY": "acct:bench:1",
        # The plugin process finds the stock provider's module here.
        "PYTHONPATH": os.pathsep.join(
            str(PROGRAMS / one) for one in (who, "trivial") if one != "ours"
        ),
    }


class Engine(Protocol):
    """
    Whoever runs the commands.

    Attributes:
        name: Its name.
        many: From how many deployments on one life must do.
    """

    name: str
    many: int

    def run(self, command: str) -> float:
        """Return the seconds that a command takes."""


class Rehearsed:
    """The rehearsal."""

    name = "rehearsal"
    many = 10_000

    def __init__(
        self, who: str, env: dict[str, str], parallel: int | None, home: Path
    ) -> None:
        self._rehearsal = Rehearsal(
            PROGRAMS / who,
            env=env,
            state_file=home / "state.json",
            parallel=parallel,
            config={"jig:parallel": str(parallel)} if parallel else None,
        )

    def run(self, command: str) -> float:
        """Return the seconds that a command takes."""
        began = time.perf_counter()
        getattr(self._rehearsal, command)().raise_if_failed()
        return time.perf_counter() - began


class Pulumi:
    """The `pulumi` command."""

    name = "pulumi"
    many = 1_000

    def __init__(
        self, who: str, env: dict[str, str], parallel: int | None, home: Path
    ) -> None:
        # A folder of its own, since the command writes the stack's file beside the program.
        self._folder = home / "program"
        shutil.copytree(PROGRAMS / who, self._folder)
        self._parallel = [] if parallel is None else ["--parallel", str(parallel)]
        (home / "backend").mkdir()
        self._stack = ["--stack", "dev"]
        self._env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PULUMI_")},
            **env,
            "PULUMI_HOME": str(home / "home"),
            "PULUMI_BACKEND_URL": f"file://{home / 'backend'}",
            "PULUMI_CONFIG_PASSPHRASE": "not a secret",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_PYTHON_CMD": sys.executable,
        }
        self._call("stack", "init", "dev")
        if parallel:
            self._call("config", "set", "jig:parallel", str(parallel), *self._stack)

    def _call(self, *args: str) -> None:
        done = subprocess.run(
            ["pulumi", "--non-interactive", "--color", "never", *args],
            cwd=self._folder,
            env=self._env,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)

    def run(self, command: str) -> float:
        """Return the seconds that a command takes."""
        flags = [] if command == "preview" else ["--yes", "--skip-preview"]
        began = time.perf_counter()
        self._call(command, *flags, *self._parallel, *self._stack)
        return time.perf_counter() - began


def life(
    kind: type[Rehearsed | Pulumi],
    who: str,
    count: int,
    *,
    latency: float,
    parallel: int | None,
    emulator: RunningEmulator,
    looks: int = 1,
) -> dict[str, list[float]]:
    """Return the seconds of each command in the life of a stack, in each of its runs."""
    emulator.admin.reset()
    emulator.admin.clear_faults()
    with tempfile.TemporaryDirectory() as home:
        engine = kind(who, environment(count, emulator, who), parallel, Path(home))
        if latency:
            emulator.admin.fault(times=None, delay=latency)
        return {
            command: [engine.run(command) for _ in range(times)]
            for command, times in (
                ("up", 1),
                ("preview", looks),
                ("refresh", looks),
                ("destroy", 1),
            )
        }


Lives = dict[str, dict[str, list[float]]]


def lives(
    kind: type[Rehearsed | Pulumi],
    count: int,
    *,
    latency: float,
    parallel: int | None,
    runs: int,
    whose: tuple[str, ...] = ("ours", "stock", "trivial"),
) -> Lives:
    """Lead the life of each kind of stack so many times, in turns."""
    found: Lives = {who: {command: [] for command in NEEDED} for who in whose}
    looks = runs if count >= kind.many else 1
    with start(time_scale=0) as emulator:
        for _ in range(1 if count >= kind.many else runs):
            for who in whose:
                taken = life(
                    kind,
                    who,
                    count,
                    latency=latency,
                    parallel=parallel,
                    emulator=emulator,
                    looks=looks,
                )
                for command, times in taken.items():
                    found[who][command] += times
    return found


def median(found: Lives, who: str, command: str) -> float:
    """Return the median seconds of a command; NaN for one that was not run."""
    return statistics.median(found[who][command]) if who in found else math.nan


def spread(found: Lives, who: str, command: str) -> str:
    """Return median, least and most, for people."""
    times = found.get(who, {}).get(command)
    if not times:
        return "-"
    if len(times) == 1:
        return f"{times[0]:6.2f} (one run)"
    return f"{statistics.median(times):6.2f} ({min(times):.2f}-{max(times):.2f})"


def shown(ratio: float) -> str:
    """Return a ratio for people."""
    return "-" if math.isnan(ratio) else f"{ratio:.2f}"


def exponent(sizes: list[int], times: list[float]) -> float:
    """Return the slope of the least-squares line through the logarithms."""
    x = [math.log(size) for size in sizes]
    y = [math.log(max(taken, 1e-9)) for taken in times]
    return statistics.linear_regression(x, y).slope


def matrix(
    kind: type[Rehearsed | Pulumi], options: argparse.Namespace, missed: list[str]
) -> None:
    """Print the table of sizes, latencies and parallelism of one engine."""
    # What there is to pay before the first deployment: a stack of one.
    single = lives(kind, 1, latency=0, parallel=None, runs=options.runs)
    fixed = {
        who: {command: median(single, who, command) for command in NEEDED}
        for who in single
    }
    ratio = fixed["ours"]["up"] / fixed["stock"]["up"]
    print(
        f"\n{kind.name}: up of one deployment is {ratio:.2f} x the stock provider's "
        f"(target {TARGET_START})"
    )
    if ratio > TARGET_START:
        missed.append(f"{kind.name}: start")
    head = ("command", "n", "latency", "in flight", "ours s", "stock s", "x stock")
    print(
        f"  {head[0]:<8} {head[1]:>5} {head[2]:>8} {head[3]:>9}  {head[4]:<20} "
        f"{head[5]:<20} {head[6]:>7} {'x ideal':>8} {'x trivial':>9} {'x shaped':>8}"
    )
    for count, latencies, parallels in options.cells:
        for latency in latencies:
            for parallel in parallels:
                whose = tuple(
                    who
                    for who in whose_lives(kind, count, latency)
                    if who not in options.without
                )
                found = lives(
                    kind,
                    count,
                    latency=latency,
                    parallel=parallel,
                    runs=options.runs,
                    whose=whose,
                )
                at_once = parallel or 4 * (os.cpu_count() or 1)
                for command, needed in NEEDED.items():
                    ours = median(found, "ours", command)
                    ideal = math.ceil(count / at_once) * needed * latency
                    # A stack of one pays the start and one round of requests.
                    own = ours - fixed["ours"][command]
                    row = (
                        f"  {command:<8} {count:>5} {latency * 1000:>5.0f} ms "
                        f"{at_once:>9}  {spread(found, 'ours', command):<20} "
                        f"{spread(found, 'stock', command):<20} "
                        f"{shown(ours / median(found, 'stock', command)):>7} "
                        f"{shown(own / ideal if ideal else math.nan):>8} "
                        f"{shown(ours / median(found, 'trivial', command)):>9} "
                        f"{shown(ours / median(found, 'shaped', command)):>8}"
                    )
                    print(row, flush=True)
                    if (command, count, latency, parallel) == (
                        "up",
                        100,
                        0.5,
                        64,
                    ) and own > TARGET_UP * ideal:
                        missed.append(f"{kind.name}: up of 100")
                    trivial = median(found, "trivial", command)
                    if (command, count) == (
                        "preview",
                        1000,
                    ) and ours > TARGET_PREVIEW * trivial:
                        missed.append(f"{kind.name}: preview of 1,000")


Cell = tuple[int, list[float], list["int | None"]]


def cell(text: str) -> Cell:
    """Return a part of the table: deployments, seconds an answer, operations at once."""
    count, latencies, parallels = text.split("@")
    return (
        int(count),
        [float(word) for word in latencies.split(",")],
        [None if word == "default" else int(word) for word in parallels.split(",")],
    )


def whose_lives(
    kind: type[Rehearsed | Pulumi], count: int, latency: float
) -> tuple[str, ...]:
    """Return the programs that are worth their time; stock has four in flight."""
    whose = ["ours"]
    if count / 4 * sum(NEEDED.values()) * latency <= STOCK_LIMIT and count < kind.many:
        whose.append("stock")
    whose.append("trivial")
    if 1000 <= count < kind.many:
        whose.append("shaped")
    return tuple(whose)


OFFICIAL: Final = """
import sys, time
from together import Together
client = Together(max_retries=0)
began = time.perf_counter()
for number in range(int(sys.argv[1])):
    name = f"official-{number:04}"
    client.beta.jig.deploy(
        name=name, image="registry.together.ai/proj_bench/app:1", port=8000,
        gpu_type="h100-80gb", gpu_count=1, health_check_path="/health",
    )
    while client.beta.jig.retrieve(name).status != "Ready":
        time.sleep(3)
print(time.perf_counter() - began)
"""


def official(count: int, latency: float, runs: int) -> None:
    """Print our `up` beside a loop of the vendor's client, where it is installed."""
    python = os.environ.get("PULUMI_JIG_TOGETHER_PYTHON") or (
        sys.executable if importlib.util.find_spec("together") else ""
    )
    if not python:
        print("\nofficial client: not compared, `together` is not installed")
        return
    loops: list[float] = []
    ups: list[float] = []
    with start(time_scale=0) as emulator:
        for _ in range(runs):
            emulator.admin.reset()
            emulator.admin.clear_faults()
            emulator.admin.fault(times=None, delay=latency)
            done = subprocess.run(
                [python, "-c", OFFICIAL, str(count)],
                env={**os.environ, **environment(count, emulator, "ours")},
                capture_output=True,
                text=True,
                check=True,
            )
            loops.append(float(done.stdout))
            ours = life(
                Rehearsed,
                "ours",
                count,
                latency=latency,
                parallel=64,
                emulator=emulator,
            )
            ups += ours["up"]
    ratio = statistics.median(ups) / statistics.median(loops)
    print(
        f"\nofficial client: up of {count} at {latency * 1000:.0f} ms is {ratio:.2f} x "
        f"its create-and-wait loop ({min(loops):.1f}-{max(loops):.1f} s without its "
        "import)"
    )


def growth(sizes: list[int]) -> None:
    """Print how each command grows, ours beside trivial."""
    times: dict[tuple[str, str], list[float]] = {}
    for size in sizes:
        found = lives(
            Rehearsed, size, latency=0, parallel=64, runs=1, whose=("ours", "trivial")
        )
        for who in found:
            for command in NEEDED:
                times.setdefault((who, command), []).append(median(found, who, command))
    print(f"\nrehearsal: growth over n = {', '.join(map(str, sizes))}, latency 0")
    # The start is the same for all sizes and would flatten the slope.
    large = [index for index, size in enumerate(sizes) if size >= 100]
    for command in NEEDED:
        ours, bare = times["ours", command], times["trivial", command]
        slopes = [
            exponent([sizes[i] for i in large], [taken[i] for i in large])
            for taken in (ours, bare)
        ]
        row = ", ".join(f"{taken:.2f}" for taken in ours)
        print(
            f"  {command:<8} {row} s: exponent {slopes[0]:.2f} from 100 on; "
            f"trivial {slopes[1]:.2f}"
        )


def main() -> int:
    """Measure, print, and say whether the targets are met."""
    parser = argparse.ArgumentParser(description="Whole commands on whole stacks.")
    parser.add_argument("what", choices=["rehearsal", "engine", "official", "growth"])
    parser.add_argument("--cells", nargs="*", type=cell, default=[*map(cell, CELLS)])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--without", nargs="*", default=[], help="stock, say")
    parser.add_argument("--growth", default="10,100,1000,5000")
    options = parser.parse_args()
    missed: list[str] = []
    if options.what == "rehearsal":
        matrix(Rehearsed, options, missed)
    elif options.what == "engine" and shutil.which("pulumi"):
        matrix(Pulumi, options, missed)
    elif options.what == "engine":
        print("not measured: the `pulumi` command is not on PATH")
    elif options.what == "official":
        official(100, 0.05, options.runs)
    else:
        growth([int(word) for word in options.growth.split(",") if word])
    for what in missed:
        print(f"above its target: {what}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
