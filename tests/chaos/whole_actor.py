"""
Operations of one stack in a process that may be killed at any moment.

`python whole_actor.py`, with the stack as a line of JSON on its input, then a line for
each operation; each is answered by a line of JSON. The class `Actor` is the other side
of it. It plays the command that a person runs: SIGTERM ends it as Ctrl-C does.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

Record = dict[str, Any]

#: The variable by which all processes of a run are found.
MARKER = "CHAOS_RUN"
#: Seconds after which an operation is called endless.
LIMIT = 240.0


class EndlessError(Exception):
    """An operation did not come to its end."""


class Actor:
    """
    A process for the operations of one stack, started anew where it was killed.

    Args:
        stack: `program`, `state` and `env`, for the rehearsal.
        marker: Names the run.
        folder: Where it may keep what it needs for a while.
    """

    def __init__(self, stack: Record, marker: str, folder: Path) -> None:
        self._stack = stack
        self._marker = marker
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        """The process of the run."""
        assert self._process is not None
        return self._process.pid

    def act(self, operation: str, replace: list[str] | None = None) -> Record | None:
        """
        Run one operation.

        Returns:
            What came of it; None where the process was killed.

        Raises:
            EndlessError: It took longer than `LIMIT`.
        """
        self.start()
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            asked = {"operation": operation, "replace": replace or []}
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
        except OSError:
            return None
        if not select.select([process.stdout], [], [], LIMIT)[0]:
            raise EndlessError(f"{operation} took more than {LIMIT:.0f} s")
        line = process.stdout.readline()
        found: Record | None = json.loads(line) if line.endswith("\n") else None
        return found

    def start(self) -> None:
        """Have a process that runs."""
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        env = {**os.environ, MARKER: self._marker, "TMPDIR": str(self._folder)}
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=env,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(self._stack) + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def processes(marker: str) -> dict[int, str]:
    """The processes of a run that live: id and command line."""
    wanted = f"{MARKER}={marker}\0".encode()
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in (path / "environ").read_bytes():
                line = (path / "cmdline").read_bytes().replace(b"\0", b" ")
                # A dead process that nobody has waited for has no command line.
                if line:
                    found[int(path.name)] = line.decode(errors="replace")
    return found


def plugins(marker: str) -> list[int]:
    """The plugin processes of a run."""
    return [pid for pid, line in processes(marker).items() if "pulumi.dynamic" in line]


# --- In the process --------------------------------------------------------------------


def _terminated(*_: object) -> None:
    raise KeyboardInterrupt


def _serve(inputs: IO[str], outputs: IO[str]) -> None:
    from pulumi_jig.rehearsal import Rehearsal, RehearsalError

    stack = json.loads(inputs.readline())
    rehearsal = Rehearsal(
        stack["program"], "dev", env=stack["env"], state_file=stack["state"]
    )
    for line in inputs:
        asked = json.loads(line)
        operation, more = asked["operation"], {}
        if operation in {"up", "preview"}:
            more["replace"] = asked["replace"]
        answer: Record
        try:
            result = getattr(rehearsal, operation)(**more)
        except RehearsalError as error:
            answer = {"ok": False, "said": [str(error)], "errors": [str(error)]}
        except KeyboardInterrupt:
            answer = {"ok": False, "interrupted": True, "said": [], "errors": []}
        else:
            answer = {
                "ok": result.ok,
                "empty": result.is_empty,
                "steps": [f"{s.operation} {s.name}" for s in result.steps],
                "failed": [s.name for s in result.steps if s.failed],
                "worked": [s.name for s in result.steps if s.operation != "same"],
                "changed": [f"{s.name}: {s.changed}" for s in result.steps],
                "said": [d.message for d in result.diagnostics],
                "errors": list(result.errors),
            }
        outputs.write(json.dumps(answer) + "\n")
        outputs.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminated)
    with contextlib.suppress(KeyboardInterrupt):
        _serve(sys.stdin, sys.stdout)
