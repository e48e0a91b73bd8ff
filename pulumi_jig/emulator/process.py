"""
The emulator in a process of its own, for fixtures, rehearsals and demos.

A process of its own, since it can then be killed, restarted on the same state, and
outlive the program under test, as the real service does. It ends with its parent, even
a parent that was killed: its standard input is a pipe that the parent holds.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
from typing import IO, TYPE_CHECKING, Self

from pulumi_jig.emulator.admin_client import AdminClient

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class EmulatorError(Exception):
    """The emulator could not be started; the message is its own sentence."""


class RunningEmulator:
    """
    A running emulator process; a context manager that stops it.

    Attributes:
        url: the base URL, without ``/v1``.
        pid: the process id.
        admin: the admin interface.

    """

    url: str
    pid: int
    admin: AdminClient

    def __init__(self, arguments: list[str], log: Path | None = None) -> None:
        self._arguments = arguments
        self._log = log
        self._process: subprocess.Popen[str] | None = None
        self._port = 0
        self._spawn()

    def _spawn(self) -> None:
        with self._open_log() as errors:
            begin = errors.seek(0, io.SEEK_END)
            command = [sys.executable, "-m", "pulumi_jig.emulator", *self._arguments]
            command += ["--json", "--admin", "--exit-with-stdin"]
            if self._port:
                command += ["--port", str(self._port)]
            process = subprocess.Popen(  # noqa: S603 - our own module.
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                # Ctrl-C is for the parent, which may need the service to clean up.
                start_new_session=True,
            )
            self._process = process
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                self._reap()
                errors.seek(begin)
                said = errors.read().decode(errors="replace").strip().splitlines()
                raise EmulatorError(said[-1] if said else "the emulator did not start")
        started = json.loads(line)
        self.url, self.pid = started["url"], started["pid"]
        self.admin = AdminClient(self.url, started["admin_token"])
        self._port = int(self.url.rpartition(":")[2])

    def _open_log(self) -> IO[bytes]:
        if self._log is None:
            return tempfile.TemporaryFile()
        return self._log.open("a+b")

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop the process with SIGTERM and wait for it; twice is once."""
        if self._process is not None:
            self._process.terminate()
            self._reap()

    def kill(self) -> None:
        """Kill the process with SIGKILL, as a power cut would, and wait for it."""
        if self._process is not None:
            self._process.kill()
            self._reap()

    def restart(self) -> None:
        """
        Start again on the same state file and port, after `stop` or `kill`.

        Without a state file the state starts empty.
        The admin token is a new one; `admin` has it.

        Raises:
            EmulatorError: it did not start.

        """
        self.stop()
        self._spawn()

    def _reap(self) -> None:
        assert self._process is not None
        process, self._process = self._process, None
        process.wait(timeout=30)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def start(
    *,
    port: int = 0,
    state: Path | None = None,
    time_scale: float = 1.0,
    gpu_types: Iterable[str] = (),
    log: Path | None = None,
) -> RunningEmulator:
    """
    Start an emulator process and wait until it serves.

    Args:
        port: 0 for any free port.
        state: state file, or None for memory.
        time_scale: real seconds per emulated second.
        gpu_types: further values that ``gpu_type`` may be.
        log: where to append a line per request, or None for no such lines.

    Raises:
        EmulatorError: it did not start; the message says why.

    """
    arguments = ["--port", str(port), "--time-scale", repr(float(time_scale))]
    if state is not None:
        arguments += ["--state", str(state)]
    for name in gpu_types:
        arguments += ["--gpu-type", name]
    if log is None:
        arguments.append("--quiet")
    return RunningEmulator(arguments, log)
