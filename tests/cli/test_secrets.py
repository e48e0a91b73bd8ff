"""Secrets at the workspace: what an interrupted run left of one, and marks without a state."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from programs import KEY, OWN_KEY

from pulumi_jig.cli.pending import resolve
from pulumi_jig.cli.resolutions import Action, Finding, RecoveryContext, settle
from pulumi_jig.cli.state_export import SECRET, SIGNATURE, Export
from pulumi_jig.lifecycle import memory
from pulumi_jig.lifecycle.invocation import Invocation
from pulumi_jig.lifecycle.secret.check import check
from pulumi_jig.lifecycle.secret.create import create
from pulumi_jig.lifecycle.secret.diff import diff
from pulumi_jig.naming import SECRET_TYPE
from pulumi_jig.values import reveal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from programs import Workspace

    from pulumi_jig.client import JigClient
    from pulumi_jig.deadline import Deadline

Record = dict[str, Any]

URN = f"urn:pulumi:dev::shop::{SECRET_TYPE}::token"
CANARY = "secret-canary-0123456789"
SEALED = {SIGNATURE: SECRET, "ciphertext": "v1:abcdef:0123"}
OLD = "2020-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def _fresh_process() -> Iterator[None]:
    """Every test begins as a new process does."""
    memory.forget()
    yield
    memory.forget()


def inputs_of(**more: Any) -> Record:
    """Checked inputs of the secret."""
    told = {"name": "hf-token", "value": CANARY, "__key": OWN_KEY}
    checked = check({}, {**told, **more}, urn=URN)
    assert checked.faults == ()
    return checked.inputs


def made(client: JigClient, inputs: Record) -> Record:
    """Create the secret; its outputs."""
    found: Record = reveal(
        create(inputs, Invocation(connect=lambda: client, urn=URN)).outputs
    )
    return found


def resource(inputs: Record, outputs: Record | None = None) -> Record:
    """A resource of the state, its value sealed."""
    found: Record = {
        "urn": URN,
        "type": SECRET_TYPE,
        "custom": True,
        "inputs": {**reveal(inputs), "value": SEALED},
    }
    if outputs is not None:
        found |= {"id": "hf-token", "outputs": {**outputs, "value": SEALED}}
    return found


def export(deed: str, begun: Record, stored: Record | None = None) -> Export:
    """A state that an interrupted run left long ago."""
    body = {
        "manifest": {"time": OLD},
        "resources": [] if stored is None else [stored],
        "pending_operations": [{"type": deed, "resource": begun}],
    }
    return Export({"version": 3, "deployment": body}, "a test")


def judged(state: Export, client: JigClient) -> Finding:
    """What is found about the operation."""
    workspace = RecoveryContext(client, lambda: _context(client), None)
    return resolve(state, 0, workspace)


def _context(_: JigClient) -> Deadline:
    from pulumi_jig.deadline import Deadline

    return Deadline(30)


# --- Interrupted operations ----------------------------------------------------


def test_a_secret_of_a_killed_creation_becomes_a_resource(client: JigClient) -> None:
    """The mark's nonce says that it is ours; its value is kept as ciphertext."""
    inputs = inputs_of(description="for models")
    outputs = made(client, inputs)
    state = export("creating", resource(inputs))
    found = judged(state, client)
    assert (found.action, found.deployment_id) == (Action.IMPORT, outputs["secret_id"])
    (taken,) = settle(state, [found]).resources
    assert taken["outputs"]["value"] == SEALED
    assert taken["outputs"]["secret_id"] == outputs["secret_id"]
    assert CANARY not in json.dumps(taken)
    after = {**taken["outputs"], "value": CANARY}
    assert diff(after, inputs).changed == ()


def test_a_secret_that_was_never_created_is_forgotten(client: JigClient) -> None:
    """Nothing exists under the name, so nothing is kept of it."""
    found = judged(export("creating", resource(inputs_of())), client)
    assert found.action is Action.DISCARD


@pytest.mark.parametrize("mark", ["", "[pulumi-jig shop/dev/token ffffffffffff]"])
def test_a_secret_with_another_mark_is_left(
    client: JigClient, ctx: Deadline, mark: str
) -> None:
    """A namesake without the operation's nonce is somebody's: a person decides."""
    client.secrets.create(
        {"name": "hf-token", "value": "theirs", "description": mark}, ctx
    )
    found = judged(export("creating", resource(inputs_of())), client)
    assert found.action is Action.SKIP


def test_an_unmarked_secret_is_left(client: JigClient) -> None:
    """Its value cannot be compared, so nothing tells it from a namesake."""
    inputs = inputs_of(ownership_mark=False)
    made(client, inputs)
    found = judged(export("creating", resource(inputs)), client)
    assert found.action is Action.SKIP


def test_an_interrupted_update_is_sent_again(client: JigClient) -> None:
    """Nobody can see whether the value arrived, so the next update sends it."""
    inputs = inputs_of()
    stored = resource(inputs, made(client, inputs))
    news = check(inputs, {**reveal(inputs), "value": "next"}, urn=URN).inputs
    state = export("updating", {**stored, "inputs": resource(news)["inputs"]}, stored)
    found = judged(state, client)
    assert found.action is Action.REFRESH
    (left,) = settle(state, [found]).resources
    after = {**left["outputs"], "value": "next"}
    assert diff(after, inputs).changes is True
    # What follows rotations is rolled on the way back: replicas may hold the new value.
    back = check(left["inputs"], reveal(inputs), old_outputs=after, urn=URN).inputs
    assert back["value_version"] not in (inputs["value_version"], news["value_version"])


@pytest.mark.parametrize("there", [True, False])
def test_an_interrupted_deletion_says_what_is_there(
    client: JigClient, ctx: Deadline, there: bool
) -> None:
    """What exists stays in the state, what is gone leaves it; nothing is billing."""
    inputs = inputs_of()
    stored = resource(inputs, made(client, inputs))
    if not there:
        client.secrets.delete("hf-token", ctx)
    found = judged(export("deleting", stored, stored), client)
    assert found.action is (Action.DISCARD if there else Action.DELETE)
    assert "billing" not in found.message


# --- Marks without a state -----------------------------------------------------


def test_a_marked_secret_without_a_state_is_told(
    workspace: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """`orphans` names it and the way back; a secret of a state is none."""
    inputs = inputs_of()
    outputs = made(client, inputs)
    mark = "[pulumi-jig shop/prod/lost 0123456789ab]"
    client.secrets.create({"name": "lost", "value": "v", "description": mark}, ctx)
    body = {"resources": [resource(inputs, outputs)]}
    workspace.state.write_text(json.dumps({"version": 3, "deployment": body}))
    done = workspace.jig(
        "orphans", "--file", str(workspace.state), TOGETHER_API_KEY=KEY
    )
    assert done.returncode == 1
    assert "shop/prod/lost" in done.stdout
    assert "adopt=True" in done.stdout
    assert "billing" not in done.stdout
    assert "shop/dev/token" not in done.stdout


def test_recover_leaves_a_stray_secret_to_a_program(
    workspace: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """Its value is not known, so no state can be made of it."""
    mark = "[pulumi-jig shop/dev/lost 0123456789ab]"
    client.secrets.create({"name": "lost", "value": "v", "description": mark}, ctx)
    inputs = inputs_of()
    body = {"resources": [resource(inputs, made(client, inputs))]}
    workspace.state.write_text(json.dumps({"version": 3, "deployment": body}))
    done = workspace.jig("recover", "--file", str(workspace.state), "--yes")
    assert 'secret "lost"' in done.stdout
    assert "adopt=True" in done.stdout
