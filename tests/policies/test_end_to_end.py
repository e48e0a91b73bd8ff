"""The pack under an engine: the rehearsal always, `pulumi` where it is on PATH."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import wire

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from both_engines import ENGINES  # noqa: E402
from engines import STACK, Act, PulumiEngine, RehearsalEngine, Stage  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator


class Shop(Stage):
    """A stage whose program makes deployments and a budget, by their types only."""

    def __init__(self, folder: Path, engine: str, profile: str | None) -> None:
        self.folder = folder
        self.program_dir = folder / "program"
        shutil.copytree(HERE / "shop", self.program_dir)
        self.project_settings: dict[str, Any] = {}
        self.move("shop", STACK)
        self.world = folder / "world"
        self.world.mkdir()
        self.env = {
            "SHOP": str(self.world),
            "PYTHONPATH": str(self.program_dir),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.config: dict[str, str] = {}
        self.secret_config: dict[str, str] = {}
        config = None
        if profile is not None:
            config = folder / f"{profile}.json"
            config.write_text(json.dumps(wire.profile_of_today(profile)))
        self.policy_packs = [(wire.PACK, config)]
        self.acts: list[Act] = []
        self.deployments()
        engines = {"rehearsal": RehearsalEngine, "pulumi": PulumiEngine}
        self._engine = engines[engine](folder, self)

    def deployments(
        self, budget: list[dict[str, Any]] | None = None, **items: dict[str, Any]
    ) -> None:
        """What the program is to build; with a budget, all wait for it."""
        data: dict[str, Any] = {"deployments": items}
        if budget is not None:
            data["budget"] = {"members": budget}
        (self.program_dir / "plan.json").write_text(json.dumps(data))

    def made(self) -> list[str]:
        """What was created and is not deleted."""
        return sorted(path.name for path in self.world.iterdir())


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """The name of an engine."""
    name: str = request.param
    return name


@pytest.fixture
def shop(engine: str, tmp_path: Path) -> Iterator[Shop]:
    """A shop under the dev profile."""
    stage = Shop(tmp_path, engine, "dev")
    yield stage
    stage.close()


def sound(**patch: Any) -> dict[str, Any]:
    """A deployment that dev accepts."""
    inputs = wire.good(**patch)
    inputs.pop("name")
    return inputs


def member(name: str, **patch: Any) -> dict[str, Any]:
    """Its entry in a budget."""
    sizes = {
        "gpu_type": "h100-80gb",
        "gpu_count": 1,
        "min_replicas": 1,
        "max_replicas": 2,
        "memory_gib": 64,
    }
    return {"name": name, **sizes, **patch}


def stopped_by(act: Act) -> list[str]:
    """The mandatory policies that were violated, and by what."""
    return sorted(
        {v.removeprefix("mandatory ") for v in act.violations if v.startswith("mand")}
    )


def test_a_sound_program_comes_up_under_the_pack(shop: Shop) -> None:
    """Preview, up and destroy pass, and no policy says anything."""
    shop.deployments([member("a")], a=sound())

    assert shop.preview().violations == []
    act = shop.up()
    assert act.ok
    assert act.violations == []
    assert shop.made() == ["a", "team"]
    assert shop.destroy().ok
    assert shop.made() == []


def test_a_mandatory_violation_stops_a_preview(shop: Shop) -> None:
    """The preview fails and names policy and deployment."""
    shop.deployments(
        [member("a")], a=sound(gpu_count=8, max_replicas=None, autoscaling=None)
    )
    act = shop.preview()

    assert not act.ok
    assert "jig-gpu-count Deployment a" in stopped_by(act)


def test_without_a_preview_the_resource_is_not_created(shop: Shop) -> None:
    """A resource policy speaks before the create, with --skip-preview too."""
    shop.deployments(a=sound(gpu_count=8, max_replicas=None, autoscaling=None))
    act = shop.up()

    assert not act.ok
    assert "jig-gpu-count Deployment a" in stopped_by(act)
    assert shop.made() == []


def test_a_budget_stops_every_member(shop: Shop) -> None:
    """Each member is sound by itself; together they are over, and none is created."""
    names = [f"a{i}" for i in range(5)]
    shop.deployments([member(n) for n in names], **{n: sound() for n in names})
    act = shop.up()

    assert not act.ok
    assert stopped_by(act) == ["jig-gpu-budget GpuBudget team"]
    assert shop.made() == []


def test_a_stack_policy_stops_a_preview_only(shop: Shop) -> None:
    """Without a budget and a preview everything is created, then the run fails."""
    names = [f"a{i}" for i in range(5)]
    shop.deployments(**{n: sound() for n in names})
    preview = shop.preview()
    seen = shop.made()
    up = shop.up()

    assert (preview.ok, seen) == (False, [])
    assert any(v.startswith("jig-stack-gpus") for v in stopped_by(preview))
    assert not up.ok
    assert names == shop.made()


def test_an_unknown_value_is_judged_before_its_create(shop: Shop) -> None:
    """
    A preview names what it cannot judge; the update refuses it, by its value (Case P1,
    peers' bug 61).
    """
    shop.deployments(
        a=sound(),
        b=sound(gpu_count="unknown until created", max_replicas=None, autoscaling=None),
    )
    preview = shop.preview()
    up = shop.up()

    assert preview.ok
    assert "advisory jig-gpu-count Deployment b" in preview.violations
    assert not up.ok
    assert "jig-gpu-count Deployment b" in stopped_by(up)
    assert shop.made() == ["a"]


def test_a_lost_type_token_is_an_escape(shop: Shop) -> None:
    """A subclass without its token is refused before it is created."""
    shop.deployments(a=sound(kind="lost"))
    act = shop.up()

    assert "jig-no-escape Resource a" in stopped_by(act)
    assert shop.made() == []


def test_a_budget_grows_before_its_new_member(shop: Shop) -> None:
    """A member is added by an update of the budget; over the limit, nothing changes."""
    shop.deployments([member("a")], a=sound())
    shop.up()
    names = [f"a{i}" for i in range(4)]
    shop.deployments(
        [member("a"), *(member(n) for n in names)],
        a=sound(),
        **{n: sound() for n in names},
    )
    act = shop.up()

    assert not act.ok
    assert "jig-gpu-budget GpuBudget team" in stopped_by(act)
    assert shop.made() == ["a", "team"]


def test_the_stack_chooses_the_profile(engine: str, tmp_path: Path) -> None:
    """Without a configuration file, the stack `dev` gets the limits of dev."""
    stage = Shop(tmp_path, engine, None)
    stage.deployments(
        [member("a"), member("b", gpu_count=4, max_replicas=1)],
        a=sound(),
        b=sound(gpu_count=4, max_replicas=None, autoscaling=None),
    )
    act = stage.preview()
    stage.close()

    assert "jig-gpu-count Deployment b" in stopped_by(act)
