"""The inputs of a volume: what is taken, what is refused, and what differs."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_jig.lifecycle import memory
from pulumi_jig.lifecycle.deployment.kind import DEPLOYMENT
from pulumi_jig.lifecycle.volume.check import check
from pulumi_jig.lifecycle.volume.diff import diff
from pulumi_jig.lifecycle.volume.inputs import normal_content, same_content
from pulumi_jig.lifecycle.volume.kind import VOLUME
from pulumi_jig.lifecycle.volume.state import inputs_in, inputs_of, state_of
from pulumi_jig.lifecycle.volume.versions import (
    copied,
    newest_of,
    newest_ready,
    users_of,
    versions_of,
)
from pulumi_jig.schema.responses import VolumeResponseItem
from pulumi_jig.values import UNKNOWN

URN = "urn:pulumi:prod::shop::pulumi-python:dynamic/jig:Volume::weights"
ROLE = "arn:aws:iam::123456789012:role/read-models"
S3 = {"s3": {"uri": "s3://models/llm", "role_arn": ROLE}}
FILES = {"name": "weights", "content": {"source_prefix": "models/llm/1"}}
COPY = {"name": "weights", "content": {"origin": S3}}


@pytest.fixture(autouse=True)
def _fresh_process() -> None:
    """Names are claimed anew in every test."""
    memory.forget()


def faults(program: dict[str, Any], **more: Any) -> dict[str, str]:
    """What a check complains about."""
    return dict(check({}, program, urn=URN, **more).faults)


# --- Checking ------------------------------------------------------------------


@pytest.mark.parametrize("program", [FILES, COPY])
def test_what_the_api_takes_is_taken(program: dict[str, Any]) -> None:
    """Files or a copy, with the bookkeeping beside them."""
    checked = check({}, program, urn=URN)
    assert checked.faults == ()
    kept = {k: v for k, v in checked.inputs.items() if not k.startswith("__")}
    assert program == kept
    assert checked.inputs["__declared"] == ["content", "name"]


@pytest.mark.parametrize(
    "content",
    [
        {"source_prefix": "models/llm/1", "origin": S3},
        {"source_prefix": UNKNOWN, "origin": UNKNOWN},
        {"type": "files"},
        {},
    ],
)
def test_one_source_and_no_other(content: dict[str, Any]) -> None:
    """Both sources, or none, are one fault, which shows both forms."""
    found = faults({"name": "weights", "content": content})
    assert list(found) == ["content"]
    assert found["content"].startswith("needs exactly one source")
    assert "source_prefix" in found["content"]
    assert "s3://" in found["content"]


@pytest.mark.parametrize(
    ("program", "path", "sentence"),
    [
        ({"name": "w"}, "content", "is required"),
        ({"name": "w", "content": "models/"}, "content", "must be a mapping"),
        (
            {"name": "w", "content": {"source_prefix": ""}},
            "content.source_prefix",
            "must be the prefix",
        ),
        (
            {"name": "w", "content": {"source_prefix": 3}},
            "content.source_prefix",
            "must be the prefix",
        ),
        (
            {"name": "w", "content": {"source_prefix": "m", "type": 3}},
            "content.type",
            "must be a word of the API",
        ),
        (
            {"name": "w", "content": {"source": "m", "source_prefix": "m"}},
            "content.source",
            "Did you mean",
        ),
        (
            {"name": "w", "content": {"a b": "m", "source_prefix": "m"}},
            'content["a b"]',
            "is not a key here",
        ),
        ({"name": "w", "content": {"origin": "s3://m"}}, "content.origin", "must be"),
        ({"name": "w", "content": {"origin": {}}}, "content.origin", "must be"),
        (
            {"name": "w", "content": {"origin": {**S3, "gcs": {}}}},
            "content.origin.gcs",
            "is not a key here",
        ),
        (
            {"name": "w", "content": {"origin": {"s3": "s3://m"}}},
            "content.origin.s3",
            "must be",
        ),
        (
            {"name": "w", "content": {"origin": {"s3": {**S3["s3"], "region": "x"}}}},
            "content.origin.s3.region",
            "is not a key here",
        ),
        (
            {"name": "w", "content": {"origin": {"s3": {"role_arn": ROLE}}}},
            "content.origin.s3.uri",
            "s3://bucket",
        ),
        (
            {
                "name": "w",
                "content": {"origin": {"s3": {**S3["s3"], "uri": "s3:///a"}}},
            },
            "content.origin.s3.uri",
            "s3://bucket",
        ),
        (
            {"name": "w", "content": {"origin": {"s3": {**S3["s3"], "uri": "gs://a"}}}},
            "content.origin.s3.uri",
            "s3://bucket",
        ),
        (
            {
                "name": "w",
                "content": {"origin": {"s3": {**S3["s3"], "role_arn": "me"}}},
            },
            "content.origin.s3.role_arn",
            "must be the ARN",
        ),
        ({**FILES, "type": 3}, "type", "must be a word"),
        ({**FILES, "version": -1}, "version", "whole number"),
        ({**FILES, "version": 1.5}, "version", "whole number"),
        ({**FILES, "version": True}, "version", "whole number"),
        ({**FILES, "adopt": "yes"}, "adopt", "true or false"),
        ({**FILES, "name": 3}, "name", "must be a string"),
        ({**FILES, "name": ""}, "name", "must be 1 to 200"),
        ({**FILES, "name": " weights"}, "name", "must be 1 to 200"),
        ({**FILES, "name": "w\n"}, "name", "must be 1 to 200"),
        ({**FILES, "name": "w" * 201}, "name", "must be 1 to 200"),
        ({**FILES, "name": ".."}, "name", "another path"),
        ({**FILES, "contents": {}}, "contents", 'Did you mean "content"'),
        ({**FILES, "size": 3}, "size", "is not a property of a volume"),
    ],
)
def test_a_fault_has_a_path_and_a_remedy(
    program: dict[str, Any], path: str, sentence: str
) -> None:
    """Each fault stands at the property that the program wrote, and nowhere else."""
    found = faults(program)
    assert list(found) == [path]
    assert sentence in found[path]


def test_all_faults_come_at_once() -> None:
    """A program is not corrected one fault at a time."""
    content = {"origin": {"s3": {"uri": "x", "role_arn": "y"}}}
    found = faults({"name": "", "content": content, "version": -1, "nmae": "w"})
    assert sorted(found) == [
        "content.origin.s3.role_arn",
        "content.origin.s3.uri",
        "name",
        "nmae",
        "version",
    ]


@pytest.mark.parametrize(
    "program",
    [
        {"name": UNKNOWN, "content": UNKNOWN, "version": UNKNOWN, "adopt": UNKNOWN},
        {**FILES, "type": UNKNOWN},
        {"name": "w", "content": {"source_prefix": UNKNOWN, "type": UNKNOWN}},
        {"name": "w", "content": {"origin": UNKNOWN}},
        {"name": "w", "content": {"origin": {"s3": UNKNOWN}}},
        {
            "name": "w",
            "content": {"origin": {"s3": {"uri": UNKNOWN, "role_arn": ROLE}}},
        },
        {"name": "w", "content": {"origin": {"s3": {**S3["s3"], "role_arn": UNKNOWN}}}},
    ],
)
def test_what_is_not_known_yet_is_let_through(program: dict[str, Any]) -> None:
    """Case V9: at any depth; it is checked when it is known."""
    checked = check({}, program, urn=URN)
    assert checked.faults == ()
    assert checked.inputs["content"] == program["content"]


def test_newer_words_are_sent_with_a_warning() -> None:
    """The types of volumes and contents are open: a list here must not hold anybody up."""
    said: list[tuple[str, str]] = []
    program = {**FILES, "type": "readWrite"}
    program["content"] = {**FILES["content"], "type": "archive"}
    checked = check({}, program, urn=URN, log=lambda *line: said.append(line))
    assert checked.faults == ()
    assert [(severity, text.split()[1]) for severity, text in said] == [
        ("warning", '"readWrite"'),
        ("warning", '"archive"'),
    ]


def test_known_words_are_sent_without_a_word() -> None:
    """Nobody is warned of what is as it should be."""
    said: list[tuple[str, str]] = []
    check(
        {}, {**FILES, "type": "readOnly"}, urn=URN, log=lambda *line: said.append(line)
    )
    assert said == []


def test_a_name_is_made_where_none_is_given() -> None:
    """From where the resource stands, and the same at each check."""
    program = {"content": FILES["content"]}
    first = check({}, program, urn=URN).inputs["name"]
    assert first.startswith("weights-")
    assert first == check({}, program, urn=URN).inputs["name"]


def test_a_name_once_made_stays() -> None:
    """What stands in the state is kept, whatever would be made now."""
    program = {"content": FILES["content"]}
    olds = {**program, "name": "weights-older"}
    assert check(olds, program, urn=URN).inputs["name"] == "weights-older"


def test_without_a_place_no_name_can_be_made() -> None:
    """A host that tells no URN needs a name from the program."""
    found = check({}, {"content": FILES["content"]})
    assert [path for path, _ in found.faults] == ["name"]


def test_two_resources_of_one_name_are_refused() -> None:
    """Case L14: the second one of a stack is told who has the name."""
    check({}, FILES, urn=URN)
    other = check({}, FILES, urn=f"{URN}-2")
    assert other.faults[0][0] == "name"
    assert "weights" in other.faults[0][1]


def test_a_volume_and_a_deployment_may_have_one_name() -> None:
    """They are different things of the service."""
    memory.claim("deployment weights", "urn:other")
    assert faults(FILES) == {}


def test_missing_credentials_are_a_fault() -> None:
    """Told with all the others, before anything is sent."""
    found = faults(FILES, config_faults=[("jig:apiKey", "there is no key")])
    assert found == {"": "there is no key"}


def test_what_cannot_be_stored_is_a_fault() -> None:
    """Case R22: half of a surrogate pair would be found out too late."""
    found = faults({**FILES, "version": 3, "content": {"source_prefix": "m\ud800"}})
    assert list(found) == ["content.source_prefix"]


# --- Comparing -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "live", "same"),
    [
        ({"source_prefix": "m/1"}, {"source_prefix": "m/1"}, True),
        ({"source_prefix": "m/1"}, {"type": "files", "source_prefix": "m/1"}, True),
        ({"source_prefix": "m/1"}, {"source_prefix": "m/1", "files": [{}]}, True),
        ({"source_prefix": "m/1"}, {"source_prefix": "m/2"}, False),
        ({"source_prefix": "m/1"}, {"source_prefix": "m/1", "type": "tar"}, False),
        ({"source_prefix": "m/1"}, {"origin": S3}, False),
        ({"source_prefix": "m/1"}, {"source_prefix": "m/1", "origin": S3}, False),
        (
            {"source_prefix": "m/1"},
            {"source_prefix": "m/1", "origin": {"s3": {}}},
            True,
        ),
        ({"origin": S3}, {"origin": S3, "source_prefix": "internal/7"}, True),
        ({"origin": S3}, {"source_prefix": "m/1"}, False),
        ({"origin": S3}, {"origin": {"s3": {"uri": "s3://models/llm"}}}, True),
        ({"origin": S3}, {"origin": {"s3": {"uri": "s3://models/other"}}}, False),
        ({"origin": S3}, {"origin": {"s3": {**S3["s3"], "role_arn": "x"}}}, False),
        ({"origin": S3}, None, True),
        ({"origin": S3}, {"type": "files", "files": []}, True),
        ({"source_prefix": UNKNOWN}, {"source_prefix": "m/1"}, False),
        (UNKNOWN, {}, False),
    ],
)
def test_when_two_contents_are_the_same(declared: Any, live: Any, same: bool) -> None:
    """What the service adds or leaves out is no difference; another source is one."""
    assert same_content(declared, live) is same


def test_a_content_keeps_what_was_asked_for() -> None:
    """Where the service put a copy is its business."""
    shown = {"type": "files", "origin": S3, "source_prefix": "x", "files": [{}]}
    assert normal_content(shown) == {"origin": S3}


STATE = {
    **FILES,
    "type": "readOnly",
    "volume_id": "v-1",
    "current_version": 0,
    "status": "ready",
}


@pytest.mark.parametrize(
    ("news", "state", "changed", "replaces"),
    [
        (FILES, STATE, (), ()),
        ({**FILES, "name": "other"}, STATE, ("name",), ("name",)),
        ({**FILES, "name": UNKNOWN}, STATE, ("name",), ("name",)),
        ({**FILES, "type": "readOnly"}, STATE, (), ()),
        ({**FILES, "type": "newer"}, STATE, ("type",), ()),
        ({**FILES, "version": 1}, STATE, ("version",), ()),
        ({**FILES, "version": UNKNOWN}, STATE, ("version",), ()),
        ({**FILES, "version": 1}, {**STATE, "version": 1}, (), ()),
        (FILES, {**STATE, "version": 1}, (), ()),
        (COPY, STATE, ("content.origin", "content.source_prefix"), ()),
        ({**FILES, "content": UNKNOWN}, STATE, ("content",), ()),
        (COPY, {**STATE, "content": {}}, (), ()),
        (
            {**FILES, "content": {"source_prefix": UNKNOWN}},
            {**STATE, "content": {}},
            ("content",),
            (),
        ),
        (FILES, {**STATE, "__unready": ["x"]}, ("status",), ()),
        (FILES, {**STATE, "status": "failed"}, ("status",), ()),
        (FILES, {**STATE, "status": "syncing"}, (), ()),
        (
            FILES,
            {**FILES, "type": "readOnly", "__unconfirmed": True},
            ("volume_id",),
            (),
        ),
        (
            COPY,
            {**STATE, "status": "failed"},
            ("content.origin", "content.source_prefix"),
            (),
        ),
    ],
)
def test_what_differs(
    news: dict[str, Any],
    state: dict[str, Any],
    changed: tuple[str, ...],
    replaces: tuple[str, ...],
) -> None:
    """Paths only, and only the name replaces."""
    found = diff(state, news)
    assert (found.changed, found.replaces) == (changed, replaces)


def test_a_dropped_type_goes_back_to_the_only_one() -> None:
    """A type that the program no longer sets is the one that the API knows."""
    old = {**FILES, "type": "newer", "__declared": ["content", "name", "type"]}
    state = {**STATE, "type": "newer"}
    assert diff(state, FILES, old_inputs=old).changed == ("type",)
    assert diff(state, FILES).changed == ()


# --- Answers -------------------------------------------------------------------


def answer(**fields: Any) -> VolumeResponseItem:
    """An answer of the service."""
    return VolumeResponseItem.model_validate(fields)


def test_the_versions_of_an_answer_are_in_order() -> None:
    """The newest stands at the top, the others in the history, in any order."""
    item = answer(
        current_version=11,
        status="syncing",
        mounted_by=["b"],
        version_history={
            "10": {"version": 10, "status": "failed", "status_message": "no"},
            "9": {"status": "ready", "mounted_by": ["a", "b"]},
            "0": {},
            "not a number": {"status": "ready"},
        },
    )
    assert [(v.number, v.status) for v in versions_of(item)] == [
        (0, None),
        (9, "ready"),
        (10, "failed"),
        (11, "syncing"),
    ]
    assert newest_ready(item) == 9
    assert users_of(item) == ("a", "b")


def test_an_old_answer_is_one_ready_version() -> None:
    """No number is version 0 and no status is ready, as the vendor's tools read it."""
    newest = newest_of(answer(id="v-1"))
    assert (newest.number, newest.ready, newest.failed) == (0, True, False)


@pytest.mark.parametrize("status", ["pending", "syncing", "failed", "a newer word"])
def test_only_ready_is_ready(status: str) -> None:
    """A word that this package does not know is not taken for good."""
    assert newest_ready(answer(status=status)) is None


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, ""),
        ({}, ""),
        ({"files": []}, ""),
        ({"files": "many"}, ""),
        (
            {"files": [{"size": 2.5e9}, {"size": 5e8}, {"name": "x"}, 3]},
            "4 files, 3.0 GB",
        ),
    ],
)
def test_how_far_a_copy_is(content: Any, text: str) -> None:
    """Told in files and gigabytes, from whatever the answer has."""
    assert copied(answer(content=content)) == text


# --- State ---------------------------------------------------------------------


def test_a_state_before_any_answer_is_what_was_asked_for() -> None:
    """Nothing is known, so nothing live is claimed."""
    inputs = check({}, FILES, urn=URN).inputs
    assert state_of(inputs, None) == {**inputs, "type": "readOnly"}


def test_a_state_shows_what_is_live_where_it_differs() -> None:
    """Case V6: content and type; and the account that made it."""
    inputs = check({}, {**FILES, "type": "readOnly"}, urn=URN).inputs
    item = answer(
        id=7, type="newer", content={"source_prefix": "x", "files": []}, status="failed"
    )
    found = state_of(inputs, item, account="acme")
    assert found["content"] == {"source_prefix": "x"}
    assert (found["type"], found["volume_id"]) == ("newer", "7")
    assert found["__account"] == "acme"
    assert "current_version" not in found
    refreshed = inputs_of(inputs, item)
    assert (refreshed["content"], refreshed["type"]) == (
        {"source_prefix": "x"},
        "newer",
    )


def test_an_answer_that_tells_nothing_changes_nothing() -> None:
    """V4: missing keys are not drift."""
    inputs = check({}, {**FILES, "type": "readOnly"}, urn=URN).inputs
    assert inputs_of(inputs, answer()) == inputs
    assert state_of(inputs, answer())["content"] == FILES["content"]


def test_a_look_up_has_no_inputs_of_its_own() -> None:
    """A volume that is only looked up shows what is live, and declares nothing."""
    item = answer(id="v-1", content={"source_prefix": "x"}, status="ready")
    inputs = inputs_in({"name": "weights"})
    found = state_of(inputs, item)
    assert inputs == {"name": "weights"}
    assert (found["content"], found["current_version"]) == ({"source_prefix": "x"}, 0)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"versions": [{"version": 0}, {"version": 3.0}]}, {"__asked_after": 3}),
        ({"versions": []}, {}),
        ({"versions": UNKNOWN}, {}),
        ({}, {}),
    ],
)
def test_an_update_that_nobody_saw_end_is_told_by_the_version(
    state: dict[str, Any], told: dict[str, Any]
) -> None:
    """The newest version from before; a newer one says that the update arrived."""
    assert VOLUME.unfinished_update(state) == told


def test_an_update_that_is_the_same_however_often_has_nothing_to_remember() -> None:
    """Only what makes something new each time needs to know what was there before."""
    assert DEPLOYMENT.unfinished_update({"versions": [{"version": 1}]}) == {}
