"""A budget's own limits: what the resource's check will say."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_jig.policy.budget import Budget, judge_budget
from pulumi_jig.policy.membership import member_of
from pulumi_jig.policy.unknown import UNKNOWN

H = "h100-80gb"
WIRE_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def budget(*members: Any, **limits: Any) -> dict[str, Any]:
    """The inputs of a budget."""
    return {"name": "team", "members": list(members), **limits}


def member(
    name: str = "a", gpus: Any = 1, high: Any = 1, **more: Any
) -> dict[str, Any]:
    """One of its members."""
    return {
        "name": name,
        "gpu_type": H,
        "gpu_count": gpus,
        "max_replicas": high,
        **more,
    }


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (budget(), []),
        (budget(member(gpus=4, high=4), max_gpus={H: 16}), []),
        (budget(member(gpus=4, high=4), max_gpus={H: 16.0}), []),
        (budget(member(gpus=4, high=4)), []),
        (budget(member(high=3, memory_gib=4), max_memory_gib=12), []),
        (budget(member(high=2), prices={H: 6}, max_usd_per_hour=12), []),
        (budget(member(gpu_type="h100-40gb-mig", high=4), max_total_gpus=2), []),
        (budget(member(gpus=WIRE_UNKNOWN), max_gpus={H: 1}), []),
        (budget(member(gpus=9), max_gpus={H: WIRE_UNKNOWN}), []),
        (budget(member(gpus=9), max_total_gpus=UNKNOWN), []),
        ({"name": "team", "members": UNKNOWN, "max_gpus": {H: 1}}, []),
    ],
)
def test_a_budget_within_its_limits_is_silent(
    inputs: dict[str, Any], expected: list[str]
) -> None:
    """At the limit, without a limit, or with a limit that is not known yet."""
    assert expected == judge_budget(inputs)


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (
            budget(member(gpus=4, high=5), max_gpus={H: 16}),
            'The budget "team" must not use more than 16 GPUs of type "h100-80gb"; it '
            "uses 20 (a 20). Lower the largest, or have the budget's max_gpus raised.",
        ),
        (
            budget(member(gpu_type="b200-192gb"), max_gpus={H: 16}),
            'The budget "team" must not use more than 0 GPUs of type "b200-192gb"; it '
            "uses 1 (a 1). Lower the largest, or add the type to the budget's max_gpus.",
        ),
        (
            budget(member(gpus=2), member("b"), max_total_gpus=2),
            'The budget "team" must not use more than 2 GPUs in total; it uses 3 (a 2, '
            "b 1). Lower the largest, or have the budget's max_total_gpus raised.",
        ),
        (
            budget(member(high=3, memory_gib=4.5), max_memory_gib=13),
            'The budget "team" must not use more than 13 GiB of memory in total; it '
            "uses 13.5 GiB (a 13.5). Lower the largest, or have the budget's "
            "max_memory_gib raised.",
        ),
        (
            budget(member(), max_memory_gib=13),
            'The budget "team" must know the memory of every deployment; memory of a '
            "is not set. Set it.",
        ),
        (
            budget(member(high=3), prices={H: 6}, max_usd_per_hour=17.5),
            'The budget "team" must not use more than 17.5 USD per hour when all '
            "replicas run; it uses 18, or 13140 per month (a 18). Lower the largest, "
            "or have the budget's max_usd_per_hour raised.",
        ),
        (
            budget(member(), prices={}, max_usd_per_hour=17.5),
            'The budget "team" must know the price of every GPU type in use; '
            '"h100-80gb" of a has none. Add it to the budget\'s prices.',
        ),
        (
            budget(member(gpus="x"), max_gpus={H: 1}),
            'The budget "team": a.gpu_count is not a quantity, so the limit of 1 GPUs '
            'of type "h100-80gb" cannot be judged and does not pass. Give plain numbers.',
        ),
        (
            budget({"name": "a"}),
            'The budget "team" must list the size of every member; members[0] ("a") has '
            "no gpu_type. Let pulumi_jig.GpuBudget write the list.",
        ),
        (
            budget(max_gpus={H: "many"}),
            'The budget "team" is configured wrongly: max_gpus at "h100-80gb" must be a '
            "number.",
        ),
        (
            budget(max_memory_gib=-1),
            'The budget "team" is configured wrongly: max_memory_gib must not be '
            "negative.",
        ),
        (
            budget(max_usd_per_hour=True),
            'The budget "team" is configured wrongly: max_usd_per_hour must be a number.',
        ),
    ],
)
def test_a_budget_over_its_limits_says_so(
    inputs: dict[str, Any], expected: str
) -> None:
    """One sentence with value, limit, largest members and remedy, in its own words."""
    assert [expected] == judge_budget(inputs)


def test_a_member_says_what_a_deployment_asks_for() -> None:
    """The list of a budget is made from the inputs of its deployments."""
    inputs = {"gpu_type": H, "gpu_count": 2, "memory": 64, "image": "x", "port": None}

    assert member_of("llm", inputs) == {
        "name": "llm",
        "gpu_type": H,
        "gpu_count": 2,
        "memory_gib": 64,
    }


def test_a_budget_goes_by_the_name_in_its_inputs() -> None:
    """Members name it so; the resource's name stands in where there is none."""
    assert Budget.of("other", "", budget()).name == "team"
    assert Budget.of("other", "", {"members": []}).name == "other"


@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=6),
    st.integers(0, 60),
)
def test_a_budget_speaks_exactly_when_the_sum_is_over(
    sizes: list[tuple[int, int]], limit: int
) -> None:
    """For all members and limits: silence if and only if the GPUs fit."""
    members = [
        member(f"m{i}", gpus, high, min_replicas=0)
        for i, (gpus, high) in enumerate(sizes)
    ]
    total = sum(gpus * high for gpus, high in sizes)

    assert (total > limit) is bool(judge_budget(budget(*members, max_gpus={H: limit})))


def test_judging_a_budget_needs_the_standard_library_only() -> None:
    """The provider loads this, so nothing of pulumi or of a client comes with it."""
    code = (
        "import sys, pulumi_jig.policy.budget\n"
        "third = ('pulumi', 'pulumi_policy', 'grpc', 'httpx', 'pydantic', 'yaml')\n"
        "print([m for m in third if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
