"""Updating a volume: a new version where one is due; see `lifecycle.updating`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_jig.lifecycle import updating
from pulumi_jig.lifecycle.volume.kind import VOLUME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.lifecycle.invocation import Invocation, Stored


def update(
    state: Mapping[str, Any], inputs: Mapping[str, Any], inv: Invocation
) -> Stored:
    """Bring a volume to what is declared; see `updating.update`."""
    return updating.update(VOLUME, state, inputs, inv)
