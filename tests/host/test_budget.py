"""Budgets in the real plugin host, and the reference to their provider in the state."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest
from plugin import SECRET, SIGNATURE, UNKNOWN, Plugin, called, plain, raw, struct
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime.proto import provider_pb2

from pulumi_jig.naming import GPU_BUDGET_TYPE
from pulumi_jig.provider import COUNTED, GpuBudgetProvider
from pulumi_jig.resources import GpuBudget

if TYPE_CHECKING:
    from collections.abc import Iterator

Record = dict[str, Any]

#: The string that every state with a budget holds, by pickle protocol.
PROVIDERS = {
    4: "gASVMAAAAAAAAACME3B1bHVtaV9qaWcucHJvdmlkZXKUjBFHcHVCdWRnZXRQcm92aWRlcpSTlCmBlC4=",
    5: "gAWVMAAAAAAAAACME3B1bHVtaV9qaWcucHJvdmlkZXKUjBFHcHVCdWRnZXRQcm92aWRlcpSTlCmBlC4=",
}
URN = f"urn:pulumi:prod::shop::{GPU_BUDGET_TYPE}::team"
MEMBER = {"name": "a", "gpu_type": "h100-80gb", "gpu_count": 2.0}
INPUTS: Record = {"name": "team", "max_total_gpus": 2.0, "members": [MEMBER]}


@pytest.fixture(scope="module")
def host() -> Iterator[Plugin]:
    """A plugin host that has no key and no service: a budget needs neither."""
    with Plugin(None, key=None) as running:
        yield running


def wired(data: Record) -> Any:
    """Data as the engine sends it for a budget."""
    return struct({**data, "__provider": PROVIDERS[4]})


def check(host: Plugin, news: Record) -> tuple[Record, list[tuple[str, str]]]:
    """Inputs as they will be stored, and failures."""
    answer = called(
        host.stub.Check,
        provider_pb2.CheckRequest(urn=URN, olds=struct({}), news=wired(news)),
    )
    failures = [(f.property, f.reason) for f in answer.failures]
    return plain(answer.inputs), failures


def diff(host: Plugin, olds: Record, news: Record) -> tuple[Any, list[str]]:
    """Whether something changes, and what it replaces."""
    answer = called(
        host.stub.Diff,
        provider_pb2.DiffRequest(
            id="team", urn=URN, olds=wired(olds), news=wired(news)
        ),
    )
    return answer.changes, list(answer.replaces)


@pytest.mark.parametrize("protocol", sorted(PROVIDERS))
def test_the_reference_to_the_provider_is_the_same_for_ever(
    monkeypatch: pytest.MonkeyPatch, protocol: int
) -> None:
    """Module and class name, nothing captured, nothing encrypted (Cases L12, L23)."""
    monkeypatch.setattr(pickle, "DEFAULT_PROTOCOL", protocol)

    assert PROVIDERS[protocol] == serialize_provider(GpuBudgetProvider())
    assert vars(GpuBudgetProvider()) == {}
    assert GpuBudgetProvider.serialize_as_secret_always is False


def test_the_type_token_survives_subclasses() -> None:
    """A team's own class of budgets stays a budget to policies and states."""

    class TeamBudget(GpuBudget):
        """One of a team's own."""

    for kind in (GpuBudget, TeamBudget):
        assert f"pulumi-python:{kind._resource_type_name}" == GPU_BUDGET_TYPE


def test_a_life_echoes_its_inputs(host: Plugin) -> None:
    """What policies read in the outputs is what the check let pass, in every step."""
    inputs, failures = check(host, INPUTS)
    made = called(
        host.stub.Create,
        provider_pb2.CreateRequest(urn=URN, properties=wired(inputs)),
    )
    read = called(
        host.stub.Read,
        provider_pb2.ReadRequest(id="team", urn=URN, properties=made.properties),
    )
    news = {**INPUTS, "members": []}
    updated = called(
        host.stub.Update,
        provider_pb2.UpdateRequest(
            id="team", urn=URN, olds=made.properties, news=wired(news)
        ),
    )
    called(
        host.stub.Delete,
        provider_pb2.DeleteRequest(id="team", urn=URN, properties=made.properties),
    )

    assert ([], INPUTS) == (failures, inputs)
    assert ("team", INPUTS) == (made.id, plain(made.properties))
    assert ("team", INPUTS) == (read.id, plain(read.properties))
    assert {} == raw(read.inputs)
    assert news == plain(updated.properties)


def test_a_broken_limit_is_a_failure_at_its_property(host: Plugin) -> None:
    """Numbers cross the wire as doubles and are said as people write them."""
    _, failures = check(host, {**INPUTS, "max_total_gpus": 1.0})

    assert [
        (
            "max_total_gpus",
            'The budget "team" must not use more than 1 GPUs in total; it uses 2 (a 2). '
            "Lower the largest, or have the budget's max_total_gpus raised.",
        )
    ] == failures


@pytest.mark.parametrize(
    ("count", "expected"),
    [(UNKNOWN, UNKNOWN), ({SIGNATURE: SECRET, "value": 2.0}, 2.0)],
)
def test_unknown_and_secret_sizes_pass_through(
    host: Plugin, count: Any, expected: Any
) -> None:
    """What is not known is not judged and stays unknown; a secret is judged."""
    member = {**MEMBER, "gpu_count": count}

    inputs, failures = check(host, {**INPUTS, "members": [member]})

    assert [] == failures
    assert expected == inputs["members"][0]["gpu_count"]


def test_a_change_is_an_update_in_place(host: Plugin) -> None:
    """Definite in both directions, and never a replacement."""
    some, none = (
        provider_pb2.DiffResponse.DIFF_SOME,
        provider_pb2.DiffResponse.DIFF_NONE,
    )

    assert (none, []) == diff(host, INPUTS, INPUTS)
    assert (some, []) == diff(host, INPUTS, {**INPUTS, "name": "other"})
    assert (some, []) == diff(host, INPUTS, {**INPUTS, "members": []})


@pytest.mark.parametrize(
    ("counted", "expected"),
    [
        ({"fault": "it is not counted."}, ["it is not counted."]),
        ({"size": {"gpu_type": "none", "max_replicas": 2.0}}, []),
        (UNKNOWN, []),
        (
            {"size": {"gpu_type": "none"}},
            [
                "its budget was told another max_replicas than it has, since a "
                "transformation changed it on the way. Declare it where the deployment "
                "is declared."
            ],
        ),
    ],
)
def test_an_uncounted_deployment_is_refused_and_the_note_not_stored(
    plugin: Plugin, counted: Any, expected: list[str]
) -> None:
    """What the program tells of its budget is judged by the check, and is no input."""
    program = {"image": "r/app:1", "gpu_type": "none", "max_replicas": 2.0}

    inputs, failures = plugin.check({**program, COUNTED: counted})

    assert [("budget", sentence) for sentence in expected] == failures
    assert COUNTED not in inputs
