"""
Creating a volume, or taking over an existing one where the program says so.

The steps are `lifecycle.creating`; nothing here takes over silently.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_jig.lifecycle import creating
from pulumi_jig.lifecycle.volume.kind import VOLUME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.lifecycle.invocation import Invocation, Stored


def create(inputs: Mapping[str, Any], inv: Invocation) -> Stored:
    """Create a volume and wait until it is ready; see `creating.create`."""
    return creating.create(VOLUME, inputs, inv)


def adoption_preview(inputs: Mapping[str, Any], inv: Invocation) -> list[str] | None:
    """What taking over would change; see `creating.adoption_preview`."""
    return creating.adoption_preview(VOLUME, inputs, inv)
