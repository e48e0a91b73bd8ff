"""
What an update of a deployment sends: only what differs from what shall be.

The comparison is with what is live at this moment. Whether an answer proves that all of
it has arrived is told here as well, since both follow from the same table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_jig.lifecycle.deployment.inputs import (
    EXTRA,
    added_in,
    declared_fields,
    extra_fields,
    request_value,
)
from pulumi_jig.lifecycle.keys import mark_of
from pulumi_jig.lifecycle.sending import ignored_parts
from pulumi_jig.naming import join_description, split_description
from pulumi_jig.schema.comparison import same_extra
from pulumi_jig.schema.deployment import ENVIRONMENT, FIELDS
from pulumi_jig.schema.diff import differing, is_same, live_values

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pulumi_jig.lifecycle.invocation import Invocation
    from pulumi_jig.schema.responses import DeploymentResponseItem


def patch_body(
    inputs: Mapping[str, Any],
    live_item: DeploymentResponseItem,
    inv: Invocation,
    *,
    released: bool = False,
) -> dict[str, Any]:
    """
    What to send: what shall be and differs from what is live.

    Args:
        inputs: What is declared.
        live_item: What is there.
        inv: The call.
        released: Whether variables must be sent to take away one of the platform's
            prefix, which no comparison shows.
    """
    declared = declared_fields(inputs)
    live = live_values(live_item)
    ignored = ignored_parts(inv)
    variables = ignored.get(ENVIRONMENT)
    if variables:
        # A single ignored variable stays as it is, while the list is replaced.
        declared[ENVIRONMENT] = _with_live(
            declared.get(ENVIRONMENT, {}), live.get(ENVIRONMENT, {}), variables
        )
    # What the answer does not tell is sent: nobody knows that it is true.
    wrong = {name: value for name, value in declared.items() if name not in live}
    wrong |= {
        name: wanted for name, wanted, _ in differing(declared, live, added_in(inputs))
    }
    body = {
        name: request_value(name, value)
        for name, value in wrong.items()
        if name != "name" and ignored.get(name, ()) is not None
    }
    if released and ignored.get(ENVIRONMENT, ()) is not None:
        body[ENVIRONMENT] = request_value(ENVIRONMENT, declared.get(ENVIRONMENT, {}))
    # What was not declared before and never sent needs no clearing; what stays out of
    # the body stays as it is on the service.
    raw = live_item.plain()
    ignored_extra = ignored.get(EXTRA, set())
    body |= {
        key: value
        for key, value in extra_fields(inputs).items()
        if ignored_extra is not None
        and key not in ignored_extra
        and not same_extra(value, raw.get(key))
    }
    _mark_description(inputs, live_item, body, inv)
    return body


def _with_live(
    value: Any, live: Mapping[str, Any], ignored: Collection[str]
) -> dict[str, Any]:
    kept = {name: item for name, item in dict(value).items() if name not in ignored}
    return kept | {name: live[name] for name in ignored if name in live}


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
        body["description"] = join_description(live_text, mark)


def arrived(body: Mapping[str, Any], found: DeploymentResponseItem) -> bool:
    """
    Whether all that was sent, clears included, is true of an answer.

    What the answer does not tell proves nothing either way and does not count.
    """
    live, raw = live_values(found), found.plain()
    context = {**live, **body}
    for name, value in body.items():
        if name == "description":
            if (found.description or "") != value:
                return False
        elif name in FIELDS:
            if name in live and not is_same(name, value, live[name], context):
                return False
        elif raw.get(name, value) != value:
            return False
    return True


def differences(
    inputs: Mapping[str, Any],
    item: DeploymentResponseItem,
    inv: Invocation | None = None,
) -> list[str]:
    """Fields that an answer shows otherwise than they shall be, without ignored ones."""
    ignored = ignored_parts(inv) if inv is not None else {}
    live = live_values(item)
    return [
        one.name
        for one in differing(declared_fields(inputs), live, added_in(inputs))
        if one.name != "name" and one.name not in ignored and one.name in live
    ]
