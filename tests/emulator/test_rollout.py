"""How replicas come, serve, fail and go, seen as time passes."""

from __future__ import annotations

import json
import re

import pytest

from pulumi_jig.emulator import EmulatorServer

CREATING = ("Waiting", "ContainerCreating", False)
RUNNING = ("Running", "", False)
READY = ("Running", "", True)
STOPPING = ("Terminated", "Completed", False)


def walk(api, clock, seconds, step=1):
    """Return what is seen, without repetition, in the seconds that follow."""
    seen = []
    for _ in range(0, seconds, step):
        now = api.get()
        picture = (now["status"], now["ready_replicas"], tuple(api.events(now)))
        if not seen or seen[-1] != picture:
            seen.append(picture)
        clock.pass_(step)
    return seen


def test_a_replica_walks_from_creating_to_ready(api, clock):
    """It waits for its image, runs without being ready, and then serves."""
    api.create()

    assert [
        ("Updating", 0, (CREATING,)),
        ("Updating", 0, (RUNNING,)),
        ("Ready", 1, (READY,)),
    ] == walk(api, clock, 100)


def test_a_replica_with_a_volume_preloads_it_first(api, clock):
    """The preload is seen in progress and completed, with both times."""
    api.ok(
        "POST",
        "/v1/deployments/storage/volumes",
        {"name": "v", "type": "readOnly", "content": {"source_prefix": "v/0"}},
    )
    api.create(volumes=[{"name": "v", "mount_path": "/v"}])
    seen = []

    for _ in range(100):
        (event,) = api.get()["replica_events"].values()
        picture = (
            event["replica_status"],
            event.get("volume_preload_status"),
            event.get("volume_preload_started_at"),
            event.get("volume_preload_completed_at"),
            event.get("replica_ready_since"),
        )
        if picture not in seen:
            seen.append(picture)
        clock.pass_(1)

    began, ended = "2026-11-22T08:00:20.000Z", "2026-11-22T08:00:40.000Z"
    assert [
        ("Waiting", None, None, None, None),
        ("Waiting", "InProgress", began, None, None),
        ("Running", "Completed", began, ended, None),
        ("Running", "Completed", began, ended, "2026-11-22T08:01:00.000Z"),
    ] == seen


def test_times_are_exact_however_late_they_are_asked_for(api, clock):
    """A transition is dated when it happened, not when it was first seen."""
    api.create()
    clock.pass_(5000)

    (event,) = api.get()["replica_events"].values()

    assert "2026-11-22T08:00:40.000Z" == event["replica_ready_since"]


def test_old_replicas_serve_until_the_new_ones_do(api, clock):
    """During an update the old revision serves; once the new one does, it drains."""
    api.create()
    clock.pass_(100)

    api.patch(image="r/app:2")

    assert [
        ("Updating", 1, (READY, CREATING)),
        ("Updating", 1, (READY, RUNNING)),
        ("Ready", 1, (STOPPING, READY)),
        ("Ready", 1, (READY,)),
    ] == walk(api, clock, 100)


def test_a_revision_that_crashes_leaves_the_old_replicas_serving(api, clock):
    """The deployment is Failed, and its old replica answers still."""
    api.create()
    clock.pass_(100)

    api.patch(image="r/crashloop:2")

    assert [
        ("Updating", 1, (READY, CREATING)),
        ("Updating", 1, (READY, RUNNING)),
        ("Updating", 1, (READY, ("Waiting", "CrashLoopBackOff", False))),
        ("Updating", 1, (READY, RUNNING)),
        ("Failed", 1, (READY, ("Waiting", "CrashLoopBackOff", False))),
    ] == walk(api, clock, 1000)


def test_the_next_revision_repairs_a_failed_one(api, clock):
    """A failed revision's replicas are stopped, the new ones come up."""
    api.create(image="r/crashloop:1")
    clock.pass_(100)
    assert "Failed" == api.get()["status"]

    api.patch(image="r/app:2")

    assert ("Updating", 0, (STOPPING, CREATING)) == walk(api, clock, 1)[0]
    clock.pass_(100)
    assert ("Ready", 1, (READY,)) == walk(api, clock, 1)[0]


@pytest.mark.parametrize(
    ("behaviour", "status", "last", "word"),
    [
        ("crashloop", "Failed", ("Waiting", "CrashLoopBackOff", False), "exit code 1"),
        ("oom", "Failed", ("Terminated", "OOMKilled", False), "exit code 137"),
        ("pull-error", "Failed", ("Waiting", "ImagePullBackOff", False), "back-off"),
        ("never-ready", "Updating", RUNNING, ""),
        ("slow", "Ready", READY, ""),
        ("flaky-pull", "Ready", READY, ""),
        ("preload-failed", "Failed", CREATING, "preload failed"),
        ("rollback", "Failed", ("Waiting", "CrashLoopBackOff", False), ""),
    ],
)
def test_an_image_asks_for_a_behaviour_by_name(quick, behaviour, status, last, word):
    """How each named behaviour ends, where there is nothing to fall back on."""
    quick.create(image=f"registry.example/team/{behaviour}:1")

    ended = quick.get()

    assert (status, [last]) == (ended["status"], quick.events(ended))
    (event,) = ended["replica_events"].values()
    assert word in event["replica_status_message"]


def test_a_pull_error_is_shown_before_its_back_off(api, clock):
    """ErrImagePull comes first, ImagePullBackOff stays."""
    api.create(image="r/pull-error:1")

    reasons = [events[0][1] for _, _, events in walk(api, clock, 60)]

    assert ["ContainerCreating", "ErrImagePull", "ImagePullBackOff"] == list(
        dict.fromkeys(reasons)
    )


def test_a_flaky_pull_recovers_by_itself(api, clock):
    """The errors of a pull that succeeds later are seen, and Failed is not."""
    api.create(image="r/flaky-pull:1")

    seen = walk(api, clock, 120)

    assert {"ErrImagePull", "ImagePullBackOff"} <= {e[0][1] for _, _, e in seen}
    assert ["Updating", "Ready"] == list(dict.fromkeys(status for status, _, _ in seen))


def test_the_slow_behaviour_is_fifteen_times_as_slow(api, clock):
    """What takes 40 s takes 600 s."""
    api.create(image="r/slow:1")

    clock.pass_(599)
    assert "Updating" == api.get()["status"]
    clock.pass_(1)
    assert "Ready" == api.get()["status"]


@pytest.mark.parametrize("image", ["r/bloom:1", "r/slowfast:1", "oom", "r/my-oom:1"])
def test_a_word_inside_a_name_asks_for_nothing(quick, image):
    """Only a path segment that begins with the whole word does."""
    quick.create(image=image)

    assert "Ready" == quick.get()["status"]


def test_the_service_rolls_a_failed_revision_back_by_itself(api, clock):
    """With /rollback, the revision before becomes active again, as a system event."""
    first = api.create()
    clock.pass_(100)
    second = api.patch(image="r/rollback:2")
    assert api.revision(first) != api.revision(second)

    statuses = [status for status, _, _ in walk(api, clock, 200)]

    after = api.get()
    assert (api.revision(first), "r/app:1", [READY]) == (
        api.revision(after),
        after["image"],
        api.events(after),
    )
    changes = [s for i, s in enumerate(statuses) if i == 0 or statuses[i - 1] != s]
    assert ["Updating", "Failed", "Updating", "Ready"] == changes
    listed = api.ok("GET", "/v1/deployments/demo-app/revisions")["data"]
    assert ["system", "update", "create"] == [event["action"] for event in listed]


def test_scaling_up_keeps_the_revision_and_adds_replicas(api, clock):
    """Running replicas stay as they are."""
    created = api.create()
    clock.pass_(100)

    patched = api.patch(min_replicas=2, max_replicas=2)

    assert api.revision(created) == api.revision(patched)
    assert [
        ("Scaling", 1, (READY, CREATING)),
        ("Scaling", 1, (READY, RUNNING)),
        ("Ready", 2, (READY, READY)),
    ] == walk(api, clock, 100)


def test_scaling_down_stops_the_surplus(api, clock):
    """The surplus drains and is gone; the rest serves on."""
    api.create(min_replicas=2)
    clock.pass_(100)

    api.patch(min_replicas=1, max_replicas=1)

    assert [
        ("Scaling", 1, (READY, STOPPING)),
        ("Ready", 1, (READY, STOPPING)),
        ("Ready", 1, (READY,)),
    ] == walk(api, clock, 100)


def test_a_floor_of_zero_ends_scaled_to_zero(api, clock):
    """No replica is wanted, none is there, and the status says so."""
    api.create(min_replicas=0, max_replicas=0)

    assert [("Updating", 0, ()), ("ScaledToZero", 0, ())] == walk(api, clock, 10)


def test_a_name_is_free_once_its_deployment_has_drained(api, clock):
    """Even where nobody asked for it in between."""
    first = api.create()
    api.ok("DELETE", "/v1/deployments/demo-app")
    clock.pass_(10)

    assert first["id"] != api.create()["id"]


def test_draining_is_no_longer_than_the_grace_period(api, clock):
    """A grace period of 3 s is over after 3 s; one of 0 s at once."""
    long = api.create("three-seconds", termination_grace_period_seconds=3)
    none = api.create("no-grace", termination_grace_period_seconds=0)
    api.ok("DELETE", "/v1/deployments/three-seconds")
    api.ok("DELETE", "/v1/deployments/no-grace")

    assert (False, True) == (api.gone(long["id"]), api.gone(none["id"]))
    clock.pass_(3)
    assert api.gone(long["id"])


def test_a_change_of_what_is_going_is_refused(api):
    """PATCH and rollback by id say 409; a second delete changes nothing."""
    created = api.create()
    path = f"/v1/deployments/{created['id']}"
    api.ok("DELETE", path)

    assert 409 == api.refused("PATCH", path, {"cpu": 2})[0]
    body = {"revision_identifier": "1"}
    assert 409 == api.refused("POST", path + "/rollback", body)[0]
    assert {} == api.ok("DELETE", path)


def test_at_scale_zero_the_next_request_finds_everything_done(quick):
    """The answer to a create still says Updating; the read after it says Ready."""
    assert "Updating" == quick.create()["status"]
    assert "Ready" == quick.get()["status"]
    quick.ok("DELETE", "/v1/deployments/demo-app")
    assert [] == quick.ok("GET", "/v1/deployments")["data"]


def test_a_story_told_twice_is_the_same_story(clock, api):
    """Under a clock of one's own, only ids differ from run to run (Case M8)."""
    begin = clock.now

    def story():
        clock.now = begin
        seen = []
        with EmulatorServer(wall=clock, admin=True) as running:
            told = type(api)(running.url)
            told.create(image="r/flaky-pull:1", min_replicas=2)
            for second in range(300):
                if second == 100:
                    told.patch(image="r/rollback:2")
                if second == 280:
                    told.ok("DELETE", "/v1/deployments/demo-app")
                for d in told.ok("GET", "/v1/deployments")["data"]:
                    text = json.dumps({k: v for k, v in d.items() if k != "id"})
                    seen.append(re.sub(r"[0-9a-f-]{36}|demo-app-[0-9a-f-]+", "", text))
                clock.pass_(1)
        return seen

    assert story() == story()
