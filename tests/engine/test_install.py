"""`make engine`: what it says and leaves, by a Go client that does as each test needs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import wait

HERE = Path(__file__).parent
WITHOUT = "everything but the engine tests works without it"
GOOD = """
case "$1" in
  env) echo go1.99.0 ;;
  list) echo "$SDK" ;;
  build) printf '#!/bin/sh\\necho v0.0.0\\n' >"$6"; chmod +x "$6" ;;
esac
"""


class Machine:
    """A machine with the commands that a test puts on its PATH."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.target = folder / "environment" / "engine"
        sdk = folder / "sdk" / "python"
        for name in (
            "cmd/pulumi-language-python-exec",
            "dist/pulumi-resource-pulumi-python",
        ):
            (sdk / name).parent.mkdir(parents=True)
            (sdk / name).write_text("a script\n")
        self.env = {
            **os.environ, "PATH": f"{self.bin}:/usr/bin:/bin", "SDK": str(sdk.parent),
        }  # fmt: skip

    def put(self, name: str, text: str) -> None:
        """Put a shell script on PATH."""
        (self.bin / name).write_text(f"#!/bin/sh\n{text}")
        (self.bin / name).chmod(0o755)

    def begin(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(HERE / "install.py"), str(self.target)],
            env=self.env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip

    def install(self) -> tuple[int, str]:
        """Status and output of one call."""
        process = self.begin()
        said, _ = process.communicate()
        assert "Traceback" not in said
        return process.returncode, said


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    result = Machine(tmp_path)
    assert shutil.which("pulumi", path=result.env["PATH"]) is None
    assert shutil.which("go", path=result.env["PATH"]) is None
    return result


def test_it_installs_the_command_and_what_stands_beside_it(machine: Machine) -> None:
    """A whole folder: the command, the scripts of the SDK, and our language host."""
    machine.put("go", GOOD)
    status, said = machine.install()
    assert (0, True) == (status, "has been installed in" in said)
    names = {path.name for path in (machine.target / "bin").iterdir()}
    assert names == {
        "pulumi",
        "pulumi-language-python",
        "pulumi-language-python-exec",
        "pulumi-resource-pulumi-python",
    }
    assert all(os.access(machine.target / "bin" / name, os.X_OK) for name in names)


def test_a_second_call_builds_nothing(machine: Machine) -> None:
    """What is there in the right version stays; Go is not even needed."""
    machine.put("go", GOOD)
    machine.install()
    (machine.bin / "go").unlink()
    status, said = machine.install()
    assert (0, True) == (status, "is installed in" in said)


def test_another_version_is_built_anew(machine: Machine) -> None:
    """An engine of an older checkout is replaced."""
    machine.put("go", GOOD)
    machine.install()
    (machine.target / "version").write_text("3.1.0")
    _, said = machine.install()
    assert "has been installed" in said


def test_a_pulumi_on_path_is_used(machine: Machine) -> None:
    """An installed command comes first; one of another version is named."""
    machine.put("pulumi", "echo v3.200.0\n")
    status, said = machine.install()
    assert status == 0
    assert "pulumi 3.200.0 is on PATH" in said
    assert "while they were made for" in said
    assert not machine.target.exists()


def test_a_pulumi_that_does_not_run_is_named(machine: Machine) -> None:
    """A broken command on PATH would fail every engine test; it is said at once."""
    machine.put("pulumi", "exit 1\n")
    status, said = machine.install()
    assert status == 1
    assert f"{machine.bin / 'pulumi'} does not run; repair it" in said


def test_without_go_it_says_what_to_install(machine: Machine) -> None:
    """One sentence: what is missing, what to do, and what works all the same."""
    status, said = machine.install()
    assert (1, 1) == (status, said.count("\n"))
    assert "there is no Go: install Go" in said
    assert WITHOUT in said


@pytest.mark.parametrize("version", ["go1.21.3", "", "devel"])
def test_too_old_a_go_is_refused(machine: Machine, version: str) -> None:
    """A Go that cannot build it is named with its version."""
    machine.put("go", f"echo {version}\n")
    status, said = machine.install()
    assert (1, 1) == (status, said.count("\n"))
    assert "too old: install Go" in said
    assert WITHOUT in said


def test_a_failed_build_leaves_nothing_half_made(machine: Machine) -> None:
    """The reason that Go gives is in the one sentence; no command is left behind."""
    failing = 'if [ "$1" = build ]; then echo "dial tcp: no route" >&2; exit 1; fi\n'
    machine.put("go", failing + GOOD)
    status, said = machine.install()
    assert (1, 2) == (status, said.count("\n"))
    assert "could not be built from its Go modules (dial tcp: no route)" in said
    assert WITHOUT in said
    assert not machine.target.exists()
    machine.put("go", GOOD)
    assert machine.install()[0] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_install_is_done_by_the_next_call(
    machine: Machine, number: signal.Signals
) -> None:
    """Ctrl-C or a kill in the middle leaves no half-installed command."""
    machine.put(
        "go", 'if [ "$1" = build ]; then touch "$SDK/builds"; sleep 60; fi\n' + GOOD
    )
    process = machine.begin()
    wait(Path(machine.env["SDK"], "builds").exists)
    os.killpg(process.pid, number)
    said, _ = process.communicate()
    assert process.returncode != 0
    assert "Traceback" not in said
    assert not machine.target.exists()
    machine.put("go", GOOD)
    assert machine.install()[0] == 0


@pytest.mark.skipif(shutil.which("go") is None, reason="there is no Go here")
def test_a_real_go_without_the_module_index_says_so(
    machine: Machine, tmp_path: Path
) -> None:
    """Where the modules cannot be fetched, the sentence says why and what works."""
    go = shutil.which("go")
    assert go is not None
    machine.env |= {
        "PATH": f"{Path(go).parent}:/usr/bin:/bin",
        "GOPROXY": "http://127.0.0.1:9",
        "GOMODCACHE": str(tmp_path / "modules"),
        "GOSUMDB": "off",
    }
    status, said = machine.install()
    if "too old" in said:
        pytest.skip("the Go of this machine is too old to try")
    assert status == 1
    assert "connection refused" in said
    assert WITHOUT in said
    assert not machine.target.exists()
