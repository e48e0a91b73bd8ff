"""
The processes that a rehearsal starts: the program, plugin hosts, policy packs.

Each is started in a process group of its own, so that a plugin outlives a killed
rehearsal, as it outlives a killed `pulumi up`, and in an environment without anything of
the caller's Pulumi or Together AI set-up.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from pulumi_jig.rehearsal.errors import RehearsalError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

GUARD: Final = Path(__file__).parent / "loopback"
#: Messages are as large as a stack's values are.
GRPC_OPTIONS: Final = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]
_DROPPED_PREFIXES: Final = ("TOGETHER_", "PULUMI_")
_DROPPED_NAMES: Final = frozenset(
    {"http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy"}
)
#: Seconds to read what an ended process has printed.
_READ_TIMEOUT: Final = 5.0
#: Seconds for a process to end after an interrupt, before it is killed.
_STOP_TIMEOUT: Final = 0.5
#: Seconds for a process to print the port on which it serves.
_START_TIMEOUT: Final = 60.0


def environment(extra: Mapping[str, str], *, home: Path) -> dict[str, str]:
    """
    The environment of a process: the caller's, cleaned, plus `extra`.

    Dropped are all `TOGETHER_*` and `PULUMI_*` variables and the proxies; `extra` may
    set any of them. The loopback guard comes first on PYTHONPATH.
    """
    result = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(_DROPPED_PREFIXES) and key.lower() not in _DROPPED_NAMES
    }
    result.update(extra)
    paths = [str(GUARD), *filter(None, [result.get("PYTHONPATH", "")])]
    result["PYTHONPATH"] = os.pathsep.join(paths)
    result.setdefault("PULUMI_HOME", str(home))
    # gRPC's own log goes to stderr, where people would take it for ours.
    result.setdefault("GRPC_VERBOSITY", "ERROR")
    return result


def interpreter(directory: Path, options: Mapping[str, Any]) -> str:
    """
    The Python that runs a program and its plugins, or a policy pack.

    The one of the `virtualenv` option; `.venv` for the toolchain `uv`; otherwise the
    Python that runs the rehearsal.

    Args:
        directory: The folder of the project or pack.
        options: The options of its runtime.

    Raises:
        RehearsalError: there is no such Python, or the options ask for more.
    """

    def above(*names: str) -> Path | None:
        folders = (directory, *directory.parents)
        files = (folder / name for name in names for folder in folders)
        return next((file for file in files if file.exists()), None)

    venv, toolchain = options.get("virtualenv") or "", options.get("toolchain")
    lock = above("uv.lock", "poetry.lock")
    message = ""
    if toolchain not in (None, "pip", "uv"):
        message = f"uses the toolchain {toolchain!r}; a rehearsal runs pip and uv only"
    elif options.get("typechecker"):
        message = "names a typechecker, which a rehearsal does not run"
    elif not isinstance(venv, str):
        message = f"names the virtual environment {venv!r}, which is no path"
    elif toolchain is None and not venv and lock:
        message = (
            f"names no toolchain; the engine would choose one by {lock} for the program "
            "but not for its provider: add `toolchain` to the options of its runtime"
        )
    elif toolchain == "uv" and not venv:
        venv = ".venv"
        root = above("uv.lock", "pyproject.toml")
        if root and root.parent != directory:
            message = (
                f"is part of the uv workspace in {root.parent}; set `virtualenv` to "
                f"{root.parent / venv}, so that its provider runs in there as well"
            )
    python = directory / str(venv) / "bin" / "python" if venv else Path(sys.executable)
    if not message and not python.is_file():
        message = (
            f"names the virtual environment {venv!r}, which does not exist; create it, "
            "or remove the option"
        )
    if message:
        message = f"the project in {directory} {message}"
        raise RehearsalError(message)
    return str(python)


class Process:
    """One process, its output read by threads; `port` for those that serve."""

    def __init__(
        self,
        title: str,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        on_line: Callable[[str], None],
        serves: bool,
    ) -> None:
        """
        Start `command`.

        Args:
            title: What to call it in messages.
            command: Program and arguments.
            cwd: Its working directory.
            env: Its whole environment.
            on_line: Called with each line that it prints.
            serves: Whether the first line on stdout is the port that it listens on.

        Raises:
            RehearsalError: it cannot be started.
        """
        self._title = title
        self._on_line = on_line
        self._port: int | None = None
        self._started = threading.Event()
        self._errors: list[str] = []
        try:
            self._process = subprocess.Popen(  # noqa: S603 - Our own command line.
                list(command),
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            message = f"{title} could not be started: {error}"
            raise RehearsalError(message) from error
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._streams: list[IO[str]] = [self._process.stderr, self._process.stdout]
        self._readers = [
            threading.Thread(target=self._read_err, daemon=True),
            threading.Thread(target=self._read_out, args=(serves,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def port(self) -> int:
        """
        The port on which it serves, waiting for it to come up.

        Raises:
            RehearsalError: it ended, or printed something else than a port.
        """
        if not self._started.wait(_START_TIMEOUT) or self._port is None:
            self.stop()
            last = next((line for line in reversed(self._errors) if line.strip()), "")
            hint = f": {last.strip()}" if last else ""
            message = f"{self._title} did not come up{hint}"
            raise RehearsalError(message)
        return self._port

    def wait(self) -> int:
        """Wait for its end, all output read; the exit status."""
        status = self._process.wait()
        self._close()
        return status

    def stop(self) -> None:
        """End it and its group: an interrupt first, then the kill."""
        if self._process.poll() is None:
            self._signal(signal.SIGINT)
            try:
                self._process.wait(_STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
                self._process.wait()
        self._close()

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            pass  # It ended by itself in the meantime.

    def _close(self) -> None:
        for reader, stream in zip(self._readers, self._streams, strict=True):
            reader.join(_READ_TIMEOUT)
            stream.close()

    def _read_err(self) -> None:
        for line in self._streams[0]:
            if not self._started.is_set():
                self._errors.append(line)
            self._on_line(line.rstrip("\n"))

    def _read_out(self, serves: bool) -> None:
        if serves:
            first = self._streams[1].readline().strip()
            if first.isdigit():
                self._port = int(first)
            elif first:
                self._errors.append(f"it printed {first!r} where its port should be")
            else:
                # It died: its last words on stderr are the reason.
                self._readers[0].join(_READ_TIMEOUT)
            self._started.set()
        for line in self._streams[1]:
            self._on_line(line.rstrip("\n"))
