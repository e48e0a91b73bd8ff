"""A budget as a gate, end to end, on the rehearsal and on the real engine."""

from __future__ import annotations

import shutil
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from jig_stage import IMAGE, JigStage  # noqa: E402

from pulumi_jig.rehearsal import Rehearsal  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

POLICIES = HERE.parents[1] / "policies"
H = "h100-80gb"
PRELUDE = f"""\
import pulumi
from pulumi_jig import Deployment, GpuBudget

H = "h100-80gb"


def deployment(resource_name, opts=None, **props):
    sizes = {{"image": {IMAGE!r}, "gpu_type": H, "gpu_count": 1}}
    return Deployment(resource_name, {{**sizes, **props}}, opts)


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

    def names_in_state(self) -> list[str]:
        """The deployments that the state holds."""
        labels = [item["label"].partition(" ") for item in self.acts[-1].state]
        return [name for kind, _, name in labels if kind == "Deployment"]

    def rehearse(self) -> tuple[bool, list[str]]:
        """An update on the rehearsal, and its warnings."""
        with Rehearsal(
            self.program_dir, "dev", env=self.env, state_file=self.folder / "s.json"
        ) as rehearsal:
            result = rehearsal.up()
        found = [d.message for d in result.diagnostics if d.severity == "warning"]
        return result.ok, [text.strip() for text in found]

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
with GpuBudget("team", max_gpus={H: LIMIT}, max_total_gpus=9):
    deployment("a", gpu_count=2)
    deployment("b", min_replicas=1, max_replicas=2)
"""
A = {"name": "a", "gpu_type": H, "gpu_count": 2}
B = {"name": "b", "gpu_type": H, "gpu_count": 1, "min_replicas": 1, "max_replicas": 2}


# --- Within and over -----------------------------------------------------------


def test_a_budget_comes_before_its_members_and_goes_after_them(
    jig: BudgetStage,
) -> None:
    """Members name it and depend on it; a second preview and a refresh are empty."""
    jig.program(TWO.replace("LIMIT", "4"))

    assert jig.preview().ok
    assert jig.live() == []
    assert jig.up().order[0] == "Create GpuBudget team"
    assert jig.names() == ["a", "b"]
    assert jig.members() == [A, B]
    for name in ("a", "b"):
        assert jig.resource(name)["inputs"]["budget"] == "team"
        assert any("GpuBudget::team" in u for u in jig.resource(name)["dependencies"])
    assert jig.refresh().steps["GpuBudget team"] == ["same"]
    assert set(map(tuple, jig.preview().steps.values())) == {("same",)}
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
    assert jig.requests("POST") == 0
    assert not jig.has("a")


def test_members_come_and_go_by_an_update_of_the_budget(jig: BudgetStage) -> None:
    """In place and before the members; over the limit, everything stays as it was."""
    jig.program(TWO.replace("LIMIT", "4"))
    jig.up()
    more = (
        TWO.replace("LIMIT", "5")
        + """
    deployment("c")
"""
    )
    jig.program(more.replace("max_total_gpus=9", "max_total_gpus=4"))
    assert not jig.up().ok
    assert jig.names() == ["a", "b"]

    jig.program(more)
    act = jig.up()

    assert act.steps["GpuBudget team"] == ["update"]
    assert act.order == ["Update GpuBudget team", "Create Deployment c"]
    jig.program(TWO.replace("LIMIT", "4").replace('deployment("a"', "#"))
    act = jig.up()
    assert act.order[0] == "Update GpuBudget team"
    assert jig.names() == ["b"]
    assert jig.members() == [B]


# --- Who is a member -----------------------------------------------------------


def test_what_is_declared_in_a_block_is_a_member(jig: BudgetStage) -> None:
    """Subclasses, children of components; not what is outside, or only looked up."""
    jig.program("""
    class Service(Deployment):
        pass


    class Team(pulumi.ComponentResource):
        def __init__(self, name):
            super().__init__("shop:index:Team", name)
            opts = pulumi.ResourceOptions(parent=self)
            Service("child", image="a/b:1", gpu_type=H, gpu_count=1, opts=opts)


    out = deployment("out", name="outside")
    with GpuBudget("team", max_total_gpus=2):
        Team("people")
        deployment("own", opts=pulumi.ResourceOptions(depends_on=[out]))
        Deployment.get("seen", out.id)
    with GpuBudget("other", max_total_gpus=1, max_memory_gib=8):
        deployment("third", memory=8)
    """)

    assert jig.up().ok, jig.errors()
    assert ["child", "own"] == [member["name"] for member in jig.members()]
    assert ["third"] == [member["name"] for member in jig.members("other")]
    assert "budget" not in jig.resource("out")["inputs"]
    assert any("::out" in urn for urn in jig.resource("own")["dependencies"])


def test_sizes_may_come_from_what_is_not_a_member(jig: BudgetStage) -> None:
    """A preview lets through what it does not know; the update judges it."""
    jig.program("""
    out = deployment("out", name="outside", min_replicas=2)
    with GpuBudget("team", max_total_gpus=pulumi.Output.from_input(1)):
        deployment("a", max_replicas=out.deployment_id.apply(lambda _: 2))
    """)

    assert jig.preview().ok
    assert not jig.up().ok
    assert "must not use more than 1 GPUs in total; it uses 2" in jig.errors()
    assert [item["name"] for item in jig.live()] == ["outside"]


# --- What is refused -----------------------------------------------------------

REFUSED = {
    "an attribute of another member": (
        """
        with GpuBudget("team"):
            a = deployment("a")
            deployment("b", max_replicas=a.gpu_count)
        """,
        "GpuBudget team: max_replicas of b hangs on gpu_count of a, which is known only "
        "after the budget",
    ),
    "a text that is made from it": (
        """
        with GpuBudget("team"):
            a = deployment("a")
            deployment("b", gpu_type=pulumi.Output.format("{0}", a.gpu_type))
        """,
        "gpu_type of b hangs on gpu_type of a",
    ),
    "one of several values": (
        """
        with GpuBudget("team"):
            a = deployment("a")
            sizes = pulumi.Output.all(1, a.id, pulumi.Output.secret(a.memory))
            deployment("b", memory=sizes.apply(lambda sizes: sizes[0]))
        """,
        "memory of b hangs on id of a",
    ),
    "what waits for another member": (
        """
        with GpuBudget("team"):
            a = deployment("a")
            after = pulumi.ResourceOptions(depends_on=[a])
            out = Deployment.get("out", "outside", after)
            deployment("b", gpu_count=out.gpu_count)
        """,
        "gpu_count of b hangs on urn of a",
    ),
    "a budget in a budget": (
        """
        with GpuBudget("team"):
            deployment("a")
            with GpuBudget("inner"):
                deployment("b")
        """,
        "GpuBudget inner: it is opened inside the block of another budget",
    ),
    "another budget's name": (
        """
        with GpuBudget("team"):
            deployment("a", budget="other")
        """,
        "Deployment a: it names another budget inside the block of team",
    ),
    "a second block": (
        """
        budget = GpuBudget("team")
        with budget:
            deployment("a")
        with budget:
            deployment("b")
        """,
        "GpuBudget team: it has been opened before",
    ),
    "no block": (
        'GpuBudget("team", max_total_gpus=1)',
        "GpuBudget team: it limits nothing, since nobody opened it",
    ),
    "a member after the end": (
        """
        with GpuBudget("team"):
            deployment("a")
            pulumi.Output.from_input(1).apply(lambda _: deployment("b"))
        """,
        "Deployment b: it is declared by something that was begun in the block of the "
        "budget team",
    ),
    "an error in the block": (
        """
        with GpuBudget("team"):
            deployment("a")
            raise KeyError("what the program says")
        """,
        "KeyError: 'what the program says'",
    ),
    "an error that the SDK rewords": (
        """
        with GpuBudget("team"):
            deployment("a")
            raise ValueError("what the program says")
        """,
        "ValueError: what the program says",
    ),
    "an error that somebody swallows": (
        """
        try:
            with GpuBudget("team"):
                deployment("a")
                raise KeyError("what the program says")
        except KeyError:
            pass
        """,
        "KeyError: 'what the program says'",
    ),
    "an exit in the block": (
        """
        with GpuBudget("team"):
            deployment("a")
            raise SystemExit(0)
        """,
        "GpuBudget team: its block was left by SystemExit before its end, so none of "
        "its deployments is created.",
    ),
}


def refused(folder: Path, engine: str, case: str) -> tuple[str, list[str]]:
    """What an update complains of, and the deployments that it left in the state."""
    jig = BudgetStage(folder, engine)
    jig.program(REFUSED[case][0])
    act = jig.up()
    posts = jig.requests("POST")
    jig.close()
    assert (act.ok, posts) == (False, 0)
    return jig.errors(), jig.names_in_state()


@pytest.mark.parametrize("case", REFUSED)
def test_what_could_pass_uncounted_is_refused(tmp_path: Path, case: str) -> None:
    """One sentence, an end instead of a hang, and no member is created."""
    errors, names = refused(tmp_path, "rehearsal", case)

    assert REFUSED[case][1] in errors
    assert "a" not in names


@pytest.mark.parametrize(
    "case", ["an attribute of another member", "an error in the block"]
)
def test_the_engine_says_what_the_program_says(
    engine: str, tmp_path: Path, case: str
) -> None:
    """Whoever starts the program prints the sentence, or the program's own error."""
    errors, names = refused(tmp_path, engine, case)

    assert REFUSED[case][1] in errors
    assert [] == names


def test_a_long_wait_is_told_of(tmp_path: Path) -> None:
    """Where nothing can be seen, a warning names what is waited for; the run goes on."""
    jig = BudgetStage(tmp_path, "rehearsal")
    jig.program("""
    import asyncio
    import pulumi_jig.resources.gpu_budget as module

    module.PATIENCE = 0.1


    async def later():
        await asyncio.sleep(0.5)
        return 1


    with GpuBudget("team"):
        deployment("a", gpu_count=pulumi.Output.from_input(later()))
    """)

    ok, warnings = jig.rehearse()
    jig.close()

    assert ok
    assert [
        "GpuBudget team and its deployments still wait for gpu_count of a. If that hangs "
        "on a deployment of the block, it will never be known: give it a value of its "
        "own."
    ] == warnings


# --- Under other hands ---------------------------------------------------------


def test_a_policy_stops_every_member(jig: BudgetStage) -> None:
    """The owner's limits hold whatever the program says, without a preview too."""
    config = POLICIES / "profiles" / "dev.json"
    jig.policy_packs = [(POLICIES / "gpu-guardrails", config)]
    jig.program("""
    with GpuBudget("team", max_total_gpus=1000):
        for number in range(5):
            deployment(f"a{number}", gpu_count=2, memory=32, port=8000)
    """)

    act = jig.up()

    assert not act.ok
    assert ["mandatory jig-gpu-budget GpuBudget team"] == sorted(
        {v for v in act.violations if v.startswith("mandatory")}
    )
    assert jig.requests("POST") == 0


def test_a_budget_that_stands_still_lets_no_member_pass(jig: BudgetStage) -> None:
    """A member that the budget in the state does not count is refused by its check."""
    jig.program(TWO.replace("LIMIT", "4"))
    jig.up()
    still = 'max_total_gpus=9, opts=pulumi.ResourceOptions(ignore_changes=["members"])'
    jig.program(
        TWO.replace("LIMIT", "4").replace("max_total_gpus=9", still)
        + """
    deployment("c", gpu_count=8)
"""
    )

    assert not jig.up().ok
    assert "the budget team does not count this deployment as it is now" in jig.errors()
    assert jig.names() == ["a", "b"]


def test_a_transformation_does_not_pass_the_budget(
    jig: BudgetStage, engine: str
) -> None:
    """What changes a size after the budget was told of it is refused, in both forms."""
    # The newer form is the engine's, and a rehearsal refuses it by name.
    kind = {"rehearsal": "transformations", "pulumi": "transforms"}[engine]
    result = {"transforms": "Result", "transformations": "ationResult"}[kind]
    jig.program(f"""
    def larger(args):
        props = {{**args.props, "gpu_count": 8}}
        return pulumi.ResourceTransform{result}(props=props, opts=args.opts)


    with GpuBudget("team", max_total_gpus=1):
        deployment("a", opts=pulumi.ResourceOptions({kind}=[larger]))
    """)

    assert not jig.up().ok
    assert "its budget was told another gpu_count than it has" in jig.errors()
    assert jig.live() == []


@pytest.mark.engine
def test_a_target_does_not_pass_its_budget(tmp_path: Path) -> None:
    """With --target, a member needs its budget in the run; destroy never does."""
    if shutil.which("pulumi") is None:
        pytest.skip("the `pulumi` command is not on PATH")
    jig = BudgetStage(tmp_path, "pulumi")
    jig.program(TWO.replace("LIMIT", "4"))
    jig.up()
    jig.program(
        TWO.replace("LIMIT", "4")
        + """
    deployment("c", gpu_count=8)
"""
    )
    run = jig._engine._pulumi
    here = ("--yes", "--skip-preview")
    alone = run("up", *here, "--target", jig.deployment_urn("c"))
    names = jig.names()
    both = run("destroy", *here, "--run-program")
    left = jig.live()
    jig.close()

    assert "the budget team does not count this deployment" in alone.stdout
    assert names == ["a", "b"]
    assert (both.returncode, left) == (0, [])
