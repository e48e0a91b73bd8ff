"""Whatever a program may declare, through the whole life of a deployment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from simulated import Engine, World

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from core_cases import FEW, TOGETHER, programs

from pulumi_jig.lifecycle import memory


def furnished() -> World:
    """A service with what the programs refer to."""
    world = World()
    world.as_somebody(
        "POST", "/deployments/secrets", {"name": "hf-token", "value": "v"}
    )
    for name in ("weights", "tokens"):
        content = {"type": "files", "source_prefix": f"{name}/0"}
        body = {"name": name, "type": "readOnly", "content": content}
        world.as_somebody("POST", "/deployments/storage/volumes", body)
    return world


def held(world: World, program: dict[str, Any]) -> dict[str, Any]:
    """What the service holds of the fields of a program, in the program's form."""
    live = world.live()
    # Empty forms may be left out of an answer.
    shown = {key: live.get(key, program[key]) for key in program if key != "wait_for"}
    if "environment_variables" in program:
        shown["environment_variables"] = {
            entry["name"]: {"value_from_secret": entry["value_from_secret"]}
            if "value_from_secret" in entry
            else entry.get("value", "")
            for entry in live["environment_variables"]
            if entry["name"] in program["environment_variables"]
        }
    for key, values in program.items():
        # What the program left open the service fills in, whatever it likes.
        if isinstance(values, dict) and key == "autoscaling":
            shown[key] = {k: v for k, v in shown[key].items() if k in values}
        if isinstance(values, list) and key in {"volumes", "model_mounts"}:
            shown[key] = [
                {k: v for k, v in entry.items() if k in asked}
                for entry, asked in zip(shown[key], values, strict=True)
            ]
    # A digest of the tag that was asked for is what was asked for.
    shown["image"] = shown["image"][: len(program["image"])]
    if "description" in program:
        shown["description"] = live["description"].rpartition("[pulumi-jig ")[0][:-1]
    return shown


@FEW
@given(programs(), st.lists(programs(), max_size=2))
def test_what_is_asked_for_is_held(
    first: dict[str, Any], later: list[dict[str, Any]]
) -> None:
    """
    Case C1: after a creation and any updates the service holds what was asked for last.

    It does so by the service's own word; the preview after each step is empty, before
    and after a refresh; and in the end nothing is left.
    """
    memory.forget()
    world = furnished()
    engine = Engine(world)
    program = first
    engine.create(program)
    for step in [None, *later]:
        if step is not None:
            # A field without a reset cannot be dropped, so it stays.
            kept = {k: v for k, v in program.items() if k not in TOGETHER}
            program = {**kept, **step}
            engine.update(program)

        asked = {k: v for k, v in program.items() if k != "wait_for"}
        assert asked == held(world, program)
        assert () == engine.diff(program).changed
        assert engine.refresh()
        assert () == engine.diff(program).changed
    engine.delete()
    assert [] == world.names()
