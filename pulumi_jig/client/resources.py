"""
One client per kind of resource: deployments, secrets, volumes, with the same methods.

Requests are plain data that was validated before; responses are the tolerant models of
`schema.responses`. Names that would lead to another path than the one meant are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar
from urllib.parse import quote

from pulumi_jig.errors import InputError
from pulumi_jig.naming import RESERVED_NAMES
from pulumi_jig.schema.responses import (
    DeploymentResponseItem,
    DeploymentRevision,
    DeploymentRevisionEvent,
    ResponseModel,
    SecretResponseItem,
    VolumeResponseItem,
)
from pulumi_jig.text import safe_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pulumi_jig.client.core import JigClient
    from pulumi_jig.deadline import Deadline

Item = TypeVar("Item", bound=ResponseModel)

#: The largest page of a deployment's history that the service gives.
PAGE: Final = 100


def segment(value: str, what: str, reserved: frozenset[str] = frozenset()) -> str:
    """
    A name or id as one segment of a path.

    Args:
        value: The name or id.
        what: What it is the name of, for the message.
        reserved: Names that are paths of their own.

    Raises:
        InputError: It would lead elsewhere.
    """
    if (
        not value
        or value in {".", ".."}
        or value in reserved
        or not value.isprintable()
        or len(value) > 200
    ):
        shown = value[:60] if value.isprintable() else "(not printable)"
        sentence = f'"{shown}" cannot be the name or id of a {what}'
        raise InputError(f"{sentence}.", [("name", sentence)])
    return quote(value, safe="")


class ResourceClient(Generic[Item]):
    """
    One kind of resource: create, get, list, update, delete.

    Every method takes the operation's `Deadline` and raises what
    `JigClient.request` raises.
    """

    path: str
    what: str
    item: type[Item]
    reserved: frozenset[str] = frozenset()

    def __init__(self, client: JigClient) -> None:
        self._client = client

    def _one(self, name: str) -> str:
        return f"{self.path}/{segment(name, self.what, self.reserved)}"

    def create(self, body: Mapping[str, Any], ctx: Deadline) -> Item:
        """Create one; sent again only when the service certainly did not act."""
        answer = self._client.request("POST", self.path, json=body, ctx=ctx)
        return self.item.parse(_object(answer))

    def get(self, name: str, ctx: Deadline) -> Item:
        """One, by name or id."""
        answer = self._client.request("GET", self._one(name), ctx=ctx)
        return self.item.parse(_object(answer))

    def list(self, ctx: Deadline) -> list[Item]:
        """All of the account (the service does not page these)."""
        answer = self._client.request("GET", self.path, ctx=ctx)
        return [self.item.parse(entry) for entry in _entries(answer)]

    def update(self, name: str, body: Mapping[str, Any], ctx: Deadline) -> Item:
        """Change one; what `body` leaves out stays as it is."""
        answer = self._client.request("PATCH", self._one(name), json=body, ctx=ctx)
        return self.item.parse(_object(answer))

    def delete(self, name: str, ctx: Deadline) -> None:
        """Delete one; `NotFoundError` where there is none."""
        self._client.request("DELETE", self._one(name), ctx=ctx)


class DeploymentsClient(ResourceClient[DeploymentResponseItem]):
    """`/v1/deployments`: containers on GPUs."""

    path = "/v1/deployments"
    what = "deployment"
    item = DeploymentResponseItem
    reserved = RESERVED_NAMES

    def logs(
        self,
        name: str,
        ctx: Deadline,
        *,
        replica_id: str | None = None,
        revision: str | None = None,
        version: str | None = None,
    ) -> list[str]:
        """
        Lines of output, oldest first, without secrets and harmless.

        Args:
            name: Name or id.
            ctx: The operation.
            replica_id: Only this replica's.
            revision: Only this revision's (its UUID).
            version: Only this image's: its tag, or the last 4 characters of its digest.
        """
        filters = {"replica_id": replica_id, "revision": revision, "version": version}
        answer = self._client.request(
            "GET",
            f"{self._one(name)}/logs",
            params={k: v for k, v in filters.items() if v is not None},
            ctx=ctx,
        )
        lines = answer.get("lines") if isinstance(answer, dict) else answer
        if not isinstance(lines, list):
            return []
        return safe_lines(lines)

    def revisions(
        self, name: str, ctx: Deadline, *, limit: int | None = None
    ) -> list[DeploymentRevisionEvent]:
        """
        The history, newest first, all pages of it.

        Args:
            name: Name or id.
            ctx: The operation.
            limit: How many events at most; the service keeps 200.
        """
        found: list[DeploymentRevisionEvent] = []
        for event in self._pages(name, ctx, limit):
            found.append(event)
            if limit is not None and len(found) >= limit:
                break
        return found

    def _pages(
        self, name: str, ctx: Deadline, limit: int | None
    ) -> Iterator[DeploymentRevisionEvent]:
        size = PAGE if limit is None else max(1, min(PAGE, limit))
        before: int | None = None
        while True:
            params = {"limit": str(size)}
            if before is not None:
                params["before"] = str(before)
            answer = self._client.request(
                "GET", f"{self._one(name)}/revisions", params=params, ctx=ctx
            )
            page = [DeploymentRevisionEvent.parse(e) for e in _entries(answer)]
            yield from page
            numbers = [e.event_number for e in page if isinstance(e.event_number, int)]
            # A page that is not full is the last; one that does not go back would
            # come for ever.
            if len(page) < size or not numbers:
                return
            if before is not None and min(numbers) >= before:
                return
            before = min(numbers)

    def revision(
        self, name: str, revision: str | int, ctx: Deadline
    ) -> DeploymentRevision:
        """The configuration of one revision, by its number or id."""
        which = segment(str(revision), "revision")
        answer = self._client.request(
            "GET", f"{self._one(name)}/revisions/{which}", ctx=ctx
        )
        return DeploymentRevision.parse(_object(answer))

    def rollback(
        self, name: str, revision: str | int, ctx: Deadline
    ) -> DeploymentResponseItem:
        """Re-apply an earlier revision, by its number or id."""
        answer = self._client.request(
            "POST",
            f"{self._one(name)}/rollback",
            json={"revision_identifier": str(revision)},
            ctx=ctx,
        )
        return DeploymentResponseItem.parse(_object(answer))


class SecretsClient(ResourceClient[SecretResponseItem]):
    """`/v1/deployments/secrets`: values that the service keeps and never returns."""

    path = "/v1/deployments/secrets"
    what = "secret"
    item = SecretResponseItem


class VolumesClient(ResourceClient[VolumeResponseItem]):
    """`/v1/deployments/storage/volumes`: read-only files, in versions."""

    path = "/v1/deployments/storage/volumes"
    what = "volume"
    item = VolumeResponseItem

    def update(
        self, name: str, body: Mapping[str, Any], ctx: Deadline
    ) -> VolumeResponseItem:
        """Change one; a content makes a new version each time that it arrives."""
        answer = self._client.request(
            "PATCH",
            self._one(name),
            json=body,
            ctx=ctx,
            idempotent="content" not in body,
        )
        return self.item.parse(_object(answer))


def _object(answer: Any) -> Any:
    """One resource; `{"data": {...}}` is opened."""
    if isinstance(answer, dict) and isinstance(answer.get("data"), dict):
        return answer["data"]
    return answer if isinstance(answer, dict) else {}


def _entries(answer: Any) -> list[Any]:
    """The resources of a list, bare or in `data`; what is no object is left out."""
    data = answer.get("data") if isinstance(answer, dict) else answer
    return [e for e in data if isinstance(e, dict)] if isinstance(data, list) else []
