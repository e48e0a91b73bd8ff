"""
The same deployments by a dynamic provider written the usual way.

It is what the guides for dynamic providers lead to: one class, one HTTP client for the
process, a loop that polls until the deployment is ready, a diff that compares the inputs.
It knows no ownership, no ambiguous ends, no partial failures.
"""

from __future__ import annotations

import os
import time
from typing import Any

import httpx
import pulumi
from pulumi.dynamic import (
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

_client: httpx.Client | None = None


def client() -> httpx.Client:
    """One client for the process."""
    global _client  # noqa: PLW0603 - the usual way
    if _client is None:
        key = os.environ["TOGETHER_API_KEY"]
        _client = httpx.Client(
            base_url=os.environ["TOGETHER_BASE_URL"] + "/v1",
            headers={"Authorization": f"Bearer {key}"},
            timeout=60,
        )
    return _client


def body(props: dict[str, Any]) -> dict[str, Any]:
    """The request of a deployment; numbers come from the engine as doubles."""
    return {
        key: int(value) if isinstance(value, float) else value
        for key, value in props.items()
        if not key.startswith("__")
    }


class StockProvider(ResourceProvider):
    """Create, read, update and delete, and nothing besides."""

    serialize_as_secret_always = False

    def diff(self, _id: str, _olds: Any, _news: Any) -> DiffResult:
        """Compare the inputs."""
        return DiffResult(changes=body(_olds) != body(_news))

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Create and wait."""
        client().post("/deployments", json=body(props)).raise_for_status()
        self._wait(props["name"])
        return CreateResult(props["name"], props)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Look whether it is there."""
        answer = client().get(f"/deployments/{id_}")
        return ReadResult("" if answer.status_code == 404 else id_, props)

    def update(self, _id: str, _olds: Any, _news: Any) -> UpdateResult:
        """Change and wait."""
        client().patch(f"/deployments/{_id}", json=body(_news)).raise_for_status()
        self._wait(_id)
        return UpdateResult(_news)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Delete and wait."""
        client().delete(f"/deployments/{_id}").raise_for_status()
        while client().get(f"/deployments/{_id}").status_code != 404:
            time.sleep(3)

    def _wait(self, name: str) -> None:
        while client().get(f"/deployments/{name}").json()["status"] != "Ready":
            time.sleep(3)


class StockDeployment(Resource):
    """A deployment."""

    def __init__(self, name: str, props: dict[str, Any]) -> None:
        super().__init__(StockProvider(), name, props, pulumi.ResourceOptions())
