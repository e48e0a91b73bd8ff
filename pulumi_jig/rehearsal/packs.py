"""
The policy packs of one operation, asked together.

Why it exists: remediations run pack after pack, each on what the one before it left;
then all packs judge the outcome.

What it refuses: nothing; one mandatory finding fails the operation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_jig.rehearsal.policies import Analyzer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulumi_jig.rehearsal.events import Events
    from pulumi_jig.rehearsal.goals import Goal
    from pulumi_jig.rehearsal.launch import Launcher
    from pulumi_jig.rehearsal.policies import PolicyPack
    from pulumi_jig.rehearsal.results import Violation
    from pulumi_jig.rehearsal.state import Resource


class Packs:
    """Starts packs, asks them, and notes what they find."""

    def __init__(self, events: Events, *, preview: bool) -> None:
        self._events = events
        self._preview = preview
        self._analyzers: list[Analyzer] = []

    def start(self, packs: Sequence[PolicyPack], launcher: Launcher) -> None:
        """
        Start the packs side by side, then configure them.

        Raises:
            PolicyError: one does not come up, or its configuration does not fit.
        """
        for pack in packs:
            self._analyzers.append(
                Analyzer(
                    pack,
                    launcher.address,
                    env=launcher.pack_environment(),
                    on_line=launcher.line,
                )
            )
        for analyzer in self._analyzers:
            analyzer.configure()

    def close(self) -> None:
        """End their processes."""
        for analyzer in self._analyzers:
            analyzer.close()

    def analyze(
        self, resource: Resource, goal: Goal, provider: Resource | None
    ) -> bool:
        """Remediate a resource's inputs, then judge them; whether they violate."""
        found: list[Violation] = []
        for analyzer in self._analyzers:
            inputs, remediated = analyzer.remediate(resource, goal, provider)
            resource.inputs = inputs
            found += remediated
        for analyzer in self._analyzers:
            found += analyzer.analyze(resource, goal, provider)
        return self._report(found)

    def analyze_stack(
        self,
        resources: Sequence[tuple[Resource, Goal | None, Resource | None]],
        root: str,
    ) -> bool:
        """Judge the stack as it is now; whether it violates."""
        found: list[Violation] = []
        for analyzer in self._analyzers:
            found += analyzer.analyze_stack(resources, root)
        return self._report(found)

    def _report(self, found: list[Violation]) -> bool:
        for violation in found:
            self._events.violate(violation)
        return any(violation.level == "mandatory" for violation in found)
