"""The example `existing`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from reader import typed

if TYPE_CHECKING:
    from reader import Reader

HERE = "examples/existing"
BY_HAND = "hf_by_hand"


def test_its_page_is_true(reader: Reader) -> None:
    """Both deployments end in the stack as they were, and their secret in no file."""
    page = (reader.home / HERE / "README.md").read_text()
    commands = [one.command for one in typed(page)]
    end = next(i for i, one in enumerate(commands) if one.startswith("pulumi destroy"))

    ran = reader.run("\n\n".join(commands[:end]), where=HERE)

    assert [0] * len(ran) == [one.status for one in ran], ran
    preview = next(one for one in ran if one.command == "pulumi preview")
    assert "acme-search" in preview.output
    assert "Wrote import.json and imported.py for 1 deployment." in " ".join(
        one.output for one in ran
    )
    assert ["acme-chat", "acme-search"] == sorted(d["name"] for d in reader.live())
    assert all(len(set(revisions)) == 1 for revisions in replicas(reader))
    for path in (reader.home / HERE).rglob("*"):
        if path.is_file() and path.name != "made_by_hand.py":
            assert BY_HAND not in path.read_text(errors="replace"), path

    rest = reader.run("\n\n".join(commands[end:]), where=HERE)

    assert [0] * len(rest) == [one.status for one in rest], rest
    assert reader.live() == []


def replicas(reader: Reader) -> list[list[str]]:
    """For each deployment, the revisions that its replicas have been of."""
    return [
        [event["revision_id"] for event in (d["replica_events"] or {}).values()]
        for d in reader.live()
    ]


@pytest.mark.parametrize("engine", ["rehearsal"], indirect=True)
def test_without_adopt_the_running_deployment_is_left_alone(reader: Reader) -> None:
    """The refusal names it and says how to go on; nothing about it changes."""
    path = reader.home / HERE / "__main__.py"
    path.write_text(re.sub(r"    adopt=True,\n", "", path.read_text()))
    reader.run("python made_by_hand.py\n\npulumi stack init dev", where=HERE)
    before = reader.live()

    ran = reader.one("pulumi up --yes --skip-preview", where=HERE)

    assert ran.status != 0
    assert "acme-search" in ran.output
    assert "adopt=True" in ran.output
    assert before == reader.live()
