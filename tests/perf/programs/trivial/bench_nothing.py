"""A dynamic provider that does nothing: what Pulumi itself costs."""

from __future__ import annotations

from typing import Any

from pulumi.dynamic import CreateResult, ReadResult, Resource, ResourceProvider


class Nothing(ResourceProvider):
    """It keeps what it is given."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Keep it."""
        return CreateResult(props["name"], props)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Keep it."""
        return ReadResult(id_, props)


class Kept(Resource):
    """Something that exists in the state only."""

    def __init__(self, name: str, props: dict[str, Any]) -> None:
        super().__init__(Nothing(), name, props)
