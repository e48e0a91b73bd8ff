"""The demo is green only when every step did what it says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).resolve().parents[2]
MAIN = "gpu-guardrails/__main__.py"


@pytest.fixture
def demo(
    tmp_path: Path, engine: str
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Plays a copy of the demo, after a file of the guardrails has been changed."""
    for name in ("examples/quickstart", "policies"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    shutil.copy(REPOSITORY / "examples" / "demo.py", tmp_path / "examples")
    folders = os.environ["PATH"].split(os.pathsep)
    if engine == "rehearsal":
        folders = [item for item in folders if not Path(item, "pulumi").exists()]
    env = {**os.environ, "PATH": os.pathsep.join(folders)}

    def play(
        file: str = MAIN, text: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        if text is not None:
            (tmp_path / "policies" / file).write_text(text)
        return subprocess.run(
            [sys.executable, str(tmp_path / "examples" / "demo.py")],
            env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    return play


def test_it_ends_well_and_says_which_engine_ran(demo: Callable, engine: str) -> None:
    """From preview to destroy, by the engine that the first line names."""
    done = demo()
    assert done.returncode == 0, done.stdout
    first = {"pulumi": "Run by the `pulumi` command", "rehearsal": "Rehearsed"}
    assert done.stdout.startswith(first[engine])
    assert "nothing is left to bill" in done.stdout


def test_a_pack_that_cannot_start_is_no_refusal(demo: Callable) -> None:
    """A broken policy pack fails the preview too; the demo is red and says so."""
    done = demo(MAIN, "import no_such_module\n")
    assert done.returncode == 1
    assert "The demo stopped: " in done.stdout
    assert "no_such_module" in done.stdout
    assert "Traceback" not in done.stdout.partition("The demo stopped: ")[2]


def test_another_refusal_is_not_the_one_promised(demo: Callable) -> None:
    """A mandatory violation of another policy does not count."""
    done = demo(
        MAIN,
        "from pulumi_policy import *\n"
        "PolicyPack('gpu-guardrails', policies=[StackValidationPolicy('another', 'x',\n"
        "    lambda args, report: report('no'), EnforcementLevel.MANDATORY)])\n",
    )
    assert done.returncode == 1
    assert "The demo stopped: " in done.stdout


def test_guardrails_that_let_it_pass_are_red(demo: Callable) -> None:
    """A preview that passes is no refusal either."""
    done = demo(
        MAIN,
        "from pulumi_policy import *\n"
        "PolicyPack('gpu-guardrails', policies=[StackValidationPolicy('lax', 'x',\n"
        "    lambda args, report: None, EnforcementLevel.ADVISORY)])\n",
    )
    assert done.returncode == 1
    assert "The demo stopped: the guardrails let it pass." in done.stdout
