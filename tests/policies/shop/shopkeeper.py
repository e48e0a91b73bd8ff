"""
Resources with the type token of deployments, kept as files.

Policies judge types and properties, so these scenarios need no service; whatever is
created leaves a file, so that a test can say that nothing was.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pulumi
from pulumi import dynamic


class Keeper(dynamic.ResourceProvider):
    """Writes a file per resource."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Keep the name."""
        (Path(os.environ["SHOP"]) / props["name"]).touch()
        return dynamic.CreateResult(props["name"], dict(props))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Drop the name."""
        (Path(os.environ["SHOP"]) / _id).unlink(missing_ok=True)

    def diff(self, _id: str, olds: Any, news: Any) -> dynamic.DiffResult:
        """Anything that differs is an update in place."""
        return dynamic.DiffResult(changes=olds != news)


class Deployment(dynamic.Resource, module="jig", name="Deployment"):
    """A deployment by its type only."""

    def __init__(
        self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None
    ) -> None:
        super().__init__(Keeper(), name, {**props, "name": name}, opts)


class Lost(Deployment):
    """A plain subclass, which loses its type token."""
