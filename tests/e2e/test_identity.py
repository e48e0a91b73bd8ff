"""
Whose is it? What a program says twice, what a state forgot, what another state holds.

Nothing foreign, and nothing that a state already holds, is adopted, written to or deleted
without being asked for; each attempt ends in one sentence. On both engines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from both_engines import on_the_real_engine
from jig_stage import JigStage
from toys import DELETE_FIRST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from acts import Act

#: A case is half a dozen runs of an engine.
pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def twin(jig: JigStage, engine: str, tmp_path: Path) -> Iterator[JigStage]:
    """A stack of the same project and name in another backend, the same service."""
    (tmp_path / "twin").mkdir()
    stage = JigStage(tmp_path / "twin", engine)
    stage.env["TOGETHER_BASE_URL"] = jig.emulator.url
    yield stage
    stage.close()


def sentence(stage: JigStage, name: str = "llm") -> str:
    """The one sentence with which the last operation failed."""
    assert not stage.acts[-1].ok
    start = f"Deployment {name}: "
    (found,) = [e for e in stage.acts[-1].errors if e.startswith(start)]
    assert "\n" not in found
    return found.removeprefix(start)


def writes(stage: JigStage) -> list[str]:
    """What the service was asked to change, and did."""
    return [
        r["method"]
        for r in stage.emulator.admin.requests()
        if r["method"] != "GET" and r["status"] == 200
    ]


# --- Replaced without a diff -------------------------------------------------------


@on_the_real_engine
@pytest.mark.parametrize("how", ["taint", "trigger", "replace"])
def test_a_forced_replacement_takes_nothing_from_itself(
    jig: JigStage, how: str
) -> None:
    """
    It meets its own name and changes nothing; delete-first makes a new one; `adopt`
    keeps the deployment, which survives the deletion of what it was.
    """

    def force(number: int, opts: dict[str, Any], **props: Any) -> Act:
        trigger = {"replacement_trigger": str(number)} if how == "trigger" else {}
        jig.deployment("llm", {**opts, **trigger}, name="my-llm", **props)
        if how == "taint":
            jig.pulumi("state", "taint", jig.deployment_urn(), "--yes")
        return jig.up([jig.deployment_urn()] if how == "replace" else [])

    jig.deployment("llm", {"replacement_trigger": "1"}, name="my-llm")
    jig.up()
    before = jig.only()
    jig.emulator.admin.clear_requests()
    force(2, {})
    assert "delete_before_replace" in sentence(jig)
    assert (jig.only()["id"], writes(jig)) == (before["id"], [])
    assert jig.resource()["id"] == "my-llm"

    assert force(3, DELETE_FIRST).ok, jig.errors()
    made = jig.only()
    assert made["id"] != before["id"]
    assert jig.preview().steps["Deployment llm"] == ["same"]

    assert force(4, {}, adopt=True).ok, jig.errors()
    assert jig.only()["id"] == made["id"]
    assert jig.preview().steps["Deployment llm"] == ["same"]
    assert jig.destroy().ok
    assert jig.live() == []


# --- Another name in the program ---------------------------------------------------


def test_a_rename_takes_nothing_from_itself(jig: JigStage) -> None:
    """Without an alias the new resource meets the old one's name, in one sentence."""
    jig.deployment(name="my-llm")
    jig.up()
    before = jig.only()
    jig.deployment("llm2", name="my-llm")
    jig.emulator.admin.clear_requests()

    jig.up()

    assert "belongs to shop/dev/llm" in sentence(jig, "llm2")
    assert (jig.only()["id"], writes(jig)) == (before["id"], [])
    assert jig.resource()["id"] == "my-llm"


def test_a_rename_with_adopt_keeps_the_deployment(jig: JigStage) -> None:
    """The deletion of the old resource leaves alone what the new one took over."""
    jig.deployment(name="my-llm")
    jig.up()
    before = jig.only()
    jig.deployment("llm2", name="my-llm", adopt=True)

    assert jig.up().ok, jig.errors()

    assert jig.only()["id"] == before["id"]
    assert (jig.has("llm"), jig.has("llm2")) == (False, True)
    assert "shop/dev/llm2" in jig.only()["description"]
    assert jig.preview().steps["Deployment llm2"] == ["same"]
    assert jig.destroy().ok
    assert jig.live() == []


# --- What a state forgot -----------------------------------------------------------


def test_what_the_state_forgot_is_not_taken_in_silence(jig: JigStage) -> None:
    """After `state delete` an `up` meets its own deployment, and says how to take it."""
    jig.deployment(name="my-llm")
    jig.up()
    before = jig.only()
    jig.forget(jig.deployment_urn())
    jig.emulator.admin.clear_requests()

    jig.up()

    assert "recover" in sentence(jig)
    assert "may be running and billing" in sentence(jig)
    assert (jig.only()["id"], writes(jig)) == (before["id"], [])
    jig.deployment(name="my-llm", adopt=True)
    assert jig.up().ok
    assert jig.only()["id"] == before["id"]
    assert jig.preview().steps["Deployment llm"] == ["same"]
    assert jig.destroy().ok
    assert jig.live() == []


def test_a_destroy_leaves_what_the_state_forgot(jig: JigStage) -> None:
    """What was taken out of the state is nobody's to delete."""
    jig.deployment(name="my-llm")
    jig.up()
    before = jig.only()
    jig.forget(jig.deployment_urn())

    assert jig.destroy().ok
    assert jig.only()["id"] == before["id"]


# --- Two backends ------------------------------------------------------------------


def test_a_stack_of_the_same_name_elsewhere_is_another(
    jig: JigStage, twin: JigStage
) -> None:
    """Two backends with equal project and stack: the second changes nothing (Case L14)."""
    jig.deployment()
    jig.up()
    before = jig.only()
    twin.deployment()
    jig.emulator.admin.clear_requests()

    twin.up()

    assert "exists already" in sentence(twin)
    assert (jig.only(), writes(jig)) == (before, [])
    assert twin.destroy().ok
    assert jig.only()["id"] == before["id"]
    # With a namespace of its own it makes names of its own.
    twin.config["jig:namespace"] = "elsewhere"
    assert twin.up().ok, twin.errors()
    assert len({d["name"] for d in jig.live()}) == 2
    assert twin.destroy().ok
    assert jig.only()["id"] == before["id"]
    assert jig.preview().steps["Deployment llm"] == ["same"]


def test_what_another_stack_adopted_is_let_go(jig: JigStage, twin: JigStage) -> None:
    """An adoption by name is obeyed: the first stack neither writes nor deletes."""
    jig.deployment(name="my-llm")
    jig.up()
    before = jig.only()
    twin.deployment(name="my-llm", adopt=True)
    assert twin.up().ok
    jig.deployment(name="my-llm", memory=64)
    jig.emulator.admin.clear_requests()

    jig.up()

    assert "taken over" in sentence(jig)
    assert writes(jig) == []
    assert jig.destroy().ok
    assert (jig.only()["id"], writes(jig)) == (before["id"], [])
    assert twin.preview().steps["Deployment llm"] == ["same"]
