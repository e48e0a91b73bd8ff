"""What a program calls otherwise than the state does is found again, on either engine."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Theatre

ENGINES = ["rehearsal", pytest.param("pulumi", marks=pytest.mark.engine)]
BOX = "box = pulumi.ComponentResource('x:y:Box', 'box')\n"
UNDER_BOX = "Toy('a', {'name': 'a'}, pulumi.ResourceOptions(parent=box%s))"
AT_TOP = "Toy('a', {'name': 'a'}, pulumi.ResourceOptions(%s))"

#: What is renamed or moved: a program, and the program after it.
RENAMED = {
    "into a component": (
        BOX + AT_TOP % "",
        BOX + UNDER_BOX % ", aliases=[pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)]",
    ),
    "out of a component": (
        BOX + UNDER_BOX % "",
        BOX + AT_TOP % "aliases=[pulumi.Alias(parent=box)]",
    ),
    "with its component": (
        BOX + UNDER_BOX.replace("'a'", "'box-a'", 1) % "",
        BOX.replace("'box')", "'crate', opts=pulumi.ResourceOptions("
                    "aliases=[pulumi.Alias(name='box', type_='x:y:Box')]))")
        + UNDER_BOX.replace("'a'", "'crate-a'", 1) % "",
    ),
    "by its whole URN": (
        AT_TOP % "",
        "Toy('b', {'name': 'a'}, pulumi.ResourceOptions(aliases=['urn:pulumi:dev::toys::"
        "pulumi-python:dynamic/toy:Toy::a']))",
    ),
}  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", RENAMED)
def test_what_is_renamed_is_kept(case: str, engine: str, theatre: Theatre) -> None:
    """An alias by name, type, parent or URN leads to what exists; nothing is made anew."""
    before, after = RENAMED[case]
    theatre.program(before)
    if engine == "rehearsal":
        stack = theatre.rehearse()
        stack.up().raise_if_failed()
        theatre.program(after)
        preview, up = stack.preview(), stack.up()
        assert {*preview.changes} == {*up.changes} == {"same"}
        assert stack.preview().is_empty
    else:
        theatre.pulumi("stack", "init", "dev")
        assert theatre.pulumi("up", "--yes", "--skip-preview").returncode == 0
        theatre.program(after)
        words = ("up", "--yes", "--skip-preview", "--expect-no-changes")
        assert theatre.pulumi(*words).returncode == 0
    assert theatre.toys() == ["a"]


@pytest.mark.parametrize("part", ["stack", "project"])
def test_what_another_stack_made_is_kept(part: str, theatre: Theatre) -> None:
    """A state that came from another stack or project goes on under an alias of that."""
    stack = theatre.rehearse(AT_TOP % "")
    stack.up().raise_if_failed()
    former = {"stack": "urn:pulumi:old::toys::", "project": "urn:pulumi:dev::old::"}[
        part
    ]
    text = json.dumps(stack.export(show_secrets=True))
    kind = "pulumi-python:dynamic/toy:Toy::a"
    text = re.sub(f"urn:pulumi:dev::toys::{kind}", former + kind, text)
    stack.import_(text)
    theatre.program(AT_TOP % f"aliases=[pulumi.Alias({part}='old')]")
    assert stack.up().raise_if_failed().of("a") == ("same",)
    assert theatre.toys() == ["a"]
