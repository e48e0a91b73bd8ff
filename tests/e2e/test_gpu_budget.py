"""A budget as a gate, end to end, on the rehearsal and on the real engine."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from jig_stage import IMAGE, JigStage

POLICIES = HERE.parents[1] / "policies"
PRELUDE = f"""\
import pulumi
from pulumi_jig import Deployment, GpuBudget

H = "h100-80gb"


def deployment(name, opts=None, **props):
    sizes = {{"image": {IMAGE!r}, "gpu_type": H, "gpu_count": 1}}
    return Deployment(name, {{**sizes, **props}}, opts)


"""


class BudgetStage(JigStage):
    """A stage whose program is written out, since what matters is where things stand."""

    def program(self, text: str) -> None:
        """What the program is from now on, after the imports."""
        path = self.program_dir / "__main__.py"
        path.write_text(PRELUDE + textwrap.dedent(text))

    def names(self) -> list[str]:
        """The deployments that exist, by what they are called in the program."""
        return sorted(item["name"].rpartition("-")[0] for item in self.live())

    def members(self, name: str = "team") -> list[dict[str, Any]]:
        """The members of a budget, as the state has them."""
        (found,) = [
            item for item in self.acts[-1].state if item["label"] == f"GpuBudget {name}"
        ]
        members: list[dict[str, Any]] = found["outputs"]["members"]
        return members


@pytest.fixture
def jig(engine: str, tmp_path: Path) -> Iterator[BudgetStage]:
    """A stage with an emulator, on the engine of this run."""
    stage = BudgetStage(tmp_path, engine)
    yield stage
    stage.close()


TWO = """
with GpuBudget("team", max_gpus={H: LIMIT}, max_total_gpus=9) as budget:
    deployment("a", gpu_count=2)
    deployment("b", min_replicas=1, max_replicas=2)
"""


def test_a_budget_within_its_limits_comes_before_its_members(jig: BudgetStage) -> None:
    """Members name it, depend on it, and are created after it and destroyed before."""
    jig.program(TWO.replace("LIMIT", "4"))

    assert jig.preview().ok
    assert jig.live() == []
    act = jig.up()
    assert act.ok, jig.errors()
    assert act.order[0] == "Create GpuBudget team"
    assert jig.names() == ["a", "b"]
    for name in ("a", "b"):
        assert jig.resource(name)["inputs"]["budget"] == "team"
        assert any("GpuBudget::team" in u for u in jig.resource(name)["dependencies"])
    assert jig.members() == [
        {"name": "a", "gpu_type": "h100-80gb", "gpu_count": 2},
        {
            "name": "b",
            "gpu_type": "h100-80gb",
            "gpu_count": 1,
            "min_replicas": 1,
            "max_replicas": 2,
        },
    ]
    assert set(jig.preview().steps.values().__iter__().__next__()) == {"same"}
    assert jig.refresh().steps["GpuBudget team"] == ["same"]
    assert jig.preview().steps["GpuBudget team"] == ["same"]
    assert jig.destroy().order[-1] == "Delete GpuBudget team"
    assert jig.live() == []


@pytest.mark.parametrize("operation", ["preview", "up"])
def test_over_a_limit_nothing_is_created(jig: BudgetStage, operation: str) -> None:
    """One sentence says limit, value, largest members and remedy; no member exists."""
    jig.program(TWO.replace("LIMIT", "3"))

    act = getattr(jig, operation)()

    assert not act.ok
    assert (
        'must not use more than 3 GPUs of type "h100-80gb"; it uses 4 (a 2, b 2). Lower '
        "the largest, or have the budget's max_gpus raised." in jig.errors()
    )
    assert jig.live() == []
    assert jig.requests("POST") == 0
    assert not jig.has("a")
