"""Three safeties taken out of real plugins, and three catches with real processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from whole_mutants import MUTANTS, Careless, build
from whole_story import WholeStory, play_whole

from pulumi_jig.emulator import start

if TYPE_CHECKING:
    from pathlib import Path

#: What catches each, in which kind of run, and the first seed to look at.
CAUGHT = {
    "no_ownership_check": ("foreign write", WholeStory, 3),
    "no_partial_state": ("orphan", WholeStory, 9),
    "no_revision_check": ("green, but", Careless, 0),
}
#: Runs within which each must be caught.
BOUND = 20


@pytest.mark.deep
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_caught_on_the_whole_level(mutant: str, tmp_path: Path) -> None:
    """A plugin without one of its safeties violates the books, and they say which."""
    words, kind, first = CAUGHT[mutant]
    env = build(mutant, tmp_path)
    caught = ""
    with start() as emulator:
        for number in range(first, first + BOUND):
            folder = tmp_path / str(number)
            folder.mkdir()
            outcome = play_whole(f"m-{number}", emulator, folder, env, kind)
            caught = next((v for v in outcome.violations if words in v), "")
            if caught:
                break
    assert words in caught
