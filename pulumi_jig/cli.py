"""
`pulumi-jig`: a thin door to the desk side of this package.

It exists so that a person at a shell reaches what programs reach by importing: the
emulator, a rehearsal, the policies, and the operations on a stack's exported state. Each
command's code is loaded when that command runs.

It refuses to show a traceback: whatever goes wrong ends in one sentence on stderr.

Exit codes:

    0    done; nothing found that needs attention
    1    something was found (drift, orphans, an interrupted run, a broken rule), or the
         command failed; nothing is half-written
    2    wrong usage
    3    drift, orphans: could not find out
    130  interrupted (Ctrl-C); nothing is half-written
    141  whoever read the output went away
"""

from __future__ import annotations

import gc
import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: 128 + SIGINT, and 128 + SIGPIPE, as a shell has them.
INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run one command.

    Args:
        argv: Its arguments, without the name of the program.

    Returns:
        The exit code; see the head of this module.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _dispatch(arguments)
        # What is still buffered must fail here, not when the interpreter ends.
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted; nothing is half-written.\n")
        return INTERRUPTED
    except BrokenPipeError:
        # The interpreter would try to flush once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except Exception as error:
        return _failed(error)
    return code


def _dispatch(arguments: list[str]) -> int:
    own = _OTHERS.get(arguments[0]) if arguments else None
    if own is not None:
        return own(arguments[1:])
    if not all(find_spec(name) for name in ("click", "rich")):
        sys.stderr.write(
            "error: this command needs packages that are not installed; run "
            "`pip install 'pulumi-jig[cli]'`.\n"
        )
        return 2
    # A command lives for seconds, and nearly all that it makes stays until its end:
    # looking for garbage in it again and again is a tenth of its time.
    gc.set_threshold(100_000)
    from pulumi_jig.operations.commands import run

    return run(arguments)


def _failed(error: Exception) -> int:
    from pulumi_jig.errors import JigError
    from pulumi_jig.text import safe_message

    if isinstance(error, JigError):
        sys.stderr.write(f"error: {safe_message(error.message)}\n")
        return 1
    # The text of a foreign exception may hold anything, secrets included.
    sys.stderr.write(
        f"error: pulumi-jig met an internal error ({type(error).__name__}); please "
        "report it. Set PULUMI_JIG_DEBUG=1 to see where it happened.\n"
    )
    if os.environ.get("PULUMI_JIG_DEBUG", "") not in ("", "0"):
        import traceback

        for entry in traceback.extract_tb(error.__traceback__):
            sys.stderr.write(f"  {entry.filename}:{entry.lineno} in {entry.name}\n")
    return 1


# --- Commands that have a command line of their own ----------------------------


def _emulator(arguments: list[str]) -> int:
    from pulumi_jig.emulator.__main__ import main as emulate

    return emulate(arguments, prog="pulumi-jig emulator")


def _rehearse(arguments: list[str]) -> int:
    from pulumi_jig.emulator import start
    from pulumi_jig.rehearsal.command import run_cli

    return run_cli(arguments, start_emulator=start)


def _policy(arguments: list[str]) -> int:
    try:
        from pulumi_jig.policy.commands import run_cli

        return run_cli(arguments)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "pulumi_policy":
            raise
        sys.stderr.write(
            "error: this command needs packages that are not installed; run "
            "`pip install 'pulumi-jig[policy]'`.\n"
        )
        return 2


_OTHERS: Final[dict[str, Callable[[list[str]], int]]] = {
    "emulator": _emulator,
    "rehearse": _rehearse,
    "policy": _policy,
}


if __name__ == "__main__":
    sys.exit(main())
