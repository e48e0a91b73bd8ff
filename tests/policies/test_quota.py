"""Quotas: a running total, held while deployments are admitted one by one."""

from __future__ import annotations

import datetime as dt
import json
import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import wire
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import DEPLOYMENT, mandatory

from pulumi_jig.policy import guardrails
from pulumi_jig.policy.audit import audit_state, read_state
from pulumi_jig.policy.declaration import Facts, GpuType
from pulumi_jig.policy.findings import Finding, Kind
from pulumi_jig.policy.judge import judge_admission, judge_stack
from pulumi_jig.policy.profile import Profile
from pulumi_jig.policy.quota import Ledger
from pulumi_jig.policy.registry import find
from pulumi_jig.policy.resource import Resource
from pulumi_jig.policy.unknown import UNKNOWN

if TYPE_CHECKING:
    from pathlib import Path

H, M = "h100-80gb", "h100-40gb-mig"
TYPES = {
    H: GpuType(Decimal(6), Decimal(80)),
    M: GpuType(Decimal(3), Decimal(40), Decimal("0.5")),
}
FACTS = Facts(dt.date(2026, 11, 22), TYPES)
LIMITS: dict[str, dict[str, Any]] = {
    "jig-stack-gpus": {
        "max_gpus": {H: 8, M: 4},
        "max_total_gpus": 9,
        "max_floor_gpus": 4,
        "groups": {"a-*": {"max_total_gpus": 3}},
    },
    "jig-stack-memory": {
        "max_memory_gib": 512,
        "max_floor_memory_gib": 256,
        "max_vram_gib": 600,
        "unset_memory_gib": 32,
    },
    "jig-stack-cost": {
        "max_peak_usd_per_hour": 50,
        "max_floor_usd_per_hour": 25,
        "max_deployment_usd_per_hour": 40,
        "prices_as_of": "2026-11-01",
    },
}
QUOTAS = [
    find(name).read({"unknown": "warn", **given}, today=FACTS.today)
    for name, given in LIMITS.items()
]

SIZES = st.fixed_dictionaries(
    {
        "gpu_type": st.sampled_from([H, M, "none"]),
        "gpu_count": st.integers(0, 4),
        "min_replicas": st.integers(0, 2),
        "memory": st.sampled_from([None, 16, 64.5]),
    },
    optional={"max_replicas": st.integers(0, 3)},
)
NAMES = st.sampled_from([f"{team}-{i}" for team in "ab" for i in range(6)])
STACKS = st.dictionaries(NAMES, SIZES, max_size=12)


def deployment(name: str, size: dict[str, Any]) -> Resource:
    """A deployment of this size."""
    inputs = {"image": "x", **{k: v for k, v in size.items() if v is not None}}
    return Resource(DEPLOYMENT, name, wire.urn_of(DEPLOYMENT, name), inputs)


def breaks(findings: list[Finding]) -> bool:
    """Whether a mandatory policy would refuse."""
    return any(finding.kind is Kind.VIOLATION for finding in findings)


def stack_breaks(resources: list[Resource]) -> bool:
    """Whether the stack as a whole breaks a limit."""
    return any(breaks(judge_stack(quota, resources, FACTS)) for quota in QUOTAS)


def admit(ledger: Ledger, resource: Resource) -> bool:
    """Ask all quotas at once, as a pack does; say whether it was admitted."""
    request = object()
    with ledger.lock:
        for quota in QUOTAS:
            if breaks(judge_admission(quota, resource, FACTS, ledger, request)):
                ledger.withdraw(resource.urn)
                return False
    return True


@given(STACKS, st.randoms())
def test_what_is_admitted_never_exceeds_a_limit(
    stack: dict[str, Any], random: Any
) -> None:
    """In whatever order deployments come, what was admitted is within all limits."""
    resources = [deployment(name, size) for name, size in stack.items()]
    random.shuffle(resources)
    ledger = Ledger()
    admitted = [resource for resource in resources if admit(ledger, resource)]

    assert not stack_breaks(admitted)
    assert {r.urn for r in ledger.admitted} == {r.urn for r in admitted}


@given(STACKS, st.randoms())
def test_a_stack_within_its_limits_is_admitted_whole(
    stack: dict[str, Any], random: Any
) -> None:
    """A preview refuses nothing that a judgement of the whole stack would let pass."""
    resources = [deployment(name, size) for name, size in stack.items()]
    random.shuffle(resources)
    ledger = Ledger()
    refused = [resource for resource in resources if not admit(ledger, resource)]

    assert bool(refused) == stack_breaks(resources)


@given(STACKS, st.lists(st.tuples(NAMES, SIZES), max_size=12))
def test_an_update_holds_what_exists_and_what_is_declared(
    before: dict[str, Any], changes: list[tuple[str, dict[str, Any]]]
) -> None:
    """
    Whatever changes, in whatever order, what runs is within all limits if it was before,
    and a change is refused only where it would not be.
    """
    world = {name: deployment(name, size) for name, size in before.items()}
    if stack_breaks(list(world.values())):
        return
    ledger = Ledger()
    ledger.expect(world.values())
    for name, size in changes:
        asked = deployment(name, size)
        after = {**world, name: asked}
        admitted = admit(ledger, asked)

        assert admitted != stack_breaks(list(after.values()))
        world = after if admitted else world


def test_growing_before_another_has_shrunk_is_refused() -> None:
    """The one exception: an order in which more would run for a while than may."""
    two = {"gpu_type": H, "gpu_count": 3, "min_replicas": 0, "max_replicas": 1}
    bigger, smaller = {**two, "max_replicas": 2}, {**two, "max_replicas": 0}
    for order, expected in (
        ([("b-1", bigger), ("b-2", smaller)], [False, True]),
        ([("b-2", smaller), ("b-1", bigger)], [True, True]),
    ):
        ledger = Ledger()
        ledger.expect([deployment("b-1", {**two}), deployment("b-2", {**two})])
        declared = [deployment(name, size) for name, size in order]

        assert not stack_breaks([r for r in declared if r.name == "b-2"])
        assert [admit(ledger, resource) for resource in declared] == expected


@settings(deadline=None, max_examples=25)
@given(STACKS)
def test_threads_admit_no_more_than_one_would(stack: dict[str, Any]) -> None:
    """With all deployments asked about at once, what was admitted is within limits."""
    resources = [deployment(name, size) for name, size in stack.items()]
    ledger, admitted = Ledger(), []

    def ask(resource: Resource) -> None:
        if admit(ledger, resource):
            admitted.append(resource)

    threads = [threading.Thread(target=ask, args=(r,)) for r in resources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not stack_breaks(admitted)


@given(STACKS, st.sets(NAMES))
def test_an_unknown_that_becomes_known_is_held(
    stack: dict[str, Any], hidden: set[str]
) -> None:
    """A preview counts unknowns at their least; the update, with all values, holds."""
    resources = [deployment(name, size) for name, size in stack.items()]
    masked = [
        Resource(r.type, r.name, r.urn, {**r.inputs, "gpu_count": UNKNOWN})
        if r.name in hidden
        else r
        for r in resources
    ]
    preview, update = Ledger(), Ledger()
    shown = {r.name for r in masked if admit(preview, r)}
    made = [r for r in resources if admit(update, r)]

    assert not stack_breaks(made)
    if not stack_breaks(resources):
        assert shown == stack.keys()


@settings(deadline=None, max_examples=25)
@given(STACKS)
def test_four_ways_agree(tmp_path_factory: Any, stack: dict[str, Any]) -> None:
    """Admission, the end of a run, an audit and a test give one answer about a stack."""
    resources = [deployment(name, size) for name, size in stack.items()]
    expected = stack_breaks(resources)
    types = {
        name: {
            "usd_per_hour": float(one.usd_per_hour or 0),
            "vram_gib": float(one.vram_gib or 0),
            "weight": float(one.weight or 1),
        }
        for name, one in TYPES.items()
    }
    config: dict[str, Any] = {"all": "disabled", "jig-gpu-types": {"types": types}}
    for name, limits in LIMITS.items():
        config[name] = {"enforcementLevel": "mandatory", "unknown": "warn", **limits}

    def clock() -> dt.date:
        return FACTS.today

    at_admission = wire.local(guardrails(clock=clock, environ={})).configure(config)
    asked = [at_admission.resource(dict(r.inputs), name=r.name) for r in resources]
    at_end = wire.local(guardrails(clock=clock, environ={})).configure(config)
    whole = at_end.stack(*((r.type, r.name, dict(r.inputs)) for r in resources))
    path: Path = tmp_path_factory.mktemp("state") / "state.json"
    entries = [
        {"urn": r.urn, "type": r.type, "inputs": r.inputs, "outputs": r.inputs}
        for r in resources
    ]
    path.write_text(json.dumps({"version": 3, "deployment": {"resources": entries}}))
    levels = dict.fromkeys(LIMITS, "mandatory")
    keys = {n: {"unknown": "warn", **limits} for n, limits in LIMITS.items()}
    profile = Profile(
        "x", "disabled", levels, {**keys, "jig-gpu-types": {"types": types}}
    )
    audited = audit_state(read_state(path), profile, FACTS.today)

    assert any(mandatory(said) for said in asked) == expected
    assert bool(mandatory(whole)) == expected
    assert any(finding.fails for finding in audited) == expected
