"""The page of the command line, from the parsers that read it."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

import click
from reference_source import page, table

from pulumi_jig import cli
from pulumi_jig.emulator.__main__ import build_parser as emulator
from pulumi_jig.operations.commands import jig
from pulumi_jig.policy.commands import build_parser as policy
from pulumi_jig.rehearsal.command import parser as rehearse

if TYPE_CHECKING:
    from collections.abc import Iterator


def write() -> str:
    """The page."""
    parts = [
        "The extra `cli` ([how to install it](../../README.md#install)) brings what the "
        "command `pulumi-jig` needs; `pulumi-jig policy` needs the extra `policy`. [How to "
        "use it](../cli.md) tells it by what there is to do.",
        "Key and address come from the stack's configuration, then from `TOGETHER_API_KEY` "
        "and `TOGETHER_BASE_URL`; see [configuration](configuration.md).",
        table(
            ("command", "what it does"),
            [
                (f"[`pulumi-jig {name}`](#pulumi-jig-{name})", _short(command))
                for name, command in sorted(jig.commands.items())
            ],
        ),
        "## Exit codes",
        table(("code", "meaning"), _exit_codes()),
    ]
    others = {
        "emulator": emulator("pulumi-jig emulator"),
        "policy": policy(),
        "rehearse": rehearse(),
    }
    for name, command in sorted(jig.commands.items()):
        parts.append(f"## pulumi-jig {name}")
        parts += _parsed(others[name]) if name in others else _clicked(name, command)
    return page("Command line", *parts)


def _short(command: click.Command) -> str:
    return command.get_short_help_str(200)


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


def _clicked(name: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=f"pulumi-jig {name}")
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```text\npulumi-jig {name} {usage}\n```"
    yield re.sub(r"[ \t]*\n[ \t]*(?=\S)", "\n", (command.help or "").strip())
    rows = []
    for option in command.params:
        shown = option.get_help_record(context)
        if shown is not None and isinstance(option, click.Option):
            rows.append((f"`{shown[0]}`", shown[1]))
    yield table(("option", "what it says"), rows)
    if command.epilog:
        yield _example(command.epilog)


def _parsed(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield f"```text\n{_usage(parser)}\n```"
    yield (parser.description or "").strip()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            told = {one.dest: one.help or "" for one in action._choices_actions}
            for name, inner in action.choices.items():
                yield f"### {inner.prog}"
                yield told[name].capitalize() + "."
                yield f"```text\n{_usage(inner)}\n```"
                if rows := _rows(inner):
                    yield table(("argument", "what it says"), rows)
            return
    yield table(("argument", "what it says"), _rows(parser))
    if parser.epilog:
        yield _example(parser.epilog)


def _usage(parser: argparse.ArgumentParser) -> str:
    # As wide as it takes: the page breaks it where it is shown.
    return " ".join(parser.format_usage().removeprefix("usage: ").split())


def _rows(parser: argparse.ArgumentParser) -> list[tuple[str, ...]]:
    formatter = parser._get_formatter()
    rows: list[tuple[str, ...]] = []
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        named = ", ".join(action.option_strings) or str(action.metavar or action.dest)
        if action.option_strings and action.nargs != 0:
            named += f" {action.metavar or action.dest.upper()}"
        rows.append(
            (f"`{named}`", formatter._expand_help(action) if action.help else "")
        )
    return rows


def _example(epilog: str) -> str:
    return f"Example: `{epilog.partition(':')[2].strip()}`"
