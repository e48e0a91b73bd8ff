"""The labelled corpus, read and judged; shared by its test and its report."""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulumi_jig.policy.declaration import Facts, Policy
from pulumi_jig.policy.judge import judge_resource, judge_stack
from pulumi_jig.policy.registry import BY_NAME, POLICIES
from pulumi_jig.policy.resource import Resource
from pulumi_jig.policy.unknown import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pulumi_jig.policy.findings import Finding

CORPUS = Path(__file__).parent / "corpus"
SETTINGS = json.loads((CORPUS / "settings.json").read_text())
TODAY = "2026-11-22"


@functools.cache
def load(name: str) -> list[dict[str, Any]]:
    """The cases of one file, as they are written."""
    cases: list[dict[str, Any]] = json.loads((CORPUS / f"{name}.json").read_text())
    return cases


def decode(value: Any) -> Any:
    """A value of a case as rules see it: plain data with UNKNOWN."""
    if isinstance(value, dict):
        if "$unknown" in value:
            return UNKNOWN
        if "$secret" in value:
            return decode(value["$secret"])
        if "$number" in value:
            return float(value["$number"])
        return {key: decode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [decode(item) for item in value]
    return value


def resource_of(case: dict[str, Any], urn: str = "") -> Resource:
    """The resource that a case describes."""
    options = case.get("options", {})
    return Resource(
        type=case["type"],
        name=case["name"],
        urn=urn,
        inputs=decode(case["inputs"]),
        protect=options.get("protect", False),
        ignore_changes=tuple(options.get("ignore_changes", ())),
        retain_on_delete=options.get("retain_on_delete", False),
        external=case.get("external", False),
        base_url=decode(case.get("provider", {}).get("jig:baseUrl")),
    )


def policy_of(policy: type[Policy], case: dict[str, Any]) -> Policy:
    """A policy as the corpus configures it, with the case's own settings over that."""
    given = {"unknown": "warn"}
    given |= SETTINGS.get(policy.name, {})
    given |= case.get("config", {}).get(policy.name, {})
    return policy.read(given, today=today_of(case))


def today_of(case: dict[str, Any]) -> dt.date:
    """The day on which a case is judged."""
    return dt.date.fromisoformat(case.get("today", TODAY))


def facts_of(case: dict[str, Any]) -> Facts:
    """What is known beside the resources of a case."""
    types: Any = policy_of(BY_NAME["jig-gpu-types"], case)
    before = case.get("baseline")
    return Facts(
        today_of(case),
        types.types,
        None if before is None else [resource_of(r) for r in before],
    )


def strongest(findings: Iterable[Finding]) -> str:
    """The label that findings amount to; "" for silence."""
    kinds = sorted((f.kind for f in findings), key=lambda kind: kind.strength)
    return kinds[-1].value if kinds else ""


def stack_of(case: dict[str, Any]) -> list[Resource]:
    """The resources of a stack's case."""
    return [
        resource_of(r, urn=f"urn:pulumi:dev::shop::{r['type']}::{r['name']}-{i}")
        for i, r in enumerate(case["resources"])
    ]


def judged(case: dict[str, Any]) -> dict[str, list[Finding]]:
    """What every policy says about a case."""
    facts = facts_of(case)
    said = {}
    for policy in POLICIES:
        configured = policy_of(policy, case)
        if "resources" in case:
            if policy.judges == "quota":
                said[policy.name] = judge_stack(configured, stack_of(case), facts)
        elif policy.judges != "quota":
            said[policy.name] = judge_resource(configured, resource_of(case), facts)
    return said


@functools.cache
def everything() -> list[tuple[dict[str, Any], dict[str, list[Finding]]]]:
    """All cases, with what every policy says about them."""
    return [(case, judged(case)) for case in (*load("resources"), *load("stacks"))]


def disagreements() -> list[tuple[str, str, str, str, str]]:
    """Case, policy, label, what the rule says, and the label's reason."""
    found = []
    for case, said_of in everything():
        for policy, findings in said_of.items():
            label, said = case["expect"].get(policy, ""), strongest(findings)
            if label != said:
                found.append((case["id"], policy, label, said, case["reason"]))
    return found


@functools.cache
def scores() -> dict[str, tuple[int, int, int, int]]:
    """Per policy: cases, violations labelled, rightly and wrongly reported."""
    cases: Counter[str] = Counter()
    labelled: Counter[str] = Counter()
    right: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for case, said_of in everything():
        for policy, findings in said_of.items():
            cases[policy] += 1
            label = case["expect"].get(policy) == "violation"
            said = strongest(findings) == "violation"
            labelled[policy] += label
            right[policy] += label and said
            wrong[policy] += said and not label
    return {p: (cases[p], labelled[p], right[p], wrong[p]) for p in cases}


def report() -> str:
    """Precision and recall of every policy, as a table."""
    lines = [f"{'policy':26} {'cases':>6} {'violations':>11} precision recall"]
    for policy, (cases, labelled, right, wrong) in scores().items():
        precision = right / (right + wrong) if right + wrong else 1.0
        recall = right / labelled if labelled else 1.0
        lines.append(
            f"{policy:26} {cases:>6} {labelled:>11} {precision:>9.3f} {recall:>6.3f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    for item in disagreements():
        print(*item, sep=" | ")
    print(report())
