"""What a deployment makes of secrets and volumes among its arguments."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import Any

import pytest

# In a process of its own: Pulumi's mocks and event loop outlive a test.
PROGRAM = """
import json, sys
import pulumi
from pulumi_jig import (
    Deployment, EnvironmentVariableArgs, Secret, SecretArgs, Volume, VolumeMountArgs,
)

class Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args):
        outputs = {**args.inputs}
        if args.typ.endswith("Secret"):
            outputs |= {"name": f"{args.name}-made", "value_version": f"{args.name}-7"}
        elif args.typ.endswith("Volume"):
            outputs |= {"name": f"{args.name}-made", "current_version": 4}
        else:
            # One write: the mocks answer from several threads.
            sys.stdout.write(json.dumps(args.inputs) + "\\n")
        return args.name, outputs
    def call(self, args):
        raise NotImplementedError

async def later(value):
    return value

pulumi.runtime.set_mocks(Mocks(), preview=False)
base = {"name": "llm-prod", "image": "i", "gpu_type": "none"}

@pulumi.runtime.test
def run():
    token = Secret("token", value="canary")
    other = Secret("other", SecretArgs(value="canary"))
    weights = Volume("weights", content={"source_prefix": "p"})
    PLACE

run()
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run a program with these lines."""
    lines = textwrap.indent(textwrap.dedent(code), "    ").strip()
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("PLACE", lines)],
        capture_output=True,
        text=True,
    )


def deployed(code: str) -> dict[str, Any]:
    """The inputs of the deployment that the lines make."""
    done = run(code)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


REFERENCE = {"TOKEN": {"value_from_secret": "token-made"}}


@pytest.mark.parametrize(
    "variables",
    [
        '{"TOKEN": token}',
        '{"TOKEN": {"value_from_secret": token}}',
        '{"TOKEN": {"value_from_secret": token.name}}',
        '[{"name": "TOKEN", "value_from_secret": token}]',
        '[EnvironmentVariableArgs(name="TOKEN", value_from_secret=token)]',
        'pulumi.Output.from_input("TOKEN").apply(lambda name: {name: token})',
    ],
)
def test_a_secret_stands_for_its_name(variables: str) -> None:
    """However the variables are written, the deployment refers to the secret by name."""
    inputs = deployed(f'Deployment("llm", **base, environment_variables={variables})')
    assert REFERENCE == inputs["environment_variables"]


MOUNT = [{"name": "weights-made", "mount_path": "/models", "version": 4}]


@pytest.mark.parametrize(
    ("volumes", "expected"),
    [
        ('{"/models": weights}', MOUNT),
        ('[{"name": weights, "mount_path": "/models"}]', MOUNT),
        ('[VolumeMountArgs(name=weights, mount_path="/models")]', MOUNT),
        (
            '[{"name": weights, "mount_path": "/models", "version": 1}]',
            [{**MOUNT[0], "version": 1}],
        ),
        (
            '{"/models": "by-name"}',
            [{"name": "by-name", "mount_path": "/models"}],
        ),
        (
            '[{"name": weights.name, "mount_path": "/models"}]',
            [{"name": "weights-made", "mount_path": "/models"}],
        ),
    ],
)
def test_a_volume_stands_for_its_name_and_version(
    volumes: str, expected: list[dict[str, Any]]
) -> None:
    """A volume object is mounted in its current version unless another one is given."""
    inputs = deployed(f'Deployment("llm", **base, volumes={volumes})')
    assert expected == inputs["volumes"]


@pytest.mark.parametrize(
    "variables",
    [
        '{"TOKEN": token, "OTHER": {"value_from_secret": other}, "PLAIN": "1"}',
        '[EnvironmentVariableArgs(name="TOKEN", value_from_secret=token),'
        ' {"name": "OTHER", "value_from_secret": other}]',
        '{"TOKEN": later(token), "OTHER": {"value_from_secret": later(other)}}',
        'later({"TOKEN": pulumi.Output.from_input(0).apply(lambda _: token),'
        ' "OTHER": other, "PLAIN": later("1")})',
        'pulumi.Output.from_input([{"name": "TOKEN", "value_from_secret": token},'
        ' {"name": "OTHER", "value_from_secret": other}])',
    ],
)
def test_rotations_are_named_in_one_variable(variables: str) -> None:
    """`restart_on_rotation` adds one variable, in a fixed order, and no input."""
    inputs = deployed(
        f'Deployment("llm", **base, environment_variables={variables},'
        " restart_on_rotation=True)"
    )
    words = inputs["environment_variables"]["PULUMI_JIG_ROTATIONS"]
    assert words == "OTHER=other-7 TOKEN=token-7"
    assert "restart_on_rotation" not in inputs


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('environment_variables={"A": "1"}', "needs a `Secret` object"),
        ("", "needs a `Secret` object"),
        (
            'environment_variables={"T": token, "PULUMI_JIG_ROTATIONS": "1"}',
            "leave it out",
        ),
        ('environment_variables=later({"A": "1"})', "needs a `Secret` object"),
        ('environment_variables={"A": later("1")}', "needs a `Secret` object"),
    ],
)
def test_rotations_without_a_secret_to_follow_are_refused(
    more: str, words: str
) -> None:
    """A promise that nothing could keep is an error of the program."""
    done = run(f'Deployment("llm", **base, restart_on_rotation=True, {more})')
    assert done.returncode != 0
    assert words in done.stderr
