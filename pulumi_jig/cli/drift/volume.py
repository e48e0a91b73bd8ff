"""What of a live volume differs from what is declared: its content, in versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_jig.cli.drift.comparing import ownership, readable
from pulumi_jig.cli.drift.findings import Compared, Finding, differs
from pulumi_jig.lifecycle.volume.inputs import SHOWN, normal_content
from pulumi_jig.lifecycle.volume.kind import VOLUME
from pulumi_jig.lifecycle.volume.state import is_declared_content
from pulumi_jig.lifecycle.volume.versions import newest_of, newest_ready

if TYPE_CHECKING:
    from pulumi_jig.cli.state_export import Record
    from pulumi_jig.client import JigClient
    from pulumi_jig.schema.responses import VolumeResponseItem


def compare(
    found: Compared,
    inputs: Record,
    state: Record,
    item: VolumeResponseItem,
    _client: JigClient,
) -> None:
    """Add what differs, and what is worth knowing."""
    newest = newest_of(item)
    live = {"type": item.type, "content": normal_content(newest.content)}
    # At a encrypted place of it stands what is live, so only the rest can differ.
    plain = readable(found, inputs, live, list(live))
    # The service's own form of the content stands for the declared one.
    known = {**plain, SHOWN: state.get(SHOWN)}
    for name in VOLUME.differences(plain, item):
        is_told = name == "content" and is_declared_content(known, newest.content)
        if not is_told:
            wanted, stored = plain.get(name), inputs.get(name)
            found.drift.append(differs(name, wanted, live[name], stored))
    ownership(found, VOLUME, plain, item)
    if newest.failed:
        why = f": {newest.message}" if newest.message else ""
        message = f"version {newest.number} was not copied{why}; {_mounted(item)}"
        found.drift.append(Finding("status", message))
    elif not newest.ready:
        message = f"version {newest.number} is being copied; {_mounted(item)}"
        found.notes.append(Finding("status", message))
    numbers = [one["version"] for one in state.get("versions") or []]
    if numbers and newest.number > max(numbers):
        message = f"somebody made version {newest.number}, outside of Pulumi"
        found.notes.append(Finding("current_version", message))


def _mounted(item: VolumeResponseItem) -> str:
    current = newest_ready(item)
    if current is None:
        return "there is none to mount yet"
    return f"deployments mount version {current}"
