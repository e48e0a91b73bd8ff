"""A volume on both engines, alone and mounted by a deployment."""

from __future__ import annotations

from typing import Any

import pytest
from jig_stage import JigStage, dep

from pulumi_jig.client import JigClient
from pulumi_jig.config import Settings
from pulumi_jig.deadline import Deadline
from pulumi_jig.naming import VOLUME_TYPE

# Several operations of a real engine, on a machine that does other things as well.
pytestmark = pytest.mark.timeout(600)

ROLE = "arn:aws:iam::123456789012:role/read-models"


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


def state(jig: JigStage) -> dict[str, Any]:
    """What the state holds of the volume."""
    outputs: dict[str, Any] = jig.acts[-1].resource("Volume weights")["outputs"]
    return outputs


def steps(jig: JigStage) -> list[str]:
    """What the last operation did to the volume."""
    return jig.acts[-1].steps.get("Volume weights", [])


def test_the_whole_life_of_a_volume(jig: JigStage) -> None:
    """Case L1: create, nothing to do, refresh, nothing to do, destroy, nothing left."""
    jig.plan({"weights": files()})
    assert jig.up().ok
    assert (steps(jig), state(jig)["current_version"]) == (["create"], 0)
    # The type is in every state, for ever.
    kind = jig.acts[-1].resource("Volume weights")["type"]
    assert kind == VOLUME_TYPE == "pulumi-python:dynamic/jig:Volume"
    assert jig.preview().ok
    assert steps(jig) == ["same"]
    assert jig.refresh().ok
    assert jig.preview().ok
    assert steps(jig) == ["same"]
    assert jig.destroy().ok
    assert jig.emulator.admin.dump()["volumes"] == []


def test_new_content_rolls_the_deployment_that_mounts_it(jig: JigStage) -> None:
    """
    Content → version → deployment: all in one update, and all in its preview.

    The preview of the volume's update does not know the version yet, so it shows that
    the deployment will change.
    """
    jig.plan({"weights": files(), "llm": mounting()})
    assert jig.up().ok
    assert jig.only()["volumes"][0]["version"] == 0
    jig.plan({"weights": files(prefix="models/llm/2"), "llm": mounting()})
    assert jig.preview().ok
    assert (steps(jig), jig.steps()) == (["update"], ["update"])
    assert jig.up().ok
    assert jig.only()["volumes"][0]["version"] == 1
    assert jig.preview().ok
    assert (steps(jig), jig.steps()) == (["same"], ["same"])


def test_a_volume_goes_after_what_mounts_it(jig: JigStage) -> None:
    """Case L17: destroy takes the deployment down first, because of the outputs."""
    jig.plan({"weights": files(), "llm": mounting()})
    assert jig.up().ok
    act = jig.destroy()
    assert act.ok
    assert act.order == ["Delete Deployment llm", "Delete Volume weights"]


def test_a_copy_that_fails_is_red_and_the_next_up_mends_it(jig: JigStage) -> None:
    """A failed version is never green; the volume is kept, and the next up asks again."""
    jig.plan({"weights": bucket("models/flaky/llm"), "llm": mounting()})
    assert not jig.up().ok
    assert "connection to the bucket was lost" in jig.errors()
    assert state(jig)["status"] == "failed"
    assert not jig.has("llm")
    assert jig.preview().ok
    assert steps(jig) == ["update"]
    assert jig.up().ok
    assert (state(jig)["status"], state(jig)["current_version"]) == ("ready", 1)
    assert jig.only()["volumes"][0]["version"] == 1


def test_a_failed_new_version_leaves_deployments_on_the_one_before(
    jig: JigStage,
) -> None:
    """The run is red, the deployment is not touched, and correcting the source mends it."""
    jig.plan({"weights": bucket("models/llm"), "llm": mounting()})
    assert jig.up().ok
    jig.plan({"weights": bucket("models/access-denied/llm"), "llm": mounting()})
    assert not jig.up().ok
    assert "access denied" in jig.errors()
    assert jig.only()["volumes"][0]["version"] == 0
    jig.plan({"weights": bucket("models/llm-2"), "llm": mounting()})
    assert jig.up().ok
    assert jig.only()["volumes"][0]["version"] == 2


def test_the_counter_takes_a_fresh_snapshot(jig: JigStage) -> None:
    """A raised `version` makes a new version of the same content, and the fleet follows."""
    jig.plan({"weights": bucket("models/llm", version=1), "llm": mounting()})
    assert jig.up().ok
    jig.plan({"weights": bucket("models/llm", version=2), "llm": mounting()})
    assert jig.up().ok
    assert state(jig)["current_version"] == 1
    assert jig.only()["volumes"][0]["version"] == 1


def test_another_name_moves_the_deployment_before_the_old_one_goes(
    jig: JigStage,
) -> None:
    """A rename makes the new volume, moves its users, and then deletes the old one."""
    jig.plan({"weights": files(), "llm": mounting()})
    assert jig.up().ok
    jig.plan({"weights": files(name="weights-2"), "llm": mounting()})
    act = jig.up()
    assert act.ok
    assert act.order == [
        "Create Volume weights",
        "Update Deployment llm",
        "Delete Volume weights",
    ]
    assert [v["name"] for v in jig.emulator.admin.dump()["volumes"]] == ["weights-2"]


def test_a_volume_in_use_elsewhere_stays(jig: JigStage) -> None:
    """A volume that a deployment outside of the stack mounts is named, and kept."""
    jig.plan({"weights": files({"custom_timeouts": {"delete": "2s"}})})
    assert jig.up().ok
    mount = {"name": "weights", "mount_path": "/models"}
    elsewhere = dep(name="llm-elsewhere", volumes=[mount])["props"]
    settings = Settings(api_key="acct:shop:key-2", base_url=jig.emulator.url)
    client = JigClient(settings)
    client.deployments.create(elsewhere, Deadline(30))
    client.close()
    assert not jig.destroy().ok
    assert "mounted by deployment llm-elsewhere" in jig.errors()
    assert [v["name"] for v in jig.emulator.admin.dump()["volumes"]] == ["weights"]
