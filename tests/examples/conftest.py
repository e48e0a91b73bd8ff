"""A reader's desk, on each of the two engines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from both_engines import ENGINES
from reader import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """The name of an engine; tests that take it run once on each."""
    name: str = request.param
    return name


@pytest.fixture
def reader(engine: str, tmp_path: Path) -> Iterator[Reader]:
    """Somebody who follows the pages, on the engine of this run."""
    reader = Reader(tmp_path, engine)
    yield reader
    reader.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A page is a dozen commands, each of which starts an engine."""
    here = Path(__file__).parent
    for item in items:
        if item.path.parent == here:
            item.add_marker(pytest.mark.timeout(900))
