"""The page about the command line says what the command line says."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from pulumi_jig.operations.commands import jig

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
OWN = ("recover", "orphans", "import", "convert", "drift")


@pytest.mark.parametrize("name", sorted(jig.commands))
def test_every_command_is_on_the_page(name: str) -> None:
    """The table of commands has every command."""
    assert f"| `pulumi-jig {name}` |" in PAGE.read_text()


@pytest.mark.parametrize("name", OWN)
def test_every_option_is_on_the_page(name: str) -> None:
    """Every option of a command is explained on the page."""
    text = PAGE.read_text()
    options = [
        option.opts[0] if option.opts[0].startswith("--") else option.opts[-1]
        for option in jig.commands[name].params
        if isinstance(option, click.Option)
    ]
    missing = [option for option in options if f"{option}" not in text]
    assert missing == []
