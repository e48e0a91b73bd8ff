"""A program that makes the deployments which `plan.json` beside it lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi

from pulumi_jig import Deployment, Provider, Secret, Volume

PLAN: dict[str, Any] = json.loads((Path(__file__).parent / "plan.json").read_text())
MADE: dict[str, Any] = {}


class Team(pulumi.ComponentResource):
    """A component, to hold children."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:index:Team", name, {}, opts)
        self.register_outputs({})


class GpuService(Deployment):
    """A user's own class, as a team would write one."""


def value(spec: Any) -> Any:
    """A plan's value; what begins with `$` stands for what JSON cannot say."""
    if isinstance(spec, list):
        return [value(item) for item in spec]
    if not isinstance(spec, dict):
        return spec
    if "$out" in spec:
        name, attribute = spec["$out"]
        return getattr(MADE[name], attribute)
    if "$made" in spec:
        return MADE[spec["$made"]]
    if "$secret" in spec:
        return pulumi.Output.secret(value(spec["$secret"]))
    if "$config" in spec:
        return pulumi.Config().require_secret(spec["$config"])
    return {key: value(item) for key, item in spec.items()}


def options(spec: dict[str, Any]) -> pulumi.ResourceOptions:
    """Resource options; names of resources become the resources."""
    given = dict(spec)
    for key in ("parent", "provider"):
        if key in given:
            given[key] = MADE[given[key]]
    if "depends_on" in given:
        given["depends_on"] = [MADE[name] for name in given["depends_on"]]
    if "custom_timeouts" in given:
        given["custom_timeouts"] = pulumi.CustomTimeouts(**given["custom_timeouts"])
    if "aliases" in given:
        given["aliases"] = [pulumi.Alias(**alias) for alias in given["aliases"]]
    return pulumi.ResourceOptions(**given)


for name, item in PLAN["resources"].items():
    opts = options(item.get("opts", {}))
    props = value(item.get("props", {}))
    match item.get("kind", "deployment"):
        case "deployment":
            MADE[name] = Deployment(name, props, opts)
        case "service":
            MADE[name] = GpuService(name, **props, opts=opts)
        case "volume":
            MADE[name] = Volume(name, props, opts)
        case "secret":
            MADE[name] = Secret(name, props, opts)
        case "team":
            MADE[name] = Team(name, opts)
        case "provider":
            MADE[name] = Provider(name, **props, opts=opts)
        case "get":
            MADE[name] = Deployment.get(name, item["id"], opts)

for name, spec in PLAN.get("outputs", {}).items():
    pulumi.export(name, value(spec))
