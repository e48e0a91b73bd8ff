"""
What the guardrails cost, as multiples of an empty policy in the same run.

    python tests/perf/policy_bench.py [--rounds N]

Both packs run as processes of their own and are asked over gRPC, as the engine asks, and what
is compared is processor time (Linux only), so that a busy machine says the same. The
empty pack has one policy on resources and one on the stack, and both do nothing: what
remains is what any policy costs. Prints one line per claim; exit code 1 where one fails.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1] / "policies"))

import wire

if TYPE_CHECKING:
    from collections.abc import Callable

EMPTY = """
from pulumi_policy import PolicyPack, ResourceValidationPolicy, StackValidationPolicy

PolicyPack(
    "empty",
    [
        ResourceValidationPolicy("a", "A.", lambda args, report: None),
        StackValidationPolicy("b", "B.", lambda args, report: None),
    ],
)
"""
VARIABLES = {f"SETTING_{index}": f"value {index}" for index in range(10)}


def empty_pack(folder: Path) -> Path:
    """A pack whose two policies do nothing."""
    (folder / "PulumiPolicy.yaml").write_text("runtime: python\n")
    (folder / "__main__.py").write_text(EMPTY)
    return folder


def requests(count: int) -> tuple[list[Any], Any]:
    """What the engine asks about a stack of `count` deployments."""
    inputs = wire.good(environment_variables=VARIABLES)
    single = [wire.request(inputs, name=f"llm-{index}") for index in range(count)]
    together = wire.stack_request(
        *((wire.DEPLOYMENT, f"llm-{index}", inputs) for index in range(count))
    )
    return single, together


def clock(pid: int) -> float:
    """Processor seconds of a process: its neighbours do not count."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def ask(pack: wire.Analyzer, count: int) -> float:
    """Processor seconds of a pack that judges a stack: every resource, then all."""
    single, together = requests(count)
    start = clock(pack.pid)
    for message in single:
        pack.analyze(message)
    pack._call("AnalyzeStack", together)
    return clock(pack.pid) - start


def spawn(folder: Path) -> float:
    """Processor seconds from starting a pack's process to its port."""
    child = subprocess.Popen(
        [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(folder)],
        cwd=folder,
        env=wire.environment(PYTHONDONTWRITEBYTECODE=""),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert child.stdout is not None
    child.stdout.readline()
    taken = clock(child.pid)
    child.kill()
    child.communicate()
    return taken


def best(measure: Callable[[], float], rounds: int) -> float:
    """The least of some measurements: what the machine can do without its neighbours."""
    measure()
    return min(measure() for _ in range(rounds))


def claim(text: str, ratio: float, limit: float) -> bool:
    """Print one claim with what was measured."""
    holds = ratio <= limit
    print(f"{'ok  ' if holds else 'FAIL'} {text}: {ratio:.2f} (limit {limit:g})")
    return holds


def main() -> int:
    """Measure and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds: int = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        empty = empty_pack(Path(folder))
        with wire.process(empty) as nothing, wire.process() as pack:
            pack.profile("prod")
            base = best(lambda: ask(nothing, 100), 2 * rounds)
            hundred = best(lambda: ask(pack, 100), 2 * rounds)
            # Ten stacks of a hundred meet as many disturbances as one of a thousand,
            # so the two are compared as blocks of one length, in turn.
            blocks = [
                (sum(ask(pack, 100) for _ in range(10)), ask(pack, 1000))
                for _ in range(rounds)
            ]
            tens, thousand = (min(column) for column in zip(*blocks, strict=True))
        # Alternating, so that a busy moment meets both.
        starts = [(spawn(empty), spawn(wire.PACK)) for _ in range(4 * rounds + 1)]
    ratio = statistics.median(own / other for other, own in starts)
    ours = statistics.median(own for _, own in starts)
    theirs = statistics.median(other for other, _ in starts)
    print(f"     100 deployments: {hundred:.3f} s, an empty pack {base:.3f} s")
    print(f"     1,000 deployments: {thousand:.2f} s of processor time")
    print(f"     start: {ours:.3f} s, an empty pack {theirs:.3f} s of processor time")
    results = [
        claim("whole pack / empty pack, 100 deployments", hundred / base, 6),
        claim("1,000 deployments / 100", 10 * thousand / tens, 11),
        claim("start / start of an empty pack", ratio, 1.3),
    ]
    return 0 if all(results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
