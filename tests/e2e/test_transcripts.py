"""The rehearsal does what the real engine did, call by call."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from engines import Stage, comparable
from scenarios import ORDERED, SCENARIOS

TRANSCRIPTS = Path(__file__).parent / "transcripts"


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_acts_equal_the_transcript(name: str, tmp_path: Path) -> None:
    """Steps, provider calls, outputs, errors and state are those of the real engine."""
    expected = json.loads((TRANSCRIPTS / f"{name}.json").read_text())
    stage = Stage(tmp_path, "rehearsal")
    SCENARIOS[name](stage)
    actual = stage.transcript()
    ordered = name in ORDERED
    for number, (want, got) in enumerate(zip(expected, actual, strict=True)):
        title = f"{name}, act {number} ({want['operation']})"
        want_, got_ = (
            comparable(want, ordered=ordered),
            comparable(got, ordered=ordered),
        )
        assert (title, want_) == (title, got_)


def test_every_scenario_has_a_transcript() -> None:
    """No scenario lacks a recording, and no recording its scenario."""
    recorded = {path.stem for path in TRANSCRIPTS.glob("*.json")}
    assert set(SCENARIOS) == recorded


@pytest.mark.engine
@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_transcript_is_current(name: str, tmp_path: Path, engine: str) -> None:
    """The real engine still does what the transcript says."""
    if engine == "rehearsal":
        pytest.skip("compared above")
    expected = json.loads((TRANSCRIPTS / f"{name}.json").read_text())
    stage = Stage(tmp_path, engine)
    SCENARIOS[name](stage)
    ordered = name in ORDERED
    for want, got in zip(expected, stage.transcript(), strict=True):
        assert comparable(want, ordered=ordered) == comparable(got, ordered=ordered)
