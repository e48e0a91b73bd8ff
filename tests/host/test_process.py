"""The bridge in the real plugin host process, over the engine's own wire."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from plugin import (
    KEY,
    KNOWS_OLD_OUTPUTS,
    SECRET,
    SIGNATURE,
    UNKNOWN,
    URN,
    Failed,
    Listener,
    Plugin,
)
from pulumi.runtime.proto import provider_pb2
from scripted import Say, Scripted

from pulumi_jig.emulator import EmulatorServer
from pulumi_jig.emulator.schemas import UpdateDeploymentRequest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Record = dict[str, Any]


def program(name: str, **more: Any) -> Record:
    return {
        "name": name,
        "image": "registry.example/app:1",
        "gpu_type": "none",
        # With a health check, ready is ready at the first look.
        "port": 8000,
        "health_check_path": "/health",
        "__program": {"organization": "acme", "project": "shop", "stack": "prod"},
        **more,
    }


def urn(name: str) -> str:
    return URN.replace("::llm", f"::{name}")


def live(service: EmulatorServer, name: str) -> Record:
    """The deployment as the service has it."""
    found: Record = service.backend.run(
        lambda now: service.backend.deployments.get("home", name, now)
    )
    return found


# --- What requests bring -------------------------------------------------------


def test_a_whole_life(plugin: Plugin, service: EmulatorServer) -> None:
    """
    Check, create, an empty diff, read, update and delete, over the real wire (peers'
    bug 15).
    """
    inputs, failures = plugin.check(program("whole-life"))
    assert failures == []
    id_, outputs = plugin.create(inputs)
    assert (id_, outputs["status"]) == ("whole-life", "Ready")
    assert plugin.diff(outputs, inputs, inputs).changes == (
        provider_pb2.DiffResponse.DIFF_NONE
    )
    read_id, read_outputs, read_inputs = plugin.read(outputs, inputs)
    assert read_id == "whole-life"
    assert read_outputs.pop("__provider") == read_inputs.pop("__provider")
    assert read_inputs == inputs
    news = {**inputs, "image": "registry.example/app:2"}
    outputs = plugin.update(outputs, news)
    assert outputs["image"] == "registry.example/app:2"
    plugin.delete(outputs)
    assert plugin.read(outputs, news)[0] == ""
    assert "whole-life" not in str(
        service.backend.run(
            lambda now: service.backend.deployments.list_all("home", now)
        )
    )


def test_the_urn_is_seen(plugin: Plugin, service: EmulatorServer) -> None:
    """The mark names project, stack and resource of the request's URN."""
    plugin.made(program("urn-seen"), urn=urn("chat"))
    assert "[pulumi-jig shop/prod/chat " in live(service, "urn-seen")["description"]


def test_the_time_limit_is_seen(plugin: Plugin) -> None:
    """custom_timeouts reach the wait."""
    with pytest.raises(Failed, match="not serving after 1 s"):
        plugin.made(
            program("limit-seen", image="registry.example/never-ready:1"), timeout=1.0
        )


def test_ignored_paths_are_seen(plugin: Plugin, service: EmulatorServer) -> None:
    """ignore_changes reach the update."""
    outputs = plugin.made(program("ignore-seen", cpu=1))
    inputs, _ = plugin.check(program("ignore-seen", cpu=2, memory=4), outputs)
    plugin.update(outputs, inputs, ignore=("cpu",))
    assert live(service, "ignore-seen")["cpu"] == 1
    assert live(service, "ignore-seen")["memory"] == 4


def test_old_inputs_are_seen(plugin: Plugin) -> None:
    """A diff knows what only the state's inputs tell: that a field was declared before."""
    inputs, _ = plugin.check(program("old-inputs", args=["--fast"]))
    _, outputs = plugin.create(inputs)
    outputs["__declared"] = ["gpu_type", "image", "name"]
    news, _ = plugin.check(program("old-inputs"), inputs)
    assert plugin.diff(outputs, news, inputs).changes == (
        provider_pb2.DiffResponse.DIFF_SOME
    )


@pytest.mark.skipif(not KNOWS_OLD_OUTPUTS, reason="this SDK's check has no old outputs")
def test_old_outputs_are_seen(plugin: Plugin) -> None:
    """A check refuses to drop what only a failed update has sent; older engines pass it."""
    before, _ = plugin.check(program("old-outputs"))
    sent, _ = plugin.check(program("old-outputs", memory=4), before)
    _, failures = plugin.check(program("old-outputs"), before, old_outputs=sent)
    ((_, reason),) = failures
    assert reason.startswith("memory cannot be unset")
    assert "(it is 4 now)" in reason
    assert plugin.check(program("old-outputs"), before, old_outputs={})[1] == []
    assert plugin.check(program("old-outputs"), before)[1] == []


# --- How a call ends -----------------------------------------------------------


def test_a_partial_failure_arrives_with_its_state(plugin: Plugin) -> None:
    """What exists and does not serve: id, outputs with __provider, reasons, no traceback."""
    with pytest.raises(Failed) as caught:
        plugin.made(program("partial", image="registry.example/crashloop:1"))
    failed = caught.value
    assert failed.id == "partial"
    assert failed.outputs["deployment_id"]
    assert failed.outputs["__provider"]
    assert failed.outputs["image"] == "registry.example/crashloop:1"
    assert len(failed.reasons) == 1
    assert "keeps crashing" in failed.reasons[0]
    assert "Traceback (most recent call last):\n" not in failed.message
    assert "plugin.py" not in failed.message


def test_a_partial_update_arrives_with_its_state(
    plugin: Plugin, service: EmulatorServer
) -> None:
    """A failed roll-out shows what is live, and is not recorded as done."""
    inputs, _ = plugin.check(program("partial-update"))
    _, outputs = plugin.create(inputs)
    bad = {**inputs, "image": "registry.example/crashloop:1"}
    with pytest.raises(Failed) as caught:
        plugin.update(outputs, bad)
    assert caught.value.id == "partial-update"
    assert caught.value.outputs["image"] == live(service, "partial-update")["image"]


def test_a_failure_is_one_clean_sentence(plugin: Plugin) -> None:
    """A name that is taken ends in words for people, not in a traceback."""
    plugin.made(program("taken-name"))
    inputs, _ = plugin.check(program("taken-name"))
    with pytest.raises(Failed) as caught:
        plugin.create(inputs)
    assert caught.value.message.startswith('A deployment "taken-name" (id ')
    assert "Traceback" not in caught.value.message
    assert caught.value.id is None


def test_a_failing_read_keeps_the_state(plugin: Plugin) -> None:
    """An error of a read is an error, not an empty answer."""
    outputs = plugin.made(program("read-fails"))
    with pytest.raises(Failed, match="belongs to account org_home"):
        plugin.read({**outputs, "__account": "org_rival/proj_rival"})


@pytest.mark.parametrize("kind", ["SystemExit", "KeyboardInterrupt", "GeneratorExit"])
def test_no_exception_leaves_a_call_unanswered(
    service: EmulatorServer, tmp_path: Path, kind: str
) -> None:
    """Case R15: an exit inside a call is answered; the stock host would never answer."""
    (tmp_path / "sitecustomize.py").write_text(
        "import pulumi_jig.lifecycle.deployment.create as module\n"
        f"def create(*_): raise {kind}('token=secret-canary')\n"
        "module.create = create\n"
    )
    env = {"PYTHONPATH": str(tmp_path), "PULUMI_JIG_DEBUG": "1"}
    with Plugin(service.url, env=env) as plugin:
        inputs, _ = plugin.check(program("exits"))
        with pytest.raises(Failed, match=rf"internal error \({kind}\)") as caught:
            plugin.create(inputs)
    assert "canary" not in caught.value.message
    assert "sitecustomize.py:2 in create" in plugin.stderr


# --- Values --------------------------------------------------------------------


@pytest.fixture
def recorded() -> Iterator[Scripted]:
    """A service that takes anything and remembers what it was sent."""
    with Scripted(Say(body={"id": "d-1", "name": "as-sent"})) as running:
        yield running


def test_whole_numbers_stay_whole(recorded: Scripted) -> None:
    """Case V1, peers' bug 30: what arrives as 2.0 is sent as 2."""
    with Plugin(recorded.url) as plugin:
        plugin.made(
            program("as-sent", gpu_type="h100-80gb", gpu_count=2, wait_for="none")
        )
    body = next(seen.body for seen in recorded.seen if seen.method == "POST")
    assert '"gpu_count": 2,' in json.dumps(body)


@pytest.mark.parametrize(
    "text",
    [
        "emoji \N{ROCKET}\N{FAMILY}\N{ZERO WIDTH JOINER}\N{GIRL}",
        "\u05e2\u05d1\u05e8\u05d9\u05ea \N{RIGHT-TO-LEFT OVERRIDE}abc",
        "line\nline\r\n\ttab \x07\x7f\u2028",
        "quo\"te' back\\slash \\u0041 ${VAR} {{x}} %41",
        "a\u0301 \N{LATIN SMALL LETTER A WITH ACUTE}",
    ],
)
def test_any_text_passes_both_ways(
    plugin: Plugin, service: EmulatorServer, text: str
) -> None:
    """Case V13: what a program writes is what the service holds, and what comes back."""
    name = f"text-{len(text)}-{ord(text[0])}"
    told = program(
        name, description=text, args=[text], environment_variables={"A": text}
    )
    inputs, failures = plugin.check(told)
    assert failures == []
    _, outputs = plugin.create(inputs)
    held = live(service, name)
    _, _, read_inputs = plugin.read(outputs, inputs)

    assert held["description"].startswith(text)
    assert held["args"] == [text]
    assert {"name": "A", "value": text} in held["environment_variables"]
    assert [read_inputs[key] for key in ("description", "args")] == [text, [text]]
    assert plugin.diff(outputs, inputs, inputs).changes == (
        provider_pb2.DiffResponse.DIFF_NONE
    )


def test_a_thousand_variables_pass(plugin: Plugin, service: EmulatorServer) -> None:
    """Case V14: a large program is created, read and compared like any other."""
    variables = {f"VARIABLE_{n}": f"{n}-" + "x" * 200 for n in range(1000)}
    inputs, failures = plugin.check(
        program("thousand-variables", environment_variables=variables)
    )
    assert failures == []
    _, outputs = plugin.create(inputs)
    shown = live(service, "thousand-variables")["environment_variables"]

    assert variables.items() <= {v["name"]: v["value"] for v in shown}.items()
    assert plugin.diff(outputs, inputs, inputs).changes == (
        provider_pb2.DiffResponse.DIFF_NONE
    )


def test_unknowns_pass_check_and_diff(plugin: Plugin) -> None:
    """Case V9: values not known in a preview are kept, at any depth, and are a change."""
    news = program(
        "unknowns",
        image=UNKNOWN,
        args=["--model", UNKNOWN],
        environment_variables={"A": UNKNOWN, "B": {"value_from_secret": UNKNOWN}},
    )
    inputs, failures = plugin.check(news)
    assert failures == []
    assert inputs["image"] == UNKNOWN
    assert inputs["environment_variables"]["B"] == {"value_from_secret": UNKNOWN}
    outputs = plugin.made(program("unknowns"))
    assert plugin.diff(outputs, inputs).changes == provider_pb2.DiffResponse.DIFF_SOME


def test_secrets_keep_their_mark_in_check(plugin: Plugin) -> None:
    """Case S2: a value stays under the key under which the engine marks it again."""
    wrapped = {SIGNATURE: SECRET, "value": "canary-1"}
    inputs, _ = plugin.check(
        program("secret-check", environment_variables={"TOKEN": wrapped})
    )
    assert inputs["environment_variables"] == {"TOKEN": "canary-1"}


def test_what_nobody_declared_is_stored_as_a_secret(
    plugin: Plugin, service: EmulatorServer
) -> None:
    """Case S3: a variable that somebody added comes back marked as a secret."""
    inputs, _ = plugin.check(program("secret-read", environment_variables={"A": "1"}))
    _, outputs = plugin.create(inputs)
    service.backend.run(
        lambda now: service.backend.deployments.update(
            "home",
            "secret-read",
            UpdateDeploymentRequest.model_validate(
                {
                    "environment_variables": [
                        {"name": "A", "value": "1"},
                        {"name": "ADDED", "value": "canary-2"},
                    ]
                }
            ),
            now,
        )
    )
    _, read_outputs, read_inputs = plugin.read(outputs, inputs)
    for found in (read_outputs, read_inputs):
        assert found["environment_variables"]["ADDED"] == {
            SIGNATURE: SECRET,
            "value": "canary-2",
        }


def test_a_partial_state_marks_secrets_as_well(
    plugin: Plugin, service: EmulatorServer
) -> None:
    """Case S3: what the engine stores of a failure is marked like any state."""
    inputs, _ = plugin.check(
        program("secret-partial", environment_variables={"A": "1"})
    )
    _, outputs = plugin.create(inputs)
    service.backend.run(
        lambda now: service.backend.deployments.update(
            "home",
            "secret-partial",
            UpdateDeploymentRequest.model_validate(
                {"environment_variables": [{"name": "ADDED", "value": "canary-3"}]}
            ),
            now,
        )
    )
    bad = {k: v for k, v in inputs.items() if k != "environment_variables"}
    bad["image"] = "registry.example/crashloop:1"
    bad["__declared"] = ["gpu_type", "image", "name"]
    del outputs["environment_variables"]
    outputs["__declared"] = bad["__declared"]
    # As if the service itself had added it; else the update would take it away.
    outputs["__added"] = ["environment_variables.ADDED"]
    with pytest.raises(Failed) as caught:
        plugin.update(outputs, bad)
    assert caught.value.outputs["environment_variables"]["ADDED"][SIGNATURE] == SECRET


# --- Threads -------------------------------------------------------------------


class Crowd:
    """Answers when so many requests are there at once, and then all of them."""

    def __init__(self, size: int) -> None:
        self.barrier = threading.Barrier(size)
        self.broken = False

    def __call__(self, seen: Any) -> Say:
        # A check asks for what exists, once.
        listed = (seen.method, seen.target) == ("GET", "/v1/deployments")
        if seen.target.startswith("/v1/deployments") and not listed:
            try:
                self.barrier.wait(timeout=20)
            except threading.BrokenBarrierError:
                self.broken = True
        return Say(body={"id": "d", "name": "n", "image": "i"})


def test_a_cold_burst_is_in_flight_at_once() -> None:
    """
    Cases L21 and G4: 48 reads that queue up before the first thread is there all go
    out.
    """
    crowd = Crowd(48)
    with Scripted(crowd) as service, Plugin(service.url) as plugin:
        requests = [
            {"name": f"n-{i}", "deployment_id": "d", "ownership_mark": False}
            for i in range(48)
        ]
        threads = [
            threading.Thread(target=plugin.read, args=(each,)) for each in requests
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert crowd.broken is False


def test_creations_are_in_flight_at_once_and_checks_pass_by() -> None:
    """Peers' bug 59: 64 creations that wait leave room for a check."""
    crowd = Crowd(64)
    with Scripted(crowd) as service, Plugin(service.url) as plugin:
        checked = [
            plugin.check(program(f"crowd-{i}", wait_for="none"), urn=urn(f"c{i}"))[0]
            for i in range(64)
        ]
        threads = [
            threading.Thread(target=plugin.create, args=(each,)) for each in checked[1:]
        ]
        for thread in threads:
            thread.start()
        assert plugin.check(program("between"), urn=urn("between"))[1] == []
        plugin.create(checked[0])
        for thread in threads:
            thread.join()
    assert crowd.broken is False


# --- The engine ----------------------------------------------------------------


def test_progress_is_shown_beside_the_resource(
    plugin: Plugin, listener: Listener
) -> None:
    """Lines of a roll-out reach the engine, ephemeral and with the resource's URN."""
    listener.lines.clear()
    with pytest.raises(Failed):
        plugin.made(
            program("progress", image="registry.example/never-ready:1"),
            urn=urn("progress"),
            timeout=3.0,
        )
    lines = [line for line in listener.lines if line.ephemeral]
    assert {line.urn for line in lines} == {urn("progress")}
    assert any("0/1 replicas ready" in line.message for line in lines)


def test_a_diff_says_only_what_the_engines_own_cannot(
    plugin: Plugin, listener: Listener
) -> None:
    """What the inputs show is not repeated; drift is told by its path, never its value."""
    before, _ = plugin.check(program("logged", environment_variables={"A": "canary-4"}))
    _, outputs = plugin.create(before)
    news, _ = plugin.check(
        program("logged", environment_variables={"A": "canary-5"}), before
    )
    listener.lines.clear()
    plugin.diff(outputs, news, before)
    assert listener.said(ephemeral=False) == []

    plugin.diff({**outputs, "max_replicas": 50}, before, before)
    plugin.diff(outputs, news, news)
    floor, _ = plugin.check(program("logged", min_replicas=2), before)
    plugin.diff(outputs, floor, before)
    plugin.diff({**outputs, "__unready": ["it was interrupted"]}, before, before)
    back = "changed outside of this program, will be set back: "
    assert listener.said(ephemeral=False) == [
        f"{back}max_replicas",
        f"{back}environment_variables.A",
        "changes as well: max_replicas",
        "the last run did not finish; will wait for it",
    ]


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        (["environment_variables"], "environment_variables.A"),
        (["environment_variables", "A"], "environment_variables.A"),
        (["command"], "command[1]"),
        (["command", 0], "command[1]"),
        (["description"], None),
    ],
)
def test_a_change_of_what_is_secret_is_told(
    plugin: Plugin, listener: Listener, secret: list[Any], told: str | None
) -> None:
    """The engine hides it, and a list with one in it as a whole; its path is said."""

    def inputs(value: str, olds: Record | None = None) -> Record:
        key = secret[0]
        given = {
            "environment_variables": {"A": value, "B": "1"},
            "command": ["serve", value],
            "description": "the same",
        }[key]
        plan = program("whole", **{key: given}, __secrets=[secret])
        return plugin.check(plan, olds)[0]

    before = inputs("canary-4")
    listener.lines.clear()
    plugin.diff({**before, "deployment_id": "1"}, inputs("canary-5", before), before)
    said = listener.said(ephemeral=False)
    assert said == ([f"changes what is secret: {told}"] if told else [])


def test_a_finished_line_says_what_was_reached(
    plugin: Plugin, listener: Listener
) -> None:
    """The last line beside a resource is its end, not the last thing on the way there."""
    listener.lines.clear()
    outputs = plugin.made(program("finished"))
    assert listener.said(ephemeral=True)[-1] == "serves with 1 replica"
    plugin.delete(outputs)
    assert listener.said(ephemeral=True)[-1] == ""


def test_an_adoption_is_announced(plugin: Plugin, listener: Listener) -> None:
    """A preview of an adoption says what would be taken over, and what would change."""
    adopting = program("announced", adopt=True, cpu=2)
    listener.lines.clear()
    plugin.check(adopting, urn=urn("adopter"))
    plugin.made(program("announced"), urn=urn("adopter"))
    plugin.check(adopting, urn=urn("adopter"))
    plugin.check(program("announced", adopt=True), urn=urn("adopter"))
    assert listener.said(ephemeral=False) == [
        "there is no deployment announced to adopt; it will be created",
        "will take over announced and change cpu",
        "will take over announced as it is",
    ]


def test_an_engine_that_dies_ends_the_wait(slow_service: EmulatorServer) -> None:
    """A plugin whose engine is gone stops polling; what was accepted stays known."""
    engine = Listener()
    with Plugin(slow_service.url, engine=engine) as plugin:
        inputs, _ = plugin.check(program("widowed"))
        call = plugin.stub.Create.future(plugin.create_request(inputs), timeout=60)
        engine.wait_for("replicas ready")
        engine.die()
        with pytest.raises(Exception, match="The Pulumi engine that asked for this"):
            call.result()


def test_a_call_that_is_cancelled_ends_the_wait(slow_service: EmulatorServer) -> None:
    """
    An engine that drops the call is gone as well: the lock of the name is free again
    (Case R17).
    """
    engine = Listener()
    with Plugin(slow_service.url, engine=engine) as plugin:
        inputs, _ = plugin.check(
            program("cancelled", termination_grace_period_seconds=0)
        )
        call = plugin.stub.Create.future(plugin.create_request(inputs), timeout=60)
        engine.wait_for("replicas ready")
        call.cancel()
        # It must wait for the create's lock, which would be held for twenty minutes.
        plugin.delete(
            {**inputs, "deployment_id": live(slow_service, "cancelled")["id"]}
        )
    engine.die()


# --- Configuration -------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "config", "expected"),
    [
        (None, {}, "There is no API key: set TOGETHER_API_KEY"),
        ("two\nlines", {}, "holds a line break"),
        (
            KEY,
            {"jig:baseUrl": "https://evil.example"},
            "would send the key of TOGETHER",
        ),
        (
            None,
            {"jig:apiKey": "k", "jig:baseUrl": "http://far.example"},
            "is plain http",
        ),
        (KEY, {"jig:parallel": "inf"}, "must be a whole number from 1 to 256"),
    ],
    ids=["no key", "line break", "foreign host", "plain http", "parallel"],
)
def test_bad_credentials_are_failures_of_a_check(
    key: str | None, config: dict[str, str], expected: str
) -> None:
    """What is wrong with the configuration is one sentence on the resource."""
    with Plugin(None, key=key, config=config) as plugin:
        _, failures = plugin.check(program("no-config"))
    assert len(failures) == 1
    assert expected in failures[0][1]
    assert KEY not in str(failures)


def test_a_rejected_key_is_one_sentence(service: EmulatorServer) -> None:
    """A key that the service rejects ends the create with words for people."""
    with Plugin(service.url, key="invalid-key") as plugin:
        inputs, failures = plugin.check(program("rejected"))
        assert failures == []
        with pytest.raises(Failed, match="rejected the API key") as e:
            plugin.create(inputs)
    assert "invalid-key" not in e.value.text


def test_another_account_is_refused_in_the_diff(
    plugin: Plugin, service: EmulatorServer
) -> None:
    """Moving a resource to a provider of another account ends in a sentence."""
    inputs, _ = plugin.check(program("moved"))
    _, outputs = plugin.create(inputs)
    config = {
        "jig:apiKey": "acct:rival:1",
        "jig:baseUrl": service.url,
        "jig:providerArguments": "apiKey,baseUrl",
    }
    with (
        Plugin(None, config=config) as other,
        pytest.raises(Failed, match="belongs to account org_rival/proj_rival"),
    ):
        other.diff(outputs, inputs, inputs)


def test_a_rotated_key_changes_nothing(plugin: Plugin, service: EmulatorServer) -> None:
    """
    It is not in the state, so the preview after a rotation is empty (Case L19, peers'
    bugs 26, 27).
    """
    inputs, _ = plugin.check(program("rotated"))
    _, outputs = plugin.create(inputs)
    with Plugin(service.url, key="acct:home:rotated") as other:
        news, _ = other.check(program("rotated"), inputs)
        found = other.diff(outputs, news, inputs)
        other.delete(outputs)

    assert news == inputs
    assert found.changes == provider_pb2.DiffResponse.DIFF_NONE
    assert KEY not in json.dumps([inputs, outputs])


def test_whatever_sends_the_request_makes_the_endpoint(
    plugin: Plugin, service: EmulatorServer
) -> None:
    """The check knows the address, so a preview shows it, and another one is a change."""
    url = service.url.replace("127.0.0.1", "localhost")
    config = {
        "jig:apiKey": "acct:home:1",
        "jig:baseUrl": url,
        "jig:providerArguments": "apiKey,baseUrl",
    }
    end = "/v1/deployment-request/located"
    inputs, _ = plugin.check(program("located"))
    _, outputs = plugin.create(inputs)
    with Plugin(service.url, config=config) as other:
        news, failures = other.check(program("located"), inputs)
        changes = other.diff(outputs, news, inputs).changes
        moved = other.update(outputs, news)
        other.delete(moved)

    assert failures == []
    assert inputs["endpoint_url"] == outputs["endpoint_url"] == service.url + end
    assert news["endpoint_url"] == moved["endpoint_url"] == url + end
    assert changes == provider_pb2.DiffResponse.DIFF_SOME


def test_a_misspelt_setting_is_refused(service: EmulatorServer) -> None:
    """`jig:baseURL` would be ignored and the real service asked instead."""
    config = {"jig:apiKey": KEY, "jig:baseURL": service.url}
    with Plugin(None, config=config) as plugin:
        _, failures = plugin.check(program("misspelt"))

    assert "jig:baseURL is not a setting" in failures[0][1]
    assert 'Did you mean "baseUrl"?' in failures[0][1]


def test_a_contradiction_is_told_once(
    service: EmulatorServer, listener: Listener
) -> None:
    """Stack and environment differ: one warning per process, about the stack."""
    listener.lines.clear()
    config = {"jig:apiKey": "acct:home:1"}
    with Plugin(service.url, key="other", config=config, engine=listener) as plugin:
        plugin.check(program("one-of-two"))
        plugin.check(program("two-of-two"))

    told = [line for line in listener.lines if "jig:apiKey is used" in line.message]
    assert len(told) == 1


def test_a_wait_for_a_silent_service_is_shown(listener: Listener) -> None:
    """A call without a word for seconds says what it waits for, and that it went on."""
    with (
        EmulatorServer(time_scale=0, admin=True) as silent,
        Plugin(silent.url, engine=listener) as plugin,
    ):
        outputs = plugin.made(program("silent"))
        silent.admin.fault("GET", "/deployments/*", delay=6)
        plugin.read(outputs)
    told = [line.message for line in listener.lines if line.ephemeral]
    assert told[-2:] == [
        "no response from the service for 4 s; still trying",
        "went on after 6 s",
    ]


def test_every_fault_comes_at_once(plugin: Plugin) -> None:
    """All faults of the inputs come in one answer, each with its path."""
    _, failures = plugin.check(
        program(
            "Bad Name", gpu_type="h100-80gb", port=0, min_replicas=3, max_replicas=1
        )
    )
    # What was not given has no value that the engine could show.
    assert {path or reason.split()[0] for path, reason in failures} == {
        "name",
        "gpu_count",
        "port",
        "max_replicas",
    }


# --- The plain host ------------------------------------------------------------


@pytest.fixture(scope="module")
def bare(service: EmulatorServer, listener: Listener) -> Iterator[Plugin]:
    """A host without the bridge."""
    env = {"PULUMI_JIG_PLAIN_HOST": "1"}
    with Plugin(service.url, engine=listener, env=env) as running:
        yield running


def test_a_plain_host_lives_a_whole_life(bare: Plugin) -> None:
    """Without the bridge the main job runs all the same."""
    inputs, _ = bare.check(program("plain-life"))
    _, outputs = bare.create(inputs)
    none = provider_pb2.DiffResponse.DIFF_NONE
    assert bare.diff(outputs, inputs).changes == none
    _, outputs_read, inputs_read = bare.read(outputs)
    assert inputs_read.pop("__provider")
    assert outputs_read["status"] == "Ready"
    assert bare.diff(outputs_read, inputs_read).changes == none
    outputs = bare.update(outputs, {**inputs, "cpu": 2})
    bare.delete(outputs)


def test_a_plain_host_keeps_a_failed_create_and_demands_an_update(bare: Plugin) -> None:
    """Without partial state a create keeps its id, marked, and the next diff is a change."""
    inputs, _ = bare.check(program("plain-create", image="registry.example/oom:1"))
    id_, outputs = bare.create(inputs)
    assert id_ == "plain-create"
    assert "out of memory" in outputs["__unready"][0]
    assert bare.diff(outputs, inputs).changes == provider_pb2.DiffResponse.DIFF_SOME
    good = {**inputs, "image": "registry.example/app:1"}
    outputs = bare.update(outputs, good)
    assert "__unready" not in outputs
    assert bare.diff(outputs, good).changes == provider_pb2.DiffResponse.DIFF_NONE


def test_a_plain_host_fails_a_failed_update(bare: Plugin) -> None:
    """Without partial state an update that does not serve is never reported green."""
    inputs, _ = bare.check(program("plain-update"))
    _, outputs = bare.create(inputs)
    with pytest.raises(Failed, match="keeps crashing"):
        bare.update(outputs, {**inputs, "image": "registry.example/crashloop:1"})


def test_a_plain_host_shows_no_progress(bare: Plugin, listener: Listener) -> None:
    """Without the bridge the engine gets no messages from us."""
    listener.lines.clear()
    bare.made(program("plain-quiet"))
    assert listener.lines == []


def test_a_plain_host_says_on_stderr_why(service: EmulatorServer) -> None:
    """What a plain host cannot report as a failure is at least written down."""
    with Plugin(service.url, env={"PULUMI_JIG_PLAIN_HOST": "1"}) as plugin:
        plugin.made(program("plain-stderr", image="registry.example/oom:1"))
    assert "error: Deployment plain-stderr does not serve" in plugin.stderr
