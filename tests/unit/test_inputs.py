"""The inputs of a deployment: which keys there are, and how they become a request."""

from __future__ import annotations

import html
import json
from urllib.parse import quote

import pytest
from core_cases import IMAGE, LEAST, URN, checked

from pulumi_jig.lifecycle.deployment.inputs import (
    create_body,
    declared_fields,
    declared_keys,
    extra_fields,
    request_value,
    secret_texts,
)
from pulumi_jig.lifecycle.keys import Place, mark_of, place_of, redact
from pulumi_jig.naming import Mark
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
    assert [] == secret_texts({"environment_variables": environment})


def test_values_of_variables_are_hidden_wherever_they_stand():
    """Case S1: the longest value goes first, short ones would hide nothing."""
    data = {
        "environment_variables": SecretValue(
            {
                "A": "password",
                "B": "password-2",
                "C": "1",
                "D": {"value_from_secret": "s"},
            }
        )
    }
    secrets = secret_texts(data)

    assert ["password-2", "password"] == secrets
    assert "1 [secret] [secret]!" == redact("1 password-2 password!", secrets)


def test_each_line_of_a_key_is_hidden():
    """Output comes line by line, so a private key is looked for line by line."""
    key = "-----BEGIN KEY-----\nMIIEvQIBADAN\n  indented-line\nend\n"
    secrets = secret_texts({"environment_variables": {"KEY": key}})

    assert "got [secret] and [secret]" == redact(
        "got MIIEvQIBADAN and indented-line", secrets
    )
    assert "end" == redact("end", secrets)


@pytest.mark.parametrize("write", [json.dumps, repr, quote, html.escape])
def test_a_value_is_hidden_however_it_is_written(write):
    """Case S4: an escaped quotation of a stored value is one as well."""
    secret = "pass\"wo'rd\n&/+"

    assert secret not in write(secret)
    assert "wo" not in redact(f"it has {write(secret)}.", [secret])


@pytest.mark.parametrize(("value", "hidden"), [("12345", []), ("123456", ["123456"])])
def test_short_values_are_not_looked_for(value, hidden):
    """A value of fewer than six characters stands in too many words."""
    assert hidden == secret_texts({"environment_variables": {"A": value}})
