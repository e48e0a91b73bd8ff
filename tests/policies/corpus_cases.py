"""The labelled corpus, read and judged; shared by its test and its report."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulumi_jig.policy.catalogue import CATALOGUE, PolicySpec
from pulumi_jig.policy.facts import Resource
from pulumi_jig.policy.judge import judge_resource, judge_stack
from pulumi_jig.policy.settings import Settings, read_settings
from pulumi_jig.policy.unknown import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pulumi_jig.policy.findings import Finding

CORPUS = Path(__file__).parent / "corpus"
SETTINGS = json.loads((CORPUS / "settings.json").read_text())
TODAY = "2026-11-22"


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
        base_url=decode(case.get("provider", {}).get("jig:baseUrl")),
    )


def settings_of(spec: PolicySpec, case: dict[str, Any]) -> Settings:
    """The corpus's settings of a policy, with the case's own over them."""
    given = {"unknown": "warn"}
    given |= SETTINGS.get(spec.name, {})
    given |= case.get("config", {}).get(spec.name, {})
    return read_settings(spec.settings, given, where=spec.name)


def strongest(findings: Iterable[Finding]) -> str:
    """The label that findings amount to; "" for silence."""
    kinds = sorted((f.kind for f in findings), key=lambda kind: kind.strength)
    return kinds[-1].value if kinds else ""


def judged(case: dict[str, Any]) -> dict[str, list[Finding]]:
    """What every policy says about a case."""
    today = dt.date.fromisoformat(case.get("today", TODAY))
    said = {}
    if "resources" in case:
        resources = [
            resource_of(r, urn=f"urn:{i}") for i, r in enumerate(case["resources"])
        ]
        for spec in CATALOGUE:
            if spec.is_stack:
                settings = settings_of(spec, case)
                said[spec.name] = judge_stack(spec, resources, settings, today)
    else:
        resource = resource_of(case)
        for spec in CATALOGUE:
            if not spec.is_stack:
                settings = settings_of(spec, case)
                said[spec.name] = judge_resource(spec, resource, settings, today)
    return said


def disagreements() -> list[tuple[str, str, str, str, str]]:
    """Case, policy, label, what the rule says, and the label's reason."""
    found = []
    for case in (*load("resources"), *load("stacks")):
        for policy, findings in judged(case).items():
            label, said = case["expect"].get(policy, ""), strongest(findings)
            if label != said:
                found.append((case["id"], policy, label, said, case["reason"]))
    return found


def scores() -> dict[str, tuple[int, int, int, int]]:
    """Per policy: cases, violations labelled, rightly and wrongly reported."""
    cases: Counter[str] = Counter()
    labelled: Counter[str] = Counter()
    right: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for case in (*load("resources"), *load("stacks")):
        for policy, findings in judged(case).items():
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
