"""
Create, read, update and delete of a deployment.

The rules, in the order in which they matter:

1. From the moment the service has accepted a deployment, nothing may be lost: whatever
   goes wrong afterwards leaves its id in the state, with the reason.
2. A request that creates something is repeated only when the service certainly did not
   act, and never for an engine that is gone. After an ambiguous end one looks: our
   nonce is ours, absent for long enough is absent, anything else is an error.
3. Nothing foreign is written to or deleted (`lifecycle.identity`).
4. A change has happened when the new revision serves (`pulumi_jig.rollout`), not when
   the service has taken the request.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.errors import (
    AmbiguousError,
    APIError,
    ConflictError,
    EngineGoneError,
    InputError,
    JigError,
    NotFoundError,
    NotSentError,
    OwnershipError,
    RateLimitError,
    RolloutError,
    ServerError,
    TransportError,
)
from pulumi_jig.fields import FIELDS, NO_RESET, clearing_value, is_same, live_values
from pulumi_jig.lifecycle.diff import dropped_fields, implied_ceiling
from pulumi_jig.lifecycle.identity import (
    Whose,
    account_of,
    foreign,
    refuse_foreign,
    require_account,
    require_proof_of_absence,
    taken,
    whose,
)
from pulumi_jig.lifecycle.inputs import (
    ACCOUNT,
    EXTRA,
    HIDDEN_INPUTS,
    OPTIONS,
    UNCONFIRMED,
    create_body,
    declared_fields,
    declared_keys,
    extra_fields,
    mark_of,
    redact,
    request_value,
    secret_texts,
)
from pulumi_jig.lifecycle.invocation import (
    CREATE_TIMEOUT,
    DELETE_TIMEOUT,
    READ_TIMEOUT,
    UPDATE_TIMEOUT,
    PartialFailureError,
    Stored,
)
from pulumi_jig.lifecycle.state import inputs_of, state_of
from pulumi_jig.naming import join_description, split_description
from pulumi_jig.rollout import Goal, Watch
from pulumi_jig.values import storable_fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pulumi_jig.context import CallContext
    from pulumi_jig.lifecycle.invocation import Invocation
    from pulumi_jig.models import DeploymentResponseItem

#: Seconds for which a name must stay absent before a lost creation counts as absent.
#: (Assumed: the service may take a moment to show what it has accepted.)
SETTLE_WINDOW: Final = 15.0
#: Seconds between two looks while an end is unknown.
SETTLE_PAUSE: Final = 1.0
#: How often a creation is sent, all in all.
MAX_POSTS: Final = 3
#: Seconds for the last look of an operation whose own time is up.
LAST_LOOK: Final = 10.0
#: Seconds for which a name may stay taken after our own delete.
NAME_RELEASE: Final = 120.0
#: Seconds that a roll-back gets although the update's own time may be up.
ROLLBACK_TIMEOUT: Final = 300.0

_locks: dict[str, threading.RLock] = {}
_locks_guard = threading.Lock()
# Names that this process deleted, with the id: a create may meet them once more.
_deleted: dict[str, str | None] = {}


def _name_lock(name: str) -> threading.RLock:
    """One operation at a time per deployment, whatever the engine does."""
    with _locks_guard:
        return _locks.setdefault(name, threading.RLock())


# --- Create --------------------------------------------------------------------


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
    name = _required_name(inputs)
    _require_storable(inputs)
    ctx = inv.context(CREATE_TIMEOUT)
    with _name_lock(name):
        account = account_of(inv, ctx)
        if inputs.get("adopt") is True:
            found = _find(inv, ctx, name)
            if found is not None:
                return _adopt(inputs, found, account, inv, ctx)
        item = _post(inputs, account, inv, ctx)
        return _roll_out(_Change(inputs, item, account=account, created=True), inv, ctx)


def _required_name(data: Mapping[str, Any]) -> str:
    name = data.get("name")
    if not isinstance(name, str) or not name:
        raise InputError("This deployment has no name; nothing was sent.")
    return name


def _require_storable(inputs: Mapping[str, Any]) -> None:
    fault = storable_fault(dict(inputs))
    if fault:
        raise InputError(f"Nothing was sent: {fault}, so it could not be stored.")


def _find(
    inv: Invocation, ctx: CallContext, name: str
) -> DeploymentResponseItem | None:
    """The deployment of this name, or None where the API itself says there is none."""
    try:
        return inv.client.deployments.get(name, ctx)
    except NotFoundError as error:
        if not error.definitive:
            raise
        return None


def _post(
    inputs: Mapping[str, Any],
    account: str | None,
    inv: Invocation,
    ctx: CallContext,
) -> DeploymentResponseItem:
    """Have the service accept the deployment, exactly once."""
    name = _required_name(inputs)
    body = create_body(inputs, inv.urn)
    if mark_of(inputs, inv.urn) is None:
        # Without a mark nothing tells ours from a namesake after an ambiguous end, so
        # the namesake must be ruled out before.
        found = _find(inv, ctx, name)
        if found is not None and not _just_deleted(name, found):
            raise taken(found, inputs, inv.urn)
    released_by = ctx.clock() + NAME_RELEASE
    sent = 0
    while True:
        inv.progress("asking the service for it")
        try:
            sent += 1
            return inv.client.deployments.create(body, ctx)
        except ConflictError:
            found = _find(inv, ctx, name)
            if found is not None and _is_ours(found, inputs, inv, sent=sent):
                return found
            lingers = name in _deleted and (found is None or _just_deleted(name, found))
            if lingers and ctx.clock() < released_by and not ctx.expired:
                inv.progress("waiting for the name to be released")
                ctx.pause(SETTLE_PAUSE * 2)
                continue
            raise taken(found, inputs, inv.urn) from None
        except (AmbiguousError, ServerError) as error:
            found = _settle(inputs, account, inv, ctx, error, sent=sent)
            if found is not None:
                return found
            if sent >= MAX_POSTS or ctx.expired:
                raise _not_created(error, name) from None
        except APIError as error:
            if error.status != 408:
                raise
            found = _settle(inputs, account, inv, ctx, error, sent=sent)
            if found is not None:
                return found
            if sent >= MAX_POSTS or ctx.expired:
                raise _not_created(error, name) from None


def _not_created(error: JigError, name: str) -> JigError:
    return replace_message(
        error,
        f"{error.message} A look at the service shows that deployment {name} was not "
        "created. Run `pulumi up` again.",
    )


def replace_message(error: JigError, message: str) -> JigError:
    """The same error with other words."""
    error.message = message
    error.args = (message,)
    return error


def _just_deleted(name: str, found: DeploymentResponseItem) -> bool:
    return name in _deleted and _deleted[name] in (None, found.id)


def _is_ours(
    found: DeploymentResponseItem,
    inputs: Mapping[str, Any],
    inv: Invocation,
    *,
    sent: int,
) -> bool:
    if mark_of(inputs, inv.urn) is not None:
        return whose(found, inputs, inv.urn) is Whose.OURS
    # Its absence before the first request was proved, so a twin of what was sent is it.
    return sent > 0 and not _differences(inputs, found)


def _settle(
    inputs: Mapping[str, Any],
    account: str | None,
    inv: Invocation,
    ctx: CallContext,
    error: JigError,
    *,
    sent: int,
) -> DeploymentResponseItem | None:
    """
    Find out how a creation ended that got no usable answer.

    Returns:
        The deployment, or None when it is certain that there is none.

    Raises:
        OwnershipError: The name turned out to be somebody else's.
        PartialFailureError: It stays unknown.
    """
    name = _required_name(inputs)
    inv.progress("no answer; looking for it")
    if ctx.remaining() < LAST_LOOK:
        ctx = ctx.beyond(LAST_LOOK)
    absent_since: float | None = None
    last: JigError = error
    try:
        while True:
            try:
                found = _find(inv, ctx, name)
            except (TransportError, RateLimitError, ServerError) as blip:
                if isinstance(blip, EngineGoneError):
                    raise
                absent_since, last = None, blip
            else:
                if found is None:
                    now = ctx.clock()
                    absent_since = now if absent_since is None else absent_since
                    if now - absent_since >= min(SETTLE_WINDOW, ctx.timeout / 2):
                        return None
                elif _is_ours(found, inputs, inv, sent=sent):
                    return found
                elif not _just_deleted(name, found):
                    raise taken(found, inputs, inv.urn)
            if ctx.expired:
                break
            ctx.pause(SETTLE_PAUSE)
    except OwnershipError:
        raise
    except JigError as other:
        last = other
    if absent_since is not None and ctx.clock() - absent_since >= LAST_LOOK / 2:
        return None
    outputs = {**state_of(inputs, None, account=account), UNCONFIRMED: True}
    raise PartialFailureError(
        name,
        outputs,
        [
            f"It is not known whether deployment {name} was created: "
            f"{error.message} Looking for it failed as well: {last.message} It may be "
            "running and billing. It is kept in the state as unconfirmed; the next "
            "`pulumi up` finds it, or creates it if there is none."
        ],
    ) from None


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
    body = _patch_body(inputs, found, inv, clear=())
    item = _patch(_Change(inputs, found, account=account), body, inv, ctx)
    return _roll_out(
        _Change(
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
    from pulumi_jig.lifecycle.invocation import PREVIEW_TIMEOUT

    ctx = inv.context(PREVIEW_TIMEOUT, fixed=True)
    found = _find(inv, ctx, _required_name(inputs))
    return None if found is None else _differences(inputs, found)


# --- Roll-out ------------------------------------------------------------------


@dataclass(frozen=True)
class _Change:
    """
    A change that the service has accepted.

    Attributes:
        inputs: What was asked for.
        item: The answer.
        before: What was there before, if anything.
        account: Whose key was used.
        created: Whether the resource did not exist for the engine before.
        changed: Fields that were sent in an update.
    """

    inputs: Mapping[str, Any]
    item: DeploymentResponseItem
    before: DeploymentResponseItem | None = None
    account: str | None = None
    created: bool = False
    changed: tuple[str, ...] = ()


def _roll_out(change: _Change, inv: Invocation, ctx: CallContext) -> Stored:
    """
    Wait until an accepted change serves.

    Raises:
        PartialFailureError: It does not, or nobody could watch it.
    """
    inputs, item = change.inputs, change.item
    name = _required_name(inputs)
    seen = [item]

    def fetch() -> DeploymentResponseItem:
        seen.append(
            inv.client.deployments.get(_reference(change), ctx.within(READ_TIMEOUT))
        )
        del seen[:-1]
        return seen[-1]

    try:
        if inputs.get("wait_for") == "none":
            # The answer to a write may be a receipt only; one look fills it in.
            fetch()
        else:
            Watch(
                _goal(change, inv, ctx),
                fetch,
                ctx,
                logs=lambda replica: _logs(change, replica, inv, ctx),
                newest_revision=lambda: _newest_revision(change, inv, ctx),
                is_as_sent=lambda shown: not _differences(inputs, shown),
                report=inv.progress,
            ).run()
    except BaseException as error:
        if inputs.get("wait_for") == "none" and isinstance(error, JigError):
            return Stored(name, state_of(inputs, seen[-1], account=change.account))
        reasons = [_reason(error, name)]
        if isinstance(error, RolloutError) and not change.created:
            reasons += _roll_back(change, seen, inv, ctx)
        outputs = state_of(inputs, seen[-1], account=change.account)
        raise PartialFailureError(name, outputs, reasons) from None
    return Stored(name, state_of(inputs, seen[-1], account=change.account))


def _reason(error: BaseException, name: str) -> str:
    if isinstance(error, RolloutError):
        return error.message
    if isinstance(error, JigError):
        return (
            f"Deployment {name} was accepted, but could not be watched: "
            f"{error.message} It may be running and billing; its id is in the state, "
            "and the next `pulumi up` waits for it again."
        )
    # Not the text of the exception: nobody knows what it holds.
    return (
        f"Deployment {name} was accepted, but waiting for it ended with an internal "
        f"error ({type(error).__name__}). It may be running and billing; its id is in "
        "the state, and the next `pulumi up` waits for it again."
    )


def _reference(change: _Change) -> str:
    return str(change.item.id or _required_name(change.inputs))


def _goal(change: _Change, inv: Invocation, ctx: CallContext) -> Goal:
    inputs, item = change.inputs, change.item
    declared = declared_fields(inputs)
    floor = declared.get("min_replicas", item.min_replicas)
    revision = item.revision_id or _newest_revision(change, inv, ctx)
    before = change.before
    must_move = before is not None and any(
        FIELDS[name].rolls for name in change.changed if name in FIELDS
    )
    return Goal(
        name=_required_name(inputs),
        wait_for=inputs.get("wait_for") or "min_replicas",
        floor=int(floor) if isinstance(floor, (int, float)) else 1,
        revision_id=revision,
        not_before=before.updated_at if before is not None and must_move else None,
        health_checked=bool(declared.get("health_check_path")),
        pull_grace=inv.pull_grace,
    )


def _newest_revision(change: _Change, inv: Invocation, ctx: CallContext) -> str | None:
    try:
        events = inv.client.deployments.revisions(
            _reference(change), ctx.within(LAST_LOOK), limit=1
        )
    except JigError:
        return None
    return events[0].revision_id if events else None


def _logs(
    change: _Change, replica: str | None, inv: Invocation, ctx: CallContext
) -> list[str]:
    lines = inv.client.deployments.logs(
        _reference(change), ctx.beyond(LAST_LOOK), replica_id=replica
    )
    secrets = secret_texts(change.inputs)
    return [redact(line, secrets) for line in lines]


def _roll_back(
    change: _Change,
    seen: list[DeploymentResponseItem],
    inv: Invocation,
    ctx: CallContext,
) -> list[str]:
    """Re-apply the revision from before, where the program asks for it."""
    before = change.before
    if change.inputs.get("on_failed_update") != "rollback" or before is None:
        return []
    revision = before.revision_id
    if not revision or revision == seen[-1].revision_id:
        return ["There is no earlier revision to go back to."]
    ctx = ctx.beyond(ROLLBACK_TIMEOUT)
    inv.progress("rolling back")
    try:
        item = inv.client.deployments.rollback(_reference(change), revision, ctx)
        seen[:] = [item]
        goal = Goal(
            name=_required_name(change.inputs),
            wait_for="first_replica",
            floor=int(before.min_replicas or 0),
            revision_id=item.revision_id or revision,
            health_checked=True,
            pull_grace=inv.pull_grace,
        )

        def fetch() -> DeploymentResponseItem:
            seen[:] = [inv.client.deployments.get(_reference(change), ctx)]
            return seen[-1]

        Watch(goal, fetch, ctx, report=inv.progress).run()
    except JigError as error:
        return [f"Rolling back to revision {revision} failed as well: {error.message}"]
    return [
        f"It was rolled back: the configuration of revision {revision} serves again. "
        "The next `pulumi up` tries the update again."
    ]


# --- Update --------------------------------------------------------------------


def update(
    state: Mapping[str, Any], inputs: Mapping[str, Any], inv: Invocation
) -> Stored:
    """
    Bring a deployment to what the program declares, and wait until it serves.

    Args:
        state: The state's outputs.
        inputs: Checked inputs, all known.
        inv: The call.

    Raises:
        PartialFailureError: The change was accepted and does not serve.
        OwnershipError: The deployment is not ours any more; nothing was changed.
        JigError: Nothing was changed.
    """
    name = _required_name(inputs)
    _require_storable(inputs)
    ctx = inv.context(UPDATE_TIMEOUT)
    with _name_lock(name):
        require_account(state, inv, ctx)
        account = state.get(ACCOUNT)
        account = account if isinstance(account, str) else None
        if state.get(UNCONFIRMED):
            found = _confirm(state, inputs, inv, ctx)
            if found is None:
                item = _post(inputs, account, inv, ctx)
                change = _Change(inputs, item, account=account, created=True)
                return _roll_out(change, inv, ctx)
        else:
            found = _live(state, inv, ctx)
        refuse_foreign(found, state, inv.urn)
        account = account or account_of(inv, ctx)
        clear = dropped_fields(
            {**state, **live_values(found)}, inputs, old_inputs=inv.old_inputs
        )
        body = _patch_body(inputs, found, inv, clear=clear)
        change = _Change(inputs, found, before=found, account=account)
        item = _patch(change, body, inv, ctx)
        return _roll_out(replace(change, item=item, changed=tuple(body)), inv, ctx)


def _live(
    state: Mapping[str, Any], inv: Invocation, ctx: CallContext
) -> DeploymentResponseItem:
    name = state.get("name")
    try:
        return inv.client.deployments.get(str(state.get("deployment_id") or name), ctx)
    except NotFoundError as error:
        require_proof_of_absence(error, state, inv, ctx)
        raise NotFoundError(
            f"Deployment {name} does not exist any more: it was deleted outside of "
            "this program. Run `pulumi refresh`, then `pulumi up` creates it anew.",
            status=404,
        ) from None


def _confirm(
    state: Mapping[str, Any],
    inputs: Mapping[str, Any],
    inv: Invocation,
    ctx: CallContext,
) -> DeploymentResponseItem | None:
    """Settle a creation that ended without an answer; None means: never happened."""
    try:
        found = inv.client.deployments.get(_required_name(state), ctx)
    except NotFoundError as error:
        require_proof_of_absence(error, state, inv, ctx)
        return None
    if not _is_ours(found, state, inv, sent=1):
        raise taken(found, inputs, inv.urn)
    return found


def _differences(inputs: Mapping[str, Any], item: DeploymentResponseItem) -> list[str]:
    """Declared fields that are not true of an answer."""
    live = live_values(item)
    declared = declared_fields(inputs)
    return [
        name
        for name, value in declared.items()
        if name != "name"
        and name in live
        and not is_same(name, value, live[name], declared)
    ]


def _ignored(inv: Invocation) -> Iterator[tuple[str, str | None]]:
    for path in inv.ignore_changes:
        head, _, rest = path.partition(".")
        head = head.partition("[")[0]
        yield head, rest or None


def _patch_body(
    inputs: Mapping[str, Any],
    live_item: DeploymentResponseItem,
    inv: Invocation,
    *,
    clear: Iterator[str] | tuple[str, ...] | list[str],
) -> dict[str, Any]:
    """What to send: declared fields that differ from what is live, and clears."""
    declared = declared_fields(inputs)
    live = live_values(live_item)
    body: dict[str, Any] = {}
    ignored = dict(_ignored(inv))
    for name, declared_value in declared.items():
        value = declared_value
        if name == "name" or (name in ignored and ignored[name] is None):
            continue
        if name == "environment_variables" and ignored.get(name):
            # One variable is ignored: it stays as it is, while the list is replaced.
            variable = str(ignored[name])
            value = {k: v for k, v in dict(value).items() if k != variable}
            if variable in live.get(name, {}):
                value[variable] = live[name][variable]
        if name not in live or not is_same(name, value, live[name], declared):
            body[name] = request_value(name, value)
    for name in clear:
        value = clearing_value(name, declared)
        if value is not NO_RESET and name not in ignored:
            body[name] = value
    ceiling = implied_ceiling(declared, body)
    if ceiling is not None and live.get("max_replicas") != ceiling:
        body["max_replicas"] = ceiling
    # What was not declared before and never sent needs no clearing; what stays out of
    # the body stays as it is on the service.
    raw = live_item.plain()
    extra = extra_fields(inputs)
    body |= {key: value for key, value in extra.items() if raw.get(key) != value}
    _mark_description(inputs, live_item, body, inv)
    return body


def _mark_description(
    inputs: Mapping[str, Any],
    live_item: DeploymentResponseItem,
    body: dict[str, Any],
    inv: Invocation,
) -> None:
    """The mark rides on the description, whatever else happens to it."""
    mark = mark_of(inputs, inv.urn)
    live_text, live_mark = split_description(live_item.description)
    if "description" in body:
        body["description"] = join_description(body["description"], mark)
    elif mark is not None and mark != live_mark:
        text = live_text
        body["description"] = join_description(text, mark)


def _patch(
    change: _Change, body: dict[str, Any], inv: Invocation, ctx: CallContext
) -> DeploymentResponseItem:
    """
    Have the service accept an update; an empty one is not sent.

    An update is the same however often it is sent, so a lost answer is settled by a
    look, and by sending it once more where it did not arrive.
    """
    if not body:
        return change.item
    reference = _reference(change)
    sent = 0
    while True:
        ctx.require_engine("changing the deployment")
        inv.progress("sending the change")
        try:
            sent += 1
            return inv.client.deployments.update(reference, body, ctx)
        except ConflictError:
            # Somebody else changed it at the same time: look again, then insist.
            if sent >= MAX_POSTS or ctx.expired:
                raise
            refuse_foreign(
                inv.client.deployments.get(reference, ctx), change.inputs, inv.urn
            )
            ctx.pause(SETTLE_PAUSE)
        except (AmbiguousError, NotSentError, ServerError, RateLimitError) as error:
            found = _after_lost_patch(change, body, error, inv, ctx)
            if found is not None:
                return found
            if sent >= MAX_POSTS or ctx.expired:
                raise
            ctx.pause(SETTLE_PAUSE)


def _after_lost_patch(
    change: _Change,
    body: Mapping[str, Any],
    error: JigError,
    inv: Invocation,
    ctx: CallContext,
) -> DeploymentResponseItem | None:
    """The deployment if the update arrived, None if it did not."""
    if isinstance(error, (NotSentError, RateLimitError)):
        return None
    look = ctx if ctx.remaining() > LAST_LOOK else ctx.beyond(LAST_LOOK)
    try:
        found = inv.client.deployments.get(_reference(change), look)
    except JigError as other:
        name = _required_name(change.inputs)
        outputs = state_of(change.inputs, change.item, account=change.account)
        raise PartialFailureError(
            name,
            outputs,
            [
                f"It is not known whether the update of deployment {name} arrived: "
                f"{error.message} Looking failed as well: {other.message} It is "
                "running and billing in one form or the other; the next `pulumi up` "
                "settles it."
            ],
        ) from None
    description = body.get("description")
    if description is not None and found.description != description:
        return None
    sent = [name for name in body if name in FIELDS and name != "description"]
    differing = set(_differences(change.inputs, found))
    return None if differing & set(sent) else found


# --- Read ----------------------------------------------------------------------


def read(id_: str, state: Mapping[str, Any], inv: Invocation) -> Stored:
    """
    What is live now, for a refresh.

    Returns:
        The resource; with an empty id when it is gone. Gone means a 404 in the API's
        own words, from the account that the state remembers.

    Raises:
        JigError: Nothing is known, so the state must be kept.
    """
    ctx = inv.context(READ_TIMEOUT)
    name = str(state.get("name") or id_)
    known = state.get("deployment_id")
    stored_before = bool(known) or bool(state.get(UNCONFIRMED))
    state = {**state, "name": name}
    try:
        item = inv.client.deployments.get(str(known or name), ctx)
    except NotFoundError as error:
        require_proof_of_absence(error, state, inv, ctx)
        if not stored_before:
            # The engine takes a missing resource for a found one when it looks one up.
            raise NotFoundError(
                f'There is no deployment "{name}" in this account.', status=404
            ) from None
        return Stored("", {})
    if state.get(UNCONFIRMED) and not _is_ours(item, state, inv, sent=1):
        inv.log(
            "warning",
            f"deployment {name} was never created by this program: the name is "
            "somebody else's",
        )
        return Stored("", {})
    require_account(state, inv, ctx)
    why = foreign(item, state, inv.urn)
    if why and state.get("ownership_mark") is not False:
        inv.log("warning", f"{why} It is shown as it is and will not be changed.")
    account = state.get(ACCOUNT)
    if not isinstance(account, str):
        account = account_of(inv, ctx)
    inputs = inv.old_inputs or _inputs_in(state)
    outputs = state_of({**_inputs_in(state), **inputs}, item, account=account)
    return Stored(str(item.name or name), outputs, inputs_of(inputs, item))


def _inputs_in(state: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs that a state echoes, for a host that cannot tell them."""
    declared = declared_keys(state)
    keys = {*OPTIONS, EXTRA, *FIELDS} & declared
    keys |= {"name", *HIDDEN_INPUTS}
    return {key: state[key] for key in keys if state.get(key) is not None}


# --- Delete --------------------------------------------------------------------


def delete(id_: str, state: Mapping[str, Any], inv: Invocation) -> None:
    """
    Delete a deployment and wait until it is gone.

    One that is gone already is a success; one that is not ours any more is left alone.

    Raises:
        JigError: It is still there, or nobody can tell.
    """
    ctx = inv.context(DELETE_TIMEOUT)
    name = str(state.get("name") or id_)
    state = {**state, "name": name}
    known = state.get("deployment_id")
    with _name_lock(name):
        require_account(state, inv, ctx)
        try:
            item = inv.client.deployments.get(str(known or name), ctx)
        except NotFoundError as error:
            require_proof_of_absence(error, state, inv, ctx)
            return
        if state.get(UNCONFIRMED) and not _is_ours(item, state, inv, sent=1):
            inv.log("info", f"deployment {name} was never created; nothing to delete")
            return
        why = foreign(item, state, inv.urn)
        if why:
            inv.log("warning", f"{why} It is left alone, and this state lets it go.")
            return
        reference = str(item.id or name)
        _delete(reference, state, inv, ctx)
        _wait_until_gone(reference, name, inv, ctx)
        _deleted[name] = item.id


def _delete(
    reference: str, state: Mapping[str, Any], inv: Invocation, ctx: CallContext
) -> None:
    inv.progress("deleting")
    try:
        inv.client.deployments.delete(reference, ctx)
    except NotFoundError as error:
        require_proof_of_absence(error, state, inv, ctx)
    except ConflictError as error:
        raise replace_message(
            error,
            f"The service refuses to delete deployment {state['name']}: "
            f"{error.detail or error.message} It is still running and billing. Remove "
            "what uses it, then run `pulumi destroy` or `pulumi up` again.",
        ) from None
    except (AmbiguousError, ServerError):
        # The wait below tells whether it arrived.
        pass


def _wait_until_gone(
    reference: str, name: str, inv: Invocation, ctx: CallContext
) -> None:
    pause = 0.25
    again = ctx.clock() + 30.0
    while True:
        try:
            item = inv.client.deployments.get(reference, ctx)
        except NotFoundError as error:
            if error.definitive:
                return
            raise
        except (TransportError, RateLimitError, ServerError) as error:
            if isinstance(error, EngineGoneError) or ctx.expired:
                raise _still_there(name, ctx, error.message) from None
        else:
            inv.progress(f"going away ({item.status or 'no status'})")
            if ctx.clock() >= again:
                # A delete that got lost would be waited for in vain.
                again = ctx.clock() + 30.0
                _delete(reference, {"name": name}, inv, ctx)
        if ctx.expired:
            raise _still_there(name, ctx, "the service still shows it.")
        ctx.pause(pause)
        pause = min(pause * 1.5, 5.0)


def _still_there(name: str, ctx: CallContext, why: str) -> RolloutError:
    return RolloutError(
        f"Deployment {name} was asked to go away and is not known to be gone after "
        f"{ctx.elapsed():.0f} s: {why} It may still be running and billing. It stays in "
        "the state; run the command again, or allow more time with `custom_timeouts`."
    )
