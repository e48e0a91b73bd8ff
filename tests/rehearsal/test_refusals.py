"""What a rehearsal cannot do it refuses by name, in one sentence."""

from __future__ import annotations

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
    """The option or function is named, and the program does not run on."""
    source, words = REFUSED[case]
    result = theatre.rehearse(source).preview()
    assert not result.ok
    [message] = result.errors
    assert words in message
    assert "Traceback" not in message
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
