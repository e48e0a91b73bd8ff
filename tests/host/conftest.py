from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# Test folders are no packages; helpers stand beside the tests.
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).parent))

from plugin import Listener, Plugin

from pulumi_jig.emulator import EmulatorServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def service() -> Iterator[EmulatorServer]:
    """A service on which every transition is over at once; tests use names of their own."""
    with EmulatorServer(time_scale=0) as running:
        yield running


@pytest.fixture(scope="session")
def slow_service() -> Iterator[EmulatorServer]:
    """A service in real time: a roll-out never ends while a test looks."""
    with EmulatorServer(time_scale=1) as running:
        yield running


@pytest.fixture(scope="session")
def listener() -> Iterator[Listener]:
    """An engine that takes messages."""
    made = Listener()
    yield made
    made.die()


@pytest.fixture(scope="session")
def plugin(service: EmulatorServer, listener: Listener) -> Iterator[Plugin]:
    """One plugin host for tests that leave nothing behind in it."""
    with Plugin(service.url, engine=listener) as running:
        yield running
