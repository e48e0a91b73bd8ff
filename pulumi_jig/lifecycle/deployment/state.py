"""
The state of a deployment: what is declared, what is live, and the bookkeeping.

Policies, outputs and the next diff read the state, so one rule holds everywhere: under a
field's own key stands the declared value as long as it is true of what is live, and the
live value as soon as it is not. Fields that nobody declared show what the service chose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_jig.fields import FIELDS, is_same, live_values
from pulumi_jig.lifecycle.deployment.inputs import (
    ACCOUNT,
    DECLARED,
    EXTRA,
    HIDDEN_INPUTS,
    OPTIONS,
    declared_fields,
    declared_keys,
)
from pulumi_jig.models import PLATFORM_PREFIX
from pulumi_jig.rollout import summary
from pulumi_jig.values import SecretValue, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.models import DeploymentResponseItem


def state_of(
    inputs: Mapping[str, Any],
    item: DeploymentResponseItem | None,
    *,
    account: str | None = None,
) -> dict[str, Any]:
    """
    What the state shall hold.

    Args:
        inputs: Checked inputs.
        item: What the service answered last; None before it did.
        account: Whose key created it, if the service says so.
    """
    live = live_values(item) if item is not None else {}
    declared = declared_fields(inputs)
    outputs: dict[str, Any] = {}
    for name in FIELDS:
        if name in declared:
            value = declared[name]
            if name in live and not is_same(name, value, live[name], declared):
                value = live[name]
                if name == "environment_variables":
                    value = _shown_environment(value, declared[name])
            outputs[name] = value
        elif name == "environment_variables":
            shown = _shown_environment(live.get(name), {})
            if shown:
                outputs[name] = shown
        elif live.get(name) not in (None, "", [], {}):
            outputs[name] = live[name]
    for key in (*OPTIONS, *HIDDEN_INPUTS):
        if inputs.get(key) is not None:
            outputs[key] = inputs[key]
    outputs.setdefault(DECLARED, sorted(declared_keys(inputs)))
    _extra(inputs, item, outputs)
    if account is not None:
        outputs[ACCOUNT] = account
    if item is not None:
        if item.id is not None:
            # An id is a text whatever the answer held: state rounds large numbers.
            outputs["deployment_id"] = str(item.id)
        outputs |= summary(item)
        for key in ("created_at", "updated_at"):
            value = getattr(item, key)
            if value is not None:
                outputs[key] = value
    return outputs


def _shown_environment(live: Any, declared: Any) -> dict[str, Any]:
    """
    Live variables as the state may hold them.

    Nobody said of a variable that we did not declare whether it is a secret, so its
    value is stored as one.
    """
    shown: dict[str, Any] = {}
    known = declared if isinstance(declared, dict) else {}
    for name, value in (live or {}).items():
        if name in known:
            shown[name] = value
        elif not name.startswith(PLATFORM_PREFIX):
            shown[name] = value if isinstance(value, dict) else SecretValue(value)
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
    raw = item.plain() if item is not None else {}
    outputs[EXTRA] = {
        # A key that the service does not echo is as good as sent.
        key: whole_numbers(raw[key]) if raw.get(key) is not None else value
        for key, value in extra.items()
    }


def inputs_of(
    old_inputs: Mapping[str, Any], item: DeploymentResponseItem
) -> dict[str, Any]:
    """
    What the state's inputs shall be after a refresh.

    Exactly the keys that they had, bookkeeping included: a key that a read leaves out
    is lost, and a key that it adds would look declared.
    """
    live = live_values(item)
    declared = declared_fields(old_inputs)
    raw = item.plain()
    found: dict[str, Any] = {}
    for key, value in old_inputs.items():
        if key in declared and key in live:
            if is_same(key, value, live[key], declared):
                found[key] = value
            elif key == "environment_variables":
                found[key] = _shown_environment(live[key], value)
            else:
                found[key] = live[key]
        elif key == EXTRA and isinstance(value, dict):
            found[key] = {
                k: whole_numbers(raw[k]) if raw.get(k) is not None else v
                for k, v in value.items()
            }
        else:
            found[key] = value
    return found
