"""The example `quickstart`, and the set-up that all examples share."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from reader import typed

if TYPE_CHECKING:
    from reader import Reader


def test_its_page_is_true(reader: Reader) -> None:
    """Whoever follows the page gets what it says, and nothing is left."""
    reader.follow("examples/quickstart/README.md")

    assert reader.live() == []


def test_the_shared_set_up_is_enough(reader: Reader) -> None:
    """After it, in the same shell, an example can be previewed."""
    page = (reader.home / "examples/README.md").read_text()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lines = [
        one.command.replace("8321", str(port))
        for one in typed(page)
        if "pip" not in one.command and "venv" not in one.command
    ]
    for name in ("TOGETHER_BASE_URL", "TOGETHER_API_KEY", "PULUMI_BACKEND_URL"):
        del reader.env[name]
    reader.env["HOME"] = str(reader.folder)
    # The page's own words are `kill %1`; a script has no job control for it.
    lines += ["cd quickstart", "pulumi stack init dev", "pulumi up --yes", "kill $!"]

    ran = reader.run("\n\n".join(lines), where="examples")

    assert [0] * len(lines) == [one.status for one in ran], ran
    assert reader.writes() == 0
