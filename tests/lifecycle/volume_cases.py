"""What the tests about volumes have in common: programs, and a watched service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulated import Engine

if TYPE_CHECKING:
    from simulated import World

VOLUMES = "/deployments/storage/volumes"
POST = f"POST /v1{VOLUMES}"
LOOK = f"GET {VOLUMES}/weights"
URN = "urn:pulumi:prod::shop::pulumi-python:dynamic/jig:Volume::weights"
ROLE = "arn:aws:iam::123456789012:role/read-models"

FILES = {"name": "weights", "content": {"source_prefix": "models/llm/1"}}
MORE_FILES = {"name": "weights", "content": {"source_prefix": "models/llm/2"}}


def s3(path: str = "models/llm", **more: Any) -> dict[str, Any]:
    """A program with a copy from a bucket."""
    origin = {"s3": {"uri": f"s3://{path}", "role_arn": ROLE}}
    return {"name": "weights", "content": {"origin": origin}, **more}


def engine_for(world: World, **more: Any) -> Engine:
    """An engine with a program of one volume."""
    return Engine(world, **{"urn": URN, "life": "volume", **more})


def live(world: World, name: str = "weights") -> dict[str, Any]:
    """The volume of this name as the service shows it."""
    found: dict[str, Any] = world.as_somebody("GET", f"{VOLUMES}/{name}")
    return found


def names(world: World) -> list[str]:
    """All volumes of the account."""
    return [v["name"] for v in world.as_somebody("GET", VOLUMES)["data"]]


def versions(world: World) -> int:
    """How many versions the volume has."""
    count: int = live(world)["current_version"] + 1
    return count


def mount(world: World, name: str = "llm-prod", **more: Any) -> dict[str, Any]:
    """Somebody's deployment that mounts the volume."""
    body = {
        "name": name,
        "image": "registry.example/app:1",
        "gpu_type": "none",
        "volumes": [{"name": "weights", "mount_path": "/models", **more}],
    }
    made: dict[str, Any] = world.as_somebody("POST", "/deployments", body)
    return made
