"""
Many runs of chaos: `python tests/chaos/run.py --seed S --runs N [--level LEVEL]`.

Deployments in one process (`process`), secrets and volumes in one process (`nouns`), or
deployments with real processes (`whole`). It prints what it met, and for each violation
the seed that replays it alone: `python tests/chaos/run.py [--level LEVEL] --replay
SEED`. On the whole level some runs are made side by side, since most of their time is
waiting.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).parent))

import chaos_story
import nouns_story
from chaos_story import Story, play
from whole_lanes import lanes, play_alone

if TYPE_CHECKING:
    from collections.abc import Iterable

    import whole_story


def main() -> int:
    """Make the runs; the exit status tells whether all was well."""
    parser = argparse.ArgumentParser(description="Runs of chaos.")
    parser.add_argument(
        "--level", choices=["process", "nouns", "whole"], default="process"
    )
    parser.add_argument("--seed", default="1", help="seed of all runs")
    parser.add_argument("--runs", type=int, help="how many (default: 1000, whole: 50)")
    parser.add_argument("--first", type=int, default=0, help="number of the first run")
    parser.add_argument("--seconds", type=float, help="stop after so many seconds")
    parser.add_argument("--lanes", type=int, default=2, help="whole runs side by side")
    parser.add_argument("--replay", help="seed of the one run to show in full")
    asked = parser.parse_args()
    whole = asked.level == "whole"
    alone = nouns_story.play if asked.level == "nouns" else play
    if asked.replay is not None:
        Story.debug = True
        outcome = play_alone(asked.replay) if whole else alone(asked.replay)
        print(*outcome.trail, *outcome.violations, sep="\n")
        return 1 if outcome.violations else 0
    runs = asked.runs or (50 if whole else 1000)
    numbers = range(asked.first, asked.first + runs)
    seeds = [f"{asked.seed}-{number}" for number in numbers]
    if whole:
        return report(lanes(seeds, asked.lanes), asked.seconds)
    return report(map(alone, seeds), asked.seconds)


def report(
    outcomes: Iterable[chaos_story.Outcome | whole_story.Outcome],
    seconds: float | None,
) -> int:
    """Tell of each violation, and of all runs at the end."""
    began = time.monotonic()
    counts: Counter[str] = Counter()
    runs = failed = 0
    for outcome in outcomes:
        runs += 1
        counts.update(outcome.counts)
        if outcome.violations:
            failed += 1
            if not isinstance(outcome, chaos_story.Outcome):
                # Processes do not meet in the same moments again.
                print(*outcome.trail, sep="\n")
            print(f"seed {outcome.seed}: {outcome.violations[0]}", flush=True)
        if runs % 100 == 0:
            print(f"{runs} runs, {failed} with violations", file=sys.stderr)
        if seconds and time.monotonic() - began > seconds:
            break
    took = time.monotonic() - began
    print(f"{runs} runs in {took:.0f} s, {failed} with violations; {dict(counts)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
