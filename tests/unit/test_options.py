"""Options of Pulumi's that would do harm or nothing are refused where they are written."""

from __future__ import annotations

import pulumi
import pytest

from pulumi_jig import Deployment, Secret, Volume

CPU = {"image": "i:1", "gpu_type": "none"}
KINDS = [
    pytest.param(lambda opts: Deployment("a", opts=opts, **CPU), id="Deployment"),
    pytest.param(lambda opts: Secret("a", value="x", opts=opts), id="Secret"),
    pytest.param(
        lambda opts: Volume("a", content={"source_prefix": "w/0"}, opts=opts),
        id="Volume",
    ),
]


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ({"replace_on_changes": ["image"]}, "replace_on_changes has no effect"),
        ({"import_": "some-name"}, "does not work with dynamic resources"),
        ({"deleted_with": object()}, "would be forgotten, not deleted"),
    ],
)
def test_an_option_that_deceives_is_refused(make, option, sentence) -> None:
    """Options that are ignored, or that leave things running, end in one sentence."""
    with pytest.raises(pulumi.RunError, match=sentence):
        make(pulumi.ResourceOptions(**option))
