"""The list of rules, and the rules in the code."""

from __future__ import annotations

import re
from pathlib import Path

import pulumi_jig.emulator
from pulumi_jig.emulator.behaviors import BEHAVIORS, behavior_of

HOME = Path(pulumi_jig.emulator.__file__).parent
LISTED = re.findall(
    r"^\| ([A-Z]+-\d+) \| (\w+) \| (.+) \|$",
    (HOME / "RULES.md").read_text(),
    re.MULTILINE,
)
# A name may stand alone, or follow another: "(rules PATCH-1 and BODY-1)".
NAME = re.compile(r"\b(?:[A-Z]{2,})-\d+\b")


def in_code():
    """Return the rules that comments and docstrings name."""
    found = set()
    for path in HOME.glob("*.py"):
        for line in path.read_text().splitlines():
            if re.search(r"\b[Rr]ules? [A-Z]|^# and [A-Z]+-", line.strip()):
                found |= set(NAME.findall(line))
    return found - {"UTF-8"}


def test_every_rule_in_the_code_is_listed_and_every_listed_one_is_in_the_code():
    """The list is complete, and nothing in it is only words."""
    assert {name for name, _, _ in LISTED} == in_code()


def test_every_rule_is_tagged_with_its_evidence():
    """Documented, observed in the vendor's client, or assumed."""
    assert {"documented", "observed", "assumed"} == {tag for _, tag, _ in LISTED}
    assert len(LISTED) == len({name for name, _, _ in LISTED})
    assert sorted(name for name, _, _ in LISTED) == [name for name, _, _ in LISTED]


def test_every_behaviour_is_listed():
    """Each word that an image can ask for is described."""
    text = (HOME / "RULES.md").read_text()
    words = {word for word in BEHAVIORS if word and behavior_of(f"r/{word}:1") == word}

    assert len(words) == 8
    assert set(re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE)) == words
