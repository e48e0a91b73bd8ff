"""A service of secrets or volumes, on the same wire, and a record of who wrote to what."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from chaos_world import World

if TYPE_CHECKING:
    import random

    from pulumi_jig.client.transport import Request

Record = dict[str, Any]

#: Where each kind lives in the API.
PATHS: Final = {
    "secret": "/v1/deployments/secrets",
    "volume": "/v1/deployments/storage/volumes",
}


class NounWorld(World):
    """
    A world in which only things of one kind are made.

    Attributes:
        life: `secret` or `volume`.
        copies: Versions that were made for the step under way.
    """

    def __init__(self, rng: random.Random, life: str) -> None:
        super().__init__(rng)
        self.life = life
        self.copies = 0

    @property
    def path(self) -> str:
        """Where the things of this kind live."""
        return PATHS[self.life]

    def _meant(self, request: Request) -> Record | None:
        before, _, reference = request.path.rpartition("/")
        return self.record(reference) if before == self.path else None

    def _record(self, request: Request, before: Record | None, answer: Record) -> None:
        body = json.loads(request.body or b"{}")
        if request.method == "PATCH" and "content" in body:
            self.copies += 1
            if self.copies > 1:
                self.violations.append(
                    f"{self.copies} versions of {answer['name']} for one update"
                )
        super()._record(request, before, answer)

    def record(self, reference: str) -> Record | None:
        """The service's own record of a thing of the account, by name or id."""
        store, table = self.backend.store, f"{self.life}s"
        found = store.by_name(table, reference, "home")
        found = found or store.by_id(table, reference)
        return found if found is not None and found["account"] == "home" else None

    def records(self) -> list[Record]:
        """All things of the account."""
        return list(self.backend.store.all(f"{self.life}s", "home"))

    def somebody(self, method: str, record: Record | None, body: Any = None) -> Any:
        """A request of somebody else's about a thing, or one that makes one."""
        path = self.path.removeprefix("/v1")
        if record is not None:
            path = f"{path}/{record['id']}"
        return self.as_somebody(method, path, body)

    def begin(self, writer: str | None, takes: str | None) -> None:
        """A step of a resource begins."""
        super().begin(writer, takes)
        self.copies = 0

    def ready(self, record: Record) -> bool:
        """Whether the newest version of a volume can be mounted."""
        shown = self.backend.run(lambda now: self.backend.volumes.view(record, now))
        return str(shown.get("status")) == "ready"


def fingerprint(value: str) -> str:
    """What the service keeps of a secret's value."""
    return hashlib.sha256(value.encode()).hexdigest()
