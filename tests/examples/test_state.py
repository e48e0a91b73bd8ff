"""What the page about state says of a key that was rotated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from gatekeeper import Gatekeeper

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reader import Reader

HERE = "examples/quickstart"
OLD, NEW, NEWER = (f"acct:shop:key-{age}" for age in ("old", "new", "newer"))


@pytest.fixture
def gate(reader: Reader) -> Iterator[Gatekeeper]:
    """The service, with keys that can be revoked, and no key in the environment."""
    gate = Gatekeeper(reader.emulator.url)
    reader.env["TOGETHER_BASE_URL"] = gate.url
    del reader.env["TOGETHER_API_KEY"]
    yield gate
    gate.close()


def test_a_rotated_key(reader: Reader, gate: Gatekeeper, engine: str) -> None:
    """Each row of the page's table, in its order; nothing is ever taken for gone."""

    def status(command: str) -> int:
        return reader.one(command, where=HERE).status

    def rejected(command: str) -> None:
        ran = reader.one(command, where=HERE)
        assert ran.status != 0
        said = " ".join(ran.output.split())
        assert "rejected the API key" in said
        assert "refresh and destroy use the one of the last `pulumi up`" in said
        assert len(reader.live()) == 1

    reader.one("pulumi stack init dev", where=HERE)
    reader.one(f"pulumi config set --secret jig:apiKey {OLD}", where=HERE)
    assert status("pulumi up --yes --skip-preview") == 0
    gate.revoked.add(OLD)
    reader.one(f"pulumi config set --secret jig:apiKey {NEW}", where=HERE)

    assert status("pulumi preview --expect-no-changes") == 0
    rejected("pulumi refresh --yes --skip-preview")
    rejected("pulumi destroy --yes --skip-preview")
    assert status("pulumi preview --expect-no-changes") == 0
    rejected(f"TOGETHER_API_KEY={NEW} pulumi refresh --yes --skip-preview")
    if engine == "rehearsal":
        assert status("pulumi up --yes --skip-preview") == 0
        assert status("pulumi refresh --yes --skip-preview") == 0
        assert status("pulumi destroy --yes --skip-preview") == 0
    else:
        # The rehearsal's refresh and destroy cannot run the program.
        assert status("pulumi refresh --yes --skip-preview --run-program") == 0
        assert status("pulumi refresh --yes --skip-preview") == 0
        gate.revoked.add(NEW)
        reader.one(f"pulumi config set --secret jig:apiKey {NEWER}", where=HERE)
        rejected("pulumi destroy --yes --skip-preview")
        assert status("pulumi destroy --yes --skip-preview --run-program") == 0
    assert reader.live() == []
