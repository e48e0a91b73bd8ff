"""What people read of a run, end to end, on the rehearsal and on the real engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from jig_stage import dep

if TYPE_CHECKING:
    from jig_stage import JigStage

# The real engine takes a while for each operation.
pytestmark = pytest.mark.timeout(600)


def test_a_failed_check_prints_no_value_that_is_not_there(jig: JigStage) -> None:
    """The engine shows a scalar that was given, and of anything else only its path."""
    jig.deployment(
        port=99999,
        autoscaling={"metric": "HTTPTotalRequests", "targetValue": 3},
        environment_variables={"TOKEN": 5, "1BAD": "canary-of-a-variable"},
        volumes=[{"name": "weights", "mount_path": "relative"}],
        command=["serve", 5],
        extra=["canary-of-extra"],
        description={"canary-of": "a mapping"},
        gpu_count=None,
    )
    assert not jig.preview().ok
    errors = jig.errors()
    assert "property port value {99999}" in errors
    for said in (
        "autoscaling.targetValue is not a key here",
        'Did you mean "target"?',
        "environment_variables.TOKEN must be",
        'environment_variables["1BAD"] must begin',
        "volumes[0].mount_path must begin",
        "command[1] must be a string",
        "extra must be a mapping",
        "description must be a string",
        "gpu_count is required",
    ):
        assert said in errors
    assert "<nil>" not in errors
    assert "canary" not in errors


def test_a_name_that_is_taken_is_told_in_the_preview(jig: JigStage) -> None:
    """The preview says whose it is and what to do, and changes nothing."""
    jig.plan({"other": dep(name="the-llm")})
    assert jig.up().ok, jig.errors()
    jig.forget(jig.deployment_urn("other"))
    jig.plan({"mine": dep(name="the-llm"), "more": dep(name="more-llm")})
    with (jig.folder / "preview.txt").open("w") as output:
        assert jig.begin("preview", output).wait() == 0
    told = (jig.folder / "preview.txt").read_text()
    assert "cannot be created as things are" in told
    assert "belongs to shop/dev/other" in told
    assert "more-llm" not in told
    assert [item["name"] for item in jig.live()] == ["the-llm"]
