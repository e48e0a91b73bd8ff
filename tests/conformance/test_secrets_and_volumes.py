"""Rules of secrets and volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from service import (
    DEPLOYMENTS,
    ROLE,
    SECRETS,
    VOLUMES,
    Service,
    events,
    param,
    variables,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

rule = pytest.mark.rule
DAY = 86_400
NO_BUCKET = {
    "origin": {"s3": {"uri": "s3://no-such-bucket-jig-conf/w", "role_arn": ROLE}}
}


@pytest.fixture
def secret(service: Service) -> Iterator[dict]:
    """A secret with a lifetime of a day."""
    body = {"name": service.name(), "value": "canary-7f3a", "ttl_seconds": DAY}
    created = service.ok("POST", SECRETS, body)
    yield created
    service.send("DELETE", f"{SECRETS}/{created['id']}")


@pytest.fixture
def volume(service: Service, needs: Any) -> Iterator[dict]:
    """A volume of uploaded files."""
    content = {"type": "files", "source_prefix": needs("files")}
    body = {"name": service.name(), "type": "readOnly", "content": content}
    created = service.ok("POST", VOLUMES, body)
    yield created
    service.send("DELETE", f"{VOLUMES}/{created['id']}")


# --- secrets -----------------------------------------------------------------------


@rule("SECRET-1")
def test_a_value_is_never_answered(service: Service, secret: dict) -> None:
    """Not by create, read, list or update."""
    path = f"{SECRETS}/{secret['name']}"
    answers = [
        secret,
        service.ok("GET", path),
        service.ok("GET", SECRETS),
        service.ok("PATCH", path, {"value": "canary-7f3b"}),
    ]
    assert "canary" not in repr(answers)


@rule("SECRET-2")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "jig-conf-" + "a" * 92),
        ("name", "jig-conf with space"),
        ("description", "d" * 501),
        ("ttl_seconds", DAY - 1),
        ("ttl_seconds", 14 * DAY + 1),
    ],
)
def test_a_secrets_field_out_of_range_is_refused_by_name(
    service: Service, field: str, value: object
) -> None:
    """Names of 1 to 100 characters, descriptions to 500, lifetimes of 1 to 14 days."""
    body = {"name": service.name(), "value": "v", field: value}
    assert param(service.refused("POST", SECRETS, body)) == field


@rule("SECRET-2")
def test_a_secrets_name_is_unique_in_the_account(
    service: Service, secret: dict
) -> None:
    """A second one of the name is refused."""
    response = service.send("POST", SECRETS, {"name": secret["name"], "value": "v"})
    assert response.status_code == 400
    assert "already exists" in response.text


@rule("SECRET-3")
def test_a_new_value_counts_from_now(service: Service, secret: dict) -> None:
    """The end moves with a new value, and stays with a new description."""
    path = f"{SECRETS}/{secret['name']}"
    described = service.ok("PATCH", path, {"description": "for people"})
    valued = service.ok("PATCH", path, {"value": "canary-7f3b"})
    assert described["expires_at"] == secret["expires_at"]
    assert valued["expires_at"] > secret["expires_at"]


@rule("SECRET-4")
def test_at_its_expiry_a_secret_is_deleted(
    service: Service, secret: dict, let_pass: Callable[[float], None]
) -> None:
    """By name, by id and in the list, and its name is free."""
    let_pass(DAY)
    for identifier in (secret["name"], secret["id"]):
        assert service.send("GET", f"{SECRETS}/{identifier}").status_code == 404
    assert secret["name"] not in service.left(SECRETS)
    again = service.ok("POST", SECRETS, {"name": secret["name"], "value": "v"})
    service.ok("DELETE", f"{SECRETS}/{again['id']}")


@rule("SECRET-6")
def test_a_container_whose_secret_expired_cannot_start(
    service: Service, secret: dict, let_pass: Callable[[float], None]
) -> None:
    """Replicas that run go on; one that is started later says what is missing."""
    wanted = [{"name": "TOKEN", "value_from_secret": secret["name"]}]
    name = service.create(environment_variables=wanted)["name"]
    try:
        service.serving(name)
        let_pass(DAY)
        assert service.get(name)["status"] == "Ready"
        service.patch(name, args=["--again"])
        failed = service.until(
            lambda: (found := service.get(name))["status"] == "Failed" and found,
            "waiting until it has failed",
        )
    finally:
        service.delete(name)
    assert sorted(events(failed)) == [
        ("Running", "", True),
        ("Waiting", "CreateContainerConfigError", False),
    ]


@rule("ENV-5", "ENV-2")
def test_a_variable_shows_when_its_secret_expires(
    service: Service, secret: dict, idle: dict
) -> None:
    """The time is shown, and ignored when it is sent back."""
    wanted = [{"name": "TOKEN", "value_from_secret": secret["name"]}]
    shown = service.patch(idle["name"], environment_variables=wanted)
    again = service.patch(
        idle["name"], environment_variables=shown["environment_variables"]
    )
    service.patch(idle["name"], environment_variables=[])
    assert "value_from_secret_expires_at" in variables(shown)[0]
    assert variables(shown) == variables(again)


@rule("SECRET-5", "DELETE-4")
def test_a_secret_in_use_cannot_be_deleted(service: Service, secret: dict) -> None:
    """409 that names who uses it; free as soon as that deployment is deleted."""
    wanted = [{"name": "TOKEN", "value_from_secret": secret["name"]}]
    created = service.create(
        environment_variables=wanted, min_replicas=0, max_replicas=0
    )
    path = f"{SECRETS}/{secret['name']}"
    refused = service.send("DELETE", path)
    service.send("DELETE", f"{DEPLOYMENTS}/{created['name']}")
    freed = service.send("DELETE", path)
    service.delete(created["id"])
    assert refused.status_code == 409
    assert created["name"] in refused.text
    assert freed.status_code == 200


# --- volumes -----------------------------------------------------------------------


@rule("VOLUME-1")
@pytest.mark.parametrize(
    "content", [{}, {"source_prefix": "x", **NO_BUCKET}], ids=["neither", "both"]
)
def test_a_volumes_content_is_files_or_s3_not_both(
    service: Service, content: dict
) -> None:
    """One source, and one only."""
    body = {"name": service.name(), "type": "readOnly", "content": content}
    assert service.refused("POST", VOLUMES, body).status_code == 400


@rule("VOLUME-2", "VOLUME-4")
def test_files_are_ready_at_once_and_versions_count_from_0(
    service: Service, volume: dict, needs: Any
) -> None:
    """New content makes the next version of the same volume."""
    assert (volume["current_version"], volume["status"]) == (0, "ready")
    path = f"{VOLUMES}/{volume['name']}"
    content = {"type": "files", "source_prefix": needs("files") + "/"}
    assert service.ok("PATCH", path, {"content": content})["current_version"] == 1


@rule("VOLUME-4")
def test_a_copy_is_pending_then_syncing_then_fails(service: Service) -> None:
    """From a bucket that nobody has it ends `failed`, and says why."""
    body = {"name": service.name(), "type": "readOnly", "content": NO_BUCKET}
    created = service.ok("POST", VOLUMES, body)
    path = f"{VOLUMES}/{created['id']}"
    seen = [created["status"]]

    def failed() -> Any:
        found = service.ok("GET", path)
        seen.append(found["status"])
        return found if found["status"] == "failed" else None

    try:
        ended = service.until(failed, "waiting until the copy has failed")
    finally:
        service.send("DELETE", path)
    order = list(dict.fromkeys(seen))
    assert order == [s for s in ("pending", "syncing", "failed") if s in order]
    assert ended["status_message"]


@rule("VOLUME-8")
def test_the_files_of_a_copy_show_as_they_come(service: Service, needs: Any) -> None:
    """When it is ready, all are listed; before, no more than that."""
    content = {"origin": {"s3": {"uri": needs("bucket"), "role_arn": ROLE}}}
    body = {"name": service.name(), "type": "readOnly", "content": content}
    created = service.ok("POST", VOLUMES, body)
    path = f"{VOLUMES}/{created['id']}"
    counts: list[int] = []

    def ready() -> bool:
        found = service.ok("GET", path)
        counts.append(len(found["content"].get("files", [])))
        return bool(found["status"] == "ready")

    try:
        service.until(ready, "waiting for the copy")
    finally:
        service.send("DELETE", path)
    assert counts == sorted(counts)
    assert counts[-1] > 0


@rule("VOLUME-3", "VOLUME-6")
def test_a_mount_gets_the_latest_version_and_keeps_it(
    service: Service, volume: dict, needs: Any
) -> None:
    """A newer version is taken only when asked for; an unknown one is refused."""
    mount = {"name": volume["name"], "mount_path": "/w"}
    created = service.create(volumes=[mount], min_replicas=0, max_replicas=0)
    try:
        path = f"{VOLUMES}/{volume['name']}"
        content = {"type": "files", "source_prefix": needs("files") + "/"}
        service.ok("PATCH", path, {"content": content})
        kept = service.patch(created["name"], volumes=[mount])["volumes"]
        there = f"{DEPLOYMENTS}/{created['name']}"
        unknown = service.send("PATCH", there, {"volumes": [{**mount, "version": 9}]})
    finally:
        service.delete(created["name"])
    assert [item["version"] for item in (*created["volumes"], *kept)] == [0, 0]
    assert unknown.status_code == 400


@rule("VOLUME-5", "DELETE-4")
def test_a_mounted_volume_cannot_be_deleted(service: Service, volume: dict) -> None:
    """409 that names who mounts it; free as soon as that deployment is deleted."""
    mount = {"name": volume["name"], "mount_path": "/w"}
    created = service.create(volumes=[mount], min_replicas=0, max_replicas=0)
    path = f"{VOLUMES}/{volume['name']}"
    refused = service.send("DELETE", path)
    service.send("DELETE", f"{DEPLOYMENTS}/{created['name']}")
    freed = service.send("DELETE", path)
    service.delete(created["id"])
    assert refused.status_code == 409
    assert created["name"] in refused.text
    assert freed.status_code == 200
