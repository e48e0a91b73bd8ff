"""What happens during an operation, as it happens: for the display, and for the result."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pulumi_jig.rehearsal.properties import difference, signs
from pulumi_jig.rehearsal.results import Diagnostic, Severity, Step, Violation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulumi_jig.rehearsal.state import Resource


class Watcher(Protocol):
    """Whoever wants to see an operation while it runs."""

    def step_begins(self, step: Step) -> None:
        """A step starts."""

    def step_ends(self, step: Step) -> None:
        """It has ended, well or badly."""

    def diagnostic(self, diagnostic: Diagnostic) -> None:
        """Somebody logged something."""


@dataclass(eq=False)
class Planned:
    """
    A step that is planned, and then carried out.

    Attributes:
        operation: What is done, as the engine names it.
        old: The resource in the old state, if any.
        new: The resource as it will be, if any.
        changed: Paths of properties that differ.
        diff: The same by top-level key, with a sign for added, removed and changed.
        replaces: Properties that force a replacement.
        delete_first: In a replacement, whether the old one is deleted before the new
            one is created, and not at the end of the operation.
        internal: Whether it is about a default provider.
        outcome: What a refresh found, once it is done.
    """

    operation: str
    old: Resource | None
    new: Resource | None
    changed: list[str] = field(default_factory=list)
    diff: list[str] = field(default_factory=list)
    replaces: tuple[str, ...] = ()
    delete_first: bool = False
    internal: bool = False
    outcome: str = ""
    began: float = 0.0

    @property
    def resource(self) -> Resource:
        """The resource as it will be, or was."""
        found = self.new or self.old
        assert found is not None
        return found

    def compare(self, old: dict[str, object], new: dict[str, object]) -> Planned:
        """Note which properties differ; this step."""
        self.changed, self.diff = difference(old, new), signs(old, new)
        return self

    def shown(
        self,
        *,
        failed: bool = False,
        seconds: float = 0.0,
        messages: tuple[str, ...] = (),
    ) -> Step:
        """The step as results show it."""
        return Step(
            operation=self.outcome or self.operation,
            urn=self.resource.urn,
            type=self.resource.type,
            name=self.resource.name,
            changed=tuple(self.changed),
            diff=tuple(self.diff),
            replaces=self.replaces,
            failed=failed,
            seconds=seconds,
            messages=messages,
            internal=self.internal,
        )


class Events:
    """Puts what several threads report in order, and tells each watcher."""

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self._watchers = watchers
        self._lock = threading.RLock()
        self.steps: list[Step] = []
        self.diagnostics: list[Diagnostic] = []
        self.violations: list[Violation] = []

    def step_begins(self, planned: Planned) -> None:
        """Note the start of a step."""
        with self._lock:
            planned.began = time.monotonic()
            for watcher in self._watchers:
                watcher.step_begins(planned.shown())

    def step_ends(self, planned: Planned, *, failed: bool = False) -> None:
        """Note its end."""
        with self._lock:
            urn = planned.resource.urn
            said = [d for d in self.diagnostics if d.urn == urn and not d.ephemeral]
            step = planned.shown(
                failed=failed,
                seconds=time.monotonic() - planned.began,
                messages=tuple(diagnostic.message for diagnostic in said),
            )
            self.steps.append(step)
            for watcher in self._watchers:
                watcher.step_ends(step)

    def log(
        self,
        severity: Severity,
        message: str,
        urn: str = "",
        *,
        ephemeral: bool = False,
    ) -> None:
        """Note a message."""
        with self._lock:
            diagnostic = Diagnostic(severity, message, urn, ephemeral)
            self.diagnostics.append(diagnostic)
            for watcher in self._watchers:
                watcher.diagnostic(diagnostic)

    def violate(self, violation: Violation) -> None:
        """Note a violation of a policy."""
        with self._lock:
            self.violations.append(violation)

    @property
    def has_errors(self) -> bool:
        """Whether somebody logged an error."""
        with self._lock:
            return any(d.severity == "error" for d in self.diagnostics)
