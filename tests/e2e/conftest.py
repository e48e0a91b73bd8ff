"""Engines for end-to-end scenarios: the rehearsal always, `pulumi` where it is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from both_engines import ENGINES
from engines import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """The name of an engine; tests that take it run once on each."""
    name: str = request.param
    return name


@pytest.fixture
def stage(engine: str, tmp_path: Path) -> Iterator[Stage]:
    """A stage for a scenario, on the engine of this run."""
    stage = Stage(tmp_path, engine)
    yield stage
    stage.close()
