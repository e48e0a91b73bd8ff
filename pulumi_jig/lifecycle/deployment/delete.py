"""Deleting a deployment, by its id, until it is gone. See `lifecycle.deleting`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_jig.lifecycle import deleting
from pulumi_jig.lifecycle.deployment.kind import DEPLOYMENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.lifecycle.invocation import Invocation


def delete(id_: str, state: Mapping[str, Any], inv: Invocation) -> None:
    """Delete a deployment; see `deleting.delete`."""
    deleting.delete(DEPLOYMENT, id_, state, inv)
