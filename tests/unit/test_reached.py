"""What a finished line says, and what is remembered of the state's entries."""

from __future__ import annotations

import pytest

from pulumi_jig.lifecycle import memory
from pulumi_jig.lifecycle.deployment.kind import DEPLOYMENT
from pulumi_jig.lifecycle.identity import remember_entry


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        ({"wait_for": "none"}, "accepted; not waited for"),
        ({"status": "ScaledToZero"}, "scaled to zero"),
        ({"status": "Ready", "ready_replicas": 2}, "serves with 2 replicas"),
        ({"status": "Ready"}, "serves"),
    ],
)
def test_a_finished_deployment_says_what_was_reached(
    outputs: dict[str, object], words: str
) -> None:
    """The last line beside a resource is what it has come to."""
    assert DEPLOYMENT.reached(outputs) == words


def test_an_entry_without_id_or_nonce_teaches_nothing() -> None:
    """Only what the state proves is remembered."""
    before = dict(memory._entries)
    remember_entry(DEPLOYMENT, {"name": "llm"})
    assert memory._entries == before
