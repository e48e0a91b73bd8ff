"""What of a live deployment differs from what is declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.cli import account
from pulumi_jig.cli.drift.comparing import ownership, readable
from pulumi_jig.cli.drift.findings import (
    Compared,
    Finding,
    changed,
    differs,
)
from pulumi_jig.cli.stored import live_of
from pulumi_jig.errors import JigError
from pulumi_jig.lifecycle.deployment.inputs import (
    added_in,
    declared_fields,
    extra_fields,
)
from pulumi_jig.lifecycle.deployment.kind import DEPLOYMENT
from pulumi_jig.lifecycle.deployment.references import recognise
from pulumi_jig.rollout import counted
from pulumi_jig.rollout.sight import serving_replicas
from pulumi_jig.schema.comparison import environment_mapping
from pulumi_jig.schema.deployment import ENVIRONMENT, FIELDS
from pulumi_jig.schema.diff import desired_values, differing
from pulumi_jig.schema.enums import PLATFORM_PREFIX
from pulumi_jig.values import format_path, reveal, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulumi_jig.cli.state_export import Record
    from pulumi_jig.client import JigClient
    from pulumi_jig.schema.responses import DeploymentResponseItem

#: Events of a deployment's history that are looked at.
_HISTORY: Final = 10


def compare(
    found: Compared,
    inputs: Record,
    state: Record,
    item: DeploymentResponseItem,
    client: JigClient,
) -> None:
    """Add what differs, and what is worth knowing."""
    item = recognise(item, inputs, client, account.request_deadline())
    _fields(found, inputs, state, item)
    _extra(found, inputs, item)
    _revision(found, state, item, client)
    if item.status == "Failed" and state.get("wait_for") != "none":
        serving = serving_replicas(item)
        message = "the deployment does not serve (Failed)"
        if serving:
            message = f"the last roll-out failed; {counted(serving)} still serving"
        found.drift.append(Finding("status", message))


# --- Fields ---------------------------------------------------------------------


def _fields(
    found: Compared, inputs: Record, state: Record, item: DeploymentResponseItem
) -> None:
    live = live_of(item)
    plain = readable(found, inputs, live, list(FIELDS))
    declared = declared_fields(plain)
    found.unknown += [
        Finding(name, "is not told by the service")
        for name in declared
        if name not in live
    ]
    for name, wanted, there in differing(declared, live, added_in(state)):
        if name == ENVIRONMENT:
            found.drift += _environment(reveal(wanted), there)
        elif name in live:
            found.drift.append(
                differs(
                    name, wanted, there, inputs.get(name), declared=name in declared
                )
            )
    # What the service itself chose is nobody's to repair, and still worth knowing.
    for name in FIELDS.keys() - desired_values(declared, added_in(state)).keys():
        before, now = state.get(name), live.get(name)
        if before is not None and now is not None and reveal(before) != now:
            found.notes.append(changed(name, before, now))
    ownership(found, DEPLOYMENT, plain, item)


def _extra(found: Compared, inputs: Record, item: DeploymentResponseItem) -> None:
    """Fields newer than this package; one that the service does not echo is as sent."""
    raw = item.plain()
    for name, value in extra_fields(inputs).items():
        if raw.get(name) is not None and whole_numbers(raw[name]) != value:
            path = format_path(("extra", name))
            found.drift.append(Finding(path, "has another value live than is declared"))


def _environment(declared: Any, live: Any) -> Iterator[Finding]:
    wanted, there = environment_mapping(declared), environment_mapping(live)
    for name in sorted(wanted.keys() | there.keys()):
        path = format_path(("environment_variables", name))
        if name not in there:
            yield Finding(path, "declared, but not set live")
        elif name not in wanted:
            if not name.startswith(PLATFORM_PREFIX):
                yield Finding(path, "set live, but not declared")
        elif wanted[name] != there[name]:
            # Values are never shown: any of them may be a secret.
            yield Finding(path, "has another value live than is declared")


# --- Revisions ------------------------------------------------------------------


def _revision(
    found: Compared, state: Record, item: DeploymentResponseItem, client: JigClient
) -> None:
    before, now = state.get("revision_id"), item.revision_id
    if not before or not now or before == now:
        return
    try:
        history = client.deployments.revisions(
            str(item.id or item.name), account.request_deadline(), limit=_HISTORY
        )
    except JigError:
        history = []
    event = next((e for e in history if e.revision_id == now), None)
    action = event.action if event is not None else None
    when = (
        f" at {event.activated_at}" if event is not None and event.activated_at else ""
    )
    number = (
        f" to revision {event.revision_number}"
        if event is not None and event.revision_number is not None
        else ""
    )
    if action == "rollback":
        message = f"was rolled back{number}{when}, outside of Pulumi"
        found.drift.append(Finding("revision", message))
    elif action == "system":
        message = f"the platform itself made a new revision{when}"
        found.notes.append(Finding("revision", message))
    else:
        message = f"somebody made a new revision{when}, outside of Pulumi"
        found.notes.append(Finding("revision", message))
