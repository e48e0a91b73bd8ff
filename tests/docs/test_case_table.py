"""The table of cases says what the tests say."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# Test folders are no packages; helpers stand beside the tests.
sys.path.insert(0, str(Path(__file__).parent))

import cases

TABLE = cases.README.read_text()


def test_every_case_has_one_row() -> None:
    """No case is left out of the table, and none stands there twice."""
    assert sorted(cases.KNOWN) == sorted(row[0] for row in cases.ROW.findall(TABLE))


def test_every_case_is_held_or_left_out_for_a_reason() -> None:
    """A case without a test says why."""
    assert [] == [
        case
        for case, (_, held) in cases.rows(TABLE).items()
        if not held.startswith(("`tests/", *cases.REASONS))
    ]


def test_every_test_that_is_named_exists() -> None:
    """A row names no test that was renamed or removed."""
    there = {name for name, _ in cases.tests()}
    named = {
        name.strip("`")
        for _, held in cases.rows(TABLE).values()
        if held.startswith("`")
        for name in held.split("<br>")
    }

    assert set() == named - there


def test_no_test_names_a_case_that_is_not_there() -> None:
    """A slip in a docstring does not make a case of its own."""
    assert set() == cases.holders().keys() - set(cases.KNOWN)


def test_the_table_is_up_to_date() -> None:
    """Whatever a test says of itself is in the table; `make cases` writes it."""
    assert cases.written(TABLE) == TABLE, "run make cases"


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("Case R3: found.", {"R3"}),
        ("Found (Cases R2-R4, T8 and N1).", {"R2", "R3", "R4", "T8", "N1"}),
        ("Case L2, peers' bugs 12, 13: gone.", {"L2", "12", "13"}),
        ("Peers'\nbugs 1 and 3: case V4.", {"1", "3", "V4"}),
        ("In this case 12 replicas have bugs 3; R3.", set()),
        ("Nothing of the kind.", set()),
    ],
)
def test_what_a_docstring_names_is_found(docstring: str, expected: set[str]) -> None:
    """Lists, ranges and line ends are read as people write them."""
    assert expected == cases.named(docstring)
