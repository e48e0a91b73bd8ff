"""
The same rules over what already exists: an exported state, or what an account runs.

Policies speak when something changes; what was deployed before a limit existed is never
asked. An audit asks it: resource policies judge the inputs in the state, quotas the
outputs, which hold what is live as far as the last refresh saw it. A live audit judges
what the service lists, in a state or not.

A state that cannot be read is not called clean. Secrets that are encrypted in it are
values that nobody knows here, and operations that were interrupted are named, since what
they made may be running.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.errors import ConfigError
from pulumi_jig.naming import DEPLOYMENT_TYPE
from pulumi_jig.policy.findings import Finding, Kind, violation
from pulumi_jig.policy.judge import judge_resource, judge_stack, worded
from pulumi_jig.policy.profile import Profile, stack_of
from pulumi_jig.policy.registry import POLICIES
from pulumi_jig.policy.resource import Resource, is_dynamic, label
from pulumi_jig.policy.unknown import plain

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

_LATER: Final = "It is encrypted or missing in this state."
_VERSION: Final = 3
#: Seconds. Reading a state of a thousand resources takes one or two.
_EXPORT_TIMEOUT: Final = 60
#: What an account's list does not say: they judge options of a program.
_NOT_LIVE: Final = frozenset({"jig-protect", "jig-no-bypass"})


@dataclass(frozen=True)
class State:
    """
    An exported state, as far as policies care.

    Attributes:
        stack: The stack's name.
        declared: Resources with their inputs.
        live: The same resources with their outputs.
        pending: Deployments in an interrupted operation: operation and name.
    """

    stack: str
    declared: Sequence[Resource]
    live: Sequence[Resource]
    pending: Sequence[tuple[str, str]] = ()

    @property
    def names(self) -> set[str]:
        """The names under which the service knows its deployments."""
        return {str(r.get("name") or r.name) for r in self.live if r.is_deployment}


@dataclass(frozen=True)
class AuditFinding:
    """One finding of an audit, with the policy and the level that it has there."""

    policy: str
    level: str
    finding: Finding

    @property
    def fails(self) -> bool:
        """Whether it makes the audit fail."""
        return self.level == "mandatory" and self.finding.kind is Kind.VIOLATION

    @property
    def message(self) -> str:
        """What it says."""
        return worded(self.finding, self.level)

    def as_json(self) -> dict[str, str]:
        """Return its JSON form, for `--json`."""
        return {
            "policy": self.policy,
            "level": self.level if self.finding.kind is Kind.VIOLATION else "advisory",
            "kind": self.finding.kind.value,
            "resource": self.finding.name,
            "urn": self.finding.urn,
            "message": self.message,
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
    except (ValueError, RecursionError):
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
    try:
        return _state(deployment)
    except (ValueError, AttributeError, TypeError):
        raise ConfigError(
            f"The state {path} holds something that no engine writes; export it again."
        ) from None


def export_state(environ: Mapping[str, str]) -> State | None:
    """
    Return what the stack of a pack's process holds, by asking the `pulumi` command.

    The engine tells a pack about each resource when its turn comes, and of what the
    state holds not a word.

    Args:
        environ: The variables of the process: the engine names the stack in them.

    Returns:
        The state, or None where there is no command, or it does not answer in time.
    """
    import shutil
    import subprocess

    project, stack = environ.get("PULUMI_PROJECT"), environ.get("PULUMI_STACK")
    command = shutil.which("pulumi", path=environ.get("PATH"))
    if not project or not stack or command is None:
        return None
    name = f"{environ.get('PULUMI_ORGANIZATION') or 'organization'}/{project}/{stack}"
    try:
        # Whatever is shown on the way must not reach stdout, where the engine reads.
        done = subprocess.run(  # noqa: S603 - the command that started this process
            [command, "stack", "export", "--stack", name, "--non-interactive"],
            capture_output=True,
            timeout=_EXPORT_TIMEOUT,
            check=True,
        )
        return _state(json.loads(done.stdout)["deployment"])
    except (OSError, subprocess.SubprocessError, LookupError, ValueError, TypeError):
        return None


def _state(deployment: Mapping[str, Any]) -> State:
    entries = [e for e in deployment.get("resources") or [] if isinstance(e, Mapping)]
    providers = {
        f"{e.get('urn')}::{e.get('id')}": plain(e.get("inputs") or {})
        for e in entries
        if str(e.get("type")).startswith("pulumi:providers:")
    }
    # What is in the state only to be deleted, or is another's, is judged by no limit.
    kept = [
        e
        for e in entries
        if is_dynamic(str(e.get("type"))) and not (e.get("delete") or e.get("external"))
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
        retain_on_delete=bool(entry.get("retainOnDelete")),
        base_url=provider.get("jig:baseUrl"),
    )


def live_resources(deployments: Sequence[Mapping[str, Any]]) -> list[Resource]:
    """Return the deployments of an account as rules see them."""
    return [
        Resource(DEPLOYMENT_TYPE, str(one.get("name")), inputs=plain(one))
        for one in deployments
    ]


def audit(
    declared: Sequence[Resource],
    live: Sequence[Resource],
    profile: Profile,
    today: dt.date,
    *,
    baseline: Sequence[Resource] | None = None,
    skip: frozenset[str] = frozenset(),
    later: str = _LATER,
) -> list[AuditFinding]:
    """
    Return everything that the policies have to say about what exists.

    Args:
        declared: The resources, as a program declares them.
        live: The same resources as they are.
        profile: Levels and limits; a policy that is disabled there says nothing.
        today: The date (UTC) for exemptions and prices.
        baseline: What was there before, for limits on growth.
        skip: Policies that cannot judge this.
        later: What is said of values that are not known.

    Raises:
        ConfigError: The profile is unusable.
    """
    facts = profile.facts(today, baseline)
    found: list[AuditFinding] = []
    for policy in POLICIES:
        level = profile.level(policy.name)
        if level == "disabled" or policy.name in skip:
            continue
        configured = profile.policy(policy.name, today=today)
        if policy.judges == "quota":
            findings = judge_stack(configured, live, facts, later=later)
            if baseline is None:
                # Nothing grows in an audit that compares with nothing.
                findings = [
                    f for f in findings if "PULUMI_JIG_BASELINE" not in f.message
                ]
        else:
            findings = [
                Finding(f.kind, f.message, resource.urn, resource.name)
                for resource in declared
                for f in judge_resource(configured, resource, facts, later=later)
            ]
        found += [AuditFinding(policy.name, level, finding) for finding in findings]
    return found


def audit_state(
    state: State,
    profile: Profile,
    today: dt.date,
    baseline: Sequence[Resource] | None = None,
) -> list[AuditFinding]:
    """Return everything that the policies have to say about a state; see `audit`."""
    return audit(state.declared, state.live, profile, today, baseline=baseline)


def audit_live(
    deployments: Sequence[Mapping[str, Any]],
    profile: Profile,
    today: dt.date,
    state: State | None = None,
) -> list[AuditFinding]:
    """
    Return everything that the policies have to say about what an account runs.

    Args:
        deployments: Inputs of deployments, as the service lists them.
        profile: See `audit`.
        today: See `audit`.
        state: A state; what is in none of its resources is a violation then.
    """
    resources = live_resources(deployments)
    found = audit(
        resources,
        resources,
        profile,
        today,
        skip=_NOT_LIVE,
        later="The service did not say.",
    )
    for resource in resources if state is not None else ():
        assert state is not None
        if resource.name not in state.names:
            message = (
                f"{resource.subject} must be in a state; it runs, and this one does not "
                "hold it. Import it, or delete it, if no other stack does."
            )
            finding = violation(message, name=resource.name)
            found.append(AuditFinding("in-no-state", "mandatory", finding))
    return found


def interrupted(state: State) -> list[str]:
    """Return a sentence per operation that was interrupted."""
    return [
        f"The operation {operation} of {label(name)} was interrupted: what it made may "
        "be running and billing, and no limit here counts it. Run `pulumi-jig recover`."
        for operation, name in state.pending
    ]
