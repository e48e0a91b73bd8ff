"""
Carries out planned steps, and writes the state as each begins and ends.

What a step does to the state, what it leaves when it fails half-way, and what it does in
a preview is here, operation by operation.
"""

from __future__ import annotations

import uuid
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

from pulumi_jig.rehearsal.errors import StoppedError
from pulumi_jig.rehearsal.plugins import InitError, ProviderError, ReadResponse
from pulumi_jig.rehearsal.properties import UNKNOWN_STRING, Secret, reveal, secret
from pulumi_jig.rehearsal.state import Resource, now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulumi_jig.rehearsal.events import Events, Planned
    from pulumi_jig.rehearsal.journal import Journal
    from pulumi_jig.rehearsal.providers import Registry


class Executor:
    """Runs chains of steps, no more than `parallel` at once."""

    def __init__(
        self,
        journal: Journal,
        registry: Registry,
        events: Events,
        *,
        preview: bool,
        parallel: int,
    ) -> None:
        self._journal = journal
        self._registry = registry
        self._events = events
        self._preview = preview
        self._pool = ThreadPoolExecutor(parallel)
        self._running: set[Future[None]] = set()
        self._cancelled = Event()
        self.failed = False

    @property
    def cancelled(self) -> bool:
        """Whether the operation is being given up."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Start nothing new; what runs, runs to its end."""
        self.failed = True
        self._cancelled.set()

    def submit(self, chain: list[Planned]) -> Future[None]:
        """
        Carry out steps one after the other, in another thread.

        The future raises `StoppedError` where the operation was given up before the
        chain could start, and where a step failed: then the operation is given up.
        """
        future = self._pool.submit(self._run, chain)
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return future

    def wait(self) -> None:
        """Wait until nothing runs."""
        wait(list(self._running))

    def close(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, chain: list[Planned]) -> None:
        if self.cancelled:
            raise StoppedError
        for step in chain:
            self.step(step)

    def step(self, step: Planned) -> None:
        """
        Carry out one step.

        Raises:
            StoppedError: it failed; the operation is given up.
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
                case "replace":
                    pass
                case "delete" | "delete-replaced":
                    self._delete(step)
                case "discard" | "discard-replaced" | "remove-pending-replace":
                    self._journal.end(done=step.old)
                case "read":
                    self._read(step)
                case "refresh":
                    self._refresh(step)
                case _:
                    message = f"{step.operation} is not a step"
                    raise AssertionError(message)
        except ProviderError as error:
            text = f"Preview failed: {error}" if self._preview else str(error)
            self._events.log("error", text, step.resource.urn)
            self._events.step_ends(step, failed=True)
            if step.operation == "refresh":
                # Other resources are still refreshed; the operation fails at the end.
                self.failed = True
                return
            self.cancel()
            raise StoppedError(str(error)) from error
        self._events.step_ends(step)

    # --- Operations --------------------------------------------------------------

    @contextmanager
    def _operation(
        self,
        kind: str,
        resource: Resource,
        *,
        done: Resource | None = None,
        replaced: Resource | None = None,
    ) -> Iterator[None]:
        """
        Note an operation as pending while it runs, and then what it has made of a resource.

        Where the provider refuses it, nothing has changed. What it could not finish is
        in the state all the same. Then `done` leaves the state, and `replaced` waits
        there for its deletion.
        """
        operation = None if self._preview else self._journal.begin(kind, resource)
        failure: InitError | None = None
        try:
            yield
        except InitError as error:
            failure = error
            resource.id = error.id or resource.id
            resource.outputs = error.properties
            resource.init_errors = error.reasons
        except ProviderError:
            self._journal.end(operation, write=not self._preview)
            raise
        _mark_secrets(resource)
        if failure is not None and kind == "updating" and done is not None:
            # The inputs stay what they were, so that the next run tries again.
            resource.inputs = done.inputs
        if replaced is not None:
            replaced.delete = True
        self._journal.end(operation, done=done, new=resource)
        if failure is not None:
            raise failure

    def _same(self, step: Planned) -> None:
        old, new = _both(step)
        new.id, new.outputs = old.id, old.outputs
        new.init_errors = list(old.init_errors)
        if new.is_provider:
            self._registry.configure(new)
        _mark_secrets(new)
        # What is the same need not be written at once; the operation's end does.
        self._journal.end(done=old, new=new, write=False)

    def _create(self, step: Planned) -> None:
        new, old = step.resource, step.old
        done = old if old is not None and old.pending_replacement else None
        replaced = None if step.delete_first else old
        with self._operation("creating", new, done=done, replaced=replaced):
            if new.is_provider:
                new.id = UNKNOWN_STRING if self._preview else str(uuid.uuid4())
                self._registry.configure(new)
            # The dynamic host has no preview of its own: the engine shows what it knows,
            # which is the inputs.
            new.outputs = new.inputs if new.custom else {}
            new.created = new.modified = now()
            if self._asks_provider(new):
                new.id, new.outputs = self._registry.of(new.provider).create(new)

    def _update(self, step: Planned) -> None:
        old, new = _both(step)
        with self._operation("updating", new, done=old):
            new.id, new.modified = old.id, now()
            new.outputs = new.inputs if new.custom else old.outputs
            if new.is_provider:
                self._registry.configure(new)
            if self._asks_provider(new):
                new.outputs = self._registry.of(new.provider).update(old, new)

    def _read(self, step: Planned) -> None:
        new = step.resource
        with self._operation("reading", new, done=step.old):
            if new.id != UNKNOWN_STRING:
                # The inputs go as both: it is all that is known of the resource.
                found = self._registry.read(new, new.inputs)
                new.id, new.outputs = found.id or new.id, found.outputs

    def _asks_provider(self, resource: Resource) -> bool:
        return resource.custom and not resource.is_provider and not self._preview

    def _refresh(self, step: Planned) -> None:
        old = step.resource
        if not old.custom or old.is_provider or old.pending_replacement:
            step.outcome = "same"
            return
        errors: list[str] = []
        try:
            found = self._registry.read(old, old.outputs)
        except InitError as error:
            errors = error.reasons
            found = ReadResponse(error.id, error.properties, error.inputs)
            listed = "\n* ".join(
                ["Refreshed resource is in an unhealthy state:", *errors]
            )
            self._events.log("warning", listed, old.urn)
        if not found.id:
            step.outcome, step.new = "delete", None
            return
        new = old.copied()
        new.id, new.outputs, new.init_errors = found.id, found.outputs, errors
        new.inputs = old.inputs if found.inputs is None else found.inputs
        _mark_secrets(new)
        step.new = new
        step.compare(old.outputs, new.outputs)
        changes: bool | None = new.outputs != old.outputs
        if changes or new.inputs != old.inputs:
            new.modified = now()
        if not old.external:
            # What the next `up` would have to undo, seen from the other side.
            changes = self._registry.of(old.provider).diff(new, old.inputs).changes
            if changes is None:
                changes = reveal(new.inputs) != reveal(old.inputs)
        step.outcome = "update" if changes else "same"

    def _delete(self, step: Planned) -> None:
        old = step.resource
        if old.protect and step.operation == "delete":
            message = (
                f'resource "{old.urn}" cannot be deleted\n'
                "because it is protected. To unprotect the resource, either remove the "
                "`protect` flag from the resource in your Pulumi program and run "
                "`pulumi up`, or use the command:\n"
                f"`pulumi state unprotect '{old.urn}'`"
            )
            raise ProviderError(message)
        operation = None if self._preview else self._journal.begin("deleting", old)
        is_kept = old.external or old.retain_on_delete
        try:
            if self._asks_provider(old) and not is_kept:
                self._registry.of(old.provider).delete(old)
        except ProviderError:
            self._journal.end(operation, write=not self._preview)
            raise
        if step.delete_first:
            old.pending_replacement = True
        self._journal.end(operation, done=None if step.delete_first else old)


def _both(step: Planned) -> tuple[Resource, Resource]:
    assert step.old is not None
    assert step.new is not None
    return step.old, step.new


def _mark_secrets(resource: Resource) -> None:
    """Mark outputs as secret that the options or a secret input of that name demand."""
    for key, value in resource.outputs.items():
        is_wanted = key in resource.additional_secret_outputs
        if is_wanted or isinstance(resource.inputs.get(key), Secret):
            resource.outputs = {**resource.outputs, key: secret(value)}
