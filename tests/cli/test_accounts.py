"""Another account's key finds nothing out, and two accounts can be compared at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pulumi_jig.client import JigClient
from pulumi_jig.config import Settings
from pulumi_jig.deadline import Deadline

if TYPE_CHECKING:
    from programs import Workspace

    from pulumi_jig.emulator import RunningEmulator

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


def test_orphans_with_another_accounts_key_could_not_find_out(
    workspace: Workspace,
) -> None:
    """ "None" would be a lie where the key sees another account than the state is of."""
    workspace.write(ONE)
    with workspace.stack() as stack:
        stack.up().raise_if_failed()

    done = workspace.jig(
        "orphans", "--file", str(workspace.state), TOGETHER_API_KEY="acct:rival:1"
    )

    assert done.returncode == 3
    assert "belongs to account org_rival/proj_rival" in done.stderr
    assert "No orphans" not in done.stdout
    assert workspace.jig("orphans", "--file", str(workspace.state)).returncode == 0


def test_a_stack_with_two_accounts_can_pass_drift(workspace: Workspace) -> None:
    """Each provider's own key is taken from where the stack has it."""
    workspace.write(TWO)
    with workspace.stack() as stack:
        stack.up().raise_if_failed()
        readable = workspace.folder / "readable.json"
        readable.write_text(json.dumps(stack.export(show_secrets=True)))

    done = workspace.jig("drift", "--file", str(readable))
    assert (done.returncode, done.stdout) == (0, "No drift in 2 deployments.\n")

    # Encrypted, the key is nobody's to read, and that is said.
    done = workspace.jig("drift", "--file", str(workspace.state))
    assert done.returncode == 3
    assert "whose key is encrypted in this state" in done.stdout
    assert "No drift found in 2 deployments, but 1 of them" in done.stdout
    assert "No drift in" not in done.stdout


def test_drift_compares_one_provider_with_the_key_at_hand(
    workspace: Workspace,
) -> None:
    """Where a provider's key is encrypted, `--provider` takes the environment's for it."""
    workspace.write(TWO)
    with workspace.stack() as stack:
        stack.up().raise_if_failed()
    drift = ("drift", "--file", str(workspace.state), "--provider")

    done = workspace.jig(*drift, "other", TOGETHER_API_KEY="acct:second:key-of-it")
    assert (done.returncode, done.stdout) == (0, "No drift in 1 deployment.\n")
    done = workspace.jig(*drift, "default")
    assert (done.returncode, done.stdout) == (0, "No drift in 1 deployment.\n")

    # Another account's key finds nothing out, and a misspelt name is said.
    done = workspace.jig(*drift, "other")
    assert done.returncode == 3
    assert "belongs to account org_second" in done.stdout
    done = workspace.jig(*drift, "othre")
    assert done.returncode == 3
    assert 'no explicit provider "othre"' in done.stderr
    assert "it has other." in done.stderr


def test_drift_needs_no_key_for_what_no_resource_uses(workspace: Workspace) -> None:
    """A stack all of whose resources have an explicit provider needs no other key."""
    workspace.write(
        """
        from pulumi_jig import Provider
        other = Provider("other", api_key="acct:second:key-of-it")
        Deployment(
            "there", image="r.example/a:1", gpu_type="none", name="llm-two",
            opts=pulumi.ResourceOptions(provider=other),
        )
        """
    )
    with workspace.stack() as stack:
        stack.up().raise_if_failed()
        readable = workspace.folder / "readable.json"
        readable.write_text(json.dumps(stack.export(show_secrets=True)))

    done = workspace.jig("drift", "--file", str(readable), TOGETHER_API_KEY="")
    assert (done.returncode, done.stdout) == (0, "No drift in 1 deployment.\n")


def test_orphans_are_looked_for_in_every_account_of_the_states(
    workspace: Workspace, emulator: RunningEmulator
) -> None:
    """Each provider is asked with its own key, and what is lost there is found."""
    workspace.write(TWO)
    with workspace.stack() as stack:
        stack.up().raise_if_failed()
        readable = workspace.folder / "readable.json"
        readable.write_text(json.dumps(stack.export(show_secrets=True)))
    orphans = ("orphans", "--file", str(readable))
    assert workspace.jig(*orphans).returncode == 0

    settings = Settings(api_key="acct:second:key-of-it", base_url=emulator.url)
    client = JigClient(settings)
    mark = "[pulumi-jig shop/dev/lost 0123456789ab]"
    body = {"name": "lost-one", "image": "i:1", "gpu_type": "none", "description": mark}
    client.deployments.create(body, Deadline(30))
    client.close()
    done = workspace.jig(*orphans)
    assert done.returncode == 1
    assert "lost-one" in done.stdout

    # Where the second key cannot be read, "none" would be a guess.
    done = workspace.jig("orphans", "--file", str(workspace.state))
    assert done.returncode == 3
    assert "org_second" in done.stderr


@pytest.mark.parametrize("call", ["get_deployment_output", "list_revisions_output"])
def test_a_first_preview_looks_up_what_it_will_create(
    workspace: Workspace, call: str
) -> None:
    """A look-up of what this very run creates is unknown in its preview."""
    workspace.write(
        f"""
        from pulumi_jig import {call}
        d = Deployment("llm", image="r.example/a:1", gpu_type="none", name="llm-one")
        found = {call}(d.name)
        pulumi.export("found", found.apply(str))
        """
    )
    with workspace.stack() as stack:
        preview = stack.preview()
        assert preview.ok, preview.diagnostics
