"""Chaos that catches nothing proves nothing: three safeties taken out, three catches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from chaos_mutants import MUTANTS
from chaos_story import play

from pulumi_jig.lifecycle import memory, preview

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

#: Runs within which each mutant must be caught.
BOUND = 200

#: What catches each.
WORDS = {
    "no_ownership_check": "foreign write",
    "no_partial_state": "orphan",
    "no_revision_check": "green, but",
}


@pytest.fixture(autouse=True)
def _fresh_process() -> Iterator[None]:
    """Leave no memory of a run to other tests."""
    yield
    memory.forget()
    preview.forget()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.__name__)
def test_a_mutant_is_caught(
    mutant: Callable[[], AbstractContextManager[None]],
) -> None:
    """A build without one of its safeties violates the books, and says which."""
    with mutant():
        found = (v for n in range(BOUND) for v in play(f"m-{n}").violations)
        caught = next((v for v in found if WORDS[mutant.__name__] in v), "")
    assert WORDS[mutant.__name__] in caught
