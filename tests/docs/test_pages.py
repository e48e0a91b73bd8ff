"""What the documents show exists: files, headings, commands, options, settings."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
import yaml

# Test folders are no packages; helpers stand beside the tests.
sys.path.insert(0, str(Path(__file__).parent))

from reference_commands import commands
from reference_rest import KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for top in ("*.md", "docs", "examples", "policies", "tests", "pulumi_jig")
    for path in (ROOT.glob(top) if "*" in top else (ROOT / top).rglob("*.md"))
)
COMMANDS = commands()


def text_of(page: str) -> str:
    """A page's text."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, *languages: str) -> Iterator[str]:
    """The fenced blocks of a page that are in one of the languages."""
    for language, block in re.findall(
        r"^ *```(\w*)\n(.*?)^ *```", text_of(page), re.DOTALL | re.MULTILINE
    ):
        if language in languages:
            yield block


def anchors(page: str) -> set[str]:
    """The headings of a page, as links name them."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in headings
    }


def test_there_are_pages() -> None:
    """The list of pages is not empty by mistake."""
    assert {"README.md", "docs/cli.md", "docs/reference/errors.md"} <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """Each link inside the project names a file that exists, and a heading in it."""
    lost = []
    shown = re.findall(r'(?:src|srcset)="([^"]+)"', text_of(page))
    for target in [
        *shown,
        *re.findall(r"\]\((?!https?:)([^) ]+)\)", text_of(page)),
    ]:
        path, _, anchor = target.partition("#")
        there = (ROOT / page).parent / path if path else ROOT / page
        if not there.exists() or (
            anchor
            and anchor not in anchors(there.resolve().relative_to(ROOT).as_posix())
        ):
            lost.append(target)

    assert [] == lost


@pytest.mark.parametrize("page", PAGES)
def test_code_can_be_read(page: str) -> None:
    """What a page shows as Python, JSON or YAML is that."""
    for block in blocks(page, "python"):
        compile(block, page, "exec")
    for block in blocks(page, "json"):
        json.loads(block)
    for block in blocks(page, "yaml"):
        yaml.safe_load(block)


def shown_commands(page: str) -> Iterator[list[str]]:
    """Each `pulumi-jig ...` of a page's blocks and inline code, as words."""
    lines = [
        line
        for block in blocks(page, "", "console", "bash", "sh")
        for line in block.replace("\\\n", " ").splitlines()
    ]
    lines += re.findall(r"`(pulumi-jig [^`]+)`", text_of(page).replace("\n", " "))
    for line in lines:
        for part in re.split(r"[;|>]| && |  #", line.removeprefix("$ ")):
            if part.strip().startswith("pulumi-jig "):
                yield shlex.split(part, comments=True)[1:]


def options_of(command: str, rest: list[str]) -> set[str]:
    """The options that a command takes."""
    chosen = COMMANDS[command]
    if isinstance(chosen, click.Group) and rest and rest[0] in chosen.commands:
        chosen = chosen.commands[rest[0]]
    known = {"-h", "--help"}
    for option in chosen.params:
        known |= {*option.opts, *option.secondary_opts}
    return known


@pytest.mark.parametrize("page", PAGES)
def test_commands_can_be_typed(page: str) -> None:
    """Every command that a page shows exists, with every option that it shows."""
    unknown = []
    for command, *rest in shown_commands(page):
        if command.startswith("-"):
            continue
        if command not in COMMANDS:
            unknown.append(command)
            continue
        taken = options_of(command, rest)
        unknown += [
            f"{command} {word}"
            for word in rest
            if re.match(r"--?[a-zA-Z]", word) and word.partition("=")[0] not in taken
        ]

    assert [] == unknown


def test_commands_are_found_where_pages_show_them() -> None:
    """The reading of pages itself finds commands, in blocks and in lines."""
    assert ["orphans"] in list(shown_commands("docs/cli.md"))
    assert ["recover"] in list(shown_commands("README.md"))
    assert "drift" in COMMANDS


@pytest.mark.parametrize("page", PAGES)
def test_settings_exist(page: str) -> None:
    """Every `jig:key` that a page names is one that the code reads."""
    # What stands in quotes is shown as the name of somebody's stack or resource.
    named = re.findall(r"(?<![\w/:.-])jig:([a-z]\w+)", text_of(page))

    assert set() == set(named) - KEYS.keys()


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_exist(page: str) -> None:
    """No page sends anybody to a target that is not there."""
    targets = set(re.findall(r"^([a-z]+):", text_of("Makefile"), re.MULTILINE))
    named = set(re.findall(r"[`$] ?make ([a-z]+)", text_of(page)))

    assert set() == named - targets


@pytest.mark.parametrize(
    "picture", sorted((ROOT / "docs" / "images").iterdir()), ids=lambda path: path.name
)
def test_a_picture_is_small_and_shown(picture: Path) -> None:
    """Each is a PNG of less than 200 kB that README shows; `make images` draws them."""
    drawn = picture.read_bytes()

    assert drawn.startswith(b"\x89PNG")
    assert len(drawn) < 200_000
    assert f"docs/images/{picture.name}" in text_of("README.md")
