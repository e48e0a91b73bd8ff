"""Chaos with real processes: the same questions, the same answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from whole_story import play_whole

from pulumi_jig.emulator import start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pulumi_jig.emulator import RunningEmulator

#: All but the first with something killed in it.
SEEDS = ("11", "8", "4", "5", "9")


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    with start() as running:
        yield running


@pytest.mark.deep
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_on_the_whole_level(
    seed: str, emulator: RunningEmulator, tmp_path: Path
) -> None:
    """Whatever process dies or wire breaks, the books are right and one up mends."""
    outcome = play_whole(seed, emulator, tmp_path)
    assert [] == outcome.violations, "\n".join(outcome.trail)
