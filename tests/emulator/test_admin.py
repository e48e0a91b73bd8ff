"""The admin interface: faults, time by hand, other hands, and what it never shows."""

from __future__ import annotations

import http.client
import time
from urllib.parse import urlsplit

import pytest

from pulumi_jig.emulator import EmulatorServer
from pulumi_jig.emulator.admin_client import AdminError

BODY = {"name": "demo-app", "image": "r/a:1", "gpu_type": "none"}


def test_without_admin_there_is_no_admin_interface(quick):
    """Its paths are 404, with a word on how to get it."""
    answer = quick.send("GET", "/_emulator/dump")

    assert (404, "admin_disabled") == (answer.status, answer.body["error"]["code"])


@pytest.mark.parametrize("token", ["", "wrong"])
def test_the_token_is_required(api, token):
    """An API key is no token."""
    answer = api.send("GET", "/_emulator/dump", headers={"X-Emulator-Token": token})

    assert 403 == answer.status


def test_a_foreign_host_is_refused_here_too(server, api):
    """Even with the token."""
    headers = {"X-Emulator-Token": server.admin_token, "Host": "example.com"}

    assert 403 == api.send("GET", "/_emulator/dump", headers=headers).status


def test_reset_forgets_everything(api, admin):
    """State, faults and request log are as after a start (Case M6)."""
    api.create()
    admin.fault("GET", "**", status=500)

    admin.reset()

    assert [] == admin.deployments()
    assert ([], []) == (admin.faults(), admin.requests())
    api.create()


def test_the_dump_shows_everything_but_values(api, admin):
    """Secret and environment values appear as digests only."""
    api.ok("POST", "/v1/deployments/secrets", {"name": "s", "value": "canary-1"})
    told = {"command": ["canary-4"], "args": ["--token", "canary-5"]}
    mark = "[pulumi-jig shop/dev/llm 0123456789ab]"
    api.create(
        environment_variables=[{"name": "A", "value": "canary-2"}],
        description=f"canary-6 {mark}",
        **told,
    )
    api.ok(
        "POST",
        "/v1/deployments/secrets",
        {"name": "t", "value": "canary-7", "description": "canary-8"},
    )
    api.patch(environment_variables=[{"name": "A", "value": "canary-3"}])

    dump = admin.dump()

    assert "canary" not in repr(dump)
    (found,) = dump["deployments"]
    assert ("demo-app", "home", "Updating", 2, 2) == (
        found["name"],
        found["account"],
        found["status"],
        len(found["configurations"]),
        len(found["events"]),
    )
    spec = found["spec"]
    assert "[redacted]" == spec["environment_variables"][0]["value"]
    assert (["[redacted]"], ["[redacted]"] * 2) == (spec["command"], spec["args"])
    # Whose it is, is no secret.
    assert f"[redacted] {mark}" == spec["description"]


def test_the_request_log_holds_names_and_no_values(api, admin):
    """Method, path, status, account and key names; nothing of what was sent."""
    api.ok("POST", "/v1/deployments/secrets", {"name": "canary-1", "value": "canary-2"})
    api.send("GET", "/deployments/nope?replica_id=canary-3", headers={})
    type(api)(api.url, "invalid-canary").send("GET", "/v1/whoami")

    log = admin.requests()

    assert [
        ("POST", "/deployments/secrets", 200, "home", ["name", "value"], []),
        ("GET", "/deployments/nope", 404, "home", [], ["replica_id"]),
        ("GET", "/whoami", 401, None, [], []),
    ] == [
        (e["method"], e["path"], e["status"], e["account"], e["body"], e["query"])
        for e in log
    ]
    assert "canary" not in repr(log)


def test_the_request_log_is_read_on_from_a_number(api, admin):
    """Numbers go on after the log was cleared."""
    api.ok("GET", "/v1/whoami")
    (first,) = admin.requests()
    admin.clear_requests()
    api.ok("GET", "/v1/deployments")

    assert ["/deployments"] == [e["path"] for e in admin.requests(first["number"])]


# Faults.


def test_a_fault_strikes_once_and_names_the_answer(api, admin):
    """Status, headers and body are as the fault says; then all is well."""
    admin.fault(
        "GET",
        "/deployments/*",
        status=503,
        headers={"Retry-After": "7"},
        body="<html>busy</html>",
    )
    api.create()

    struck = api.send("GET", "/v1/deployments/demo-app")

    assert (503, "7", "text/html", "<html>busy</html>") == (
        struck.status,
        struck.headers["retry-after"],
        struck.headers["content-type"],
        struck.body,
    )
    assert "demo-app" == api.get()["name"]


def test_a_fault_strikes_the_nth_request_so_many_times(api, admin):
    """The second and third of five reads."""
    admin.fault("GET", "/deployments", nth=2, times=2, status=500)

    statuses = [api.send("GET", "/v1/deployments").status for _ in range(5)]

    assert [200, 500, 500, 200, 200] == statuses
    (fault,) = admin.faults()
    assert (5, 2) == (fault["seen"], fault["struck"])


def test_a_fault_without_end_lasts_until_it_is_cleared(api, admin):
    """`times=None` strikes every time."""
    number = admin.fault("*", "**", times=None, status=429)

    assert [429] * 3 == [api.send("GET", "/v1/whoami").status for _ in range(3)]
    admin.clear_faults(number)
    assert 200 == api.send("GET", "/v1/whoami").status


@pytest.mark.parametrize(("acted", "there"), [(False, False), (True, True)])
def test_a_status_fault_strikes_before_or_after_the_service_acts(
    api, admin, acted, there
):
    """An error that hides a success is the one that makes duplicates."""
    admin.fault("POST", "/deployments", status=500, acted=acted)

    assert 500 == api.send("POST", "/v1/deployments", BODY).status
    assert there == (not api.gone("demo-app"))


@pytest.mark.parametrize("drop", ["reset", "close"])
@pytest.mark.parametrize(("acted", "there"), [(False, False), (True, True)])
def test_a_dropped_connection_before_or_after_the_service_acts(
    api, admin, drop, acted, there
):
    """The client sees no answer; whether the service acted is the fault's choice."""
    admin.fault("POST", "/deployments", drop=drop, acted=acted)
    wanted = ConnectionResetError if drop == "reset" else http.client.RemoteDisconnected

    with pytest.raises(wanted) as caught:
        api.send("POST", "/v1/deployments", BODY)

    # RemoteDisconnected is a ConnectionResetError too: the exact kind is meant.
    assert wanted is caught.type
    assert there == (not api.gone("demo-app"))
    assert None is admin.requests()[0]["status"]


def test_a_delay_comes_before_the_answer(api, admin):
    """And the answer is then the service's own."""
    admin.fault("GET", "/whoami", delay=0.2, acted=True)
    began = time.monotonic()

    api.ok("GET", "/v3/whoami")

    assert time.monotonic() - began >= 0.2


def test_faults_can_be_for_one_account(api, admin):
    """Others are served as usual."""
    admin.fault(times=None, status=500, account="other")

    assert 200 == api.send("GET", "/v1/deployments").status
    assert 500 == api.as_account("other").send("GET", "/v1/deployments").status


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/deployments/*", "/deployments/a", True),
        ("/deployments/*", "/deployments/a/logs", False),
        ("/deployments/{id}/logs", "/deployments/a/logs", True),
        ("/deployments/**", "/deployments/a/logs", True),
        ("/deployments", "/deployments/a", False),
    ],
)
def test_paths_match_by_segment(api, admin, pattern, path, matches):
    """One star is one segment, two are anything."""
    admin.fault("GET", pattern, status=418)

    assert matches == (418 == api.send("GET", "/v1" + path).status)


def test_a_fault_that_is_no_longer_due_makes_way_for_the_next(api, admin):
    """Two faults for one path strike one after the other."""
    admin.fault("GET", "/whoami", status=500)
    admin.fault("GET", "/whoami", status=502)

    statuses = [api.send("GET", "/v3/whoami").status for _ in range(3)]

    assert [500, 502, 200] == statuses


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({}, "a fault needs a status, a delay or a drop"),
        ({"status": 42}, "status: must be at least 100"),
        ({"drop": "gently"}, "drop: must be one of 'reset' or 'close'"),
        ({"delay": -1}, "delay: must be at least 0"),
        ({"delay": float("nan")}, "the body is not valid JSON"),
        ({"status": 500, "nth": 0}, "nth: must be at least 1"),
        ({"status": 500, "times": 0}, "times: must be at least 1"),
        (
            {"status": 500, "headers": {"A": "b\r\nC: d"}},
            "headers.A: must be printable text",
        ),
        ({"status": "500"}, "status: must be an integer"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(admin, fault, sentence):
    """With a sentence, and nothing is put in force."""
    with pytest.raises(AdminError) as refused:
        admin.fault(**fault)

    assert sentence == str(refused.value)
    assert [] == admin.faults()


# Time by hand.


def test_a_held_deployment_moves_only_when_told(api, admin, clock):
    """Its time stands still, whatever the clock does, and goes on step by step."""
    api.create()
    admin.hold("demo-app")
    clock.pass_(10_000)

    seen = [api.events(api.get())[0]]
    while (moved := admin.advance("demo-app")) and moved["status"] != "Ready":
        seen.append(api.events(moved)[0])

    assert [("Waiting", "ContainerCreating", False), ("Running", "", False)] == seen
    assert "Ready" == api.get()["status"]


def test_a_held_deployment_can_be_moved_by_seconds(api, admin):
    """Twenty seconds take it from its image to its start."""
    api.create()
    admin.hold("demo-app")

    assert "Waiting" == api.events(admin.advance("demo-app", 19))[0][0]
    assert "Running" == api.events(admin.advance("demo-app", 1))[0][0]


def test_a_deployment_can_be_born_on_hold(quick):
    """A pattern holds what is created later, even where time is infinitely fast."""
    with EmulatorServer(time_scale=0, admin=True) as running:
        api = type(quick)(running.url)
        admin = running.admin
        admin.hold("demo-*")
        api.create()
        api.create("other-app")

        assert ("Updating", "Ready") == (
            api.get()["status"],
            api.get("other-app")["status"],
        )
        admin.release("demo-*")
        assert "Ready" == api.get()["status"]


def test_a_released_deployment_goes_on_where_it_stood(api, admin, clock):
    """The time of the hold is not made up for."""
    api.create()
    clock.pass_(15)
    admin.hold("demo-app")
    clock.pass_(1000)
    admin.release("demo-app")

    clock.pass_(4)
    assert "Waiting" == api.events(api.get())[0][0]
    clock.pass_(1)
    assert "Running" == api.events(api.get())[0][0]


def test_a_change_of_a_held_deployment_is_held_too(api, admin, clock):
    """A new revision waits with it."""
    api.create()
    clock.pass_(100)
    admin.hold("demo-app")

    api.patch(image="r/app:2")
    clock.pass_(1000)

    assert "Updating" == api.get()["status"]
    admin.advance("demo-app", 100)
    assert "Ready" == api.get()["status"]


def test_a_deletion_can_be_held(api, admin, clock):
    """It goes on answering to its id until it is moved on."""
    created = api.create()
    admin.hold("demo-app")
    api.ok("DELETE", "/v1/deployments/demo-app")
    clock.pass_(1000)

    assert not api.gone(created["id"])
    assert admin.advance(created["id"]) is None
    assert api.gone(created["id"])


def test_the_time_scale_can_be_changed_on_the_way(api, admin, clock):
    """What has happened stays; what is to come takes its new time."""
    api.create()
    clock.pass_(30)
    admin.set_time_scale(0.1)
    clock.pass_(0.5)
    assert "Running" == api.events(api.get())[0][0]
    clock.pass_(0.5)
    assert "Ready" == api.get()["status"]

    admin.set_time_scale(1000)
    clock.pass_(1)

    assert "Ready" == api.get()["status"]
    assert 1000 == admin.clock()["time_scale"]


def test_a_skip_lets_service_time_pass_at_once(api, admin):
    """Replicas come up, and dates move on with them."""
    api.create()
    admin.skip(3600)

    assert "Ready" == api.get()["status"]
    assert "2026-11-22T09:00:00.000Z" == api.patch(cpu=2)["updated_at"]


# Other hands.


def test_a_field_changes_out_of_band_without_a_revision(api, admin, clock):
    """Its owner sees the new value under the old revision."""
    created = api.create(cpu=1)

    admin.patch("demo-app", {"cpu": 9})

    found = api.get()
    assert (9, api.revision(created)) == (found["cpu"], api.revision(found))


def test_a_field_changes_out_of_band_with_a_revision(api, admin, clock):
    """A roll-out follows, and the history says who."""
    created = api.create()
    clock.pass_(100)

    admin.patch("demo-app", {"image": "r/b:2"}, new_revision=True, action="system")

    found = api.get()
    assert ("Updating", True) == (
        found["status"],
        api.revision(created) != api.revision(found),
    )
    listed = api.ok("GET", "/v1/deployments/demo-app/revisions")["data"]
    assert "system" == listed[0]["action"]


def test_the_autoscaler_moves_inside_the_bounds(api, admin, clock):
    """It changes how many are wanted, and neither revision nor update time."""
    created = api.create(max_replicas=5, autoscaling={"metric": "HTTPTotalRequests"})
    clock.pass_(100)

    admin.patch("demo-app", desired_replicas=3)

    found = api.get()
    assert ("Scaling", 3, created["updated_at"]) == (
        found["status"],
        found["desired_replicas"],
        found["updated_at"],
    )
    clock.pass_(100)
    assert ("Ready", 3) == (api.get()["status"], api.get()["ready_replicas"])
    with pytest.raises(AdminError):
        admin.patch("demo-app", desired_replicas=6)


def test_replica_events_can_be_set_by_hand(api, admin):
    """A replica shows what it was given, a new one appears, another goes."""
    created = api.create()
    (replica,) = created["replica_events"]
    event = {"replica_status": "Waiting", "replica_status_reason": "Unschedulable"}

    admin.patch("demo-app", replica_events={replica: None, "mine": event})

    found = api.get()["replica_events"]
    assert ["mine"] == list(found)
    assert event.items() <= found["mine"].items()
    assert api.revision(created) == found["mine"]["revision_id"]


def test_any_key_of_an_answer_can_be_set_by_hand(api, admin, clock):
    """A status word that nobody knows, a field from the future; then no more."""
    api.create()
    clock.pass_(100)

    admin.set_status("demo-app", "Pausing")
    admin.patch("demo-app", shown={"zone": {"a": 1}})
    found = api.get()
    assert ("Pausing", {"a": 1}) == (found["status"], found["zone"])

    admin.patch("demo-app", shown={"status": None, "zone": None})
    found = api.get()
    assert ("Ready", False) == (found["status"], "zone" in found)


def test_a_deployment_can_be_taken_away_at_once(api, admin):
    """As if a colleague had deleted it; its name is free."""
    created = api.create()

    admin.remove("demo-app")

    assert api.gone(created["id"])
    api.create()


def test_a_foreign_deployment_can_be_inserted(api, admin):
    """Any account, any name, running already."""
    admin.foreign("Legacy_Name", account="home", cpu=4)
    admin.foreign("taken-name")

    assert ("Ready", 4) == (api.get("Legacy_Name")["status"], 4)
    assert api.gone("taken-name")
    assert (
        400 == api.refused("POST", "/v1/deployments", {**BODY, "name": "taken-name"})[0]
    )
    assert "taken-name" == admin.view("taken-name")["name"]


def test_a_volume_can_be_set_by_hand_and_taken_away(api, admin):
    """Its status is what it was given, until it is given back to time."""
    path = "/v1/deployments/storage/volumes"
    body = {"name": "w", "type": "readOnly", "content": {"source_prefix": "w/0"}}
    api.ok("POST", path, body)

    admin.set_volume("w", "failed", "disk on fire")
    found = api.ok("GET", path + "/w")
    assert ("failed", "disk on fire") == (found["status"], found["status_message"])
    admin.set_volume("w", None)
    assert "ready" == api.ok("GET", path + "/w")["status"]
    admin.remove_volume("w")
    assert [] == api.ok("GET", path)["data"]


def test_a_secret_can_be_taken_away_while_in_use(api, admin):
    """Its users are left with a reference to nothing."""
    api.ok("POST", "/v1/deployments/secrets", {"name": "s", "value": "v"})
    api.create(environment_variables=[{"name": "A", "value_from_secret": "s"}])

    admin.remove_secret("s")

    assert 404 == api.send("GET", "/v1/deployments/secrets/s").status
    assert "s" == api.get()["environment_variables"][0]["value_from_secret"]


def test_an_admin_request_that_makes_no_sense_is_refused(admin):
    """Unknown deployments and fields get a sentence."""
    with pytest.raises(AdminError, match="deployment nope not found"):
        admin.advance("nope")
    admin.foreign("a-name")
    with pytest.raises(AdminError, match="no such field: colour"):
        admin.patch("a-name", {"colour": "red"})


def test_admin_requests_are_not_in_the_request_log(server, admin):
    """The log is of the API alone."""
    admin.dump()

    assert [] == admin.requests()
    assert urlsplit(server.url).hostname == "127.0.0.1"
