"""
Requests that change something, sent so that nothing happens twice and nothing is lost.

A creation is sent once; it is sent again only when it certainly had no effect. After an
ambiguous end one looks: our nonce is ours, absent for long enough is absent, anything
else is somebody else's. An update has the same effect however often it is sent, so a
lost answer is settled by a look and by sending it once more where it did not arrive.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    ServerError,
    TransportError,
)
from pulumi_jig.fields import FIELDS, NO_RESET, clearing_value, is_same, live_values
from pulumi_jig.lifecycle.deployment.diff import implied_ceiling
from pulumi_jig.lifecycle.deployment.identity import Whose, refuse_foreign, taken, whose
from pulumi_jig.lifecycle.deployment.inputs import (
    UNCONFIRMED,
    create_body,
    declared_fields,
    extra_fields,
    mark_of,
    request_value,
)
from pulumi_jig.lifecycle.deployment.state import state_of
from pulumi_jig.lifecycle.invocation import PartialFailureError
from pulumi_jig.lifecycle.memory import was_deleted
from pulumi_jig.naming import join_description, split_description
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


@dataclass(frozen=True)
class Change:
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


def required_name(data: Mapping[str, Any]) -> str:
    """
    The deployment's name.

    Raises:
        InputError: There is none; nothing was sent.
    """
    name = data.get("name")
    if not isinstance(name, str) or not name:
        raise InputError("This deployment has no name; nothing was sent.")
    return name


def require_storable(inputs: Mapping[str, Any]) -> None:
    """
    Prove that the state can be stored, before anything exists that it must hold.

    Raises:
        InputError: It cannot; nothing was sent.
    """
    fault = storable_fault(dict(inputs))
    if fault:
        raise InputError(f"Nothing was sent: {fault}, so it could not be stored.")


def find(inv: Invocation, ctx: CallContext, name: str) -> DeploymentResponseItem | None:
    """The deployment of this name, or None where the API itself says there is none."""
    try:
        return inv.client.deployments.get(name, ctx)
    except NotFoundError as error:
        if not error.definitive:
            raise
        return None


def just_deleted(name: str, found: DeploymentResponseItem) -> bool:
    """Whether a deployment is the one that this very run deleted."""
    return was_deleted(name, found.id)


def is_ours(
    found: DeploymentResponseItem,
    inputs: Mapping[str, Any],
    inv: Invocation,
    *,
    sent: int,
) -> bool:
    """
    Whether a deployment is the one that we asked for.

    Args:
        found: What is there under the name.
        inputs: What was asked for.
        inv: The call.
        sent: How many requests to create it went out.
    """
    if mark_of(inputs, inv.urn) is not None:
        return whose(found, inputs, inv.urn) is Whose.OURS
    # Its absence before the first request was proved, so a twin of what was sent is it.
    return sent > 0 and not differences(inputs, found)


def differences(inputs: Mapping[str, Any], item: DeploymentResponseItem) -> list[str]:
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


def post(
    inputs: Mapping[str, Any],
    account: str | None,
    inv: Invocation,
    ctx: CallContext,
) -> DeploymentResponseItem:
    """Have the service accept the deployment, exactly once."""
    name = required_name(inputs)
    body = create_body(inputs, inv.urn)
    if mark_of(inputs, inv.urn) is None:
        # Without a mark nothing tells ours from a namesake after an ambiguous end, so
        # the namesake must be ruled out before.
        found = find(inv, ctx, name)
        if found is not None and not just_deleted(name, found):
            raise taken(found, inputs, inv.urn)
    released_by = ctx.clock() + NAME_RELEASE
    sent = 0
    while True:
        inv.progress("asking the service for it")
        try:
            sent += 1
            return inv.client.deployments.create(body, ctx)
        except ConflictError:
            found = find(inv, ctx, name)
            if found is not None and is_ours(found, inputs, inv, sent=sent):
                return found
            lingers = was_deleted(name, found.id if found is not None else None)
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
    name = required_name(inputs)
    inv.progress("no answer; looking for it")
    if ctx.remaining() < LAST_LOOK:
        ctx = ctx.beyond(LAST_LOOK)
    absent_since: float | None = None
    last: JigError = error
    try:
        while True:
            try:
                found = find(inv, ctx, name)
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
                elif is_ours(found, inputs, inv, sent=sent):
                    return found
                elif not just_deleted(name, found):
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


def _ignored(inv: Invocation) -> Iterator[tuple[str, str | None]]:
    for path in inv.ignore_changes:
        head, _, rest = path.partition(".")
        head = head.partition("[")[0]
        yield head, rest or None


def patch_body(
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


def patch(
    change: Change, body: dict[str, Any], inv: Invocation, ctx: CallContext
) -> DeploymentResponseItem:
    """
    Have the service accept an update; an empty one is not sent.

    An update is the same however often it is sent, so a lost answer is settled by a
    look, and by sending it once more where it did not arrive.
    """
    if not body:
        return change.item
    reference = reference_of(change)
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
            if not change.created:
                # What is being taken over carries somebody else's mark, of course.
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
    change: Change,
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
        found = inv.client.deployments.get(reference_of(change), look)
    except JigError as other:
        name = required_name(change.inputs)
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
    differing = set(differences(change.inputs, found))
    return None if differing & set(sent) else found


def reference_of(change: Change) -> str:
    """How to address a deployment: its id, so that no namesake is ever meant."""
    return str(change.item.id or required_name(change.inputs))
