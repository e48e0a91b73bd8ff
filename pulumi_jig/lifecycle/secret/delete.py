"""Deleting a secret, by its id, until it is gone. See `lifecycle.deleting`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_jig.lifecycle import deleting
from pulumi_jig.lifecycle.secret.kind import SECRET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.lifecycle.invocation import Invocation


def delete(id_: str, state: Mapping[str, Any], inv: Invocation) -> None:
    """Delete a secret; see `deleting.delete`."""
    deleting.delete(SECRET, id_, state, inv)
