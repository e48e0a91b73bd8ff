"""
A program that builds what the file `plan.json` beside it says.

One program for all scenarios: they change the plan between operations, and any engine
can run it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi
from toy import Toy

PLAN: dict[str, Any] = json.loads((Path(__file__).parent / "plan.json").read_text())
MADE: dict[str, Any] = {}


class Box(pulumi.ComponentResource):
    """A component, to hold children."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("toy:index:Box", name, {}, opts)
        self.register_outputs({"label": name})


class Crate(pulumi.ComponentResource):
    """A box of another type."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("toy:index:Crate", name, {}, opts)
        self.register_outputs({"label": name})


def value(spec: Any) -> Any:
    """A plan's value; `$out`, `$ref` and such stand for what JSON cannot say."""
    if isinstance(spec, list):
        return [value(item) for item in spec]
    if not isinstance(spec, dict):
        return spec
    if "$out" in spec:
        name, attribute = spec["$out"]
        return getattr(MADE[name], attribute)
    if "$ref" in spec:
        name, function, output = spec["$ref"]
        return getattr(MADE[name], f"{function}_output")(output)
    if "$secret" in spec:
        return pulumi.Output.secret(value(spec["$secret"]))
    if "$config" in spec:
        return pulumi.Config().require(spec["$config"])
    return {key: value(item) for key, item in spec.items()}


def options(spec: dict[str, Any]) -> pulumi.ResourceOptions:
    """Resource options; names of resources become the resources."""
    given = dict(spec)
    for key in ("parent", "provider", "deleted_with"):
        if key in given:
            given[key] = MADE[given[key]]
    for key in ("depends_on", "providers"):
        if key in given:
            given[key] = [MADE[name] for name in given[key]]
    if "custom_timeouts" in given:
        given["custom_timeouts"] = pulumi.CustomTimeouts(**given["custom_timeouts"])
    if "aliases" in given:
        given["aliases"] = [
            alias if isinstance(alias, str) else pulumi.Alias(**alias)
            for alias in given["aliases"]
        ]
    return pulumi.ResourceOptions(**given)


for name, item in PLAN["resources"].items():
    opts = options(item.get("opts", {}))
    props = value(item.get("props", {}))
    match item.get("kind", "toy"):
        case "toy":
            MADE[name] = Toy(item.get("name", name), props, opts)
        case "box":
            MADE[name] = Box(item.get("name", name), opts)
        case "crate":
            MADE[name] = Crate(item.get("name", name), opts)
        case "reference":
            MADE[name] = pulumi.StackReference(name, item["stack"], opts)
        case "provider":
            MADE[name] = pulumi.ProviderResource("pulumi-python", name, props, opts)

for name, spec in PLAN.get("outputs", {}).items():
    pulumi.export(name, value(spec))

if PLAN.get("fail"):
    raise RuntimeError(PLAN["fail"])
