"""
The journal of one operation: what has been done so far, written as each step begins and ends.

A rehearsal that is killed must leave what a killed `pulumi up` leaves: every finished
step, and a pending operation for every step that had begun.

Steps that begin or end while the file is being written share the next writing: each
waits until what it noted is in the file, and 64 at once cost one file instead of 64.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from pulumi_jig.rehearsal.state import Operation, Resource, Snapshot

if TYPE_CHECKING:
    from pulumi_jig.rehearsal.state import StateFile


class Journal:
    """
    The old snapshot and what has become of it.

    Resources that were operated on come first, in the order in which their steps
    ended; those not reached follow in their old order, as in the engine's checkpoints.
    """

    def __init__(self, base: Snapshot, file: StateFile | None) -> None:
        """Without a file, as in a preview, nothing is written."""
        self._base = base
        self._file = file
        self._lock = threading.Lock()
        # One at a time writes; the notes so far, and how many of them are in the file.
        self._writing = threading.Lock()
        self._notes = 0
        self._written = 0
        # A dictionary, since it keeps its order and each step looks itself up.
        self._new: dict[Resource, None] = {}
        self._done: set[Resource] = set()
        self._pending: list[Operation] = []

    def begin(self, kind: str, resource: Resource) -> Operation:
        """Note that an operation on `resource` starts; ended by `end`."""
        operation = Operation(kind, resource)
        with self._lock:
            self._pending.append(operation)
            note = self._noted()
        self._write(note)
        return operation

    def end(
        self,
        operation: Operation | None = None,
        *,
        done: Resource | None = None,
        new: Resource | None = None,
        write: bool = True,
    ) -> None:
        """Note the end of an operation: `done` leaves the state, `new` enters it."""
        with self._lock:
            if operation is not None:
                self._pending.remove(operation)
            if done is not None:
                self._done.add(done)
            if new is not None:
                self._new.setdefault(new)
            note = self._noted()
        if write:
            self._write(note)

    def freeze(self) -> None:
        """Write no more: what is pending now is pending in the file for good."""
        with self._writing:
            self._store()
            self._file = None

    def snapshot(self) -> Snapshot:
        """The state as it is now."""
        with self._lock:
            return self._snapshot()

    def replace_base(self, resources: list[Resource]) -> None:
        """After a refresh: `resources` are the whole state, in this order."""
        with self._lock:
            self._base = Snapshot(resources, self._base.pending)
            self._new.clear()
            self._done.clear()
            note = self._noted()
        self._write(note)

    def _snapshot(self) -> Snapshot:
        resources = [item for item in self._new if item not in self._done]
        kept = [
            item
            for item in self._base.resources
            if item not in self._done and item not in self._new
        ]
        renamed = {
            item.aliased_from: item.urn for item in resources if item.aliased_from
        }
        if renamed:
            kept = [_renamed(item, renamed) for item in kept]
        # Operations that an earlier, interrupted run left behind stay until somebody
        # resolves them: only creates, since the others show in the resource itself.
        earlier = [item for item in self._base.pending if item.kind == "creating"]
        return Snapshot([*resources, *kept], [*earlier, *self._pending])

    def _noted(self) -> int:
        """The number of a note that was just made; called with the lock held."""
        self._notes += 1
        return self._notes

    def _write(self, note: int) -> None:
        """Return when the note, and so all before it, is in the file."""
        with self._writing:
            if self._written < note:
                self._store()

    def _store(self) -> None:
        """Put all notes so far into the file; called by one thread at a time."""
        if self._file is None:
            return
        with self._lock:
            notes = self._notes
            text = self._file.text(self._snapshot())
        self._file.write(text)
        self._written = notes


def _renamed(resource: Resource, names: dict[str, str]) -> Resource:
    """A resource that was not reached, its references following their new names."""
    if not any(urn in names for urn in resource.references()):
        return resource
    result = resource.copied()
    result.parent = names.get(result.parent, result.parent)
    result.dependencies = [names.get(urn, urn) for urn in result.dependencies]
    result.property_dependencies = {
        key: [names.get(urn, urn) for urn in urns]
        for key, urns in result.property_dependencies.items()
    }
    urn, separator, provider_id = result.provider.rpartition("::")
    result.provider = f"{names.get(urn, urn)}{separator}{provider_id}"
    return result
