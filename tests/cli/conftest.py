from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from pathlib import Path


class Run(Protocol):
    def __call__(
        self, *args: str, cwd: Path | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]: ...


def clean_environment() -> dict[str, str]:
    """The environment without whatever the machine knows of accounts and stacks."""
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("TOGETHER_", "PULUMI_")) and key != "NO_COLOR"
    }


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
