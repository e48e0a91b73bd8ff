"""Configuration: typed, strict, with the place to mend in every refusal."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from pulumi_jig.errors import ConfigError
from pulumi_jig.policy.catalogue import CATALOGUE, find
from pulumi_jig.policy.schema import json_schema
from pulumi_jig.policy.settings import (
    Exemption,
    Settings,
    faults_in,
    read_settings,
)


def faults(policy: str, given: dict[str, Any]) -> list[str]:
    """Sentences about a configuration."""
    return [text for _, text in faults_in(find(policy).settings, given)]


@pytest.mark.parametrize(
    ("policy", "given", "expected"),
    [
        (
            "gpu-count",
            {"max_per_replcia": 4},
            'max_per_replcia is not a key of this policy (did you mean "max_per_replica"?)',
        ),
        ("gpu-count", {"max_per_replica": "4"}, "max_per_replica must be a number"),
        ("gpu-count", {"max_per_replica": True}, "max_per_replica must be a number"),
        (
            "gpu-count",
            {"max_per_replica": 4.5},
            "max_per_replica must be a whole number",
        ),
        ("gpu-count", {"max_per_replica": -1}, "max_per_replica must not be negative"),
        ("gpu-count", {"allowed_counts": 4}, "allowed_counts must be a list"),
        (
            "gpu-count",
            {"allowed_counts": [1, "x"]},
            "allowed_counts at [1] must be a number",
        ),
        (
            "gpu-count",
            {"zero_gpus": "maybe"},
            "zero_gpus must be one of allow, warn, deny",
        ),
        ("gpu-count", {"unknown": None}, "unknown must not be null"),
        (
            "gpu-count",
            {"per_type": {"h100-80gb": {"max": 1}}},
            'per_type at "h100-80gb" has an unknown key "max"',
        ),
        ("stack-cost", {"prices": {"a": "6"}}, 'prices at "a" must be a number'),
        ("stack-cost", {"prices": {"a": 1, "A": 2}}, 'prices names "a" twice'),
        ("stack-cost", {"prices": [6]}, "prices must be a mapping"),
        (
            "stack-cost",
            {"prices_as_of": "June"},
            "prices_as_of must be a date, written YYYY-MM-DD",
        ),
        (
            "protect",
            {"require_protect": "yes"},
            "require_protect must be true or false",
        ),
        ("image", {"registries": "ghcr.io"}, "registries must be a list"),
        ("image", {"registries": [""]}, "registries at [0] must be text"),
        (
            "image",
            {"exempt": [{"name": "a", "reason": "b"}]},
            "exempt at [0] lacks expires; an exemption needs name, reason, expires",
        ),
        (
            "image",
            {"exempt": [{"name": "a", "reason": "b", "expires": "soon"}]},
            "exempt at [0] at expires must be a date, written YYYY-MM-DD",
        ),
        (
            "image",
            {"exempt": [{"name": "a", "reson": "b", "expires": "2026-01-01"}]},
            'exempt at [0] has an unknown key "reson" (did you mean "reason"?)',
        ),
        ("image", {"exempt": ["llm"]}, "exempt at [0] must be a mapping"),
        (
            "replicas",
            {"targets": {"X": {"min": 2, "max": 1}}},
            "targets at [0] has min above max",
        ),
        ("replicas", {"targets": []}, "targets must be a mapping"),
    ],
)
def test_a_fault_names_the_key_and_the_remedy(
    policy: str, given: dict[str, Any], expected: str
) -> None:
    """Each unusable key gives one sentence that begins with the key."""
    assert [expected] == faults(policy, given)


def test_a_bad_pattern_is_refused() -> None:
    """A regular expression that is none is found when the profile is read."""
    (fault,) = faults("no-plaintext-secrets", {"name_patterns": ["("]})

    assert fault.startswith("name_patterns at [0] is not a regular expression")


def test_all_faults_come_at_once() -> None:
    """One reading of a profile finds everything that is wrong with a policy."""
    with pytest.raises(ConfigError) as caught:
        read_settings(
            find("gpu-count").settings,
            {"max_per_replica": "x", "foo": 1},
            where="jig-gpu-count",
        )

    assert caught.value.message == (
        "jig-gpu-count is configured wrongly: max_per_replica must be a number; foo is "
        "not a key of this policy."
    )


def test_floats_from_the_engine_are_counts() -> None:
    """All numbers of a configuration arrive as floats; 4.0 is 4."""
    settings: Any = read_settings(
        find("gpu-count").settings,
        {"max_per_replica": 4.0, "allowed_counts": [1.0, 2.0]},
        where="x",
    )

    assert (settings.max_per_replica, settings.allowed_counts) == (4, (1, 2))
    assert isinstance(settings.max_per_replica, int)


def test_types_are_compared_without_case() -> None:
    """GPU types of a configuration are folded as those of resources are."""
    settings: Any = read_settings(
        find("stack-gpus").settings, {"max_gpus": {" H100-80GB ": 4}}, where="x"
    )

    assert list(settings.max_gpus) == ["h100-80gb"]


@pytest.mark.parametrize("spec", CATALOGUE, ids=lambda spec: spec.name)
def test_every_key_has_a_schema_and_a_sentence(spec: Any) -> None:
    """The engine's own check knows each key, and each is explained."""
    schema = json_schema(spec.settings)

    for name, declared in spec.settings.keys.items():
        assert declared.text.endswith("."), name
        assert schema[name]["description"] == declared.text
        assert "type" in schema[name]
    assert not any("default" in one for one in schema.values())
    assert "enforcementLevel" not in schema


def test_an_exemption_holds_through_its_last_day() -> None:
    """It holds on `expires` and has ended on the day after."""
    exemption = Exemption("llm-*", "why", dt.date(2026, 12, 31))

    assert exemption.holds(dt.date(2026, 12, 31))
    assert not exemption.holds(dt.date(2027, 1, 1))


def test_of_several_exemptions_the_longest_counts() -> None:
    """An old exemption does not shorten a new one."""
    settings = Settings(
        exempt=(
            Exemption("llm", "old", dt.date(2026, 1, 1)),
            Exemption("l*", "new", dt.date(2027, 1, 1)),
        )
    )
    found = settings.exemption("llm")

    assert found is not None
    assert found.reason == "new"


def test_a_policy_is_found_with_or_without_prefix() -> None:
    """`gpu-count` and `jig-gpu-count` are one policy; a typo names the nearest."""
    assert find("gpu-count") is find("jig-gpu-count")
    with pytest.raises(ConfigError, match='did you mean "jig-gpu-count"'):
        find("gpu-cuont")


def test_settings_cannot_be_changed_nor_misspelt() -> None:
    """Rules of several threads read them, and code may misspell a key too."""
    settings = find("gpu-count").settings(max_per_replica=4)

    with pytest.raises(AttributeError, match="cannot be changed"):
        settings.max_per_replica = 8
    with pytest.raises(TypeError, match="has no max_per_replcia"):
        find("gpu-count").settings(max_per_replcia=4)
