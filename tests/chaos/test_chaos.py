"""Runs of chaos: whatever happens on the way, nothing is lost and nothing lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nouns_story
import pytest
from chaos_story import play

from pulumi_jig.lifecycle import memory, preview

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chaos_story import Outcome

RUNS = 100


@pytest.fixture(autouse=True)
def _fresh_process() -> Iterator[None]:
    """Leave no memory of a run to other tests."""
    yield
    memory.forget()
    preview.forget()


@pytest.mark.parametrize("batch", ["a", "b"])
def test_nothing_is_lost_in_chaos(batch: str) -> None:
    """Whatever breaks, the books are right at any time and one up mends the rest."""
    outcomes = (play(f"{batch}-{number}") for number in range(RUNS // 2))
    assert [] == [(o.seed, o.violations) for o in outcomes if o.violations]


def test_secrets_and_volumes_are_not_lost_either() -> None:
    """The same holds for what deployments start with, in 200 runs of its own."""
    outcomes = (nouns_story.play(f"n-{number}") for number in range(2 * RUNS))
    assert [] == [(o.seed, o.violations) for o in outcomes if o.violations]


@pytest.mark.parametrize("story", [play, nouns_story.play])
def test_a_seed_replays_its_run(story: Callable[[str], Outcome]) -> None:
    """What a failure prints is enough to see it again, step by step."""
    assert story("replay").trail == story("replay").trail
