"""
Guardrails: limits for GPU counts, memory and cost, held before anything is created.

Three layers, and each refuses something. *Facts* turn what a policy is handed into plain
data and refuse to guess. *Rules* are pure functions on facts and refuse to know Pulumi.
*Packs* adapt rules to `pulumi_policy` and refuse to let an exception abort a run.

Facts and rules need the standard library only, so they also run in a test, in
`pulumi-jig policy audit`, and inside the `GpuBudget` resource. `pulumi_policy` is
imported by `packs` and what stands beside it, when they are asked for:

    from pulumi_policy import PolicyPack
    from pulumi_jig.policy import guardrails

    PolicyPack(**guardrails({"all": "mandatory", "gpu-count": {"max_per_replica": 4}}))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pulumi_jig.policy.budget import judge_budget
    from pulumi_jig.policy.packs import guardrails, policies

__all__ = ["guardrails", "judge_budget", "policies"]

_HOMES = {
    "guardrails": "pulumi_jig.policy.packs",
    "policies": "pulumi_jig.policy.packs",
    "judge_budget": "pulumi_jig.policy.budget",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)
