"""Rules of what happens in time, judged by one life of one small deployment."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from service import DEPLOYMENTS, REVISION, Service, events, revision

if TYPE_CHECKING:
    from conftest import Life

rule = pytest.mark.rule


@rule("ROLL-1")
def test_a_replica_waits_runs_and_then_serves(life: Life) -> None:
    """`Waiting`, then `Running`, and it serves once it has `replica_ready_since`."""
    seen = [event for answer in life.phase("create") for event in events(answer)]
    order = list(dict.fromkeys((status, ready) for status, _, ready in seen))
    steps = [("Waiting", False), ("Running", False), ("Running", True)]
    assert order == [step for step in steps if step in order]
    assert order[-1] == ("Running", True)


@rule("ROLL-2")
def test_old_replicas_serve_until_the_new_ones_do(life: Life) -> None:
    """During an update something serves at every time."""
    assert all(answer["ready_replicas"] >= 1 for answer in life.phase("update"))


@rule("ROLL-5")
def test_ready_replicas_counts_all_that_serve(life: Life) -> None:
    """Of whatever revision."""
    for phase in ("create", "update", "scale"):
        for answer in life.phase(phase):
            serving = [e for e in events(answer) if e[0] == "Running" and e[2]]
            assert answer["ready_replicas"] == len(serving)


@rule("PATCH-6")
@pytest.mark.parametrize("phase", ["update", "ceiling", "scale"])
def test_a_real_change_is_never_answered_ready(life: Life, phase: str) -> None:
    """A watcher that trusts the first answer must not stop there."""
    assert life.phase(phase)[0]["status"] != "Ready"


@rule("REVISION-1")
def test_a_change_of_the_specification_makes_a_revision(life: Life) -> None:
    """The answer to the change shows the new one already."""
    before, after = life.phase("create")[-1], life.phase("update")[0]
    assert revision(before) != revision(after)


@rule("REVISION-2")
@pytest.mark.parametrize("phase", ["ceiling", "scale"])
def test_a_change_of_bounds_keeps_the_revision(life: Life, phase: str) -> None:
    """The vendor's client counts on it."""
    assert revision(life.phase("update")[-1]) == revision(life.phase(phase)[-1])


@rule("REVISION-3")
def test_a_change_of_the_description_disturbs_nobody(life: Life) -> None:
    """It keeps revision, status and replicas."""
    before, after = life.phase("scale")[-1], life.phase("describe")[0]
    assert revision(before) == revision(after)
    assert after["status"] == before["status"]


@rule("SCALE-5")
def test_without_autoscaling_the_floor_runs_whatever_the_ceiling(life: Life) -> None:
    """A raised ceiling alone starts nothing."""
    assert {answer["desired_replicas"] for answer in life.phase("ceiling")} == {1}


@rule("HISTORY-1")
def test_events_count_up_and_are_listed_newest_first(life: Life) -> None:
    """Each change of the specification is an event that names its revision."""
    life.phase("describe")
    numbers = [event["event_number"] for event in life.history]
    assert numbers == sorted(numbers, reverse=True)
    assert [event["action"] for event in life.history][-1] == "create"
    assert revision(life.phase("create")[0]) == life.history[-1]["revision_id"]


@rule("HISTORY-2")
def test_the_configuration_of_a_revision_can_be_read(life: Life) -> None:
    """As it was then, by number."""
    life.phase("describe")
    assert life.first["image"] == life.phase("create")[0]["image"]
    assert not life.first.get("args")


@rule("HISTORY-3")
def test_a_rollback_makes_an_earlier_revision_active_again(life: Life) -> None:
    """Under its own id; the replica bounds come back, the description does not."""
    created, rolled = life.phase("create")[-1], life.phase("rollback")[-1]
    assert revision(created) == revision(rolled)
    assert not rolled.get("args")
    assert rolled["max_replicas"] == created["max_replicas"]
    assert rolled["description"].startswith("for people")


@rule("LOGS-1")
def test_logs_are_lines(life: Life) -> None:
    """`{"lines": [...]}`."""
    life.phase("rollback")
    assert isinstance(life.logs["lines"], list)


@rule("DELETE-1")
def test_delete_answers_200_with_an_empty_object(life: Life) -> None:
    """A body, and nothing in it."""
    life.phase("delete")
    assert (life.delete.status_code, life.delete.json()) == (200, {})


@rule("DELETE-2")
def test_a_deleted_deployment_answers_to_its_id_until_it_is_gone(life: Life) -> None:
    """The name is 404 at once; the id shows how it ends, and the list holds it."""
    going = life.phase("delete")
    assert life.by_name == 404
    assert life.listed
    assert going, "its id was 404 at once"
    assert {answer["status"] for answer in going} == {"Scaling"}


@rule("DELETE-3")
def test_the_name_is_free_only_when_the_deployment_is_gone(life: Life) -> None:
    """A create in between is told that it exists."""
    life.phase("delete")
    assert life.recreated == 400
    assert "already exists" in life.recreated_text


@rule("ROLL-3")
def test_a_revision_that_never_served_is_stopped_at_once(service: Service) -> None:
    """Of two changes in a row, replicas of the first one do not stay."""
    created = service.create(min_replicas=1, max_replicas=1)
    name = created["name"]
    try:
        first = service.patch(name, args=["one"])
        service.patch(name, args=["two"])
        after = service.get(name)
        left = [
            event
            for event in after["replica_events"].values()
            if event.get("revision_id") == revision(first)
            and event["replica_status"] != "Terminated"
        ]
        assert left == []
    finally:
        service.delete(name)


@rule("ROLL-4", "ROLL-6")
def test_a_container_that_crashes_is_failed_and_says_why(
    service: Service, needs: Any
) -> None:
    """`Failed`, with the reason in Kubernetes' words."""
    created = service.create(image=needs("crashing_image"))
    try:
        found = service.until(
            lambda: next(
                (a for a in [service.get(created["name"])] if a["status"] == "Failed"),
                None,
            ),
            "waiting until it has failed",
        )
    finally:
        service.delete(created["name"])
    assert {reason for _, reason, _ in events(found)} == {"CrashLoopBackOff"}


@rule("HISTORY-4")
def test_the_service_can_change_the_active_revision_itself(
    service: Service, needs: Any
) -> None:
    """A revision that it takes back is an event with the action `system`."""
    image = needs("undone_image")
    created = service.create()
    name, first = created["name"], revision(created)
    try:
        service.serving(name)
        assert revision(service.patch(name, image=image)) != first
        service.until(
            lambda: revision(service.get(name)) == first, "waiting for the old revision"
        )
        newest = service.ok("GET", f"{DEPLOYMENTS}/{name}/revisions")["data"][0]
    finally:
        service.delete(name)
    assert (newest["action"], newest["revision_id"]) == ("system", first)


@rule("LOGS-2", "LOGS-3")
def test_followed_logs_are_json_lines_until_the_deployment_is_gone(
    service: Service,
) -> None:
    """One object for each line, and the stream ends with the deployment."""
    created = service.create()
    name = created["name"]
    lines: list[Any] = []
    begun, ended = threading.Event(), threading.Event()

    def follow() -> None:
        path = f"{DEPLOYMENTS}/{name}/logs?follow=true"
        with service.stream(path) as response:
            lines.append(response.status_code)
            begun.set()
            lines.extend(json.loads(line) for line in response.iter_lines() if line)
        ended.set()

    reader = threading.Thread(target=follow, daemon=True)
    try:
        service.serving(name)
        reader.start()
        # Asked for after the end, the logs are a 404 and no stream.
        service.until(begun.is_set, "waiting for the stream")
    finally:
        service.delete(name)
    service.until(ended.is_set, "waiting for the end of the stream", 60)
    status, *sent = lines
    assert status == 200, sent
    assert all(isinstance(line["lines"], list) for line in sent)


# --- open questions: asked, and noted --------------------------------------------------


@pytest.mark.question("What does a full answer leave out where it is empty?")
def test_which_fields_an_answer_leaves_out(life: Life, note: Any) -> None:
    """Fields of the request that a read does not show."""
    fields = ("autoscaling", "health_check_path", "command", "args", "volumes")
    more = ("model_mounts", "description", "gpu_count", "capacity_type")
    found = life.phase("create")[-1]
    note([name for name in (*fields, *more) if name not in found])


@pytest.mark.question("Which of its own variables does the service show?")
def test_which_variables_the_service_adds(life: Life, note: Any) -> None:
    """Names only."""
    found = life.phase("create")[-1]["environment_variables"]
    note(sorted({item["name"] for item in found} - {REVISION}))


@pytest.mark.question("Is a tag answered with its digest?")
def test_whether_a_digest_is_resolved(life: Life, note: Any) -> None:
    """What became of the image as it was sent."""
    note("@sha256:" in life.phase("create")[-1]["image"])


@pytest.mark.question("How many GETs does a deleted deployment answer?")
def test_how_long_a_deletion_takes(life: Life, note: Any) -> None:
    """By its id, at the interval of this run."""
    note(f"{len(life.phase('delete'))}, every {life.service.settings.interval} s")


@pytest.mark.question("Which headers speak of a limit of requests?")
def test_which_limits_the_service_states(service: Service, note: Any) -> None:
    """Names of headers that have "limit" in them."""
    headers = service.send("GET", DEPLOYMENTS).headers
    note(sorted(name for name in headers if "limit" in name.lower()))


@pytest.mark.question("Does PATCH take a ceiling of 0 beside a floor of 0?")
def test_whether_a_ceiling_may_be_zero(service: Service, idle: dict, note: Any) -> None:
    """The status of the answer."""
    path = f"{DEPLOYMENTS}/{idle['name']}"
    note(service.send("PATCH", path, {"max_replicas": 0}).status_code)
