"""The page of the command line, from the parsers that read it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click
from reference_source import page, table

from pulumi_jig import cli
from pulumi_jig.cli.tree import COMMANDS, jig

if TYPE_CHECKING:
    from collections.abc import Iterator


def write() -> str:
    """The page."""
    parts = [
        "The command `pulumi-jig` comes with the package; `pulumi-jig policy` needs the "
        "extra `policy` and `pulumi-jig rehearse` the extra `rehearsal` ([how to install "
        "them](../../README.md#install)). [How to use it](../cli.md) tells it by what there "
        "is to do.",
        "Key and address come from the stack's configuration, then from `TOGETHER_API_KEY` "
        "and `TOGETHER_BASE_URL`; see [configuration](configuration.md).",
        table(
            ("command", "what it does"),
            [
                (f"[`pulumi-jig {name}`](#pulumi-jig-{name})", text)
                for name, (_, text) in COMMANDS.items()
            ],
        ),
        "## Exit codes",
        table(("code", "meaning"), _exit_codes()),
    ]
    for name, command in sorted(commands().items()):
        parts.append(f"## pulumi-jig {name}")
        parts += _described(f"pulumi-jig {name}", command)
    return page("Command line", *parts)


def _exit_codes() -> list[tuple[str, ...]]:
    """The table in the head of the module of the door."""
    head = (cli.__doc__ or "").partition("Exit codes:")[2]
    rows: list[tuple[str, ...]] = []
    for line in head.splitlines():
        begin = re.match(r"    (\d+) +(.*)", line)
        if begin:
            rows.append((begin[1], begin[2]))
        elif line.startswith("     ") and rows:
            rows[-1] = (rows[-1][0], f"{rows[-1][1]} {line.strip()}")
    return rows


def commands() -> dict[str, click.Command]:
    """All commands, loaded."""
    context = click.Context(jig)
    found = {
        name: jig.get_command(context, name) for name in jig.list_commands(context)
    }
    return {name: command for name, command in found.items() if command is not None}


def _described(name: str, command: click.Command, level: int = 2) -> Iterator[str]:
    context = click.Context(command, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```text\n{name} {usage}\n```"
    yield re.sub(r"[ \t]*\n[ \t]*(?=\S)", "\n", (command.help or "").strip())
    rows = []
    for option in command.params:
        shown = option.get_help_record(context)
        if shown is not None and isinstance(option, click.Option):
            rows.append((f"`{shown[0]}`", shown[1]))
    if rows:
        yield table(("option", "what it says"), rows)
    if command.epilog:
        yield _example(command.epilog)
    if isinstance(command, click.Group):
        for inner, one in sorted(command.commands.items()):
            yield f"{'#' * (level + 1)} {name} {inner}"
            yield from _described(f"{name} {inner}", one, level + 1)


def _example(epilog: str) -> str:
    return f"Example: `{epilog.partition(':')[2].strip()}`"
