"""The `pulumi` of `make engine`, with a program, a home and a backend of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

BIN = Path(sys.prefix) / "engine" / "bin"


@dataclass
class Project:
    """One program and its stack `dev`."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def program(self, text: str, options: str = "{}") -> None:
        """Write the program and its project file."""
        self.folder.joinpath("__main__.py").write_text(text)
        self.folder.joinpath("Pulumi.yaml").write_text(
            f"name: shop\nruntime: {{name: python, options: {options}}}\n"
        )

    def command(self, *words: str) -> list[str]:
        return [str(BIN / "pulumi"), "--non-interactive", "--color", "never", *words]

    def pulumi(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end; its two streams are one."""
        return subprocess.run(
            self.command(*words), cwd=self.folder, env=self.env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def init(self) -> None:
        done = self.pulumi("stack", "init", "dev")
        assert done.returncode == 0, done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project whose commands reach nothing but this machine."""
    if not (BIN / "pulumi").exists():
        pytest.skip("`make engine` has installed nothing here")
    folder = tmp_path / "shop"
    folder.mkdir()
    (tmp_path / "backend").mkdir()
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PULUMI_")}
    env = {
        **clean,
        "PATH": f"{BIN}{os.pathsep}{clean['PATH']}",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'backend'}",
        "PULUMI_CONFIG_PASSPHRASE": "engine",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_PYTHON_CMD": sys.executable,
    }
    return Project(folder, env)
