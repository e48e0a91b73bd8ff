"""
Creating a deployment, or taking over an existing one where the program says so.

A creation never takes over silently: a deployment of that name is an error that says
whose it is and what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_jig.lifecycle.deployment.discretion import discreet
from pulumi_jig.lifecycle.deployment.identity import account_of
from pulumi_jig.lifecycle.deployment.patching import patch, patch_body
from pulumi_jig.lifecycle.deployment.posting import post
from pulumi_jig.lifecycle.deployment.sending import (
    Change,
    differences,
    find,
    just_deleted,
    require_storable,
    required_name,
)
from pulumi_jig.lifecycle.deployment.serving import roll_out
from pulumi_jig.lifecycle.invocation import CREATE_TIMEOUT, Stored
from pulumi_jig.lifecycle.memory import name_lock
from pulumi_jig.lifecycle.preview import glance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.context import CallContext
    from pulumi_jig.lifecycle.invocation import Invocation
    from pulumi_jig.models import DeploymentResponseItem


def create(inputs: Mapping[str, Any], inv: Invocation) -> Stored:
    """
    Create a deployment and wait until it serves.

    Args:
        inputs: Checked inputs, all known.
        inv: The call.

    Returns:
        The new resource.

    Raises:
        PartialFailureError: It exists (or may exist) and does not serve.
        OwnershipError: The name is taken; nothing was changed.
        JigError: Nothing was created.
    """
    name = required_name(inputs)
    require_storable(inputs)
    with discreet(inv, inputs) as quiet, name_lock(name):
        return _create(name, inputs, quiet)


def _create(name: str, inputs: Mapping[str, Any], inv: Invocation) -> Stored:
    ctx = inv.context(CREATE_TIMEOUT)
    account = account_of(inv, ctx)
    if inputs.get("adopt") is True:
        found = find(inv, ctx, name)
        # What this very run deleted may show for a moment longer.
        if found is not None and not just_deleted(name, found):
            return _adopt(inputs, found, account, inv, ctx)
    return roll_out(post(inputs, account, inv, ctx), inv, ctx)


def _adopt(
    inputs: Mapping[str, Any],
    found: DeploymentResponseItem,
    account: str | None,
    inv: Invocation,
    ctx: CallContext,
) -> Stored:
    """Take over an existing deployment: a fresh nonce, and what is declared."""
    inv.log(
        "info",
        f"takes over the existing deployment {found.name} (id {found.id})",
    )
    body = patch_body(inputs, found, inv, clear=())
    item = patch(
        Change(inputs, found, account=account, created=True),
        body,
        inv,
        ctx,
        # It carries somebody else's mark or none, of course.
        still_ours=lambda _: None,
    )
    return roll_out(
        Change(
            inputs,
            item,
            before=found,
            account=account,
            created=True,
            changed=tuple(body),
        ),
        inv,
        ctx,
    )


def adoption_preview(inputs: Mapping[str, Any], inv: Invocation) -> list[str] | None:
    """
    What taking over would change, as field names; None where there is nothing to take.

    Raises:
        JigError: The service could not be asked.
    """
    name = required_name(inputs)
    found = glance(inv, lambda ctx: find(inv, ctx, name))
    return None if found is None else differences(inputs, found)
