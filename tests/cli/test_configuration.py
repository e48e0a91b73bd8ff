"""Which key and address count, as a program's stack shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from programs import KEY

from pulumi_jig.rehearsal import Rehearsal

if TYPE_CHECKING:
    from programs import Workspace

ONE = """
    one = Deployment("llm", image="r.example/a:1", gpu_type="none", name="llm-one")
    pulumi.export("url", one.endpoint_url)
"""


def rehearsed(workspace: Workspace, **more: object) -> Rehearsal:
    options = {"env": workspace.env, "secret_config": workspace.secrets, **more}
    return Rehearsal(workspace.folder, "dev", state_file=workspace.state, **options)  # type: ignore[arg-type]


def warnings(result: object) -> list[str]:
    return [
        one.message
        for one in result.diagnostics  # type: ignore[attr-defined]
        if one.severity == "warning"
    ]


def test_a_key_in_clear_gives_one_warning(workspace: Workspace) -> None:
    """A key that the stack's file shows to its readers is told, and not quoted."""
    workspace.write(ONE + ONE.replace("llm", "two").replace('"url"', '"other"'))
    with rehearsed(workspace, config={"jig:apiKey": KEY}) as stack:
        told = [text for text in warnings(stack.preview()) if "readable" in text]

    assert len(told) == 1
    assert "pulumi config set --secret jig:apiKey" in told[0]
    assert KEY not in told[0]


def test_the_stack_counts_before_the_environment(workspace: Workspace) -> None:
    """A stack that names its account is not moved by whoever has another key set."""
    workspace.write(ONE)
    workspace.secrets["jig:apiKey"] = KEY
    env = {**workspace.env, "TOGETHER_API_KEY": "acct:somebody:else"}
    with rehearsed(workspace, env=env) as stack:
        result = stack.preview()

    told = [text for text in warnings(result) if "is used" in text]
    assert result.ok
    assert ["The stack's jig:apiKey is used"] == [text[:30] for text in told]
    assert "acct:somebody:else" not in str(told)


@pytest.mark.parametrize("name", ["jig:baseURL", "jig:apikey", "jig:namespase"])
def test_a_misspelt_setting_ends_the_preview(workspace: Workspace, name: str) -> None:
    """A setting that would be ignored is refused before anything is created."""
    workspace.write(ONE)
    with rehearsed(workspace, config={name: "x"}) as stack:
        result = stack.preview()

    assert not result.ok
    assert f"{name} is not a setting" in str(result.diagnostics)


def test_an_explicit_providers_address_makes_the_endpoint(workspace: Workspace) -> None:
    """Preview and update show the address that the requests go to."""
    other = workspace.url.replace("127.0.0.1", "localhost")
    workspace.write(
        f"""
        from pulumi_jig import Provider
        there = Provider("there", api_key="{KEY}", base_url="{other}")
        one = Deployment(
            "llm", image="r.example/a:1", gpu_type="none", name="llm-one",
            opts=pulumi.ResourceOptions(provider=there),
        )
        one.endpoint_url.apply(lambda url: pulumi.log.info("answers at " + url))
        """
    )
    expected = f"{other}/v1/deployment-request/llm-one"
    with rehearsed(workspace) as stack:
        for result in (stack.preview(), stack.up()):
            assert result.ok
            assert f"answers at {expected}" in [d.message for d in result.diagnostics]


def test_a_provider_without_an_address_takes_the_next_source(
    workspace: Workspace,
) -> None:
    """A test set-up's address counts for an explicit provider as well."""
    workspace.write(
        f"""
        from pulumi_jig import Provider
        there = Provider("there", api_key="{KEY}")
        one = Deployment(
            "llm", image="r.example/a:1", gpu_type="none", name="llm-one",
            opts=pulumi.ResourceOptions(provider=there),
        )
        pulumi.export("url", one.endpoint_url)
        """
    )
    with rehearsed(workspace) as stack:
        assert stack.up().ok
        assert stack.outputs.values["url"].startswith(workspace.url)
    environment = {"TOGETHER_API_KEY": KEY, "TOGETHER_BASE_URL": "http://127.0.0.1:1"}
    with rehearsed(
        workspace, config={"jig:baseUrl": workspace.url}, env=environment
    ) as stack:
        assert stack.preview().ok
        assert stack.outputs.values["url"].startswith(workspace.url)
