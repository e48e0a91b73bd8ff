"""
Runs that are killed in the middle, on both engines.

Whatever is struck, with whatever, at whatever point: after `recover` and the next `up`
there is one deployment, the state knows it, the preview is empty, and a destroy leaves
nothing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from both_engines import ENGINES
from kills import EVERY, NAME, Blow, few, prepare, program, strike

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.mark import ParameterSet
    from jig_stage import JigStage

#: A case is a dozen runs of an engine.
pytestmark = pytest.mark.timeout(400)
FEW = few()
#: On the real engine every stroke once, over all operations: it takes its time.
FEWER = [FEW[number] for number in (1, 3, 5, 7, 11, 13, 16)]


def ways() -> Iterator[ParameterSet]:
    """Every blow on each engine, most of them in the long suite only."""
    for engine in ENGINES:
        (name,), marks, _ = ([engine], (), None) if engine == "rehearsal" else engine
        always = FEW if name == "rehearsal" else FEWER
        for blow in EVERY:
            deep = () if blow in always else (pytest.mark.deep,)
            yield pytest.param(name, blow, marks=[*marks, *deep], id=f"{name}-{blow}")


@pytest.mark.parametrize(("engine", "blow"), list(ways()))
def test_nothing_is_lost(jig: JigStage, engine: str, blow: Blow) -> None:
    """
    Cases R12-R14, R16, peers' bug 6: no duplicate, no orphan, nothing left by a destroy.
    """
    prepare(jig, blow)
    status, said = strike(jig, blow)
    print(said)

    # Whoever ran it is told that it did not come to its end.
    assert status != 0
    assert "pulumi_jig/" not in said
    _recover(jig, engine, blow)
    assert jig.up().ok, jig.errors()
    assert [d["name"] for d in jig.live()] == [NAME] * (blow.operation != "delete")
    if blow.operation != "delete":
        assert jig.resource()["outputs"]["__nonce"] in jig.only()["description"]
        assert jig.only()["status"] == "Ready"
        assert jig.preview().steps["Deployment llm"] == ["same"]
    assert jig.acts[-1].pending == []
    # Nothing was made twice on the way.
    accepted = jig.emulator.admin.requests()
    made = [r for r in accepted if (r["method"], r["status"]) == ("POST", 200)]
    assert len(made) == (blow.operation == "create")
    assert jig.destroy().ok
    assert jig.live() == []
    assert not jig.has()


def _recover(jig: JigStage, engine: str, blow: Blow) -> None:
    """Do what the command says after an interrupted run."""
    # This backend has the only stack of the name.
    done = jig.jig("recover", "--yes", "--adopt-marked", "--json")
    print(done.stdout, done.stderr)
    found = json.loads(done.stdout)
    assert [o for o in found["operations"] if o["action"] == "skip"] == []
    if found["orphans"] and engine == "rehearsal":
        # Only the real command takes an orphan back by an import; in a program, it is
        # `adopt`.
        assert not jig.up().ok
        assert "recover" in jig.errors()
        program(jig, blow, adopt=True)
    else:
        assert done.returncode == 0
