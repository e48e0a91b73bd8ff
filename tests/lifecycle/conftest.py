from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# Test folders are no packages; helpers stand beside the tests.
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).parent))

from simulated import Engine, World

from pulumi_jig.lifecycle import memory, preview

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _fresh_process() -> Iterator[None]:
    """Every test begins as a new plugin process does."""
    memory.forget()
    preview.forget()
    yield
    memory.forget()
    preview.forget()


@pytest.fixture
def world() -> World:
    """A service with nothing in it, and a wire without faults."""
    return World()


@pytest.fixture
def engine(world: World) -> Engine:
    """An engine with a program of one resource."""
    return Engine(world)
