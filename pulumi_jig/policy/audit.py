"""
The same rules over what already exists: an exported state, without an engine.

Policies speak when something changes; what was deployed before a limit existed is never
asked. An audit asks it: resource policies judge the inputs in the state, stack policies
the outputs, which hold what is live as far as the last refresh saw it.

It refuses to call a state clean that it cannot read. Secrets that are encrypted in the
state are values that nobody knows here, and operations that were interrupted are named,
since what they made may be running.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.errors import ConfigError
from pulumi_jig.policy.catalogue import CATALOGUE
from pulumi_jig.policy.facts import Resource, is_dynamic, shown
from pulumi_jig.policy.findings import Finding, Kind
from pulumi_jig.policy.judge import judge_resource, judge_stack
from pulumi_jig.policy.profiles import Profile, stack_of
from pulumi_jig.policy.unknown import plain

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

_LATER: Final = "It is encrypted or missing in this state."
_VERSION: Final = 3


@dataclass(frozen=True)
class State:
    """
    An exported state, as far as policies care.

    Attributes:
        stack: The stack's name.
        declared: Resources with their inputs.
        live: The same resources with their outputs.
        pending: Deployments and budgets in an interrupted operation: kind and name.
    """

    stack: str
    declared: Sequence[Resource]
    live: Sequence[Resource]
    pending: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Verdict:
    """One finding of an audit, with the policy and the level that it has there."""

    policy: str
    level: str
    finding: Finding

    @property
    def fails(self) -> bool:
        """Whether it makes the audit fail."""
        return self.level == "mandatory" and self.finding.kind is Kind.VIOLATION

    def as_json(self) -> dict[str, str]:
        """It as JSON."""
        return {
            "policy": self.policy,
            "level": self.level if self.finding.kind is Kind.VIOLATION else "advisory",
            "kind": self.finding.kind.value,
            "resource": self.finding.name,
            "urn": self.finding.urn,
            "message": self.finding.message,
        }


def read_state(path: Path) -> State:
    """
    Read a file of `pulumi stack export`, or the state file of a rehearsal.

    Raises:
        ConfigError: It cannot be read, or is not such a file.
    """
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise ConfigError(f"The state {path} cannot be read: {reason}.") from None
    except ValueError:
        raise ConfigError(
            f"The state {path} is not JSON; write it with `pulumi stack export --file`."
        ) from None
    deployment = given.get("deployment") if isinstance(given, Mapping) else None
    version = given.get("version") if isinstance(given, Mapping) else None
    if not isinstance(deployment, Mapping):
        raise ConfigError(
            f"The state {path} holds no deployment; write it with `pulumi stack export "
            "--file`."
        )
    if version is not None and version != _VERSION:
        raise ConfigError(
            f"The state {path} has format {version}, and only {_VERSION} is known here; "
            "export it with a Pulumi command of this project's version."
        )
    return _state(deployment)


def _state(deployment: Mapping[str, Any]) -> State:
    entries = [e for e in deployment.get("resources") or [] if isinstance(e, Mapping)]
    providers = {
        f"{e.get('urn')}::{e.get('id')}": plain(e.get("inputs") or {}) for e in entries
    }
    # What is in the state only to be deleted is judged by nobody's limits, and what is
    # only looked up (`Deployment.get`) is somebody else's.
    kept = [
        e
        for e in entries
        if is_dynamic(str(e.get("type")))
        and not e.get("delete")
        and not e.get("external")
    ]
    urns = [str(e.get("urn", "")) for e in entries]
    pending = []
    for operation in deployment.get("pending_operations") or []:
        resource = operation.get("resource") or {}
        if is_dynamic(str(resource.get("type"))):
            pending.append((str(operation.get("type")), _name(resource)))
    return State(
        stack=next((s for s in map(stack_of, urns) if s), ""),
        declared=[_resource(e, "inputs", providers) for e in kept],
        live=[_resource(e, "outputs", providers) for e in kept],
        pending=pending,
    )


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry.get("urn", "")).rpartition("::")[2]


def _resource(
    entry: Mapping[str, Any], side: str, providers: Mapping[str, Any]
) -> Resource:
    values = plain(entry.get(side) or {})
    if side == "outputs" and not values:
        # A resource whose creation failed half-way may have inputs only.
        values = plain(entry.get("inputs") or {})
    provider = providers.get(str(entry.get("provider", "")), {})
    return Resource(
        type=str(entry.get("type")),
        name=_name(entry),
        urn=str(entry.get("urn", "")),
        inputs=values,
        protect=bool(entry.get("protect")),
        ignore_changes=tuple(entry.get("ignoreChanges") or ()),
        base_url=provider.get("jig:baseUrl"),
    )


def audit(state: State, profile: Profile, today: dt.date) -> list[Verdict]:
    """
    Everything that the policies have to say about a state.

    Args:
        state: See `read_state`.
        profile: Levels and limits; a policy that is disabled there says nothing.
        today: The date (UTC) for exemptions and prices.

    Raises:
        ConfigError: The profile is unusable.
    """
    verdicts: list[Verdict] = []
    for spec in CATALOGUE:
        level = profile.level(spec.name)
        if level == "disabled":
            continue
        settings = profile.settings(spec)
        if spec.is_stack:
            found = judge_stack(spec, state.live, settings, today, later=_LATER)
        else:
            found = [
                Finding(f.kind, f.message, resource.urn, resource.name)
                for resource in state.declared
                for f in judge_resource(spec, resource, settings, today, later=_LATER)
            ]
        verdicts += [Verdict(spec.name, level, finding) for finding in found]
    return verdicts


def interrupted(state: State) -> list[str]:
    """A sentence per operation that was interrupted."""
    return [
        f"The operation {operation} of {shown(name)} was interrupted: what it made may "
        "be running and billing, and no limit here counts it. Run `pulumi-jig recover`."
        for operation, name in state.pending
    ]
