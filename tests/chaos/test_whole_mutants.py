"""Safeties taken out of real plugins, each caught with real processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from whole_mutants import MUTANTS, build
from whole_story import play_whole

from pulumi_jig.emulator import start

if TYPE_CHECKING:
    from pathlib import Path

#: What catches each, and the first seed to look at.
CAUGHT = {
    "no_ownership_check": ("foreign write", 3),
    "no_partial_state": ("orphan", 9),
}
#: Runs within which each must be caught.
BOUND = 20


@pytest.mark.deep
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_caught_on_the_whole_level(mutant: str, tmp_path: Path) -> None:
    """A plugin without one of its safeties violates the books, and they say which."""
    words, first = CAUGHT[mutant]
    env = build(mutant, tmp_path)
    caught = ""
    with start() as emulator:
        for number in range(first, first + BOUND):
            folder = tmp_path / str(number)
            folder.mkdir()
            outcome = play_whole(f"m-{number}", emulator, folder, env)
            caught = next((v for v in outcome.violations if words in v), "")
            if caught:
                break
    assert words in caught
