"""
No traceback of a program that the engine has interrupted.

Ctrl-C reaches every process of a run, and the engine's language host interrupts a program
whose run has failed. Python answers an interrupt that nobody catches with a traceback,
which says where the program waited and stands above the sentences that say what went
wrong. Only the printing is left out: the interrupt is raised and caught as ever, cleanup
runs, and the process ends with the same code. A program with a hook of its own keeps it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: What the engine starts a Python program with.
_LAUNCHER: Final = "pulumi-language-python-exec"


def is_run_by_engine() -> bool:
    """Whether the engine's language host started this process to run a program."""
    # Not `sys.argv` or `__main__`: the launcher puts the program's own in their place.
    return any(Path(word).name == _LAUNCHER for word in sys.orig_argv)


def leave_out_tracebacks() -> None:
    """Leave out tracebacks of interrupts, in a program that the engine runs."""
    if not is_run_by_engine():
        return
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _except
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _unraisable


def _except(kind: type[BaseException], *rest: Any) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        default: Callable[..., Any] = sys.__excepthook__
        default(kind, *rest)


def _unraisable(what: sys.UnraisableHookArgs) -> None:
    # A second interrupt, while the interpreter waits for its threads.
    if not isinstance(what.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(what)
