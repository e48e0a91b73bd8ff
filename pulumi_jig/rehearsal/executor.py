"""
Carries out planned steps, and writes the state as each begins and ends.

Why it exists: what a step does to the state, what it leaves when it fails half-way, and
what it does in a preview, in one place, operation by operation.

What it refuses: deleting a protected resource.
"""

from __future__ import annotations

import threading
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pulumi_jig.rehearsal.properties import Secret, difference, reveal, secret, signs
from pulumi_jig.rehearsal.providers import UNKNOWN_ID
from pulumi_jig.rehearsal.responses import InitError, ProviderError
from pulumi_jig.rehearsal.state import Operation, Resource, now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulumi_jig.rehearsal.events import Events, Planned
    from pulumi_jig.rehearsal.journal import Journal
    from pulumi_jig.rehearsal.planner import Planner
    from pulumi_jig.rehearsal.providers import Registry


class CancelledError(RuntimeError):
    """Another step failed, so this one is not started."""


class StepFailedError(RuntimeError):
    """The step failed; the reason has been logged already."""


class Executor:
    """Runs steps on the threads that call it, no more than `parallel` at once."""

    def __init__(
        self,
        journal: Journal,
        registry: Registry,
        events: Events,
        planner: Planner,
        *,
        preview: bool,
        parallel: int,
    ) -> None:
        self._journal = journal
        self._registry = registry
        self._events = events
        self._planner = planner
        self._preview = preview
        self._slots = threading.BoundedSemaphore(parallel)
        self._cancelled = threading.Event()
        self._idle = threading.Condition()
        self._running = 0
        self.failed = False

    @property
    def cancelled(self) -> bool:
        """Whether the operation is being given up."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Start nothing new; what runs, runs to its end."""
        self.failed = True
        self._cancelled.set()

    def wait(self) -> None:
        """Wait until nothing runs."""
        with self._idle:
            self._idle.wait_for(lambda: self._running == 0)

    def run(self, chain: list[Planned]) -> None:
        """
        Carry out steps one after the other.

        Raises:
            CancelledError: the operation was given up before the chain could start.
            StepFailedError: a step failed; the operation is given up.
        """
        with self._slot():
            for step in chain:
                self.step(step)

    @contextmanager
    def _slot(self) -> Iterator[None]:
        with self._idle:
            self._running += 1
        try:
            with self._slots:
                if self.cancelled:
                    raise CancelledError
                yield
        finally:
            with self._idle:
                self._running -= 1
                self._idle.notify_all()

    def step(self, step: Planned) -> None:
        """
        Carry out one step.

        Raises:
            StepFailedError: it failed; the operation is given up.
        """
        self._events.step_begins(step)
        try:
            match step.operation:
                case "same":
                    self._same(step)
                case "create" | "create-replacement":
                    self._create(step)
                case "update":
                    self._update(step)
                case "replace" | "elide":
                    pass
                case "delete" | "delete-replaced":
                    self._delete(step)
                case "discard" | "discard-replaced":
                    self._journal.end(None, done=step.old)
                case "read" | "read-replacement":
                    self._read(step)
                case "refresh":
                    self._refresh(step)
                case "remove-pending-replace":
                    self._journal.end(None, done=step.old)
                case _:
                    message = f"{step.operation} is not a step"
                    raise AssertionError(message)
        except ProviderError as error:
            text = f"Preview failed: {said(error)}" if self._preview else said(error)
            self._events.log("error", text, step.urn)
            self._events.step_ends(step, failed=True)
            if step.operation == "refresh":
                # Other resources are still refreshed; the operation fails at the end.
                self.failed = True
                return
            self.cancel()
            raise StepFailedError(str(error)) from error
        self._events.step_ends(step)

    # --------------------------------------------------------------------- operations

    def _begin(self, kind: str, resource: Resource) -> Operation | None:
        return None if self._preview else self._journal.begin(kind, resource)

    def _same(self, step: Planned) -> None:
        old, new = step.old, step.new
        assert old is not None
        assert new is not None
        new.id, new.outputs = old.id, old.outputs
        new.init_errors = list(old.init_errors)
        if new.is_provider:
            self._registry.configure(new.urn, new.inputs, new.id)
            new.outputs = old.outputs
        mark(new)
        # What is the same need not be written at once; the operation's end does.
        self._journal.end(None, done=old, new=new, write=False)

    def _create(self, step: Planned) -> None:
        old, new = step.old, step.new
        assert new is not None
        operation = self._begin("creating", new)
        failure: InitError | None = None
        try:
            if new.is_provider:
                new.id = UNKNOWN_ID if self._preview else str(uuid.uuid4())
                self._registry.configure(new.urn, new.inputs, new.id)
                new.outputs = new.inputs
            elif new.custom and self._preview:
                # The dynamic host has no preview of its own: the engine shows what it
                # knows, which is the inputs.
                new.outputs = new.inputs
            elif new.custom:
                provider = self._registry.of(new.provider)
                timeout = new.custom_timeouts.get("create", 0.0)
                new.id, new.outputs = provider.create(new.urn, new.inputs, timeout)
        except InitError as error:
            failure = error
            new.id, new.outputs = error.id, error.properties
            new.init_errors = error.reasons
        except ProviderError:
            self._journal.end(operation, write=not self._preview)
            raise
        new.created = new.modified = now()
        mark(new)
        gone: Resource | None = None
        if old is not None:
            if step.marks_old:
                old.delete = True
            if old.pending_replacement:
                gone = old
        self._journal.end(operation, done=gone, new=new)
        if failure is not None:
            raise failure

    def _update(self, step: Planned) -> None:
        old, new = step.old, step.new
        assert old is not None
        assert new is not None
        operation = self._begin("updating", new)
        failure: InitError | None = None
        new.id = old.id
        try:
            if new.is_provider:
                self._registry.configure(new.urn, new.inputs, new.id)
                new.outputs = new.inputs
            elif not new.custom:
                new.outputs = old.outputs
            elif self._preview:
                new.outputs = new.inputs
            else:
                provider = self._registry.of(new.provider)
                timeout = new.custom_timeouts.get("update", 0.0)
                new.outputs = provider.update(
                    new.urn, old, new.inputs, timeout, step.ignore
                )
        except InitError as error:
            failure = error
            new.outputs = error.properties
            new.init_errors = error.reasons
        except ProviderError:
            self._journal.end(operation, write=not self._preview)
            raise
        new.modified = now()
        mark(new)
        if failure is not None:
            # The inputs stay what they were, so that the next run tries again.
            new.inputs = old.inputs
        self._journal.end(operation, done=old, new=new)
        if failure is not None:
            raise failure

    def _read(self, step: Planned) -> None:
        old, new = step.old, step.new
        assert new is not None
        operation = self._begin("reading", new)
        failure: InitError | None = None
        try:
            if new.id == UNKNOWN_ID:
                new.outputs = {}
            else:
                provider = self._registry.of(new.provider)
                # The inputs go as both: it is all that is known of the resource.
                found = provider.read(new.urn, new.id, new.inputs, new.inputs)
                new.outputs = found.outputs
                new.id = found.id or new.id
        except InitError as error:
            failure = error
            new.outputs = error.properties
            new.init_errors = error.reasons
        except ProviderError:
            self._journal.end(operation, write=not self._preview)
            raise
        mark(new)
        if old is not None and step.marks_old:
            old.delete = True
            old = None
        self._journal.end(operation, done=old, new=new)
        if failure is not None:
            raise failure

    def _refresh(self, step: Planned) -> None:
        old = step.old
        assert old is not None
        step.outcome = "same"
        step.new = old
        if not old.custom or old.is_provider or old.pending_replacement:
            return
        provider = self._registry.of(old.provider)
        errors: list[str] = []
        try:
            found = provider.read(old.urn, old.id, old.inputs, old.outputs)
            new_id, outputs, inputs = found.id, found.outputs, found.inputs
        except InitError as error:
            errors = error.reasons
            new_id, outputs, inputs = error.id, error.properties, error.inputs
            self._events.log(
                "warning",
                "Refreshed resource is in an unhealthy state:\n* "
                + "\n* ".join(errors),
                old.urn,
            )
        except ProviderError:
            step.outcome = ""
            raise
        if not new_id:
            step.outcome, step.new = "delete", None
            return
        new = old.copied()
        new.id, new.outputs, new.init_errors = new_id, outputs, errors
        new.inputs = old.inputs if inputs is None else inputs
        mark(new)
        step.new = new
        if new.inputs != old.inputs or new.outputs != old.outputs:
            new.modified = now()
        step.changed = difference(old.outputs, new.outputs)
        step.diff = signs(old.outputs, new.outputs)
        if old.external:
            step.outcome = "update" if new.outputs != old.outputs else "same"
            return
        # What the next `up` would have to undo, seen from the other side.
        answer = provider.diff(old.urn, new, old.inputs, old.ignore_changes)
        changes = answer.changes
        if changes is None:
            changes = reveal(new.inputs) != reveal(old.inputs)
        step.outcome = "update" if changes else "same"

    def _delete(self, step: Planned) -> None:
        old = step.old
        assert old is not None
        if old.protect and step.operation == "delete":
            message = (
                f'resource "{old.urn}" cannot be deleted\n'
                "because it is protected. To unprotect the resource, either remove the "
                "`protect` flag from the resource in your Pulumi program and run "
                "`pulumi up`, or use the command:\n"
                f"`pulumi state unprotect '{old.urn}'`"
            )
            raise ProviderError(message)
        operation = self._begin("deleting", old)
        with_owner = (
            bool(old.deleted_with) and old.deleted_with in self._planner.deletes
        )
        untouched = (
            self._preview
            or old.external
            or old.retain_on_delete
            or not old.custom
            or old.is_provider
            or with_owner
        )
        try:
            if not untouched:
                provider = self._registry.of(old.provider)
                provider.delete(old, old.custom_timeouts.get("delete", 0.0))
        except ProviderError:
            self._journal.end(operation, write=not self._preview)
            raise
        if step.pending_replace:
            old.pending_replacement = True
            self._journal.end(operation)
        else:
            self._journal.end(operation, done=old)


def said(error: ProviderError) -> str:
    """What people are shown of a failure."""
    if isinstance(error, InitError) and error.reasons:
        number = len(error.reasons)
        title = "1 error" if number == 1 else f"{number} errors"
        return "\n\t* ".join([f"{title} occurred:", *error.reasons])
    return str(error)


def mark(resource: Resource) -> None:
    """Mark outputs as secret that the options or a secret input of that name demand."""
    for key, value in resource.outputs.items():
        if isinstance(value, Secret):
            continue
        wanted = key in resource.additional_secret_outputs
        if wanted or isinstance(resource.inputs.get(key), Secret):
            resource.outputs = {**resource.outputs, key: secret(value)}
