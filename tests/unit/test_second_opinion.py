"""
Two validators of one request: our models, and the emulator, which shares no code.

Where they differ, one of them has misread the vendor's documents, or it is one of the
differences below, each of which is meant.
"""

from __future__ import annotations

import functools
import json

from core_cases import JUNK, URN, Service, checked, programs
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pulumi_jig.emulator.api import Request
from pulumi_jig.lifecycle.deployment.inputs import create_body
from pulumi_jig.schema.requests import CreateDeploymentRequest
from pulumi_jig.values import unknown_paths

#: What the emulator refuses and the models let pass.
LEFT_TO_OTHERS = (
    # Assumed quotas and lengths, of which the documents say nothing.
    "must have at most 1024 characters",
    "gpu_count: must be at",
    "min_replicas: must be at",
    "max_replicas: must be at",
    "storage: must be at",
    "termination_grace_period_seconds: must be at",
    "cpu: must be at most",
    # Words: whoever is newer than this package must be able to say his.
    "must be one of ",
    # The rule of names stands in `naming`, where the check finds it too.
    "name: must match",
    # What only two fields together can tell is a rule of the check, not of a model.
    "must be 0 with gpu_type none",
    "min replicas cannot be greater than max replicas",
)
#: What the models refuse and the emulator takes: `{}` says "off" in an update, and a
#: creation says it by leaving the field out.
STRICTER = ("autoscaling", {})

# Values at the edges of bounds, and of the wrong kind.
EDGES = st.sampled_from(
    [
        *(-1, 0, 1, 2, 3, 64, 400, 401, 1000, 1001, 65_535, 65_536),
        *(0.09, 0.1, 0.5, 8.0, 1000.5, True, "", "x", "/x", "4", "none", [], {}),
    ]
)


@functools.cache
def emulator():
    """The emulator's rules; the service that other tests share is not empty."""
    return Service()._api


def emulator_says(body: object) -> str | None:
    """Why the emulator refuses a creation; None where it takes it."""
    api = emulator()
    try:
        sent = json.dumps(body, allow_nan=False).encode()
    except ValueError:
        return "not JSON"
    headers = {"authorization": "Bearer acct:home:1"}
    told = api.handle(Request("POST", "/v1/deployments", headers, sent))
    found = json.loads(told.body)
    if told.status >= 400:
        return str(found["error"]["message"])
    path = f"/v1/deployments/{found['id']}"
    api.handle(Request("DELETE", path, headers, b""))
    return None


@settings(max_examples=settings().max_examples * 3)
@given(
    programs(),
    st.sampled_from(list(CreateDeploymentRequest.model_fields)),
    EDGES | JUNK,
)
def test_models_and_emulator_agree(program, field, value):
    """Case M2: what one refuses the other refuses, but for what is named above."""
    assume(not list(unknown_paths(value)))
    body = {**create_body(checked(program), URN), field: value}
    try:
        read = CreateDeploymentRequest.model_validate(body)
    except ValidationError:
        assert emulator_says(body) is not None or (field, value) == STRICTER
        return

    why = emulator_says(read.body())

    assert why is None or any(meant in why for meant in LEFT_TO_OTHERS), why
