"""The fixtures that users get by installing the package."""

from __future__ import annotations

import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi_jig.emulator import RunningEmulator
    from pulumi_jig.rehearsal import Rehearsal

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart"


def test_a_program_is_tested_in_two_lines(
    jig_rehearsal: Callable[..., Rehearsal],
) -> None:
    """A stack is wired to an emulator of its own, whose roll-outs take no time."""
    stack = jig_rehearsal(QUICKSTART)
    assert stack.up().raise_if_failed().changes == {"create": 2}
    assert stack.preview().is_empty


def test_options_reach_the_rehearsal(jig_rehearsal: Callable[..., Rehearsal]) -> None:
    """Whatever `Rehearsal` takes can be given, configuration for one."""
    stack = jig_rehearsal(QUICKSTART, stack="prod", config={"replicas": 2})
    stack.up().raise_if_failed()
    [deployment] = [r for r in stack.resources if "jig:Deployment" in r["type"]]
    assert deployment["inputs"]["min_replicas"] == 2
    assert "urn:pulumi:prod::" in deployment["urn"]


def test_each_test_has_its_own_emulator(jig_emulator: RunningEmulator) -> None:
    """What the tests before have made is not there (Case M6)."""
    request = urllib.request.Request(
        f"{jig_emulator.url}/v1/deployments", headers={"Authorization": "Bearer k"}
    )
    with urllib.request.urlopen(request) as response:
        assert b'"data":[]' in response.read().replace(b" ", b"")
