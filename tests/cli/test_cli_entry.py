"""The door itself: help, exit codes, missing extras, pipes, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from runs import Run

COMMANDS = ("recover", "orphans", "import", "convert", "drift")


def test_help_fits_a_screen(jig: Run) -> None:
    """The main help stays within 24 lines of 80 columns and names every command."""
    lines = jig("--help").stdout.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    for name in (*COMMANDS, "emulator", "rehearse", "policy"):
        assert any(line.strip().startswith(f"{name} ") for line in lines)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_an_example(jig: Run, name: str) -> None:
    """The help of a command fits a screen and ends with an example of it."""
    done = jig(name, "--help")
    assert done.returncode == 0
    assert f"pulumi-jig {name}" in done.stdout.split("Example:", 1)[1]
    assert len(done.stdout.splitlines()) <= 40


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_forty_columns(jig: Run, name: str) -> None:
    """A narrow terminal gets help that is folded, not cut."""
    prose = jig(name, "--help", COLUMNS="40").stdout.split("Options:")[0]
    assert max(len(line) for line in prose.splitlines()) <= 40


def test_no_command_shows_the_help(jig: Run) -> None:
    """Without a command the help is shown and the exit code is that of wrong usage."""
    done = jig()
    assert done.returncode == 2
    assert "Commands:" in done.stderr


def test_wrong_usage_is_2(jig: Run) -> None:
    """An unknown command or option is one sentence and exit code 2."""
    for args in (("nope",), ("drift", "--nope"), ("emulator", "--port", "99999")):
        done = jig(*args)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_a_failure_is_one_sentence(jig: Run, tmp_path: Path) -> None:
    """A failure is one sentence on stderr and nothing on stdout."""
    done = jig("recover", "--file", str(tmp_path / "none.json"))
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_without_an_extra_it_is_named(tmp_path: Path) -> None:
    """A command whose packages are missing is one sentence that names the extra."""
    code = """
        import sys
        sys.modules["cryptography"] = None
        from pulumi_jig.cli import main
        sys.exit(main(["rehearse"]))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert "run `pip install " in done.stderr
    assert "[rehearsal]'`" in done.stderr
    assert done.stderr.count("\n") == 1


def test_commands_need_no_extra() -> None:
    """Help, version and every other command work without what extras bring."""
    code = """
        import sys
        for name in ("pulumi_policy", "cryptography", "jsonschema", "rich"):
            sys.modules[name] = None
        from pulumi_jig.cli import main
        names = ("drift", "recover", "orphans", "import", "convert", "emulator")
        codes = [main([name, "--help"]) for name in names]
        print(codes, main(["--help"]), main(["--version"]))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "[0, 0, 0, 0, 0, 0] 0 0"


def test_the_list_says_of_a_command_what_its_own_help_says() -> None:
    """The list of commands, which loads none of them, is true."""
    from pulumi_jig.cli.tree import COMMANDS, jig

    context = jig.make_context("pulumi-jig", ["drift"], resilient_parsing=True)
    for name, (_, text) in COMMANDS.items():
        command = jig.get_command(context, name)
        assert command is not None
        assert command.get_short_help_str(200) == text


def test_a_misspelt_command_is_answered_with_the_likely_one(jig: Run) -> None:
    """The near miss is offered."""
    done = jig("drft")
    assert done.returncode == 2
    assert 'Did you mean "drift"?' in done.stderr


def test_the_package_is_a_command() -> None:
    """`python -m pulumi_jig` is the command."""
    done = subprocess.run(
        [sys.executable, "-m", "pulumi_jig", "--version"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("pulumi-jig, version ")


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        (None, "pip install 'pulumi-jig[cli]'"),
        (
            {"url": "file:///a%20b/jig", "dir_info": {"editable": True}},
            "pip install -e '/a b/jig[cli]'",
        ),
        (
            {"url": "file:///a/jig.whl", "archive_info": {}},
            "pip install 'pulumi-jig[cli] @ file:///a/jig.whl'",
        ),
        (
            {"url": "https://x/y", "vcs_info": {"vcs": "git", "commit_id": "12ab"}},
            "pip install 'pulumi-jig[cli] @ git+https://x/y@12ab'",
        ),
    ],
)
def test_an_extra_is_installed_from_where_the_package_came(
    monkeypatch: pytest.MonkeyPatch, origin: dict[str, object] | None, command: str
) -> None:
    """The index is named only where the package came from one."""
    import importlib.metadata

    from pulumi_jig.naming import install_command

    class Installed:
        def read_text(self, name: str) -> str | None:
            assert name == "direct_url.json"
            return None if origin is None else json.dumps(origin)

    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: Installed())
    assert install_command("cli") == command


def test_the_emulator_starts_through_the_door() -> None:
    """`pulumi-jig emulator` serves and ends cleanly at a signal."""
    with subprocess.Popen(
        [sys.executable, "-m", "pulumi_jig.cli", "emulator", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["url"].startswith("http://127.")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0


def test_the_help_loads_nothing_heavy() -> None:
    """`--help` loads neither Pulumi nor the HTTP library nor the models."""
    code = """
        import sys
        from pulumi_jig.cli import main
        main(["--help"])
        heavy = {"pulumi", "httpx", "pydantic", "rich"} & set(sys.modules)
        sys.stderr.write(repr(heavy))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True
    )
    assert done.stderr == "set()"


def test_a_closed_pipe_is_no_failure_of_ours() -> None:
    """When the reader goes away, the command ends quietly with 141."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "pulumi_jig.cli", "--help"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_ctrl_c_is_130_without_a_traceback(tmp_path: Path) -> None:
    """An interrupt ends the command with 130 and one sentence."""
    # The command waits for the state on a pipe that nobody writes to.
    fifo = tmp_path / "state.json"
    os.mkfifo(fifo)
    with (
        subprocess.Popen(
            [sys.executable, "-m", "pulumi_jig.cli", "recover", "--file", str(fifo)],
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
        fifo.open("w"),
    ):
        # The open above returns once the command has decrypted its end.
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said.strip() == "Interrupted; nothing is half-written."
