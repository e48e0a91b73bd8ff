"""Volumes through the real plugin host: state formats, and a life."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from typing import Any

import pytest
from plugin import GOLDEN, Failed, Plugin
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime.proto import provider_pb2

from pulumi_jig.naming import VOLUME_TYPE
from pulumi_jig.provider import VolumeProvider

Record = dict[str, Any]

#: The string that every state holds, by pickle protocol.
PROVIDERS: dict[str, str] = json.loads((GOLDEN / "provider-volume.json").read_text())
STATES = sorted(GOLDEN.glob("volume-*.json"))
URN = f"urn:pulumi:prod::shop::{VOLUME_TYPE}::weights"
ROLE = "arn:aws:iam::123456789012:role/read-models"


def ours(data: Record) -> Record:
    """Data of a volume, as the SDK hands it over."""
    return {**data, "__provider": PROVIDERS["4"]}


def made(plugin: Plugin, name: str, **more: Any) -> tuple[Record, Record]:
    """A volume: its inputs and its outputs."""
    content = {"source_prefix": f"models/{name}/1"}
    program = ours({"name": name, "content": content, **more})
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
    assert PROVIDERS[str(protocol)] == serialize_provider(VolumeProvider())
    assert vars(VolumeProvider()) == {}
    assert VolumeProvider.serialize_as_secret_always is False


SUBCLASSES = r"""
import sys
import pulumi
from pulumi_jig import Volume, VolumeArgs

class Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args):
        # One write: the mocks answer from several threads.
        sys.stdout.write(args.typ + "\n")
        return args.name, args.inputs
    def call(self, args):
        raise NotImplementedError

class Ours(Volume):
    pass

pulumi.runtime.set_mocks(Mocks(), preview=False)

@pulumi.runtime.test
def run():
    for kind in (Volume, Ours):
        kind(kind.__name__, VolumeArgs(content={"source_prefix": "models/llm/1"}))

run()
"""


def test_the_type_token_survives_subclasses() -> None:
    """Case V-token: users who subclass `Volume` keep their resources."""
    done = subprocess.run(
        [sys.executable, "-c", SUBCLASSES], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [VOLUME_TYPE] * 2
    assert VOLUME_TYPE == "pulumi-python:dynamic/jig:Volume"


def test_there_is_a_recorded_state() -> None:
    """At least the state of this version is recorded."""
    assert [path.name for path in STATES] == ["volume-0.1.json"]


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


# --- The life ------------------------------------------------------------------


def test_a_volume_lives_through_the_plugin_host(plugin: Plugin) -> None:
    """Create, no difference, new content, refresh, delete, gone."""
    inputs, outputs = made(plugin, "lives")
    same = plugin.diff(ours(outputs), ours(inputs), ours(inputs), urn=URN)
    assert same.changes == provider_pb2.DiffResponse.DIFF_NONE
    news, _ = plugin.check(
        ours({"name": "lives", "content": {"source_prefix": "models/lives/2"}}),
        ours(inputs),
        urn=URN,
    )
    changed = plugin.diff(ours(outputs), ours(news), ours(inputs), urn=URN)
    assert changed.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert list(changed.replaces) == []
    updated = plugin.update(ours(outputs), ours(news))
    assert (outputs["current_version"], updated["current_version"]) == (0, 1)
    id_, _, _ = plugin.read(ours(updated), ours(news))
    assert id_ == "lives"
    plugin.delete(ours(updated))
    assert plugin.read(ours(updated), ours(news))[0] == ""


def test_a_failed_copy_is_stored_with_its_reason(plugin: Plugin) -> None:
    """The engine gets the id, the state and one clean sentence, and no traceback."""
    origin = {"s3": {"uri": "s3://no-such-bucket/llm", "role_arn": ROLE}}
    program = ours({"name": "fails", "content": {"origin": origin}})
    inputs, _ = plugin.check(program, urn=URN)
    with pytest.raises(Failed) as caught:
        plugin.create(ours(inputs), urn=URN)
    assert "bucket 'no-such-bucket' does not exist" in caught.value.message
    assert "Traceback" not in caught.value.message
    assert caught.value.id == "fails"
    assert caught.value.outputs["status"] == "failed"


def test_all_faults_come_with_their_paths(plugin: Plugin) -> None:
    """Each names its property in the sentence: the engine shows no nested value."""
    content = {"source_prefix": "x", "origin": {"s3": {"uri": "s3://m"}}}
    _, failures = plugin.check(ours({"name": "w", "content": content}), urn=URN)
    assert [reason.split()[0] for _, reason in failures] == [
        "content",
        "content.origin.s3.role_arn",
    ]
