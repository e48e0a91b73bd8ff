"""One table of exit codes for all commands: 0 done, 1 found or failed, 2 usage, 3 unknown."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from programs import Workspace

    from pulumi_jig.emulator import RunningEmulator

MARK = "[pulumi-jig shop/dev/llm 0123456789ab]"
URN = "urn:pulumi:dev::shop::pulumi-python:dynamic/jig:Deployment::llm"
#: A state with an operation that began, so that there is something to ask for.
PENDING = {
    "version": 3,
    "deployment": {
        "resources": [
            {
                "urn": URN,
                "custom": True,
                "id": "llm-prod",
                "type": "pulumi-python:dynamic/jig:Deployment",
                "inputs": {"name": "llm-prod"},
                "outputs": {"name": "llm-prod", "deployment_id": "d-1"},
            }
        ],
        "pending_operations": [],
    },
}
ASKING = [
    ("drift", "--file", "state.json"),
    ("orphans", "--file", "state.json"),
    ("recover", "--file", "state.json"),
    ("recover", "--file", "state.json", "--yes"),
    ("import", "llm-prod"),
]


@pytest.fixture
def asked(workspace: Workspace) -> Workspace:
    (workspace.folder / "state.json").write_text(json.dumps(PENDING))
    return workspace


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nobody listens, for as long as the test lasts."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.mark.parametrize("args", ASKING)
def test_a_rejected_key_could_not_find_out(
    asked: Workspace, emulator: RunningEmulator, args: tuple[str, ...]
) -> None:
    """A key that the service rejects is 3, one sentence, and changes nothing."""
    before = sorted(asked.folder.iterdir())
    done = asked.jig(*args, TOGETHER_API_KEY="invalid-key")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert sorted(asked.folder.iterdir()) == before


@pytest.mark.parametrize("args", ASKING)
def test_a_missing_key_could_not_find_out(
    asked: Workspace, args: tuple[str, ...]
) -> None:
    """Without a key there is nothing to ask with."""
    done = asked.jig(*args, TOGETHER_API_KEY="")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "args", [ASKING[0], *(pytest.param(a, marks=pytest.mark.deep) for a in ASKING[1:])]
)
def test_a_dead_service_is_tried_once(
    asked: Workspace, nobody: str, args: tuple[str, ...]
) -> None:
    """What nobody answers is given up after one wait of 20 s, which is no silence."""
    begun = time.monotonic()
    done = asked.jig(*args, TOGETHER_BASE_URL=nobody)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"Still trying to reach {nobody} ...\n")
    assert done.stderr.count("Given up") == 1
    # The second wait would take it to more than 40 s.
    assert time.monotonic() - begun < 36


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("drift", "--file", "none.json"), 3),
        (("orphans", "--file", "none.json"), 3),
        (("recover", "--file", "none.json"), 3),
        (("policy", "audit", "none.json"), 3),
        (("policy", "check", "none"), 3),
        (("convert", "--config", "none.toml"), 1),
        (("rehearse", "none"), 1),
        (("rehearse", ".", "--config", "x"), 2),
        (("rehearse", ".", "--nope"), 2),
        (("emulator", "--state", "none/x.db"), 1),
        (("emulator", "--host", "0.0.0.0"), 2),
        (("emulator", "--port", "x"), 2),
        (("policy",), 2),
        (("policy", "nope"), 2),
        (("drift", "--nope"), 2),
        (("drift", "--directory", "none"), 2),
        (("import",), 2),
        (("import", "a", "--all"), 2),
        (("import", "a", "--file", "x", "--program", "x"), 2),
        (("import", "a", "--file", "x", "--program", "./x"), 2),
        (("nope",), 2),
        ((), 2),
    ],
)
def test_each_end_has_its_code(
    workspace: Workspace, args: tuple[str, ...], code: int
) -> None:
    """What was given wrongly is 2, what failed is 1, what could not be read is 3."""
    done = workspace.jig(*args)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr


@pytest.mark.parametrize("option", ["--file", "--program"])
def test_nothing_is_asked_before_the_files_can_be_written(
    workspace: Workspace, emulator: RunningEmulator, option: str
) -> None:
    """A folder that is not there, or a link to nowhere, is told before any request."""
    emulator.admin.clear_requests()
    (workspace.folder / "link").symlink_to("nowhere")
    for path, words in (("none/x", "no such folder"), ("link", "exists already")):
        done = workspace.jig("import", "--all", option, path)
        assert (done.returncode, done.stdout) == (1, "")
        assert words in done.stderr
    assert emulator.admin.requests() == []
    assert (workspace.folder / "link").readlink() == Path("nowhere")


@pytest.mark.parametrize(
    "name",
    [
        "C:\\Users\\neo\\jig.toml",
        '"""\nimport os\nos.abort()\n""".toml',
        "a'\\N{x}.toml",
    ],
)
def test_a_program_from_a_file_of_any_name_is_a_program(
    workspace: Workspace, name: str
) -> None:
    """The name of the file stands in the program as text."""
    path = workspace.folder / name
    path.write_text('name = "llm-prod"\n[deploy]\nimage = "i:1"\n')
    done = workspace.jig("convert", "-c", str(path), "--program", "out.py")
    assert done.returncode == 0, done.stderr
    tree = compile((workspace.folder / "out.py").read_text(), "out.py", "exec")
    assert name in (tree.co_consts[0] or "")


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("jig.toml", '[tool.jig]\nname = "a"\n', "counts in pyproject.toml only"),
        (
            "jig.toml",
            '[tool.jig.deploy]\nimage = "i:1"\n[deploy]\nport = 1\n',
            "counts in pyproject.toml only",
        ),
        ("pyproject.toml", '[deploy]\nimage = "i:1"\n', "has no table [tool.jig]"),
    ],
)
def test_a_table_in_the_wrong_file_is_one_sentence(
    workspace: Workspace, name: str, text: str, sentence: str
) -> None:
    """The tool would not read it there, and that is all there is to say."""
    (workspace.folder / name).write_text(text)
    done = workspace.jig("convert", "--config", name)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert sentence in done.stderr
