"""
The table of cases in tests/README.md: which test holds which case, by its docstring.

Run as a program (`make cases`) it writes the tests into the table; what a case means and
why one is left out is written by hand. It refuses a case that the table does not have,
and one that neither a test holds nor a reason leaves out.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
README = ROOT / "tests" / "README.md"

#: How many cases each letter has; bugs of others are plain numbers.
COUNTS = "R24 T15 N12 V16 C1 L23 S5 M11 P5 G5 64"
KNOWN = [
    f"{letter}{n}"
    for letter, top in re.findall(r"([A-Z]?)(\d+)", COUNTS)
    for n in range(1, int(top) + 1)
]

ROW = re.compile(r"^\| ([A-Z]?\d+) \| (.+?) \| (.*?) ?\|$", re.MULTILINE)
#: How a reason begins where no test holds a case.
REASONS = ("Left out: ", "Measured by ")


def _listed(words: str, item: str) -> re.Pattern[str]:
    return re.compile(rf"\b{words}\s+({item}(?:(?:,| and|, and)\s+{item})*)")


_KINDS = (
    _listed("[Cc]ases?", r"[A-Z]\d+(?:-[A-Z]\d+)?"),
    _listed(r"[Pp]eers'\s+bugs?", r"\d+(?:-\d+)?"),
)


def named(docstring: str) -> set[str]:
    """The cases that a docstring names: "Cases R2-R4 and T8, peers' bug 12"."""
    found: set[str] = set()
    for kind in _KINDS:
        for listed in kind.findall(docstring):
            for letter, low, high in re.findall(
                r"([A-Z]?)(\d+)(?:-[A-Z]?(\d+))?", listed
            ):
                numbers = range(int(low), int(high or low) + 1)
                found |= {f"{letter}{n}" for n in numbers}
    return found


def tests() -> Iterator[tuple[str, set[str]]]:
    """
    Every test as `tests/path.py::name`, with the cases that it, its class or its file
    names.
    """
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        file = path.relative_to(ROOT).as_posix()
        tree = ast.parse(path.read_text())
        yield from _within(tree.body, file, named(ast.get_docstring(tree) or ""))


def _within(
    body: list[ast.stmt], where: str, cases: set[str]
) -> Iterator[tuple[str, set[str]]]:
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            name = f"{where}::{node.name}"
            own = cases | named(ast.get_docstring(node) or "")
            if isinstance(node, ast.ClassDef):
                yield from _within(node.body, name, own)
            elif node.name.startswith("test_"):
                yield name, own


def holders() -> dict[str, list[str]]:
    """The tests of each case, in the order of files and names."""
    found: dict[str, list[str]] = {}
    for name, cases in sorted(tests()):
        for case in cases:
            found.setdefault(case, []).append(name)
    return found


def rows(text: str) -> dict[str, tuple[str, str]]:
    """What the table says: the meaning of each case, and its tests or reason."""
    return {case: (meaning, held) for case, meaning, held in ROW.findall(text)}


def written(text: str) -> str:
    """The document with the tests of today in its tables."""
    by_case = holders()

    def row(match: re.Match[str]) -> str:
        case, meaning, held = match.groups()
        names = "<br>".join(f"`{name}`" for name in by_case.get(case, ()))
        reason = held if held.startswith(REASONS) else ""
        return f"| {case} | {meaning} | {names or reason} |"

    return ROW.sub(row, text)


def main() -> int:
    """Write the table anew; name what nothing holds."""
    text = written(README.read_text())
    README.write_text(text)
    held = rows(text)
    lacking = [case for case in KNOWN if not held.get(case, ("", ""))[1]]
    strange = sorted(holders().keys() - set(KNOWN))
    if lacking:
        print(f"No test and no reason: {', '.join(lacking)}.", file=sys.stderr)
    if strange:
        print(f"Named by tests and not in the table: {', '.join(strange)}.")
    return 1 if lacking or strange else 0


if __name__ == "__main__":
    sys.exit(main())
