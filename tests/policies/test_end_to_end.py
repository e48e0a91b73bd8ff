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
    """A stage whose program makes deployments, by their types only."""

    def __init__(
        self,
        folder: Path,
        engine: str,
        profile: str | None,
        **changes: dict[str, Any] | str,
    ) -> None:
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
            given = wire.profile_of_today(profile)
            for key, change in changes.items():
                name = f"jig-{key.replace('_', '-')}"
                given[name] = (
                    change if isinstance(change, str) else {**given[name], **change}
                )
            config.write_text(json.dumps(given))
        self.policy_packs = [(wire.PACK, config)]
        self.acts: list[Act] = []
        self.deployments()
        engines = {"rehearsal": RehearsalEngine, "pulumi": PulumiEngine}
        self._engine = engines[engine](folder, self)

    def deployments(self, **items: dict[str, Any]) -> None:
        """What the program is to build."""
        (self.program_dir / "plan.json").write_text(json.dumps({"deployments": items}))

    def made(self) -> list[str]:
        """What was created and is not deleted."""
        return sorted(path.name for path in self.world.iterdir())


#: The rehearsal has no command that could be asked for the state.
ON_PULUMI = pytest.mark.parametrize("engine", ENGINES[1:], indirect=True)


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
    """A deployment that dev accepts without a word."""
    queue = {"metric": "QueueBacklogPerWorker"}
    inputs = wire.good(**{"min_replicas": 0, "autoscaling": queue, **patch})
    inputs.pop("name")
    return inputs


def two(**patch: Any) -> dict[str, Any]:
    """One of two GPUs when it runs."""
    return sound(**{"gpu_count": 2, "max_replicas": 1, **patch})


def stopped_by(act: Act) -> list[str]:
    """The mandatory policies that were violated, and by what."""
    return sorted(
        {v.removeprefix("mandatory ") for v in act.violations if v.startswith("mand")}
    )


def test_a_sound_program_comes_up_under_the_pack(shop: Shop) -> None:
    """Preview, up and destroy pass, and no policy says anything."""
    shop.deployments(a=sound())

    assert shop.preview().violations == []
    act = shop.up()
    assert act.ok
    assert act.violations == []
    assert shop.made() == ["a"]
    assert shop.destroy().ok
    assert shop.made() == []


def test_a_mandatory_violation_stops_a_preview(shop: Shop) -> None:
    """The preview fails and names policy and deployment, and what else is wrong."""
    shop.deployments(
        a=sound(gpu_count=8, max_replicas=0, autoscaling=None),
        b=sound(),
        c=sound(gpu_type="b200-192gb"),
    )
    act = shop.preview()

    assert not act.ok
    assert "jig-gpu-count Deployment a" in stopped_by(act)
    assert "jig-gpu-types Deployment c" in stopped_by(act)
    assert not any(line.endswith("Deployment b") for line in stopped_by(act))


def test_without_a_preview_the_resource_is_not_created(shop: Shop) -> None:
    """A resource policy speaks before the create, with --skip-preview too."""
    shop.deployments(a=sound(gpu_count=8, max_replicas=0, autoscaling=None))
    act = shop.up()

    assert not act.ok
    assert "jig-gpu-count Deployment a" in stopped_by(act)
    assert shop.made() == []


def test_a_quota_creates_what_fits_and_nothing_more(shop: Shop) -> None:
    """Of 20 deployments of 2 GPUs under a limit of 8, 4 are created without a preview."""
    shop.deployments(**{f"d{i:02}": two() for i in range(20)})
    act = shop.up()

    assert not act.ok
    assert {line.split()[0] for line in stopped_by(act)} == {"jig-stack-gpus"}
    assert len(shop.made()) == 4


@ON_PULUMI
def test_a_quota_counts_what_is_there_already(shop: Shop) -> None:
    """Deployments of the run before count, whether the engine has named them or not."""
    shop.deployments(**{f"d{i}": two() for i in range(4)})
    assert shop.up().ok
    shop.deployments(**{f"d{i}": two() for i in range(5)})
    act = shop.up()

    assert not act.ok
    assert len(shop.made()) == 4


def test_a_quota_lets_one_grow_when_another_has_shrunk(shop: Shop) -> None:
    """What was given back in one run can be used in the next."""
    shop.deployments(**{n: two() for n in ("a", "b", "c", "d")})
    assert shop.up().ok
    shop.deployments(a=two(), b=two(), c=two(gpu_count=1), d=two(gpu_count=1))
    assert shop.up().ok
    shop.deployments(
        a=two(max_replicas=2), b=two(), c=two(gpu_count=1), d=two(gpu_count=1)
    )

    assert shop.up().ok


@ON_PULUMI
def test_what_goes_in_the_same_run_still_counts(shop: Shop) -> None:
    """A new deployment is refused while the one that it replaces still runs."""
    shop.deployments(**{n: two() for n in ("a", "b", "c", "d")})
    assert shop.up().ok
    shop.deployments(**{n: two() for n in ("a", "b", "c", "e")})
    preview, up = shop.preview(), shop.up()

    assert preview.ok
    assert not up.ok
    assert shop.made() == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    "engine", [pytest.param("pulumi", marks=pytest.mark.engine)], indirect=True
)
def test_a_target_is_judged_by_itself(shop: Shop) -> None:
    """What a run leaves out is neither refused nor counted for sizes it does not show."""
    shop.deployments(a=sound(), **{f"d{i}": two() for i in range(4)})
    act = shop.up(targets=[wire.urn_of(wire.DEPLOYMENT, "a", STACK)])

    assert act.ok, act.errors
    assert shop.made() == ["a"]


def test_a_group_has_a_quota_of_its_own(engine: str, tmp_path: Path) -> None:
    """Two of team a are over its limit, and team b is not touched by that."""
    stage = Shop(
        tmp_path,
        engine,
        "dev",
        stack_gpus={"groups": {"a-*": {"max_total_gpus": 2}}},
    )
    small = two()
    stage.deployments(**{"a-1": small, "a-2": small, "b-1": small, "b-2": small})
    act = stage.preview()
    stage.close()

    assert not act.ok
    refused = set(stopped_by(act))
    assert refused
    assert refused <= {"jig-stack-gpus Deployment a-1", "jig-stack-gpus Deployment a-2"}


def test_an_unknown_value_is_judged_before_its_create(shop: Shop) -> None:
    """
    A preview names what it cannot judge; the update refuses it, by its value (Case P1,
    peers' bug 61).
    """
    shop.deployments(
        a=sound(),
        b=sound(gpu_count="unknown until created", max_replicas=0, autoscaling=None),
    )
    preview = shop.preview()
    up = shop.up()

    assert preview.ok
    assert "advisory jig-gpu-count Deployment b" in preview.violations
    assert not up.ok
    assert "jig-gpu-count Deployment b" in stopped_by(up)
    assert shop.made() == ["a"]


def test_an_unknown_size_is_counted_when_it_is_known(shop: Shop) -> None:
    """A quota names an unknown in the preview and adds it up in the update."""
    small = two()
    shop.deployments(
        a=small,
        b=small,
        c=small,
        d=sound(gpu_count="one, unknown until created", max_replicas=3),
    )
    preview = shop.preview()
    up = shop.up()

    assert preview.ok
    assert "advisory jig-stack-gpus Deployment d" in preview.violations
    assert not up.ok
    assert shop.made() == ["a", "b", "c"]


def test_a_secret_size_counts(shop: Shop) -> None:
    """A size that the program marks as secret is added up like any other."""
    hidden = two(gpu_count={"secret": 2})
    shop.deployments(**{f"d{i}": hidden for i in range(5)})
    act = shop.up()

    assert not act.ok
    assert len(shop.made()) == 4


def test_a_lost_type_token_is_no_way_around(shop: Shop) -> None:
    """A subclass without its token is refused before it is created."""
    shop.deployments(a=sound(kind="lost"))
    act = shop.up()

    assert "jig-no-bypass Resource a" in stopped_by(act)
    assert shop.made() == []


@pytest.mark.parametrize("path", ["*", "[*]", ".gpu_count", '["gpu_count"]'])
def test_an_ignored_change_is_refused(shop: Shop, path: str) -> None:
    """However `ignore_changes` names a governed field, the pack refuses it."""
    shop.deployments(a=sound(options={"ignore_changes": [path]}))
    act = shop.preview()

    assert "jig-protect Deployment a" in stopped_by(act)


def test_the_stack_chooses_the_profile(engine: str, tmp_path: Path) -> None:
    """Without a configuration file, the stack `dev` gets the limits of dev."""
    stage = Shop(tmp_path, engine, None)
    stage.deployments(a=sound(), b=sound(gpu_count=4, max_replicas=0, autoscaling=None))
    act = stage.preview()
    stage.close()

    assert "jig-gpu-count Deployment b" in stopped_by(act)


def test_a_faulty_profile_refuses_the_run(engine: str, tmp_path: Path) -> None:
    """A pack whose profile for the stack cannot be read lets nothing pass."""
    pack = tmp_path / "policies"
    shutil.copytree(wire.PACK, pack / "gpu-guardrails")
    (pack / "profiles").mkdir()
    (pack / "profiles" / f"{STACK}.json").write_text('{"jig-gpu-count": {"max": 1}}')
    stage = Shop(tmp_path, engine, None)
    stage.policy_packs = [(pack / "gpu-guardrails", None)]
    stage.deployments(a=sound())
    try:
        ok = stage.up().ok
    except RuntimeError as error:
        ok = False
        assert "max is not a key of this policy" in str(error)
    stage.close()

    assert not ok
    assert stage.made() == []
