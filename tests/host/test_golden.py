"""State formats: what stands in users' states may not change."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from typing import Any

import pytest
from plugin import GOLDEN, PROVIDERS, URN, Plugin
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime.proto import provider_pb2

from pulumi_jig.lifecycle.deployment.check import check
from pulumi_jig.lifecycle.deployment.diff import diff
from pulumi_jig.naming import DEPLOYMENT_TYPE
from pulumi_jig.provider import DeploymentProvider

STATES = sorted(GOLDEN.glob("state-*.json"))


@pytest.mark.parametrize("protocol", [4, 5])
def test_the_reference_to_the_provider_is_the_same_for_ever(
    monkeypatch: pytest.MonkeyPatch, protocol: int
) -> None:
    """
    Case L12, peers' bugs 55, 56: module and class name by reference, and nothing else.
    """
    monkeypatch.setattr(pickle, "DEFAULT_PROTOCOL", protocol)
    assert PROVIDERS[str(protocol)] == serialize_provider(DeploymentProvider())


def test_the_provider_captures_nothing() -> None:
    """
    Case L23, peers' bugs 57, 58: the class has no attributes and needs no encryption.
    """
    assert vars(DeploymentProvider()) == {}
    assert DeploymentProvider.serialize_as_secret_always is False


def test_importing_the_provider_is_cheap() -> None:
    """The user's program, which imports it, loads neither httpx nor pydantic."""
    code = (
        "import sys, pulumi_jig.provider; "
        "print([m for m in ('httpx', 'httpcore', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


SUBCLASSES = r"""
import sys
import pulumi
from pulumi_jig import Deployment, DeploymentArgs

class Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args):
        # One write: the mocks answer from several threads.
        sys.stdout.write(args.typ + "\n")
        return args.name, args.inputs
    def call(self, args):
        raise NotImplementedError

class Ours(Deployment):
    pass

class OursToo(Ours):
    pass

pulumi.runtime.set_mocks(Mocks(), preview=False)

@pulumi.runtime.test
def run():
    for kind in (Deployment, Ours, OursToo):
        kind(kind.__name__, DeploymentArgs(name="llm", image="i", gpu_type="none"))

run()
"""


def test_the_type_token_survives_subclasses() -> None:
    """Case L8: users who subclass `Deployment` keep their resources."""
    # In a process of its own: Pulumi's mocks and event loop outlive a test.
    done = subprocess.run(
        [sys.executable, "-c", SUBCLASSES], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [DEPLOYMENT_TYPE] * 3
    assert DEPLOYMENT_TYPE == "pulumi-python:dynamic/jig:Deployment"


def test_there_is_a_recorded_state() -> None:
    """At least the state of this version is recorded."""
    assert [path.name for path in STATES] == ["state-0.1.json"]


@pytest.mark.parametrize("path", STATES, ids=lambda path: path.stem)
def test_a_recorded_state_plans_clean(path: Any) -> None:
    """Case L11: a state of an earlier version, with its own program, is no difference."""
    recorded = json.loads(path.read_text())
    checked = check(recorded["inputs"], recorded["program"], urn=URN)
    assert checked.faults == ()
    assert recorded["inputs"] == checked.inputs
    found = diff(recorded["outputs"], checked.inputs, old_inputs=recorded["inputs"])
    assert found.changed == ()


@pytest.mark.parametrize("path", STATES, ids=lambda path: path.stem)
def test_a_recorded_state_plans_clean_over_the_wire(path: Any, plugin: Plugin) -> None:
    """Case L11: the same through the real plugin host, with the provider string of then."""
    recorded = json.loads(path.read_text())
    outputs = {**recorded["outputs"]}
    # The recorded account is of a service that is no more.
    del outputs["__account"]
    inputs, failures = plugin.check(recorded["program"], recorded["inputs"])
    assert failures == []
    answer = plugin.diff(outputs, inputs, recorded["inputs"])
    assert answer.changes == provider_pb2.DiffResponse.DIFF_NONE


def test_a_diff_is_always_definite_and_a_replacement_is_a_change(
    plugin: Plugin,
) -> None:
    """Peers' bug 22: never unknown, and changes wherever there are replaces."""
    recorded = json.loads(STATES[-1].read_text())
    outputs = {**recorded["outputs"]}
    del outputs["__account"]
    renamed = {**recorded["inputs"], "name": "another-name"}
    answer = plugin.diff(outputs, renamed, recorded["inputs"])
    assert list(answer.replaces) == ["name"]
    assert answer.changes == provider_pb2.DiffResponse.DIFF_SOME
