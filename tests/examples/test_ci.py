"""The workflow: its own commands, run as its runner would."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from reader import ROOT

if TYPE_CHECKING:
    from reader import Ran, Reader

WORKFLOW = ROOT / "examples" / "ci" / "stacks.yml"
# YAML 1.1 takes the key `on` for a truth value.
JOBS: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text())["jobs"]


def commands(job: str) -> list[str]:
    """The commands of a job, but for the one that needs a package index."""
    steps = [step for step in JOBS[job]["steps"] if "run" in step]
    return [step["run"] for step in steps if step["name"] != "Install"]


@pytest.fixture
def team(reader: Reader) -> Reader:
    """A repository as the page expects it, with one stack."""
    shutil.copytree(reader.home / "examples/quickstart", reader.home / "infra")
    reader.env["STACK"] = "dev"
    reader.one("pulumi stack init dev", where="infra")
    return reader


def play(team: Reader, job: str) -> list[Ran]:
    """What a runner does with a job, but that it goes on after a red step."""
    return team.run("\n\n".join(commands(job)), where="infra")


def test_the_workflow_keeps_what_it_is_told(team: Reader) -> None:
    """Preview, up and a quiet night; then a red pull request, and a red night."""
    assert [0, 0] == [one.status for one in play(team, "preview")]
    assert team.live() == []

    merged = play(team, "up")
    assert [0, 0] == [one.status for one in merged], merged
    assert len(team.live()) == 1

    night = play(team, "nightly")
    assert [0, 0, 0] == [one.status for one in night], night

    team.one("pulumi config set gpus 8", where="infra")
    check, refused = play(team, "preview")
    assert check.status == 0
    assert refused.status != 0
    assert "jig-gpu-count" in refused.output
    team.one("pulumi config rm gpus", where="infra")

    (found,) = team.live()
    team.emulator.admin.patch(found["name"], {"memory": 128}, new_revision=True)
    drift, interrupted, orphans = play(team, "nightly")
    assert drift.status == 1
    assert "memory" in drift.output
    assert [0, 0] == [interrupted.status, orphans.status]


def test_no_command_holds_an_expression_of_the_runner() -> None:
    """What a pull request can name (a branch, a title) is never part of a command."""
    for job in JOBS.values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")


def test_an_update_is_never_cancelled_for_a_newer_one() -> None:
    """One run for each stack at a time, in the order of the stages."""
    up = JOBS["up"]

    assert up["concurrency"] == {
        "group": "stack-${{ matrix.stack }}",
        "cancel-in-progress": False,
    }
    assert up["strategy"]["max-parallel"] == 1
    # Without this, the next stack would be brought up after a red one.
    assert up["strategy"].get("fail-fast", True)
    assert ["dev", "staging", "prod"] == up["strategy"]["matrix"]["stack"]
