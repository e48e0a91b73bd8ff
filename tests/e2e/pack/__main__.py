"""A policy pack about toys, for scenarios."""

from __future__ import annotations

import os
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    PolicyPack,
    ResourceValidationPolicy,
    StackValidationPolicy,
)

TOY = "pulumi-python:dynamic/toy:Toy"


def size(args: Any, report: Any) -> None:
    if args.resource_type != TOY:
        args.not_applicable("not a toy")
    most = args.get_config()["most"]
    if args.props.get("size", 0) > most:
        report(f"The toy '{args.name}' must not be larger than {most}.")


def internal(args: Any, report: Any) -> None:
    if args.resource_type == TOY and "__provider" in list(args.props):
        report("Bookkeeping keys must be hidden from policies.")


def grow(args: Any) -> Any:
    # A remediation meets an unknown value as a string of the SDK's own.
    size = args.props.get("size")
    if args.resource_type == TOY and isinstance(size, float) and size < 1:
        args.props["size"] = 1
        return args.props
    return None


def total(args: Any, report: Any) -> None:
    toys = [item for item in args.resources if item.resource_type == TOY]
    most = args.get_config()["most"]
    if len(toys) > most:
        report(f"There must not be more than {most} toys, there are {len(toys)}.")
    for item in toys:
        if item.props.get("shout"):
            report("No shouting.", item.urn)


MOST = {"most": {"type": "number", "minimum": 1, "default": 3}}

# The real engine's only; the rehearsal refuses a pack that has one.
REMEDIATIONS = [
    ResourceValidationPolicy(
        name="toy-grow",
        description="Toys have a size.",
        remediate=grow,
        enforcement_level=EnforcementLevel.REMEDIATE,
    )
] * ("TOY_GROWS" in os.environ)

PolicyPack(
    name="toys",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=[
        ResourceValidationPolicy(
            name="toy-size",
            description="Toys are small.",
            validate=size,
            config_schema=PolicyConfigSchema(properties=MOST),
        ),
        ResourceValidationPolicy(
            name="toy-internal", description="Hidden keys.", validate=internal
        ),
        StackValidationPolicy(
            name="toy-count",
            description="Few toys.",
            validate=total,
            config_schema=PolicyConfigSchema(properties=MOST),
        ),
        *REMEDIATIONS,
    ],
)
