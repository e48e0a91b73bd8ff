"""Secrets beside deployments: no rule is about them, and what follows them is no secret."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from wire import good

from pulumi_jig.naming import DEPLOYMENT_TYPE, SECRET_TYPE, VOLUME_TYPE
from pulumi_jig.policy.declaration import Facts
from pulumi_jig.policy.judge import judge_resource, judge_stack
from pulumi_jig.policy.registry import POLICIES, find
from pulumi_jig.policy.resource import Resource
from pulumi_jig.policy.unknown import UNKNOWN
from pulumi_jig.resources.parts import ROTATIONS

FACTS = Facts(dt.date(2026, 11, 22))
SECRET: dict[str, Any] = {
    "name": "hf-token",
    "value": "hf_aB3daB3daB3daB3daB3daB3d",
    "value_version": "4f1c2a-1",
    "ttl_seconds": 86_400.0,
    "version": 2.0,
}
VOLUME = {"name": "weights", "content": {"type": "files", "source_prefix": "llm/1"}}


@pytest.mark.parametrize("value", [SECRET["value"], UNKNOWN], ids=["known", "unknown"])
@pytest.mark.parametrize("spec", POLICIES, ids=lambda spec: spec.name)
def test_no_rule_is_about_a_secret_or_a_volume(spec: Any, value: Any) -> None:
    """A secret in clear inputs, known or not, is passed over by every policy."""
    resources = [
        Resource(SECRET_TYPE, "token", inputs={**SECRET, "value": value}),
        Resource(VOLUME_TYPE, "weights", inputs=VOLUME),
    ]
    policy = spec.read({})
    assert judge_stack(policy, resources, FACTS) == []
    for resource in resources:
        assert judge_resource(policy, resource, FACTS) == []


def test_the_rotations_of_a_deployment_are_no_secret() -> None:
    """The variable that rolls a deployment with its secrets holds no value of theirs."""
    spec = find("no-plaintext-secrets")
    variables = {
        "HF_TOKEN": {"value_from_secret": "hf-token"},
        ROTATIONS: "API_KEY=4f1c2a-12 HF_TOKEN=9b01d3-1",
    }
    resource = Resource(
        DEPLOYMENT_TYPE, "llm", inputs=good(environment_variables=variables)
    )
    policy = spec.read({})
    assert judge_resource(policy, resource, FACTS) == []
