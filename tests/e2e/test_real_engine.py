"""What the rehearsal leaves to the real engine, and our own provider lives with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from both_engines import on_the_real_engine
from jig_stage import dep
from toys import CREATES_FIRST, DELETE_FIRST, DELETES_FIRST, box, out, toy

if TYPE_CHECKING:
    from engines import Stage
    from jig_stage import JigStage

pytestmark = [pytest.mark.timeout(600), pytest.mark.engine]

CRATE = {"kind": "crate", "opts": {"aliases": [{"type_": "toy:index:Box"}]}}


def plan(number: int) -> dict[str, Any]:
    """Whatever replaces without a change of the resource itself, before and after."""
    return {
        "init": toy({"replace_on_changes": ["#initerror"]}, size=1),
        "tainted": toy(),
        "asked": toy(DELETE_FIRST),
        "trigger": toy({"replacement_trigger": str(number)}),
        # A trigger that was not there before replaces nothing.
        "new-trigger": toy({"replacement_trigger": "1"} if number > 1 else {}),
        # `replace_on_changes` counts where the provider leaves the diff to the engine.
        "unsure": toy({"replace_on_changes": ["size"]}, unsure=True, size=number),
        # Dependents that take their name from what goes first go before it.
        "x": toy(DELETE_FIRST, name=f"x{number}", tag=f"y{number}"),
        "y": toy(name=out("x", "tag"), tag=f"z{number}"),
        "z": toy(name=out("y", "tag")),
        # An alias of type keeps a component's children.
        "box": CRATE if number > 1 else box(),
        "kid": toy({"parent": "box"}),
        # A managed resource that becomes a read one is let go of.
        "let-go": toy({"id": "let-go"} if number > 1 else {}),
        "small": toy(size=2 if number == 1 else 0.5),
        "with": toy({"deleted_with": "small"}),
    }


def test_replacements_without_a_diff(real: Stage) -> None:
    """Taint, `--replace`, triggers and chains: checked as if new, and no diff is asked."""
    real.plan(plan(1))
    real.faults(create_init="partial")
    assert real.up().resource("toy init")["initErrors"]
    real.faults()
    assert real.up().steps["toy init"] == CREATES_FIRST
    real.plan(plan(2))
    real.pulumi("state", "taint", real.urn("tainted"), "--yes")
    real.env["TOY_GROWS"] = "1"
    real.use_pack({"all": "disabled", "toy-grow": "remediate"})
    act = real.up([real.urn("asked")])
    assert act.ok, act.errors
    expected = {
        "tainted": CREATES_FIRST,
        "asked": DELETES_FIRST,
        "trigger": CREATES_FIRST,
        "new-trigger": ["same"],
        "unsure": CREATES_FIRST,
        **dict.fromkeys("xyz", DELETES_FIRST),
        "kid": ["same"],
        "let-go": ["read"],
        "with": ["same"],
        "small": ["update"],
    }
    assert {name: act.steps[f"toy {name}"] for name in expected} == expected
    assert [o for o in act.order if o[-1] in "xyz"] == [
        f"{what} toy {name}"
        for what, names in (("Delete", "zyx"), ("Create", "xyz"))
        for name in names
    ]
    assert act.methods("toy tainted") == ["Check", "Create", "Delete"]
    assert act.methods("toy asked") == ["Check", "Delete", "Create"]
    assert act.methods("toy trigger") == ["Check", "Check", "Create", "Delete"]
    for name in ("tainted", "asked"):
        (check,) = act.requests(f"toy {name}", "Check")
        assert not check.get("olds")
        assert not check.get("oldOutputs")
    # A remediation changes the inputs that the provider gets.
    assert act.requests("toy small", "Update")[0]["news"]["size"] == 1

    last = real.destroy()
    assert last.methods("toy with") == last.methods("toy let-go") == []
    assert real.toys() == ["let-go", "with"]


@on_the_real_engine
def test_a_target_is_all_that_is_touched(jig: JigStage) -> None:
    """Update, refresh and destroy with `--target` leave the other deployment alone."""

    def plan(memory: int) -> None:
        names = ("one", "two")
        jig.plan({name: dep(name=f"{name}-llm", memory=memory) for name in names})

    target = {"targets": [jig.deployment_urn("one")]}
    plan(32)
    assert jig.up(**target).ok, jig.errors()
    assert [item["name"] for item in jig.live()] == ["one-llm"]
    assert jig.up().ok
    plan(64)
    assert jig.up(**target).ok
    assert {item["name"]: item["memory"] for item in jig.live()} == {
        "one-llm": 64,
        "two-llm": 32,
    }
    jig.emulator.admin.clear_requests()
    assert jig.refresh(**target).ok
    read = {
        r["path"] for r in jig.emulator.admin.requests() if "whoami" not in r["path"]
    }
    assert len(read) == 1
    assert jig.destroy(**target).ok
    assert [item["name"] for item in jig.live()] == ["two-llm"]
    assert (jig.has("one"), jig.has("two")) == (False, True)
