"""A volume on both engines, alone and mounted by a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from jig_stage import JigStage, dep

from pulumi_jig.client import JigClient
from pulumi_jig.config import Settings
from pulumi_jig.context import CallContext
from pulumi_jig.naming import VOLUME_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Several operations of a real engine, on a machine that does other things as well.
pytestmark = pytest.mark.timeout(600)

ROLE = "arn:aws:iam::123456789012:role/read-models"


@pytest.fixture
def stage(engine: str, tmp_path: Path) -> Iterator[JigStage]:
    """A stage with volumes and deployments."""
    made = JigStage(tmp_path, engine)
    yield made
    made.close()


def files(
    opts: dict[str, Any] | None = None,
    /,
    prefix: str = "models/llm/1",
    **props: Any,
) -> dict[str, Any]:
    """A volume of uploaded files, for a plan."""
    return vol(opts, content={"source_prefix": prefix}, **props)


def bucket(path: str, **props: Any) -> dict[str, Any]:
    """A volume copied from a bucket, for a plan."""
    origin = {"s3": {"uri": f"s3://{path}", "role_arn": ROLE}}
    return vol(content={"origin": origin}, **props)


def vol(opts: dict[str, Any] | None = None, /, **props: Any) -> dict[str, Any]:
    """A volume, for a plan."""
    return {"kind": "volume", "props": {"name": "weights", **props}, "opts": opts or {}}


def mounting() -> dict[str, Any]:
    """A deployment that mounts the volume, for a plan."""
    return dep(name="llm-prod", volumes={"/models": {"$made": "weights"}})


def state(stage: JigStage) -> dict[str, Any]:
    """What the state holds of the volume."""
    (found,) = [r for r in stage.acts[-1].state if r["label"] == "Volume weights"]
    outputs: dict[str, Any] = found["outputs"]
    return outputs


def steps(stage: JigStage) -> list[str]:
    """What the last operation did to the volume."""
    return stage.acts[-1].steps.get("Volume weights", [])


def test_the_whole_life_of_a_volume(stage: JigStage) -> None:
    """Case L1: create, nothing to do, refresh, nothing to do, destroy, nothing left."""
    stage.plan({"weights": files()})
    assert stage.up().ok
    assert (steps(stage), state(stage)["current_version"]) == (["create"], 0)
    assert stage.preview().ok
    assert steps(stage) == ["same"]
    assert stage.refresh().ok
    assert stage.preview().ok
    assert steps(stage) == ["same"]
    assert stage.destroy().ok
    assert stage.emulator.admin.dump()["volumes"] == []


def test_new_content_rolls_the_deployment_that_mounts_it(stage: JigStage) -> None:
    """
    Content → version → deployment: all in one update, and all in its preview.

    The preview of the volume's update does not know the version yet, so it shows that
    the deployment will change.
    """
    stage.plan({"weights": files(), "llm": mounting()})
    assert stage.up().ok
    assert stage.only()["volumes"][0]["version"] == 0
    stage.plan({"weights": files(prefix="models/llm/2"), "llm": mounting()})
    assert stage.preview().ok
    assert (steps(stage), stage.steps()) == (["update"], ["update"])
    assert stage.up().ok
    assert stage.only()["volumes"][0]["version"] == 1
    assert stage.preview().ok
    assert (steps(stage), stage.steps()) == (["same"], ["same"])


def test_a_volume_goes_after_what_mounts_it(stage: JigStage) -> None:
    """Case L17: destroy takes the deployment down first, because of the outputs."""
    stage.plan({"weights": files(), "llm": mounting()})
    assert stage.up().ok
    act = stage.destroy()
    assert act.ok
    assert act.order == ["Delete Deployment llm", "Delete Volume weights"]


def test_a_copy_that_fails_is_red_and_the_next_up_mends_it(stage: JigStage) -> None:
    """A failed version is never green; the volume is kept, and the next up asks again."""
    stage.plan({"weights": bucket("models/flaky/llm"), "llm": mounting()})
    assert not stage.up().ok
    assert "connection to the bucket was lost" in stage.errors()
    assert state(stage)["status"] == "failed"
    assert not stage.has("llm")
    assert stage.preview().ok
    assert steps(stage) == ["update"]
    assert stage.up().ok
    assert (state(stage)["status"], state(stage)["current_version"]) == ("ready", 1)
    assert stage.only()["volumes"][0]["version"] == 1


def test_a_failed_new_version_leaves_deployments_on_the_one_before(
    stage: JigStage,
) -> None:
    """The run is red, the deployment is not touched, and correcting the source mends it."""
    stage.plan({"weights": bucket("models/llm"), "llm": mounting()})
    assert stage.up().ok
    stage.plan({"weights": bucket("models/access-denied/llm"), "llm": mounting()})
    assert not stage.up().ok
    assert "access denied" in stage.errors()
    assert stage.only()["volumes"][0]["version"] == 0
    stage.plan({"weights": bucket("models/llm-2"), "llm": mounting()})
    assert stage.up().ok
    assert stage.only()["volumes"][0]["version"] == 2


def test_the_counter_takes_a_fresh_snapshot(stage: JigStage) -> None:
    """A raised `version` makes a new version of the same content, and the fleet follows."""
    stage.plan({"weights": bucket("models/llm", version=1), "llm": mounting()})
    assert stage.up().ok
    stage.plan({"weights": bucket("models/llm", version=2), "llm": mounting()})
    assert stage.up().ok
    assert state(stage)["current_version"] == 1
    assert stage.only()["volumes"][0]["version"] == 1


def test_another_name_moves_the_deployment_before_the_old_one_goes(
    stage: JigStage,
) -> None:
    """A rename makes the new volume, moves its users, and then deletes the old one."""
    stage.plan({"weights": files(), "llm": mounting()})
    assert stage.up().ok
    stage.plan({"weights": files(name="weights-2"), "llm": mounting()})
    act = stage.up()
    assert act.ok
    assert act.order == [
        "Create Volume weights",
        "Update Deployment llm",
        "Delete Volume weights",
    ]
    assert [v["name"] for v in stage.emulator.admin.dump()["volumes"]] == ["weights-2"]


def test_a_volume_in_use_elsewhere_stays(stage: JigStage) -> None:
    """A volume that a deployment outside of the stack mounts is named, and kept."""
    stage.plan({"weights": files({"custom_timeouts": {"delete": "2s"}})})
    assert stage.up().ok
    mount = {"name": "weights", "mount_path": "/models"}
    elsewhere = dep(name="llm-elsewhere", volumes=[mount])["props"]
    settings = Settings(api_key="acct:shop:key-2", base_url=stage.emulator.url)
    client = JigClient(settings)
    client.deployments.create(elsewhere, CallContext(30))
    client.close()
    assert not stage.destroy().ok
    assert "mounted by deployment llm-elsewhere" in stage.errors()
    assert [v["name"] for v in stage.emulator.admin.dump()["volumes"]] == ["weights"]


def test_a_type_token_for_ever(stage: JigStage) -> None:
    """The type that stands in every state."""
    stage.plan({"weights": files()})
    assert stage.up().ok
    (found,) = [r for r in stage.acts[-1].state if r["label"] == "Volume weights"]
    assert found["type"] == VOLUME_TYPE == "pulumi-python:dynamic/jig:Volume"
