"""How a policy pack's configuration is put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pulumi_jig.rehearsal.errors import RehearsalError
from pulumi_jig.rehearsal.policy_config import (
    PolicyConfig,
    PolicyInfo,
    parse,
    read,
    reconcile,
)

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA: dict[str, Any] = {
    "most": {"type": "number", "minimum": 1, "default": 3},
    "names": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    "limits": {"type": "object", "additionalProperties": {"type": "integer"}},
}
POLICY = PolicyInfo("p", "mandatory", SCHEMA, ())


def given(data: dict[str, Any], initial: dict[str, Any] | None = None) -> PolicyConfig:
    return reconcile([POLICY], parse(initial or {}), parse(data))["p"]


def test_defaults_come_from_the_schema() -> None:
    """Without any configuration a policy gets its own level and defaults."""
    assert given({}) == PolicyConfig("mandatory", {"most": 3})


def test_sources_go_over_one_another() -> None:
    """Schema, initial configuration, `all`, and the policy's own entry, in order."""
    initial = {"p": {"most": 4, "names": ["a"]}}
    data = {"all": "disabled", "p": {"most": 5}}
    assert given(data, initial) == PolicyConfig("disabled", {"most": 5, "names": ["a"]})
    assert given({"all": "disabled", "p": "advisory"}).level == "advisory"


def test_a_given_map_replaces_the_default_whole() -> None:
    """The merge is shallow."""
    initial = {"p": {"limits": {"a": 1, "b": 2}}}
    assert given({"p": {"limits": {"a": 9}}}, initial).properties["limits"] == {"a": 9}


@pytest.mark.parametrize(
    ("properties", "problem"),
    [
        ({"most": 0}, "p: most: Must be greater than or equal to 1"),
        ({"most": "x"}, "p: most: Invalid type. Expected: number, given: string"),
        ({"most": True}, "p: most: Invalid type. Expected: number, given: boolean"),
        ({"names": [1]}, "p: names.0: Invalid type. Expected: string, given: integer"),
        ({"names": []}, "p: names: Array must have at least 1 items"),
        ({"limits": {"a": 1.5}}, "p: limits.a: Invalid type. Expected: integer"),
    ],
)
def test_what_does_not_fit_the_schema(properties: dict[str, Any], problem: str) -> None:
    """Each fault is named with its policy and path."""
    with pytest.raises(RehearsalError) as caught:
        given({"p": properties})
    assert problem in str(caught.value)


def test_all_faults_are_named_at_once() -> None:
    """Two faults give two lines."""
    with pytest.raises(RehearsalError) as caught:
        given({"p": {"most": 0, "names": []}})
    assert len(str(caught.value).splitlines()) == 2


def test_required_properties() -> None:
    """What a schema requires must be there."""
    policy = PolicyInfo("p", "advisory", SCHEMA, ("names",))
    with pytest.raises(RehearsalError, match="p: names is required"):
        reconcile([policy], {}, {})


def test_an_unknown_policy_with_properties_is_refused() -> None:
    """A mistyped name with properties has no level; one with a level is ignored."""
    with pytest.raises(RehearsalError, match='q: invalid enforcement level ""'):
        given({"q": {"most": 1}})
    assert given({"q": "mandatory"}).level == "mandatory"


@pytest.mark.parametrize(
    "data", [{"p": "strict"}, {"p": 1}, {"p": {"enforcementLevel": 2}}]
)
def test_entries_that_are_no_configuration(data: dict[str, Any]) -> None:
    """A level must be one of four words, an entry a level or an object."""
    with pytest.raises(RehearsalError, match="parsing"):
        given(data)


def test_files(tmp_path: Path) -> None:
    """An empty file is none; `environments` is somebody else's; broken ones are named."""
    path = tmp_path / "policies.json"
    path.write_text(" \n")
    assert read(path) == {}
    path.write_text('{"environments": ["a"], "p": "advisory"}')
    assert read(path) == {"p": PolicyConfig("advisory")}
    path.write_text("{")
    with pytest.raises(RehearsalError, match=r"policies\.json cannot be read"):
        read(path)
    with pytest.raises(RehearsalError, match="cannot be read"):
        read(tmp_path / "none.json")
