"""What a rehearsal cannot do it refuses by name, in one sentence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pulumi_jig.rehearsal import RehearsalError

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Theatre

REFUSED = {
    "an import": (
        'Toy("a", {}, pulumi.ResourceOptions(import_="x"))',
        "resource 'a' uses the `import_` option",
    ),
    "another package": (
        'pulumi.CustomResource("aws:s3/bucket:Bucket", "b", {})',
        "the package 'aws'",
    ),
    "a transform": (
        "pulumi.runtime.register_resource_transform(lambda args: None)",
        "a transform of all resources",
    ),
    "a hook": (
        """
        Toy("a", {}, pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(
            before_create=[lambda args: None])))
        """,
        "the resource hook",
    ),
    "an invoke": (
        'pulumi.runtime.invoke("aws:index:getRegion", {})',
        "calling the function 'aws:index:getRegion'",
    ),
    "replace_with": (
        'a = Toy("a"); Toy("b", {}, pulumi.ResourceOptions(replace_with=[a]))',
        "the `replace_with` option",
    ),
    "replace_on_changes": (
        'Toy("a", {}, pulumi.ResourceOptions(replace_on_changes=["size"]))',
        "resource 'a' uses the `replace_on_changes` option",
    ),
    "replacement_trigger": (
        'Toy("a", {}, pulumi.ResourceOptions(replacement_trigger="one"))',
        "resource 'a' uses the `replacement_trigger` option",
    ),
    "deleted_with": (
        'a = Toy("a"); Toy("b", {}, pulumi.ResourceOptions(deleted_with=a))',
        "resource 'b' uses the `deleted_with` option",
    ),
    "deleted_with of a component": (
        """
        a = Toy("a")
        box = pulumi.ComponentResource(
            "x:y:Box", "box", {}, pulumi.ResourceOptions(deleted_with=a))
        Toy("b", {}, pulumi.ResourceOptions(parent=box))
        """,
        "resource 'box' uses the `deleted_with` option",
    ),
    "an asset": ('Toy("a", {"file": pulumi.StringAsset("x")})', "an asset"),
    "a bad duration": (
        """
        Toy("a", {}, pulumi.ResourceOptions(
            custom_timeouts=pulumi.CustomTimeouts(create="5 minutes")))
        """,
        "'5 minutes' is not a duration",
    ),
}


@pytest.mark.parametrize("case", sorted(REFUSED))
def test_refused_by_name(case: str, theatre: Theatre) -> None:
    """The option or function is named, what to do is said, and nothing is created."""
    source, words = REFUSED[case]
    result = theatre.rehearse(source).up()
    assert not result.ok
    [message] = result.errors
    assert words in message
    assert case == "a bad duration" or "`pulumi` command" in message
    assert "Traceback" not in message
    # What the refused resource needs may have been created before it was registered.
    assert set(theatre.toys()) <= {"a"} - set(words.split("'"))


OPTIONS = [
    (operation, option)
    for operation in ("preview", "up", "refresh", "destroy")
    for option in ("target", "target_dependents", "replace")
    if (operation, option) not in {("refresh", "replace"), ("destroy", "replace")}
]


@pytest.mark.parametrize(("operation", "option"), OPTIONS)
def test_options_of_operations_are_refused(
    operation: str, option: str, theatre: Theatre
) -> None:
    """An operation on some resources, or a replacement on demand, is `pulumi`'s."""
    stack = theatre.rehearse('Toy("a", {"size": 1})')
    stack.up().raise_if_failed()
    theatre.program('Toy("a", {"size": 2}); Toy("b")')
    before = theatre.state_file.read_text()
    flag = option.replace("_", "-")
    words = f"does not support `{option}`; use `pulumi {operation} --{flag}`"
    with pytest.raises(RehearsalError, match=words):
        getattr(stack, operation)(**{option: ["urn:pulumi:dev::toys::x:y:Z::a"]})
    assert before == theatre.state_file.read_text()
    assert theatre.toys() == ["a"]


@pytest.mark.parametrize("parallel", [0, -1])
def test_no_step_at_a_time_is_refused(parallel: int, theatre: Theatre) -> None:
    """Nothing could be done with it."""
    with pytest.raises(RehearsalError, match=f"parallel is {parallel}; at least one"):
        theatre.rehearse('Toy("a")', parallel=parallel)


def test_an_option_that_nobody_knows_is_a_mistake(theatre: Theatre) -> None:
    """A mistyped option is an error of the caller, as for any function."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'targets'"):
        theatre.rehearse('Toy("a")').preview(targets=[])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("taint", True),
        ("deletedWith", "urn:pulumi:dev::toys::x:y:Z::z"),
        ("replacementTrigger", "one"),
    ],
)
def test_a_state_that_asks_for_more_is_refused(
    key: str, value: object, theatre: Theatre
) -> None:
    """What a real engine's state asks for is not lost by going on with it."""
    stack = theatre.rehearse('Toy("a")')
    stack.up().raise_if_failed()
    export = stack.export(show_secrets=True)
    export["deployment"]["resources"][-1][key] = value
    with pytest.raises(RehearsalError, match=f"`{key}` set for urn:.*`pulumi` command"):
        stack.import_(export)
    theatre.state_file.write_text(json.dumps(export))
    for operation in (stack.preview, stack.up, stack.refresh, stack.destroy):
        with pytest.raises(RehearsalError, match=f"`{key}` set for urn:"):
            operation()
    assert theatre.toys() == ["a"]


def test_a_chain_of_replacements_is_refused(theatre: Theatre) -> None:
    """What would be replaced because something is deleted first is named; all stays."""
    source = """
    first = pulumi.ResourceOptions(delete_before_replace=True)
    a = Toy("a", {{"name": "a-{0}", "tag": "b-{0}"}}, first)
    Toy("b", {{"name": a.tag}})
    """
    stack = theatre.rehearse(source.format(1))
    stack.up().raise_if_failed()
    theatre.program(source.format(2))
    for operation in (stack.preview, stack.up):
        result = operation()
        assert not result.ok
        [message] = result.errors
        assert "replacing 'a' with delete before create also replaces 'b'" in message
        assert "`pulumi` command" in message
        assert theatre.toys() == ["a-1", "b-1"]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            'Toy("a")',
            'Toy("a", None, pulumi.ResourceOptions(id="a"))',
            "'a' is managed in the state and only read (`.get`) in the program",
        ),
        (
            'Toy("a", None, pulumi.ResourceOptions(id="x"))',
            'Toy("a")',
            "'a' is only read (`.get`) in the state and managed in the program",
        ),
    ],
)
def test_a_change_of_who_manages_a_resource_is_refused(
    before: str, after: str, words: str, theatre: Theatre
) -> None:
    """Letting go of a resource, or taking one over, is `pulumi`'s."""
    (theatre.world / "x.json").write_text('{"name": "x"}')
    stack = theatre.rehearse(before)
    stack.up().raise_if_failed()
    there = theatre.toys()
    theatre.program(after)
    result = stack.up()
    assert not result.ok
    [message] = result.errors
    assert words in message
    assert "`pulumi` command" in message
    assert there == theatre.toys()


@pytest.mark.parametrize("config", [None, {"grow": "remediate"}, {"all": "remediate"}])
def test_a_policy_that_remediates_is_refused(
    config: dict[str, str] | None, theatre: Theatre
) -> None:
    """A policy that changes resources is named before the program runs."""
    pack = theatre.folder / "pack"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text("runtime: python\n")
    level = "ADVISORY" if config else "REMEDIATE"
    (pack / "__main__.py").write_text(
        "from pulumi_policy import *\n"
        "PolicyPack('toys', [ResourceValidationPolicy('grow', 'Grow.',\n"
        "    remediate=lambda args: {**args.props, 'size': 2},\n"
        f"    enforcement_level=EnforcementLevel.{level})])\n"
    )
    stack = theatre.rehearse('Toy("a"); print("it ran")', policy_packs=[(pack, config)])
    result = stack.up()
    assert not result.ok
    [message] = result.errors
    assert "the policy 'grow' remediates" in message
    assert "`pulumi` command" in message
    assert "it ran" not in [diagnostic.message for diagnostic in result.diagnostics]
    assert theatre.toys() == []


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ("runtime: python\n", "names no project"),
        ("name: x\nruntime: nodejs\n", "a rehearsal runs Python programs"),
        ("name: [\n", "is not YAML"),
        (
            "name: x\nruntime:\n  name: python\n  options:\n    virtualenv: gone\n",
            "virtual environment 'gone', which does not exist",
        ),
    ],
)
def test_projects_that_cannot_be_used(
    manifest: str, words: str, theatre: Theatre
) -> None:
    """A project file that is wrong is refused with what is wrong about it."""
    theatre.manifest(manifest)
    theatre.program('Toy("a")')
    with pytest.raises(RehearsalError, match=words):
        theatre.rehearse().preview()


def test_a_folder_without_a_project(tmp_path: Path, theatre: Theatre) -> None:
    """A folder without Pulumi.yaml is named."""
    theatre.program_dir = tmp_path / "nowhere"
    with pytest.raises(RehearsalError, match=r"no Pulumi\.yaml in .*nowhere"):
        theatre.rehearse()


def test_a_project_without_a_program(theatre: Theatre) -> None:
    """A project without `__main__.py` fails with one sentence."""
    result = theatre.rehearse().preview()
    assert not result.ok
    assert [e for e in result.errors if "there is no program" in e] == list(
        result.errors
    )


def test_a_failing_program_shows_the_users_lines_only(theatre: Theatre) -> None:
    """The traceback begins in the user's program."""
    result = theatre.rehearse('raise ValueError("it broke")').preview()
    [error] = result.errors
    assert error.strip().endswith("ValueError: it broke")
    assert "run_program.py" not in error
    assert str(theatre.program_dir) in error


def test_a_policy_pack_that_is_not_there(theatre: Theatre) -> None:
    """A folder without a pack is named, and nothing is run."""
    stack = theatre.rehearse('Toy("a")', policy_packs=[theatre.folder / "none"])
    result = stack.up()
    assert not result.ok
    assert "there is no policy pack in" in result.errors[0]
    assert theatre.toys() == []


def test_a_pack_that_does_not_start(theatre: Theatre) -> None:
    """A pack that fails while it starts is reported with its last words."""
    pack = theatre.folder / "pack"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text("runtime: python\n")
    (pack / "__main__.py").write_text("raise SystemExit('no rules today')\n")
    result = theatre.rehearse('Toy("a")', policy_packs=[pack]).preview()
    assert not result.ok
    assert "did not come up: no rules today" in result.errors[0]
