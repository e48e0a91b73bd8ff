"""How many steps run at once makes no difference to what comes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import pulumi
from pulumi_jig import Deployment

first = Deployment("first", image="r/app:1", gpu_type="none")
for number in range(8):
    Deployment(
        f"app-{number}", image="r/app:1", gpu_type="none", min_replicas=number % 3,
        environment_variables={"PEER": first.name, "NUMBER": str(number)},
    )
"""
#: What is another one in every run.
FRESH = {"__nonce", "deployment_id", "revision_id", "created_at", "updated_at"}


def test_any_number_at_once_ends_in_the_same_state(
    tmp_path: Path, jig_rehearsal: Any
) -> None:
    """Case L20: one at a time, 16 and 64 leave the same resources and outputs."""
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    ends = []
    for parallel in (1, 16, 64):
        stack = jig_rehearsal(tmp_path, parallel=parallel)
        stack.up().raise_if_failed()
        assert stack.preview().is_empty
        ends.append(
            {
                resource["urn"]: {
                    key: value
                    for key, value in resource["outputs"].items()
                    if key not in FRESH
                }
                for resource in stack.export()["deployment"]["resources"]
                if resource["type"].endswith(":Deployment")
            }
        )
        stack.destroy().raise_if_failed()

    assert 9 == len(ends[0])
    assert ends[0] == ends[1] == ends[2]
