"""A volume's life on a good day, and what its state says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from volume_cases import (
    FILES,
    MORE_FILES,
    VOLUMES,
    engine_for,
    live,
    mount,
    names,
    s3,
    versions,
)

if TYPE_CHECKING:
    from simulated import World


def test_a_volume_is_created_once(world: World) -> None:
    """A create sends one POST with what the API requires, and returns when it is ready."""
    engine = engine_for(world)
    stored = engine.create(FILES)
    assert stored.id == "weights"
    assert world.bodies == [
        (
            "POST",
            {
                "name": "weights",
                "type": "readOnly",
                "content": {"type": "files", "source_prefix": "models/llm/1"},
            },
        )
    ]


def test_the_state_tells_what_a_deployment_may_mount(world: World) -> None:
    """Outputs: the service's id, the version to mount, the status, all versions."""
    engine = engine_for(world)
    engine.create(FILES)
    assert engine.state is not None
    shown = live(world)
    told = {key: v for key, v in engine.state.items() if not key.startswith("__")}
    assert told == {
        "name": "weights",
        "type": "readOnly",
        "content": FILES["content"],
        "volume_id": shown["id"],
        "current_version": 0,
        "status": "ready",
        "versions": [{"version": 0, "status": "ready"}],
        "created_at": shown["created_at"],
        "updated_at": shown["updated_at"],
    }


@pytest.mark.parametrize("program", [FILES, s3(), {**FILES, "version": 3}])
def test_what_was_created_shows_no_difference(
    world: World, program: dict[str, object]
) -> None:
    """Case L1: after a create, the next preview and the one after a refresh are empty."""
    engine = engine_for(world)
    engine.create(program)
    assert engine.diff(program).changes is False
    assert engine.refresh()
    assert engine.diff(program).changes is False


def test_reading_twice_gives_the_same(world: World) -> None:
    """A refresh converges, whoever mounts the volume in between."""
    engine = engine_for(world)
    engine.create(FILES)
    engine.refresh()
    first = engine.state, engine.inputs
    mount(world)
    engine.refresh()
    assert first == (engine.state, engine.inputs)


def test_a_copy_from_s3_is_waited_for(world: World) -> None:
    """A create returns when the copy is done, and says on the way how far it is."""
    engine = engine_for(world)
    engine.create(s3())
    assert engine.state is not None
    assert engine.state["status"] == "ready"
    assert any("version 0 pending" in line for line in engine.lines)
    assert any("files, 0.5 GB so far" in line for line in engine.lines)


def test_an_hour_of_copying_is_waited_for_at_a_polite_pace(world: World) -> None:
    """A copy of many minutes is waited for, with few requests."""
    engine = engine_for(world)
    engine.create(s3("models/slow"))
    assert engine.state is not None
    assert engine.state["status"] == "ready"
    assert len(world.sent) < 50


def test_other_content_makes_a_new_version_in_place(world: World) -> None:
    """A changed content is an update: one PATCH, the next version, the same volume."""
    engine = engine_for(world)
    engine.create(FILES)
    before = engine.state
    found = engine.diff(MORE_FILES)
    engine.update(MORE_FILES)
    assert (found.changed, found.replaces) == (("content.source_prefix",), ())
    assert world.bodies[1:] == [
        (
            "PATCH",
            {"content": {"type": "files", "source_prefix": "models/llm/2"}},
        )
    ]
    assert engine.state is not None
    assert before is not None
    assert engine.state["volume_id"] == before["volume_id"]
    assert engine.state["current_version"] == 1
    assert engine.state["versions"] == [
        {"version": 0, "status": "ready"},
        {"version": 1, "status": "ready"},
    ]


def test_the_counter_makes_a_new_version_of_the_same_content(world: World) -> None:
    """A raised `version` asks for a fresh snapshot, once."""
    engine = engine_for(world)
    engine.create(s3(version=1))
    raised = s3(version=2)
    assert engine.diff(raised).changed == ("version",)
    engine.update(raised)
    assert versions(world) == 2
    assert engine.diff(raised).changes is False
    engine.update(raised)
    assert versions(world) == 2


def test_a_counter_that_is_dropped_asks_for_nothing(world: World) -> None:
    """Without a counter there is nothing to make anew."""
    engine = engine_for(world)
    engine.create({**FILES, "version": 1})
    assert engine.diff(FILES).changes is False


def test_another_name_replaces(world: World) -> None:
    """Mounts hold the name, so another name is another volume."""
    engine = engine_for(world)
    engine.create(FILES)
    assert engine.diff({**FILES, "name": "other"}).replaces == ("name",)


def test_nothing_is_left_after_a_delete(world: World) -> None:
    """A delete returns when the service says that the volume is gone."""
    engine = engine_for(world)
    engine.create(FILES)
    engine.delete()
    assert names(world) == []


def test_a_volume_that_was_deleted_outside_is_gone(world: World) -> None:
    """Case L2: a refresh lets it go, and an update says what to do."""
    engine = engine_for(world)
    engine.create(FILES)
    world.as_somebody("DELETE", f"{VOLUMES}/weights")
    assert engine.refresh() is False


def test_a_volume_that_is_gone_is_deleted_already(world: World) -> None:
    """Case L3: deleting what is gone is a success."""
    engine = engine_for(world)
    engine.create(FILES)
    world.as_somebody("DELETE", f"{VOLUMES}/weights")
    engine.delete()
    assert engine.state is None
