"""Two runs at once, and a service that is not there: one sentence each, on both engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from jig_stage import JigStage
from processes import wait

if TYPE_CHECKING:
    from pathlib import Path


def test_a_second_run_of_a_stack_is_refused(jig: JigStage) -> None:
    """
    While a run is under way another one on the same stack does nothing (Case L15).
    """
    jig.deployment(name="my-llm")
    jig.emulator.admin.hold("my-llm")
    with (jig.folder / "first.txt").open("w") as output:
        first = jig.begin("up", output)
        wait(lambda: jig.requests("POST"))
        with pytest.raises(Exception, match="locked"):
            jig.up()
        jig.emulator.admin.release("my-llm")
        assert first.wait(60) == 0

    assert jig.preview().steps["Deployment llm"] == ["same"]
    assert jig.requests("POST") == 1


def test_two_stacks_that_race_for_a_name_have_one_winner(
    jig: JigStage, engine: str, tmp_path: Path
) -> None:
    """Exactly one gets it; the other is told, and touches nothing (Case L14)."""
    (tmp_path / "rival").mkdir()
    rival = JigStage(tmp_path / "rival", engine)
    rival.env["TOGETHER_BASE_URL"] = jig.emulator.url
    # Both have looked and found nothing when the first of them is let in.
    jig.emulator.admin.fault("POST", "/deployments", times=2, delay=2)
    files = [stage.folder / "race.txt" for stage in (jig, rival)]
    with files[0].open("w") as one, files[1].open("w") as other:
        runs = []
        for stage, output in ((jig, one), (rival, other)):
            stage.deployment(name="my-llm")
            runs.append(stage.begin("up", output))
        ended = [run.wait(90) for run in runs]
    try:
        assert sorted(status != 0 for status in ended) == [False, True]
        lost = files[[status != 0 for status in ended].index(True)].read_text()
        assert 'A deployment "my-llm"' in lost
        stages = [jig, rival]
        winner = stages[ended.index(0)]
        loser = stages[1 - ended.index(0)]
        before = jig.only()["id"]
        assert loser.destroy().ok
        assert jig.only()["id"] == before
        assert winner.preview().steps["Deployment llm"] == ["same"]
    finally:
        rival.close()


def test_a_service_that_is_not_there_keeps_the_state(jig: JigStage) -> None:
    """A refresh says which deployment it could not read, and that nothing is lost."""
    jig.deployment(name="my-llm")
    jig.up()
    jig.emulator.stop()

    jig.refresh()
    assert "Deployment my-llm could not be read: " in jig.errors()
    assert "The state is kept." in jig.errors()
    assert jig.has()
