"""Plain data with two markers: not known yet, and secret."""

from __future__ import annotations

import copy
import math

import pytest
from core_cases import JUNK
from hypothesis import given
from hypothesis import strategies as st

from pulumi_jig.values import (
    UNKNOWN,
    SecretValue,
    changed_paths,
    format_path,
    has_unknown,
    reveal,
    storable_fault,
    unknown_paths,
    whole_numbers,
    without_none,
)

KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
PATHS = st.lists(KEYS | st.integers(0, 9), max_size=4).map(tuple)


def test_an_unknown_value_is_no_truth_value():
    """Asking whether an unknown value is true is an error, since it would be a guess."""
    with pytest.raises(TypeError, match="is UNKNOWN"):
        bool(UNKNOWN)


def test_an_unknown_value_stays_itself_when_copied():
    """A copy of data with an unknown value still has the one unknown value."""
    assert copy.deepcopy({"a": [UNKNOWN]})["a"][0] is UNKNOWN


def test_markers_show_nothing():
    """Neither marker shows a value when it is printed."""
    assert ("UNKNOWN", "SecretValue(...)") == (
        repr(UNKNOWN),
        repr(SecretValue("canary")),
    )


def test_revealing_reaches_every_depth():
    """Secret markers are taken off in mappings, in lists and in one another."""
    marked = {"a": [SecretValue({"b": SecretValue(1)})], "c": SecretValue("x")}

    assert {"a": [{"b": 1}], "c": "x"} == reveal(marked)


def test_unknown_values_are_found_with_their_paths():
    """Every unknown value is told by its path, in lists and tuples as well."""
    data = {"a": UNKNOWN, "b": [1, {"c": UNKNOWN}], "d": (UNKNOWN,)}

    assert [("a",), ("b", 1, "c"), ("d", 0)] == list(unknown_paths(data))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("cpu",), "cpu"),
        (("volumes", 0, "mount_path"), "volumes[0].mount_path"),
        (("environment_variables", "A"), "environment_variables.A"),
        (("extra", "a.b"), 'extra["a.b"]'),
        (("a.b", "c"), '["a.b"].c'),
        (("extra", 'say "x"'), 'extra["say \\"x\\""]'),
        (("extra", ""), 'extra[""]'),
    ],
)
def test_a_path_is_written_as_pulumi_writes_it(path, text):
    """Names are joined by dots, positions and odd names stand in brackets."""
    assert text == format_path(path)


@given(PATHS, PATHS)
def test_two_paths_are_never_written_alike(one, other):
    """Different paths have different texts."""
    assert (one == other) == (format_path(one) == format_path(other))


@pytest.mark.parametrize(
    ("old", "new", "paths"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": True}, [("a",)]),
        ({"a": 1}, {"b": 1}, [("a",), ("b",)]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, [("a", "c")]),
        ([1, 2], [1, 3], [(1,)]),
        ([1], [1, 2], [()]),
        ({"a": UNKNOWN}, {"a": UNKNOWN}, [("a",)]),
        ({"a": 1}, {"a": UNKNOWN}, [("a",)]),
        ("x", "y", [()]),
    ],
)
def test_changes_are_told_by_their_deepest_paths(old, new, paths):
    """Mappings go key by key, equally long lists element by element."""
    assert paths == list(changed_paths(old, new))


@given(JUNK.filter(lambda value: not has_unknown(value)))
def test_nothing_differs_from_itself(value):
    """A value has no changed paths against its own copy, unless it holds NaN."""
    found = list(changed_paths(value, copy.deepcopy(value)))

    assert found == [] or "nan" in repr(value)


@given(JUNK, JUNK)
def test_changes_are_told_alike_from_both_sides(one, other):
    """What changed does not depend on which value came first."""
    assert sorted(map(repr, changed_paths(one, other))) == sorted(
        map(repr, changed_paths(other, one))
    )


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (8.0, 8),
        (8.5, 8.5),
        (-0.0, 0),
        ({"a": [1.0, {"b": 2.0}]}, {"a": [1, {"b": 2}]}),
        ("1.0", "1.0"),
        (2.0**53, 2**53),
        (2.0**54, 2.0**54),
        (math.inf, math.inf),
    ],
)
def test_whole_floats_become_integers(given_, expected):
    """Case V1: 1.0 is 1 at every depth; digits that were lost already are left alone."""
    result = whole_numbers(given_)

    assert (expected, type(expected)) == (result, type(result))


def test_none_and_absent_are_one_thing():
    """Case R24, peers' bug 32: a key whose value is None is as good as no key."""
    assert {"b": 0} == without_none({"a": None, "b": 0})


@pytest.mark.parametrize(
    "value",
    [None, True, 1, 1.5, "ü", [], {"a": [{"b": "c"}]}, SecretValue({"a": 1})],
)
def test_plain_data_can_be_stored(value):
    """Data of JSON's kinds has no fault, secret or not."""
    assert storable_fault({"key": value}) is None


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (math.nan, "key is not a finite number"),
        ([math.inf], "key[0] is not a finite number"),
        ("\ud800", "key is not valid Unicode"),
        ({1: 2}, "key has a key that is not a string"),
        ({"a": {2}}, "key.a has a set, which is not data"),
        (SecretValue(b"x"), "key has a bytes, which is not data"),
    ],
)
def test_what_cannot_be_stored_is_told_by_its_path(value, fault):
    """Case R22: what state could not hold is found before anything is created."""
    assert fault == storable_fault({"key": value})
