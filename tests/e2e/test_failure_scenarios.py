"""What a deployment's life meets on hard days, on both engines."""

from __future__ import annotations

from typing import Any

import pytest
from jig_stage import CANARY, JigStage, dep

# The real engine takes a while for each operation.
pytestmark = pytest.mark.timeout(600)

#: Outputs that are other ones in every run.
FRESH = {"__nonce", "deployment_id", "revision_id", "created_at", "updated_at"}
NOWHERE = "http://127.0.0.1:9/v1"


def names(jig: JigStage) -> list[str]:
    """The deployments that exist in the service."""
    return sorted(item["name"] for item in jig.live())


def refuse(jig: JigStage, method: str, path: str, *, status: int = 403) -> None:
    """Let the service refuse such requests from now on."""
    body = {"error": {"message": "not today", "type": "forbidden"}}
    jig.emulator.admin.fault(method, path, times=None, status=status, body=body)


# --- Deletion ------------------------------------------------------------------


def test_a_rejected_key_keeps_what_it_cannot_delete(jig: JigStage) -> None:
    """Case L4: the state keeps it. Case L3: what is gone by then is a success."""
    jig.deployment(name="my-llm")
    jig.up()
    jig.env["TOGETHER_API_KEY"] = "invalid-key"

    assert not jig.destroy().ok
    assert jig.has()
    assert "TOGETHER_API_KEY" in jig.errors()
    assert names(jig) == ["my-llm"]
    jig.env["TOGETHER_API_KEY"] = "acct:shop:key-2"
    jig.emulator.admin.remove("my-llm")
    assert jig.destroy().ok
    assert not jig.has()


def test_what_a_failed_destroy_deleted_after_all_is_told(jig: JigStage) -> None:
    """After a destroy that lost sight of its own deletion, `up` accuses nobody."""
    jig.deployment(name="my-llm")
    jig.up()
    # The first look finds it, the deletion is taken, and no look comes after it.
    body = {"error": {"message": "who are you?", "type": "unauthorized"}}
    jig.emulator.admin.fault(
        "GET", "/deployments/*", nth=2, times=None, status=401, body=body
    )
    assert not jig.destroy().ok
    assert jig.has()
    assert jig.live() == []
    jig.emulator.admin.clear_faults()

    jig.deployment(name="my-llm", memory=32)
    assert not jig.up().ok
    assert "a deletion of an earlier run" in jig.errors()
    assert "pulumi refresh" in jig.errors()
    jig.refresh()
    assert jig.up().steps["Deployment llm"] == ["create"]


def test_options_that_keep_are_honoured(jig: JigStage) -> None:
    """Case L8: `protect` refuses a deletion, `retain_on_delete` only forgets."""
    safe = dep({"protect": True}, name="safe-llm")
    jig.plan({"safe": safe, "old": dep({"retain_on_delete": True}, name="old-llm")})
    jig.up()
    jig.plan({})

    assert not jig.up().ok
    assert "protect" in jig.errors()
    jig.plan({"safe": safe})
    assert jig.up().ok
    assert not jig.has("old")
    assert names(jig) == ["old-llm", "safe-llm"]


# --- Replacement ---------------------------------------------------------------


def test_a_replacement_that_stopped_half_way_is_finished(jig: JigStage) -> None:
    """Case L7: a deletion that is owed, case L6: a creation that is, come next time."""
    jig.deployment(name="first-llm")
    jig.up()
    jig.deployment(name="second-llm")
    refuse(jig, "DELETE", "/deployments/*")

    assert not jig.up().ok
    assert names(jig) == ["first-llm", "second-llm"]
    # Both are in the state, so nothing runs that nobody knows of.
    known = [i for i in jig.acts[-1].state if i["label"] == "Deployment llm"]
    assert sorted(item["id"] for item in known) == ["first-llm", "second-llm"]
    jig.emulator.admin.clear_faults()
    assert jig.up().ok
    assert names(jig) == ["second-llm"]

    jig.deployment("llm", {"delete_before_replace": True}, name="third-llm")
    refuse(jig, "POST", "/deployments")
    assert not jig.up().ok
    assert names(jig) == []
    jig.emulator.admin.clear_faults()
    assert jig.up().ok
    assert names(jig) == ["third-llm"]
    assert jig.preview().steps["Deployment llm"] == ["same"]


# --- Others --------------------------------------------------------------------


def test_a_name_of_another_stack_is_not_taken_over(jig: JigStage) -> None:
    """Case L14: the error says whose it is, and nothing of it is changed."""
    jig.deployment(name="my-llm")
    jig.up()
    before = jig.only()
    jig.move(stack="other")
    jig.deployment(name="my-llm", memory=64)

    assert not jig.up().ok
    assert "shop/dev/llm" in jig.errors()
    assert not jig.has()
    assert {**jig.only(), "updated_at": ""} == {**before, "updated_at": ""}


def test_an_update_restores_what_somebody_changed_meanwhile(jig: JigStage) -> None:
    """Case L15: what is live counts, also where no refresh has looked at it."""
    jig.deployment(memory=32, port=8000)
    jig.up()
    jig.emulator.admin.patch(jig.only()["name"], {"memory": 64})
    jig.deployment(memory=32, port=8080)

    assert jig.up().ok
    assert (jig.only()["memory"], jig.only()["port"]) == (32, 8080)
    assert jig.preview().steps["Deployment llm"] == ["same"]


def test_an_update_that_found_nothing_is_not_forgotten(jig: JigStage) -> None:
    """With the old program back in place, what is gone is not called unchanged."""
    jig.secret_config = {"shop:token": CANARY}
    before = {"environment_variables": {"TOKEN": {"$config": "token"}}}
    jig.deployment("llm", name="my-llm", **before)
    assert jig.up().ok
    jig.emulator.admin.remove("my-llm")
    jig.deployment("llm", name="my-llm")
    assert not jig.up().ok
    assert "does not exist any more" in jig.errors()
    assert CANARY not in jig.written()

    jig.deployment("llm", name="my-llm", **before)

    assert jig.preview().steps["Deployment llm"] == ["update"]
    assert not jig.up().ok
    assert jig.refresh().ok
    assert jig.up().ok
    assert jig.only()["name"] == "my-llm"


def test_what_cannot_be_read_keeps_its_state(jig: JigStage) -> None:
    """Case L5: a refresh that is refused forgets nothing."""
    jig.deployment(name="my-llm")
    jig.up()
    for status in (401, 403):
        jig.emulator.admin.clear_faults()
        refuse(jig, "GET", "/deployments/*", status=status)
        assert not jig.refresh().ok
        assert jig.has()
        assert "my-llm" in jig.errors()


def test_looking_up_what_is_not_there_is_an_error(jig: JigStage) -> None:
    """Case L9: the engine would take an empty answer for a found deployment."""
    jig.plan({"seen": {"kind": "get", "id": "nobody-llm"}})

    assert not jig.up().ok
    assert "nobody-llm" in jig.errors()


# --- What it starts with -------------------------------------------------------


def test_what_is_missing_is_told_at_its_input(jig: JigStage) -> None:
    """Case L16: a secret or volume that does not exist is named with its input."""
    missing = {"TOKEN": {"value_from_secret": "no-such-secret"}}
    jig.deployment(environment_variables=missing)
    assert not jig.up().ok
    assert "no-such-secret" in jig.errors()
    assert "environment_variables" in jig.errors()
    volumes = [{"name": "no-such-volume", "mount_path": "/data"}]
    jig.deployment(volumes=volumes)
    assert not jig.up().ok
    assert "no-such-volume" in jig.errors()
    assert "volumes" in jig.errors()
    assert jig.live() == []


# --- Keys, networks, versions, parallelism -------------------------------------


def test_keys_rotate_and_networks_fail(jig: JigStage) -> None:
    """Case L19: another key each time. Case L18: a preview needs no network."""
    jig.deployment(memory=32)
    jig.secret_config["jig:apiKey"] = "acct:shop:key-1"
    del jig.env["TOGETHER_API_KEY"]
    service = jig.env["TOGETHER_BASE_URL"]
    jig.env["TOGETHER_BASE_URL"] = NOWHERE
    assert jig.preview().ok
    jig.env["TOGETHER_BASE_URL"] = service
    jig.secret_config["jig:apiKey"] = "acct:shop:key-2"
    assert jig.up().ok

    # The key of the last update is in the state; the environment goes over it.
    jig.secret_config["jig:apiKey"] = "invalid-key"
    assert not jig.preview().ok or not jig.up().ok
    jig.env["TOGETHER_API_KEY"] = "acct:shop:key-3"
    assert jig.destroy().ok
    assert jig.live() == []


def test_a_state_of_a_later_version_is_left_whole(jig: JigStage) -> None:
    """Case L13: what an earlier version does not know is no difference to it."""

    def later(export: dict[str, Any]) -> None:
        for item in export["deployment"]["resources"]:
            if item["type"].endswith(":Deployment"):
                item["outputs"] |= {"__later": {"x": 1}, "gpu_memory": 80}
                item["inputs"] |= {"__later": {"x": 1}}

    jig.deployment(memory=32)
    jig.up()
    jig.rewrite(later)

    assert jig.preview().steps["Deployment llm"] == ["same"]
    assert jig.refresh().ok
    assert jig.preview().steps["Deployment llm"] == ["same"]
    jig.deployment(memory=64)
    assert jig.up().ok
    assert jig.only()["memory"] == 64
    assert jig.destroy().ok


def test_parallelism_does_not_show_in_the_state(jig: JigStage) -> None:
    """Case L20: one at a time or 64 at a time end in the same state."""
    plan = {f"llm{i}": dep(memory=32 + i, min_replicas=i % 3) for i in range(6)}
    peer = {"PEER": {"$out": ["llm0", "name"]}}
    plan["last"] = dep({"depends_on": ["llm5"]}, environment_variables=peer)
    seen = []
    for parallel in (1, 64):
        jig.plan(plan)
        assert jig.up(parallel=parallel).ok
        seen.append(
            {
                item["label"]: (
                    {k: v for k, v in item["outputs"].items() if k not in FRESH},
                    item["dependencies"],
                )
                for item in jig.acts[-1].state
                if item["label"].startswith("Deployment")
            }
        )
        assert jig.destroy(parallel=parallel).ok
    assert seen[0] == seen[1]
    assert len(seen[0]) == 7
