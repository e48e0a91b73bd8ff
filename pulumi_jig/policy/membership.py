"""
What a member tells its budget, and where.

It stands apart from the judgement of budgets because every program that declares a
deployment loads it, and few of them have a budget. Standard library only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The input of a deployment that names its budget.
BUDGET_INPUT: Final = "budget"
#: The keys of a member that say its size, the deployment's input that each comes from.
MEMBER_KEYS: Final = {
    "gpu_type": "gpu_type",
    "gpu_count": "gpu_count",
    "min_replicas": "min_replicas",
    "max_replicas": "max_replicas",
    "memory_gib": "memory",
}


def member_of(name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The member that stands for a deployment: its name and what it asks for."""
    sizes = {
        name_of: inputs[source]
        for name_of, source in MEMBER_KEYS.items()
        if inputs.get(source) is not None
    }
    return {"name": name, **sizes}
