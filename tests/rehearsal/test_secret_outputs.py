"""Secrets in outputs and in options of the command are shown nowhere."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from commands import run_command

from pulumi_jig.rehearsal.command import command

if TYPE_CHECKING:
    from conftest import Theatre

CANARY = "canary-in-clear"

#: Secrets at every depth, and what may be shown of them.
NESTED = f"""
s = pulumi.Output.secret("{CANARY}")
a = Toy("a", {{"pw": s, "deep": {{"list": [1, {{"pw": s}}]}}}})
pulumi.export("plain", "y")
pulumi.export("whole", s)
pulumi.export("listed", ["y", s])
pulumi.export("deep", {{"a": [{{"b": s, "c": 2}}], "d": {{"e": [[s]]}}}})
pulumi.export("made", pulumi.Output.all(s, 1).apply(lambda found: {{"both": found}}))
pulumi.export("input", a.deep)
"""
SHOWN = {
    "plain": "y",
    "whole": "[secret]",
    "listed": ["y", "[secret]"],
    "deep": {"a": [{"b": "[secret]", "c": 2}], "d": {"e": [["[secret]"]]}},
    "made": "[secret]",
    "input": "[secret]",
}


def test_secrets_in_outputs_are_masked_at_any_depth(theatre: Theatre) -> None:
    """What is shown of an output is what the engine shows; its value is at hand."""
    stack = theatre.rehearse(NESTED)
    for result in (stack.preview(), stack.up()):
        outputs = result.outputs
        assert outputs["listed"] == ["y", CANARY]
        assert outputs["deep"]["d"] == {"e": [[CANARY]]}
        assert outputs.secret_names == {*SHOWN} - {"plain"}
        assert outputs.shown == SHOWN
        assert CANARY not in repr(outputs)
        assert CANARY not in repr(result)
    assert CANARY not in repr(stack.outputs)
    assert CANARY not in stack.state_file.read_text()


@pytest.mark.parametrize(
    "engine", ["rehearsal", pytest.param("pulumi", marks=pytest.mark.engine)]
)
def test_what_is_shown_of_outputs(engine: str, theatre: Theatre) -> None:
    """Both engines mask the same parts."""
    theatre.program(NESTED)
    if engine == "rehearsal":
        shown: Any = dict(theatre.rehearse().up().outputs.shown)
    else:
        theatre.pulumi("stack", "init", "dev")
        assert theatre.pulumi("up", "--yes", "--skip-preview").returncode == 0
        shown = json.loads(theatre.pulumi("stack", "output", "--json").stdout)
    assert shown == SHOWN


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_the_command_prints_no_secret(
    more: list[str], theatre: Theatre, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither for people nor for programs, at any depth."""
    theatre.program(NESTED)
    env = [f"--env={key}={value}" for key, value in theatre.env.items()]
    assert run_command(command, [str(theatre.program_dir), *env, *more]) == 0
    said = capsys.readouterr()
    assert CANARY not in said.out + said.err
    assert "[secret]" in said.out


# ------------------------------------------------------------------- secrets as options

#: Tells the test what the program was given, and which words its caller has.
TELL = """
from pathlib import Path
Path(os.environ["TOLD"]).write_text(json.dumps({
    "value": pulumi.Config().require("word"),
    "secret": os.environ["PULUMI_CONFIG_SECRET_KEYS"],
    "command": Path(f"/proc/{os.getppid()}/cmdline").read_text(),
    "own": Path("/proc/self/cmdline").read_text(),
}))
"""
SEEN = "canary of two\nlines"


def rehearse(
    theatre: Theatre, *more: str, stdin: str = "", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as a person starts it."""
    theatre.program("import json, os\n" + TELL)
    theatre.env["TOLD"] = str(theatre.folder / "told.json")
    variables = [f"--env={key}={value}" for key, value in theatre.env.items()]
    return subprocess.run(
        [
            *(sys.executable, "-m", "pulumi_jig.cli", "rehearse"),
            *(*variables, *more, str(theatre.program_dir)),
        ],
        env={**os.environ, **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("source", ["file", "env", "stdin"])
def test_a_secret_need_not_be_in_the_list_of_processes(
    source: str, theatre: Theatre
) -> None:
    """It is taken from a file, a variable or standard input, less its last newline."""
    path = theatre.folder / "word.txt"
    path.write_text(SEEN + "\n")
    done = rehearse(
        theatre,
        *{
            "file": [f"--secret-file=word={path}"],
            "env": ["--secret-env=word=MY_WORD"],
            "stdin": ["--secret", "word"],
        }[source],
        stdin=SEEN + "\r\n" if source == "stdin" else "",
        env={"MY_WORD": SEEN},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((theatre.folder / "told.json").read_text())
    assert told["value"] == SEEN
    assert told["secret"] == '["toys:word"]'
    assert "rehearse" in told["command"]
    assert "canary" not in told["command"] + told["own"] + done.stdout + done.stderr


def test_a_secret_is_asked_for_on_a_terminal(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal each is typed without being shown."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    asked: list[str] = []

    def typed(prompt: str) -> str:
        asked.append(prompt)
        return "typed"

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("pulumi_jig.rehearsal.command.getpass", typed)
    theatre.program(
        'for key in ("one", "two"):\n    assert pulumi.Config().get(key) == "typed"'
    )
    env = [f"--env={key}={value}" for key, value in theatre.env.items()]
    given = [*env, "--secret=one", "--secret=two", str(theatre.program_dir)]
    assert run_command(command, given) == 0
    assert asked == ["one: ", "two: "]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--secret-file=word"], "--secret-file takes KEY=VALUE"),
        (["--secret-file=word=/nowhere"], "/nowhere for word cannot be read: No such"),
        (
            ["--secret-file=word=/tmp"],
            "the file /tmp for word cannot be read: Is a dir",
        ),
        (
            ["--secret-file=word=LATIN"],
            "LATIN for word cannot be read: it is not UTF-8",
        ),
        (["--secret-env=word=NONE_SUCH"], "the variable NONE_SUCH is not set"),
        (["--env=NONE_SUCH"], "the variable NONE_SUCH is not set"),
        (["--secret=word"], "there is no value for word on standard input"),
        (["--secret=word", "--secret=b"], "only one of word, b can be read from stand"),
        (["--secret==word"], "--secret takes KEY=VALUE"),
    ],
)
def test_secrets_that_cannot_be_taken(
    options: list[str], words: str, theatre: Theatre
) -> None:
    """One sentence says what is missing, and nothing is run."""
    latin = theatre.folder / "LATIN"
    latin.write_bytes(b"caf\xe9")
    options = [item.replace("LATIN", str(latin)) for item in options]
    done = rehearse(theatre, *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (theatre.folder / "told.json").exists()


def test_a_variable_of_ones_own_is_passed_on_by_name(theatre: Theatre) -> None:
    """`--env NAME` gives the program what only its caller has."""
    done = rehearse(
        theatre,
        *("--env=TOGETHER_API_KEY", "--secret-env=word=TOGETHER_API_KEY"),
        env={"TOGETHER_API_KEY": "canary-key"},
    )
    assert done.returncode == 0, done.stdout
    told = json.loads((theatre.folder / "told.json").read_text())
    assert told["value"] == "canary-key"
    assert "canary" not in told["command"]
