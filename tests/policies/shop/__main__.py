"""Builds what `plan.json` beside it says."""

import asyncio
import json
from pathlib import Path

import pulumi
from shopkeeper import Deployment, GpuBudget, Lost

plan = json.loads((Path(__file__).parent / "plan.json").read_text())
kinds = {"deployment": Deployment, "lost": Lost}

# Members wait for the budget, which is registered last, with the sizes of all of them.
budget = asyncio.get_event_loop().create_future()
waiting = pulumi.Output.from_input(budget) if "budget" in plan else None
opts = None if waiting is None else pulumi.ResourceOptions(depends_on=waiting)
source = None
for name, item in plan["deployments"].items():
    kind = kinds[item.pop("kind", "deployment")]
    for key, value in item.items():
        if value == "unknown until created" and source is not None:
            item[key] = source.id.apply(lambda _: 8)
    made = kind(name, item, opts)
    source = source or made
if "budget" in plan:
    budget.set_result([GpuBudget("team", plan["budget"])])
