"""The rules of volumes: versions, and how their contents come to be ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .validation import Refused

if TYPE_CHECKING:
    from .clock import Moment
    from .store import Store

Record = dict[str, Any]


class Volumes:
    """Volumes of all accounts."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, account: str, identifier: str) -> Record | None:
        """Return the record of a volume by name or id, or None."""
        found = self._store.by_name("volumes", identifier, account)
        if found is None:
            found = self._store.by_id("volumes", identifier)
            if found is not None and found["account"] != account:
                return None
        return found

    def version_state(self, account: str, mount: Record, now: Moment) -> str:
        """Return the state of a mounted version: ready, pending, syncing or failed."""
        del account, mount, now
        return "ready"

    def pin(
        self, account: str, mount: Record, before: Record | None, now: Moment
    ) -> Record:
        """
        Return the mount with its version.

        Raises:
            Refused: 400, for a volume or version that does not exist.

        """
        del before, now
        if self.find(account, mount["name"]) is None:
            raise Refused(
                400,
                f"volumes[0].name: volume not found: {mount['name']}",
                param="volumes[0].name",
                code="not_found",
            )
        return mount
