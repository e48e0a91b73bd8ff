"""Stacks that read one another's outputs; the engine's own ways are in e2e."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pulumi_jig.rehearsal import Rehearsal, RehearsalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Theatre

BASE = """
pulumi.export("image", "sha256:1")
pulumi.export("pw", pulumi.Output.secret("canary-1"))
"""
USER = """
base = pulumi.StackReference("organization/toys/base")
a = Toy("a", {"tag": base.require_output("image"), "pw": base.get_output("pw")})
pulumi.export("tag", a.tag)
pulumi.export("pw", a.pw)
"""


def pair(theatre: Theatre, **options: Any) -> tuple[Rehearsal, Rehearsal]:
    """Two stacks of one project, each with a program of its own."""
    theatre.program(USER)
    base = theatre.folder / "base"
    shutil.copytree(theatre.program_dir, base)
    (base / "__main__.py").write_text("import pulumi\n" + BASE)
    backend = theatre.folder / "backend"
    made = [
        Rehearsal(base, "base", backend=backend, env=theatre.env, **options),
        Rehearsal(theatre.program_dir, backend=backend, env=theatre.env, **options),
    ]
    theatre.made += made
    return made[0], made[1]


def test_one_backend_holds_what_stacks_know_of_one_another(theatre: Theatre) -> None:
    """Outputs arrive, and what was secret there is secret here and sealed on disk."""
    base, user = pair(theatre)
    base.up().raise_if_failed()
    outputs = user.up().raise_if_failed().outputs
    assert dict(outputs.values) == {"tag": "sha256:1", "pw": "canary-1"}
    assert outputs.secret_names == {"pw"}
    files = [p for p in (theatre.folder / "backend").rglob("*") if p.is_file()]
    assert "canary" not in "".join(path.read_text() for path in files)
    assert user.preview().is_empty


def test_a_stack_that_was_never_brought_up_is_unknown(theatre: Theatre) -> None:
    """The order of environments matters: what is read must have been made."""
    _, user = pair(theatre)
    result = user.up()
    assert result.errors == ('unknown stack "organization/toys/base"',)
    assert theatre.toys() == []


def test_an_organization_is_part_of_the_name(theatre: Theatre) -> None:
    """A stack of another organization is refused, as by a file backend."""
    base, user = pair(theatre, organization="acme")
    base.up().raise_if_failed()
    assert user.up().errors == ("organization name must be 'acme'",)


def test_a_state_of_its_own_refers_to_nothing(theatre: Theatre) -> None:
    """Without a backend the sentence says how to give one."""
    result = theatre.rehearse(USER).preview()
    [message] = result.errors
    assert "rehearse both stacks with the same `backend` folder" in message


def test_a_broken_state_is_named(theatre: Theatre) -> None:
    """What cannot be read of the other stack ends this one with a sentence."""
    base, user = pair(theatre)
    base.up().raise_if_failed()
    base.state_file.write_text("{")
    [message] = user.preview().errors
    assert "the stack 'organization/toys/base' cannot be read" in message
    assert "is not JSON" in message


def test_a_state_file_and_a_backend_exclude_each_other(theatre: Theatre) -> None:
    """A stack has one state."""
    with pytest.raises(RehearsalError, match="state_file or backend, not both"):
        theatre.rehearse(USER, backend=theatre.folder)


def test_other_resources_of_the_engine_are_refused(theatre: Theatre) -> None:
    """Of the engine's own package a rehearsal knows stack references only."""
    source = 'pulumi.CustomResource("pulumi:index:Stash", "s", {"input": 1})'
    [message] = theatre.rehearse(source).preview().errors
    assert "the package 'pulumi'" in message


def test_the_fixture_gives_a_test_one_backend(
    theatre: Theatre, jig_rehearsal: Callable[..., Rehearsal]
) -> None:
    """Two rehearsals of one test can refer to one another without more words."""
    theatre.program(BASE)
    first = jig_rehearsal(theatre.program_dir, stack="base", env=theatre.env)
    first.up().raise_if_failed()
    theatre.program(USER)
    second = jig_rehearsal(theatre.program_dir, stack="dev", env=theatre.env)
    assert second.up().raise_if_failed().outputs["tag"] == "sha256:1"
    assert Path(first.state_file).parent == second.state_file.parent
