"""Secrets through the real plugin host: state formats, encryption, warnings."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from plugin import GOLDEN, SECRET, SIGNATURE, Failed, Listener, Plugin
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime.proto import provider_pb2

from pulumi_jig.naming import SECRET_TYPE
from pulumi_jig.provider import SecretProvider

if TYPE_CHECKING:
    from pulumi_jig.emulator import EmulatorServer

Record = dict[str, Any]

#: The string that every state holds, by pickle protocol.
PROVIDERS: dict[str, str] = json.loads((GOLDEN / "provider-secret.json").read_text())
STATES = sorted(GOLDEN.glob("secret-*.json"))
CANARY = "secret-canary-0123456789"
URN = f"urn:pulumi:prod::shop::{SECRET_TYPE}::token"


def ours(data: Record) -> Record:
    """Data of a secret, as the SDK hands it over."""
    return {**data, "__provider": PROVIDERS["4"]}


def sealed(value: str) -> Record:
    """A secret value as the engine sends it."""
    return {SIGNATURE: SECRET, "value": value}


def made(plugin: Plugin, name: str, **more: Any) -> tuple[Record, Record]:
    """A secret: its inputs and its outputs."""
    program = ours({"name": name, "value": sealed(CANARY), **more})
    inputs, failures = plugin.check(program, urn=URN)
    assert failures == []
    _, outputs = plugin.create(ours(inputs), urn=URN)
    return inputs, outputs


# --- State formats -------------------------------------------------------------


@pytest.mark.parametrize("protocol", [4, 5])
def test_the_reference_to_the_provider_is_the_same_for_ever(
    monkeypatch: pytest.MonkeyPatch, protocol: int
) -> None:
    """Case L12: module and class name by reference, and nothing else."""
    monkeypatch.setattr(pickle, "DEFAULT_PROTOCOL", protocol)
    assert PROVIDERS[str(protocol)] == serialize_provider(SecretProvider())
    assert vars(SecretProvider()) == {}
    assert SecretProvider.serialize_as_secret_always is False


SUBCLASSES = r"""
import sys
import pulumi
from pulumi_jig import Secret

class Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args):
        # One write: the mocks answer from several threads.
        sys.stdout.write(args.typ + "\n")
        return args.name, args.inputs
    def call(self, args):
        raise NotImplementedError

class Ours(Secret):
    pass

pulumi.runtime.set_mocks(Mocks(), preview=False)

@pulumi.runtime.test
def run():
    for kind in (Secret, Ours):
        kind(kind.__name__, name="token", value="canary")

run()
"""


def test_the_type_token_survives_subclasses() -> None:
    """Case V-token: users who subclass `Secret` keep their resources."""
    done = subprocess.run(
        [sys.executable, "-c", SUBCLASSES], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [SECRET_TYPE] * 2
    assert SECRET_TYPE == "pulumi-python:dynamic/jig:Secret"


def test_there_is_a_recorded_state() -> None:
    """At least the state of this version is recorded."""
    assert [path.name for path in STATES] == ["secret-0.1.json"]


@pytest.mark.parametrize("path", STATES, ids=lambda path: path.stem)
def test_a_recorded_state_plans_clean(path: Any, plugin: Plugin) -> None:
    """Case L11: a state of an earlier version, with its own program, is no difference."""
    recorded = json.loads(path.read_text())
    inputs, failures = plugin.check(
        ours(recorded["program"]), recorded["inputs"], urn=URN
    )
    assert failures == []
    assert recorded["inputs"] == inputs
    answer = plugin.diff(
        ours(recorded["outputs"]), ours(inputs), ours(recorded["inputs"]), urn=URN
    )
    assert answer.changes == provider_pb2.DiffResponse.DIFF_NONE


# --- Encryption ----------------------------------------------------------------


@pytest.mark.parametrize("given", [sealed(CANARY), CANARY], ids=["secret", "plain"])
def test_the_value_never_leaves_the_plugin_in_clear(plugin: Plugin, given: Any) -> None:
    """Case S2: check, create and read mark it, whether the program did or not."""
    name = "marked" if isinstance(given, str) else "sealed"
    program = ours({"name": name, "value": given})
    request = provider_pb2.CheckRequest(urn=URN)
    request.news.update(program)
    checked = plugin.stub.Check(request, timeout=30)
    assert sealed(CANARY) == dict(checked.inputs["value"])
    created = plugin.stub.Create(
        provider_pb2.CreateRequest(urn=URN, properties=checked.inputs), timeout=30
    )
    assert sealed(CANARY) == dict(created.properties["value"])
    read = plugin.stub.Read(
        provider_pb2.ReadRequest(
            id=created.id,
            urn=URN,
            properties=created.properties,
            inputs=checked.inputs,
        ),
        timeout=30,
    )
    assert sealed(CANARY) == dict(read.properties["value"])
    assert sealed(CANARY) == dict(read.inputs["value"])


def test_a_refusal_does_not_quote_the_value(plugin: Plugin) -> None:
    """Case S4: neither the failure nor what the plugin logs holds it."""
    made(plugin, "quoted")
    inputs, _ = plugin.check(ours({"name": "quoted", "value": sealed(CANARY)}), urn=URN)
    with pytest.raises(Failed) as caught:
        plugin.create(ours(inputs), urn=URN)
    assert CANARY not in str(caught.value)
    assert "exists already" in caught.value.message


# --- The life ------------------------------------------------------------------


def test_a_secret_lives_through_the_plugin_host(plugin: Plugin) -> None:
    """Create, no difference, rotate, refresh, delete, gone."""
    inputs, outputs = made(plugin, "lives")
    same = plugin.diff(ours(outputs), ours(inputs), ours(inputs), urn=URN)
    assert same.changes == provider_pb2.DiffResponse.DIFF_NONE
    news, _ = plugin.check(
        ours({"name": "lives", "value": sealed(CANARY), "version": 2}),
        ours(inputs),
        urn=URN,
    )
    assert inputs["value_version"] != news["value_version"]
    changed = plugin.diff(ours(outputs), ours(news), ours(inputs), urn=URN)
    assert changed.changes == provider_pb2.DiffResponse.DIFF_SOME
    updated = plugin.update(ours(outputs), ours(news))
    assert updated["version"] == 2
    id_, _, _ = plugin.read(ours(updated), ours(news))
    assert id_ == "lives"
    plugin.delete(ours(updated))
    assert plugin.read(ours(updated), ours(news))[0] == ""


def test_the_last_week_is_warned_about_in_a_preview(
    service: EmulatorServer, listener: Listener
) -> None:
    """The warning stands on the resource, with when it ends and what to do."""
    with Plugin(service.url, engine=listener) as plugin:
        inputs, outputs = made(plugin, "ends-soon", ttl_seconds=86_400)
        plugin.diff(ours(outputs), ours(inputs), ours(inputs), urn=URN)
        lasting, state = made(plugin, "lasts")
        plugin.diff(ours(state), ours(lasting), ours(lasting), urn=URN)
    said = [line for line in listener.lines if "expires in" in line.message]
    assert ["ends-soon"] == [line.message.split()[1] for line in said]
    assert said[0].urn == URN
    assert not said[0].ephemeral


def test_an_expired_secret_is_updated_in_a_preview(plugin: Plugin) -> None:
    """It is a difference by this machine's clock, without a refresh."""
    inputs, outputs = made(plugin, "is-over", ttl_seconds=86_400)
    past = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    answer = plugin.diff(
        ours({**outputs, "expires_at": past}), ours(inputs), ours(inputs), urn=URN
    )
    assert answer.changes == provider_pb2.DiffResponse.DIFF_SOME
