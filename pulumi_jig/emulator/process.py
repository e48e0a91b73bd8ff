"""
The emulator in a process of its own, for fixtures, rehearsals and demos.

A process of its own, since it can then be killed, restarted on the same state, and
outlive the program under test, as the real service does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class EmulatorError(Exception):
    """The emulator could not be started; the message is its own sentence."""


class RunningEmulator:
    """
    A running emulator process; a context manager that stops it.

    Attributes:
        url: the base URL, without ``/v1``.
        pid: the process id.

    """

    def __init__(self, arguments: list[str]) -> None:
        self._arguments = arguments
        self._process: subprocess.Popen[str] | None = None
        self.url = ""
        self.pid = 0
        self._spawn()

    def _spawn(self) -> None:
        command = [sys.executable, "-m", "pulumi_jig.emulator", "--json"]
        self._process = subprocess.Popen(
            [*command, *self._arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            message = "the emulator did not start"
            raise EmulatorError(message)
        started = json.loads(line)
        self.url, self.pid = started["url"], started["pid"]

    def stop(self) -> None:
        """Stop the process with SIGTERM and wait for it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=30)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def kill(self) -> None:
        """Kill the process with SIGKILL, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self.stop()

    def __enter__(self) -> RunningEmulator:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def start(
    *, port: int = 0, state: Path | None = None, time_scale: float = 1.0
) -> RunningEmulator:
    """
    Start an emulator process and wait until it serves.

    Raises:
        EmulatorError: it did not start.

    """
    arguments = ["--port", str(port), "--time-scale", repr(time_scale), "--quiet"]
    if state is not None:
        arguments += ["--state", str(state)]
    return RunningEmulator(arguments)
