"""What a rehearsal leaves when it does not come to its end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pulumi_jig.rehearsal import RehearsalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Theatre

RUN = """
import sys
from pulumi_jig.rehearsal import Rehearsal
stack = Rehearsal({program!r}, env={env!r}, state_file={state!r})
try:
    stack.{operation}()
except KeyboardInterrupt:
    sys.exit(130)
"""
# The toy waits in its create until the test lets it go on.
WAITING = 'Toy("a", {"pw": pulumi.Output.secret("canary")}); Toy("b", {"n": 1})'


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another process does; a minute is a failure."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def written(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def programs_of(theatre: Theatre) -> list[str]:
    """Command lines of the processes that run the theatre's program."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().decode(errors="replace")
            if "run_program.py" in line and str(theatre.program_dir) in line:
                found.append(line)
    return found


def recorded(theatre: Theatre) -> str:
    """URNs of the resources that the state has so far."""
    text = written(theatre.state_file)
    resources = json.loads(text)["deployment"]["resources"] if text else []
    return " ".join(item["urn"] for item in resources)


def run(theatre: Theatre, operation: str) -> subprocess.Popen[bytes]:
    script = RUN.format(
        program=str(theatre.program_dir),
        env=theatre.env,
        state=str(theatre.state_file),
        operation=operation,
    )
    return subprocess.Popen([sys.executable, "-c", script], start_new_session=True)


def start(theatre: Theatre) -> subprocess.Popen[bytes]:
    """An `up` in a process of its own, stopped inside the create of a."""
    (theatre.world / "faults.json").write_text('{"create:a": "wait"}')
    theatre.program(WAITING)
    theatre.state_file.parent.mkdir(exist_ok=True)
    process = run(theatre, "up")
    until(lambda: bool(written(theatre.world / "waiting")))
    # The other toy is made and recorded: only the waiting one is under way.
    until(lambda: "toy:Toy::b" in recorded(theatre))
    return process


def let_go(theatre: Theatre) -> None:
    (theatre.world / "go").touch()


def state(theatre: Theatre) -> dict[str, list[dict[str, object]]]:
    data: dict[str, list[dict[str, object]]]
    data = json.loads(theatre.state_file.read_text())["deployment"]
    return data


def test_a_kill_leaves_a_pending_operation(theatre: Theatre) -> None:
    """After SIGKILL the state holds the begun create, and its plugin lives on."""
    process = start(theatre)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    [pending] = state(theatre)["pending_operations"]
    assert pending["type"] == "creating"
    resource = pending["resource"]
    assert isinstance(resource, dict)
    assert resource["urn"].endswith("toy:Toy::a")
    assert "canary" not in theatre.state_file.read_text()
    let_go(theatre)
    until((theatre.world / "a.json").exists)
    # The program has nobody left to talk to, and ends.
    until(lambda: not programs_of(theatre))


def test_the_next_up_warns_and_creates_again(theatre: Theatre) -> None:
    """A pending create is warned of, repeated, and stays until somebody resolves it."""
    process = start(theatre)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    let_go(theatre)
    until((theatre.world / "a.json").exists)
    (theatre.world / "faults.json").unlink()
    result = theatre.rehearse().up().raise_if_failed()
    assert result.of("a") == ("create",)
    warnings = [d.message for d in result.diagnostics if d.severity == "warning"]
    assert "interrupted while creating" in warnings[0]
    assert len(state(theatre)["pending_operations"]) == 1


def test_an_interrupt_lets_the_step_end(theatre: Theatre) -> None:
    """At the first SIGINT the create runs to its end and is recorded."""
    process = start(theatre)
    os.kill(process.pid, signal.SIGINT)
    let_go(theatre)
    assert process.wait() == 130
    names = [str(item["urn"]) for item in state(theatre)["resources"]]
    assert any(name.endswith("toy:Toy::a") for name in names)
    assert "pending_operations" not in state(theatre)


def test_two_interrupts_abandon_the_step(theatre: Theatre) -> None:
    """At the second SIGINT the plugin is stopped and the operation stays pending."""
    process = start(theatre)
    os.kill(process.pid, signal.SIGINT)
    time.sleep(0.5)  # Two signals in one instant are one signal.
    os.kill(process.pid, signal.SIGINT)
    assert process.wait() == 130
    [pending] = state(theatre)["pending_operations"]
    assert pending["type"] == "creating"


def test_two_operations_at_once_are_refused(theatre: Theatre) -> None:
    """While an operation is under way another on the same stack does not start."""
    process = start(theatre)
    stack = theatre.rehearse()
    with pytest.raises(RehearsalError, match="another operation on it is under way"):
        stack.destroy()
    let_go(theatre)
    assert process.wait() == 0
    assert stack.destroy().ok


def test_an_interrupted_destroy_records_its_deletes(theatre: Theatre) -> None:
    """The delete under way ends and is recorded; what comes after it is not begun."""
    theatre.rehearse(
        'Toy("a"); Toy("b", {}, pulumi.ResourceOptions(parent=Toy("c")))'
    ).up()
    (theatre.world / "faults.json").write_text('{"delete:b": "wait"}')
    process = run(theatre, "destroy")
    until(lambda: bool(written(theatre.world / "waiting")))
    os.kill(process.pid, signal.SIGINT)
    let_go(theatre)
    assert process.wait() == 130
    assert "pending_operations" not in state(theatre)
    assert theatre.toys() == ["a", "c"]
    left = [urn.rpartition("::")[2] for urn in recorded(theatre).split()]
    assert sorted(left) == ["a", "c", "default", "toys-dev"]


def test_two_interrupts_abandon_a_destroy(theatre: Theatre) -> None:
    """At the second SIGINT the delete stays pending, with the resource."""
    theatre.rehearse('Toy("a")').up()
    (theatre.world / "faults.json").write_text('{"delete:a": "wait"}')
    process = run(theatre, "destroy")
    until(lambda: bool(written(theatre.world / "waiting")))
    os.kill(process.pid, signal.SIGINT)
    time.sleep(0.5)  # Two signals in one instant are one signal.
    os.kill(process.pid, signal.SIGINT)
    assert process.wait() == 130
    [pending] = state(theatre)["pending_operations"]
    assert pending["type"] == "deleting"
    assert "toy:Toy::a" in recorded(theatre)
