"""The rehearsal does what the real engine did, call by call."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from acts import comparable
from all_scenarios import ORDERED, SCENARIOS
from engines import Stage

TRANSCRIPTS = Path(__file__).parent / "transcripts"
# Played on the real engine in every run that has one; the others in deep runs.
ALWAYS = frozenset({"life", "create_partial", "policy_on_resource"})
LIVE = [
    pytest.param(name, marks=[] if name in ALWAYS else [pytest.mark.deep])
    for name in sorted(SCENARIOS)
]


def play(name: str, engine: str, folder: Path) -> None:
    """Play a scenario and compare its acts with the transcript, one by one."""
    expected = json.loads((TRANSCRIPTS / f"{name}.json").read_text())
    stage = Stage(folder, engine)
    SCENARIOS[name](stage)
    actual = stage.transcript()
    stage.close()
    ordered = name in ORDERED
    for number, (want, got) in enumerate(zip(expected, actual, strict=True)):
        title = f"{name}, act {number} ({want['operation']})"
        want_, got_ = (comparable(act, ordered=ordered) for act in (want, got))
        assert (title, want_) == (title, got_)


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_the_rehearsal_follows_the_transcript(name: str, tmp_path: Path) -> None:
    """Steps, provider calls, outputs, errors and state are those of the real engine."""
    play(name, "rehearsal", tmp_path)


@pytest.mark.engine
@pytest.mark.skipif(
    shutil.which("pulumi") is None, reason="the `pulumi` command is not on PATH"
)
@pytest.mark.parametrize("name", LIVE)
def test_the_engine_still_follows_the_transcript(name: str, tmp_path: Path) -> None:
    """What was recorded is what the engine on this machine does."""
    play(name, "pulumi", tmp_path)


def test_every_scenario_has_a_transcript() -> None:
    """No scenario lacks a recording, and no recording its scenario."""
    recorded = {path.stem for path in TRANSCRIPTS.glob("*.json")}
    assert set(SCENARIOS) == recorded


def test_transcripts_name_no_machine() -> None:
    """Nothing of the machine that recorded them is in the transcripts."""
    for path in TRANSCRIPTS.glob("*.json"):
        text = path.read_text()
        for word in ("/tmp", "/home", "/root", "/opt", "/work", "127.0.0.1"):
            assert word not in text, (path.name, word)
