"""Secrets and volumes."""

from __future__ import annotations

import pytest

SECRETS = "/v1/deployments/secrets"
VOLUMES = "/v1/deployments/storage/volumes"
DAY = 86_400
ORIGIN = {
    "type": "files",
    "origin": {
        "s3": {
            "uri": "s3://bucket/weights",
            "role_arn": "arn:aws:iam::123456789012:role/reader",
        }
    },
}


def s3(uri):
    """Return content in S3."""
    role = "arn:aws:iam::123456789012:role/reader"
    return {"type": "files", "origin": {"s3": {"uri": uri, "role_arn": role}}}


def secret(api, name="token", **fields):
    """Create a secret."""
    return api.ok("POST", SECRETS, {"name": name, "value": "v", **fields})


def volume(api, name="weights", content=None):
    """Create a volume, of files that are there unless told otherwise."""
    content = content or {"type": "files", "source_prefix": f"{name}/0"}
    body = {"name": name, "type": "readOnly", "content": content}
    return api.ok("POST", VOLUMES, body)


# Secrets.


def test_a_secret_never_shows_its_value(api):
    """Neither create, read, list nor update answers with the value."""
    answers = [
        secret(api, value="canary-4711"),
        api.ok("GET", SECRETS + "/token"),
        api.ok("GET", SECRETS),
        api.ok("PATCH", SECRETS + "/token", {"value": "canary-4712"}),
    ]

    assert "canary" not in repr(answers)
    assert {"object", "id", "name", "description", "created_at", "updated_at"} | {
        "created_by",
        "last_updated_by",
    } == set(answers[0])


def test_a_secret_is_read_by_name_and_by_id(api):
    """Both paths answer with the same secret, slashes in the name encoded or not."""
    created = secret(api, "team/app.token")

    paths = ("team%2Fapp.token", "team/app.token", created["id"])
    assert [created] * 3 == [api.ok("GET", f"{SECRETS}/{path}") for path in paths]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "a" * 101),
        ("name", "with space"),
        ("name", None),
        ("value", ""),
        ("value", None),
        ("value", 5),
        ("description", "d" * 501),
        ("ttl_seconds", DAY - 1),
        ("ttl_seconds", 14 * DAY + 1),
        ("ttl_seconds", 1.5),
    ],
)
def test_a_secrets_field_out_of_range_is_refused_by_name(api, field, value):
    """Each field has bounds, and the refusal names the field."""
    body = {"name": "token", "value": "v", field: value}

    answer = api.send("POST", SECRETS, body)

    assert (400, field) == (answer.status, answer.body["error"]["param"])


def test_a_secrets_name_is_unique_in_its_account_only(api):
    """The same name in another account is another secret."""
    secret(api)

    status, message = api.refused("POST", SECRETS, {"name": "token", "value": "v"})

    assert (400, "secret with name token already exists") == (status, message)
    secret(api.as_account("other"))


def test_another_accounts_secret_does_not_exist(api):
    """By name and by id it reads 404, and a deployment cannot refer to it."""
    created = secret(api.as_account("other"))

    for path in ("token", created["id"]):
        assert 404 == api.send("GET", f"{SECRETS}/{path}").status
    body = {
        "name": "demo-app",
        "image": "r/a:1",
        "gpu_type": "none",
        "environment_variables": [{"name": "A", "value_from_secret": created["id"]}],
    }
    assert 400 == api.refused("POST", "/v1/deployments", body)[0]


def test_a_secret_with_a_lifetime_expires_and_is_deleted(api, admin):
    """It says when; at that time it is gone and the name is free."""
    created = secret(api, ttl_seconds=DAY)
    assert (DAY, "2026-11-23T08:00:00.000Z") == (
        created["ttl_seconds"],
        created["expires_at"],
    )

    admin.skip(DAY - 1)
    assert 1 == len(api.ok("GET", SECRETS)["data"])
    admin.skip(1)

    assert 404 == api.send("GET", SECRETS + "/token").status
    assert [] == api.ok("GET", SECRETS)["data"]
    secret(api)


@pytest.mark.parametrize(
    ("body", "expires"),
    [
        ({"value": "new"}, "2026-11-23T20:00:00.000Z"),
        ({"ttl_seconds": 2 * DAY}, "2026-11-24T20:00:00.000Z"),
        ({"description": "new"}, "2026-11-23T08:00:00.000Z"),
    ],
)
def test_a_new_value_or_lifetime_counts_from_now(api, admin, body, expires):
    """A change of the description alone does not extend the life."""
    secret(api, ttl_seconds=DAY)
    admin.skip(DAY / 2)

    assert expires == api.ok("PATCH", SECRETS + "/token", body)["expires_at"]


def test_a_variable_shows_when_its_secret_expires(api):
    """The time is read-only: sent back, it changes nothing."""
    secret(api, ttl_seconds=DAY)
    created = api.create(
        environment_variables=[{"name": "A", "value_from_secret": "token"}]
    )

    assert {
        "name": "A",
        "value_from_secret": "token",
        "value_from_secret_expires_at": "2026-11-23T08:00:00.000Z",
    } == created["environment_variables"][0]
    again = api.patch(environment_variables=created["environment_variables"])
    assert created == again


def test_a_secret_in_use_cannot_be_deleted(api, clock):
    """The refusal names who uses it; once they let go, it can."""
    secret(api)
    variables = [{"name": "A", "value_from_secret": "token"}]
    api.create("user-one", environment_variables=variables)
    api.create("user-two", environment_variables=variables)

    status, message = api.refused("DELETE", SECRETS + "/token")

    assert (
        409,
        "failed to delete secret token: it is used by deployment user-one, user-two",
    ) == (status, message)
    api.patch("user-one", environment_variables=[])
    api.ok("DELETE", "/v1/deployments/user-two")
    assert {} == api.ok("DELETE", SECRETS + "/token")


def test_a_renamed_secret_stays_in_use(api):
    """References hold the secret itself, not its name."""
    secret(api)
    api.create(environment_variables=[{"name": "A", "value_from_secret": "token"}])

    api.ok("PATCH", SECRETS + "/token", {"name": "renamed"})

    assert 404 == api.send("GET", SECRETS + "/token").status
    assert 409 == api.refused("DELETE", SECRETS + "/renamed")[0]


def test_a_rename_to_a_taken_name_is_refused(api):
    """And the secret keeps the name that it has."""
    secret(api, "one")
    secret(api, "two")

    assert 400 == api.refused("PATCH", SECRETS + "/one", {"name": "two"})[0]
    assert "one" == api.ok("GET", SECRETS + "/one")["name"]


def test_a_container_whose_secret_expired_cannot_start(api, admin):
    """What runs goes on; a replica started later says what is missing."""
    secret(api, ttl_seconds=DAY)
    api.create(environment_variables=[{"name": "A", "value_from_secret": "token"}])
    admin.skip(DAY)
    assert "Ready" == api.get()["status"]

    after = api.patch(image="r/app:2")

    assert [
        ("Running", "", True),
        ("Waiting", "CreateContainerConfigError", False),
    ] == api.events(after)
    assert "Failed" == after["status"]


# Volumes.


def test_a_volume_of_uploaded_files_is_ready_at_once(api):
    """Its first version is 0, and its files are listed."""
    created = volume(api)

    assert ("volume", "readOnly", 0, "ready", {}, []) == tuple(
        created[key]
        for key in (
            "object",
            "type",
            "current_version",
            "status",
            "version_history",
            "mounted_by",
        )
    )
    assert "weights/0" == created["content"]["source_prefix"]
    assert created == api.ok("GET", f"{VOLUMES}/{created['id']}")


def test_a_volume_from_s3_is_copied_in_its_time(api, clock):
    """Pending, then syncing, then ready; the origin stays to be seen."""
    created = volume(api, content=ORIGIN)
    seen = [created["status"]]

    for _ in range(30):
        clock.pass_(1)
        seen.append(api.ok("GET", VOLUMES + "/weights")["status"])

    assert ["pending", "syncing", "ready"] == list(dict.fromkeys(seen))
    assert ORIGIN == created["content"]


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("s3://no-such-bucket-x/w", "bucket 'no-such-bucket-x' does not exist"),
        ("s3://bucket/access-denied/w", "access denied"),
    ],
)
def test_a_copy_that_fails_says_why(quick, uri, message):
    """The status is failed and the message is the service's."""
    volume(quick, content=s3(uri))

    found = quick.ok("GET", VOLUMES + "/weights")

    assert ("failed", message) == (found["status"], found["status_message"])


def test_new_content_is_a_new_version(api):
    """The version before is in the history, with its own content and users."""
    created = volume(api)
    user = api.create(volumes=[{"name": "weights", "mount_path": "/w"}])

    changed = api.ok("PATCH", VOLUMES + "/weights", {"content": ORIGIN})

    assert (1, "pending", [], ["0"]) == (
        changed["current_version"],
        changed["status"],
        changed["mounted_by"],
        list(changed["version_history"]),
    )
    old = changed["version_history"]["0"]
    assert (0, "ready", [user["id"]]) == (
        old["version"],
        old["status"],
        old["mounted_by"],
    )
    assert created["created_at"] == changed["created_at"]


def test_the_files_of_a_copy_show_as_they_come(api, clock):
    """Rule VOLUME-8: none before it runs, all when it is ready, some in between."""
    volume(api, content=s3("s3://bucket/w"))
    seen = []
    for _ in range(4):
        seen.append(
            len(api.ok("GET", VOLUMES + "/weights")["content"].get("files", []))
        )
        clock.pass_(9.0)

    assert [0, 0, 2, 4] == seen


def test_a_flaky_copy_fails_once(api, clock):
    """The first version of `/flaky` fails, the next one of the same content is good."""
    volume(api, content=s3("s3://bucket/flaky/w"))
    clock.pass_(60.0)
    first = api.ok("GET", VOLUMES + "/weights")
    api.ok("PATCH", VOLUMES + "/weights", {"content": s3("s3://bucket/flaky/w")})
    clock.pass_(60.0)

    assert ("failed", "connection to the bucket was lost") == (
        first["status"],
        first["status_message"],
    )
    assert "ready" == api.ok("GET", VOLUMES + "/weights")["status"]


def test_a_volume_is_read_at_a_version(api, clock):
    """`?version=` answers with that version's content, status and users."""
    volume(api)
    api.ok("PATCH", VOLUMES + "/weights", {"content": ORIGIN})

    zero = api.ok("GET", VOLUMES + "/weights?version=0")

    assert ("weights/0", "ready", 1) == (
        zero["content"]["source_prefix"],
        zero["status"],
        zero["current_version"],
    )
    assert 404 == api.refused("GET", VOLUMES + "/weights?version=2")[0]
    assert 400 == api.refused("GET", VOLUMES + "/weights?version=x")[0]


@pytest.mark.parametrize(
    ("field", "value", "param"),
    [
        ("name", "with/slash", "name"),
        ("type", "readWrite", "type"),
        ("content", {}, "content"),
        ("content", {"type": "git", "source_prefix": "x"}, "content.type"),
        ("content", {**ORIGIN, "source_prefix": "x"}, "content"),
        ("content", {"origin": {}}, "content.origin.s3"),
        ("content", s3("https://bucket"), "content.origin.s3.uri"),
        (
            "content",
            {"origin": {"s3": {"uri": "s3://b", "role_arn": "me"}}},
            "content.origin.s3.role_arn",
        ),
        ("content", None, "content"),
    ],
)
def test_a_volumes_field_out_of_range_is_refused_by_path(api, field, value, param):
    """Files or S3, not both, and each in its form."""
    content = {"type": "files", "source_prefix": "x"}
    body = {"name": "w", "type": "readOnly", "content": content, field: value}

    answer = api.send("POST", VOLUMES, body)

    assert (400, param) == (answer.status, answer.body["error"]["param"])


def test_a_mount_without_a_version_gets_the_latest_on_create(api):
    """And the answer shows which one that is."""
    volume(api)
    api.ok("PATCH", VOLUMES + "/weights", {"content": {"source_prefix": "w/1"}})

    created = api.create(volumes=[{"name": "weights", "mount_path": "/w"}])

    assert [{"name": "weights", "mount_path": "/w", "version": 1}] == created["volumes"]


def test_a_mount_without_a_version_keeps_its_own_on_update(api):
    """A newer version is taken only when it is asked for (Case V8)."""
    volume(api)
    mount = {"name": "weights", "mount_path": "/w"}
    created = api.create(volumes=[mount])
    api.ok("PATCH", VOLUMES + "/weights", {"content": {"source_prefix": "w/1"}})

    assert created == api.patch(volumes=[mount])
    assert 1 == api.patch(volumes=[{**mount, "version": 1}])["volumes"][0]["version"]


def test_a_mount_of_an_unknown_version_is_refused(api):
    """The refusal names the version."""
    volume(api)
    body = {
        "name": "demo-app",
        "image": "r/a:1",
        "gpu_type": "none",
        "volumes": [{"name": "weights", "mount_path": "/w", "version": 3}],
    }

    status, message = api.refused("POST", "/v1/deployments", body)

    assert 400 == status
    assert "volumes[0].version: volume weights has no version 3" == message


def test_a_replica_waits_for_the_copy_of_its_volume(api, clock):
    """Its preload is in progress for as long as the copy is not there."""
    volume(api, content=s3("s3://bucket/slow/w"))
    api.create(volumes=[{"name": "weights", "mount_path": "/w"}])

    clock.pass_(300)
    (event,) = api.get()["replica_events"].values()
    assert "InProgress" == event["volume_preload_status"]
    # The copy is there after 305 s; then come 20 s of preload and 20 s of start.
    clock.pass_(44)
    assert "Updating" == api.get()["status"]
    clock.pass_(1)
    assert "Ready" == api.get()["status"]


def test_a_replica_fails_with_the_copy_of_its_volume(quick):
    """The preload is Failed, and so is the deployment."""
    volume(quick, content=s3("s3://bucket/access-denied"))
    quick.create(volumes=[{"name": "weights", "mount_path": "/w"}])

    found = quick.get()

    (event,) = found["replica_events"].values()
    assert ("Failed", "Failed") == (found["status"], event["volume_preload_status"])


def test_a_failed_preload_is_dated_when_the_copy_failed(api, clock):
    """The copy fails after 25 s; that it is read an hour later changes nothing."""
    volume(api, content=s3("s3://bucket/access-denied"))
    api.create(volumes=[{"name": "weights", "mount_path": "/w"}])
    clock.pass_(3600)

    (event,) = api.get()["replica_events"].values()

    assert "2026-11-22T08:00:25.000Z" == event["volume_preload_completed_at"]


def test_a_mounted_volume_cannot_be_deleted(api):
    """The refusal names who mounts it; once they let go, it can."""
    volume(api)
    api.create(volumes=[{"name": "weights", "mount_path": "/w"}])

    status, message = api.refused("DELETE", VOLUMES + "/weights")

    assert (
        409,
        "failed to delete volume weights: it is mounted by deployment demo-app",
    ) == (status, message)
    api.patch(volumes=[])
    assert {} == api.ok("DELETE", VOLUMES + "/weights")
    assert 404 == api.send("GET", VOLUMES + "/weights").status


def test_another_accounts_volume_does_not_exist(api):
    """Read, changed, deleted or mounted, it is not there."""
    created = volume(api.as_account("other"))

    for method in ("GET", "PATCH", "DELETE"):
        for path in ("weights", created["id"]):
            assert 404 == api.send(method, f"{VOLUMES}/{path}", {}).status
