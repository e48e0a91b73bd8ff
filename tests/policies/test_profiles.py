"""Profiles: the shipped ones are sound, and unsound ones are refused with a place."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import corpus_cases as corpus
import pytest
from wire import PROFILES

from pulumi_jig.errors import ConfigError
from pulumi_jig.policy.declaration import Facts
from pulumi_jig.policy.findings import Kind
from pulumi_jig.policy.judge import judge_resource, judge_stack
from pulumi_jig.policy.profile import (
    STRICTEST,
    Profile,
    Profiles,
    gaps,
    load,
    notes,
    read_file,
    stack_of,
)
from pulumi_jig.policy.registry import POLICIES

if TYPE_CHECKING:
    from pathlib import Path

TODAY = dt.date(2026, 11, 22)
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
    assert list(gaps(profile, TODAY)) == []


@pytest.mark.parametrize("name", NAMES)
def test_shipped_profiles_say_something_about_every_policy(name: str) -> None:
    """An owner sees every policy with its level in the file."""
    given = json.loads((PROFILES / f"{name}.json").read_text())

    assert {spec.name for spec in POLICIES} == set(given)
    assert all("enforcementLevel" in given[spec.name] for spec in POLICIES)


@pytest.mark.parametrize("name", NAMES)
def test_where_no_profile_holds_nothing_is_looser(name: str) -> None:
    """Whatever any profile refuses, the strictest values refuse too."""
    profile = load(PROFILES / f"{name}.json")
    for case in (*corpus.load("resources"), *corpus.load("stacks")):
        for policy in POLICIES:
            said = []
            for one in (profile, STRICTEST):
                configured = one.policy(policy.name, today=TODAY)
                # What GPUs cost is no limit, and only a profile knows it.
                facts = Facts(TODAY, profile.facts(TODAY).gpu_types)
                if policy.judges == "quota" and "resources" in case:
                    found = judge_stack(configured, corpus.stack_of(case), facts)
                elif policy.judges != "quota" and "resources" not in case:
                    found = judge_resource(configured, corpus.resource_of(case), facts)
                else:
                    continue
                said.append(any(f.kind is Kind.VIOLATION for f in found))
            assert said in ([], [False, False], [False, True], [True, True]), (
                case["id"],
                policy.name,
            )


def test_levels_grow_from_dev_to_prod() -> None:
    """What is mandatory in dev is mandatory in staging and prod."""
    levels = [
        {
            s.name
            for s in POLICIES
            if load(PROFILES / f"{n}.json").level(s.name) == "mandatory"
        }
        for n in NAMES
    ]

    assert levels[0] <= levels[1] <= levels[2]
    assert {spec.name for spec in POLICIES} == levels[2]


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
            "jig-gpu-count.max_per_replica is there twice",
        ),
        (
            '{"jig-image": "advisory", "jig-image": "mandatory"}',
            "jig-image is there twice",
        ),
        (
            '{"jig-image": "remediate"}',
            "jig-image cannot remediate: no policy here changes a resource; use mandatory",
        ),
        (
            '{"all": "remediate"}',
            "all cannot remediate: no policy here changes a resource; use mandatory",
        ),
        (
            '{"jig-image": {"enforcementLevel": null}}',
            "jig-image must have a level of advisory, mandatory, remediate, disabled",
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


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty; write the limits into it."),
        (b" \n", "is empty; write the limits into it."),
        (b"\xff\xfe{}", "is not UTF-8 text."),
        (b'{"all": "mandatory", "x": "' + b"x" * (10 << 20) + b'"}', "is larger than"),
        (b"[" * 2000 + b"]" * 2000, "is nested too deep"),
        (b'{"x": ' + b"9" * 5000 + b"}", "holds a number that no computer reads"),
        (b"[" * 200_000 + b"]" * 200_000, "is nested too deep"),
        (b'{"jig-image": [[]]}', "a level or a mapping"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    """Empty, in another encoding, too large, too deep: refused with the file's name."""
    path = tmp_path / "dev.json"
    path.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        load(path)

    assert expected in caught.value.message
    assert str(path) in caught.value.message


def test_a_type_without_a_price_is_a_gap(tmp_path: Path) -> None:
    """Whoever allows a type and forgets its price learns it from the check."""
    given: dict[str, Any] = json.loads((PROFILES / "dev.json").read_text())
    del given["jig-gpu-types"]["types"]["h100-80gb"]["usd_per_hour"]
    profile, faults = read_file(written(tmp_path, json.dumps(given)))

    assert faults == []
    assert list(gaps(profile, TODAY)) == [
        "jig-gpu-types: types lacks a price (usd_per_hour) for h100-80gb, which allow "
        "names and jig-stack-cost counts"
    ]


def test_no_gap_without_a_limit(tmp_path: Path) -> None:
    """Without a cost limit no price is needed."""
    given: dict[str, Any] = json.loads((PROFILES / "dev.json").read_text())
    for numbers in given["jig-gpu-types"]["types"].values():
        del numbers["usd_per_hour"]
    for key in ("peak", "floor", "deployment"):
        given["jig-stack-cost"][f"max_{key}_usd_per_hour"] = None
    profile, _ = read_file(written(tmp_path, json.dumps(given)))

    assert list(gaps(profile, TODAY)) == []


def test_a_faulty_profile_stops_only_its_own_stacks(tmp_path: Path) -> None:
    """Another environment's profile is read as if the faulty one were not there."""
    written(tmp_path, '{"jig-nope": "mandatory"}')
    written(tmp_path, '{"jig-image": "advisory"}', "prod")
    profiles = Profiles(tmp_path)

    assert profiles.of("prod").level("jig-image") == "advisory"
    with pytest.raises(ConfigError, match="jig-nope is not a policy"):
        profiles.of("dev")


def test_a_profile_that_disables_everything_is_refused(tmp_path: Path) -> None:
    """A pack in which nothing judges holds nothing."""
    _, faults = read_file(written(tmp_path, '{"all": "disabled"}'))

    assert faults == ["every policy is disabled, so nothing would be held"]


def test_all_is_told_what_it_makes_mandatory() -> None:
    """Advisory policies do not become mandatory by `all` without a word."""
    (note,) = notes(Profile("x", "mandatory", {"jig-metadata": "advisory"}), [])

    assert "jig-capacity-type" in note
    assert "jig-metadata" not in note


def test_a_limit_that_another_keeps_out_of_reach_is_named() -> None:
    """Who raises the one and leaves the other at its default learns it from the check."""
    (note,) = notes(Profile("x", keys={"jig-gpu-count": {"max_per_replica": 4}}), [])

    assert "max_per_replica is 4, but allowed_counts has no count above 2" in note


def test_an_environment_that_no_stack_has_is_named() -> None:
    """A misspelt environment gets the defaults, and its owner a note."""
    profile = Profile("x", keys={"jig-image": {"environment": "prdo"}})
    (note,) = notes(profile, ["dev", "prod"])

    assert 'no profile for the environment prdo (did you mean "prod"?)' in note


def test_what_is_left_out_says_where_it_is_from() -> None:
    """Every setting that holds is listed, with its source."""
    profiles = Profiles(PROFILES)
    own = Profile("team", keys={"jig-gpu-count": {"max_per_replica": 1}})
    rows = own.over(profiles.of("dev")).effective(TODAY)
    sources = {row.key: row.source for row in rows if row.policy == "jig-gpu-count"}

    assert sources["max_per_replica"] == "team"
    assert sources["max_per_deployment"] == "dev"
    assert sources["exempt"] == "default"
    assert len(rows) == sum(len(policy.settings) for policy in POLICIES)


def test_an_unknown_environment_gets_the_strictest() -> None:
    """A stack name without a profile gets the default of every key."""
    profiles = Profiles(PROFILES)

    assert profiles.of("qa") is STRICTEST
    for spec in POLICIES:
        held = STRICTEST.policy(spec.name, today=TODAY)
        for key in spec.settings:
            assert getattr(held, key) == getattr(spec(), key)
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
