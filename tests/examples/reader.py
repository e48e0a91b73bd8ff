"""
Somebody who follows a page to the letter, on either engine.

The lines that begin with `$` in a page's `console` blocks are typed into one shell, in
their order. A command must succeed, or fail where the page says `# refused` beside it;
lines that the page shows below a command must come, in their order.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pulumi_jig.emulator import start

if TYPE_CHECKING:
    from typing import Any

ROOT = Path(__file__).parents[2]
SHIM = Path(__file__).with_name("rehearsed_pulumi.py")
REFUSED = "# refused"
_MARK = "@@@"


@dataclass
class Typed:
    """One command of a page, and what the page shows below it."""

    command: str
    shown: list[str] = field(default_factory=list)

    @property
    def refused(self) -> bool:
        """Whether the page says that it fails."""
        return self.command.rstrip().endswith(REFUSED)


def typed(text: str) -> list[Typed]:
    """The commands of all `console` blocks of a page."""
    found: list[Typed] = []
    for block in re.findall(r"^```console\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        going_on = False
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Typed(line[2:]))
            elif going_on:
                found[-1].command += "\n" + line.removeprefix("> ")
            elif line.strip() not in {"", "..."}:
                found[-1].shown.append(line.strip())
                continue
            going_on = found[-1].command.endswith("\\")
    return found


@dataclass
class Ran:
    """What one command did."""

    command: str
    status: int
    output: str


class Reader:
    """A desk with the examples, a service on loopback, and one of the engines."""

    def __init__(self, folder: Path, engine: str, *, time_scale: float = 0) -> None:
        self.folder = folder
        self.home = folder / "desk"
        for name in ("examples", "policies", "docs"):
            shutil.copytree(
                ROOT / name,
                self.home / name,
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        self.emulator = start(time_scale=time_scale, log=folder / "emulator.log")
        commands = folder / "bin"
        commands.mkdir()
        if engine == "rehearsal":
            shim = commands / "pulumi"
            shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{SHIM}" "$@"\n')
            shim.chmod(0o755)
        (folder / "backend").mkdir()
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TOGETHER_", "PULUMI_", "COV_"))
        }
        # As in an activated virtual environment, which is what the pages ask for.
        tools = f"{commands}{os.pathsep}{Path(sys.executable).parent}"
        self.env = {
            **inherited,
            "PATH": f"{tools}{os.pathsep}{inherited['PATH']}",
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{folder / 'backend'}",
            "PULUMI_CONFIG_PASSPHRASE": "demo",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PYTHONDONTWRITEBYTECODE": "1",
            "TOGETHER_BASE_URL": self.emulator.url,
            "TOGETHER_API_KEY": "acct:demo:key-1",
        }

    def close(self) -> None:
        """End the service."""
        self.emulator.stop()

    def live(self) -> list[dict[str, Any]]:
        """The deployments that the service has, as it shows them."""
        admin = self.emulator.admin
        return [admin.view(record["id"]) for record in admin.deployments()]

    def names(self) -> list[str]:
        """What they are called, without the suffixes of automatic names."""
        return sorted(re.sub(r"-[0-9a-z]{7}$", "", d["name"]) for d in self.live())

    def writes(self) -> int:
        """How many requests have changed, or tried to change, something."""
        return sum(r["method"] != "GET" for r in self.emulator.admin.requests())

    def run(self, text: str, *, where: str) -> list[Ran]:
        """Type lines into one shell that stands in the folder `where`."""
        commands = [part for part in text.split("\n\n") if part.strip()]
        script = ["exec 2>&1"]
        for number, command in enumerate(commands):
            script += [command, f'_status=$?; echo; echo "{_MARK} {number} $_status"']
        done = subprocess.run(
            ["bash", "-s"],
            input="\n".join(script),
            cwd=self.home / where,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        ran, rest = [], done.stdout
        for number, command in enumerate(commands):
            output, found, rest = rest.partition(f"{_MARK} {number} ")
            assert found, f"the shell ended in: {command}\n{output}"
            status, _, rest = rest.partition("\n")
            ran.append(Ran(command, int(status), output))
        return ran

    def one(self, command: str, *, where: str) -> Ran:
        """Type one command."""
        (ran,) = self.run(textwrap.dedent(command).strip(), where=where)
        return ran

    def follow(self, page: str) -> list[Ran]:
        """Follow a page from beginning to end, in the folder in which it lies."""
        path = self.home / page
        commands = typed(path.read_text())
        assert commands, f"{page} has nothing to type"
        text = "\n\n".join(one.command for one in commands)
        ran = self.run(text, where=str(path.parent))
        for expected, actual in zip(commands, ran, strict=True):
            said = f"$ {actual.command}\n{actual.output}"
            assert expected.refused == (actual.status != 0), said
            self._must_show(expected.shown, actual.output, said)
        return ran

    @staticmethod
    def _must_show(lines: list[str], output: str, said: str) -> None:
        left = " ".join(output.split())
        for line in lines:
            _, found, left = left.partition(" ".join(line.split()))
            assert found, f"{line!r} was not shown:\n{said}"
