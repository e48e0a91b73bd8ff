"""
What people see: wrapped text, colour and a progress bar, each only where it helps.

Colour and bars need a terminal; `NO_COLOR` and `TERM=dumb` turn colour off. Text is
wrapped to the terminal's width and left alone in a pipe, where programs read it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
import textwrap
import threading
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.text import safe_data, safe_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_COLOURS: Final = {"good": "32", "bad": "31", "notice": "33", "strong": "1"}
#: Seconds of silence before people are told what is waited for.
_PATIENCE: Final = 3.0
#: What `paint` puts around a text; nothing else that commands a terminal is let through.
_PAINT: Final = re.compile(r"(\033\[(?:0|1|31|32|33)m)")


def colourful(stream: Any) -> bool:
    """Whether a stream takes colour."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(stream.isatty())


def paint(text: str, colour: str) -> str:
    """Text in a colour, where standard output takes it."""
    if not colourful(sys.stdout):
        return text
    return f"\033[{_COLOURS[colour]}m{text}\033[0m"


def say(text: str = "", *, indent: int = 0) -> None:
    """One paragraph on standard output."""
    sys.stdout.write(_wrapped(text, indent, sys.stdout) + "\n")


def note(text: str) -> None:
    """One paragraph on standard error, for people; programs do not read it."""
    sys.stderr.write(_wrapped(text, 0, sys.stderr) + "\n")


def verbatim(text: str) -> None:
    """Text for copying: never wrapped."""
    sys.stdout.write(safe_message(text) + "\n")


def dump(data: Any) -> None:
    """One JSON document on standard output."""
    # What the output cannot encode would be escaped as Python does, which is no JSON.
    utf = (sys.stdout.encoding or "").lower().startswith("utf")
    text = json.dumps(safe_data(data), indent=2, ensure_ascii=not utf)
    sys.stdout.write(text + "\n")


def fail(message: str) -> None:
    """Why a command failed, on standard error."""
    sys.stderr.write(f"error: {safe_message(message)}\n")


def _safe(text: str, stream: Any) -> str:
    if not colourful(stream):
        return safe_message(text)
    parts = _PAINT.split(text)
    return "".join(p if _PAINT.fullmatch(p) else safe_message(p) for p in parts)


def _wrapped(text: str, indent: int, stream: Any) -> str:
    text = _safe(text, stream)
    blank = " " * indent
    if not stream.isatty():
        return blank + text if text else text
    width = max(20, shutil.get_terminal_size().columns)
    return textwrap.fill(
        text,
        width,
        initial_indent=blank,
        subsequent_indent=blank + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


@contextlib.contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[], None]]:
    """
    A bar on standard error while something long runs; nothing without a terminal.

    Args:
        what: What is being done.
        total: How many steps there are.

    Yields:
        A function to call after each step.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb" or total < 2:
        yield lambda: None
        return
    import click

    with click.progressbar(
        length=total, label=what, file=sys.stderr, show_eta=False, width=0
    ) as bar:
        yield lambda: bar.update(1)
    # The bar goes away at the end: what stays on the screen is the result.
    sys.stderr.write("\033[A\033[2K")


@contextlib.contextmanager
def waiting(text: str) -> Iterator[None]:
    """Say what is waited for on standard error, once it has taken a few seconds."""
    timer = threading.Timer(_PATIENCE, note, (text,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
