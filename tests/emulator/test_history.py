"""The revision history: events, configurations, and the way back."""

from __future__ import annotations

PATH = "/v1/deployments/demo-app"


def test_events_come_in_pages(api):
    """Ten unless told otherwise; `before` goes on below an event number."""
    api.create()
    for number in range(2, 16):
        api.patch(image=f"r/app:{number}")

    def numbers(query):
        listed = api.ok("GET", f"{PATH}/revisions{query}")
        return [event["event_number"] for event in listed["data"]]

    assert list(range(15, 5, -1)) == numbers("")
    assert [15, 14] == numbers("?limit=2")
    assert [3, 2] == numbers("?limit=2&before=4")
    assert [] == numbers("?before=1")


def test_a_page_size_out_of_range_is_refused(api):
    """From 1 to 100, as a whole number."""
    api.create()

    for query in ("limit=0", "limit=101", "limit=x", "before=-1"):
        assert 400 == api.refused("GET", f"{PATH}/revisions?{query}")[0]


def test_a_revision_is_read_by_number_and_by_id(api):
    """Both give the configuration as it was then."""
    created = api.create(
        cpu=2, environment_variables=[{"name": "A", "value": "1"}], port=8000
    )
    api.patch(cpu=3, environment_variables=[])

    by_number = api.ok("GET", PATH + "/revisions/1")

    assert by_number == api.ok("GET", f"{PATH}/revisions/{api.revision(created)}")
    assert ("revision", 2, [{"name": "A", "value": "1"}], 8000) == (
        by_number["object"],
        by_number["cpu"],
        by_number["environment_variables"],
        by_number["port"],
    )


def test_fifty_configurations_and_two_hundred_events_are_kept(quick):
    """Older ones are 404, though their events are listed; the active one is kept."""
    quick.create()
    for number in range(2, 52):
        quick.patch(image=f"r/app:{number}")

    assert 404 == quick.refused("GET", PATH + "/revisions/1")[0]
    assert "r/app:2" == quick.ok("GET", PATH + "/revisions/2")["image"]
    listed = quick.ok("GET", PATH + "/revisions?limit=100")["data"]
    assert list(range(51, 0, -1)) == [event["revision_number"] for event in listed]
    assert (
        404
        == quick.refused("POST", PATH + "/rollback", {"revision_identifier": "1"})[0]
    )

    quick.ok("POST", PATH + "/rollback", {"revision_identifier": "2"})
    for number in range(52, 205):
        quick.patch(image=f"r/app:{number}")
    events = []
    while True:
        before = f"&before={events[-1]}" if events else ""
        page = quick.ok("GET", f"{PATH}/revisions?limit=100{before}")["data"]
        if not page:
            break
        events += [event["event_number"] for event in page]
    assert list(range(205, 5, -1)) == events


def test_the_active_configuration_is_kept_however_old(quick):
    """A rollback to the oldest revision that is kept keeps it readable."""
    quick.create()
    for number in range(2, 51):
        quick.patch(image=f"r/app:{number}")
    quick.ok("POST", PATH + "/rollback", {"revision_identifier": "1"})

    assert "r/app:1" == quick.ok("GET", PATH + "/revisions/1")["image"]
    assert "r/app:1" == quick.get()["image"]


def test_a_rollback_keeps_replicas_that_run_the_target(api, clock):
    """Where the new revision never served, the old replica simply goes on."""
    api.create()
    clock.pass_(100)
    replica = list(api.get()["replica_events"])
    api.patch(image="r/crashloop:2")
    clock.pass_(100)

    api.ok("POST", PATH + "/rollback", {"revision_identifier": "1"})
    clock.pass_(100)

    after = api.get()
    assert (replica, "Ready") == (list(after["replica_events"]), after["status"])


def test_a_rollback_to_the_active_revision_changes_nothing(api):
    """It is answered with the deployment as it is, without an event."""
    created = api.create()
    body = {"revision_identifier": api.revision(created)}

    assert created == api.ok("POST", PATH + "/rollback", body)
    assert 1 == len(api.ok("GET", PATH + "/revisions")["data"])


def test_a_rollback_needs_a_revision_that_exists(api):
    """A missing, malformed or unknown target is refused."""
    api.create()

    assert 400 == api.refused("POST", PATH + "/rollback", {})[0]
    body = {"revision_identifier": 1}
    assert 400 == api.refused("POST", PATH + "/rollback", body)[0]
    body = {"revision_identifier": "7"}
    assert 404 == api.refused("POST", PATH + "/rollback", body)[0]


def test_logs_tell_what_replicas_went_through(api, clock):
    """One line per step, dated, with the replica's name."""
    created = api.create(image="r/crashloop:1")
    (replica,) = created["replica_events"]
    clock.pass_(26)

    lines = api.ok("GET", PATH + "/logs")["lines"]

    assert [
        f"2026-11-22T08:00:00.000Z {replica} pulling the image",
        f"2026-11-22T08:00:20.000Z {replica} container started",
        f"2026-11-22T08:00:25.000Z {replica} Traceback (most recent call last): "
        "RuntimeError: the model failed to load",
    ] == lines


def test_logs_are_filtered_by_replica_revision_and_version(api):
    """The version is a tag, or the last four characters of a digest."""
    first = api.create(image="r/app:one@sha256:00aa11bb")
    second = api.patch(image="r/app:two@sha256:00aa22cc")
    (old,) = first["replica_events"]
    (new,) = set(second["replica_events"]) - {old}

    def replicas(query):
        lines = api.ok("GET", f"{PATH}/logs?{query}")["lines"]
        return {line.split()[1] for line in lines}

    assert {old, new} == replicas("")
    assert {new} == replicas(f"replica_id={new}")
    assert {old} == replicas(f"revision={api.revision(first)}")
    assert {old} == replicas("version=one")
    assert {new} == replicas("version=22cc")
    assert set() == replicas("version=three")
