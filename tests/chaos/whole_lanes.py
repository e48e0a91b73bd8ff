"""
Whole runs side by side, each lane a process with an emulator of its own.

Processes, because a person's commands read the environment of theirs.
"""

from __future__ import annotations

import atexit
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).parent))

from whole_story import Outcome, play_whole

from pulumi_jig.emulator import start

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pulumi_jig.emulator import RunningEmulator

_emulators: list[RunningEmulator] = []


def play_alone(seed: str) -> Outcome:
    """Make one run, against the emulator of this process."""
    if not _emulators:
        _emulators.append(start())
        atexit.register(_emulators[0].stop)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        return play_whole(seed, _emulators[0], Path(folder))


def lanes(seeds: Sequence[str], width: int) -> Iterator[Outcome]:
    """Make all runs, so many at a time."""
    context = get_context("spawn")
    with ProcessPoolExecutor(width, mp_context=context) as pool:
        yield from pool.map(play_alone, seeds)
