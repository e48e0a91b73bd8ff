"""
Many runs of chaos in one process: `python tests/chaos/run.py --seed S --runs N`.

It prints what it met, and for each violation the seed that replays it alone:
`python tests/chaos/run.py --replay SEED`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).parent))

from chaos_story import Story, play


def main() -> int:
    """Make the runs; the exit status tells whether all was well."""
    parser = argparse.ArgumentParser(description="Runs of chaos in one process.")
    parser.add_argument("--seed", default="1", help="seed of all runs")
    parser.add_argument("--runs", type=int, default=1000, help="how many")
    parser.add_argument("--seconds", type=float, help="stop after so many seconds")
    parser.add_argument("--replay", help="seed of the one run to show in full")
    asked = parser.parse_args()
    if asked.replay is not None:
        Story.debug = True
        outcome = play(asked.replay)
        print(*outcome.trail, *outcome.violations, sep="\n")
        return 1 if outcome.violations else 0
    began = time.monotonic()
    counts: Counter[str] = Counter()
    runs = failed = 0
    for number in range(asked.runs):
        if asked.seconds and time.monotonic() - began > asked.seconds:
            break
        outcome = play(f"{asked.seed}-{number}")
        runs += 1
        counts.update(outcome.counts)
        if outcome.violations:
            failed += 1
            print(f"seed {outcome.seed}: {outcome.violations[0]}")
    took = time.monotonic() - began
    print(f"{runs} runs in {took:.0f} s, {failed} with violations; {dict(counts)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
