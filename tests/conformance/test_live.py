"""`make live` against an emulator that is started as a stranger's service."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from processes import wait, with_environment
from service import DEPLOYMENTS

from pulumi_jig.emulator import start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulumi_jig.emulator import RunningEmulator

HERE = Path(__file__).parent
KEY = "acct:stranger:canary-41c9"


@pytest.fixture
def stranger() -> Iterator[RunningEmulator]:
    """A service that nobody here has configured."""
    with start(time_scale=0.05) as emulator:
        yield emulator


class Run:
    """One call of the command."""

    def __init__(self, folder: Path, url: str) -> None:
        self.report = folder / "report.json"
        self.env = {
            **os.environ,
            "TOGETHER_API_KEY": KEY,
            "CONFORMANCE_IMAGE": "registry.example/team/app:1",
            "CONFORMANCE_INTERVAL": "0.05",
            "CONFORMANCE_LIMIT": "60",
            "MARK": str(folder),
        }
        self.command = [sys.executable, str(HERE / "live.py"), "--url", url]
        self.command += ["--report", str(self.report)]

    def begin(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.command, *words], env=self.env, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def __call__(self, *words: str, answer: str = "yes") -> tuple[int, str]:
        process = self.begin(*words)
        said, _ = process.communicate(f"{answer}\n")
        assert "Traceback" not in said.partition("short test summary")[0]
        assert "canary" not in said
        return process.returncode, said


@pytest.fixture
def live(stranger: RunningEmulator, tmp_path: Path) -> Run:
    return Run(tmp_path, stranger.url)


def left(emulator: RunningEmulator) -> list[Any]:
    """What is there, of whatever account."""
    dump = emulator.admin.dump()
    return [
        item for kind in ("deployments", "secrets", "volumes") for item in dump[kind]
    ]


def test_it_asks_reports_and_leaves_nothing(
    live: Run, stranger: RunningEmulator
) -> None:
    """Each rule holds or says what it needed; the account is as it was before."""
    status, said = live()
    assert status == 0, said
    text = live.report.with_suffix(".txt").read_text()
    assert "DEFAULT-1   holds" in text
    assert "ACCOUNT-2   not tried  needs a key of a second account" in text
    assert "differs" not in text
    assert "canary" not in text + live.report.read_text()
    assert "stranger" not in live.report.read_text()
    assert left(stranger) == []


@pytest.mark.parametrize("answer", ["", "no", "y"])
def test_without_a_yes_nothing_is_done(
    live: Run, stranger: RunningEmulator, answer: str
) -> None:
    """The question names the service, the account and what it may cost."""
    status, said = live(answer=answer)
    assert status == 2
    assert "in the account stranger" in said
    assert "Nothing was done." in said
    assert [r for r in stranger.admin.requests() if r["method"] != "GET"] == []


def interrupted(live: Run, stranger: RunningEmulator, number: signal.Signals) -> int:
    """Begin a run and end it while a deployment is there."""
    process = live.begin()
    assert process.stdin is not None
    process.stdin.write("yes\n")
    process.stdin.flush()
    wait(lambda: left(stranger))
    process.send_signal(number)
    process.communicate()
    return process.returncode


def test_ctrl_c_leaves_nothing(live: Run, stranger: RunningEmulator) -> None:
    """What was made is deleted, and what was asked so far is reported."""
    assert interrupted(live, stranger, signal.SIGINT) == 3
    assert left(stranger) == []
    assert live.report.with_suffix(".txt").exists()


def test_what_a_killed_run_leaves_is_swept(
    live: Run, stranger: RunningEmulator
) -> None:
    """After a kill -9 the suite deletes what it made, or `--sweep` does."""
    interrupted(live, stranger, signal.SIGKILL)
    wait(lambda: not with_environment("MARK", live.env["MARK"]))
    status, said = live("--sweep")
    assert status == 0, said
    assert left(stranger) == []


def test_a_sweep_deletes_only_what_is_its_own(
    live: Run, stranger: RunningEmulator
) -> None:
    """A deployment of another name stays."""
    body = {"image": "r/a:1", "gpu_type": "none"}
    headers = {"Authorization": f"Bearer {KEY}"}
    for name in ("jig-conf-old-1", "prod-llm"):
        url = stranger.url + DEPLOYMENTS
        httpx.post(url, json={"name": name, **body}, headers=headers).raise_for_status()
    status, said = live("--sweep")
    assert (status, "jig-conf-old-1" in said) == (0, True)
    assert [item["name"] for item in left(stranger)] == ["prod-llm"]


@pytest.mark.parametrize(
    ("name", "value", "status", "words"),
    [
        ("TOGETHER_API_KEY", "", 2, "Set TOGETHER_API_KEY"),
        ("CONFORMANCE_IMAGE", "", 2, "Set CONFORMANCE_IMAGE"),
        ("TOGETHER_API_KEY", "invalid-canary", 3, "refuses this key"),
    ],
    ids=["no key", "no image", "a refused key"],
)
def test_what_is_missing_is_said_in_one_sentence(
    live: Run, name: str, value: str, status: int, words: str
) -> None:
    """Before anything is asked or made."""
    live.env[name] = value
    got, said = live()
    assert (got, said.count("\n")) == (status, 1), said
    assert words in said


def test_a_service_that_is_not_there_is_said_in_one_sentence(live: Run) -> None:
    """A dead address is no result."""
    status, said = live("--url", "http://127.0.0.1:9")
    assert (status, said.count("\n")) == (3, 1), said
    assert "cannot be asked" in said
