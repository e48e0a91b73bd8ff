"""The page that leads from an account to a first response."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from both_engines import ENGINES
from reader import typed

if TYPE_CHECKING:
    from reader import Reader

# The rehearsal makes no projects.
pytestmark = pytest.mark.parametrize("engine", ENGINES[1:], indirect=True)


def test_its_page_is_true(reader: Reader) -> None:
    """Whoever types its commands in an empty folder gets a deployment, and ends it."""
    page = (reader.home / "docs/getting-started.md").read_text()
    lines = [one.command.replace("/path/to", str(reader.home)) for one in typed(page)]
    (reader.home / "shop").mkdir()

    ran = reader.run("\n\n".join(lines), where="shop")

    assert [0] * len(lines) == [one.status for one in ran], ran
    assert "name: shop" in (reader.home / "shop/Pulumi.yaml").read_text()
    assert "/deployment-request/llm-" in ran[-2].output
    assert reader.live() == []
