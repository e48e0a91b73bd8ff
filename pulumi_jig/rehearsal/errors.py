"""The two ways in which a rehearsal ends before it is done."""

from __future__ import annotations


class RehearsalError(RuntimeError):
    """The rehearsal cannot do what was asked, or an operation failed."""


class StoppedError(Exception):
    """The operation ends here; why has been logged already."""


def unsupported(what: str) -> RehearsalError:
    """The refusal of `what`: "the program uses x", "resource 'a' has y"."""
    return RehearsalError(
        f"{what}, which a rehearsal does not support; run this program with the "
        "`pulumi` command"
    )
