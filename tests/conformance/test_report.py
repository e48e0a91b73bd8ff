"""Every rule of the emulator is asked about."""

from __future__ import annotations

import ast
from pathlib import Path

from report import rules

HERE = Path(__file__).parent


def asked() -> set[str]:
    """The rules that tests name."""
    names = set(rules())
    return {
        node.value
        for path in HERE.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in names
    }


def test_every_rule_is_asked_about() -> None:
    """What the emulator promises and what the suite asks is one list."""
    assert asked() == set(rules())
