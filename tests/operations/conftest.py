from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from desks import KEY, SHOP, Desk, Engine

from pulumi_jig.client import JigClient
from pulumi_jig.config import Settings
from pulumi_jig.deadline import Deadline
from pulumi_jig.emulator import RunningEmulator, start

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def emulator_process() -> Iterator[RunningEmulator]:
    with start(time_scale=0) as running:
        yield running


@pytest.fixture
def emulator(emulator_process: RunningEmulator) -> RunningEmulator:
    """An emulator without anything in it."""
    emulator_process.admin.reset()
    return emulator_process


@pytest.fixture
def client(emulator: RunningEmulator) -> Iterator[JigClient]:
    """A client of the desk's account."""
    client = JigClient(Settings(api_key=KEY, base_url=emulator.url))
    yield client
    client.close()


@pytest.fixture
def ctx() -> Deadline:
    return Deadline(30)


@pytest.fixture
def desk(tmp_path: Path, emulator: RunningEmulator) -> Desk:
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(SHOP)
    return Desk(folder, emulator.url)


@pytest.fixture
def engine(tmp_path: Path, emulator: RunningEmulator) -> Engine:
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(SHOP)
    (tmp_path / "backend").mkdir()
    engine = Engine(folder, emulator.url, home=tmp_path)
    made = engine.pulumi("stack", "init", "dev")
    assert made.returncode == 0, made.stderr
    return engine
