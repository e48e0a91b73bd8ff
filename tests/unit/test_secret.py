"""Checking and diffing a secret: all faults at once, and nothing about its value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pulumi_jig.lifecycle.secret.check import check
from pulumi_jig.lifecycle.secret.diff import diff
from pulumi_jig.lifecycle.secret.expiry import remarks
from pulumi_jig.lifecycle.secret.inputs import inputs_in, state_of
from pulumi_jig.schema.responses import SecretResponseItem
from pulumi_jig.values import UNKNOWN, SecretValue, reveal

Record = dict[str, Any]

URN = "urn:pulumi:prod::shop::pulumi-python:dynamic/jig:Secret::token"
CANARY = "secret-canary-0123456789"
LEAST = {"name": "hf-token", "value": CANARY}
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


def checked(program: Record, olds: Record | None = None, urn: str = URN) -> Record:
    """The inputs of a program without faults."""
    done = check(olds or {}, program, urn=urn)
    assert done.faults == ()
    return done.inputs


def faults(program: Record, olds: Record | None = None) -> Record:
    """The faults of a program, by path."""
    return dict(check(olds or {}, program, urn=URN).faults)


def stored(program: Record, **told: Any) -> tuple[Record, Record]:
    """The inputs and the state of a secret that was just created."""
    inputs = checked(program)
    answer = {"id": "sec-1", "name": inputs["name"], "object": "secret"}
    if "ttl_seconds" in program:
        answer |= {
            "ttl_seconds": program["ttl_seconds"],
            "expires_at": (NOW + timedelta(seconds=program["ttl_seconds"])).isoformat(),
        }
    answer["description"] = program.get("description", "")
    item = SecretResponseItem.model_validate({**answer, **told})
    return inputs, state_of(inputs, item)


# --- Check ---------------------------------------------------------------------


def test_the_value_is_a_secret_whatever_it_was_before() -> None:
    """Case S2: a value that came as a plain string is stored as a secret."""
    assert checked(LEAST)["value"] == SecretValue(CANARY)


@pytest.mark.parametrize(
    ("program", "path", "words"),
    [
        ({"name": "hf-token"}, "value", "is required"),
        ({**LEAST, "value": ""}, "value", "must not be empty"),
        ({**LEAST, "value": 5}, "value", "must be a string"),
        ({**LEAST, "name": "no spaces"}, "name", "letters, digits"),
        ({**LEAST, "name": "n" * 101}, "name", "1 to 100"),
        ({**LEAST, "name": "name\n"}, "name", "1 to 100"),
        ({**LEAST, "name": ".."}, "name", "another path"),
        ({**LEAST, "description": "d" * 501}, "description", "is too long"),
        ({**LEAST, "ttl_seconds": 86_399}, "ttl_seconds", "out of bounds"),
        ({**LEAST, "ttl_seconds": 1_209_601}, "ttl_seconds", "out of bounds"),
        ({**LEAST, "ttl_seconds": 86_400.5}, "ttl_seconds", "whole number"),
        ({**LEAST, "ttl_seconds": True}, "ttl_seconds", "whole number"),
        ({**LEAST, "version": "two"}, "version", "whole number"),
        ({**LEAST, "version": True}, "version", "whole number"),
        ({**LEAST, "adopt": "yes"}, "adopt", "true or false"),
        ({**LEAST, "vaule": CANARY}, "vaule", 'Did you mean "value"'),
        ({"value": CANARY, "adopt": True}, "name", "is required with `adopt`"),
        (
            {**LEAST, "adopt": True, "ownership_mark": False},
            "ownership_mark",
            "must stay on",
        ),
        (
            {**LEAST, "description": "mine [pulumi-jig a/b/c 0123456789ab]"},
            "description",
            "must not end with an ownership mark",
        ),
    ],
)
def test_what_the_service_would_refuse_is_refused_with_its_path(
    program: Record, path: str, words: str
) -> None:
    """Cases V15, V2, V3: each fault stands at its property and says what it takes."""
    found = faults(program)
    assert [path] == list(found)
    assert words in found[path]


def test_all_faults_come_at_once_and_hold_no_value() -> None:
    """Case S1: a program with several faults hears of all, and its value of none."""
    found = faults({"name": "a b", "value": CANARY, "ttl_seconds": 1, "adopt": CANARY})
    assert {"name", "ttl_seconds", "adopt"} == set(found)
    assert CANARY not in str(found)


def test_the_mark_takes_its_share_of_the_description() -> None:
    """What the mark makes too long is refused with by how much, and fits without it."""
    long = {**LEAST, "description": "d" * 500}
    words = faults(long)["description"]
    assert "shorten it by" in words
    over = int(words.split("shorten it by ")[1].split(",")[0])
    assert faults({**LEAST, "description": "d" * (500 - over)}) == {}
    assert "description" in faults({**LEAST, "description": "d" * (501 - over)})
    assert faults({**long, "ownership_mark": False}) == {}


def test_a_name_is_made_and_kept() -> None:
    """Without a name one is made from the resource's, and kept from then on."""
    made = checked({"value": CANARY})
    assert made["name"].startswith("token-")
    again = checked({"value": CANARY}, {**made, "name": "token-of-old"})
    assert again["name"] == "token-of-old"
    again = checked({"value": CANARY}, made)
    assert made["name"] == again["name"]


def test_two_resources_cannot_have_one_name() -> None:
    """Case L14: the second resource of a name hears of the first."""
    checked(LEAST)
    other = check({}, LEAST, urn=URN.replace("::token", "::other"))
    assert "is the name of resource token" in dict(other.faults)["name"]


def test_a_secret_and_a_deployment_may_share_a_name() -> None:
    """Names of different kinds have nothing to do with each other."""
    from pulumi_jig.lifecycle.deployment.check import check as check_deployment

    checked(LEAST)
    program = {"name": "hf-token", "image": "app:1", "gpu_type": "none"}
    urn = URN.replace("Secret", "Deployment")
    assert check_deployment({}, program, urn=urn).faults == ()


@pytest.mark.parametrize("key", ["name", "value", "description", "ttl_seconds"])
def test_what_is_not_known_yet_is_let_through(key: str) -> None:
    """Case V9: an unknown input is no fault, and stays unknown."""
    program = {**LEAST, "description": "d", "ttl_seconds": 86_400, key: UNKNOWN}
    assert checked(program)[key] is UNKNOWN


def test_a_lifetime_cannot_be_taken_back() -> None:
    """The service documents no way to a secret that lasts, so dropping it is refused."""
    olds = checked({**LEAST, "ttl_seconds": 86_400})
    assert "cannot be unset" in faults(LEAST, olds)["ttl_seconds"]
    # Another name is another secret.
    assert faults({**LEAST, "name": "hf-token-2"}, olds) == {}


# --- Rotation ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "turns"),
    [
        ({"value": "another-value"}, True),
        ({"version": 2}, True),
        ({"description": "other"}, False),
        ({"ttl_seconds": 86_400}, False),
        ({}, False),
    ],
)
def test_the_rotation_turns_with_the_value_alone(change: Record, turns: bool) -> None:
    """A new value or version is another rotation, known in the preview already."""
    olds = checked({**LEAST, "version": 1})
    news = checked({**LEAST, "version": 1, **change}, olds)
    assert turns is (olds["value_version"] != news["value_version"])


def test_going_back_after_a_failed_rotation_is_a_rotation() -> None:
    """Replicas may hold the value that a failed update sent, so its end counts as well."""
    olds = checked(LEAST)
    sent = checked({**LEAST, "value": "another-value"}, olds)
    back = check(olds, LEAST, old_outputs=sent, urn=URN).inputs["value_version"]
    again = check(
        olds, {**LEAST, "value": "another-value"}, old_outputs=sent, urn=URN
    ).inputs["value_version"]
    assert back not in (olds["value_version"], sent["value_version"])
    assert again == sent["value_version"]


def test_a_lifetime_that_a_failed_update_sent_cannot_be_taken_back() -> None:
    """The secret would end although no program says so."""
    olds = checked(LEAST)
    sent = checked({**LEAST, "ttl_seconds": 86_400}, olds)
    found = dict(check(olds, LEAST, old_outputs=sent, urn=URN).faults)
    assert "(it is 86400 now)" in found["ttl_seconds"]


def test_the_rotation_of_a_replacement_is_another_one() -> None:
    """Two secrets of one resource never have the same word for their rotation."""
    assert checked(LEAST)["value_version"] != checked(LEAST)["value_version"]


def test_a_value_that_is_not_known_makes_an_unknown_rotation() -> None:
    """What hangs on the rotation is shown as changing in the preview."""
    olds = checked(LEAST)
    assert checked({**LEAST, "value": UNKNOWN}, olds)["value_version"] is UNKNOWN


# --- Diff ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "changed", "replaces"),
    [
        ({}, (), ()),
        ({"value": "another-value"}, ("value",), ()),
        ({"value": UNKNOWN}, ("value",), ()),
        ({"version": 7}, ("version",), ()),
        ({"description": "other"}, ("description",), ()),
        ({"description": None}, ("description",), ()),
        ({"description": UNKNOWN}, ("description",), ()),
        ({"ttl_seconds": 172_800}, ("ttl_seconds",), ()),
        ({"name": "other-token"}, ("name",), ("name",)),
        ({"adopt": True}, (), ()),
    ],
)
def test_a_diff_names_what_changes_and_nothing_else(
    change: Record, changed: tuple[str, ...], replaces: tuple[str, ...]
) -> None:
    """Cases V6, V7: each change stands at its path, and only a name replaces."""
    program = {**LEAST, "description": "text", "ttl_seconds": 1_209_600}
    inputs, state = stored(program)
    news = checked(
        {k: v for k, v in {**program, **change}.items() if v is not None}, inputs
    )
    found = diff(state, news, old_inputs=inputs, now=NOW)
    assert (changed, replaces) == (found.changed, found.replaces)


def test_a_description_that_nobody_declared_is_drift() -> None:
    """A description that is left out is held at the empty text."""
    inputs, state = stored(LEAST, description="from the console")
    news = checked(LEAST, inputs)
    assert diff(state, news, old_inputs=inputs).changed == ("description",)
    ignored = diff(
        state, news, old_inputs=inputs, ignore_changes=["description"]
    ).changed
    assert ignored == ()


def test_an_expired_secret_is_a_difference() -> None:
    """A secret past its end is made again, whether or not a refresh has seen it go."""
    inputs, state = stored({**LEAST, "ttl_seconds": 86_400})
    news = checked({**LEAST, "ttl_seconds": 86_400}, inputs)
    before = diff(state, news, now=NOW + timedelta(seconds=86_399))
    after = diff(state, news, now=NOW + timedelta(seconds=86_400))
    assert ((), ("expires_at",)) == (before.changed, after.changed)


@pytest.mark.parametrize("bookkeeping", ["__unconfirmed", "__unready"])
def test_what_is_not_settled_demands_an_update(bookkeeping: str) -> None:
    """A creation or a value of which nobody knows whether it arrived is not unchanged."""
    inputs, state = stored(LEAST)
    state[bookkeeping] = True
    assert diff(state, checked(LEAST, inputs), old_inputs=inputs).changes is True


# --- State and expiry ----------------------------------------------------------


def test_the_state_keeps_the_value_as_a_secret() -> None:
    """Case S2: under its own key, marked."""
    _, state = stored(LEAST)
    assert state["value"] == SecretValue(CANARY)
    assert CANARY not in repr(state)


def test_a_state_gives_its_inputs_back() -> None:
    """For a host that cannot tell the inputs, the state echoes them."""
    inputs, state = stored({**LEAST, "description": "d", "ttl_seconds": 86_400})
    assert reveal(inputs) == reveal(inputs_in(state))


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (timedelta(days=8), None),
        (timedelta(days=7, seconds=1), None),
        (timedelta(days=7), "expires in 7 days"),
        (timedelta(hours=30), "expires in 30 hours"),
        (timedelta(minutes=5), "expires in less than two hours"),
        (timedelta(0), "has expired"),
        (timedelta(days=-1), "has expired"),
    ],
)
def test_the_last_week_is_warned_about(left: timedelta, words: str | None) -> None:
    """A preview says what is coming, and what to do; earlier it says nothing."""
    state = {"name": "hf-token", "expires_at": (NOW + left).isoformat()}
    found = list(remarks(state, NOW))
    if words is None:
        assert found == []
    else:
        assert len(found) == 1
        assert words in found[0]


@pytest.mark.parametrize("text", [None, "soon", 5, "2026-11-20T08:00:00"])
def test_an_end_that_cannot_be_read_breaks_nothing(text: Any) -> None:
    """Case V4: a strange date is no date; one without a zone is taken as UTC."""
    found = list(remarks({"name": "n", "expires_at": text}, NOW))
    assert len(found) == (1 if text == "2026-11-20T08:00:00" else 0)
