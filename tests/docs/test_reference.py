"""The reference pages say what the code says."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

# Test folders are no packages; helpers stand beside the tests.
sys.path.insert(0, str(Path(__file__).parent))

import reference
import reference_errors
import reference_resources
from reference_source import described, kind, section

from pulumi_jig.lifecycle.secret.diff import diff as secret_diff
from pulumi_jig.lifecycle.volume.diff import diff as volume_diff


@pytest.mark.parametrize("name", reference.PAGES)
def test_a_page_is_up_to_date(name: str) -> None:
    """What the page says is what the code says today; `make reference` writes it."""
    there = (reference.FOLDER / name).read_text(encoding="utf-8")

    assert there == reference.PAGES[name](), "run make reference"


def test_no_page_is_left_over() -> None:
    """A page that nothing writes any more is not kept."""
    assert {path.name for path in reference.FOLDER.iterdir()} == set(reference.PAGES)


@pytest.mark.parametrize("name", reference.PAGES)
def test_nothing_is_left_unsaid(name: str) -> None:
    """Every property, key, option and error has its sentence: no cell of it is empty."""
    rows = re.findall(r"^\| (`.*) \|$", reference.PAGES[name](), re.MULTILINE)

    empty = [
        row for row in rows if not re.split(r" (?<!\\)\| ", row + " | ")[1].strip()
    ]

    assert [] == empty


def test_every_public_resource_has_its_part() -> None:
    """A resource that programs can import is explained, property by property."""
    page = reference.PAGES["resources.md"]()

    for name in reference_resources.resource_classes():
        assert f"\n## {name}\n" in page
        arguments = described("resources").get(f"{name}Args")
        for one in arguments.attributes if arguments else ():
            assert f"\n| `{one.name}` |" in page, (name, one.name)


#: Of each kind its diff, and of each property a value and another one.
KINDS = {
    "Secret": (
        secret_diff,
        {
            "name": ("token", "other"),
            "value": ("old", "new"),
            "description": ("one", "two"),
            "ttl_seconds": (86_400, 172_800),
            "version": (1, 2),
        },
    ),
    "Volume": (
        volume_diff,
        {
            "name": ("weights", "others"),
            "type": ("readOnly", "readWrite"),
            "content": ({"source_prefix": "models/1"}, {"source_prefix": "models/2"}),
            "version": (1, 2),
        },
    ),
}


@pytest.mark.parametrize(
    ("of", "name"), [(of, name) for of, (_, values) in KINDS.items() for name in values]
)
def test_what_is_said_of_a_property_is_what_its_diff_does(of: str, name: str) -> None:
    """Replaced where the page says so, in place otherwise, and always a difference."""
    diff, values = KINDS[of]
    state = {key: before for key, (before, _) in values.items()}
    found = diff(state, {**state, name: values[name][1]})

    said, _ = reference_resources.RULES[of][name]
    assert (True, said.startswith("replaces")) == (
        any(path.startswith(name) for path in found.changed),
        name in found.replaces,
    )
    assert values.keys() == reference_resources.RULES[of].keys()


def test_a_message_that_changed_is_noticed() -> None:
    """A row is written only while some message of the package says so."""
    assert reference_errors.is_said("was not serving after … s")
    assert not reference_errors.is_said("was not serving even after … s")


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("pulumi.Input[int] | None", "whole number"),
        ("pulumi.Output[str]", "text"),
        ("pulumi.Input[Sequence[pulumi.Input[str]]] | None", "list of texts"),
        ("pulumi.Input[WaitFor] | None", "`min_replicas` or `first_replica` or `none`"),
        ("pulumi.Output[list[dict[str, Any]] | None]", "list"),
    ],
)
def test_types_are_told_in_words(annotation: str, expected: str) -> None:
    """A reader of the page need not know Pulumi's own types."""
    assert expected == kind(annotation)


def test_a_section_of_a_docstring_is_read_whole() -> None:
    """Entries that go on over several lines are one text."""
    text = "One.\n\nArgs:\n    a: First\n        and more.\n    b: Second.\n\nRaises:\n    E: x"

    assert {"a": "First and more.", "b": "Second."} == section(text, "Args")
