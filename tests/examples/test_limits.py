"""The limits of the examples name policies that the pack has."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    "file",
    sorted(EXAMPLES.glob("*/limits/*.json")),
    ids=lambda f: "/".join(f.parts[-3:]),
)
def test_limits_name_known_policies_only(file: Path) -> None:
    """A name that the pack does not have would stop the run of the stack."""
    listed = subprocess.run(
        [sys.executable, "-m", "pulumi_jig", "policy", "list"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    known = {line.split()[0] for line in listed.splitlines() if line.strip()}
    assert json.loads(file.read_text()).keys() <= {"all", *known}
