"""Property values on the wire and in a file, paths, and what is secret."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_jig.rehearsal.encryption import Encryption
from pulumi_jig.rehearsal.errors import RehearsalError
from pulumi_jig.rehearsal.goals import seconds, urn_of
from pulumi_jig.rehearsal.paths import PathError, parse, reset
from pulumi_jig.rehearsal.properties import (
    UNKNOWN,
    Secret,
    annotate_secrets,
    contains_secret,
    contains_unknown,
    decode,
    difference,
    encode,
    reveal,
    signs,
)
from pulumi_jig.rehearsal.state import value_from_json, value_to_json

if TYPE_CHECKING:
    from pathlib import Path

KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
PLAIN = (
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.just(UNKNOWN)
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(KEYS, inner, max_size=3)
        | inner.map(lambda v: v if isinstance(v, Secret) else Secret(v))
    ),
    max_leaves=12,
)
MAPS = st.dictionaries(KEYS, VALUES, max_size=4)
ENCRYPTION = Encryption(base64.urlsafe_b64encode(b"k" * 32))


@given(MAPS)
def test_values_survive_the_wire(values: dict[str, Any]) -> None:
    """What is sent with secrets kept arrives as it was."""
    assert decode(encode(values, keep_secrets=True)) == values


@given(MAPS)
def test_stripped_values_hold_no_secret(values: dict[str, Any]) -> None:
    """What is sent without secrets arrives in clear, and is marked nowhere."""
    arrived = decode(encode(values, keep_secrets=False))
    assert not contains_secret(arrived)
    assert reveal(arrived) == reveal(values)


@given(MAPS)
def test_values_survive_a_file(values: dict[str, Any]) -> None:
    """What is written sealed is read as it was."""
    assert value_from_json(value_to_json(values, ENCRYPTION), ENCRYPTION) == values


@given(MAPS)
def test_a_value_does_not_differ_from_itself(values: dict[str, Any]) -> None:
    """Only unknown values count as different from themselves."""
    different = difference(values, values)
    assert bool(different) == contains_unknown(
        {k: v for k, v in values.items() if not k.startswith("__")}
    )


@given(st.dictionaries(KEYS, PLAIN, max_size=4), st.sets(KEYS, max_size=3))
def test_marks_come_back_by_path(values: dict[str, Any], hidden: set[str]) -> None:
    """A plugin that answers in clear gets its secrets marked again, key by key."""
    inputs = {k: Secret(v) if k in hidden else v for k, v in values.items()}
    assert annotate_secrets(values, inputs) == inputs


def test_one_secret_in_a_list_makes_it_secret() -> None:
    """A list has no keys to mark by, so that it is marked whole."""
    inputs = {"rows": ["x", Secret("y")], "deep": {"rows": [Secret(1)], "n": 1}}
    outputs = {"rows": ["x", "y"], "deep": {"rows": [1], "n": 1}}
    assert annotate_secrets(outputs, inputs) == {
        "rows": Secret(["x", "y"]),
        "deep": {"rows": Secret([1]), "n": 1},
    }


def test_internal_keys_are_left_out_at_any_depth() -> None:
    """Policy packs see no key that begins with two underscores."""
    values = {"__a": 1.0, "b": {"__c": 2.0, "d": [{"__e": 3.0, "f": 4.0}]}}
    assert decode(encode(values, keep_secrets=True, skip_internal=True)) == {
        "b": {"d": [{"f": 4.0}]}
    }


def test_differences_are_paths() -> None:
    """Paths lead to the innermost difference; a secret is one place."""
    old = {"a": 1, "b": [1, {"c": 2}], "s": Secret({"x": 1}), "__n": 1, "gone": 1}
    new = {"a": 1, "b": [1, {"c": 3}, 4], "s": Secret({"x": 2}), "__n": 2, "new": 1}
    assert difference(old, new) == ["b[1].c", "b[2]", "gone", "new", "s"]
    assert signs(old, new) == ["~b", "-gone", "+new", "~s"]


def test_true_is_not_one() -> None:
    """A boolean differs from the number that Python takes it for."""
    assert difference({"a": True}, {"a": 1}) == ["a"]


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("a", ["a"]),
        ("a.b[0].c", ["a", "b", 0, "c"]),
        ('a["b.c"].d', ["a", "b.c", "d"]),
        ('["a"]', ["a"]),
        ("a[*].b", ["a", "*", "b"]),
    ],
)
def test_paths_are_read(path: str, steps: list[str | int]) -> None:
    """Names, indices, quoted keys and stars."""
    assert parse(path) == steps


def test_a_broken_path_is_refused() -> None:
    """An unbalanced bracket is no path."""
    with pytest.raises(PathError):
        parse("a[0")


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["a"], {"a": 1, "d": {"x": 2, "y": 2}, "rows": [{"n": 2}], "new": 2}),
        (["d.x"], {"a": 2, "d": {"x": 1, "y": 2}, "rows": [{"n": 2}], "new": 2}),
        (["rows[0].n"], {"a": 2, "d": {"x": 2, "y": 2}, "rows": [{"n": 1}], "new": 2}),
        (["rows[*].n"], {"a": 2, "d": {"x": 2, "y": 2}, "rows": [{"n": 1}], "new": 2}),
        (["new"], {"a": 2, "d": {"x": 2, "y": 2}, "rows": [{"n": 2}]}),
        (["gone"], {"a": 2, "d": {"x": 2, "y": 2}, "rows": [{"n": 2}], "new": 2}),
        (["d.y"], {"a": 2, "d": {"x": 2}, "rows": [{"n": 2}], "new": 2}),
        (["*"], {"a": 1, "d": {"x": 1}, "rows": [{"n": 1}]}),
    ],
)
def test_ignored_properties_are_set_back(
    paths: list[str], expected: dict[str, Any]
) -> None:
    """Each ignored path takes its old value; what was not there goes."""
    old = {"a": 1, "d": {"x": 1}, "rows": [{"n": 1}]}
    new = {"a": 2, "d": {"x": 2, "y": 2}, "rows": [{"n": 2}], "new": 2}
    assert reset(new, old, paths) == expected
    assert new["a"] == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [("90s", 90.0), ("5m", 300.0), ("1h30m", 5400.0), ("1.5h", 5400.0), ("", 0.0)],
)
def test_durations(text: str, value: float) -> None:
    """Durations are given as in Go, and taken in seconds."""
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["5", "5 m", "m", "-1s", "1x"])
def test_bad_durations(text: str) -> None:
    """What is not a duration is refused."""
    with pytest.raises(RehearsalError):
        seconds(text)


def test_urns_carry_the_types_of_ancestors() -> None:
    """A child's URN names its ancestors' types, without the stack's."""
    root = urn_of("dev", "p", "", "pulumi:pulumi:Stack", "p-dev")
    box = urn_of("dev", "p", root, "x:y:Box", "box")
    assert box == "urn:pulumi:dev::p::x:y:Box::box"
    kid = urn_of("dev", "p", box, "x:y:Kid", "kid")
    assert kid == "urn:pulumi:dev::p::x:y:Box$x:y:Kid::kid"


def test_a_changed_ciphertext_is_noticed(tmp_path: Path) -> None:
    """A sealed value opens with its own key only, and only unchanged."""
    encryption = Encryption.at(tmp_path / "key")
    sealed = encryption.encrypt({"pw": "hush"})
    assert encryption.decrypt(sealed) == {"pw": "hush"}
    assert encryption.encrypt({"pw": "hush"}) != sealed
    assert Encryption.at(tmp_path / "key").decrypt(sealed) == {"pw": "hush"}
    for wrong in (sealed[:-4] + "AAA=", "v1:abc:def", ""):
        with pytest.raises(RehearsalError):
            encryption.decrypt(wrong)
    with pytest.raises(RehearsalError):
        Encryption.at(tmp_path / "other").decrypt(sealed)


def test_a_file_that_is_no_key_is_refused(tmp_path: Path) -> None:
    """A key file with something else in it is not overwritten."""
    path = tmp_path / "key"
    path.write_text("something else")
    with pytest.raises(RehearsalError, match="does not hold the key"):
        Encryption.at(path)
    assert path.read_text() == "something else"
