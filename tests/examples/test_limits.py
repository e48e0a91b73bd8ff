"""The limits of the examples are sound, by themselves and for the stack that they name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
FILES = [*EXAMPLES.glob("*/limits/*.json"), *EXAMPLES.glob("*/limits.json")]


@pytest.mark.parametrize(
    "file", sorted(FILES), ids=lambda f: str(f.relative_to(EXAMPLES))
)
def test_limits_pass_the_check(file: Path) -> None:
    """A file that names no cost limit needs no prices; its stack's profile has them."""
    stack = file.stem if file.stem != "limits" else "dev"
    command = [
        sys.executable,
        "-m",
        "pulumi_jig",
        "policy",
        "check",
        str(file),
        "--json",
    ]
    for more, notes in ([], 2), (["--stack", stack], 0):
        done = subprocess.run(
            [*command, *more], capture_output=True, text=True, check=False, cwd=ROOT
        )
        (answer,) = json.loads(done.stdout)

        assert (done.returncode, answer["faults"]) == (0, [])
        assert len(answer["notes"]) == notes
