"""Operations limited to some resources; the engine's own ways are in e2e."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Theatre

TWO = 'a = Toy("a", {"size": 1}); b = Toy("b", {"of": a.url})'


def urn(name: str) -> str:
    return f"urn:pulumi:dev::toys::pulumi-python:dynamic/toy:Toy::{name}"


def test_a_mistyped_target_is_told_by_every_operation(theatre: Theatre) -> None:
    """A target that is nowhere fails the operation, and nothing is done."""
    stack = theatre.rehearse(TWO)
    stack.up().raise_if_failed()
    for operation in (stack.preview, stack.up, stack.refresh, stack.destroy):
        result = operation(target=[urn("nobody")])
        assert not result.ok
        assert f"Target '{urn('nobody')}' could not be found" in result.errors[0]
    assert theatre.toys() == ["a", "b"]


def test_a_preview_of_targets_is_kept_to_by_the_update(theatre: Theatre) -> None:
    """With `skip_preview=False` a target without what it needs makes nothing."""
    stack = theatre.rehearse(TWO)
    result = stack.up(skip_preview=False, target=[urn("b")])
    assert (result.kind, result.ok) == ("preview", False)
    assert theatre.toys() == []


def test_what_is_left_out_is_unknown_to_the_program(theatre: Theatre) -> None:
    """An output of what was not made is not taken for empty."""
    stack = theatre.rehearse(TWO + '\npulumi.export("url", a.url.apply(str.upper))')
    assert stack.up(target=[urn("b")]).ok is False
    result = stack.up(target=["urn:pulumi:dev::toys::pulumi:pulumi:Stack::toys-dev"])
    assert result.ok
    assert theatre.toys() == []
    assert stack.up().raise_if_failed().outputs["url"] == "TOY://A"
