"""
The journal of one operation: what has been done so far, written after every step.

Why it exists: a rehearsal that is killed must leave what a killed `pulumi up` leaves:
every finished step, and a pending operation for every step that had begun. The state
is therefore not written at the end but at each beginning and each end.

What it refuses: nothing; in a preview it keeps everything in memory and writes nothing.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .state import Operation, Resource, Snapshot

if TYPE_CHECKING:
    from .state import StateFile


class Journal:
    """
    The old snapshot and what has become of it.

    Resources that were operated on come first, in the order in which their steps
    ended; those not reached follow in their old order, as in the engine's checkpoints.
    """

    def __init__(self, base: Snapshot, file: StateFile | None) -> None:
        self._base = base
        self._file = file
        self._lock = threading.Lock()
        self._new: list[Resource] = []
        self._done: set[Resource] = set()
        self._completed: set[Resource] = set()
        self._pending: list[Operation] = []

    def begin(self, kind: str, resource: Resource) -> Operation:
        """Note that an operation on `resource` starts; ended by `end`."""
        operation = Operation(kind, resource)
        with self._lock:
            self._pending.append(operation)
            self._write()
        return operation

    def end(
        self,
        operation: Operation | None,
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
            if new is not None and new not in self._new:
                self._new.append(new)
            if write:
                self._write()

    def flush(self) -> None:
        """Write what the steps so far have made of the state."""
        with self._lock:
            self._write()

    def freeze(self) -> None:
        """Write no more: what is pending now is pending in the file for good."""
        with self._lock:
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
            self._write()

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

    def _write(self) -> None:
        if self._file is not None:
            self._file.save(self._snapshot())


def _renamed(resource: Resource, names: dict[str, str]) -> Resource:
    """A resource that was not reached, its references following their new names."""
    if not any(urn in names for urn in resource.references()):
        return resource
    result = resource.copied()
    result.parent = names.get(result.parent, result.parent)
    result.deleted_with = names.get(result.deleted_with, result.deleted_with)
    result.dependencies = [names.get(urn, urn) for urn in result.dependencies]
    result.property_dependencies = {
        key: [names.get(urn, urn) for urn in urns]
        for key, urns in result.property_dependencies.items()
    }
    if result.provider:
        urn, _, provider_id = result.provider.rpartition("::")
        result.provider = f"{names.get(urn, urn)}::{provider_id}"
    return result
