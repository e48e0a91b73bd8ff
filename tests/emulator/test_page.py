"""The page for people: what it may show and to whom, seen from the wire."""

from __future__ import annotations

import json
import socket

import pytest

from pulumi_jig.emulator import EmulatorServer

PATHS = ("/", "/page.css", "/page.js", "/page.json", "/icon.svg")
CANARY = "canary-5f1d"


def look(api, **query):
    """What the page is told."""
    text = "&".join(f"{key}={value}" for key, value in query.items())
    return api.ok("GET", "/page.json" + ("?" + text if text else ""))


@pytest.mark.parametrize("path", PATHS)
def test_the_page_needs_no_key(api, path):
    """Somebody who opens a browser has none to give."""
    assert 200 == api.send("GET", path, headers={"Authorization": ""}).status


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example"])
def test_a_foreign_host_gets_no_page(api, path, host):
    """A web page that points its own name at loopback reads nothing here."""
    answer = api.send("GET", path, headers={"Host": host})

    assert (403, "foreign_host") == (answer.status, answer.body["error"]["code"])


@pytest.mark.parametrize("path", PATHS)
def test_every_part_is_guarded(api, path):
    """No inline script, nothing from elsewhere, no frame, no guessing of types."""
    told = api.send("GET", path).headers

    policy = told["content-security-policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in told["content-security-policy"]
    assert ("nosniff", "same-origin", "no-store") == (
        told["x-content-type-options"],
        told["cross-origin-resource-policy"],
        told["cache-control"],
    )


def test_nothing_secret_is_told(api, admin):
    """Values of variables and secrets, commands, arguments, and what faults answer."""
    api.ok("POST", "/v1/deployments/secrets", {"name": "hf", "value": CANARY + "1"})
    made = api.create(
        environment_variables=[
            {"name": "TOKEN", "value": CANARY + "2"},
            {"name": "HF", "value_from_secret": "hf"},
        ],
        command=["serve", "--key=" + CANARY + "3"],
        args=[CANARY + "4"],
    )
    api.patch(environment_variables=[{"name": "TOKEN", "value": CANARY + "5"}])
    api.ok("GET", f"/v1/deployments?x={CANARY}6")
    admin.fault(
        method="DELETE", status=503, body=CANARY + "7", headers={"X-Y": CANARY + "8"}
    )
    api.send("GET", "/v1/whoami", headers={"Authorization": f"Bearer {CANARY}9"})

    seen = look(api, deployment=made["id"])

    assert CANARY not in json.dumps(seen)
    assert [{"name": "TOKEN", "secret": ""}] == seen["close"]["environment"]
    assert ["hf"] == [secret["name"] for secret in seen["secrets"]]


def test_a_deployment_is_told_with_what_it_holds(api, clock):
    """Status, replicas, GPUs and revision, by type and in sum."""
    made = api.create(gpu_type="h100-80gb", gpu_count=2, min_replicas=3)
    starting = look(api)
    clock.pass_(60)
    serving = look(api, deployment=made["id"])

    assert [{"type": "h100-80gb", "held": 6, "serving": 0, "deployments": 1}] == (
        starting["gpus"]
    )
    assert ({"Updating": 1}, 0) == (
        starting["statuses"],
        starting["deployments"][0]["serving"],
    )
    assert 6 == serving["gpus"][0]["serving"]
    assert ({"Ready": 1}, 3) == (
        serving["statuses"],
        serving["deployments"][0]["serving"],
    )
    assert ["serving"] * 3 == [r["state"] for r in serving["close"]["replicas"]]
    assert [(1, "create", True)] == [
        (r["number"], r["action"], r["active"]) for r in serving["close"]["revisions"]
    ]


def test_replicas_of_an_older_revision_hold_their_own_gpus(api, clock):
    """While both revisions run, each counts under the type that it was made with."""
    api.create(gpu_type="h100-80gb", gpu_count=1)
    clock.pass_(60)
    api.patch(gpu_type="h200-140gb", gpu_count=4)

    held = {g["type"]: (g["held"], g["serving"]) for g in look(api)["gpus"]}

    assert {"h100-80gb": (1, 1), "h200-140gb": (4, 0)} == held


def test_a_failure_is_told_with_its_reason(api, clock):
    """What to look for stands beside the status, without opening anything."""
    api.create(image="r/crashloop:1")
    clock.pass_(600)

    (seen,) = look(api)["deployments"]

    assert ("Failed", "CrashLoopBackOff", 1) == (
        seen["status"],
        seen["reason"],
        seen["failed"],
    )


def test_requests_are_told_once(api):
    """A page that is open asks for what came after what it has."""
    api.ok("GET", "/v1/deployments")
    first = look(api)
    (entry,) = first["requests"]["entries"]
    api.ok("GET", "/v1/whoami")

    then = look(api, after=entry["number"], run=first["run"])

    assert ["/whoami"] == [e["path"] for e in then["requests"]["entries"]]
    assert entry["number"] == then["requests"]["first"]


def test_numbers_of_another_process_count_for_nothing(api):
    """A page that outlived a restart gets the whole log of the new process."""
    api.ok("GET", "/v1/deployments")

    assert 1 == len(look(api, after=999, run="before")["requests"]["entries"])


def test_looking_is_no_request(api, admin):
    """The log that tests read holds requests to the API alone."""
    look(api)
    api.send("GET", "/")

    assert [] == admin.requests()


def test_looking_moves_no_time():
    """At time scale 0 each operation lets all time pass; a look is no operation."""
    with EmulatorServer(time_scale=0) as running:
        before = running.backend.clock.now().progress
        running.backend.run(lambda now: None)
        step = running.backend.clock.now().progress - before
        for _ in range(3):
            running._server.pages._overview.snapshot()

        assert before + step == running.backend.clock.now().progress


def test_at_time_scale_0_a_look_finds_everything_over(quick):
    """As the next operation would find it."""
    quick.create()

    assert {"Ready": 1} == look(quick)["statuses"]


def test_what_other_hands_put_there_breaks_nothing(api, admin):
    """Unchecked values of the admin interface are shown as they are."""
    api.create()
    admin.patch("demo-app", fields={"gpu_type": "tpu-9", "gpu_count": None})
    admin.set_status("demo-app", "Brewing")

    assert {"Brewing": 1} == look(api)["statuses"]


def test_a_wrong_number_is_refused_in_one_sentence(api):
    """The data is asked for by our own page, and by whoever is curious."""
    assert (400, "after: must be a whole number") == api.refused(
        "GET", "/page.json?after=x"
    )


def test_a_thousand_deployments_are_one_answer(api, server):
    """All are counted and listed."""
    for number in range(1000):
        server.backend.run(
            lambda now, number=number: server.backend.deployments.insert(
                "home",
                f"fleet-{number}",
                {"image": "r/a:1", "gpu_type": "none"},
                now,
            )
        )

    seen = look(api)

    assert (1000, 1000) == (seen["total"], len(seen["deployments"]))


ODD = "\x1b[2J\x07\u202e\u2028\u200b"


def test_what_a_client_wrote_is_visible_on_the_page(api):
    """No text turns another one round or hides in it, whoever put it there."""
    made = api.create(description=f"a{ODD}b", command=["x"])
    api.send("GET", "/v1/deployments/%1b%5b2J")

    told = json.dumps(look(api, deployment=made["id"]), ensure_ascii=False)

    assert "a\\\\x1b[2J\\\\x07\\\\u202e\\\\u2028\\\\u200bb" in told
    assert [] == [c for c in ODD if c in told and not c.isprintable()]


def test_what_a_client_wrote_is_visible_in_the_log(capsys):
    """Neither a path nor a method commands the terminal that shows the log."""
    with EmulatorServer(time_scale=0, quiet=False) as server:
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as sock:
            sock.sendall(
                b"\x1b[2J\x07 /v1/\xe2\x80\xae\x9b HTTP/1.1\r\nHost: localhost\r\n"
                b"Connection: close\r\n\r\n"
            )
            while sock.recv(4096):
                pass

    said = capsys.readouterr().err
    assert "\\x1b[2J\\x07" in said
    assert said.replace("\n", "").isprintable()
