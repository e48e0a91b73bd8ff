"""Look-ups from a program, in preview and update."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from programs import CANARY, clean_environment

from pulumi_jig.rehearsal.properties import UNKNOWN

if TYPE_CHECKING:
    from programs import Workspace

    from pulumi_jig.client import JigClient
    from pulumi_jig.deadline import Deadline

BODY = {
    "name": "there-one",
    "image": "registry.together.ai/p/x:1",
    "gpu_type": "h100-80gb",
    "gpu_count": 2,
    "memory": 64,
    "description": "ours [pulumi-jig web/prod/x 0123456789ab]",
    "environment_variables": [{"name": "TOKEN", "value": CANARY}],
}
PLAIN = """
    from pulumi_jig import lookups

    one = lookups.get_deployment("there-one")
    pulumi.export("gpus", one.gpu_count)
    pulumi.export("memory", one.memory)
    pulumi.export("owner", one.owner)
    pulumi.export("text", one.description)
    pulumi.export("names", list(one.environment_names))
    pulumi.export("all", [d.name for d in lookups.list_deployments()])
    pulumi.export("actions", [r.action for r in lookups.list_revisions("there-one")])
    pulumi.export("lines", len(lookups.get_logs("there-one")) > 0)
"""
TWINS = """
    from pulumi_jig import lookups

    name = pulumi.Output.from_input("there-one")
    pulumi.export("gpus", lookups.get_deployment_output(name).gpu_count)
    pulumi.export("all", lookups.list_deployments_output().apply(len))
    pulumi.export(
        "actions",
        lookups.list_revisions_output(name, limit=1).apply(
            lambda found: [event.action for event in found]
        ),
    )
    pulumi.export("lines", lookups.get_logs_output(name).apply(lambda l: len(l) > 0))
"""


def test_a_preview_really_reads(
    workspace: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """Plain look-ups give what is live, without values, in a preview as in an update."""
    client.deployments.create(BODY, ctx)
    workspace.write(PLAIN)
    with workspace.stack() as stack:
        for result in (stack.preview(), stack.up()):
            outputs = result.raise_if_failed().outputs
            found = {key: outputs[key] for key in ("gpus", "memory", "owner", "text")}
            assert found == {
                "gpus": 2,
                "memory": 64,
                "owner": "web/prod/x",
                "text": "ours",
            }
            assert "TOKEN" in outputs["names"]
            assert outputs["all"] == ["there-one"]
            assert outputs["actions"] == ["create"]
            assert outputs["lines"] is True
        assert CANARY not in workspace.state.read_text()


def test_the_twins_take_outputs(
    workspace: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """The twins give the same as outputs."""
    client.deployments.create(BODY, ctx)
    workspace.write(TWINS)
    with workspace.stack() as stack:
        outputs = stack.preview().raise_if_failed().outputs
        found = [outputs[key] for key in ("gpus", "all", "actions", "lines")]
        assert found == [2, 1, ["create"], True]


def test_what_is_not_there_says_so(workspace: Workspace) -> None:
    """A name that does not exist fails the program with one sentence."""
    workspace.write(
        "from pulumi_jig import lookups\nlookups.get_deployment('not-there')\n"
    )
    with workspace.stack() as stack:
        preview = stack.preview()
        assert not preview.ok
        said = " ".join(d.message for d in preview.diagnostics)
        assert "found nothing" in said


def test_the_stacks_configuration_is_the_second_source(
    workspace: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """Without the environment's, the stack's `jig:apiKey` and `jig:baseUrl` count."""
    from pulumi_jig.rehearsal import Rehearsal

    client.deployments.create(BODY, ctx)
    workspace.write(TWINS)
    with Rehearsal(
        workspace.folder,
        config={"jig:baseUrl": workspace.url},
        secret_config={"jig:apiKey": workspace.env["TOGETHER_API_KEY"]},
    ) as stack:
        assert stack.preview().raise_if_failed().outputs["gpus"] == 2


def test_the_environments_key_does_not_follow_a_given_address() -> None:
    """An address from the program must not collect the environment's key."""
    code = """
from pulumi_jig.lookups import get_deployment
from pulumi_jig.errors import ConfigError
try:
    get_deployment("x-one", base_url="https://collector.example")
except ConfigError as error:
    print(error.message)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**clean_environment(), "TOGETHER_API_KEY": CANARY},
        capture_output=True,
        text=True,
    )
    assert "is not the service's own host" in done.stdout, done.stderr
    assert CANARY not in done.stdout + done.stderr


def test_importing_them_loads_no_http_library() -> None:
    """`import pulumi_jig.lookups` loads neither httpx nor pydantic nor pulumi."""
    code = (
        "import sys, pulumi_jig.lookups;"
        "print({'httpx', 'pydantic', 'pulumi'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


OTHER_ACCOUNT = """
    from pulumi_jig import Provider, lookups

    other = Provider("other", api_key={key})
    look = pulumi.InvokeOptions(provider=other)
"""


def test_a_provider_in_the_options_names_the_account(
    workspace: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """`opts=InvokeOptions(provider=...)` asks with that provider's key."""
    client.deployments.create(BODY, ctx)
    workspace.write(
        OTHER_ACCOUNT.format(key="'somebody-elses-key'")
        + """
    pulumi.export("mine", len(lookups.list_deployments()))
    pulumi.export("theirs", len(lookups.list_deployments(opts=look)))
    pulumi.export("later", lookups.list_deployments_output(opts=look).apply(len))
    """
    )
    with workspace.stack() as stack:
        outputs = stack.preview().raise_if_failed().outputs
    assert {key: outputs[key] for key in ("mine", "theirs", "later")} == {
        "mine": 1,
        "theirs": 0,
        "later": 0,
    }


def test_a_parent_hands_its_provider_down_to_a_look_up(
    workspace: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """The provider of a parent counts where the options name none."""
    client.deployments.create(BODY, ctx)
    workspace.write(
        OTHER_ACCOUNT.format(key="'somebody-elses-key'")
        + """
    from pulumi import ComponentResource, InvokeOptions, ResourceOptions

    team = ComponentResource("shop:it:Team", "t", {}, ResourceOptions(providers=[other]))
    found = lookups.list_deployments(opts=InvokeOptions(parent=team))
    pulumi.export("theirs", len(found))
    """
    )
    with workspace.stack() as stack:
        assert stack.preview().raise_if_failed().outputs["theirs"] == 0


def test_a_secret_key_of_a_provider_is_waited_for_by_the_output_form(
    workspace: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """A key that is an output serves the `_output` form; what it finds is no secret."""
    client.deployments.create(BODY, ctx)
    workspace.write(
        OTHER_ACCOUNT.format(key="pulumi.Output.secret('somebody-elses-key')")
        + """
    found = lookups.list_deployments_output(opts=look)
    pulumi.export("secret", found.is_secret())
    pulumi.export("theirs", found.apply(len))
    """
    )
    with workspace.stack() as stack:
        outputs = stack.preview().raise_if_failed().outputs
    assert (outputs["secret"], outputs["theirs"]) == (False, 0)


def test_a_key_that_must_be_waited_for_is_refused_by_the_plain_form(
    workspace: Workspace,
) -> None:
    """One sentence names the form that waits, instead of asking with another key."""
    workspace.write(
        OTHER_ACCOUNT.format(key="pulumi.Output.secret('somebody-elses-key')")
        + "\n    lookups.list_deployments(opts=look)\n"
    )
    with workspace.stack() as stack:
        preview = stack.preview()
    said = [d.message for d in preview.diagnostics if d.severity == "error"]
    assert len(said) == 1, said
    assert "whose name ends in _output" in said[0]


@pytest.mark.parametrize(
    ("opts", "says"),
    [
        ("{'provider': None}", "must be pulumi.InvokeOptions(provider=...), not dict"),
        (
            "pulumi.InvokeOptions(provider=pulumi.ProviderResource('pulumi-python', 'a'))",
            "must be a pulumi_jig.Provider",
        ),
    ],
)
def test_options_that_cannot_be_followed_are_refused(
    workspace: Workspace, opts: str, says: str
) -> None:
    """Options of another kind end the program in a sentence; the stack's key is not used."""
    workspace.write(
        f"from pulumi_jig import lookups\nlookups.list_deployments(opts={opts})\n"
    )
    with workspace.stack() as stack:
        preview = stack.preview()
    said = " ".join(d.message for d in preview.diagnostics if d.severity == "error")
    assert says in said
    assert "Traceback" not in said


def test_a_look_up_waits_for_what_it_depends_on(workspace: Workspace) -> None:
    """With `depends_on` it is unknown before the resource is there, and true after."""
    workspace.write(
        """
    from pulumi_jig import lookups

    made = Deployment("one", name="made-here", image="r/p/x:1", gpu_type="none")
    opts = pulumi.InvokeOutputOptions(depends_on=[made])
    found = lookups.list_deployments_output(opts=opts)
    pulumi.export("names", found.apply(lambda all: [one.name for one in all]))
    """
    )
    with workspace.stack() as stack:
        assert stack.preview().raise_if_failed().outputs["names"] is UNKNOWN
        assert stack.up().raise_if_failed().outputs["names"] == ["made-here"]
