"""
What became of the operations that an interrupted run left in the state.

Each pending operation on one of our resources is looked up by name and nonce, and gets an
action: what exists, to whom it belongs, and what the state shall say of it. Actions are
applied to a copy of the export; the caller decides whether it is stored.

Nothing is imported that does not carry the operation's own nonce, nothing is called absent
that another account's key cannot see, and encrypted inputs are taken over as they are.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.cli.resolutions import (
    Action,
    Finding,
    RecoveryContext,
    holds,
    missing_ancestors,
    needed_by,
    stored_resource,
    without_missing,
)
from pulumi_jig.cli.state_export import Record, provider_name, with_live_values
from pulumi_jig.cli.stored import (
    ID_KEYS,
    arrived,
    condition,
    kind_of,
    live_of,
    outputs_of,
    refreshed_inputs,
    times,
    unfinished,
)
from pulumi_jig.errors import NotFoundError
from pulumi_jig.lifecycle.kind import id_of, mark_on, name_in
from pulumi_jig.schema.responses import DeploymentResponseItem

if TYPE_CHECKING:
    from pulumi_jig.cli.state_export import Export
    from pulumi_jig.lifecycle.kind import Kind
    from pulumi_jig.schema.responses import ResponseModel

#: A state that was written at least so many seconds ago was not written by a run whose
#: plugin may still have a request under way: absent is absent at the first look.
STALE: Final = 120.0


def resolve(export: Export, index: int, context: RecoveryContext) -> Finding:
    """
    Find out what became of one pending operation.

    Raises:
        JigError: The service could not be asked.
    """
    operation = export.pending[index]
    resource: Record = operation["resource"]
    kind_of_operation = str(operation.get("type"))

    def finding(action: Action, message: str, **more: Any) -> Finding:
        return Finding(
            index, kind_of_operation, resource["urn"], action, message, **more
        )

    kind = kind_of(resource["type"])
    if kind is None:
        return finding(
            Action.SKIP,
            "Not a deployment, secret or volume, so it is left as it is; `pulumi "
            "refresh` asks what to do with it.",
        )
    if kind_of_operation not in _RESOLVERS:
        return finding(Action.DISCARD, "Nothing was changed by it.")
    at = provider_name(resource)
    if at != context.provider:
        return finding(
            Action.SKIP,
            f'It stands at provider "{at}", which has a key of its own: run this again '
            f"with that key in TOGETHER_API_KEY and --provider {at}.",
        )
    others = _other_account(export, context)
    if others:
        return finding(Action.SKIP, others)
    return _RESOLVERS[kind_of_operation](kind, export, resource, context, finding)


def _accounts(export: Export, context: RecoveryContext) -> set[str]:
    """The accounts of the resources that stand at the provider whose key is in use."""
    return {
        account
        for item in export.resources
        if item["type"] in ID_KEYS
        and not item.get("external")
        and provider_name(item) == context.provider
        and isinstance(account := (item.get("outputs") or {}).get("__account"), str)
    }


def _proves_absence(export: Export, data: Record, context: RecoveryContext) -> bool:
    """
    Whether a 404 to this key proves that something with this data does not exist.

    It does where the key is the one that the data was made with, or where the service
    says that it belongs to the account of the data, or of the stack's other resources.
    """
    if data.get("__key") == context.client.settings.key_fingerprint:
        return True
    own = data.get("__account")
    known = {own} if isinstance(own, str) else _accounts(export, context)
    return context.account is not None and context.account in known


def _other_account(export: Export, context: RecoveryContext) -> str | None:
    known = _accounts(export, context)
    if context.account is None or not known or context.account in known:
        return None
    return (
        f"The key in use belongs to account {context.account}, but the resources of "
        f"this stack to {', '.join(sorted(known))}: what this key cannot see may exist "
        "all the same. Use that account's key."
    )


# --- One resolver per kind of operation -------------------------------------------

_NOT_THERE: Final = (
    "The state does not have what it was about; a later run replaced or removed it."
)
_Finder = Any  # Makes a finding about the operation at hand.


def _creating(
    kind: Kind[Any],
    export: Export,
    resource: Record,
    context: RecoveryContext,
    finding: _Finder,
) -> Finding:

    inputs: Record = resource.get("inputs") or {}
    name = inputs.get("name")
    if not isinstance(name, str):
        return _left(finding, "Its name is encrypted, so it cannot be looked up.")
    item = _find(kind, name, context, patient=not _stale(export.written))
    if item is None and not _proves_absence(export, inputs, context):
        message = (
            f'There is no {kind.what} "{name}" for this key, and nothing tells whether '
            "the interrupted run had a key of this account: what this key cannot see may "
            f"exist{kind.at_stake(', run and bill')} all the same. Use the key of that "
            "run; when you are sure that there is none, `pulumi refresh "
            "--clear-pending-creates` drops the operation."
        )
        return _made(finding, Action.SKIP, message, name)
    if item is None:
        message = (
            f'There is no {kind.what} "{name}": the run ended before it was created.'
        )
        return _made(finding, Action.DISCARD, message, name)
    ours = _is_ours(kind, export, inputs, item, resource["urn"])
    adopted = inputs.get("adopt") is True and ours and not _knows(export, inputs)
    thing = kind.title(f'"{name}"')
    if holds(export, resource["urn"], kind, item) and not adopted:
        message = (
            f"{thing} is the one that this resource already has; the new "
            "one was never created."
        )
        return _made(finding, Action.DISCARD, message, name, item)
    if not ours:
        mark = mark_on(item)
        belongs = f"belongs to {mark.owner}" if mark else "carries no mark"
        message = (
            f'A {kind.what} "{name}" exists, but it {belongs} and not the mark of this '
            "operation: it is not touched. When you are sure that it is somebody "
            "else's, `pulumi refresh --clear-pending-creates` drops the operation."
        )
        return _made(finding, Action.SKIP, message, name, item)
    along = missing_ancestors(export, resource)
    if along is None:
        message = (
            f"{thing} exists and is ours, but what holds it (its component, or a "
            "provider of its own) is not in the state any more. Run `pulumi up`, which "
            "brings that back and fails on this resource; then run this again."
        )
        return _made(finding, Action.SKIP, message, name, item)
    message = f"{thing} exists and is ours{condition(kind, item)}: it becomes a "
    message += "resource of the stack."
    resource = without_missing(export, resource)
    taken = {**resource, "id": name_in(item) or name, **times()}
    taken["outputs"] = outputs_of(
        kind, inputs, item, context.account, in_clear=context.in_clear
    )
    taken["outputs"] |= unfinished(kind, item, inputs)
    taken.pop("initErrors", None)
    # What was adopted is older than anything, and not this program's to delete.
    if inputs.get("adopt") is not True and _is_outlived(
        kind, export, resource["urn"], item
    ):
        taken["delete"] = True
        message = (
            f"{thing} exists and is ours, but a later run gave this "
            "resource another one: it waits in the state for its deletion, which the "
            "next `pulumi up` makes."
        )
    return _made(
        finding, Action.IMPORT, message, name, item, resource=taken, along=along
    )


def _is_ours(
    kind: Kind[Any], export: Export, inputs: Record, item: ResponseModel, urn: str
) -> bool:
    from pulumi_jig.lifecycle.identity import Whose, whose

    if kind.mark(inputs, urn) is not None:
        return whose(item, inputs, urn) is Whose.OURS
    # Of what the service does not show nothing tells ours from somebody's namesake.
    return (
        not kind.complete_at_once
        and mark_on(item) is None
        # A twin from another time was there before the operation, or came after it.
        and kind.is_twin(
            item, with_live_values(inputs, live_of(item)), _seconds(export.written)
        )
    )


def _knows(export: Export, inputs: Record) -> bool:
    """Whether the nonce of an operation stands in the state already."""
    return any(
        (resource.get("inputs") or {}).get("__nonce") == inputs.get("__nonce")
        for resource in export.resources
    )


def _is_outlived(
    kind: Kind[Any], export: Export, urn: str, item: ResponseModel
) -> bool:
    """Whether the state has a younger one under this URN: a later run made it."""
    created_at = getattr(item, "created_at", None)
    for resource in export.resources:
        outputs = resource.get("outputs") or {}
        made = outputs.get("created_at")
        if resource["urn"] != urn or resource.get("delete") or not created_at:
            continue
        if outputs.get(kind.id_key) != id_of(item) and isinstance(made, str):
            return made > str(created_at)
    return False


def _updating(
    kind: Kind[Any],
    export: Export,
    resource: Record,
    context: RecoveryContext,
    finding: _Finder,
) -> Finding:
    from pulumi_jig.lifecycle.identity import foreign
    from pulumi_jig.lifecycle.keys import UNREADY, with_added

    stored = stored_resource(export, resource)
    if stored is None:
        return _made(finding, Action.DISCARD, _NOT_THERE, None)
    state, name, item = _looked_up(kind, stored, context)
    thing = kind.title(f'"{name}"')
    if item is None:
        message = (
            f"{thing} is gone; the operation is dropped, and `pulumi "
            "refresh` takes the resource out of the state."
        )
        return _made(finding, Action.DISCARD, message, name)
    why = foreign(kind, item, with_live_values(state, {}), resource["urn"])
    if why:
        message = f"{why} The operation is dropped and nothing else changed."
        return _made(finding, Action.DISCARD, message, name, item)
    news = resource.get("inputs") or {}
    there = _arrived(kind, stored, news, item)
    inputs = news if there else refreshed_inputs(kind, stored, item)
    refreshed = {**stored, "inputs": inputs, "modified": times()["modified"]}
    account = state.get("__account") or context.account
    # Of what no response shows, the value that may have arrived is the one to remember.
    sent = news if kind.complete_at_once else inputs
    refreshed["outputs"] = outputs_of(
        kind,
        with_added(sent, state),
        item,
        account if isinstance(account, str) else None,
        in_clear=context.in_clear,
    ) | unfinished(kind, item, inputs)
    refreshed["outputs"] |= kind.unfinished_update(state)
    if kind.complete_at_once:
        # Whether a value arrived the service does not show, so it is sent again.
        refreshed["outputs"][UNREADY] = ["the run that updated it was interrupted"]
    message = f'The update of {kind.what} "{name}" ' + (
        f"arrived{condition(kind, item)}: the state takes it over."
        if there
        else "may have arrived or not, since the service shows no values: the next "
        "`pulumi up` sends what is declared."
        if kind.complete_at_once
        else "did not arrive, or not all of it: the state shows what is live, and the "
        "next `pulumi up` makes the rest."
    )
    return _made(finding, Action.REFRESH, message, name, item, resource=refreshed)


def _deleting(
    kind: Kind[Any],
    export: Export,
    resource: Record,
    context: RecoveryContext,
    finding: _Finder,
) -> Finding:
    stored = stored_resource(export, resource)
    if stored is None:
        return _made(finding, Action.DISCARD, _NOT_THERE, None)
    state, name, item = _looked_up(kind, stored, context)
    thing = kind.title(f'"{name}"')
    if item is None and not _proves_absence(export, state, context):
        message = (
            f"{thing} does not exist for this key, which proves nothing: nobody says "
            "whose the key is that made it. It stays in the state."
        )
        return _made(finding, Action.DISCARD, message, name)
    if item is not None:
        message = (
            f"{thing} still exists: it stays in the state"
            f"{kind.at_stake(', and may be running and billing')} "
            "until the next `pulumi up` or `destroy` deletes it."
        )
        return _made(finding, Action.DISCARD, message, name, item)
    needed = needed_by(export, stored)
    if needed:
        message = (
            f"{thing} is gone, but {needed} in the state depends on it; "
            "`pulumi refresh` sorts that out."
        )
        return _made(finding, Action.DISCARD, message, name)
    message = f"{thing} is gone: it leaves the state as well."
    return _made(finding, Action.DELETE, message, name)


def _arrived(
    kind: Kind[Any], stored: Record, news: Record, item: ResponseModel
) -> bool:
    if not isinstance(item, DeploymentResponseItem):
        # Of the others a look does not tell; the next update asks for it all.
        return False
    return arrived(stored, news, item)


_RESOLVERS: Final = {
    "creating": _creating,
    "updating": _updating,
    "deleting": _deleting,
}


def _left(finding: _Finder, message: str) -> Finding:
    return _made(finding, Action.SKIP, message, None)


def _made(
    finding: _Finder,
    action: Action,
    message: str,
    name: str | None,
    item: ResponseModel | None = None,
    *,
    resource: Record | None = None,
    along: tuple[Record, ...] = (),
) -> Finding:
    found: Finding = finding(
        action,
        message,
        name=name,
        deployment_id=None if item is None else id_of(item),
        resource=resource,
        along=along,
    )
    return found


# --- What the service says ------------------------------------------------------


def _looked_up(
    kind: Kind[Any], stored: Record, context: RecoveryContext
) -> tuple[Record, str, ResponseModel | None]:
    """A resource's outputs, its name, and what is live by the service's own id."""
    state: Record = stored.get("outputs") or {}
    name = str(state.get("name") or stored.get("id"))
    return state, name, _find(kind, str(state.get(kind.id_key) or name), context)


def _find(
    kind: Kind[Any], reference: str, context: RecoveryContext, *, patient: bool = False
) -> ResponseModel | None:
    """
    What is there, or None where the service itself says that there is none.

    Args:
        kind: What it is.
        reference: Name or id.
        context: The context.
        patient: Whether absence must hold for a while: a plugin outlives a killed run
            and may have a request under way.
    """
    from pulumi_jig.lifecycle.sending import SETTLE_WINDOW

    ctx = context.deadline()
    until = ctx.clock() + (SETTLE_WINDOW if patient else 0)
    while True:
        try:
            found: ResponseModel = kind.noun(context.client).get(reference, ctx)
            return found
        except NotFoundError as error:
            if not error.from_api:
                raise
        if ctx.clock() >= until or ctx.expired:
            return None
        ctx.pause(1.0)


def _stale(written: str) -> bool:
    then = _seconds(written)
    return then > 0 and dt.datetime.now(tz=dt.UTC).timestamp() - then >= STALE


def _seconds(written: str) -> float:
    """A time of the state in seconds since 1970; 0 where it has none."""
    try:
        then = dt.datetime.fromisoformat(written)
    except ValueError:
        return 0.0
    return (then if then.tzinfo else then.replace(tzinfo=dt.UTC)).timestamp()
