"""Profiles: the shipped ones are sound, and unsound ones are refused with a place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import corpus_cases as corpus
import pytest
from wire import PROFILES

from pulumi_jig.errors import ConfigError
from pulumi_jig.policy.catalogue import CATALOGUE
from pulumi_jig.policy.findings import Kind
from pulumi_jig.policy.judge import judge_resource, judge_stack
from pulumi_jig.policy.profiles import (
    STRICTEST,
    Profiles,
    gaps,
    load,
    read_file,
    stack_of,
)

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("dev", "staging", "prod")


def written(folder: Path, text: str, name: str = "dev") -> Path:
    """A profile with this text."""
    path = folder / f"{name}.json"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_shipped_profiles_have_no_fault(name: str) -> None:
    """Each shipped profile is read without a fault or a gap."""
    profile, faults = read_file(PROFILES / f"{name}.json")

    assert faults == []
    assert list(gaps(profile)) == []


@pytest.mark.parametrize("name", NAMES)
def test_shipped_profiles_say_something_about_every_policy(name: str) -> None:
    """An owner sees every policy with its level in the file."""
    given = json.loads((PROFILES / f"{name}.json").read_text())

    assert {spec.name for spec in CATALOGUE} == set(given) - {"all"}
    assert all("enforcementLevel" in given[spec.name] for spec in CATALOGUE)


@pytest.mark.parametrize("name", NAMES)
def test_budgets_have_the_limits_of_the_stack(name: str) -> None:
    """
    What the stack may use and what a budget may use is one limit, written twice.

    Where cost is only advised about, a budget, which stops a run, has no cost limit.
    """
    profile = load(PROFILES / f"{name}.json")
    keys = profile.keys
    budget = dict(keys["jig-gpu-budget"])
    for policy in ("jig-stack-gpus", "jig-stack-memory", "jig-stack-cost"):
        advised = profile.level(policy) == "advisory"
        for key, value in keys[policy].items():
            if advised and key.endswith("_usd_per_hour"):
                value = None  # noqa: PLW2901 - what the budget has instead
            assert value == budget[key], (policy, key)


@pytest.mark.parametrize("name", NAMES)
def test_where_no_profile_holds_nothing_is_looser(name: str) -> None:
    """Whatever any profile refuses, the strictest values refuse too."""
    profile = load(PROFILES / f"{name}.json")
    today = corpus.dt.date.fromisoformat(corpus.TODAY)
    for case in (*corpus.load("resources"), *corpus.load("stacks")):
        for spec in CATALOGUE:
            said = []
            for one in (profile, STRICTEST):
                settings = one.settings(spec)
                if spec.is_stack and "resources" in case:
                    resources = [corpus.resource_of(r) for r in case["resources"]]
                    found = judge_stack(spec, resources, settings, today)
                elif not spec.is_stack and "resources" not in case:
                    resource = corpus.resource_of(case)
                    found = judge_resource(spec, resource, settings, today)
                else:
                    continue
                said.append(any(f.kind is Kind.VIOLATION for f in found))
            assert said in ([], [False, False], [False, True], [True, True]), (
                case["id"],
                spec.name,
            )


def test_levels_grow_from_dev_to_prod() -> None:
    """What is mandatory in dev is mandatory in staging and prod."""
    levels = [
        {
            s.name
            for s in CATALOGUE
            if load(PROFILES / f"{n}.json").level(s.name) == "mandatory"
        }
        for n in NAMES
    ]

    assert levels[0] <= levels[1] <= levels[2]
    assert {spec.name for spec in CATALOGUE} == levels[2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '{"jig-gpu-cuont": "mandatory"}',
            'jig-gpu-cuont is not a policy (did you mean "jig-gpu-count"?)',
        ),
        (
            '{"gpu-count": "mandatory"}',
            'gpu-count is not a policy (did you mean "jig-gpu-count"?)',
        ),
        (
            '{"jig-gpu-count": "manditory"}',
            "jig-gpu-count must have a level of advisory, mandatory, remediate, disabled",
        ),
        ('{"jig-gpu-count": 4}', "jig-gpu-count must be a level or a mapping"),
        (
            '{"all": {"x": 1}}',
            "all must be one of advisory, mandatory, remediate, disabled",
        ),
        (
            '{"all": "always"}',
            "all must be one of advisory, mandatory, remediate, disabled",
        ),
        (
            '{"environments": []}',
            "environments is reserved by Pulumi and is not a policy",
        ),
        (
            '{"jig-gpu-count": {"max": 4}}',
            "jig-gpu-count: max is not a key of this policy",
        ),
        (
            '{"jig-gpu-count": {"max_per_replica": 4, "max_per_replica": 8}}',
            "jig-gpu-count.max_per_replica stands there twice",
        ),
        (
            '{"jig-image": "advisory", "jig-image": "mandatory"}',
            "jig-image stands there twice",
        ),
        (
            '{"jig-image": "remediate"}',
            "jig-image cannot remediate: no policy here changes a resource; use mandatory",
        ),
    ],
)
def test_a_fault_says_where_it_is(tmp_path: Path, text: str, expected: str) -> None:
    """Typos, wrong types, duplicates: one sentence each, with policy and key."""
    _, faults = read_file(written(tmp_path, text))

    assert [expected] == faults


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "{",
            "is not JSON: Expecting property name enclosed in double quotes at line 1, column 2.",
        ),
        ("[]", "must hold a mapping of policies."),
    ],
)
def test_what_is_no_profile_is_refused(
    tmp_path: Path, text: str, expected: str
) -> None:
    """A file that is not a mapping of policies is refused with the line."""
    with pytest.raises(ConfigError) as caught:
        read_file(written(tmp_path, text))

    assert caught.value.message.endswith(expected)


def test_a_missing_profile_is_named(tmp_path: Path) -> None:
    """A path without a file is one sentence."""
    with pytest.raises(ConfigError, match=r"cannot be read: No such file"):
        read_file(tmp_path / "x.json")


def test_an_empty_file_is_an_empty_profile(tmp_path: Path) -> None:
    """As the engine takes it."""
    assert (
        read_file(written(tmp_path, " "))[1],
        read_file(written(tmp_path, ""))[0].keys,
    ) == ([], {})


def test_a_price_table_without_an_allowed_type_is_a_gap(tmp_path: Path) -> None:
    """Whoever allows a type and forgets its price learns it from the check."""
    given: dict[str, Any] = json.loads((PROFILES / "dev.json").read_text())
    del given["jig-stack-cost"]["prices"]["h100-80gb"]
    profile, faults = read_file(written(tmp_path, json.dumps(given)))

    assert faults == []
    assert list(gaps(profile)) == [
        "jig-stack-cost: prices lacks a price for h100-80gb, which jig-gpu-types allows"
    ]


def test_no_gap_without_a_limit(tmp_path: Path) -> None:
    """Without a cost limit no price is needed."""
    given: dict[str, Any] = json.loads((PROFILES / "dev.json").read_text())
    for policy in ("jig-stack-cost", "jig-gpu-budget"):
        given[policy]["prices"] = {}
        for key in ("peak", "floor", "deployment"):
            given[policy][f"max_{key}_usd_per_hour"] = None
    profile, _ = read_file(written(tmp_path, json.dumps(given)))

    assert list(gaps(profile)) == []


def test_a_folder_with_a_faulty_profile_is_refused(tmp_path: Path) -> None:
    """One faulty file stops the pack: nobody knows which stack would need it."""
    written(tmp_path, '{"jig-nope": "mandatory"}')

    with pytest.raises(ConfigError, match="jig-nope is not a policy"):
        Profiles(tmp_path)


def test_an_unknown_environment_gets_the_strictest() -> None:
    """A stack name without a profile gets the default of every key."""
    profiles = Profiles(PROFILES)

    assert profiles.of("qa") is STRICTEST
    for spec in CATALOGUE:
        assert vars(spec.settings()) == vars(STRICTEST.settings(spec))
        assert STRICTEST.level(spec.name) == "mandatory"


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    """A pack that was told a folder does not go on without it."""
    with pytest.raises(ConfigError, match="no folder of profiles"):
        Profiles(tmp_path / "nope")


@pytest.mark.parametrize(
    ("urn", "expected"),
    [
        ("urn:pulumi:prod::shop::a:b:C::x", "prod"),
        ("urn:pulumi:dev::p::t$u::n::m", "dev"),
        ("", ""),
        ("x::y", ""),
    ],
)
def test_the_stack_stands_in_the_urn(urn: str, expected: str) -> None:
    """The environment is read from the URN, which is there in every kind of run."""
    assert expected == stack_of(urn)
