"""
Creating a secret, or taking over an existing one where the program says so.

The steps are `lifecycle.creating`; nothing here takes over silently.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_jig.lifecycle import creating
from pulumi_jig.lifecycle.secret.kind import SECRET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.lifecycle.invocation import Invocation, Stored


def create(inputs: Mapping[str, Any], inv: Invocation) -> Stored:
    """Create a secret; see `creating.create`."""
    return creating.create(SECRET, inputs, inv)


def adoption_preview(inputs: Mapping[str, Any], inv: Invocation) -> list[str] | None:
    """What taking over would change: the value always, since nobody can compare it."""
    found = creating.adoption_preview(SECRET, inputs, inv)
    return None if found is None else ["value", *found]
