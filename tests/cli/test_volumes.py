"""Volumes at the workspace: what an interrupted run left of one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from programs import OWN_KEY, clean_environment, wait

from pulumi_jig.cli.pending import resolve
from pulumi_jig.cli.resolutions import Action, Finding, RecoveryContext, settle
from pulumi_jig.cli.state_export import Export
from pulumi_jig.deadline import Deadline
from pulumi_jig.lifecycle import memory
from pulumi_jig.lifecycle.invocation import Invocation, PartialFailureError
from pulumi_jig.lifecycle.volume.check import check
from pulumi_jig.lifecycle.volume.create import create
from pulumi_jig.lifecycle.volume.diff import diff
from pulumi_jig.lifecycle.volume.update import update
from pulumi_jig.naming import VOLUME_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from programs import Workspace

    from pulumi_jig.client import JigClient
    from pulumi_jig.emulator import RunningEmulator

Record = dict[str, Any]

URN = f"urn:pulumi:dev::shop::{VOLUME_TYPE}::weights"
FILES = {"name": "weights", "content": {"source_prefix": "models/llm/1"}}


@pytest.fixture(autouse=True)
def _fresh_process() -> Iterator[None]:
    """Every test begins as a new process does."""
    memory.forget()
    yield
    memory.forget()


def inputs_of(**more: Any) -> Record:
    """Checked inputs of the volume."""
    checked = check({}, {**FILES, "__key": OWN_KEY, **more}, urn=URN)
    assert checked.faults == ()
    return checked.inputs


def call(client: JigClient) -> Invocation:
    """One call of an engine."""
    return Invocation(connect=lambda: client, urn=URN)


def resource(inputs: Record, outputs: Record | None = None) -> Record:
    """A resource of the state."""
    found: Record = {"urn": URN, "type": VOLUME_TYPE, "custom": True, "inputs": inputs}
    if outputs is not None:
        found |= {"id": "weights", "outputs": outputs}
    return found


def export(
    deed: str, begun: Record, stored: Record | None = None, *, hours: float = 0.05
) -> Export:
    """A state that an interrupted run left so many hours ago."""
    written = datetime.now(tz=UTC) - timedelta(hours=hours)
    body = {
        "manifest": {"time": written.isoformat()},
        "resources": [] if stored is None else [stored],
        "pending_operations": [{"type": deed, "resource": begun}],
    }
    return Export({"version": 3, "deployment": body}, "a test")


def judged(state: Export, client: JigClient) -> Finding:
    """What is found about the operation."""
    return resolve(state, 0, RecoveryContext(client, lambda: Deadline(30), None))


def test_a_volume_of_a_killed_creation_becomes_a_resource(client: JigClient) -> None:
    """The twin of what was asked for, made when it was asked for, is ours."""
    inputs = inputs_of(version=2)
    made = create(inputs, call(client)).outputs
    state = export("creating", resource(inputs))
    found = judged(state, client)
    assert (found.action, found.deployment_id) == (Action.IMPORT, made["volume_id"])
    (taken,) = settle(state, [found]).resources
    assert taken["id"] == "weights"
    assert taken["outputs"]["volume_id"] == made["volume_id"]
    assert diff(taken["outputs"], inputs).changed == ()


def test_a_killed_run_is_settled(
    workspace: Workspace, emulator: RunningEmulator
) -> None:
    """SIGKILL of a run that waits for a copy, `recover`, and the next preview is empty."""
    workspace.write("""
        from pulumi_jig import Volume
        Volume("weights", content={"source_prefix": "models/llm/1"}, version=1)
    """)
    # The look by name before the creation is answered, the wait for it is not.
    volumes = "/deployments/storage/volumes"
    emulator.admin.fault("GET", f"{volumes}/*", nth=2, delay=60)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "pulumi_jig.cli", "rehearse", "--keep"),
            *("--state", str(workspace.state)),
            *(f"--env={name}={value}" for name, value in workspace.env.items()),
        ],
        cwd=workspace.folder,
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait(lambda: bool(emulator.admin.dump()["volumes"]))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    emulator.admin.clear_faults()
    done = workspace.jig("recover", "--file", str(workspace.state), "--yes")
    assert done.returncode == 0, done.stderr
    assert "exists and is ours" in done.stdout
    with workspace.stack() as stack:
        assert stack.preview().raise_if_failed().is_empty
        stack.destroy().raise_if_failed()
    assert emulator.admin.dump()["volumes"] == []


def test_a_copy_that_still_runs_is_waited_for_by_the_next_update(
    client: JigClient,
) -> None:
    """Nobody saw it become ready, so it is not called good."""
    role = "arn:aws:iam::123456789012:role/read"
    s3 = {"uri": "s3://models/access-denied/llm", "role_arn": role}
    inputs = inputs_of(content={"origin": {"s3": s3}})
    with pytest.raises(PartialFailureError):
        create(inputs, call(client))
    state = export("creating", resource(inputs))
    found = judged(state, client)
    (taken,) = settle(state, [found]).resources
    assert diff(taken["outputs"], inputs).changed == ("status",)


@pytest.mark.parametrize("hours", [-24, 24])
def test_a_namesake_from_another_time_is_left(client: JigClient, hours: int) -> None:
    """A twin that was there long before, or came long after, is somebody's."""
    inputs = inputs_of()
    create(inputs, call(client))
    found = judged(export("creating", resource(inputs), hours=hours), client)
    assert found.action is Action.SKIP


def test_without_a_time_nothing_proves_that_it_is_ours(client: JigClient) -> None:
    """A state that does not say when it was written proves nothing."""
    inputs = inputs_of()
    create(inputs, call(client))
    state = export("creating", resource(inputs))
    state.data["deployment"]["manifest"] = {}
    assert judged(state, client).action is Action.SKIP


def test_a_namesake_with_another_content_is_left(client: JigClient) -> None:
    """It is not what was asked for."""
    create(inputs_of(content={"source_prefix": "somebody/else"}), call(client))
    found = judged(export("creating", resource(inputs_of())), client)
    assert found.action is Action.SKIP


def test_a_volume_that_was_never_created_is_forgotten(client: JigClient) -> None:
    """Nothing exists under the name, so nothing is kept of it."""
    found = judged(export("creating", resource(inputs_of()), hours=24), client)
    assert found.action is Action.DISCARD


@pytest.mark.parametrize("there", [True, False])
def test_an_interrupted_snapshot_is_made_once(client: JigClient, there: bool) -> None:
    """A newer version says that it arrived; without one the next update asks for it."""
    olds = inputs_of(version=1)
    before = create(olds, call(client)).outputs
    news = check(olds, {**FILES, "version": 2}, urn=URN).inputs
    if there:
        update(before, news, call(client))
    state = export(
        "updating", {**resource(news), "id": "weights"}, resource(olds, before)
    )
    found = judged(state, client)
    assert found.action is Action.REFRESH
    (left,) = settle(state, [found]).resources
    after = update(left["outputs"], news, call(client)).outputs
    assert after["current_version"] == 1
    assert diff(after, news).changed == ()


@pytest.mark.parametrize("there", [True, False])
def test_an_interrupted_deletion_says_what_is_there(
    client: JigClient, ctx: Deadline, there: bool
) -> None:
    """What exists stays in the state, what is gone leaves it."""
    inputs = inputs_of()
    stored = resource(inputs, create(inputs, call(client)).outputs)
    if not there:
        client.volumes.delete("weights", ctx)
    found = judged(export("deleting", stored, stored), client)
    assert found.action is (Action.DISCARD if there else Action.DELETE)
