"""Deployments that carry our mark and are in no state."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from programs import Template

if TYPE_CHECKING:
    from programs import Workspace

    from pulumi_jig.client import JigClient
    from pulumi_jig.deadline import Deadline
    from pulumi_jig.emulator import RunningEmulator

PROGRAM = """
    Deployment("llm", image="i:1", gpu_type="none", name="llm-one")
"""


def create(client: JigClient, ctx: Deadline, name: str, mark: str) -> None:
    client.deployments.create(
        {
            "name": name,
            "image": "i:1",
            "gpu_type": "h100-80gb",
            "gpu_count": 2,
            "description": mark,
        },
        ctx,
    )


@pytest.fixture(scope="module")
def template(
    tmp_path_factory: pytest.TempPathFactory, emulator_process: RunningEmulator
) -> Template:
    folder = tmp_path_factory.mktemp("once") / "program"
    emulator_process.admin.reset()
    return Template.of(folder, emulator_process.url, PROGRAM)


@pytest.fixture
def up(template: Template, workspace: Workspace, client: JigClient) -> Workspace:
    """A stack with one deployment."""
    workspace.write(PROGRAM)
    template.put(workspace, client)
    return workspace


def test_a_deployment_of_a_state_is_no_orphan(up: Workspace) -> None:
    """What a given state holds is not reported, and the exit code is 0."""
    done = up.jig("orphans", "--file", str(up.state))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_marked_one_without_a_state_is(
    up: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """A mark of the project without a state is told with what it keeps busy."""
    create(client, ctx, "lost-one", "[pulumi-jig shop/prod/lost 0123456789ab]")
    done = up.jig("orphans", "--file", str(up.state))
    assert done.returncode == 1
    assert "lost-one" in done.stdout
    assert "shop/prod/lost" in done.stdout
    assert "2 x h100-80gb" in done.stdout


def test_other_projects_and_unmarked_ones_are_not_ours(
    up: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """A mark of another project, or none, is nobody's orphan here."""
    create(client, ctx, "other-one", "[pulumi-jig web/prod/x 0123456789ab]")
    create(client, ctx, "plain-one", "for the demo")
    assert up.jig("orphans", "--file", str(up.state)).returncode == 0


def test_a_namesake_is_an_orphan(
    up: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """The id counts, not the name: a marked namesake made by hand is reported."""
    client.deployments.delete("llm-one", ctx)
    create(client, ctx, "llm-one", "[pulumi-jig shop/dev/llm 0123456789ab]")
    done = up.jig("orphans", "--file", str(up.state), "--json")
    assert [o["name"] for o in json.loads(done.stdout)["orphans"]] == ["llm-one"]


def test_what_cannot_be_found_out_is_3(up: Workspace) -> None:
    """A service that cannot be asked is not "no orphans", and not "orphans" either."""
    done = up.jig("orphans", "--file", str(up.state), TOGETHER_API_KEY="invalid-key")
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
