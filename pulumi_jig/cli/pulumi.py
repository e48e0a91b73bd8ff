"""
The `pulumi` command, as far as the command line tools need it.

Only that command knows a stack's backend and its encryption. A failure is reported by its
own error line, never by a guess at what it printed; and a state is handed over through
pipes, so that no copy of it is left behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulumi_jig.cli.state_export import Export, Place, encrypted_leaves
from pulumi_jig.errors import ConfigError, InputError, JigError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCKED = re.compile(r"currently locked|stack is locked|another update is currently")


class Pulumi:
    """
    The `pulumi` command for one stack.

    Args:
        directory: The folder of the program.
        stack: The stack; None for the one that is selected there.
    """

    def __init__(self, directory: Path, stack: str | None) -> None:
        self.directory = directory
        self.stack = stack
        self._config: dict[str, Any] | None = None

    @staticmethod
    def installed() -> bool:
        """Whether the command is on PATH."""
        return shutil.which("pulumi") is not None

    def run(self, *args: str, text: str | None = None, shielded: bool = False) -> str:
        """
        What a command printed.

        Args:
            args: Its arguments, without the stack.
            text: What it reads.
            shielded: Whether Ctrl-C waits until it is done.

        Raises:
            ConfigError: It is not installed.
            JigError: It failed; with its own words.
        """
        if not self.installed():
            raise ConfigError(
                "The `pulumi` command is not on PATH. Install it, or give the state "
                "as a file: --file, with what `pulumi stack export` printed."
            )
        command = ["pulumi", "--non-interactive", "--color", "never", *args]
        if self.stack is not None:
            command += ["--stack", self.stack]
        with _uninterrupted() if shielded else contextlib.nullcontext():
            done = subprocess.run(  # noqa: S603 - a fixed command, no shell
                command,
                cwd=self.directory,
                input=text if text is not None else "",
                capture_output=True,
                # Whatever this machine's locale says; the command writes UTF-8.
                encoding="utf-8",
                errors="surrogateescape",
                env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
                # Its own group, so that the terminal's Ctrl-C does not reach it.
                start_new_session=shielded,
                check=False,
            )
        if done.returncode != 0:
            raise JigError(_why(" ".join(args[:2]), done.stdout + "\n" + done.stderr))
        return done.stdout

    def export(self, *, show_secrets: bool = False) -> Export:
        """The stack's state."""
        args = ["stack", "export", *(["--show-secrets"] if show_secrets else [])]
        return Export(_json(self.run(*args)), f"the state of {self.name()}")

    def readable_export(self) -> Export:
        """
        The state with readable secrets, to compare them in memory.

        Where they cannot be decrypted (no passphrase in this pipeline), they stay encrypted.
        """
        export = self.export()
        if not any(True for _ in encrypted_leaves(export.data["deployment"])):
            return export
        try:
            return self.export(show_secrets=True)
        except JigError:
            return export

    def import_(self, export: Export) -> None:
        """Replace the stack's state; secrets that are readable are encrypted."""
        self.run("stack", "import", text=export.text(), shielded=True)

    def name(self) -> str:
        """What the stack is called, for messages."""
        return f"stack {self.stack}" if self.stack else "the selected stack"

    def selected(self) -> str | None:
        """The selected stack, or None."""
        try:
            return self.run("stack", "--show-name").strip() or None
        except JigError:
            return None

    def place(self) -> Place:
        """
        Project and stack.

        Raises:
            InputError: There is no project here.
        """
        stack = self.stack or self.run("stack", "--show-name").strip()
        return Place(
            project=project_name(self.directory), stack=stack.rpartition("/")[2]
        )

    def config(self, key: str) -> str | None:
        """
        One value of the stack's configuration, such as `jig:baseUrl`.

        Secret values are decrypted one by one, so a passphrase is needed only for those
        that are asked for.
        """
        entry = self._configuration().get(key)
        if not isinstance(entry, dict):
            return None
        if entry.get("secret"):
            return self.run("config", "get", key).rstrip("\n")
        value = entry.get("value")
        return None if value is None else str(value)

    def configured(self, namespace: str) -> list[str]:
        """The names that the stack configures under a namespace, without it."""
        if project_name(self.directory) == namespace:
            # A project of this name has settings of its own there.
            return []
        start = f"{namespace}:"
        return [
            key.removeprefix(start)
            for key in self._configuration()
            if key.startswith(start)
        ]

    def _configuration(self) -> dict[str, Any]:
        if self._config is None:
            found = _json(self.run("config", "--json"))
            self._config = found if isinstance(found, dict) else {}
        return self._config


def backups() -> Path:
    """The folder for copies of states, beside the command's own backups."""
    home = os.environ.get("PULUMI_HOME")
    return Path(home or Path.home() / ".pulumi") / "backups" / "pulumi-jig"


def project_name(directory: Path) -> str:
    """
    The name of the Pulumi project in a folder or above it.

    Raises:
        InputError: There is none.
    """
    path = project_file(directory)
    if path is None:
        raise InputError(
            f"There is no Pulumi.yaml in {directory} or above it; run this in the "
            "folder of the program, or give --directory."
        )
    import yaml

    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, OSError):
        data = None
    name = data.get("name") if isinstance(data, dict) else None
    if not isinstance(name, str) or not name:
        raise InputError(f"{path} names no project.")
    return name


def project_file(directory: Path) -> Path | None:
    """The project file that the `pulumi` command would use, or None."""
    start = directory.resolve()
    for folder in (start, *start.parents):
        for name in ("Pulumi.yaml", "Pulumi.yml"):
            if (folder / name).is_file():
                return folder / name
    return None


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back while something is written that must not be half-written."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    old = signal.signal(signal.SIGINT, lambda *_: pressed.append(1))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, old)
    if pressed:
        raise KeyboardInterrupt


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise JigError("`pulumi` printed something other than JSON.") from None


def _why(what: str, said: str) -> str:
    if _LOCKED.search(said):
        return (
            "The stack is locked, by a run that goes on or by one that was killed. "
            "Nothing was changed. When you are sure that nothing runs, `pulumi cancel` "
            "takes the lock away; then run this again."
        )
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    last = (errors or lines or ["it printed nothing"])[0].removeprefix("error: ")
    return f"`pulumi {what}` failed: {last.rstrip('.')}."
