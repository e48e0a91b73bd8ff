"""Scenarios of stacks that read one another's outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scenario_words import out, ref, reference, scenario, toy

if TYPE_CHECKING:
    from engines import Stage


def other_stack(stage: Stage, outputs: dict[str, Any]) -> None:
    """Let the stack `dev` of the project `base` have these outputs."""
    home = (stage.project, stage.stack)
    stage.move("base", "dev")
    stage.plan({}, outputs)
    stage.up()
    stage.move(*home)


@scenario
def stack_reference(stage: Stage) -> None:
    """Outputs of another stack are read anew each time; its secrets stay secret."""
    other_stack(
        stage,
        {
            "image": "sha256:1",
            "pw": {"$secret": "hush"},
            "deep": {"in": {"$secret": "low"}, "out": [1, {"x": 2}]},
        },
    )
    stage.plan(
        {
            "base": reference("organization/base/dev"),
            "a": toy(tag=ref("base", "image"), pw=ref("base", "pw")),
        },
        {
            "image": ref("base", "image", "require"),
            "pw": ref("base", "pw"),
            "deep": ref("base", "deep"),
            "none": ref("base", "none"),
            "all": out("base", "outputs"),
            "secret": out("base", "secret_output_names"),
        },
    )
    stage.preview()
    stage.up()
    stage.up()
    other_stack(stage, {"image": "sha256:2"})
    stage.refresh()
    stage.plan(
        {
            "base": reference("organization/base/dev"),
            "a": toy(tag=ref("base", "image")),
        }
    )
    stage.preview()
    stage.up()
    stage.plan({"a": toy(tag="sha256:2")})
    stage.preview()
    stage.up()
    stage.destroy()


@scenario
def stack_reference_destroyed(stage: Stage) -> None:
    """References go with their stack; a destroyed stack is there without outputs."""
    other_stack(stage, {"image": "sha256:1"})
    stage.plan(
        {"base": reference("organization/base/dev"), "a": toy(tag=ref("base", "image"))}
    )
    stage.up()
    stage.move("base")
    stage.destroy()
    stage.move("scenes")
    stage.refresh()
    assert stage.up().ok
    stage.destroy()


@scenario
def stack_reference_by_short_name(stage: Stage) -> None:
    """Without a project a reference means one of the own project."""
    stage.move(stack="staging")
    stage.plan({"a": toy(name="staged")}, {"image": "sha256:7"})
    stage.up()
    stage.move(stack="dev")
    stage.plan(
        {
            "one": reference("staging"),
            "two": reference("organization/staging"),
            "own": reference("dev"),
        },
        {
            "one": ref("one", "image"),
            "two": ref("two", "image", "require"),
            "own": ref("own", "one"),
        },
    )
    stage.up()
    stage.up()
    stage.destroy()


@scenario
def stack_reference_unknown(stage: Stage) -> None:
    """A stack that is not there fails preview, up and refresh, and is named."""
    other_stack(stage, {"image": "sha256:1"})
    for name in (
        "organization/base/prod",
        "organization/../dev",
        "acme/base/dev",
        "base/dev",
        "organization/base/d v",
        "organization/b se/dev",
        "organization/base/dev/more",
        f"organization/base/{'a' * 101}",
        "",
    ):
        stage.plan({"base": reference(name)})
        assert not stage.preview().ok
    stage.plan({"base": reference("organization/base/prod")})
    assert not stage.up().ok
    stage.plan({})
    stage.up()


@scenario
def stack_reference_without_output(stage: Stage) -> None:
    """`require_output` of what is not exported fails the program."""
    other_stack(stage, {"image": "sha256:1"})
    stage.plan(
        {"base": reference("organization/base/dev")},
        {"size": ref("base", "size", "require")},
    )
    assert not stage.preview().ok
    assert not stage.up().ok
    stage.destroy()
