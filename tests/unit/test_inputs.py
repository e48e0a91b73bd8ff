"""The inputs of a deployment: which keys there are, and how they become a request."""

from __future__ import annotations

import pytest
from core_cases import IMAGE, LEAST, URN, checked

from pulumi_jig.lifecycle.deployment.inputs import (
    create_body,
    declared_fields,
    declared_keys,
    extra_fields,
    request_value,
)
from pulumi_jig.lifecycle.keys import Place, mark_of, place_of, remember_secrets
from pulumi_jig.naming import Mark
from pulumi_jig.redaction import redact
from pulumi_jig.values import UNKNOWN, SecretValue

NONCE = "4f1c00d2aa17"
TOLD = {
    "organization": "acme",
    "project": "shop",
    "stack": "prod",
    "resource": "llm",
    "namespace": "two",
}


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        ({"__declared": ["cpu", 5, "x"], "memory": 1}, {"cpu", "x"}),
        ({"cpu": 1, "wait_for": "none", "extra": {}, "status": "Ready"}, None),
        ({"__declared": "cpu", "cpu": 1}, {"cpu"}),
        ({}, set()),
    ],
)
def test_what_a_program_set_is_remembered(data, keys):
    """Without bookkeeping (a hand-written state) everything that is there was meant."""
    assert ({"cpu", "wait_for", "extra"} if keys is None else keys) == declared_keys(
        data
    )


def test_only_declared_fields_count():
    """Values that nobody declared are the service's business; the name always counts."""
    data = {
        "__declared": ["cpu", "port"],
        "cpu": 1,
        "port": None,
        "name": "n",
        "args": [],
    }

    assert {"cpu": 1, "name": "n"} == declared_fields(data)
    assert {"cpu": 1} == declared_fields({"__declared": ["cpu"], "cpu": 1})


@pytest.mark.parametrize(
    ("data", "urn", "place"),
    [
        ({}, URN, Place("", "shop", "prod", "llm", URN, "")),
        (
            {"__program": {**TOLD, "resource": "other"}},
            URN,
            Place("acme", "shop", "prod", "llm", URN, "two"),
        ),
        (
            {"__program": TOLD},
            None,
            Place("acme", "shop", "prod", "llm", "prod::shop::llm", "two"),
        ),
        (
            {"__program": TOLD},
            "urn:pulumi:broken",
            Place("acme", "shop", "prod", "llm", "urn:pulumi:broken", "two"),
        ),
        (
            {},
            "urn:pulumi:s::p::parent$t::a::b",
            Place("", "p", "s", "a::b", "urn:pulumi:s::p::parent$t::a::b", ""),
        ),
        ({"__program": 5}, None, Place("", "", "", "", "::::", "")),
        (
            {"__program": {"stack": UNKNOWN}},
            None,
            Place("", "", "", "", "::::", ""),
        ),
    ],
)
def test_where_a_resource_stands(data, urn, place):
    """The URN counts where both know something; what is no text tells nothing."""
    assert place == place_of(data, urn)


@pytest.mark.parametrize(
    ("data", "urn", "mark"),
    [
        ({"__nonce": NONCE}, URN, Mark("shop", "prod", "llm", NONCE)),
        (
            {"__nonce": NONCE, "ownership_mark": True},
            URN,
            Mark("shop", "prod", "llm", NONCE),
        ),
        ({"__nonce": NONCE, "ownership_mark": False}, URN, None),
        ({}, URN, None),
        ({"__nonce": NONCE}, None, None),
    ],
)
def test_a_mark_says_whose_a_deployment_is(data, urn, mark):
    """Without a nonce or a place, or when it is turned off, there is none."""
    assert mark == mark_of(data, urn)


def test_a_creation_sends_what_was_declared_and_the_mark():
    """
    Empty values are said by leaving a field out; zeros are values (peers' bug 40).
    """
    inputs = checked(
        {
            **LEAST,
            "gpu_count": 0,
            "command": [],
            "health_check_path": "",
            "autoscaling": {},
            "environment_variables": {"B": "2", "A": {"value_from_secret": "s"}},
            "volumes": [{"name": "v", "mount_path": "/v", "version": None}],
            "description": "For people.",
            "wait_for": "none",
            "extra": {"experimental": {"auto_optimize": True}},
        }
    )

    assert {
        **LEAST,
        "gpu_count": 0,
        "environment_variables": [
            {"name": "A", "value_from_secret": "s"},
            {"name": "B", "value": "2"},
        ],
        "volumes": [{"name": "v", "mount_path": "/v"}],
        "description": f"For people. [pulumi-jig shop/prod/llm {inputs['__nonce']}]",
        "experimental": {"auto_optimize": True},
    } == create_body(inputs, URN)


def test_without_text_and_mark_there_is_no_description():
    """An empty description is not sent at creation."""
    inputs = checked({**LEAST, "ownership_mark": False})

    assert LEAST == create_body(inputs, URN)


def test_a_field_is_sent_as_the_api_takes_it():
    """Case V1: whole numbers, no markers, no open keys."""
    assert (8, {"metric": "m", "target": 2}) == (
        request_value("memory", SecretValue(8.0)),
        request_value("autoscaling", {"metric": "m", "target": 2.0, "model": None}),
    )


def test_an_extra_field_never_replaces_a_known_one():
    """What the models know is sent from its own property."""
    inputs = {**checked(LEAST), "extra": {"image": "evil", "new": 1.0}}

    body = create_body(inputs, None)

    assert (IMAGE, 1) == (body["image"], body["new"])


@pytest.mark.parametrize("extra", [None, 5, UNKNOWN, []])
def test_what_is_no_mapping_passes_nothing_through(extra):
    """Only a mapping has fields."""
    assert {} == extra_fields({"extra": extra})


@pytest.mark.parametrize("environment", [None, UNKNOWN, 5, {}, {"A": UNKNOWN}])
def test_without_known_values_there_is_nothing_to_hide(environment):
    """What is not there, or not known yet, needs no redaction."""
    remember_secrets({"environment_variables": environment})

    assert "any text 5" == redact("any text 5")


def test_values_of_variables_are_hidden_wherever_they_stand():
    """Case S1: the longest value goes first, short ones would hide nothing."""
    data = {
        "environment_variables": SecretValue(
            {
                "A": "password",
                "B": "password-2",
                "C": "1",
                "D": "other",
            }
        )
    }
    remember_secrets(data)

    assert "1 [secret] [secret]!" == redact("1 password-2 password!")


def test_the_name_of_a_secret_is_no_secret():
    """A variable that takes its value from a secret names it, which hides nothing."""
    remember_secrets(
        {"environment_variables": {"D": {"value_from_secret": "hf-token"}}}
    )

    assert "secret hf-token not found" == redact("secret hf-token not found")


@pytest.mark.parametrize(
    ("path", "hidden", "shown"),
    [
        (["command"], ["serve-it", "top-secret-word"], []),
        (["command", 1], ["top-secret-word"], ["serve-it"]),
        (["extra", "deep", "key"], ["key-number-one"], ["serve-it"]),
        (["image"], ["registry.example/token-4711"], []),
        (["description"], ["what-nobody-knows"], []),
        # The program and the state need not agree on what is where.
        (["command", 7], ["serve-it", "top-secret-word"], []),
        (["nothing", 1], [], ["serve-it"]),
        ("command", [], ["serve-it"]),
    ],
)
def test_what_the_program_calls_a_secret_is_hidden(path, hidden, shown):
    """Any argument may be one, in whole or in part: the program says where."""
    data = {
        "command": ["serve-it", "top-secret-word"],
        "extra": {"deep": {"key": "key-number-one"}},
        "image": "registry.example/token-4711",
        "description": "what-nobody-knows",
        "__secrets": [path],
    }
    remember_secrets(data)

    assert ["[secret]"] * len(hidden) == [redact(value) for value in hidden]
    assert shown == [redact(value) for value in shown]
