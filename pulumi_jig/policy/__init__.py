"""
Guardrails: limits for GPU counts, memory and cost, held before anything is created.

A rule is a plain function on plain data and knows no Pulumi; `pack` adapts the rules to
`pulumi_policy`. Rules, profiles and audits need the standard library only, so they also
run in a test and in `pulumi-jig policy audit`:

    from pulumi_policy import PolicyPack
    from pulumi_jig.policy import guardrails

    PolicyPack(**guardrails({"gpu-count": {"max_per_replica": 4}}))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pulumi_jig.policy.pack import guardrails, policies

__all__ = ["guardrails", "policies"]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pulumi_jig.policy import pack

    return getattr(pack, name)
