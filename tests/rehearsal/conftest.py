"""Programs with toys, rehearsed in a folder of their own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pulumi_jig.rehearsal import Rehearsal

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent


class Theatre:
    """A program, a world for its toys, and rehearsals of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program_dir = folder / "program"
        self.program_dir.mkdir()
        self.world = folder / "world"
        self.world.mkdir()
        self.state_file = folder / "state" / "dev.json"
        self.env = {
            "PYTHONPATH": str(HERE),
            "TOY_WORLD": str(self.world),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.made: list[Rehearsal] = []
        self.manifest("name: toys\nruntime: python\n")

    def manifest(self, text: str) -> None:
        (self.program_dir / "Pulumi.yaml").write_text(text)

    def program(self, source: str) -> None:
        head = "import pulumi\nfrom toy import Toy\n"
        text = head + textwrap.dedent(source)
        (self.program_dir / "__main__.py").write_text(text)

    def rehearse(self, source: str = "", **options: Any) -> Rehearsal:
        if source:
            self.program(source)
        env = {**self.env, **options.pop("env", {})}
        options.setdefault("state_file", self.state_file)
        self.made.append(Rehearsal(self.program_dir, env=env, **options))
        return self.made[-1]

    def pulumi(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The real engine on the same program, its file backend beside it."""
        (self.folder / "backend").mkdir(exist_ok=True)
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PULUMI_", "TOGETHER_"))
        }
        return subprocess.run(
            ["pulumi", "--non-interactive", "--color", "never", *words],
            cwd=self.program_dir,
            env={
                **kept,
                **self.env,
                "PULUMI_HOME": str(self.folder / "home"),
                "PULUMI_BACKEND_URL": f"file://{self.folder / 'backend'}",
                "PULUMI_CONFIG_PASSPHRASE": "not a secret",
                "PULUMI_SKIP_UPDATE_CHECK": "true",
                "PULUMI_PYTHON_CMD": sys.executable,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def toys(self) -> list[str]:
        return sorted(
            path.stem for path in self.world.glob("*.json") if path.stem != "faults"
        )


@pytest.fixture
def theatre(tmp_path: Path) -> Iterator[Theatre]:
    """A place to rehearse programs in."""
    theatre = Theatre(tmp_path)
    yield theatre
    for rehearsal in theatre.made:
        rehearsal.close()
    waiting = theatre.world / "waiting"
    if waiting.exists():
        # A plugin that outlived its rehearsal must not outlive the test.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(int(waiting.read_text()), signal.SIGKILL)
