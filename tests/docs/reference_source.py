"""
What the reference pages are made of: docstrings, annotations and messages, as written.

Read from the source text: a docstring below an attribute, and the words of a message
with gaps in it, are nowhere else. Nothing of the package is imported here.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from inspect import cleandoc
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pulumi_jig"

#: Stands for what a message fills in.
GAP = "\N{HORIZONTAL ELLIPSIS}"

#: What stands for it in annotations is broader, for cycles and tests.
_SHOWN = {"Mountable": "Volume"}
_PLAIN = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
}


@dataclass(frozen=True)
class Attribute:
    """One attribute of a class: its annotation as written, and its docstring."""

    name: str
    annotation: str
    text: str
    required: bool


@dataclass(frozen=True)
class Described:
    """A class or function with its docstring; a class with its attributes."""

    name: str
    text: str
    attributes: tuple[Attribute, ...] = ()
    signature: str = ""


def flowing(text: str | None) -> str:
    """A docstring's paragraph as one line."""
    return " ".join(cleandoc(text or "").split())


def first_paragraphs(text: str) -> str:
    """A docstring without its sections (`Args:`, `Raises:` and the like)."""
    return re.split(r"\n\n?(?:Args|Attributes|Returns|Raises):\n", cleandoc(text))[0]


def section(text: str, title: str) -> dict[str, str]:
    """The entries of a docstring's section, by name."""
    found = re.search(
        rf"^{title}:\n((?:    .*\n?|\n)+)", cleandoc(text) + "\n", re.MULTILINE
    )
    entries: dict[str, str] = {}
    name = ""
    for line in (found[1] if found else "").splitlines():
        begin = re.match(r"    (\w+): ?(.*)", line)
        if begin:
            name = begin[1]
            entries[name] = begin[2]
        elif name:
            entries[name] = f"{entries[name]} {line.strip()}".strip()
    return entries


@cache
def tree(path: Path) -> ast.Module:
    """A source file, parsed."""
    return ast.parse(path.read_text())


@cache
def sources() -> tuple[Path, ...]:
    """All source files of the package."""
    return tuple(sorted(PACKAGE.rglob("*.py")))


def described(folder: str) -> dict[str, Described]:
    """All classes and functions of a module or folder of the package, by name."""
    base = PACKAGE / folder
    paths = sorted(base.rglob("*.py")) if base.is_dir() else [base.with_suffix(".py")]
    found: dict[str, Described] = {}
    for path in paths:
        for node in tree(path).body:
            if isinstance(node, ast.ClassDef):
                found[node.name] = Described(
                    node.name, ast.get_docstring(node) or "", tuple(_attributes(node))
                )
            elif isinstance(node, ast.FunctionDef):
                found[node.name] = Described(
                    node.name,
                    ast.get_docstring(node) or "",
                    signature=ast.unparse(node.args),
                )
    return found


def _attributes(node: ast.ClassDef) -> list[Attribute]:
    found = []
    for here, after in zip(node.body, [*node.body[1:], None], strict=True):
        if not isinstance(here, ast.AnnAssign) or not isinstance(here.target, ast.Name):
            continue
        text = ""
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            text = flowing(str(after.value.value))
        found.append(
            Attribute(
                here.target.id, ast.unparse(here.annotation), text, here.value is None
            )
        )
    return found


@cache
def aliases(folder: str) -> dict[str, str]:
    """The names that stand for longer annotations, with what they stand for."""
    found = {}
    for path in sorted((PACKAGE / folder).rglob("*.py")):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                found[node.targets[0].id] = ast.unparse(node.value)
    return found


def kind(annotation: str, folder: str = "resources") -> str:
    """An annotation in a reader's words."""
    bare = re.sub(r"\bpulumi\.(?:Input|Output)\b", "", annotation)
    bare = re.sub(r"\s*\|\s*None\b", "", bare)
    while re.fullmatch(r"\[(.*)\]", bare) and _closes_last(bare):
        bare = bare[1:-1].removesuffix(" | None")
    bare = aliases(folder).get(bare, bare) if bare.isidentifier() else bare
    if literal := re.fullmatch(r"Literal\[(.*)\]", bare):
        words = re.findall(r"'([^']*)'", literal[1])
        return " or ".join(f"`{word}`" for word in words)
    if bare in _PLAIN:
        return _PLAIN[bare]
    named = dict.fromkeys(re.findall(r"\b\w+Args\b", bare))
    parts = re.split(r" \| ", bare) if not named else []
    if len(parts) > 1 and not re.search(r"\[[^]]*\|", bare):
        return " or ".join(kind(part, folder) for part in parts)
    many = "list of " if "Sequence[" in bare else ""
    if named:
        mapping = "mapping, or " if bare.startswith("Mapping[") else ""
        return mapping + many + " or ".join(f"`{name}`" for name in named)
    if bare.startswith(("Sequence[", "list[")):
        return "list of texts" if "str" in bare and "dict" not in bare else "list"
    if bare.startswith(("Mapping[", "dict[")):
        return "mapping"
    return f"`{_SHOWN.get(bare, bare)}`"


def _closes_last(text: str) -> bool:
    """Whether the bracket that a text begins with is closed by its last one."""
    depth = 0
    for index, letter in enumerate(text):
        depth += (letter == "[") - (letter == "]")
        if depth == 0:
            return index == len(text) - 1
    return False


@cache
def messages() -> tuple[str, ...]:
    """Every text of the package's source, with `GAP` for what is filled in."""
    found = []
    for path in sources():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.JoinedStr):
                parts = (
                    str(part.value) if isinstance(part, ast.Constant) else GAP
                    for part in node.values
                )
                found.append("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return tuple(found)


# --- Markdown ------------------------------------------------------------------


def cell(text: str) -> str:
    """A text that cannot end its cell."""
    return " ".join(text.split()).replace("|", "\\|")


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table."""
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    lines += [f"| {' | '.join(map(cell, row))} |" for row in rows]
    return "\n".join(lines)


def page(title: str, *parts: str) -> str:
    """A page with its title and the note where it comes from."""
    note = (
        "<!-- Written by `make reference` from the code; change the code instead. -->"
    )
    return "\n\n".join([f"# {title}", note, *parts]) + "\n"
