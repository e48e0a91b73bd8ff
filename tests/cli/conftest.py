from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from programs import KEY, SHOP, Engine, Workspace, clean_environment

from pulumi_jig.client import JigClient
from pulumi_jig.config import Settings
from pulumi_jig.deadline import Deadline
from pulumi_jig.emulator import RunningEmulator, start

if TYPE_CHECKING:
    from collections.abc import Iterator


class Run(Protocol):
    def __call__(
        self, *args: str, cwd: Path | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def jig() -> Run:
    """Run `pulumi-jig` as a process of its own."""

    def run(
        *args: str, cwd: Path | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pulumi_jig.cli", *args],
            cwd=cwd,
            env={**clean_environment(), **env},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


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
    """A client of the workspace's account."""
    client = JigClient(Settings(api_key=KEY, base_url=emulator.url))
    yield client
    client.close()


@pytest.fixture
def ctx() -> Deadline:
    return Deadline(30)


@pytest.fixture
def workspace(tmp_path: Path, emulator: RunningEmulator) -> Workspace:
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(SHOP)
    return Workspace(folder, emulator.url)


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
