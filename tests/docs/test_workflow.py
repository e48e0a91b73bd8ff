"""What GitHub runs is what a person can run here."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())


def commands(job: str) -> list[str]:
    return [step["run"] for step in WORKFLOW["jobs"][job]["steps"] if "run" in step]


def test_continuous_integration_is_the_projects_own_script() -> None:
    """A job runs `.ci/run`, and nothing beside it."""
    assert commands("check") == ["bash .ci/run"]


def test_every_supported_python_has_a_job() -> None:
    """The classifiers of the package name the versions."""
    named = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    (first,) = [
        step["with"]["python-version"]
        for step in WORKFLOW["jobs"]["check"]["steps"]
        if "python-version" in step.get("with", {})
    ]
    matrix = WORKFLOW["jobs"]["versions"]["strategy"]["matrix"]["python"]
    assert sorted(named) == sorted([first, *matrix])
