"""Another account's key finds nothing out, and two accounts can be compared at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from desks import Desk

ONE = """
    Deployment("llm", image="r.example/a:1", gpu_type="none", name="llm-one")
"""
TWO = """
    from pulumi_jig import Provider
    other = Provider("other", api_key="acct:second:key-of-it")
    Deployment("llm", image="r.example/a:1", gpu_type="none", name="llm-one")
    Deployment(
        "there", image="r.example/a:1", gpu_type="none", name="llm-two",
        opts=pulumi.ResourceOptions(provider=other),
    )
"""


def test_orphans_with_another_accounts_key_could_not_find_out(desk: Desk) -> None:
    """ "None" would be a lie where the key sees another account than the state is of."""
    desk.write(ONE)
    with desk.stack() as stack:
        stack.up().raise_if_failed()

    done = desk.jig(
        "orphans", "--file", str(desk.state), TOGETHER_API_KEY="acct:rival:1"
    )

    assert done.returncode == 3
    assert "belongs to account org_rival/proj_rival" in done.stderr
    assert "No orphans" not in done.stdout
    assert desk.jig("orphans", "--file", str(desk.state)).returncode == 0


def test_a_stack_with_two_accounts_can_pass_drift(desk: Desk) -> None:
    """Each provider's own key is taken from where the stack has it."""
    desk.write(TWO)
    with desk.stack() as stack:
        stack.up().raise_if_failed()
        readable = desk.folder / "readable.json"
        readable.write_text(json.dumps(stack.export(show_secrets=True)))

    done = desk.jig("drift", "--file", str(readable))
    assert (done.returncode, done.stdout) == (0, "No drift in 2 deployments.\n")

    # Encrypted, the key is nobody's to read, and that is said.
    done = desk.jig("drift", "--file", str(desk.state))
    assert done.returncode == 3
    assert "whose key is encrypted in this state" in done.stdout
    assert "No drift found in 2 deployments, but 1 of them" in done.stdout
    assert "No drift in" not in done.stdout


@pytest.mark.parametrize("call", ["get_deployment_output", "list_revisions_output"])
def test_a_first_preview_looks_up_what_it_will_create(desk: Desk, call: str) -> None:
    """A look-up of what this very run creates is unknown in its preview."""
    desk.write(
        f"""
        from pulumi_jig import {call}
        d = Deployment("llm", image="r.example/a:1", gpu_type="none", name="llm-one")
        found = {call}(d.name)
        pulumi.export("found", found.apply(str))
        """
    )
    with desk.stack() as stack:
        preview = stack.preview()
        assert preview.ok, preview.diagnostics
