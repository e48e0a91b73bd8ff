"""A program that the engine interrupts prints no traceback of that."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

LAUNCHER = "pulumi-language-python-exec"
#: What the launcher does, as far as it matters: it runs the program as `__main__`.
RUN = """
import runpy, sys
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def run(
    tmp_path: Path, program: str, launcher: str
) -> subprocess.CompletedProcess[str]:
    (tmp_path / launcher).write_text(RUN)
    (tmp_path / "program.py").write_text(program)
    return subprocess.run(
        [sys.executable, str(tmp_path / launcher), str(tmp_path / "program.py")],
        capture_output=True,
        text=True,
    )


INTERRUPTED = """
import os, signal, pulumi_jig.resources
try:
    os.kill(os.getpid(), signal.SIGINT)
    import time; time.sleep(60)
finally:
    print("cleaned up")
"""


def test_an_interrupt_prints_nothing(tmp_path: Path) -> None:
    """Cleanup runs and the process ends by the signal, as ever, without a traceback."""
    done = run(tmp_path, INTERRUPTED, LAUNCHER)

    assert (done.returncode, done.stdout) == (-signal.SIGINT, "cleaned up\n")
    assert done.stderr == ""


def test_a_program_that_nobody_launched_is_as_ever(tmp_path: Path) -> None:
    """Only the engine's own launcher is silenced, not somebody's own Python."""
    done = run(tmp_path, INTERRUPTED, "somebody-elses.py")

    assert done.stderr.endswith("KeyboardInterrupt\n")


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("raise ValueError('boom')", "ValueError: boom"),
        (
            "import sys\nsys.excepthook = lambda *_: print('mine', file=sys.stderr)\n"
            "import pulumi_jig.resources\nraise KeyboardInterrupt",
            "mine",
        ),
    ],
)
def test_what_a_program_sees_and_says_stays(
    tmp_path: Path, program: str, expected: str
) -> None:
    """Other errors are printed, and a hook of the program's own is kept."""
    done = run(tmp_path, f"import pulumi_jig.resources\n{program}", LAUNCHER)
    if "excepthook" in program:
        done = run(tmp_path, program, LAUNCHER)

    assert done.stderr.rstrip().endswith(expected)
