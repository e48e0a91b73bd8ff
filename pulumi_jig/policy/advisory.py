"""
An advisory from a mandatory policy.

The policy SDK knows one level per policy, so that a mandatory policy cannot say "this is
exempt until Friday" or "this is not known yet" without stopping the run. Two ways around
that stand here, and no other module knows of them:

1. Report, then lower the level of what was just reported, in the response that the
   reporting function closes over. This reads an internal of the SDK; it is looked for,
   never assumed, and a test pins it against the installed version.
2. Where that is not to be found, raise what the SDK itself turns into an advisory: its
   error for values that are not known. It works everywhere, with a clumsier sentence.

What cannot be lowered stays a violation: the failure of this module is a stricter policy,
never a looser one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError

Report = Callable[..., None]
# The number of the level in the protocol; it is the enumeration's zero.
_ADVISORY = 0


def diagnostics_of(report: Report) -> Any | None:
    """The list that a reporting function appends to, where it can be found."""
    names = getattr(getattr(report, "__code__", None), "co_freevars", ())
    if "response" not in names:
        return None
    cell = (report.__closure__ or ())[names.index("response")]
    try:
        return getattr(cell.cell_contents, "diagnostics", None)
    except ValueError:
        # An empty cell has no contents.
        return None


class Notes:
    """Advice to be shown beside, or instead of, violations of one policy."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._kept: list[str] = []

    def say(self, message: str, urn: str) -> None:
        """Show a message as an advisory, whatever the policy's level."""
        diagnostics = diagnostics_of(self._report)
        if diagnostics is None:
            self._kept.append(message)
            return
        before = len(diagnostics)
        self._report(message, urn or None)
        if len(diagnostics) == before + 1 and diagnostics[-1].message.endswith(message):
            diagnostics[-1].enforcementLevel = _ADVISORY

    def finish(self) -> None:
        """
        Show what could not be shown at once.

        Raises:
            UnknownValueError: The SDK shows its message as an advisory.
        """
        if self._kept:
            error = UnknownValueError(UNKNOWN_STRING_VALUE, [])
            error.message = " ".join(self._kept)
            raise error
