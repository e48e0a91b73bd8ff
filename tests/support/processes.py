"""Waiting for other processes, and finding them; Linux's /proc is where they stand."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PROC = Path("/proc")


def wait(until: Callable[[], object], seconds: float = 60) -> None:
    """Wait until something is true; when it does not happen, that is a failure."""
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def descendants(root: int, word: str) -> list[int]:
    """Processes that came from `root` and whose command line has a word."""
    parents: dict[int, int] = {}
    lines: dict[int, str] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
                lines[int(entry.name)] = (entry / "cmdline").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found = []
    for pid in parents:
        up: int | None = pid
        while up is not None and up != root:
            up = parents.get(up)
        if up == root and word in lines[pid]:
            found.append(pid)
    return found


def with_environment(name: str, value: str) -> dict[int, str]:
    """Processes that were started with a variable set so, and their command lines."""
    wanted = f"{name}={value}".encode()
    found = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    line = (entry / "cmdline").read_bytes()
                    found[int(entry.name)] = line.decode(errors="replace")
            except OSError:
                continue
    # One that has ended and was not waited for yet has no command line any more.
    return {pid: line for pid, line in found.items() if line}
