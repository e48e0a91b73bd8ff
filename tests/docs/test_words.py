"""Users read the field's terms: what the glossary replaced is in no page and no message."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: What was replaced, as it would be found in a sentence.
WITHDRAWN = {
    "command line tools": r"\bdesk side\b|\bat (a|the) desk\b",
    "is in (no) state": r"\bstands? in (no|a|the|our|some) state",
    "owner, belongs to": r"\bwhose is it\b|\bkey(s)? (is|are) not of\b|\) is not of\b",
    "orphan": r"\bstrays?\b",
    "action": r"\bverdicts?\b",
    "--adopt-marked": r"--take-marked\b",
    "value_version": r"\bword that is another\b",
    "jig-no-bypass": r"\bjig-no-escape\b",
    "the last run did not finish": r"\bdiffers in status\b",
    "cannot be unset": r"\bcannot be taken back\b",
    "Fix it": r"\b[Mm]end(s|ed|ing)?\b",
    "what to do": r"\bthe way on\b",
    "depends on": r"\bhangs? on\b",
    "a minimum of": r"\balways spent\b",
    "_output form": r"\btwins?\b",
}
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
    *sorted((ROOT / "policies").rglob("*.md")),
]
MODULES = sorted((ROOT / "pulumi_jig").rglob("*.py"))


def messages(module: Path) -> str:
    """The texts of a module that are no docstrings, a line each."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    notes = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return "\n".join(
        " ".join(node.value.split())
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in notes
    )


def withdrawn(text: str) -> list[tuple[str, str]]:
    """What of a text was replaced, with the term that took its place."""
    return [
        (found[0], instead)
        for instead, pattern in WITHDRAWN.items()
        if (found := re.search(pattern, " ".join(text.split()))) is not None
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_use_the_terms_of_the_field(page: Path) -> None:
    """No page that users read has a term that the glossary replaced."""
    assert withdrawn(page.read_text(encoding="utf-8")) == []


def test_messages_use_the_terms_of_the_field() -> None:
    """No text of the package has one either."""
    found = {
        str(module.relative_to(ROOT)): terms
        for module in MODULES
        if (terms := withdrawn(messages(module)))
    }
    assert found == {}
