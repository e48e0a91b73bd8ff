"""
Each rule at its edges: right, wrong, at the limit, one over, left out, unknown, no number.

The corpus is broad; this table is short and says for every rule what each of these cases
is. A rule without a limit has no row for it, and the last test says which these are.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from wire import good

from pulumi_jig.policy.declaration import Facts, GpuType
from pulumi_jig.policy.findings import Kind
from pulumi_jig.policy.judge import judge_resource, judge_stack
from pulumi_jig.policy.registry import POLICIES, find
from pulumi_jig.policy.resource import Resource
from pulumi_jig.policy.unknown import UNKNOWN

FACTS = Facts(
    dt.date(2026, 11, 22),
    {"h100-80gb": GpuType(usd_per_hour=Decimal(6), vram_gib=Decimal(80))},
)
DEPLOYMENT = "pulumi-python:dynamic/jig:Deployment"
V, U, A, OK = "violation", "unknown", "advice", ""

LIMITS: dict[str, dict[str, Any]] = {
    "gpu-count": {"max_per_replica": 4, "max_per_deployment": 8, "allowed_counts": []},
    "gpu-types": {"allow": ["h100-80gb"]},
    "memory": {"max_gib": 64, "max_gib_per_gpu": None, "max_gib_cpu_only": None},
    "replicas": {
        "max_min_replicas": 2,
        "max_max_replicas": 4,
        "max_spread": 3,
        "unset": "allow",
    },
    "image": {"require": "digest"},
    "protect": {"require_protect": True},
    "storage": {"max_gib": 200, "unset": "deny"},
    "cpu": {"max_cores": 8, "unset": "deny"},
    "termination-grace": {"max_seconds": 600, "min_seconds": None},
    "capacity-type": {"allow": ["stable"], "unset": "deny"},
    "metadata": {"description_pattern": ".{5,}"},
    "no-bypass": {"extra_keys": ["newer_field"]},
    "stack-gpus": {
        "max_gpus": {"h100-80gb": 8},
        "max_total_gpus": None,
        "max_floor_gpus": None,
    },
    "stack-memory": {"max_memory_gib": 128, "max_vram_gib": None},
    "stack-cost": {
        "prices_as_of": "2026-11-01",
        "max_peak_usd_per_hour": 12,
        "max_floor_usd_per_hour": None,
        "max_deployment_usd_per_hour": None,
    },
}
DIGEST = "@sha256:" + "0f" * 32

GRACE = "termination_grace_period_seconds"
# Policy, case, patch of a sound deployment, expected. A patch of None removes a key.
ROWS: list[tuple[str, str, dict[str, Any], str]] = [
    ("valid-quantities", "right", {"storage": 100}, OK),
    ("valid-quantities", "wrong", {"storage": 1.5}, V),
    ("valid-quantities", "limit", {"storage": 0}, OK),
    ("valid-quantities", "over", {"storage": -1}, V),
    ("valid-quantities", "left out", {"storage": None}, OK),
    ("valid-quantities", "unknown", {"storage": UNKNOWN}, OK),
    ("valid-quantities", "no number", {"storage": "10Gi"}, V),
    ("gpu-count", "right", {"gpu_count": 2}, OK),
    ("gpu-count", "wrong", {"gpu_count": 64}, V),
    ("gpu-count", "limit", {"gpu_count": 4}, OK),
    ("gpu-count", "over", {"gpu_count": 5}, V),
    ("gpu-count", "left out", {"gpu_count": None}, V),
    ("gpu-count", "unknown", {"gpu_count": UNKNOWN}, U),
    ("gpu-count", "no number", {"gpu_count": "many"}, V),
    ("gpu-types", "right", {}, OK),
    ("gpu-types", "wrong", {"gpu_type": "b200-192gb"}, V),
    ("gpu-types", "left out", {"gpu_type": None}, V),
    ("gpu-types", "unknown", {"gpu_type": UNKNOWN}, U),
    ("gpu-types", "no number", {"gpu_type": 5}, V),
    ("memory", "right", {"memory": 8}, OK),
    ("memory", "wrong", {"memory": 900}, V),
    ("memory", "limit", {"memory": 64}, OK),
    ("memory", "over", {"memory": 64.5}, V),
    ("memory", "left out", {"memory": None}, V),
    ("memory", "unknown", {"memory": UNKNOWN}, U),
    ("memory", "no number", {"memory": "64Gi"}, V),
    ("replicas", "right", {}, OK),
    ("replicas", "wrong", {"max_replicas": 40}, V),
    ("replicas", "limit", {"max_replicas": 4}, OK),
    ("replicas", "over", {"min_replicas": 2, "max_replicas": 5}, V),
    ("replicas", "left out", {"max_replicas": None, "autoscaling": None}, OK),
    ("replicas", "unknown", {"max_replicas": UNKNOWN}, U),
    ("replicas", "no number", {"max_replicas": "many"}, V),
    ("image", "right", {"image": f"registry.together.ai/p/i{DIGEST}"}, OK),
    ("image", "wrong", {"image": f"evil.example/p/i{DIGEST}"}, V),
    ("image", "limit", {"image": f"registry.together.ai/p/i:latest{DIGEST}"}, OK),
    ("image", "over", {"image": "registry.together.ai/p/i:1.0"}, V),
    ("image", "left out", {"image": None}, V),
    ("image", "unknown", {"image": UNKNOWN}, U),
    ("image", "no number", {"image": 5}, V),
    ("no-plaintext-secrets", "right", {}, OK),
    ("no-plaintext-secrets", "wrong", {"environment_variables": {"API_KEY": "a"}}, V),
    ("no-plaintext-secrets", "left out", {"environment_variables": None}, OK),
    ("no-plaintext-secrets", "unknown", {"environment_variables": UNKNOWN}, U),
    ("no-plaintext-secrets", "no number", {"environment_variables": 5}, V),
    ("health-check", "right", {}, OK),
    ("health-check", "wrong", {"health_check_path": ""}, V),
    ("health-check", "left out", {"health_check_path": None}, V),
    ("health-check", "unknown", {"health_check_path": UNKNOWN}, U),
    ("health-check", "no number", {"health_check_path": 5}, V),
    ("no-bypass", "right", {"extra": {"newer_field": 1}}, OK),
    ("no-bypass", "wrong", {"extra": {"gpu_count": 8}}, V),
    ("no-bypass", "left out", {}, OK),
    ("no-bypass", "unknown", {"extra": UNKNOWN}, U),
    ("no-bypass", "no number", {"extra": 5}, V),
    ("storage", "right", {"storage": 100}, OK),
    ("storage", "wrong", {"storage": 900}, V),
    ("storage", "limit", {"storage": 200}, OK),
    ("storage", "over", {"storage": 201}, V),
    ("storage", "left out", {"storage": None}, V),
    ("storage", "unknown", {"storage": UNKNOWN}, U),
    ("storage", "no number", {"storage": "10Gi"}, V),
    ("cpu", "right", {"cpu": 4}, OK),
    ("cpu", "wrong", {"cpu": 64}, V),
    ("cpu", "limit", {"cpu": 8}, OK),
    ("cpu", "over", {"cpu": 8.1}, V),
    ("cpu", "left out", {"cpu": None}, V),
    ("cpu", "unknown", {"cpu": UNKNOWN}, U),
    ("cpu", "no number", {"cpu": "4000m"}, V),
    ("termination-grace", "right", {GRACE: 30}, OK),
    ("termination-grace", "wrong", {GRACE: 9000}, V),
    ("termination-grace", "limit", {GRACE: 600}, OK),
    ("termination-grace", "over", {GRACE: 601}, V),
    ("termination-grace", "left out", {GRACE: None}, OK),
    ("termination-grace", "unknown", {GRACE: UNKNOWN}, U),
    ("termination-grace", "no number", {GRACE: "5m"}, V),
    ("capacity-type", "right", {"capacity_type": "stable"}, OK),
    ("capacity-type", "wrong", {"capacity_type": "preemptible"}, V),
    ("capacity-type", "left out", {"capacity_type": None}, V),
    ("capacity-type", "unknown", {"capacity_type": UNKNOWN}, U),
    ("capacity-type", "no number", {"capacity_type": 5}, V),
    ("metadata", "right", {"description": "serves"}, OK),
    ("metadata", "wrong", {"description": "x"}, V),
    ("metadata", "left out", {"description": None}, V),
    ("metadata", "unknown", {"description": UNKNOWN}, U),
    ("metadata", "no number", {"description": 5}, V),
    ("stack-gpus", "right", {"max_replicas": 4}, OK),
    ("stack-gpus", "wrong", {"max_replicas": 100}, V),
    ("stack-gpus", "limit", {"max_replicas": 8}, OK),
    ("stack-gpus", "over", {"max_replicas": 9}, V),
    ("stack-gpus", "left out", {"gpu_count": None}, OK),
    ("stack-gpus", "unknown", {"max_replicas": UNKNOWN}, U),
    ("stack-gpus", "no number", {"max_replicas": "many"}, V),
    ("stack-memory", "right", {"memory": 8}, OK),
    ("stack-memory", "wrong", {"memory": 900}, V),
    ("stack-memory", "limit", {"memory": 64}, OK),
    ("stack-memory", "over", {"memory": 64.5}, V),
    ("stack-memory", "left out", {"memory": None}, V),
    ("stack-memory", "unknown", {"memory": UNKNOWN}, U),
    ("stack-memory", "no number", {"memory": "64Gi"}, V),
    ("stack-cost", "right", {"max_replicas": 1}, OK),
    ("stack-cost", "wrong", {"gpu_type": "b200-192gb"}, V),
    ("stack-cost", "limit", {"max_replicas": 2}, OK),
    ("stack-cost", "over", {"max_replicas": 3}, V),
    ("stack-cost", "left out", {"gpu_count": None}, OK),
    ("stack-cost", "unknown", {"gpu_count": UNKNOWN}, U),
    ("stack-cost", "no number", {"gpu_count": "many"}, V),
]


def strongest(policy: str, resources: list[Resource]) -> str:
    """What a policy says about a deployment, or about the stack that it is in."""
    configured = find(policy).read({"unknown": "warn", **LIMITS.get(policy, {})})
    if configured.judges == "quota":
        findings = judge_stack(configured, resources, FACTS)
    else:
        findings = judge_resource(configured, resources[0], FACTS)
    kinds = sorted((f.kind for f in findings), key=lambda kind: kind.strength)
    return kinds[-1].value if kinds else OK


@pytest.mark.parametrize(
    ("policy", "case", "patch", "expected"),
    ROWS,
    ids=[f"{policy}-{case}" for policy, case, _, _ in ROWS],
)
def test_a_rule_at_its_edges(
    policy: str, case: str, patch: dict[str, Any], expected: str
) -> None:
    """The rule says of this case what the table says."""
    del case
    stack = [Resource(DEPLOYMENT, "llm", inputs=good(**patch), protect=True)]

    assert strongest(policy, stack) == expected


@pytest.mark.parametrize(
    ("protect", "ignored", "expected"),
    [
        (True, (), OK),
        (False, (), V),
        (True, ("description",), OK),
        (True, ("gpu_count",), V),
    ],
)
def test_protection_at_its_edges(
    *, protect: bool, ignored: tuple[str, ...], expected: str
) -> None:
    """The policy on options says of these what the table says."""
    resource = Resource(
        DEPLOYMENT, "llm", inputs=good(), protect=protect, ignore_changes=ignored
    )

    assert strongest("protect", [resource]) == expected


def test_every_rule_has_its_rows() -> None:
    """Seven cases for each rule with a limit, five for each without one."""
    cases: dict[str, set[str]] = {}
    for policy, case, _, _ in ROWS:
        cases.setdefault(f"jig-{policy}", set()).add(case)
    without_limit = {
        "jig-gpu-types",
        "jig-no-plaintext-secrets",
        "jig-health-check",
        "jig-no-bypass",
        "jig-capacity-type",
        "jig-metadata",
    }
    every = {"right", "wrong", "left out", "unknown", "no number"}

    assert {policy.name for policy in POLICIES} - cases.keys() == {"jig-protect"}
    for policy, found in cases.items():
        limit = set() if policy in without_limit else {"limit", "over"}
        assert found == every | limit, policy


def test_a_finding_of_every_kind_has_a_rank() -> None:
    """Advice is weaker than what is unknown, which is weaker than a violation."""
    assert [k.strength for k in (Kind.ADVICE, Kind.UNKNOWN, Kind.VIOLATION)] == [
        0,
        1,
        2,
    ]
