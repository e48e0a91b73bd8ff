"""What carries no mark, and an answer that got lost: whose is what stands there?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from simulated import ALWAYS, EPOCH, HTML, Engine

from pulumi_jig.errors import OwnershipError
from pulumi_jig.lifecycle import memory
from pulumi_jig.lifecycle.deployment.kind import DEPLOYMENT
from pulumi_jig.lifecycle.invocation import PartialFailureError
from pulumi_jig.lifecycle.sending import is_ours
from pulumi_jig.naming import Mark, join_description
from pulumi_jig.schema.responses import DeploymentResponseItem

if TYPE_CHECKING:
    from simulated import Deed, World

Record = dict[str, Any]

#: A program, and where the API keeps such things.
KINDS: dict[str, tuple[Record, str]] = {
    "deployment": (
        {
            "name": "the-one",
            "image": "registry.example/app:1",
            "gpu_type": "none",
            "ownership_mark": False,
        },
        "/deployments",
    ),
    "secret": (
        {
            "name": "the-one",
            "value": "secret-canary-0123456789",
            "ownership_mark": False,
        },
        "/deployments/secrets",
    ),
    "volume": (
        {"name": "the-one", "content": {"source_prefix": "models/llm"}},
        "/deployments/storage/volumes",
    ),
}


@pytest.fixture(autouse=True)
def _one_clock(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    """Our clock and the service's show the same time."""
    began = world.clock()
    monkeypatch.setattr("time.time", lambda: EPOCH + world.clock() - began)


def engine_for(world: World, life: str) -> Engine:
    kind = life.capitalize()
    urn = f"urn:pulumi:prod::shop::pulumi-python:dynamic/jig:{kind}::one"
    return Engine(world, urn, life=life)


def unknown(world: World, life: str, deed: Deed) -> Engine:
    """A resource whose creation got no answer, and which could not be looked for."""
    program, path = KINDS[life]
    engine = engine_for(world, life)
    world.fault(f"POST /v1{path}", deed)
    # The first look proves that there is none; those after the request see nothing.
    look = f"GET {path}/the-one"
    world.fault(look, "answer", nth=2, times=ALWAYS, status=502, body=HTML)
    with pytest.raises(PartialFailureError, match="not known whether"):
        engine.create(program)
    world.faults.clear()
    return engine


def names(world: World, path: str) -> list[str]:
    found = world.as_somebody("GET", path)
    assert found is not None
    return [item["name"] for item in found["data"]]


@pytest.mark.parametrize("life", KINDS)
def test_a_replacement_outlives_a_predecessor_that_was_never_confirmed(
    world: World, life: str
) -> None:
    """
    The predecessor's deletion finds the replacement under its name, and leaves it.

    Both stand under one name, and without a mark only this run knows which of the two
    it made.
    """
    program, path = KINDS[life]
    old = unknown(world, life, "lose")
    new = engine_for(world, life)
    new.create(program)
    old.delete()
    assert names(world, path) == ["the-one"]
    assert "is left alone" in old.told()
    assert new.refresh() is True


@pytest.mark.parametrize("life", ["deployment", "secret"])
def test_another_programs_mark_tells_even_where_ours_is_off(
    world: World, life: str
) -> None:
    """What another program took over while our creation was unknown is not ours."""
    program, path = KINDS[life]
    engine = unknown(world, life, "swallow")
    theirs = Mark("rival", "prod", "theirs", "0123456789ab")
    body = {"description": join_description("", theirs)}
    world.as_somebody("PATCH", f"{path}/the-one", body)
    with pytest.raises(OwnershipError, match="rival/prod/theirs"):
        engine.update(program)
    found = world.as_somebody("GET", f"{path}/the-one")
    assert found is not None
    assert found["description"] == body["description"]


def test_a_secret_that_was_made_long_after_is_somebody_elses(world: World) -> None:
    """
    No value is shown, so only the time tells a secret of that name from ours.

    It is neither deleted nor written to, and a person is told to decide.
    """
    program, path = KINDS["secret"]
    engine = unknown(world, "secret", "lose")
    world.let_pass(7200)
    theirs = {"name": "the-one", "value": "their-own-0123456789"}
    world.as_somebody("POST", path, theirs)
    for step in (lambda: engine.update(program), engine.delete):
        with pytest.raises(OwnershipError):
            step()
    assert names(world, path) == ["the-one"]
    assert [method for method in world.writes() if method != "POST"] == []


def test_a_content_that_somebody_makes_during_an_update_is_not_called_ours(
    world: World,
) -> None:
    """
    An update that asks for nothing ends with what it found, or fails.

    Taken for the service's own form of what the program declares, another content
    would be called unchanged by every later preview.
    """
    program, path = KINDS["volume"]
    engine = engine_for(world, "volume")
    engine.create(program)
    theirs = {"content": {"type": "files", "source_prefix": "by/hand"}}
    looks: list[str] = []

    def meddle(method: str, where: str) -> None:
        if method == "GET" and path in where:
            looks.append(where)
        if len(looks) == 2:
            # After the look that finds nothing to do, before the one that finds it ready.
            world.before.remove(meddle)
            world.as_somebody("PATCH", f"{path}/the-one", theirs)

    world.before.append(meddle)
    with pytest.raises(PartialFailureError, match="Somebody made version 1"):
        engine.update(program)
    assert engine.diff(program).changed == ("content.source_prefix",)


def test_what_this_run_has_just_deleted_is_not_its_successor(world: World) -> None:
    """A service that shows the old one for a moment longer does not confirm the new."""
    program, _ = KINDS["deployment"]
    engine = engine_for(world, "deployment")
    engine.create(program)
    shown = world.live("the-one")
    # Another run than the one that made it.
    memory.forget()
    engine.delete()
    found = DeploymentResponseItem.parse(shown)
    inputs = engine.check(program, anew=True)
    assert is_ours(DEPLOYMENT, found, inputs, engine.invocation(), sent=1) is False


def test_a_form_that_shows_only_when_the_copy_is_done_is_the_services_own(
    world: World,
) -> None:
    """While it copies it may show no content; what the same version shows then counts."""
    program, _ = KINDS["volume"]
    engine = engine_for(world, "volume")
    engine.create(program)
    looks: list[str] = []

    def blank(method: str, shown: Record) -> None:
        if method == "GET" and "content" in shown:
            looks.append(method)
            form = {"type": "files", "source_prefix": "models/llm/"}
            shown["content"] = {} if len(looks) == 1 else form

    world.spoil.append(blank)
    engine.update(program)
    assert engine.diff(program).changes is False
    assert "PATCH" not in world.writes()
