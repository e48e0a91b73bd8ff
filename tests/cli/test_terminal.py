"""How the workspace behaves: requests counted, interrupts, terminals."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from programs import KEY, Workspace, clean_environment, wait

if TYPE_CHECKING:
    from pulumi_jig.client import JigClient
    from pulumi_jig.deadline import Deadline
    from pulumi_jig.emulator import RunningEmulator

MANY = 12


@pytest.fixture
def many(workspace: Workspace, client: JigClient, ctx: Deadline) -> Workspace:
    """An account with some deployments."""
    for number in range(MANY):
        body = {"name": f"many-{number}", "image": "i:1", "gpu_type": "none"}
        client.deployments.create(body, ctx)
    return workspace


def test_an_import_asks_once_for_each(
    many: Workspace, emulator: RunningEmulator
) -> None:
    """`import --all` makes one request for each deployment, a list and a `whoami`."""
    emulator.admin.clear_requests()
    assert many.jig("import", "--all").returncode == 0
    assert len(emulator.admin.requests()) == MANY + 2


def test_ctrl_c_leaves_nothing_half_written(
    many: Workspace, emulator: RunningEmulator
) -> None:
    """An interrupt while reading ends at once with 130, and no file is there."""
    emulator.admin.fault("GET", "/deployments/*", delay=30, times=None)
    emulator.admin.clear_requests()
    process = subprocess.Popen(
        [sys.executable, "-m", "pulumi_jig.cli", "import", "--all"],
        cwd=many.folder,
        env={**clean_environment(), **many.env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait(lambda: any(r["path"] == "/v1/deployments" for r in requests(emulator)))
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in said
    assert [path.name for path in many.folder.iterdir()] == ["Pulumi.yaml"]


def requests(emulator: RunningEmulator) -> list[dict[str, str]]:
    return [
        {**request, "path": "/v1" + request["path"].removeprefix("/v1")}
        for request in emulator.admin.requests()
    ]


def on_a_terminal(workspace: Workspace, *args: str, **env: str) -> str:
    """What a command draws on a terminal of 40 columns."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "pulumi_jig.cli", *args],
        cwd=workspace.folder,
        env={
            **clean_environment(),
            **workspace.env,
            "TERM": "xterm",
            "COLUMNS": "40",
            **env,
        },
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        drawn = b""
        try:
            while part := os.read(ours, 4096):
                drawn += part
        except OSError:
            # How a terminal says that its last writer is gone.
            pass
        process.wait(timeout=30)
    os.close(ours)
    return drawn.decode()


def test_a_bar_on_a_terminal_only(many: Workspace) -> None:
    """A terminal gets a progress bar, a pipe gets none."""
    assert "Reading" in on_a_terminal(many, "import", "--all")
    assert "Reading" not in many.jig("import", "--all", "--force").stderr


def test_no_color_and_forty_columns(many: Workspace, client: JigClient) -> None:
    """`NO_COLOR` is obeyed, and prose is folded at 40 columns."""
    from pulumi_jig.deadline import Deadline

    mark = "[pulumi-jig shop/dev/lost 0123456789ab]"
    client.deployments.update("many-1", {"description": mark}, Deadline(30))
    state = '{"version": 3, "deployment": {}}'
    many.state.write_text(state)
    args = ("orphans", "--file", str(many.state), "--project", "shop")
    assert "\033[31m" in on_a_terminal(many, *args)
    drawn = on_a_terminal(many, *args, NO_COLOR="1")
    assert "\033[" not in drawn
    assert max(len(line) for line in drawn.splitlines()) <= 40


def test_errors_hold_no_key(many: Workspace) -> None:
    """A rejected key is told by the name of its setting, never shown."""
    done = many.jig("import", "--all", TOGETHER_API_KEY="invalid-" + KEY)
    assert done.returncode == 3
    assert "TOGETHER_API_KEY" in done.stderr
    assert KEY not in done.stdout + done.stderr


def test_without_a_key_there_is_one_sentence(many: Workspace) -> None:
    """No key is one sentence that says where to put one."""
    done = many.jig("import", "--all", TOGETHER_API_KEY="")
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "There is no API key" in done.stderr
