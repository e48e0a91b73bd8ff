"""Updating a secret: only what differs, only ours. See `lifecycle.updating`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_jig.lifecycle import updating
from pulumi_jig.lifecycle.secret.kind import SECRET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.lifecycle.invocation import Invocation, Stored


def update(
    state: Mapping[str, Any], inputs: Mapping[str, Any], inv: Invocation
) -> Stored:
    """Bring a secret to what is declared; see `updating.update`."""
    return updating.update(SECRET, state, inputs, inv)
