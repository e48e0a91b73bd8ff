"""
The state of a deployment: what is declared, what is live, and the bookkeeping.

Policies, outputs and the next diff read the state, so one rule holds everywhere: under a
field's own key stands the declared value as long as it is true of what is live, and the
live value as soon as it is not. Fields that nobody declared show what the service chose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_jig.lifecycle.deployment.inputs import (
    ENDPOINT,
    EXTRA,
    OPTIONS,
    added_in,
    declared_fields,
    declared_keys,
)
from pulumi_jig.lifecycle.keys import ACCOUNT, ADDED, DECLARED, HIDDEN_INPUTS
from pulumi_jig.rollout import summary
from pulumi_jig.schema.comparison import environment_mapping, same_extra
from pulumi_jig.schema.deployment import FIELDS
from pulumi_jig.schema.diff import differing, live_values
from pulumi_jig.schema.enums import PLATFORM_PREFIX
from pulumi_jig.text import safe_data
from pulumi_jig.values import SecretValue, reveal, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.schema.responses import DeploymentResponseItem


def state_of(
    inputs: Mapping[str, Any],
    item: DeploymentResponseItem | None,
    *,
    account: str | None = None,
) -> dict[str, Any]:
    """
    What the state shall hold.

    Args:
        inputs: Checked inputs, with what the service is known to have added.
        item: What the service answered last; None before it did.
        account: Whose key created it, if the service says so.
    """
    live = live_values(item) if item is not None else {}
    declared = declared_fields(inputs)
    added = [path for path in added_in(inputs) if path not in declared]
    wrong = {one.name for one in differing(declared, live, added)}
    shown = {key: safe_data(value) for key, value in live.items()}
    outputs: dict[str, Any] = {}
    for name in FIELDS:
        if name in declared:
            value = declared[name]
            if name in live and name in wrong:
                value = shown[name]
                if name == "environment_variables":
                    value = _shown_environment(value, declared[name])
            outputs[name] = value
        elif name == "environment_variables":
            variables = _shown_environment(shown.get(name), {})
            if variables:
                outputs[name] = variables
        elif shown.get(name) not in (None, "", [], {}):
            outputs[name] = shown[name]
    for key in (*OPTIONS, ENDPOINT, *HIDDEN_INPUTS):
        if inputs.get(key) is not None:
            outputs[key] = inputs[key]
    outputs.setdefault(DECLARED, sorted(declared_keys(inputs)))
    if added:
        outputs[ADDED] = added
    _extra(inputs, item, outputs)
    if account is not None:
        outputs[ACCOUNT] = account
    if item is not None:
        if item.id is not None:
            # An id is a text whatever the answer held: state rounds large numbers.
            outputs["deployment_id"] = str(item.id)
        outputs |= safe_data(summary(item))
        for key in ("created_at", "updated_at"):
            value = getattr(item, key)
            if value is not None:
                outputs[key] = safe_data(value)
    return outputs


def _shown_environment(live: Any, declared: Any) -> dict[str, Any]:
    """
    Live variables as the state may hold them.

    Nobody said of a variable that we did not declare whether it is a secret, so its
    value is stored as one.
    """
    told = declared if isinstance(declared, dict) else {}
    ours = environment_mapping(reveal(declared))
    shown: dict[str, Any] = {}
    for name, value in (live or {}).items():
        if name not in ours and name.startswith(PLATFORM_PREFIX):
            continue
        # Of a mapping that is a secret as a whole, every variable is one.
        plain = name in told and not isinstance(told[name], SecretValue)
        reference = isinstance(value, dict)
        shown[name] = value if plain or reference else SecretValue(value)
    return shown


def _extra(
    inputs: Mapping[str, Any],
    item: DeploymentResponseItem | None,
    outputs: dict[str, Any],
) -> None:
    extra = inputs.get(EXTRA)
    if not isinstance(extra, dict):
        if extra is not None:
            outputs[EXTRA] = extra
        return
    outputs[EXTRA] = _seen_extra(extra, item.plain() if item is not None else {})


def _seen_extra(extra: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    """Passed-through values, replaced by live ones that say something else."""
    return {
        # A key that the service does not echo is as good as sent.
        key: value
        if raw.get(key) is None or same_extra(reveal(value), raw[key])
        else safe_data(whole_numbers(raw[key]))
        for key, value in extra.items()
    }


def inputs_of(
    old_inputs: Mapping[str, Any], item: DeploymentResponseItem
) -> dict[str, Any]:
    """
    What the state's inputs shall be after a refresh.

    Exactly the keys that they had, bookkeeping included: a key that a read leaves out
    is lost, and a key that it adds would look declared. (Beside them `old_inputs` may
    bring what the service added, which is no input.)
    """
    live = live_values(item)
    declared = declared_fields(old_inputs)
    wrong = {one.name for one in differing(declared, live, added_in(old_inputs))}
    raw = item.plain()
    found: dict[str, Any] = {}
    for key, value in old_inputs.items():
        if key == ADDED:
            continue
        if key in declared and key in live:
            if key not in wrong:
                found[key] = value
                continue
            shown = safe_data(live[key])
            if key == "environment_variables":
                shown = _shown_environment(shown, value)
            found[key] = shown
        elif key == EXTRA and isinstance(value, dict):
            found[key] = _seen_extra(value, raw)
        else:
            found[key] = value
    return found
