"""What recovery takes in although nobody saw it serve."""

from __future__ import annotations

import pytest

from pulumi_jig.cli.stored import unfinished
from pulumi_jig.lifecycle.deployment.kind import DEPLOYMENT
from pulumi_jig.lifecycle.keys import UNREADY
from pulumi_jig.schema.responses import DeploymentResponseItem


@pytest.mark.parametrize("status", ["Updating", "Scaling", "Failed", None, "Pausing"])
def test_what_does_not_serve_is_remembered_as_unfinished(status: str | None) -> None:
    """The next `up` must wait for it instead of calling it unchanged."""
    item = DeploymentResponseItem.model_validate({"id": "d-1", "status": status})
    assert list(unfinished(DEPLOYMENT, item, {})) == [UNREADY]


@pytest.mark.parametrize("status", ["Ready", "ScaledToZero"])
def test_what_serves_is_finished(status: str) -> None:
    """A deployment that serves is nothing to come back to."""
    item = DeploymentResponseItem.model_validate({"id": "d-1", "status": status})
    assert unfinished(DEPLOYMENT, item, {}) == {}


def test_nobody_waits_where_the_program_does_not() -> None:
    """With `wait_for="none"` an unfinished roll-out is as good as done."""
    item = DeploymentResponseItem.model_validate({"id": "d-1", "status": "Updating"})
    assert unfinished(DEPLOYMENT, item, {"wait_for": "none"}) == {}
