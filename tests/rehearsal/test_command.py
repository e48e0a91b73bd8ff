"""`rehearse` on the command line: turns, exit status, what is printed."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from commands import run_command

from pulumi_jig.rehearsal.command import command
from pulumi_jig.rehearsal.display import Paint, Progress, report
from pulumi_jig.rehearsal.results import Diagnostic, Step

if TYPE_CHECKING:
    from conftest import Theatre


def arguments(theatre: Theatre, *more: str) -> list[str]:
    env = [f"--env={key}={value}" for key, value in theatre.env.items()]
    return [str(theatre.program_dir), *env, *more]


def test_a_whole_life(theatre: Theatre, capsys: pytest.CaptureFixture[str]) -> None:
    """Every turn is taken, nothing is left, the status is 0."""
    theatre.program('a = Toy("a", {"size": 1}); pulumi.export("url", a.url)')
    assert run_command(command, arguments(theatre)) == 0
    out = capsys.readouterr().out
    for words in (
        "Previewing update (dev):",
        "     Type                       Name      Plan    Info",
        "  +  pulumi-python:dynamic:Toy  a         create",
        "Updating (dev):",
        "  + pulumi-python:dynamic:Toy a created (",
        'url: "toy://a"',
        "2 unchanged",
        "Destroying (dev):",
        "Rehearsed: up, empty preview, empty refresh, destroyed, nothing left.",
    ):
        assert words in out
    assert "\033" not in out
    assert theatre.toys() == []


def test_json_is_one_document(
    theatre: Theatre, capsys: pytest.CaptureFixture[str]
) -> None:
    """Programs get every operation, its steps, and no secret."""
    theatre.program(
        'a = Toy("a", {"pw": pulumi.Output.secret("canary")})\n'
        'pulumi.export("pw", a.pw)'
    )
    assert run_command(command, arguments(theatre, "--json")) == 0
    text = capsys.readouterr().out
    data = json.loads(text)
    assert [item["operation"] for item in data["operations"]] == [
        "preview",
        "up",
        "preview",
        "refresh",
        "destroy",
    ]
    assert data["operations"][1]["outputs"] == {"pw": "[secret]"}
    assert data["ok"] is True
    assert "canary" not in text


def test_a_second_preview_that_is_not_empty(
    theatre: Theatre, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program that changes with every run is found out, and cleaned up."""
    theatre.program('import time; Toy("a", {"at": time.time_ns() % 10**9})')
    assert run_command(command, arguments(theatre)) == 1
    out = capsys.readouterr().out
    assert "error: the preview after up must be empty, but a changed" in out
    assert "[diff: ~at]" in out
    assert theatre.toys() == []


def test_a_failed_up_is_cleaned_up(
    theatre: Theatre, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a failed up has made is destroyed; the reason and the status tell."""
    theatre.program(
        'a = Toy("a")\nToy("b", {}, pulumi.ResourceOptions(depends_on=[a]))'
    )
    (theatre.world / "faults.json").write_text('{"create:b": "partial"}')
    assert run_command(command, arguments(theatre)) == 1
    out = capsys.readouterr().out
    assert "creating failed" in out
    assert "1 errored" in out
    assert "create of b was not finished" in out
    assert "error: up failed" in out
    assert theatre.toys() == []


def test_keep_leaves_the_stack(theatre: Theatre) -> None:
    """With `--keep` and a state file the stack can be gone on with."""
    theatre.program('Toy("a")')
    state = f"--state={theatre.state_file}"
    assert run_command(command, arguments(theatre, "--keep", state)) == 0
    assert theatre.toys() == ["a"]
    assert theatre.rehearse().destroy().ok


def test_configuration_and_policies(
    theatre: Theatre, capsys: pytest.CaptureFixture[str]
) -> None:
    """Values, secrets and packs are given as to `pulumi`."""
    pack = theatre.folder / "pack"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text("runtime: python\n")
    (pack / "__main__.py").write_text(
        "from pulumi_policy import *\n"
        "def check(args, report):\n"
        "    if args.props.get('size') == 4: report('Four is too many.')\n"
        "PolicyPack('toys', [ResourceValidationPolicy('no-four', 'No four.', check)],\n"
        "           enforcement_level=EnforcementLevel.MANDATORY)\n"
    )
    config = theatre.folder / "policies.json"
    theatre.program('Toy("a", {"size": pulumi.Config().require_int("size")})')
    given = arguments(theatre, "--config=size=4", f"--policy-pack={pack}")
    assert run_command(command, given) == 1
    assert "[mandatory] toys no-four  (a)" in capsys.readouterr().out
    config.write_text('{"no-four": "advisory"}')
    assert run_command(command, [*given, f"--policy-pack-config={config}"]) == 0
    assert "[advisory] toys no-four  (a)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--config=x"], "--config takes KEY=VALUE"),
        (["--emulator"], "there is no emulator here to start"),
        (["--policy-pack=a", "--policy-pack=b", "--policy-pack-config=c"], "give one"),
    ],
)
def test_wrong_options(
    options: list[str],
    words: str,
    theatre: Theatre,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Wrong options get one sentence on stderr and status 2, as in every command."""
    theatre.program('Toy("a")')
    assert run_command(command, arguments(theatre, *options)) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert words in err


@pytest.mark.parametrize("missing", ["cryptography", "jsonschema"])
def test_a_missing_package_is_named_with_its_extra(missing: str) -> None:
    """Without its packages the command is one sentence that says what to install."""
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from pulumi_jig.cli import main\n"
        "sys.exit(main(['rehearse']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    words = "the rehearsal needs packages that are not installed; run"
    expected = f"error: {words} `pip install 'pulumi-jig[rehearsal]'`\n"
    assert (2, expected) == (done.returncode, done.stderr)


def test_an_emulator_is_started_and_ended(
    theatre: Theatre, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--emulator` gives the program an address and a key, and ends what it started."""

    class Fake:
        url = "http://127.0.0.1:1"
        stopped = False

        def stop(self) -> None:
            self.stopped = True

    fake = Fake()
    asked: dict[str, Any] = {}

    def start(**options: Any) -> Fake:
        asked.update(options)
        return fake

    theatre.program(
        "import os\n"
        'pulumi.export("url", os.environ["TOGETHER_BASE_URL"])\n'
        'pulumi.export("key", os.environ["TOGETHER_API_KEY"])'
    )
    given = arguments(theatre, "--emulator", "--time-scale=0.5", "--json")
    assert run_command(command, given, start_emulator=start) == 0
    outputs = json.loads(capsys.readouterr().out)["operations"][1]["outputs"]
    assert outputs == {"url": "http://127.0.0.1:1", "key": "rehearsal-key"}
    assert (asked, fake.stopped) == ({"time_scale": 0.5}, True)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_is_for_terminals() -> None:
    """A terminal gets colour, anything else does not."""
    assert Paint(Terminal())("create", "x") == "\033[32mx\033[0m"
    assert Paint(io.StringIO())("create", "x") == "x"


def test_live_lines_are_taken_away() -> None:
    """On a terminal what is under way is drawn below, and gone when it has ended."""
    stream = Terminal()
    progress = Progress(stream)
    step = Step("create", "urn:pulumi:d::p::t::a", "t", "a")
    progress.begin()
    progress.step_begins(step)
    progress.diagnostic(Diagnostic("info", "1/2 ready", step.urn, ephemeral=True))
    deadline = time.monotonic() + 30
    while "1/2 ready" not in stream.getvalue():
        assert time.monotonic() < deadline, "it was not drawn"
        time.sleep(0.02)
    assert "creating (0s) 1/2 ready" in stream.getvalue()
    progress.step_ends(step)
    progress.end()
    lines_after = stream.getvalue().rpartition("1/2 ready")[2]
    assert "\033[2K" in lines_after
    assert lines_after.count("created") == 1


def test_progress_in_a_log_is_not_repeated() -> None:
    """Elsewhere a progress line is printed when it changes."""
    stream = io.StringIO()
    progress = Progress(stream)
    step = Step("create", "urn:pulumi:d::p::t::a", "t", "a")
    progress.step_begins(step)
    for text in ("1/2 ready", "1/2 ready", "2/2 ready"):
        progress.diagnostic(Diagnostic("info", text, step.urn, ephemeral=True))
    progress.step_ends(step)
    lines = stream.getvalue().splitlines()
    assert [line.split(" ", 6)[-1] for line in lines] == [
        "(0s) 1/2 ready",
        "(0s) 2/2 ready",
        "(0.0s)",
    ]


def test_a_failure_is_told_beside_its_resource(theatre: Theatre) -> None:
    """Diagnostics are grouped by resource, errors first named as such."""
    result = theatre.rehearse('Toy("a", {"size": 13})').preview()
    text = report(result, Paint(io.StringIO()))
    assert "Diagnostics:\n  a:\n    error: " in text
    assert "has a problem: 13 brings bad luck" in text
