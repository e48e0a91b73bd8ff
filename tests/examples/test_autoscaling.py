"""The example `autoscaling`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from reader import Reader

HERE = "examples/autoscaling"


def test_its_page_is_true(reader: Reader) -> None:
    """Whoever follows the page gets what it says, and nothing is left."""
    reader.follow(f"{HERE}/README.md")

    assert reader.live() == []


@pytest.mark.parametrize("engine", ["rehearsal"], indirect=True)
def test_the_autoscaler_is_no_drift(reader: Reader) -> None:
    """Replicas that came, and a worker scaled to zero, leave preview and refresh empty."""
    reader.one("pulumi stack init dev && pulumi up --yes --skip-preview", where=HERE)
    for name, count, status in (("chat", 3, "Ready"), ("worker", 0, "ScaledToZero")):
        (found,) = [d for d in reader.live() if d["name"].startswith(name)]
        reader.emulator.admin.patch(found["name"], desired_replicas=count)
        assert reader.emulator.admin.view(found["name"])["status"] == status

    ran = reader.run(
        "pulumi preview --expect-no-changes\n\n"
        "pulumi refresh --yes --expect-no-changes\n\npulumi-jig drift",
        where=HERE,
    )

    assert [0, 0, 0] == [one.status for one in ran], ran
