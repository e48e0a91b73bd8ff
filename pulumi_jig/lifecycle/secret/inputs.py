"""
The inputs of a secret: which keys there are, and how they become requests and state.

A value is never compared with the service, which does not show it. Whether it must be
sent follows from what the state remembers of the last time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.lifecycle import keys
from pulumi_jig.lifecycle.keys import (
    ACCOUNT,
    DECLARED,
    HIDDEN_INPUTS,
    UNCONFIRMED,
    UNREADY,
    mark_of,
)
from pulumi_jig.lifecycle.sending import ignored_parts
from pulumi_jig.naming import join_description, split_description
from pulumi_jig.text import safe_data
from pulumi_jig.values import SecretValue, reveal, without_none

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.lifecycle.invocation import Invocation
    from pulumi_jig.naming import Mark
    from pulumi_jig.schema.responses import SecretResponseItem

#: Fields of the API.
FIELDS: Final = ("name", "value", "description", "ttl_seconds")
#: Options of ours: they steer the provider and are never sent.
OPTIONS: Final = ("version", "adopt", "ownership_mark")
#: Changes with each new value; made by the check, so that what
#: follows a rotation is known in a preview.
VALUE_VERSION: Final = "value_version"
#: What the service tells and nobody declares.
OUTPUTS: Final = ("secret_id", "created_at", "updated_at", "expires_at")


def declared_keys(data: Mapping[str, Any]) -> set[str]:
    """The names of the keys that the program set, from inputs or state."""
    return keys.declared_keys(data, {*FIELDS, *OPTIONS})


def text_of(data: Mapping[str, Any]) -> str:
    """The description without a mark; empty where there is none."""
    value = data.get("description")
    return value if isinstance(value, str) else ""


def sent_anew(state: Mapping[str, Any], inputs: Mapping[str, Any]) -> list[str]:
    """
    Why the value must be sent, as the names of what differs; empty for no reason.

    Args:
        state: What the state holds of the last time.
        inputs: What is declared now, possibly not known yet.
    """
    found = []
    if reveal(state.get("value")) != reveal(inputs.get("value")):
        found.append("value")
    if state.get("version") != inputs.get("version"):
        found.append("version")
    if not found and state.get(UNREADY):
        # Whether it arrived the last time is not known.
        found.append("value")
    return found


# --- Requests --------------------------------------------------------------------


def create_body(inputs: Mapping[str, Any], urn: str | None) -> dict[str, Any]:
    """The body of the request that creates the secret."""
    body: dict[str, Any] = {"name": inputs["name"], "value": reveal(inputs["value"])}
    description = join_description(text_of(inputs), mark_of(inputs, urn))
    if description:
        body["description"] = description
    if inputs.get("ttl_seconds") is not None:
        body["ttl_seconds"] = inputs["ttl_seconds"]
    return body


def patch_body(
    inputs: Mapping[str, Any],
    live: SecretResponseItem,
    inv: Invocation,
    state: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """What to send so that the inputs become true of what is live."""
    body: dict[str, Any] = {}
    ignored = ignored_parts(inv)
    unsure = state is None or bool(state.get(UNCONFIRMED))
    if unsure or (sent_anew(state or {}, inputs) and "value" not in ignored):
        body["value"] = reveal(inputs["value"])
    ttl = inputs.get("ttl_seconds")
    if (
        ttl is not None
        and "ttl_seconds" not in ignored
        and ("value" in body or live.ttl_seconds != ttl)
    ):
        body["ttl_seconds"] = ttl
    text, live_mark = _split(live)
    mark = mark_of(inputs, inv.urn)
    wanted = text
    if "description" not in ignored:
        wanted = text_of(inputs)
    if wanted != text or (mark is not None and mark != live_mark):
        body["description"] = join_description(wanted, mark)
    return body


def differences(
    inputs: Mapping[str, Any],
    item: SecretResponseItem,
    inv: Invocation | None = None,
) -> list[str]:
    """Fields that an answer contradicts; of the value it says nothing."""
    ignored = ignored_parts(inv) if inv is not None else {}
    live = live_fields(item)
    wanted = {"description": text_of(inputs)}
    if inputs.get("ttl_seconds") is not None:
        wanted["ttl_seconds"] = inputs["ttl_seconds"]
    return [
        name
        for name, value in wanted.items()
        if name not in ignored and name in live and value != live[name]
    ]


def _split(item: SecretResponseItem) -> tuple[str, Mark | None]:
    # Answers are tolerant: at run time a description may be of any type.
    text: Any = item.description
    return split_description(text if isinstance(text, str) else "")


def live_fields(item: SecretResponseItem) -> dict[str, Any]:
    """The fields of an answer; what it does not tell is not there."""
    found: dict[str, Any] = {"description": _split(item)[0]}
    if item.ttl_seconds is not None:
        found["ttl_seconds"] = item.ttl_seconds
    return found


# --- State -----------------------------------------------------------------------


def state_of(
    inputs: Mapping[str, Any],
    item: SecretResponseItem | None,
    *,
    account: str | None = None,
) -> dict[str, Any]:
    """
    What the state shall hold.

    Under a field's own key stands the declared value as long as it is true of what is
    live, and the live value as soon as it is not. The value is what was sent last.
    """
    outputs = {
        key: inputs[key]
        for key in (*FIELDS, *OPTIONS, VALUE_VERSION, *HIDDEN_INPUTS)
        if inputs.get(key) is not None
    }
    if "value" in outputs:
        outputs["value"] = SecretValue(reveal(outputs["value"]))
    outputs.setdefault(DECLARED, sorted(declared_keys(inputs)))
    if account is not None:
        outputs[ACCOUNT] = account
    if item is None:
        return outputs
    for name, value in live_fields(item).items():
        if value in (None, "") and not outputs.get(name):
            continue
        same = reveal(outputs.get(name)) == value
        outputs[name] = outputs[name] if same else safe_data(value)
    told = {"secret_id": item.id} | {
        key: getattr(item, key) for key in OUTPUTS if key != "secret_id"
    }
    outputs |= safe_data(without_none(told))
    return outputs


def inputs_of(
    old_inputs: Mapping[str, Any], item: SecretResponseItem
) -> dict[str, Any]:
    """The state's inputs after a refresh: exactly the keys that they had."""
    live = live_fields(item)
    declared = declared_keys(old_inputs)
    found = {
        key: safe_data(live[key])
        if key in declared and key in live and live[key] != reveal(value)
        else value
        for key, value in old_inputs.items()
    }
    if "value" in found:
        # A host hands over what the state holds without its marking.
        found["value"] = SecretValue(reveal(found["value"]))
    return found


def inputs_in(state: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs that a state echoes, for a host that cannot tell them."""
    wanted = {*FIELDS, *OPTIONS} & declared_keys(state)
    wanted |= {"name", "value", VALUE_VERSION, *HIDDEN_INPUTS}
    return {key: state[key] for key in wanted if state.get(key) is not None}
