"""
A dynamic provider that does nothing, for things with a deployment's outputs.

Pulumi makes an object for every output of every resource, whoever provides it; beside
`trivial`, whose things have no outputs of their own, this one tells how much that is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench_nothing import Nothing
from pulumi.dynamic import Resource

from pulumi_jig import Deployment

if TYPE_CHECKING:
    import pulumi

OUTPUTS = tuple(Deployment.__annotations__)


class Shaped(Resource):
    """Something that exists in the state only."""

    name: pulumi.Output[str]

    def __init__(self, name: str, props: dict[str, Any]) -> None:
        super().__init__(Nothing(), name, {**dict.fromkeys(OUTPUTS), **props})


Shaped.__annotations__ = Deployment.__annotations__
