"""Names that outlive a run."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_jig import naming
from pulumi_jig.naming import (
    Mark,
    auto_name,
    endpoint_url,
    join_description,
    name_fault,
    new_nonce,
    split_description,
)

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=15)
PLACE = {"organization": "acme", "project": "shop", "stack": "prod", "urn": "u::llm"}
MARK = Mark("shop", "prod", "llm", "4f1c00d2aa17")


def test_type_tokens_are_what_every_state_holds():
    """The type tokens never change: they stand in every user's state."""
    assert {
        "deployment": "pulumi-python:dynamic/jig:Deployment",
        "secret": "pulumi-python:dynamic/jig:Secret",
        "volume": "pulumi-python:dynamic/jig:Volume",
    } == {
        "deployment": naming.DEPLOYMENT_TYPE,
        "secret": naming.SECRET_TYPE,
        "volume": naming.VOLUME_TYPE,
    }


@pytest.mark.parametrize(
    "name", ["abcd", "0abc", "a-b-", "a" * 63, "llm-prod", "secret", "storages"]
)
def test_a_legal_name_has_no_fault(name):
    """Case V15: 4 to 63 lowercase letters, digits and hyphens are fine."""
    assert name_fault(name) is None


@pytest.mark.parametrize(
    "name",
    ["", "abc", "a" * 64, "Abcd", "-abc", "a_bcd", "abcd\n", "äbcd", "a/../b", "ab d"],
)
def test_an_illegal_name_is_told_the_rule(name):
    """Cases V3, V15 and N11: anything else is refused, a trailing newline included."""
    assert "4 to 63 lowercase" in name_fault(name)


@pytest.mark.parametrize("name", ["secrets", "storage", "prewarm"])
def test_a_reserved_name_is_refused(name):
    """A name that is a path of the API could not be reached, old or new."""
    assert "path of the API" in name_fault(name)
    assert "path of the API" in name_fault(name, exists=True)


@pytest.mark.parametrize(
    ("name", "fine"), [("My_Model", True), ("ab", True), ("a b", False), ("", False)]
)
def test_a_legacy_name_is_fine_where_it_stands(name, fine):
    """A name from before the rule was tightened is fine where it may exist already."""
    assert fine is (name_fault(name, exists=True) is None)


@given(st.text(max_size=80))
def test_an_automatic_name_is_always_legal(logical_name):
    """Whatever a resource is called, the name made from it is legal."""
    assert name_fault(auto_name(logical_name, **PLACE)) is None


def test_an_automatic_name_begins_with_the_resources_name():
    """People recognise the resource, and every run makes the same name."""
    assert "my-llm-2-104wvk2" == auto_name("My LLM (2)", **PLACE)


def test_a_resource_without_letters_is_called_deployment():
    """A name that has nothing legal in it gets a word instead."""
    assert auto_name("日本", **PLACE).startswith("deployment-")


@given(st.data())
def test_automatic_names_differ_by_where_the_resource_stands(data):
    """Another organization, project, stack, URN or namespace is another name."""
    key = data.draw(st.sampled_from([*PLACE, "namespace"]))
    value = data.draw(st.text(st.characters(exclude_characters="\0"), max_size=8))
    there = {**PLACE, "namespace": ""}
    moved = {**there, key: value}

    same = auto_name("llm", **there) == auto_name("llm", **moved)

    assert same is (there == moved)


def test_a_name_is_the_same_in_every_process():
    """Peers' bug 24: nothing of a name hangs on what differs from process to process."""
    code = (
        f"from pulumi_jig.naming import auto_name; print(auto_name('llm', **{PLACE}))"
    )
    made = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }

    assert {auto_name("llm", **PLACE)} == made


def test_parts_of_a_place_are_not_run_together():
    """`ab` in `c` is another place than `a` in `bc`."""
    one = auto_name("x", **{**PLACE, "project": "ab", "stack": "c"})
    other = auto_name("x", **{**PLACE, "project": "a", "stack": "bc"})

    assert one != other


def test_a_mark_is_written_for_people():
    """The mark shows project, stack, resource and nonce."""
    assert ("[pulumi-jig shop/prod/llm 4f1c00d2aa17]", "shop/prod/llm") == (
        str(MARK),
        MARK.owner,
    )


@given(WORDS, WORDS, WORDS, st.text(st.characters(exclude_categories=["Cs"])))
def test_a_description_and_its_mark_come_back(project, stack, resource, text):
    """Any text and any names survive the way into a description and back."""
    mark = Mark(project, stack, resource, new_nonce())

    assert (text, mark) == split_description(join_description(text, mark))


@pytest.mark.parametrize("text", ["ends with spaces  ", " ", "\n", "a\n\n", "[x]", "]"])
def test_spaces_of_the_text_are_the_texts(text):
    """White space before the mark is not eaten, or it would differ for ever."""
    assert (text, MARK) == split_description(join_description(text, MARK))


def test_without_a_mark_the_text_is_the_description():
    """Nothing is appended where the mark is turned off."""
    assert "text" == join_description("text", None)


@pytest.mark.parametrize(
    ("description", "text"),
    [
        (None, ""),
        ("", ""),
        ("plain", "plain"),
        (f"{MARK} more", f"{MARK} more"),
        ("[pulumi-jig shop/prod 4f1c00d2aa17]", "[pulumi-jig shop/prod 4f1c00d2aa17]"),
        ("[pulumi-jig a/b/c SHORT]", "[pulumi-jig a/b/c SHORT]"),
    ],
)
def test_what_is_no_mark_belongs_to_the_text(description, text):
    """Only a well-formed mark at the very end is one."""
    assert (text, None) == split_description(description)


def test_of_two_marks_the_last_is_the_mark():
    """A mark within the text is text."""
    assert (str(MARK), MARK) == split_description(f"{MARK} {MARK}")


def test_white_space_after_a_mark_does_not_hide_it():
    """A service that adds a newline does not make a deployment foreign."""
    assert ("text", MARK) == split_description(f"text {MARK}\n")


def test_nonces_are_fresh_and_fit_into_a_mark():
    """Every nonce is another one, of 12 hexadecimal digits."""
    nonces = {new_nonce() for _ in range(100)}

    assert 100 == len(nonces)
    assert all(re.fullmatch(r"[0-9a-f]{12}", nonce) for nonce in nonces)
    assert all(naming.NONCE_PATTERN.fullmatch(nonce) for nonce in nonces)


@pytest.mark.parametrize(
    "base",
    [
        "https://api.together.ai",
        "https://api.together.ai/",
        "https://api.together.ai/v1",
        "https://api.together.ai/v1/",
    ],
)
def test_the_endpoint_follows_from_the_name(base):
    """The address is the same with `/v1` in the base URL or without."""
    expected = "https://api.together.ai/v1/deployment-request/llm-prod"

    assert expected == endpoint_url("llm-prod", base)


def test_a_name_cannot_lead_to_another_path():
    """Case N11: a name is one segment of the path."""
    assert endpoint_url("a/../b").endswith("/deployment-request/a%2F..%2Fb")
