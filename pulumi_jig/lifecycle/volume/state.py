"""
The state of a volume: what is declared, what is live, and the bookkeeping.

Under a field's own key stands the declared value as long as it is true of what is live,
and the live value as soon as it is not. `current_version` is what a deployment may
mount: the newest version that is ready, which after a failed copy is the one before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_jig.lifecycle.keys import ACCOUNT, DECLARED, HIDDEN_INPUTS
from pulumi_jig.lifecycle.volume.inputs import (
    ASKED,
    DEFAULT_TYPE,
    OPTIONS,
    SHOWN,
    declared_keys,
    normal_content,
    same_content,
)
from pulumi_jig.lifecycle.volume.versions import (
    READY,
    Version,
    newest_of,
    newest_ready,
    versions_of,
)
from pulumi_jig.text import safe_data
from pulumi_jig.values import reveal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.schema.responses import VolumeResponseItem


def state_of(
    inputs: Mapping[str, Any],
    item: VolumeResponseItem | None,
    *,
    account: str | None = None,
) -> dict[str, Any]:
    """
    What the state shall hold.

    Args:
        inputs: Checked inputs; with the service's own form of the content, if it
            writes the same thing in another way.
        item: What the service answered last; None before it did.
        account: Whose key created it, if the service says so.
    """
    outputs: dict[str, Any] = {
        key: inputs[key]
        for key in ("name", *OPTIONS, *HIDDEN_INPUTS, SHOWN, ASKED)
        if inputs.get(key) is not None
    }
    outputs.setdefault(DECLARED, sorted(declared_keys(inputs)))
    outputs["type"] = inputs.get("type") or DEFAULT_TYPE
    if inputs.get("content") is not None:
        outputs["content"] = inputs["content"]
    if account is not None:
        outputs[ACCOUNT] = account
    if item is None:
        return outputs
    if item.type:
        outputs["type"] = item.type
    live = newest_of(item).content
    if not is_declared_content(inputs, live):
        outputs["content"] = safe_data(normal_content(live))
    if item.id is not None:
        outputs["volume_id"] = str(item.id)
    current = newest_ready(item)
    if current is not None:
        outputs["current_version"] = current
    newest = newest_of(item)
    outputs["status"] = safe_data(newest.status or READY)
    if newest.message:
        outputs["status_message"] = safe_data(newest.message)
    outputs["versions"] = [_shown(version) for version in versions_of(item)]
    for key in ("created_at", "updated_at"):
        if getattr(item, key) is not None:
            outputs[key] = safe_data(getattr(item, key))
    return outputs


def is_declared_content(data: Mapping[str, Any], live: Any) -> bool:
    """Whether a live content is what the data declares, in the service's own form too."""
    if same_content(data.get("content"), live):
        return True
    shown = reveal(data.get(SHOWN))
    return bool(shown) and shown == safe_data(normal_content(live))


def _shown(version: Version) -> dict[str, Any]:
    # Not who mounts it: that is not the volume's, and would be out of date at once.
    shown: dict[str, Any] = {
        "version": version.number,
        "status": safe_data(version.status or READY),
    }
    if version.message:
        shown["status_message"] = safe_data(version.message)
    return shown


def inputs_of(
    old_inputs: Mapping[str, Any], item: VolumeResponseItem
) -> dict[str, Any]:
    """
    What the state's inputs shall be after a refresh.

    Exactly the keys that they had, bookkeeping included: a key that a read leaves out
    is lost, and a key that it adds would look declared.
    """
    found = dict(old_inputs)
    live = newest_of(item).content
    if "content" in found and not same_content(found["content"], live):
        found["content"] = safe_data(normal_content(live))
    if "type" in found and item.type:
        found["type"] = item.type
    return found


def inputs_in(state: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs that a state echoes, and what it remembers of requests."""
    keys = {"name", *declared_keys(state), *HIDDEN_INPUTS, SHOWN, ASKED}
    return {key: state[key] for key in keys if state.get(key) is not None}
