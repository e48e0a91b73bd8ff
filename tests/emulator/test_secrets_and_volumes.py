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


def test_a_secret_is_read_by_name_and_by_id(api):
    """Both paths answer with the same secret, slashes in the name encoded or not."""
    created = secret(api, "team/app.token")

    paths = ("team%2Fapp.token", "team/app.token", created["id"])
    assert [created] * 3 == [api.ok("GET", f"{SECRETS}/{path}") for path in paths]


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


# Volumes.


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


def test_another_accounts_volume_does_not_exist(api):
    """Read, changed, deleted or mounted, it is not there."""
    created = volume(api.as_account("other"))

    for method in ("GET", "PATCH", "DELETE"):
        for path in ("weights", created["id"]):
            assert 404 == api.send(method, f"{VOLUMES}/{path}", {}).status
