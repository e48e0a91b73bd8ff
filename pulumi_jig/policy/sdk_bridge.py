"""
What the policy SDK does not tell its policies, read from inside of it.

A policy is called with a function that reports a violation. It closes over the response
to the engine, the level of the policy, and the servicer that holds the configuration of
all policies. From there come four things that the SDK has no word for: an advisory from a
mandatory policy; whether another policy has refused the resource already; at which level
this one speaks; the table of GPU types, which another policy's configuration holds.

Each is looked for, never assumed, and a test pins them against the installed version.
Where one is not to be found, the pack is stricter or clumsier, never looser: advice is
told through the SDK's own error for unknown values, and every level counts as mandatory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError

Report = Callable[..., None]
# Numbers of levels in the protocol; advisory is the enumeration's zero.
_ADVISORY: Final = 0
_MANDATORY: Final = 1
_CONFIG: Final = "_PolicyAnalyzerServicer__policy_pack_config"


def cells_of(report: Report) -> dict[str, Any]:
    """Return the variables that a reporting function closes over, by name."""
    names = getattr(getattr(report, "__code__", None), "co_freevars", ())
    found = {}
    for name, cell in zip(
        names, getattr(report, "__closure__", None) or (), strict=False
    ):
        try:
            found[name] = cell.cell_contents
        except ValueError:
            continue  # An empty cell has no contents.
    return found


class Reporter:
    """Reports what one policy has to say about one request of the engine."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._kept: list[str] = []
        cells = cells_of(report)
        response = cells.get("response")
        self._diagnostics = getattr(response, "diagnostics", None)
        #: The same object for all policies that are asked in one request.
        self.request: object = object() if self._diagnostics is None else response
        level = getattr(cells.get("enforcement_level"), "value", None)
        self.level: str = level if isinstance(level, str) else "mandatory"
        self._servicer = cells.get("self")

    def configuration(self) -> Mapping[str, Mapping[str, Any]] | None:
        """Return the configuration of all policies, where it can be found."""
        found = getattr(self._servicer, _CONFIG, None)
        return found if isinstance(found, Mapping) else None

    @property
    def refused(self) -> bool:
        """Whether a mandatory policy has refused the resource in this request."""
        return any(d.enforcementLevel == _MANDATORY for d in self._diagnostics or ())

    def violation(self, message: str, urn: str) -> None:
        """Report a violation at the level of the policy."""
        self._report(message, urn or None)

    def advice(self, message: str, urn: str) -> None:
        """Show a message as an advisory, whatever the policy's level."""
        if self._diagnostics is None:
            self._kept.append(message)
            return
        before = len(self._diagnostics)
        self._report(message, urn or None)
        added = self._diagnostics[before:]
        if len(added) == 1 and added[0].message.endswith(message):
            added[0].enforcementLevel = _ADVISORY

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
