"""Secrets: nowhere in what people see, whatever goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from simulated import ALWAYS, KEY

from pulumi_jig.errors import JigError

if TYPE_CHECKING:
    from simulated import Engine, World

CANARY = "canary-7f3a91"
LINES = "-----BEGIN KEY-----\ncanary-line-1\ncanary-line-2\n-----END KEY-----"
PROGRAM = {
    "name": "llm-prod",
    "image": "registry.example/app:1",
    "gpu_type": "none",
    "environment_variables": {"TOKEN": CANARY, "PEM": LINES},
}


def leaks(engine: Engine, error: BaseException | None = None) -> list[str]:
    """Which of the secrets stands in what people see."""
    seen = engine.told() + (f"{error} {error!r} {error.args}" if error else "")
    secrets = [CANARY, "canary-line-1", "canary-line-2", KEY, KEY.split(":")[2]]
    return [secret for secret in secrets if secret in seen]


@pytest.mark.parametrize("behaviour", ["crashloop", "oom", "pull-error", "never-ready"])
def test_a_failing_roll_out_shows_no_secret(
    world: World, engine: Engine, behaviour: str
) -> None:
    """Case S1: output, reasons and replica messages are shown without the values."""

    def chatty(_: str, shown: dict[str, Any]) -> None:
        for event in (shown.get("replica_events") or {}).values():
            event["replica_status_message"] = f"token={CANARY} {LINES}"
        if "lines" in shown:
            shown["lines"] = [f"token={CANARY}", *LINES.splitlines()]

    world.spoil.append(chatty)
    engine.timeout = 120
    with pytest.raises(JigError) as caught:
        engine.create({**PROGRAM, "image": f"registry.example/{behaviour}:1"})
    assert leaks(engine, caught.value) == []


@pytest.mark.parametrize(
    ("where", "do", "status"),
    [
        ("POST /v1/deployments", "answer", 400),
        ("POST /v1/deployments", "answer", 500),
        ("POST /v1/deployments", "act-answer", 500),
        ("GET /deployments/llm-prod", "answer", 400),
    ],
)
def test_a_service_that_repeats_what_was_sent_shows_no_secret(
    world: World, engine: Engine, where: str, do: Any, status: int
) -> None:
    """Case S4: the service's own words are shown without the values."""
    body = {"error": {"message": f"bad value {CANARY} for key {KEY}"}}
    world.fault(where, do, status=status, body=body, times=ALWAYS)
    if where.startswith("GET"):
        world.fault("POST /v1/deployments", "lose")
    try:
        engine.create(PROGRAM)
    except JigError as error:
        assert leaks(engine, error) == []
    assert leaks(engine) == []


def test_an_exception_of_our_own_is_not_quoted(world: World, engine: Engine) -> None:
    """Case S1: the text of a foreign exception may hold anything."""
    world.fault("POST /v1/deployments", "raise", times=ALWAYS)
    world.fault("GET /deployments/llm-prod", "raise", times=ALWAYS)
    with pytest.raises(JigError) as caught:
        engine.create(PROGRAM)
    assert "secret-canary" not in str(caught.value)


def test_an_update_tells_fields_and_no_values(world: World, engine: Engine) -> None:
    """Case S1: drift and changes are named by their path."""

    def rounded(_: str, shown: dict[str, Any]) -> None:
        if "image" in shown:
            shown["environment_variables"] = [
                {**v, "value": f"{v['value']}!"} if v["name"] == "TOKEN" else v
                for v in shown["environment_variables"]
            ]

    engine.create(PROGRAM)
    world.spoil.append(rounded)
    changed = {**PROGRAM, "environment_variables": {"TOKEN": f"{CANARY}2"}}
    engine.update(changed)
    assert engine.diff(changed).changed == ("environment_variables.TOKEN",)
    assert leaks(engine) == []


def test_a_line_beside_the_resource_shows_no_secret(
    world: World, engine: Engine
) -> None:
    """Case S1: a replica's reason goes into the progress line without the value."""

    def chatty(_: str, shown: dict[str, Any]) -> None:
        for event in (shown.get("replica_events") or {}).values():
            event["replica_status"] = "Waiting"
            event["replica_status_reason"] = f"Starting {CANARY}"

    world.spoil.append(chatty)
    engine.timeout = 30
    with pytest.raises(JigError):
        engine.create(PROGRAM)
    assert any("Starting [secret]" in line for line in engine.lines)
    assert leaks(engine) == []


def test_a_warning_shows_no_secret(world: World, engine: Engine) -> None:
    """Case S1: what the service shows of others goes into a warning without the value."""
    engine.create(PROGRAM)
    mark = f"[pulumi-jig shop/test/{CANARY} abcdef123456]"
    world.as_somebody("PATCH", "/deployments/llm-prod", {"description": mark})
    engine.refresh()
    assert "carries the mark of shop/test/[secret]" in engine.logged[-1][1]
    assert leaks(engine) == []
