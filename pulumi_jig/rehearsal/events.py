"""
What happens during an operation, as it happens: for drawing, and for the result.

Why it exists: steps, log messages and policy findings come from several threads; one
sink puts them in order, and hands each to whoever watches.

What it refuses: nothing.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from pulumi_jig.rehearsal.results import Diagnostic, Severity, Step, Violation

if TYPE_CHECKING:
    from pulumi_jig.rehearsal.state import Resource


class Watcher(Protocol):
    """Somebody who wants to see an operation while it runs."""

    def step_begins(self, step: Step) -> None:
        """A step starts."""

    def step_ends(self, step: Step) -> None:
        """It has ended, well or badly."""

    def diagnostic(self, diagnostic: Diagnostic) -> None:
        """Somebody logged something."""

    def violation(self, violation: Violation) -> None:
        """A policy found something."""


@dataclass(eq=False)
class Planned:
    """A step that is planned, and then carried out."""

    operation: str
    urn: str
    type: str
    old: Resource | None
    new: Resource | None
    changed: list[str] = field(default_factory=list)
    # The same by top-level key, with a sign for added, removed and changed.
    diff: list[str] = field(default_factory=list)
    replaces: list[str] = field(default_factory=list)
    # For delete-replaced: the delete comes first, and the create is still to come.
    pending_replace: bool = False
    # For create-replacement: the old one is deleted at the end of the operation.
    marks_old: bool = False
    internal: bool = False
    ignore: list[str] = field(default_factory=list)
    # What a refresh shows itself as, once it is done.
    outcome: str = ""
    details: Any = None
    began: float = 0.0

    def shown(self, *, failed: bool = False, seconds: float = 0.0) -> Step:
        """The step as results show it."""
        return Step(
            operation=self.outcome or self.operation,
            urn=self.urn,
            type=self.type,
            name=self.urn.rpartition("::")[2],
            changed=tuple(self.changed),
            diff=tuple(self.diff),
            replaces=tuple(self.replaces),
            failed=failed,
            seconds=seconds,
            internal=self.internal,
        )


class Events:
    """The sink of one operation."""

    def __init__(self, watchers: list[Watcher]) -> None:
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
            step = planned.shown(
                failed=failed, seconds=time.monotonic() - planned.began
            )
            messages = tuple(
                d.message
                for d in self.diagnostics
                if d.urn == step.urn and not d.ephemeral
            )
            step = replace(step, messages=messages)
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
        """Note a policy's finding."""
        with self._lock:
            self.violations.append(violation)
            for watcher in self._watchers:
                watcher.violation(violation)

    @property
    def has_errors(self) -> bool:
        """Whether somebody logged an error."""
        with self._lock:
            return any(d.severity == "error" for d in self.diagnostics)
