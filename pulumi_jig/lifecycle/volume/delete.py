"""Deleting a volume that nobody mounts; the steps are `lifecycle.deleting`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_jig.lifecycle import deleting
from pulumi_jig.lifecycle.volume.kind import VOLUME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.lifecycle.invocation import Invocation


def delete(id_: str, state: Mapping[str, Any], inv: Invocation) -> None:
    """Delete a volume and wait until it is gone; see `deleting.delete`."""
    deleting.delete(VOLUME, id_, state, inv)
