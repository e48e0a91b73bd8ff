"""Deleting a volume: never while somebody mounts it, never one that is not ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from simulated import ALWAYS, HTML
from volume_cases import FILES, MORE_FILES, VOLUMES, engine_for, live, mount, names

from pulumi_jig.errors import NotFoundError, RolloutError, ServerError

if TYPE_CHECKING:
    from simulated import Engine, World


@pytest.fixture
def engine(world: World) -> Engine:
    """An engine whose program has made a volume."""
    made = engine_for(world)
    made.create(FILES)
    return made


def where(engine: Engine) -> str:
    """The path of the volume."""
    assert engine.state is not None
    return f"{VOLUMES}/{engine.state['volume_id']}"


def test_a_mounted_volume_is_not_deleted(world: World, engine: Engine) -> None:
    """Nothing is sent; the message names who mounts it and what to do."""
    mount(world, "llm-prod")
    mount(world, "llm-batch")
    with pytest.raises(RolloutError) as caught:
        engine.delete()
    assert "mounted by deployments llm-batch, llm-prod" in caught.value.message
    assert "was not deleted" in caught.value.message
    assert "DELETE" not in world.writes()
    assert names(world) == ["weights"]
    assert engine.state is not None


def test_a_mount_of_an_old_version_holds_the_volume(
    world: World, engine: Engine
) -> None:
    """All versions go with the volume, so a mount of any of them holds it."""
    mount(world, version=0)
    engine.update(MORE_FILES)
    with pytest.raises(RolloutError, match="mounted by deployment llm-prod"):
        engine.delete()


def test_a_deployment_that_is_going_is_waited_for(world: World, engine: Engine) -> None:
    """What lets go within half a minute is no reason to fail."""
    made = mount(world)
    looks = 0

    def let_go(method: str, path: str) -> None:
        nonlocal looks
        looks += path.endswith(made["id"])
        if looks == 3:
            looks += 1
            world.as_somebody("PATCH", f"/deployments/{made['id']}", {"volumes": []})

    world.before.append(let_go)
    engine.delete()
    assert names(world) == []
    assert "waiting for llm-prod to let go of it" in engine.told()


def test_a_short_time_limit_still_tells_who_holds_it(
    world: World, engine: Engine
) -> None:
    """The end of the operation's time is no reason to say less."""
    mount(world)
    engine.timeout = 1
    with pytest.raises(RolloutError, match="mounted by deployment llm-prod"):
        engine.delete()


def test_a_deployment_that_is_no_more_holds_nothing(
    world: World, engine: Engine
) -> None:
    """A service whose list of users is out of date does not block a destroy for ever."""
    world.spoil.append(lambda _, shown: shown.update(mounted_by=["gone-for-long"]))
    engine.delete()
    assert names(world) == []


def test_a_deployment_of_which_nothing_is_told_holds_the_volume(
    world: World, engine: Engine
) -> None:
    """Where nobody can say that a user is gone, it counts as one, by its id."""
    made = mount(world)
    world.fault(
        f"GET /deployments/{made['id']}", "answer", times=ALWAYS, status=403, body={}
    )
    with pytest.raises(RolloutError, match=made["id"]):
        engine.delete()


def test_a_page_is_no_proof_that_a_deployment_is_gone(
    world: World, engine: Engine
) -> None:
    """A 404 that is not the API's own proves nothing about a user either."""
    made = mount(world)
    world.fault(
        f"GET /deployments/{made['id']}", "answer", times=ALWAYS, status=404, body=HTML
    )
    with pytest.raises(RolloutError, match=made["id"]):
        engine.delete()


def test_a_deployment_without_a_name_is_told_by_its_id(
    world: World, engine: Engine
) -> None:
    """An answer that leaves the name out still tells who it is."""
    made = mount(world)
    world.spoil.append(
        lambda _, shown: shown.pop("name") if shown["object"] == "deployment" else None
    )
    with pytest.raises(RolloutError, match=made["id"]):
        engine.delete()


def test_a_volume_that_goes_while_its_users_are_waited_for_is_gone(
    world: World, engine: Engine
) -> None:
    """Whoever deletes it first, it is gone."""
    made = mount(world)

    def delete(method: str, path: str) -> None:
        if path.endswith(made["id"]):
            world.before.remove(delete)
            world.as_somebody("PATCH", f"/deployments/{made['id']}", {"volumes": []})
            world.as_somebody("DELETE", f"{VOLUMES}/weights")

    world.before.append(delete)
    engine.delete()
    assert engine.state is None


def test_a_refusal_of_the_services_own_is_explained(
    world: World, engine: Engine
) -> None:
    """What the service knows and does not list is told in its words."""
    body = {"error": {"message": "it is referenced by an endpoint"}}
    world.fault(
        f"DELETE {where(engine)}", "answer", times=ALWAYS, status=409, body=body
    )
    with pytest.raises(RolloutError) as caught:
        engine.delete()
    assert "it is referenced by an endpoint" in caught.value.message
    assert "mounted by a deployment" in caught.value.message


def test_a_refusal_is_explained_even_where_nobody_can_look(
    world: World, engine: Engine
) -> None:
    """The last look is a courtesy."""
    world.fault(
        f"DELETE {where(engine)}",
        "answer",
        times=ALWAYS,
        status=409,
        body={"error": "x"},
    )

    def hide(method: str, path: str) -> None:
        if world.clock() > began + 29 and not world.faults[1:]:
            world.fault(
                f"GET {where(engine)}", "answer", nth=2, times=ALWAYS, status=503
            )

    began = world.clock()
    world.before.append(hide)
    with pytest.raises(RolloutError, match="mounted by a deployment"):
        engine.delete()


def test_a_deletion_that_lost_its_answer_is_settled_by_a_look(
    world: World, engine: Engine
) -> None:
    """Gone is gone, whoever heard the answer."""
    world.fault(f"DELETE {where(engine)}", "swallow")
    engine.delete()
    assert names(world) == []


def test_a_404_of_a_proxy_keeps_the_volume_in_the_state(
    world: World, engine: Engine
) -> None:
    """Case L5: a page proves nothing."""
    world.fault(f"GET {where(engine)}", "answer", times=ALWAYS, status=404, body=HTML)
    with pytest.raises(NotFoundError, match="proves nothing"):
        engine.delete()
    assert engine.state is not None


def test_a_service_that_is_down_keeps_the_volume_in_the_state(
    world: World, engine: Engine
) -> None:
    """Nothing is known, so nothing is let go."""
    world.fault(f"GET {where(engine)}", "answer", times=ALWAYS, status=500, body={})
    with pytest.raises(ServerError):
        engine.delete()
    assert live(world)["name"] == "weights"
