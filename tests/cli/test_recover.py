"""Settling what an interrupted run left (cases L and R of interrupted runs)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from programs import (
    CANARY,
    Engine,
    Template,
    Workspace,
    clean_environment,
    names,
    steps,
    wait,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pulumi_jig.client import JigClient
    from pulumi_jig.deadline import Deadline
    from pulumi_jig.emulator import RunningEmulator

ONE = """
    config = pulumi.Config()
    Deployment(
        "llm", image="registry.together.ai/p/llm:1", gpu_type="h100-80gb", gpu_count=1,
        name="llm-one", memory=64, port=8000, args=["--token", config.require_secret("token")],
        environment_variables={"LEVEL": "info", "TOKEN": config.require_secret("token")},
    )
"""
OLD = "2020-01-01T00:00:00Z"


def long_ago(path: Path) -> dict[str, Any]:
    """Make a state look as if it had been written long ago."""
    data: dict[str, Any] = json.loads(path.read_text())
    data["deployment"]["manifest"]["time"] = OLD
    path.write_text(json.dumps(data))
    return data


def interrupted(workspace: Workspace, kind: str, **inputs: Any) -> dict[str, Any]:
    """
    Turn the only deployment of a state into an interrupted operation.

    `creating` has no resource beside it, as after a kill during the first `up`.
    """
    data = long_ago(workspace.state)
    body = data["deployment"]
    resource = next(r for r in body["resources"] if r["type"].endswith(":Deployment"))
    operation = json.loads(json.dumps(resource))
    operation["inputs"].update(inputs)
    if kind == "creating":
        body["resources"].remove(resource)
        operation.pop("id"), operation.pop("outputs")
    body["pending_operations"] = [{"type": kind, "resource": operation}]
    workspace.state.write_text(json.dumps(data))
    return data


@pytest.fixture(scope="module")
def template(
    tmp_path_factory: pytest.TempPathFactory, emulator_process: RunningEmulator
) -> Template:
    folder = tmp_path_factory.mktemp("once") / "program"
    emulator_process.admin.reset()
    return Template.of(folder, emulator_process.url, ONE, token=CANARY)


@pytest.fixture
def up(template: Template, workspace: Workspace, client: JigClient) -> Workspace:
    """A stack with one deployment."""
    workspace.secrets = {"token": CANARY}
    workspace.write(ONE)
    template.put(workspace, client)
    return workspace


def test_a_killed_run_is_settled(
    workspace: Workspace, emulator: RunningEmulator
) -> None:
    """SIGKILL of a run mid-create, `recover`, and the next preview is empty."""
    workspace.secrets = {"token": CANARY}
    workspace.write(ONE)
    emulator.admin.hold("llm-one")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "pulumi_jig.cli", "rehearse", "--keep"),
            *("--state", str(workspace.state), "--secret", f"token={CANARY}"),
            *(f"--env={name}={value}" for name, value in workspace.env.items()),
        ],
        cwd=workspace.folder,
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait(lambda: bool(emulator.admin.deployments()))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    emulator.admin.release("llm-one")
    seen = workspace.jig("recover", "--file", str(workspace.state))
    assert (seen.returncode, "exists and is ours" in seen.stdout) == (1, True)
    done = workspace.jig("recover", "--file", str(workspace.state), "--yes")
    assert done.returncode == 0, done.stderr
    with workspace.stack() as stack:
        preview = stack.preview().raise_if_failed()
        assert steps(preview) == {}
        stack.destroy().raise_if_failed()
    assert emulator.admin.deployments() == []


def test_a_destroy_in_between_takes_nothing_that_is_needed(up: Workspace) -> None:
    """Killed, destroyed, recovered: stack and provider come back with the resource."""
    interrupted(up, "creating")
    with up.stack() as stack:
        stack.destroy().raise_if_failed()
    done = up.jig("recover", "--file", str(up.state), "--yes")
    assert done.returncode == 0, done.stderr
    with up.stack() as stack:
        stack.refresh().raise_if_failed()
        assert steps(stack.preview().raise_if_failed()) == {}
        stack.destroy().raise_if_failed()
        assert [] == stack.resources


def test_what_holds_a_resource_of_its_own_is_asked_for(up: Workspace) -> None:
    """A component that a destroy took away cannot be made up: it is left, with words."""
    data = interrupted(up, "creating")
    body = data["deployment"]
    parent = "urn:pulumi:dev::shop::shop:index:Team::team"
    body["pending_operations"][0]["resource"]["parent"] = parent
    up.state.write_text(json.dumps(data))
    done = up.jig("recover", "--file", str(up.state), "--yes")
    assert (done.returncode, "Run `pulumi up`" in done.stdout) == (1, True)


def test_without_yes_nothing_changes(up: Workspace) -> None:
    """Without `--yes` the state keeps every byte."""
    interrupted(up, "creating")
    before = up.state.read_bytes()
    done = up.jig("recover", "--file", str(up.state))
    assert done.returncode == 1
    assert "Nothing was changed" in done.stdout
    assert up.state.read_bytes() == before


def test_the_state_before_is_kept_for_its_owner(up: Workspace) -> None:
    """The state from before lies beside the new one, readable by its owner alone."""
    before = interrupted(up, "creating")
    up.jig("recover", "--file", str(up.state), "--yes")
    kept = list(up.state.parent.glob("state.json.before-*"))
    assert [json.loads(path.read_text()) for path in kept] == [before]
    assert [path.stat().st_mode & 0o777 for path in kept] == [0o600]


def test_nothing_is_written_in_clear(up: Workspace) -> None:
    """Neither the state nor the output holds a secret's value."""
    interrupted(up, "creating")
    done = up.jig("recover", "--file", str(up.state), "--yes")
    written = "".join(p.read_text() for p in up.state.parent.glob("state.json*"))
    assert CANARY not in written + done.stdout + done.stderr


def test_outputs_are_what_the_provider_would_have_written(up: Workspace) -> None:
    """A resource that was taken back equals the one that `up` wrote, times aside."""
    with up.stack() as stack:
        wanted = stack.export(show_secrets=True)["deployment"]["resources"][-1]
    interrupted(up, "creating")
    up.jig("recover", "--file", str(up.state), "--yes")
    with up.stack() as stack:
        found = stack.export(show_secrets=True)["deployment"]["resources"][-1]
    for resource in (wanted, found):
        resource.pop("created", None)
        resource.pop("modified", None)
        # The host makes a list with a secret in it secret as a whole.
        resource["outputs"].pop("args")
    assert wanted == found


def test_what_was_never_created_is_dropped(
    up: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """Where nothing exists, the operation goes and the next preview creates."""
    interrupted(up, "creating")
    client.deployments.delete("llm-one", ctx)
    done = up.jig("recover", "--file", str(up.state), "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "before it was created" in done.stdout
    with up.stack() as stack:
        assert steps(stack.preview())["llm"] == "create"


def test_somebody_elses_is_left(
    up: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """A namesake with another mark is not touched, and the operation stays."""
    interrupted(up, "creating")
    other = "[pulumi-jig other/prod/web 0123456789ab]"
    client.deployments.update("llm-one", {"description": other}, ctx)
    before = up.state.read_bytes()
    done = up.jig("recover", "--file", str(up.state), "--yes")
    assert done.returncode == 1
    assert "belongs to other/prod/web" in done.stdout
    assert up.state.read_bytes() == before


def test_an_update_that_arrived_leaves_an_empty_preview(
    up: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """The state takes over an update that the service has made."""
    interrupted(up, "updating", memory=96)
    client.deployments.update("llm-one", {"memory": 96}, ctx)
    done = up.jig("recover", "--file", str(up.state), "--yes")
    assert (done.returncode, "arrived" in done.stdout) == (0, True)
    up.write(ONE.replace("64", "96"))
    with up.stack() as stack:
        assert steps(stack.preview().raise_if_failed()) == {}


def test_an_update_of_what_was_replaced_since_is_dropped(up: Workspace) -> None:
    """A later run made another deployment; its state is not overwritten with old words."""
    before = interrupted(up, "updating", memory=96, __nonce="0123456789ab")
    done = up.jig("recover", "--file", str(up.state), "--yes")
    assert (done.returncode, "later run replaced" in done.stdout) == (0, True)
    after = json.loads(up.state.read_text())["deployment"]
    assert after.get("pending_operations", []) == []
    assert after["resources"] == before["deployment"]["resources"]


def test_an_update_that_was_lost_is_made_by_the_next_up(up: Workspace) -> None:
    """The state shows what is live, so the next preview has the update again."""
    interrupted(up, "updating", memory=96)
    done = up.jig("recover", "--file", str(up.state), "--yes")
    assert (done.returncode, "did not arrive" in done.stdout) == (0, True)
    up.write(ONE.replace("64", "96"))
    with up.stack() as stack:
        assert steps(stack.preview().raise_if_failed()) == {"llm": "update"}


def test_a_delete_that_was_done_leaves_the_state(
    up: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """What is gone leaves the state together with the operation."""
    interrupted(up, "deleting")
    client.deployments.delete("llm-one", ctx)
    done = up.jig("recover", "--file", str(up.state), "--yes")
    assert done.returncode == 0
    with up.stack() as stack:
        types = [resource["type"] for resource in stack.resources]
        assert "pulumi-python:dynamic/jig:Deployment" not in types


def test_a_delete_of_what_was_replaced_since_takes_nothing_out(
    up: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """The one that a later run made stays, although the operation names its URN."""
    data = interrupted(up, "deleting", __nonce="0123456789ab")
    client.deployments.delete("llm-one", ctx)
    done = up.jig("recover", "--file", str(up.state), "--yes")
    assert done.returncode == 0, done.stdout
    after = json.loads(up.state.read_text())["deployment"]
    assert after.get("pending_operations", []) == []
    assert after["resources"] == data["deployment"]["resources"]


def test_a_delete_that_was_not_done_keeps_the_resource(up: Workspace) -> None:
    """What still exists stays in the state, and the words say that it may bill."""
    interrupted(up, "deleting")
    done = up.jig("recover", "--file", str(up.state), "--yes")
    assert (done.returncode, "billing" in done.stdout) == (0, True)
    with up.stack() as stack:
        assert steps(stack.preview().raise_if_failed()) == {}


def test_a_replacement_marks_the_old_one_for_deletion(
    up: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """
    An interrupted create-before-delete ends with the next `up` deleting the old (Case
    L7).
    """
    data = interrupted(
        up, "creating", name="llm-two", __nonce="aaaaaaaaaaaa", __declared=["name"]
    )
    body = data["deployment"]
    old = json.loads(json.dumps(body["pending_operations"][0]["resource"]))
    old["id"] = "llm-one"
    old["inputs"].update(name="llm-one", __nonce="bbbbbbbbbbbb")
    item = client.deployments.get("llm-one", ctx)
    old["outputs"] = {**old["inputs"], "deployment_id": item.id}
    # A dependent of the old one stands before the new one's place in the file.
    dependent = {**old, "urn": old["urn"].replace("::llm", "::web")}
    dependent = {**dependent, "id": "web-one", "dependencies": [old["urn"]]}
    body["resources"] += [old, dependent]
    up.state.write_text(json.dumps(data))
    mark = "[pulumi-jig shop/dev/llm aaaaaaaaaaaa]"
    client.deployments.create(
        {
            "name": "llm-two",
            "image": "i:1",
            "gpu_type": "none",
            "description": mark,
        },
        ctx,
    )
    done = up.jig("recover", "--file", str(up.state), "--yes")
    assert "becomes a resource" in done.stdout, done.stderr
    resources = json.loads(up.state.read_text())["deployment"]["resources"]
    found = [(r.get("id"), r.get("delete", False)) for r in resources[-3:]]
    assert found == [("llm-two", False), ("llm-one", True), ("web-one", False)]


def test_another_accounts_key_proves_nothing(up: Workspace) -> None:
    """What a key of another account cannot see is not called absent."""
    data = interrupted(up, "creating")
    known = json.loads(json.dumps(data["deployment"]["pending_operations"][0]))
    known["resource"]["urn"] += "-twin"
    known["resource"]["id"] = "twin-one"
    known["resource"]["outputs"] = {"__account": "org_x/proj_x", "name": "twin-one"}
    data["deployment"]["resources"].append(known["resource"])
    up.state.write_text(json.dumps(data))
    done = up.jig("recover", "--file", str(up.state), "--yes")
    assert done.returncode == 1
    assert "org_x/proj_x" in done.stdout


@pytest.mark.parametrize("key", ["key-of-the-workspace", "key-of-somebody-else"])
def test_a_first_ups_creation_is_dropped_for_its_own_key_only(
    up: Workspace, client: JigClient, ctx: Deadline, key: str
) -> None:
    """A state without resources knows no account; the operation knows its key."""
    interrupted(up, "creating")
    client.deployments.delete("llm-one", ctx)
    before = up.state.read_text()
    done = up.jig("recover", "--file", str(up.state), "--yes", TOGETHER_API_KEY=key)
    if key == "key-of-the-workspace":
        assert done.returncode == 0, done.stdout + done.stderr
        assert "the run ended before it was created" in done.stdout
    else:
        assert done.returncode == 1
        assert "may exist, run and bill all the same" in done.stdout
        assert up.state.read_text() == before


def test_an_explicit_providers_operation_needs_its_key(up: Workspace) -> None:
    """An operation at another provider is left until its own key is in use."""
    data = interrupted(up, "creating")
    resource = data["deployment"]["pending_operations"][0]["resource"]
    resource["provider"] = resource["provider"].replace("::default", "::acct2")
    up.state.write_text(json.dumps(data))
    left = up.jig("recover", "--file", str(up.state))
    assert 'provider "acct2"' in left.stdout
    found = up.jig("recover", "--file", str(up.state), "--provider", "acct2")
    assert "exists and is ours" in found.stdout


@pytest.mark.parametrize(("memory", "taken"), [(64, True), (96, False)])
def test_without_a_mark_only_a_twin_is_taken(
    up: Workspace, client: JigClient, ctx: Deadline, memory: int, taken: bool
) -> None:
    """With marks turned off, only what is exactly as asked for counts as ours."""
    interrupted(up, "creating", ownership_mark=False)
    body = {"description": "", "memory": memory}
    client.deployments.update("llm-one", body, ctx)
    done = up.jig("recover", "--file", str(up.state), "--yes")
    assert (done.returncode, "becomes a resource" in done.stdout) == (
        0 if taken else 1,
        taken,
    )


def test_two_killed_runs_of_one_resource_give_it_once(
    up: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """What carries no mark looks like either run's, and is in the state once."""
    data = interrupted(up, "creating", ownership_mark=False)
    (operation,) = data["deployment"]["pending_operations"]
    second = json.loads(json.dumps(operation))
    second["resource"]["inputs"]["__nonce"] = "0123456789ab"
    data["deployment"]["pending_operations"].append(second)
    up.state.write_text(json.dumps(data))
    client.deployments.update("llm-one", {"description": ""}, ctx)

    done = up.jig("recover", "--file", str(up.state), "--yes")

    assert done.returncode == 0, done.stdout + done.stderr
    state = json.loads(up.state.read_text())["deployment"]
    urns = [resource["urn"] for resource in state["resources"]]
    assert len(urns) == len(set(urns))
    assert "pending_operations" not in state


def test_another_runs_deployment_of_the_resource_is_left(
    up: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """The same resource with another nonce may be another backend's: it is left."""
    interrupted(up, "creating")
    mark = "[pulumi-jig shop/dev/llm ffffffffffff]"
    client.deployments.update("llm-one", {"description": mark}, ctx)
    before = up.state.read_bytes()
    done = up.jig("recover", "--file", str(up.state), "--yes")
    assert (done.returncode, up.state.read_bytes()) == (1, before)


def test_other_kinds_of_resources_are_left(up: Workspace) -> None:
    """An interrupted operation on something else is none of this command's."""
    data = interrupted(up, "creating")
    data["deployment"]["pending_operations"][0]["resource"]["type"] = "aws:s3:Bucket"
    up.state.write_text(json.dumps(data))
    done = up.jig("recover", "--file", str(up.state), "--yes")
    assert (done.returncode, "Not a deployment" in done.stdout) == (1, True)


def test_orphans_of_the_stack_are_told(up: Workspace) -> None:
    """A marked deployment that the state lost is found by its mark."""
    data = json.loads(up.state.read_text())
    body = data["deployment"]
    body["resources"] = [
        r for r in body["resources"] if not r["type"].endswith(":Deployment")
    ]
    up.state.write_text(json.dumps(data))
    done = up.jig("recover", "--file", str(up.state), "--json")
    assert done.returncode == 1
    assert [s["resource"] for s in json.loads(done.stdout)["orphans"]] == ["llm"]


def test_nothing_to_recover(up: Workspace) -> None:
    """A stack without interrupted operations and orphans is left alone."""
    before = up.state.read_bytes()
    done = up.jig("recover", "--file", str(up.state), "--yes")
    assert (done.returncode, up.state.read_bytes()) == (0, before)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "not in the format"),
        ('{"version": 2, "deployment": {}}', "version 2"),
        (
            '{"version": 3, "deployment": {"resources": [{"urn": "u"}]}}',
            "without URN or type",
        ),
        (
            '{"version": 3, "deployment": {"pending_operations": [3]}}',
            "without URN or type",
        ),
        ('{"version": 3, "deployment": {"resources": 3}}', "no list of resources"),
    ],
)
def test_what_is_no_export_is_refused(
    workspace: Workspace, text: str, words: str
) -> None:
    """A file that is no export is refused with one sentence."""
    workspace.state.write_text(text)
    done = workspace.jig("recover", "--file", str(workspace.state))
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert words in done.stderr


def test_without_the_command_the_file_is_named(workspace: Workspace) -> None:
    """Without `pulumi` on PATH the sentence names `--file`."""
    done = workspace.jig("recover", PATH="/nonexistent")
    assert done.returncode == 3
    assert "--file" in done.stderr


class TestEngine:
    """The same with the real `pulumi` command."""

    pytestmark = pytest.mark.engine

    def _prepare(self, engine: Engine) -> None:
        engine.write(ONE)
        engine.pulumi("config", "set", "--secret", "token", CANARY)

    def test_a_killed_up(
        self, engine: Engine, emulator: RunningEmulator, client: JigClient
    ) -> None:
        """SIGKILL of `pulumi up` mid-create, `recover`, and the preview is empty."""
        self._prepare(engine)
        emulator.admin.hold("llm-one")
        engine.killed_up(lambda: names(client) == ["llm-one"], "run")
        emulator.admin.release("llm-one")
        locked = engine.jig("recover", "--yes")
        assert (locked.returncode, "pulumi cancel" in locked.stderr) == (1, True)
        assert list(engine.folder.glob("*before*")) == []
        engine.pulumi("cancel", "--yes")
        done = engine.jig("recover", "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        assert engine.is_empty()
        exported = engine.pulumi("stack", "export").stdout
        assert (CANARY in exported, "pending_operations" in exported) == (False, False)

    def test_a_killed_plugin(
        self, engine: Engine, emulator: RunningEmulator, client: JigClient
    ) -> None:
        """SIGKILL of the plugin leaves no operation; the mark leads back all the same."""
        self._prepare(engine)
        emulator.admin.hold("llm-one")
        engine.killed_up(lambda: names(client) == ["llm-one"], "plugin")
        emulator.admin.release("llm-one")
        seen = engine.jig("orphans", "--json")
        assert seen.returncode == 1, seen.stderr
        assert [o["name"] for o in json.loads(seen.stdout)["orphans"]] == ["llm-one"]
        # A mark alone may be that of a stack of this name on another backend.
        done = engine.jig("recover", "--yes")
        assert done.returncode == 1, done.stdout + done.stderr
        assert "another backend" in done.stdout
        assert "--adopt-marked" in done.stdout
        assert not engine.is_empty()
        done = engine.jig("recover", "--yes", "--adopt-marked")
        assert done.returncode == 0, done.stdout + done.stderr
        assert engine.is_empty()
        assert CANARY not in engine.pulumi("stack", "export").stdout
        assert engine.jig("orphans").returncode == 0

    def _up(self, engine: Engine) -> None:
        self._prepare(engine)
        done = engine.pulumi("up", "--yes", "--skip-preview")
        assert done.returncode == 0, done.stdout

    def _settle(self, engine: Engine) -> str:
        engine.pulumi("cancel", "--yes")
        exported = json.loads(engine.pulumi("stack", "export").stdout)
        # Otherwise this would be a test of nothing.
        assert len(exported["deployment"]["pending_operations"]) == 1
        done = engine.jig("recover", "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @pytest.mark.deep
    def test_a_killed_update(
        self,
        engine: Engine,
        emulator: RunningEmulator,
        client: JigClient,
        ctx: Deadline,
    ) -> None:
        """An update that arrived, its secret value included, leaves nothing to do."""
        self._up(engine)
        emulator.admin.hold("llm-one")
        engine.pulumi("config", "set", "--secret", "token", f"{CANARY}-new")
        engine.write(ONE.replace("64", "96"))
        engine.killed_up(
            lambda: client.deployments.get("llm-one", ctx).memory == 96, "run"
        )
        emulator.admin.release("llm-one")
        assert "arrived" in self._settle(engine)
        assert engine.is_empty()

    @pytest.mark.deep
    def test_a_killed_replacement(
        self, engine: Engine, emulator: RunningEmulator, client: JigClient
    ) -> None:
        """The new one is taken, and the next `up` deletes the old one (Case L7)."""
        self._up(engine)
        engine.write(ONE.replace("llm-one", "llm-two"))
        emulator.admin.hold("llm-two")
        engine.killed_up(lambda: "llm-two" in names(client), "run")
        emulator.admin.release("llm-two")
        self._settle(engine)
        assert engine.pulumi("up", "--yes", "--skip-preview").returncode == 0
        assert names(client) == ["llm-two"]
        assert engine.is_empty()

    @pytest.mark.deep
    def test_a_killed_delete(
        self, engine: Engine, emulator: RunningEmulator, client: JigClient
    ) -> None:
        """What the killed run deleted leaves the state."""
        self._up(engine)
        engine.write("")
        emulator.admin.fault("DELETE", "/deployments/*", delay=20, acted=True)
        engine.killed_up(lambda: names(client) == [], "run")
        assert "is gone" in self._settle(engine)
        assert engine.is_empty()
