"""
`pulumi-jig drift`: what is declared against what is live, in words.

For each deployment of a state one look at the service. Drift is what the next `pulumi up
--refresh` would change back, plus what it could not see: a roll-back that somebody made
elsewhere. The autoscaler's moves, defaults that the service filled in and variables that
the platform injected are none. Changes of what nobody declared are told as notes.

It refuses to say "no drift" about what it could not compare: another account's
deployments, and values that the state holds encrypted, are named.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.errors import JigError, NotFoundError
from pulumi_jig.fields import FIELDS, is_same
from pulumi_jig.operations import account, terminal
from pulumi_jig.operations.exported import (
    logical_name,
    opened,
    sealed_leaves,
    unsealed,
)
from pulumi_jig.operations.stored import live_of
from pulumi_jig.operations.together import gather
from pulumi_jig.values import format_path, reveal, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pulumi_jig.client import JigClient
    from pulumi_jig.models import DeploymentResponseItem
    from pulumi_jig.operations.exported import Export, Record

_UNITS: Final = {
    "cpu": "cores",
    "memory": "GiB",
    "storage": "GiB",
    "termination_grace_period_seconds": "s",
}
#: How much of a value is shown, in characters.
_SHOWN: Final = 80
#: Events of a deployment's history that are looked at.
_HISTORY: Final = 10


@dataclass(frozen=True)
class Finding:
    """
    One difference, or one thing worth knowing.

    Attributes:
        path: The property, or `deployment` for the whole.
        words: What is so, without values of environment variables.
    """

    path: str
    words: str


@dataclass
class Compared:
    """
    One deployment of the state.

    Attributes:
        urn: The resource.
        name: The deployment's name.
        deployment_id: Its id, as the state knows it.
        drift: What differs.
        notes: What is worth knowing and no drift.
        unknown: What could not be compared.
    """

    urn: str
    name: str
    deployment_id: str | None
    drift: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    unknown: list[Finding] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """For a program to read."""

        def rows(findings: Sequence[Finding]) -> list[dict[str, str]]:
            return [{"path": one.path, "words": one.words} for one in findings]

        return {
            "urn": self.urn,
            "name": self.name,
            "deployment_id": self.deployment_id,
            "drift": rows(self.drift),
            "notes": rows(self.notes),
            "unknown": rows(self.unknown),
        }


def drift(export: Export, client: JigClient) -> list[Compared]:
    """
    Compare every deployment of a state with what is live.

    Args:
        export: The state; with readable secrets where they shall be compared too.
        client: The client.

    Raises:
        JigError: The service could not be asked.
    """
    resources = [item for item in export.deployments() if not item.get("delete")]
    whose = account.account(client, account.look()) if resources else None
    with terminal.progress("Comparing", len(resources)) as done:
        return gather(
            lambda resource: _compare(resource, client, whose),
            resources,
            limit=client.settings.parallel,
            done=done,
        )


def _compare(resource: Record, client: JigClient, whose: str | None) -> Compared:
    inputs: Record = opened(resource.get("inputs") or {})
    state: Record = opened(resource.get("outputs") or {})
    name = str(state.get("name") or resource.get("id"))
    known = state.get("deployment_id")
    found = Compared(resource["urn"], name, known)
    remembered = state.get("__account")
    if isinstance(remembered, str) and whose is not None and remembered != whose:
        words = f"belongs to account {remembered}, which this key ({whose}) is not of"
        found.unknown.append(Finding("deployment", words))
        return found
    try:
        item = client.deployments.get(str(known or name), account.look())
    except NotFoundError as error:
        if not error.definitive:
            raise
        found.drift.append(
            Finding("deployment", "does not exist any more; `pulumi up` makes it anew")
        )
        return found
    if known and item.id and item.id != known:
        words = f"is another one now (id {item.id} instead of {known})"
        found.drift.append(Finding("deployment", words))
        return found
    from pulumi_jig.lifecycle.deployment.references import recognise

    item = recognise(item, inputs, client, account.look())
    _fields(found, inputs, item)
    _extra(found, inputs, item)
    _ignore(found, resource.get("ignoreChanges") or [])
    _revision(found, state, item, client)
    if item.status == "Failed" and state.get("wait_for") != "none":
        found.drift.append(Finding("status", "the deployment does not serve (Failed)"))
    return found


# --- Fields ---------------------------------------------------------------------


def _fields(found: Compared, inputs: Record, item: DeploymentResponseItem) -> None:
    from pulumi_jig.lifecycle.deployment.inputs import declared_fields
    from pulumi_jig.lifecycle.deployment.kind import DEPLOYMENT
    from pulumi_jig.lifecycle.identity import foreign

    live = live_of(item)
    sealed = dict(sealed_leaves({k: v for k, v in inputs.items() if k in FIELDS}))
    # At a sealed place stands what is live, so that only the rest is compared.
    plain = unsealed(inputs, live)
    for path in sealed:
        found.unknown.append(Finding(format_path(path), "is encrypted, not compared"))
    declared = declared_fields(plain)
    for name, value in declared.items():
        if name not in live:
            found.unknown.append(Finding(name, "is not told by the service"))
        elif not is_same(name, value, live[name], declared):
            found.drift += _words(name, reveal(value), live[name])
    why = foreign(
        DEPLOYMENT, item, {**plain, "deployment_id": found.deployment_id}, found.urn
    )
    if why:
        found.drift.append(Finding("description", why))


def _extra(found: Compared, inputs: Record, item: DeploymentResponseItem) -> None:
    """Fields newer than this package; one that the service does not echo is as sent."""
    from pulumi_jig.lifecycle.deployment.inputs import extra_fields

    raw = item.plain()
    for name, value in extra_fields(inputs).items():
        if raw.get(name) is not None and whole_numbers(raw[name]) != value:
            path = format_path(("extra", name))
            found.drift.append(Finding(path, "has another value live than is declared"))


def _ignore(found: Compared, paths: Sequence[str]) -> None:
    """What the program ignores is no drift."""
    for one in list(found.drift):
        if any(
            one.path == path or one.path.startswith((f"{path}.", f"{path}["))
            for path in paths
        ):
            found.drift.remove(one)
            words = f"{one.words} (the program ignores it)"
            found.notes.append(Finding(one.path, words))


def _words(name: str, declared: Any, live: Any) -> Iterator[Finding]:
    if name == "environment_variables":
        yield from _environment(declared, live)
        return
    unit = f" {_UNITS[name]}" if name in _UNITS else ""
    yield Finding(name, f"declared {_shown(declared)}{unit}, live {_shown(live)}{unit}")


def _environment(declared: Any, live: Any) -> Iterator[Finding]:
    from pulumi_jig.fields import environment_mapping
    from pulumi_jig.models import PLATFORM_PREFIX

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


def _shown(value: Any) -> str:
    if value in (None, "", [], {}):
        return "nothing"
    text = value if isinstance(value, str) else _plain_text(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _plain_text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False)


# --- Revisions ------------------------------------------------------------------


def _revision(
    found: Compared, state: Record, item: DeploymentResponseItem, client: JigClient
) -> None:
    before, now = state.get("revision_id"), item.revision_id
    if not before or not now or before == now:
        return
    try:
        history = client.deployments.revisions(
            str(item.id or item.name), account.look(), limit=_HISTORY
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
        words = f"was rolled back{number}{when}, outside of Pulumi"
        found.drift.append(Finding("revision", words))
    elif action == "system":
        words = f"the platform itself made a new revision{when}"
        found.notes.append(Finding("revision", words))
    else:
        words = f"somebody made a new revision{when}, outside of Pulumi"
        found.notes.append(Finding("revision", words))


# --- For people -----------------------------------------------------------------


def show(found: Sequence[Compared]) -> None:
    """Tell people what differs."""
    for one in found:
        if not (one.drift or one.notes or one.unknown):
            continue
        colour = "bad" if one.drift else "notice"
        title = f"{logical_name({'urn': one.urn})} ({one.name})"
        terminal.say(terminal.paint(title, colour))
        for sign, rows in (("!", one.drift), ("?", one.unknown), ("i", one.notes)):
            for row in rows:
                subject = "" if row.path == "deployment" else f"{row.path}: "
                terminal.say(f"{sign} {subject}{row.words}", indent=4)
    drifted = sum(bool(one.drift) for one in found)
    total = f"{len(found)} deployment{'' if len(found) == 1 else 's'}"
    if drifted:
        terminal.say(f"{drifted} of {total} drifted.")
    else:
        terminal.say(f"No drift in {total}.")
