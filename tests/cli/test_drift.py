"""Declared against live, in words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from programs import CANARY, Engine, Template

if TYPE_CHECKING:
    from programs import Workspace

    from pulumi_jig.client import JigClient
    from pulumi_jig.deadline import Deadline
    from pulumi_jig.emulator import RunningEmulator

ONE = """
    Deployment(
        "llm", image="registry.together.ai/p/llm:1", gpu_type="h100-80gb", gpu_count=1,
        name="llm-one", memory=64, port=8000, min_replicas=1, max_replicas=4,
        autoscaling={"metric": "HTTPTotalRequests"},
        environment_variables={"LEVEL": "info", "MODE": "fast"},
    )
"""


@pytest.fixture(scope="module")
def template(
    tmp_path_factory: pytest.TempPathFactory, emulator_process: RunningEmulator
) -> Template:
    folder = tmp_path_factory.mktemp("once") / "program"
    emulator_process.admin.reset()
    return Template.of(folder, emulator_process.url, ONE)


@pytest.fixture
def up(template: Template, workspace: Workspace, client: JigClient) -> Workspace:
    """A stack with one deployment."""
    workspace.write(ONE)
    template.put(workspace, client)
    return workspace


def found(workspace: Workspace) -> tuple[int, dict[str, Any]]:
    """Exit code and the only deployment of the JSON answer."""
    done = workspace.jig("drift", "--file", str(workspace.state), "--json")
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)["deployments"][0]


def paths(one: dict[str, Any], kind: str = "drift") -> list[str]:
    return [row["path"] for row in one[kind]]


def test_nothing_changed_is_no_drift(up: Workspace) -> None:
    """Right after `up` there is no drift, and the exit code is 0."""
    code, one = found(up)
    assert (code, one["drift"], one["notes"], one["unknown"]) == (0, [], [], [])


def test_a_changed_field_is_told_in_words(
    up: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """A declared field that was changed elsewhere is drift, with both values."""
    client.deployments.update("llm-one", {"memory": 32}, ctx)
    code, one = found(up)
    assert code == 1
    assert one["drift"] == [
        {"path": "memory", "message": "declared 64 GiB, live 32 GiB"}
    ]


def test_the_autoscalers_moves_are_none(
    up: Workspace, emulator: RunningEmulator
) -> None:
    """What the autoscaler does between the bounds is no drift."""
    emulator.admin.patch("llm-one", desired_replicas=3)
    assert found(up)[0] == 0


def test_an_undeclared_field_is_a_note(
    up: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """A change of what nobody declared is told, and is no drift."""
    client.deployments.update("llm-one", {"storage": 200}, ctx)
    code, one = found(up)
    assert (code, paths(one), paths(one, "notes")) == (0, [], ["storage", "revision"])
    words = "was 100 GiB, is 200 GiB now; not declared, so it is left alone"
    assert one["notes"][0]["message"] == words


def test_a_held_field_is_drift(up: Workspace, client: JigClient, ctx: Deadline) -> None:
    """A field that the program leaves out is held, and somebody's change of it told."""
    client.deployments.update("llm-one", {"args": ["--debug"]}, ctx)
    code, one = found(up)
    words = 'not declared, so nothing, live ["--debug"]'
    assert code == 1
    assert one["drift"] == [{"path": "args", "message": words}]


def test_values_of_variables_are_never_shown(
    up: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """Variables are compared one by one; their values stay out of every output."""
    variables = [
        {"name": "LEVEL", "value": CANARY},
        {"name": "NEW", "value": CANARY},
    ]
    client.deployments.update("llm-one", {"environment_variables": variables}, ctx)
    assert paths(found(up)[1]) == [
        "environment_variables.LEVEL",
        "environment_variables.MODE",
        "environment_variables.NEW",
    ]
    for flags in ((), ("--json",)):
        done = up.jig("drift", "--file", str(up.state), *flags)
        assert done.returncode == 1
        assert CANARY not in done.stdout + done.stderr


def test_a_rollback_elsewhere_is_drift(
    up: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """A roll-back outside of Pulumi is drift, and is called by its name."""
    up.write(ONE.replace("64", "96"))
    with up.stack() as stack:
        stack.up().raise_if_failed()
    client.deployments.rollback("llm-one", 1, ctx)
    code, one = found(up)
    assert code == 1
    assert sorted(paths(one)) == ["memory", "revision"]
    assert "rolled back" in one["drift"][-1]["message"]


def test_a_deleted_deployment_is_drift(
    up: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """A deployment that was deleted elsewhere is drift."""
    client.deployments.delete("llm-one", ctx)
    code, one = found(up)
    assert (code, paths(one)) == (1, ["deployment"])


def test_a_namesake_is_drift(up: Workspace, client: JigClient, ctx: Deadline) -> None:
    """Another deployment under the name is not compared as if it were ours."""
    client.deployments.delete("llm-one", ctx)
    body = {"name": "llm-one", "image": "i:1", "gpu_type": "none"}
    client.deployments.create(body, ctx)
    code, one = found(up)
    assert (code, paths(one)) == (1, ["deployment"])


def test_another_accounts_deployments_are_unknown(up: Workspace) -> None:
    """With a key of another account the answer is "could not find out", 3."""
    done = up.jig(
        "drift", "--file", str(up.state), TOGETHER_API_KEY="key-of-somebody-else"
    )
    assert done.returncode == 3
    assert "belongs to account" in done.stdout


def test_what_the_program_ignores_is_a_note(
    workspace: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """A change of a field in `ignore_changes` is told, and is no drift."""
    workspace.write(
        """
        Deployment(
            "llm", image="i:1", gpu_type="none", name="llm-one", memory=4,
            extra={"flavour": "mild"},
            opts=pulumi.ResourceOptions(ignore_changes=["memory"]),
        )
        """
    )
    with workspace.stack() as stack:
        stack.up().raise_if_failed()
    client.deployments.update("llm-one", {"memory": 8}, ctx)
    code, one = found(workspace)
    assert (code, paths(one)) == (0, [])
    assert "memory" in paths(one, "notes")


def test_a_passed_through_field_is_compared(
    up: Workspace, emulator: RunningEmulator
) -> None:
    """A field of `extra` that the service shows with another value is drift."""
    data = json.loads(up.state.read_text())
    for resource in data["deployment"]["resources"]:
        if resource["type"].endswith(":Deployment"):
            resource["inputs"]["extra"] = {"flavour": "mild"}
    up.state.write_text(json.dumps(data))
    assert found(up)[0] == 0
    emulator.admin.patch("llm-one", shown={"flavour": "hot"})
    assert paths(found(up)[1]) == ["extra.flavour"]


def test_an_encrypted_value_is_named(workspace: Workspace) -> None:
    """A value that the file holds encrypted is named as not compared."""
    workspace.secrets = {"token": CANARY}
    workspace.write(
        """
        token = pulumi.Config().require_secret("token")
        Deployment(
            "llm", image="i:1", gpu_type="none", name="llm-one",
            environment_variables={"TOKEN": token},
        )
        """
    )
    with workspace.stack() as stack:
        stack.up().raise_if_failed()
    code, one = found(workspace)
    assert (code, paths(one, "unknown")) == (0, ["environment_variables.TOKEN"])


class TestEngine:
    """With the real `pulumi` command."""

    pytestmark = pytest.mark.engine

    def test_secrets_are_compared_and_not_shown(
        self, engine: Engine, client: JigClient, ctx: Deadline
    ) -> None:
        """The command opens secrets in memory, so a changed one is drift."""
        engine.pulumi("config", "set", "--secret", "token", CANARY)
        engine.write(
            """
            token = pulumi.Config().require_secret("token")
            Deployment(
                "llm", image="i:1", gpu_type="none", name="llm-one",
                environment_variables={"TOKEN": token},
            )
            """
        )
        assert engine.pulumi("up", "--yes", "--skip-preview").returncode == 0
        assert engine.jig("drift").returncode == 0
        variables = [{"name": "TOKEN", "value": "another"}]
        client.deployments.update("llm-one", {"environment_variables": variables}, ctx)
        done = engine.jig("drift", "--stack", "dev")
        assert done.returncode == 1
        assert "environment_variables.TOKEN: has another value" in done.stdout
        assert CANARY not in done.stdout + done.stderr
