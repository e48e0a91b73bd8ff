"""Reading a secret for a refresh: gone only on proof. See `lifecycle.reading`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_jig.lifecycle import reading
from pulumi_jig.lifecycle.secret.kind import SECRET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.lifecycle.invocation import Invocation, Stored


def read(id_: str, state: Mapping[str, Any], inv: Invocation) -> Stored:
    """What is live now; see `reading.read`."""
    return reading.read(SECRET, id_, state, inv)
