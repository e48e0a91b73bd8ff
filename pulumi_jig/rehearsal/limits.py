"""
What targets mean for the rest of an operation: its end, and a refresh.

Why it exists: a deletion may bring others with it that nobody asked for, and a target
may be one that nobody knows. Both are told before anything is deleted.

What it refuses: nothing itself; it says what must not go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_jig.rehearsal.dependent_replacements import victims
from pulumi_jig.rehearsal.events import Events, Planned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.rehearsal.planner import Planner
    from pulumi_jig.rehearsal.providers import Registry
    from pulumi_jig.rehearsal.state import Resource, Snapshot
    from pulumi_jig.rehearsal.targets import Targets


class Limits:
    """Targets, and the old state that they limit an operation on."""

    def __init__(
        self,
        targets: Targets,
        base: Snapshot,
        planner: Planner,
        registry: Registry,
        events: Events,
    ) -> None:
        self._targets = targets
        self._base = base
        self._planner = planner
        self._registry = registry
        self._events = events

    def reach(self) -> frozenset[str]:
        """URNs that a refresh reads."""
        return self._targets.reach(self._base.resources)

    def show_kept(self, steps: Mapping[Resource, Planned]) -> None:
        """
        Show what targets leave alone although the program does not have it.

        Nothing is done to it.
        """
        if not self._targets.limited:
            return
        for item in self._base.resources:
            if not item.custom or item.is_provider or item in steps:
                continue
            if item.urn not in self._planner.operated:
                step = Planned("same", item.urn, item.type, item, item)
                self._events.step_begins(step)
                self._events.step_ends(step)

    def condemned(self) -> set[str]:
        """What the operation may delete, as far as targets limit it."""
        result = self._targets.condemned(self._base.resources)
        if not self._targets.limited:
            return result
        olds = self._base.live()
        for urn in sorted(result & set(olds)):
            gone = victims(
                olds[urn],
                self._base.resources,
                self._planner.operated,
                self._registry,
            )
            result |= {victim.urn for victim in gone}
        return result

    def missing(self) -> bool:
        """Complain of targets that neither the state nor the program knows."""
        known = {*self._base.live(), *self._planner.news}
        unknown = self._targets.unknown(known)
        for urn in unknown:
            self._events.log(
                "error",
                f"Target '{urn}' could not be found in the stack. Did you forget to "
                "escape $ in your shell?",
            )
        return bool(unknown)

    def exceeded(self, steps: Mapping[Resource, Planned]) -> bool:
        """Complain of deletions that targets would bring with them unasked."""
        unasked = [item.urn for item in steps if not self._targets.named(item.urn)]
        for urn in unasked:
            self._events.log(
                "error",
                f"Resource '{urn}' will be destroyed but was not specified in --target "
                "list.\nEither include resource in --target list or pass "
                "--target-dependents to proceed.",
                urn,
            )
            self._planner.saw_error = True
        return bool(unasked)
