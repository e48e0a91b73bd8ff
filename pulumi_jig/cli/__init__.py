"""
`pulumi-jig`: the command line tools of this package.

`tree` names the commands; each is a module, imported when that command runs. Whatever
goes wrong ends in one sentence on stderr, never in a traceback.

Exit codes of every command:

    0    done; nothing found that needs attention
    1    something was found (drift, orphans, an interrupted run, a broken rule), or the
         command failed; nothing is half-written
    2    wrong usage
    3    could not find out: the service, the stack or a state could not be read, or the
         settings for it are missing; nothing was changed
    130  interrupted (Ctrl-C); nothing is half-written
    141  whoever read the output went away
"""

from __future__ import annotations

import gc
import io
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pulumi_jig.cli.tree import (
    FAILED,
    INTERRUPTED,
    PIPE_CLOSED,
    UNKNOWN,
    USAGE,
    run,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Packages that an extra brings, by what is missing of it.
_EXTRAS: Final = {
    "pulumi_policy": "policy",
    "cryptography": "rehearsal",
    "jsonschema": "rehearsal",
    "rich": "rehearsal",
}


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run one command.

    Args:
        argv: Its arguments, without the name of the program.

    Returns:
        The exit code; see the head of this module.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    _accept_any_text()
    try:
        # A command lives for seconds, and nearly all that it makes stays until its
        # end: looking for garbage in it again and again is a tenth of its time.
        gc.set_threshold(100_000)
        code = run(arguments)
        # What is still buffered must fail here, not when the interpreter ends.
        sys.stdout.flush()
    except KeyboardInterrupt:
        _complain("\nInterrupted; nothing is half-written.")
        if threading.active_count() > 1:
            # Requests are in flight: the interpreter would wait for their threads.
            os._exit(INTERRUPTED)
        return INTERRUPTED
    except BrokenPipeError:
        _write_no_more()
        return PIPE_CLOSED
    except Exception as error:
        return _failed(error)
    return code


def _accept_any_text() -> None:
    """
    Let no character end a command.

    A terminal or a pipe may take ASCII only (`PYTHONIOENCODING`, a locale), what is
    printed comes from a service, and JSON can hold half of a surrogate pair.
    """
    # None where whoever started us has closed it (`>&-`).
    if sys.stdout is None or sys.stderr is None:
        nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
        sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _write_no_more() -> None:
    # The interpreter would try to flush once more at its end, and fail.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(sentence: str) -> None:
    try:
        sys.stderr.write(f"{sentence}\n")
        sys.stderr.flush()
    except OSError:
        # Nobody listens; the exit code says it all the same.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _failed(error: Exception) -> int:
    from pulumi_jig.errors import APIError, ConfigError, JigError, RequestError
    from pulumi_jig.text import safe_message

    if isinstance(error, JigError):
        _complain(f"error: {safe_message(error.message)}")
        asked = isinstance(error, (APIError, ConfigError, RequestError))
        return UNKNOWN if asked else FAILED
    if isinstance(error, ModuleNotFoundError):
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is not None:
            from pulumi_jig.naming import install_command

            _complain(
                "error: this command needs packages that are not installed; run "
                f"`{install_command(extra)}`."
            )
            return USAGE
    if isinstance(error, OSError) and error.filename is None:
        # Files have names; what has none is the output (a full disk, say).
        _write_no_more()
        _complain(f"error: the output cannot be written: {error.strerror}.")
        return FAILED
    # The text of a foreign exception may hold anything, secrets included.
    _complain(
        f"error: pulumi-jig met an internal error ({type(error).__name__}); please "
        "report it. Set PULUMI_JIG_DEBUG=1 to see where it happened."
    )
    if os.environ.get("PULUMI_JIG_DEBUG", "") not in ("", "0"):
        import traceback

        for entry in traceback.extract_tb(error.__traceback__):
            _complain(f"  {entry.filename}:{entry.lineno} in {entry.name}")
    return FAILED
