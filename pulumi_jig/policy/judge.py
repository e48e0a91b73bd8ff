"""
From a rule's findings to what people are told: exemptions, unknown values, dates.

Every policy goes through here, in a pack, in an audit and in a test, so that an exemption
means the same everywhere. An exemption never makes a finding disappear: it turns it into
advice that says until when, and the day after it is what it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulumi_jig.policy.findings import Finding, Kind, advice
from pulumi_jig.policy.quota import judge_together

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from pulumi_jig.policy.declaration import Exemption, Facts, Policy
    from pulumi_jig.policy.quota import Ledger
    from pulumi_jig.policy.resource import Resource

#: What becomes of a value that a preview does not know.
LATER: Final = "It is judged again before anything is created."
#: The same at the end of an update.
NEVER: Final = "It was not known when the resource was created either."
_REFUSAL: Final = (
    "This environment refuses what cannot be judged: make the value known, or have "
    "`unknown` set to warn."
)


def judge_resource(
    policy: Policy, resource: Resource, facts: Facts, *, later: str = LATER
) -> list[Finding]:
    """
    Return what a policy says about one resource by itself; quotas say nothing.

    Args:
        policy: The policy, configured; it may be about other resources.
        resource: The resource.
        facts: See `Facts`.
        later: The sentence about what is not known yet.
    """
    if policy.judges == "quota" or not policy.applies_to(resource):
        return []
    found = policy.judge(resource, facts)
    exemption = policy.exemption(resource.name)
    return [
        _exempted(finding, exemption, facts.today)
        for finding in _denied(found, policy, later)
    ]


def judge_admission(
    policy: Policy, resource: Resource, facts: Facts, ledger: Ledger, request: object
) -> list[Finding]:
    """
    Return what a quota says about one deployment that asks to be admitted.

    The caller holds the ledger's lock, and withdraws the deployment where a mandatory
    policy refuses it.

    Args:
        policy: The quota, configured.
        resource: The deployment.
        facts: See `Facts`.
        ledger: What has been admitted before.
        request: See `Ledger.admit`.
    """
    if not policy.applies_to(resource):
        return []
    found = ledger.admit(policy, resource, facts, request)
    if policy.unknown == "deny":
        # What cannot be judged of the stack as a whole refuses each of its deployments.
        beside = policy.beside_sums([resource], facts)
        found += [finding for finding in beside if finding.kind is Kind.UNKNOWN]
    exemption = policy.exemption(resource.name)
    if exemption is not None and exemption.holds(facts.today):
        return [_not_counted(resource, exemption)]
    return [
        _exempted(finding, exemption, facts.today)
        for finding in _denied(found, policy, LATER)
    ]


def judge_stack(
    policy: Policy, resources: Sequence[Resource], facts: Facts, *, later: str = LATER
) -> list[Finding]:
    """
    Return what a quota says about a whole stack; other policies say nothing.

    A deployment that is exempt is left out of the sums, and named.
    """
    if policy.judges != "quota":
        return []
    exempt: list[Finding] = []
    ended: list[str] = []
    for resource in resources:
        exemption = policy.exemption(resource.name) if resource.is_deployment else None
        if exemption is not None and exemption.holds(facts.today):
            exempt.append(_not_counted(resource, exemption))
        elif exemption is not None:
            ended.append(f"{resource.label} on {exemption.expires}")
    found = _denied(judge_together(policy, resources, facts), policy, later)
    if ended:
        note = f" (Exemptions that ended: {', '.join(ended)}.)"
        found = [
            f.but(message=f.message + note) if f.kind is Kind.VIOLATION else f
            for f in found
        ]
    return [*exempt, *found]


def worded(finding: Finding, level: str) -> str:
    """Return a finding's message: "must" only where it stops the run."""
    if finding.kind is Kind.VIOLATION and level == "mandatory":
        return finding.message
    return finding.message.replace(" must ", " should ", 1)


def _not_counted(resource: Resource, exemption: Exemption) -> Finding:
    return advice(
        f"{resource.subject} is exempt {exemption.note} and not counted.",
        urn=resource.urn,
        name=resource.name,
    )


def _denied(findings: Iterable[Finding], policy: Policy, later: str) -> list[Finding]:
    deny = policy.unknown == "deny"
    return [
        finding.but(
            kind=Kind.VIOLATION if deny else Kind.UNKNOWN,
            message=f"{finding.message} {_REFUSAL if deny else later}",
        )
        if finding.kind is Kind.UNKNOWN
        else finding
        for finding in findings
    ]


def _exempted(finding: Finding, exemption: Exemption | None, today: dt.date) -> Finding:
    if exemption is None or finding.kind is Kind.ADVICE:
        return finding
    if exemption.holds(today):
        return finding.but(
            kind=Kind.ADVICE, message=f"Exempt {exemption.note}: {finding.message}"
        )
    if finding.kind is Kind.VIOLATION:
        return finding.but(
            message=f"{finding.message} (Its exemption ended on {exemption.expires}.)"
        )
    return finding
