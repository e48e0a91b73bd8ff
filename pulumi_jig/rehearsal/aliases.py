"""
Which resource of the old state a registered one is, by URN and by aliases.

Why it exists: a renamed resource must be found under its former names, its children
under their parent's; and two resources must not be taken for one.

What it refuses: a URN that is registered twice, an alias that another resource has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_jig.rehearsal.goals import (
    Goal,
    alias_urn,
    inherited_urn,
    name_of,
    type_of,
    urn_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.rehearsal.events import Events
    from pulumi_jig.rehearsal.state import Resource


class StepRefusedError(RuntimeError):
    """The plan ends here; the reason has been logged already."""


class Aliases:
    """Names old and new, as the registrations of one operation settle them."""

    def __init__(
        self, stack: str, project: str, olds: Mapping[str, Resource], events: Events
    ) -> None:
        self._stack = stack
        self._project = project
        self._olds = olds
        self._events = events
        self._seen: set[str] = set()
        self.former: dict[str, str] = {}  # new URN → old URN
        self.renamed: dict[str, str] = {}  # old URN → new URN

    def urn(self, goal: Goal) -> str:
        """The URN that a goal gets."""
        return urn_of(self._stack, self._project, goal.parent, goal.type, goal.name)

    def claim(self, goal: Goal) -> str:
        """
        The URN of a goal, from now on taken.

        Raises:
            StepRefusedError: it is taken already.
        """
        urn = self.urn(goal)
        if urn in self._seen:
            self._refuse(
                f"Duplicate resource URN '{urn}'; try giving it a unique name", urn
            )
        self._seen.add(urn)
        return urn

    def old(self, urn: str, goal: Goal) -> Resource | None:
        """
        What the old state has for a goal: by its URN first, then by its aliases.

        Raises:
            StepRefusedError: an alias is somebody else's name.
        """
        if urn in self.renamed:
            self._refuse(
                f"Duplicate resource URN '{urn}' conflicting with alias on resource "
                f"with URN '{self.renamed[urn]}'",
                urn,
            )
        for candidate in dict.fromkeys([urn, *self._aliases(goal)]):
            old = self._olds.get(candidate)
            if old is None:
                continue
            if candidate != urn:
                owner = self.renamed.get(candidate)
                if candidate in self._seen or owner is not None:
                    self._refuse(
                        f"Duplicate resource alias '{candidate}' applied to resource "
                        f"with URN '{urn}' conflicting with resource with URN "
                        f"'{owner or urn}'",
                        urn,
                    )
                self.former[urn] = candidate
                self.renamed[candidate] = urn
            return old
        return None

    def _aliases(self, goal: Goal) -> list[str]:
        own = [
            alias_urn(alias, goal, self._stack, self._project, self.former)
            for alias in goal.aliases
        ]
        result = list(own)
        before = self.former.get(goal.parent) if goal.parent else None
        if before:
            result.append(inherited_urn(goal.type, goal.name, goal.parent, before))
            result += [
                inherited_urn(type_of(urn), name_of(urn), goal.parent, before)
                for urn in own
            ]
        return result

    def _refuse(self, message: str, urn: str) -> None:
        self._events.log("error", message, urn)
        raise StepRefusedError(message)
