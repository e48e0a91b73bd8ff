"""The processes of a rehearsal: where they may go, what they see, how many run."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from pulumi_jig.rehearsal.processes import GUARD

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from conftest import Theatre


def test_the_program_reaches_loopback_only(theatre: Theatre) -> None:
    """A connection or look-up elsewhere fails before it leaves the machine."""
    stack = theatre.rehearse(
        """
        import socket
        def attempt(call):
            try:
                call()
            except PermissionError as error:
                return str(error)
            except OSError:
                return "tried"
            return "reached"
        pulumi.export("address", attempt(
            lambda: socket.create_connection(("192.0.2.1", 80), timeout=0.1)))
        pulumi.export("name", attempt(
            lambda: socket.getaddrinfo("api.example.com", 443)))
        pulumi.export("loopback", attempt(
            lambda: socket.create_connection(("127.0.0.1", 1), timeout=5)))
        pulumi.export("local", attempt(lambda: socket.getaddrinfo("localhost", 1)))
        """
    )
    outputs = stack.up().raise_if_failed().outputs
    assert "tried to reach 192.0.2.1" in outputs["address"]
    assert "tried to reach api.example.com" in outputs["name"]
    assert outputs["loopback"] == "tried"
    assert outputs["local"] == "reached"


def test_a_provider_reaches_loopback_only(theatre: Theatre) -> None:
    """The plugin host stands under the same guard."""
    (theatre.program_dir / "leaky.py").write_text(
        "import socket\n"
        "from pulumi.dynamic import *\n"
        "class Leaky(ResourceProvider):\n"
        "    def create(self, props):\n"
        "        socket.create_connection(('198.51.100.7', 443), timeout=0.1)\n"
    )
    result = theatre.rehearse(
        """
        import sys, os
        sys.path.insert(0, os.getcwd())
        from leaky import Leaky
        from pulumi.dynamic import Resource
        class Leak(Resource, module="x", name="Leak"): ...
        Leak(Leaky(), "a", {})
        """
    ).up()
    assert not result.ok
    assert "tried to reach 198.51.100.7" in result.errors[0]


def test_the_guard_runs_the_sitecustomize_that_it_hides(tmp_path: Path) -> None:
    """A machine's own sitecustomize still has its say."""
    (tmp_path / "sitecustomize.py").write_text("print('hidden one')\n")
    done = subprocess.run(
        [sys.executable, "-c", "print('program')"],
        env={"PYTHONPATH": f"{GUARD}:{tmp_path}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["hidden one", "program"]


def test_the_callers_environment_is_cleaned(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inherited keys, Pulumi settings and proxies do not reach the program."""
    monkeypatch.setenv("TOGETHER_API_KEY", "mine")
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "mine")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    monkeypatch.setenv("HARMLESS", "kept")
    stack = theatre.rehearse(
        """
        import os
        for name in ("TOGETHER_API_KEY", "TOGETHER_BASE_URL", "PULUMI_ACCESS_TOKEN",
                     "HTTPS_PROXY", "HARMLESS"):
            pulumi.export(name, os.environ.get(name, "-"))
        pulumi.export("home", os.environ["PULUMI_HOME"])
        """,
        env={"TOGETHER_BASE_URL": "http://127.0.0.1:9"},
    )
    outputs = dict(stack.up().raise_if_failed().outputs.values)
    assert "rehearsal-" in outputs.pop("home")
    assert outputs == {
        "TOGETHER_API_KEY": "-",
        "TOGETHER_BASE_URL": "http://127.0.0.1:9",
        "PULUMI_ACCESS_TOKEN": "-",
        "HTTPS_PROXY": "-",
        "HARMLESS": "kept",
    }


MEETING = """
for name in ("a", "b", "c", "d"):
    Toy(name)
"""


def test_independent_creates_run_side_by_side(theatre: Theatre) -> None:
    """Four creates that wait for one another all come to their end."""
    words = {f"create:{name}": "meet 4" for name in "abcd"}
    (theatre.world / "faults.json").write_text(json.dumps(words))
    theatre.rehearse(MEETING, parallel=4).up().raise_if_failed()
    assert theatre.toys() == ["a", "b", "c", "d"]


def test_parallel_is_a_limit(theatre: Theatre) -> None:
    """With `parallel=1` no create begins before the one before it has ended."""
    words = {f"create:{name}": "alone" for name in "abcd"}
    (theatre.world / "faults.json").write_text(json.dumps(words))
    theatre.rehearse(MEETING, parallel=1).up().raise_if_failed()
    assert theatre.toys() == ["a", "b", "c", "d"]


def test_what_a_plugin_prints_is_shown(theatre: Theatre) -> None:
    """Lines of program and plugin are diagnostics of severity info."""
    result = theatre.rehearse('print("from the program")').preview()
    shown = [d.message for d in result.diagnostics if d.severity == "info"]
    assert shown == ["from the program"]


def test_progress_of_a_provider_is_live(theatre: Theatre) -> None:
    """A provider that logs to the engine is heard, beside its resource."""
    (theatre.world / "faults.json").write_text('{"create:a": "report"}')
    result = theatre.rehearse('Toy("a")').up().raise_if_failed()
    [live] = [d for d in result.diagnostics if d.ephemeral]
    assert (live.message, live.urn) == ("half-way", result.step("a").urn)


def test_the_fixtures_are_light() -> None:
    """Loading the pytest plugin loads neither gRPC nor the SDK nor the emulator."""
    code = (
        "import sys, pulumi_jig.rehearsal.fixtures\n"
        "heavy = {'grpc', 'pulumi', 'google.protobuf', 'pulumi_jig.emulator', 'yaml'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
