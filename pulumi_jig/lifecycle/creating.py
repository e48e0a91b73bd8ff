"""
Creating something, or taking over an existing one where the program says so.

A creation never takes over silently: something of that name is an error that says
whose it is and what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pulumi_jig.lifecycle.identity import account_of
from pulumi_jig.lifecycle.keys import remember_secrets
from pulumi_jig.lifecycle.kind import id_of, name_in
from pulumi_jig.lifecycle.memory import name_lock
from pulumi_jig.lifecycle.patching import patch
from pulumi_jig.lifecycle.posting import post
from pulumi_jig.lifecycle.preview import glance
from pulumi_jig.lifecycle.sending import (
    Change,
    find,
    just_deleted,
    require_storable,
    required_name,
)
from pulumi_jig.schema.responses import ResponseModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.deadline import Deadline
    from pulumi_jig.lifecycle.invocation import Invocation, Stored
    from pulumi_jig.lifecycle.kind import Kind

Item = TypeVar("Item", bound=ResponseModel)


def create(kind: Kind[Item], inputs: Mapping[str, Any], inv: Invocation) -> Stored:
    """
    Create something and wait until it is what was asked for.

    Args:
        kind: What it is.
        inputs: Checked inputs, all known.
        inv: The call.

    Returns:
        The new resource.

    Raises:
        PartialFailureError: It exists (or may exist) and is not what was asked for.
        OwnershipError: The name is taken; nothing was changed.
        JigError: Nothing was created.
    """
    name = required_name(kind, inputs)
    require_storable(inputs)
    remember_secrets(inputs)
    with name_lock(kind.key(name)):
        return _create(kind, name, inputs, inv)


def _create(
    kind: Kind[Item], name: str, inputs: Mapping[str, Any], inv: Invocation
) -> Stored:
    ctx = inv.context(kind.create_timeout)
    # Who we are is remembered with what was created; the creation need not wait for it.
    account = inv.alongside(lambda: account_of(inv, ctx))
    if inputs.get("adopt") is True:
        found = find(kind, inputs, inv, ctx)
        # What this very run deleted may show for a moment longer.
        if found is not None and not just_deleted(kind, name, found):
            return _adopt(kind, inputs, found, inv, ctx, account=account())
    return kind.finish(post(kind, inputs, account, inv, ctx), inv, ctx)


def _adopt(
    kind: Kind[Item],
    inputs: Mapping[str, Any],
    found: Item,
    inv: Invocation,
    ctx: Deadline,
    *,
    account: str | None,
) -> Stored:
    """Take over an existing thing: a fresh nonce, and what is declared."""
    inv.log(
        "info",
        f"takes over the existing {kind.what} {name_in(found)} (id {id_of(found)})",
    )
    body = kind.patch_body(inputs, found, inv, None)
    item = patch(
        kind,
        Change(inputs, found, account=account, created=True),
        body,
        inv,
        ctx,
        # It carries somebody else's mark or none, of course.
        still_ours=lambda _: None,
    )
    return kind.finish(
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


def adoption_preview(
    kind: Kind[Item], inputs: Mapping[str, Any], inv: Invocation
) -> list[str] | None:
    """
    What taking over would change, as field names; None where there is nothing to take.

    Raises:
        JigError: The service could not be asked.
    """
    found = glance(inv, lambda ctx: find(kind, inputs, inv, ctx))
    return None if found is None else kind.differences(inputs, found)
