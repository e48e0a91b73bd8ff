"""The state of a deployment: what is declared, what is live, and the bookkeeping."""

from __future__ import annotations

import pytest
from core_cases import (
    FULL,
    LEAST,
    REVISION,
    TOGETHER,
    answer,
    checked,
    programs,
    service,
    wired,
)
from hypothesis import given
from hypothesis import strategies as st

from pulumi_jig.lifecycle.deployment.diff import diff
from pulumi_jig.lifecycle.deployment.inputs import create_body, request_value
from pulumi_jig.lifecycle.deployment.state import inputs_of, state_of
from pulumi_jig.schema.deployment import FIELDS
from pulumi_jig.schema.diff import held_value
from pulumi_jig.values import SecretValue

PROGRAM = {**LEAST, "gpu_type": "h100-80gb", "gpu_count": 1}
ENVIRONMENT = [
    {"name": "A", "value": "live"},
    {"name": "B", "value": "foreign"},
    {"name": "C", "value_from_secret": "s"},
    {"name": "TOGETHER_DEPLOYMENT_REVISION_ID", "value": REVISION},
]


def test_declared_values_stand_as_long_as_they_are_true():
    """What the service made of a value (a default, a pin) does not replace it."""
    inputs = checked(
        {
            **PROGRAM,
            "autoscaling": {"metric": "QueueBacklogPerWorker"},
            "volumes": [{"name": "weights", "mount_path": "/models"}],
        }
    )
    state = state_of(inputs, answer())

    assert (inputs["autoscaling"], inputs["volumes"]) == (
        state["autoscaling"],
        state["volumes"],
    )


def test_live_values_stand_where_they_differ():
    """Peers' bug 16: the state never echoes a value that is not true any more."""
    inputs = checked({**PROGRAM, "cpu": 2, "command": ["serve"]})
    state = state_of(inputs, answer(cpu=5, command=...))

    assert (5, []) == (state["cpu"], state["command"])


def test_what_the_service_chose_is_shown():
    """Fields that nobody declared show what is live, unless they are empty."""
    state = state_of(checked(PROGRAM), answer())

    assert (4, 64, "stable", "/health") == (
        state["cpu"],
        state["memory"],
        state["capacity_type"],
        state["health_check_path"],
    )
    assert set() == {"command", "args", "description", "model_mounts"} & state.keys()


def test_the_services_word_about_itself_is_shown():
    """Outputs hold id, status, revision, replicas and times, and no empty ones."""
    state = state_of(checked(PROGRAM), answer())
    bare = state_of(checked(PROGRAM), answer(**dict.fromkeys(FULL, ...)))

    assert {
        "deployment_id": FULL["id"],
        "status": "Ready",
        "revision_id": REVISION,
        "desired_replicas": 1,
        "ready_replicas": 1,
        "created_at": FULL["created_at"],
        "updated_at": FULL["updated_at"],
    }.items() <= state.items()
    assert set() == {"deployment_id", "status", "created_at"} & bare.keys()


def test_before_any_answer_the_state_is_what_was_asked_for():
    """A creation without an answer still has a state to be found by."""
    inputs = checked({**PROGRAM, "wait_for": "none", "adopt": True})
    state = state_of(inputs, None, account="acct")

    assert {**inputs, "__account": "acct"} == state


def test_bookkeeping_is_there_even_for_a_foreign_state():
    """Inputs without bookkeeping get the names of what they hold."""
    assert ["cpu", "name"] == state_of({"name": "n", "cpu": 1}, None)["__declared"]


def test_variables_that_nobody_declared_are_secrets():
    """Case S3: nobody said whether a foreign variable is a secret, so it is."""
    undeclared = state_of(checked(PROGRAM), answer(environment_variables=ENVIRONMENT))
    declared = state_of(
        checked({**PROGRAM, "environment_variables": {"A": "mine"}}),
        answer(environment_variables=ENVIRONMENT),
    )

    assert {
        "A": SecretValue("live"),
        "B": SecretValue("foreign"),
        "C": {"value_from_secret": "s"},
    } == undeclared["environment_variables"]
    assert {
        "A": "live",
        "B": SecretValue("foreign"),
        "C": {"value_from_secret": "s"},
    } == declared["environment_variables"]


@pytest.mark.parametrize(
    "given_", [{"A": SecretValue("mine")}, SecretValue({"A": "mine"})]
)
def test_a_marked_variable_stays_marked_when_it_drifts(given_):
    """Case S2: the live value of a secret variable is a secret too."""
    inputs = checked({**PROGRAM, "environment_variables": given_})
    variables = [{"name": "A", "value": "live"}]

    state = state_of(inputs, answer(environment_variables=variables))

    assert {"A": SecretValue("live")} == state["environment_variables"]


def test_the_platforms_variables_are_not_shown():
    """What the platform injected is nobody's, unless the program declared it."""
    variables = [{"name": "TOGETHER_MODE", "value": "b"}, ENVIRONMENT[-1]]
    item = answer(environment_variables=variables)
    mine = checked({**PROGRAM, "environment_variables": {"TOGETHER_MODE": "a"}})

    assert "environment_variables" not in state_of(checked(PROGRAM), item)
    assert {"TOGETHER_MODE": "b"} == state_of(mine, item)["environment_variables"]


@pytest.mark.parametrize(
    ("sent", "echoed", "stored"),
    [
        ({"new": 1}, {}, {"new": 1}),
        ({"new": 1}, {"new": 1.0}, {"new": 1}),
        ({"new": {"a": 1}}, {"new": {"a": 1, "filled": 2}}, {"new": {"a": 1}}),
        ({"new": {"a": 1}}, {"new": {"a": 2}}, {"new": {"a": 2}}),
        ({"new": SecretValue(1)}, {"new": 1}, {"new": SecretValue(1)}),
        ({}, {}, {}),
    ],
)
def test_passed_through_values_stand_as_long_as_they_are_true(sent, echoed, stored):
    """The service may answer a newer field with more than it was sent."""
    inputs = checked({**PROGRAM, "extra": sent})
    item = answer(**echoed)

    assert stored == state_of(inputs, item)["extra"]
    assert stored == inputs_of(inputs, item)["extra"]


def test_extra_that_is_no_mapping_is_kept_as_it_is():
    """A strange state survives a refresh."""
    inputs = {**checked(PROGRAM), "extra": "strange"}

    assert "strange" == state_of(inputs, answer())["extra"]
    assert "strange" == inputs_of(inputs, answer())["extra"]
    assert "extra" not in state_of(checked(PROGRAM), answer())


# --- After a refresh -----------------------------------------------------------


def test_a_refresh_returns_the_keys_that_the_inputs_had():
    """A key that a read leaves out is lost, one that it adds would look declared."""
    inputs = checked({**PROGRAM, "cpu": 2, "wait_for": "none", "extra": {"x": 1}})

    found = inputs_of(inputs, answer(cpu=2))

    assert list(inputs) == list(found)
    assert inputs == found


def test_a_refresh_tells_drift_of_declared_fields():
    """Case V6: the inputs say what is live, so that `up` sees what to repair."""
    inputs = checked(
        {**PROGRAM, "cpu": 2, "port": 80, "environment_variables": {"A": "mine"}}
    )
    item = answer(cpu=5, port=..., environment_variables=ENVIRONMENT)

    found = inputs_of(inputs, item)

    assert (5, 80) == (found["cpu"], found["port"])
    assert {"A": "live", "B": SecretValue("foreign")}.items() <= found[
        "environment_variables"
    ].items()


# --- For every combination -----------------------------------------------------


@given(programs())
def test_a_refresh_after_a_creation_changes_nothing(program):
    """Case L1: refresh and update agree about what was declared."""
    inputs = checked(program)
    item = service().create(create_body(inputs, None))

    assert inputs == inputs_of(inputs, item)


@given(programs(), st.data())
def test_every_sequence_of_changes_ends_as_asked(first, data):
    """Case C1: after any updates the service holds what was asked for last."""
    inputs = checked(first)
    item = service().create(create_body(inputs, None))
    for _ in range(2):
        state = wired(state_of(inputs, item))
        kept = {k: v for k, v in first.items() if k not in TOGETHER}
        first = {**kept, **data.draw(programs())}
        news = checked(first, inputs)
        item = service().update("llm-prod", changes(state, news, inputs))
        inputs = news

        after = wired(state_of(inputs, item))
        assert () == diff(after, inputs, old_inputs=inputs).changed


def changes(state, news, inputs):
    """The body of the update that a diff asks for."""
    changed = diff(state, news, old_inputs=inputs).changed
    heads = {path.partition(".")[0].partition("[")[0] for path in changed}
    return {
        name: request_value(name, news.get(name, held_value(name, news)))
        for name in heads & FIELDS.keys()
    }


@given(programs())
def test_no_value_is_mixed_up_on_the_way(program):
    """
    Case C1, peers' bugs 17, 43: every declared value comes back from the service as
    itself.
    """
    inputs = checked(program)
    state = state_of(inputs, service().create(create_body(inputs, None)))

    assert {k: v for k, v in program.items() if k != "environment_variables"} == {
        k: state[k] for k in program if k != "environment_variables"
    }
