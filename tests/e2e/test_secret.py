"""The life of a secret and of what starts with it, on both engines."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest
from jig_stage import CANARY, JigStage, dep
from pulumi.runtime.proto.provider_pb2 import CheckRequest

OTHER = "canary-of-tomorrow-55c1"
# The real engine takes a while for each operation.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(autouse=True)
def _token(jig: JigStage) -> None:
    """The value of the secret is the stack's."""
    jig.secret_config = {"shop:token": CANARY}


def secret(opts: dict[str, Any] | None = None, /, **props: Any) -> dict[str, Any]:
    """A secret for a plan; its value is the stack's."""
    base = {"name": "hf-token", "value": {"$config": "token"}}
    return {"kind": "secret", "props": {**base, **props}, "opts": opts or {}}


def user(**props: Any) -> dict[str, Any]:
    """A deployment that starts with the secret."""
    variables = {"HF_TOKEN": {"$made": "token"}}
    return dep(environment_variables=variables, name="llm-prod", **props)


def api(
    jig: JigStage, method: str, path: str, body: dict[str, Any] | None = None
) -> Any:
    """A request of somebody with the same account."""
    request = urllib.request.Request(
        f"{jig.emulator.url}/v1/deployments{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": "Bearer acct:shop:somebody",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def secrets(jig: JigStage) -> list[dict[str, Any]]:
    """The secrets that exist in the service."""
    return list(api(jig, "GET", "/secrets")["data"])


# --- The straight way ----------------------------------------------------------


def test_a_life_leaves_nothing_behind_and_nothing_in_clear(jig: JigStage) -> None:
    """Cases L1, S1: create, rotate, nothing to do, destroy; the value is nowhere."""
    jig.plan({"token": secret(description="for models")})
    assert jig.up().steps["Secret token"] == ["create"]
    (made,) = secrets(jig)
    assert made["description"].startswith("for models [pulumi-jig shop/dev/token ")
    jig.secret_config = {"shop:token": OTHER}
    assert jig.up().steps["Secret token"] == ["update"]
    assert jig.preview().steps["Secret token"] == ["same"]
    assert jig.destroy().ok
    assert secrets(jig) == []
    files = [
        path.read_text(errors="replace")
        for path in jig.folder.rglob("*")
        # The engine's own debug log, asked for by the stage, hides nothing.
        if path.is_file() and path.name != "grpc.json"
    ]
    told = json.dumps([act.errors for act in jig.acts])
    for canary in (CANARY, OTHER):
        assert not any(canary in text for text in [*files, told])


def test_a_preview_sends_nothing_and_a_refresh_changes_nothing(jig: JigStage) -> None:
    """Cases L1, L18: nothing exists after a preview, and nothing differs after a refresh."""
    jig.plan({"token": secret(ttl_seconds=86_400)})
    assert jig.preview().steps["Secret token"] == ["create"]
    assert secrets(jig) == []
    assert jig.up().ok
    assert jig.refresh().steps["Secret token"] == ["same"]
    assert jig.preview().steps["Secret token"] == ["same"]


def test_a_deployment_takes_the_secret_itself(jig: JigStage) -> None:
    """Case L17: it waits for the secret, names it, and goes before it."""
    jig.plan({"token": secret(), "llm": user()})
    assert jig.up().ok
    variables = jig.only()["environment_variables"]
    assert {"name": "HF_TOKEN", "value_from_secret": "hf-token"} in variables
    assert jig.up().steps["Deployment llm"] == ["same"]
    assert jig.destroy().ok
    assert (jig.live(), secrets(jig)) == ([], [])


# --- Rotation ------------------------------------------------------------------


@pytest.mark.parametrize("follows", [True, False])
def test_a_new_value_rolls_what_asks_for_it(jig: JigStage, follows: bool) -> None:
    """With `restart_on_rotation` the preview shows the roll, and the update makes it."""
    jig.plan({"token": secret(), "llm": user(restart_on_rotation=follows)})
    assert jig.up().ok
    before = _revision(jig)
    jig.secret_config = {"shop:token": OTHER}
    expected = ["update"] if follows else ["same"]
    assert expected == jig.preview().steps["Deployment llm"]
    assert expected == jig.up().steps["Deployment llm"]
    assert (before != _revision(jig)) is follows


def _revision(jig: JigStage) -> str:
    variables = jig.only()["environment_variables"]
    found = {item["name"]: item.get("value") for item in variables}
    return str(found["TOGETHER_DEPLOYMENT_REVISION_ID"])


@pytest.mark.skipif(
    not hasattr(CheckRequest(), "old_outputs"),
    reason="before SDK 3.261 a check does not know what was sent last",
)
@pytest.mark.parametrize("refreshed", [False, True])
def test_going_back_after_a_lost_rotation_rolls_again(
    jig: JigStage, refreshed: bool
) -> None:
    """Replicas may hold the value whose answer was lost, so the old one is a new one."""
    token = secret({"custom_timeouts": {"update": "2s"}})
    jig.plan({"token": token, "llm": user(restart_on_rotation=True)})
    assert jig.up().ok
    path = "/deployments/secrets/*"
    jig.emulator.admin.fault("PATCH", path, times=None, drop="reset", acted=True)
    jig.secret_config = {"shop:token": OTHER}
    assert not jig.up().ok
    jig.emulator.admin.clear_faults()
    if refreshed:
        assert jig.refresh().ok
    jig.secret_config = {"shop:token": CANARY}
    assert jig.preview().steps["Deployment llm"] == ["update"]
    assert jig.up().ok
    assert jig.preview().steps["Deployment llm"] == ["same"]


def test_another_description_rolls_nothing(jig: JigStage) -> None:
    """A deployment that follows rotations is not touched by anything else."""
    jig.plan({"token": secret(), "llm": user(restart_on_rotation=True)})
    jig.up()
    jig.plan(
        {"token": secret(description="new"), "llm": user(restart_on_rotation=True)}
    )
    assert jig.up().steps["Deployment llm"] == ["same"]


def test_another_name_moves_the_deployment_first(jig: JigStage) -> None:
    """Case V7: the new secret is made, the deployment moves, the old one goes."""
    jig.plan({"token": secret(), "llm": user()})
    jig.up()
    jig.plan({"token": secret(name="hf-token-2"), "llm": user()})
    assert jig.up().ok
    assert ["hf-token-2"] == [found["name"] for found in secrets(jig)]
    variables = jig.only()["environment_variables"]
    assert {"name": "HF_TOKEN", "value_from_secret": "hf-token-2"} in variables


# --- Time and drift ------------------------------------------------------------


def test_an_expired_secret_comes_back(jig: JigStage) -> None:
    """Case L2: refresh drops what the service deleted, `up` makes it again."""
    jig.plan({"token": secret(ttl_seconds=86_400)})
    jig.up()
    jig.emulator.admin.skip(86_401)
    assert secrets(jig) == []
    assert jig.refresh().ok
    assert jig.up().steps["Secret token"] == ["create"]
    assert len(secrets(jig)) == 1


def test_a_name_that_is_taken_is_refused_and_may_be_adopted(jig: JigStage) -> None:
    """Case L14: nothing is taken over silently; `adopt` takes it over."""
    body = {"name": "hf-token", "value": "of-somebody-else"}
    theirs = api(jig, "POST", "/secrets", body)
    jig.plan({"token": secret()})
    assert not jig.up().ok
    assert "carries no mark" in jig.errors()
    jig.plan({"token": secret(adopt=True)})
    assert jig.up().ok
    assert [theirs["id"]] == [found["id"] for found in secrets(jig)]
    assert jig.preview().steps["Secret token"] == ["same"]


def test_faults_are_told_in_the_preview_without_the_value(jig: JigStage) -> None:
    """Cases V15, S1: all faults at once, and nothing of the value."""
    jig.plan({"token": secret(name="no spaces", ttl_seconds=5)})
    done = jig.preview()
    assert not done.ok
    assert "ttl_seconds" in jig.errors()
    assert "letters, digits" in jig.errors()
    assert CANARY not in jig.errors()
