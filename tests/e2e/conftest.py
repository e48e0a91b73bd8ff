"""Engines for end-to-end scenarios: the rehearsal always, `pulumi` where it is."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))
pytest.register_assert_rewrite("engines")

from both_engines import ENGINES  # noqa: E402
from engines import Both, Stage  # noqa: E402
from jig_stage import JigStage  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

HAS_ENGINE = shutil.which("pulumi") is not None


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """The name of an engine; tests that take it run once on each."""
    name: str = request.param
    return name


@pytest.fixture(
    params=[
        pytest.param("both", marks=pytest.mark.engine) if HAS_ENGINE else "rehearsal"
    ]
)
def stage(tmp_path: Path) -> Iterator[Both]:
    """
    The rehearsal, and beside it the real engine where it is installed.

    Both play each operation, and must do the same.
    """
    stage = Both(tmp_path, "rehearsal", *["pulumi"] * HAS_ENGINE)
    yield stage
    stage.close()


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Stage]:
    """The real engine alone, for what the rehearsal does not do."""
    stage = Stage(tmp_path, "pulumi")
    yield stage
    stage.close()


@pytest.fixture
def jig(engine: str, tmp_path: Path) -> Iterator[JigStage]:
    """A stage with deployments and an emulator, on the engine of this run."""
    stage = JigStage(tmp_path, engine)
    yield stage
    stage.close()
