"""Which resource of the old state a registered one is, by URN and by aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_jig.rehearsal.goals import Goal, name_of, type_of, urn_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.rehearsal.events import Events
    from pulumi_jig.rehearsal.state import Resource


class StepRefusedError(RuntimeError):
    """The plan ends here; the reason has been logged already."""


class Aliases:
    """Names old and new, as the registrations of one operation settle them."""

    def __init__(self, olds: Mapping[str, Resource], events: Events) -> None:
        self._olds = olds
        self._events = events
        self._seen: set[str] = set()
        self._former: dict[str, str] = {}  # new URN to old URN
        self.renamed: dict[str, str] = {}  # old URN to new URN

    def old(self, goal: Goal) -> Resource | None:
        """
        What the old state has for a goal: by its URN first, then by its aliases.

        Raises:
            StepRefusedError: the URN, or an alias, is taken by another resource.
        """
        urn = goal.resource.urn
        if urn in self._seen:
            message = f"Duplicate resource URN '{urn}'; try giving it a unique name"
            self._refuse(message, urn)
        self._seen.add(urn)
        if urn in self.renamed:
            self._refuse(
                f"Duplicate resource URN '{urn}' conflicting with alias on resource "
                f"with URN '{self.renamed[urn]}'",
                urn,
            )
        if urn in self._olds:
            return self._olds[urn]
        for candidate in self._candidates(goal):
            if candidate not in self._olds:
                continue
            owner = self.renamed.get(candidate)
            if candidate in self._seen or owner is not None:
                self._refuse(
                    f"Duplicate resource alias '{candidate}' applied to resource with "
                    f"URN '{urn}' conflicting with resource with URN '{owner or urn}'",
                    urn,
                )
            self._former[urn] = goal.resource.aliased_from = candidate
            self.renamed[candidate] = urn
            return self._olds[candidate]
        return None

    def _candidates(self, goal: Goal) -> list[str]:
        """URNs under which the state may know a goal, its parent's aliases included."""
        parent = goal.resource.parent
        own = [
            alias.urn or _under(parent, goal, alias.type, alias.name)
            for alias in goal.aliases
        ]
        before = self._former.get(parent)
        if not before:
            return own
        names = [(type_of(urn), name_of(urn)) for urn in [goal.resource.urn, *own]]
        # A child named after its parent (`app-disk` under `app`) is renamed with it.
        ours, theirs = name_of(parent), name_of(before)
        return own + [
            _under(
                before,
                goal,
                kind,
                theirs + name.removeprefix(ours) if name.startswith(ours) else name,
            )
            for kind, name in names
        ]

    def _refuse(self, message: str, urn: str) -> None:
        self._events.log("error", message, urn)
        raise StepRefusedError(message)


def _under(parent: str, goal: Goal, kind: str, name: str) -> str:
    """The URN of a goal under `parent`, by another type or name where one is given."""
    urn = goal.resource.urn
    stack, project = urn.removeprefix("urn:pulumi:").split("::", 2)[:2]
    return urn_of(stack, project, parent, kind or type_of(urn), name or name_of(urn))
