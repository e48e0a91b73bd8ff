"""What every command does where its output is not a terminal in UTF-8."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def command(*args: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    keep = {"PATH", "HOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH"}
    env = {key: value for key, value in os.environ.items() if key in keep}
    more = options.pop("env", {})
    assert isinstance(more, dict)
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-m", "pulumi_jig", *args],
        stderr=subprocess.PIPE,
        env={**env, **more},
        timeout=60,
        **options,
    )


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    """A file that `convert` takes, with text that not every output can show."""
    folder = tmp_path / "größe 🚀"
    folder.mkdir()
    path = folder / "jig.toml"
    path.write_text('name = "größe"\n[deploy]\nimage = "i:1"\ndescription = "🚀"\n')
    return path


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "utf-8"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "POSIX"},
    ],
)
def test_no_character_ends_a_command(toml: Path, env: dict[str, str]) -> None:
    """What an output cannot show is escaped; the exit code stays the command's own."""
    there = {"cwd": toml.parent, "env": env, "stdout": subprocess.PIPE}
    refused = command("convert", "--config", "jig.toml", **there)
    assert refused.returncode == 1
    assert b"internal error" not in refused.stderr
    toml.write_text(toml.read_text().replace('name = "größe"', 'name = "grosse"'))
    program = str(toml.parent / "größe.py")
    done = command("convert", "--program", program, "--json", **there)
    assert (done.returncode, done.stderr) == (0, b"")
    encoding = env.get("PYTHONIOENCODING", "utf-8")
    written = json.loads(done.stdout.decode(encoding))["program"]
    # In a locale without letters a path is bytes to Python, and shown as such.
    if "PYTHONUTF8" not in env:
        assert written == program
    assert Path(program).exists()


def test_half_a_surrogate_pair_is_shown(tmp_path: Path) -> None:
    """A state may name what no encoding has; the policies' answer comes all the same."""
    state = tmp_path / "state.json"
    urn = "urn:pulumi:dev::shop::pulumi-python:dynamic/jig:Deployment::\\ud800🚀"
    text = json.dumps(
        {
            "version": 3,
            "deployment": {
                "resources": [
                    {
                        "urn": "URN",
                        "type": "pulumi-python:dynamic/jig:Deployment",
                        "inputs": {"name": "n", "gpu_type": "x100", "gpu_count": 100},
                    }
                ]
            },
        }
    )
    state.write_text(text.replace("URN", urn))
    for encoding in ("ascii", "utf-8"):
        done = command(
            "policy",
            "audit",
            str(state),
            stdout=subprocess.PIPE,
            env={"PYTHONIOENCODING": encoding},
        )
        assert done.returncode == 1
        assert b"internal error" not in done.stderr
        assert b"\\ud800" in done.stdout


#: Commands that print something without a service.
PRINTING = [
    ("--help",),
    ("--version",),
    ("drift", "--help"),
    ("policy", "list"),
    ("policy", "--help"),
    ("emulator", "--help"),
    ("rehearse", "--help"),
]


@pytest.mark.parametrize("args", PRINTING)
def test_a_reader_that_went_away_ends_quietly(args: tuple[str, ...]) -> None:
    """`| head` and its like: exit code 141 and not a word."""
    reader, writer = os.pipe()
    os.close(reader)
    done = command(*args, stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("args", PRINTING)
def test_a_full_disk_is_one_sentence(args: tuple[str, ...]) -> None:
    """Output that cannot be written is a failure, and said so."""
    with Path("/dev/full").open("wb") as full:
        done = command(*args, stdout=full)
    assert done.returncode == 1
    assert b"error: the output cannot be written: No space left" in done.stderr
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("args", PRINTING)
def test_a_closed_output_is_no_failure(args: tuple[str, ...]) -> None:
    """`>&-`: there is nobody to tell, so nothing is said."""
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "pulumi_jig", *args],
        stderr=subprocess.PIPE,
    )
    assert (done.returncode, done.stderr) == (0, b"")
