"""Configuration: typed, strict, with the place to mend in every refusal."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from pulumi_jig.errors import ConfigError
from pulumi_jig.policy.declaration import Exemption
from pulumi_jig.policy.registry import POLICIES, find

TODAY = dt.date(2026, 11, 22)


def faults(policy: str, given: dict[str, Any]) -> list[str]:
    """Sentences about a configuration."""
    return [text for _, text in find(policy).faults_in(given, TODAY)]


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
        (
            "gpu-types",
            {"types": {"a": {"usd_per_hour": "6"}}},
            'types at "a" at usd_per_hour must be a number',
        ),
        (
            "gpu-types",
            {"types": {"a": {"usd_per_hour": 0}}},
            'types at "a" at usd_per_hour must be above 0',
        ),
        (
            "gpu-types",
            {"types": {"a": {"weight": 0}}},
            'types at "a" at weight must be above 0',
        ),
        ("gpu-types", {"types": {"a": {}, "A": {}}}, 'types names "a" twice'),
        ("gpu-types", {"types": [6]}, "types must be a mapping"),
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
            "exempt at [0] lacks owner; all of name, reason, owner, expires are needed",
        ),
        (
            "image",
            {"exempt": [{"name": "a", "reason": "b", "owner": "c", "expires": "soon"}]},
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
            'targets at "X" has min above max',
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
        find("gpu-count").read({"max_per_replica": "x", "foo": 1})

    assert caught.value.message == (
        "jig-gpu-count is configured wrongly: max_per_replica must be a number; foo is "
        "not a key of this policy."
    )


def test_floats_from_the_engine_are_counts() -> None:
    """All numbers of a configuration arrive as floats; 4.0 is 4."""
    settings: Any = find("gpu-count").read(
        {"max_per_replica": 4.0, "allowed_counts": [1.0, 2.0]}
    )

    assert (settings.max_per_replica, settings.allowed_counts) == (4, (1, 2))
    assert isinstance(settings.max_per_replica, int)


def test_types_are_compared_without_case() -> None:
    """GPU types of a configuration are folded as those of resources are."""
    settings: Any = find("stack-gpus").read({"max_gpus": {" H100-80GB ": 4}})

    assert list(settings.max_gpus) == ["h100-80gb"]


@pytest.mark.parametrize("spec", POLICIES, ids=lambda spec: spec.name)
def test_every_key_has_a_schema_and_a_sentence(spec: Any) -> None:
    """The engine's own check knows each key, and each is explained."""
    for name, declared in spec.settings.items():
        assert declared.text.endswith("."), name
        assert declared.says
        assert declared.schema["description"] == declared.text
        assert "type" in declared.schema
        assert "default" not in declared.schema
    assert "enforcementLevel" not in spec.settings


def test_an_exemption_holds_through_its_last_day() -> None:
    """It holds on `expires` and has ended on the day after."""
    exemption = Exemption("llm-*", "why", "us", dt.date(2026, 12, 31))

    assert exemption.holds(dt.date(2026, 12, 31))
    assert not exemption.holds(dt.date(2027, 1, 1))


def test_of_several_exemptions_the_longest_counts() -> None:
    """An old exemption does not shorten a new one."""
    settings = find("gpu-count")(
        exempt=(
            Exemption("llm", "old", "us", dt.date(2026, 1, 1)),
            Exemption("l*", "new", "us", dt.date(2027, 1, 1)),
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
    settings = find("gpu-count")(max_per_replica=4)

    with pytest.raises(AttributeError, match="cannot be changed"):
        settings.max_per_replica = 8
    with pytest.raises(TypeError, match="has no max_per_replcia"):
        find("gpu-count")(max_per_replcia=4)


EXEMPT = {"name": "llm", "reason": "load test", "owner": "ml", "expires": "2027-06-30"}


@pytest.mark.parametrize(
    ("policy", "given", "expected"),
    [
        ("image", {"exempt": [{**EXEMPT, "name": "*"}]}, "which matches every name"),
        ("image", {"exempt": [{**EXEMPT, "name": "?*"}]}, "which matches every name"),
        ("image", {"exempt": [{**EXEMPT, "name": "[!_]*"}]}, "matches every name"),
        ("image", {"exempt": [{**EXEMPT, "owner": ""}]}, "at owner must be text"),
        (
            "image",
            {"exempt": [{**EXEMPT, "expires": "9999-12-31"}]},
            "must end within 366 days; it expires on 9999-12-31",
        ),
        ("image", {"exempt": [{**EXEMPT, "expires": "20270101"}]}, "YYYY-MM-DD"),
        ("image", {"exempt": [{**EXEMPT, "expires": "2027-W01-1"}]}, "YYYY-MM-DD"),
        ("image", {"registries": ["https://ghcr.io"]}, "host without scheme"),
        ("image", {"registries": ["ghcr.io/team"]}, "host without scheme and path"),
        ("image", {"repositories": ["https://ghcr.io/team"]}, "without scheme"),
        ("no-bypass", {"base_urls": ["*"]}, "without wildcards"),
        ("no-bypass", {"base_urls": ["https://*"]}, "without wildcards"),
        ("no-bypass", {"base_urls": ["api.together.ai"]}, "with scheme and host"),
        ("no-plaintext-secrets", {"value_patterns": ["(a+)+$"]}, "take for ever"),
        ("no-plaintext-secrets", {"value_patterns": ["(a|aa)+$"]}, "take for ever"),
        ("no-plaintext-secrets", {"value_patterns": ["(.*)*x"]}, "take for ever"),
        (
            "no-plaintext-secrets",
            {"value_patterns": ["^(\\w+\\s?)*$"]},
            "take for ever",
        ),
        ("no-plaintext-secrets", {"name_patterns": [".*a.*b.*c"]}, "take for ever"),
        ("no-plaintext-secrets", {"name_patterns": ["(x)\\1+"]}, "take for ever"),
        ("metadata", {"name_pattern": "(([a-z])+.)+[A-Z]([a-z])+$"}, "take for ever"),
        ("metadata", {"name_pattern": "\\w*\\w*\\w*\\w*x"}, "take for ever"),
        ("metadata", {"name_pattern": "(?:a?){50}a{50}"}, "take for ever"),
        ("image", {"registries": ["ghcr..io"]}, "host without scheme"),
        ("image", {"repositories": ["ghcr.io/../team"]}, "without scheme"),
        ("gpu-types", {"allow": ["*"]}, "without wildcards"),
        ("gpu-types", {"types": {"h100*": {"weight": 1}}}, "without wildcards"),
        ("no-bypass", {"base_urls": ["https://h?x=1"]}, "with scheme and host"),
        ("no-bypass", {"base_urls": ["https://h:99999"]}, "with scheme and host"),
        ("no-bypass", {"allow_types": ["*"]}, "matches every name"),
        ("no-plaintext-secrets", {"allow_names": ["*"]}, "matches every name"),
        ("metadata", {"owner_pattern": "team-[a-z]+"}, "needs owner_variable"),
        ("stack-cost", {"prices_as_of": "2027-01-01"}, "must not be in the future"),
        ("stack-cost", {"prices_as_of": "20260101"}, "written YYYY-MM-DD"),
        ("gpu-types", {"allow": ["a"], "deny": ["A"]}, "refuses every type"),
        (
            "termination-grace",
            {"min_seconds": 9, "max_seconds": 8},
            "above max_seconds",
        ),
        ("stack-gpus", {"groups": {"*": {"max_total_gpus": 1}}}, "every name"),
        (
            "stack-gpus",
            {"groups": {"a*": {"max_totl_gpus": 1}}},
            'mean "max_total_gpus"',
        ),
    ],
)
def test_nonsense_is_refused(policy: str, given: dict[str, Any], expected: str) -> None:
    """What would hold nothing, or for ever, is one sentence that names the key."""
    (fault,) = faults(policy, given)

    assert any(fault.startswith(key) for key in given)
    assert expected in fault


@pytest.mark.parametrize(
    "pattern",
    [
        "ACME-\\d{4}",
        "^LICEN[CS]E$",
        "[a-z]+-dev-[0-9]{4}",
        ".{10,}",
        "team-[a-z]+",
        "(?:dev|prod)-.*",
        "(ab){3}c+",
        "a.*b.*c",
        ".*owner:\\s*\\S+.*",
        "\\w+-\\w+-\\w+-\\w+-\\d+",
    ],
)
def test_an_ordinary_pattern_is_taken(pattern: str) -> None:
    """Patterns that cannot run away are compiled."""
    assert faults("no-plaintext-secrets", {"name_patterns": [pattern]}) == []
