"""
From a rule's findings to what people are told: exemptions, unknown values, dates.

Every policy goes through here, in a pack, in an audit and in a test, so that an exemption
means the same everywhere. An exemption never makes a finding disappear: it turns it into
advice that says until when, and the day after it is what it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_jig.policy.budget import Budget
from pulumi_jig.policy.facts import Resource, shown
from pulumi_jig.policy.findings import Finding, Kind, advice

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from pulumi_jig.policy.catalogue import PolicySpec
    from pulumi_jig.policy.settings import Exemption, Settings


#: What becomes of a value that a preview does not know.
RESOURCE_LATER = "It is judged again before anything is created."
STACK_LATER = (
    "The update judges it again, but only when everything is created; a GpuBudget is "
    "judged before."
)


def judge_resource(
    spec: PolicySpec,
    resource: Resource,
    settings: Settings,
    today: dt.date,
    *,
    others: Sequence[Budget] = (),
    later: str = RESOURCE_LATER,
) -> list[Finding]:
    """
    What a resource policy says about one resource.

    Args:
        spec: The policy; it may be about other resources, which says nothing.
        resource: The resource.
        settings: The policy's configuration, of the class that `spec` names.
        today: The date (UTC) for exemptions and prices.
        others: For the policy on budgets: other budgets of the same run.
        later: The sentence about what is not known yet.
    """
    if not spec.applies_to(resource):
        return []
    if spec.judges == "budget":
        own = Budget.of(resource.name, resource.urn, resource.inputs)
        found: Iterable[Finding] = spec.rule([own, *others], settings, today)
    else:
        found = spec.rule(resource, settings)
    exemption = settings.exemption(resource.name)
    return [_exempted(f, exemption, today) for f in _denied(found, settings, later)]


def judge_stack(
    spec: PolicySpec,
    resources: Sequence[Resource],
    settings: Settings,
    today: dt.date,
    *,
    later: str = STACK_LATER,
) -> list[Finding]:
    """
    What a stack policy says about a stack.

    A deployment that is exempt is left out of the sums, and named.
    """
    counted: list[Resource] = []
    findings: list[Finding] = []
    ended: list[str] = []
    for resource in resources:
        exemption = (
            settings.exemption(resource.name) if resource.is_deployment else None
        )
        if exemption is not None and exemption.holds(today):
            findings.append(
                advice(
                    f"The deployment {shown(resource.name)} is exempt until "
                    f"{exemption.expires} ({exemption.reason}) and not counted.",
                    urn=resource.urn,
                    name=resource.name,
                )
            )
            continue
        if exemption is not None:
            ended.append(f"{shown(resource.name)} on {exemption.expires}")
        counted.append(resource)
    found = _denied(spec.judge_stack(counted, settings, today), settings, later)
    for finding in found:
        if ended and finding.kind is Kind.VIOLATION:
            note = f"{finding.message} (Exemptions that ended: {', '.join(ended)}.)"
            findings.append(finding.but(message=note))
        else:
            findings.append(finding)
    return findings


def _denied(
    findings: Iterable[Finding], settings: Settings, later: str
) -> list[Finding]:
    refusal = (
        "This environment refuses what cannot be judged: make the value known, or have "
        "`unknown` set to warn."
    )
    deny = settings.unknown == "deny"
    return [
        finding.but(
            kind=Kind.VIOLATION if deny else Kind.UNKNOWN,
            message=f"{finding.message} {refusal if deny else later}",
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
            kind=Kind.ADVICE,
            message=f"Exempt until {exemption.expires} ({exemption.reason}): "
            f"{finding.message}",
        )
    if finding.kind is Kind.VIOLATION:
        return finding.but(
            message=f"{finding.message} (Its exemption ended on {exemption.expires}.)"
        )
    return finding
