"""Whose it is, across runs: each process knows only what state and service tell it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from plugin import KEY, URN, Failed, Listener, Plugin
from scripted import Say, Scripted

from pulumi_jig.emulator import EmulatorServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripted import Seen

Record = dict[str, Any]

RIVAL = "acct:rival:key-canary-9876543210"
PROGRAM: Record = {
    "name": "the-one",
    "image": "registry.example/app:1",
    "gpu_type": "none",
    "port": 8000,
    "health_check_path": "/health",
}


@pytest.fixture
def account() -> Iterator[EmulatorServer]:
    """A service of the test's own, on which every transition is over at once."""
    with EmulatorServer(time_scale=0, admin=True) as running:
        yield running


def names(service: EmulatorServer) -> list[str]:
    found = service.backend.run(
        lambda now: list(service.backend.deployments.records(None, now))
    )
    return [d["name"] for d in found if "deleting_since" not in d]


# --- Two entries of one state ----------------------------------------------------


def unconfirmed(inputs: Record) -> Record:
    """What the state holds of a creation whose end nobody saw."""
    return {
        **inputs,
        "__nonce": "0123456789ab",
        "__unconfirmed": True,
    }


def test_an_older_entry_does_not_delete_what_the_newer_one_holds(
    account: EmulatorServer,
) -> None:
    """
    The deletion of an unconfirmed, unmarked entry leaves what another entry has.

    `up --replace` has made the newer one in an earlier run; now only the state knows.
    """
    with Plugin(account.url) as plugin:
        inputs, _ = plugin.check({**PROGRAM, "ownership_mark": False})
        _, outputs = plugin.create(inputs)
    with Plugin(account.url) as plugin:
        plugin.diff(outputs, inputs, inputs)
        plugin.delete(unconfirmed(outputs | {"deployment_id": None}))
        assert names(account) == ["the-one"]
        assert plugin.read(outputs, inputs)[0] == "the-one"
        # The newer entry itself can be deleted.
        plugin.delete(outputs)
    assert names(account) == []


def test_two_entries_of_one_deployment_let_it_live(account: EmulatorServer) -> None:
    """A refresh that confirmed the older entry by mistake does no harm either."""
    with Plugin(account.url) as plugin:
        inputs, _ = plugin.check({**PROGRAM, "ownership_mark": False})
        _, outputs = plugin.create(inputs)
    older = {**outputs, "__nonce": "0123456789ab"}
    with Plugin(account.url) as plugin:
        plugin.diff(outputs, inputs, inputs)
        plugin.delete(older)
    assert names(account) == ["the-one"]
    # A destroy asks for both, and nothing is left.
    with Plugin(account.url) as plugin:
        plugin.delete(older)
        plugin.delete(outputs)
    assert names(account) == []


# --- Accounts that were never learnt ---------------------------------------------


@pytest.fixture
def unlearnt(account: EmulatorServer) -> Record:
    """A state of a green `up` during which the service would not say whose key it is."""
    account.admin.fault("GET", "/whoami", times=None, status=403)
    with Plugin(account.url) as plugin:
        outputs = plugin.made(PROGRAM)
    assert "__account" not in outputs
    account.admin.clear_faults()
    return outputs


def test_another_accounts_404_empties_no_state(
    account: EmulatorServer, unlearnt: Record
) -> None:
    """Where the account was never learnt, the state is kept, and that is said."""
    with Plugin(account.url, key=RIVAL) as plugin:
        for step in (plugin.read, plugin.delete):
            with pytest.raises(Failed, match="The state is kept") as caught:
                step(unlearnt)
            assert "never said which account created it" in caught.value.message
    assert names(account) == ["the-one"]


def test_the_key_that_created_it_proves_that_it_is_gone(
    account: EmulatorServer, unlearnt: Record
) -> None:
    """The same key is the same account, whether or not the service says which."""
    with Plugin(account.url) as other:
        other.delete(unlearnt)
    account.admin.fault("GET", "/whoami", times=None, status=403)
    with Plugin(account.url) as plugin:
        assert plugin.read(unlearnt)[0] == ""


def test_an_account_is_learnt_by_the_next_refresh(
    account: EmulatorServer, unlearnt: Record
) -> None:
    """What a read has seen belongs to the account of its key."""
    with Plugin(account.url) as plugin:
        _, learnt, _ = plugin.read(unlearnt)
    assert learnt["__account"] == "org_home/proj_home"
    with (
        Plugin(account.url, key=RIVAL) as plugin,
        pytest.raises(Failed, match="belongs to account"),
    ):
        plugin.read(learnt)


def test_the_key_itself_is_not_in_the_state(unlearnt: Record) -> None:
    """What tells keys apart is short and one-way."""
    assert KEY not in str(unlearnt)
    assert len(unlearnt["__key"]) == 16


# --- One at a time ---------------------------------------------------------------


def test_operations_on_one_name_are_made_one_after_the_other() -> None:
    """
    Case R17: nothing is asked about a deployment while another call works on it.

    The service holds back its answer to the creation until another call's request
    arrives, which must not happen, or for a second.
    """
    order: list[str] = []
    asked, disturbed = threading.Event(), threading.Event()

    def answer(seen: Seen) -> Say:
        if seen.target.endswith("/whoami"):
            return Say(body={"project": {"id": "p"}})
        order.append(seen.method)
        if seen.method == "POST":
            asked.set()
            disturbed.wait(1)
            order.append("answered")
            return Say(body={"id": "d-1", "name": "the-one", "image": "x"})
        disturbed.set()
        return Say(404, body={"error": {"message": "not found"}})

    with Scripted(answer) as service, Plugin(service.url) as plugin:
        inputs, _ = plugin.check({**PROGRAM, "wait_for": "none"})
        # A preview asks what exists.
        order.clear()
        disturbed.clear()
        creation = plugin.stub.Create.future(plugin.create_request(inputs), timeout=60)
        assert asked.wait(30)
        plugin.delete(inputs)
        creation.exception(timeout=60)
    assert order[:2] == ["POST", "answered"]
    assert "GET" in order


# --- Names that exist, in a preview ------------------------------------------------


def test_what_exists_is_asked_for_once(account: EmulatorServer) -> None:
    """A check of a new resource tells of its taken name; one request serves them all."""
    with Plugin(account.url) as plugin:
        plugin.made(PROGRAM)
    account.admin.clear_requests()
    listener = Listener()
    with Plugin(account.url, engine=listener) as plugin:
        for name in ("the-one", "the-two", "the-three"):
            urn = f"{URN}-{name}"
            assert plugin.check({**PROGRAM, "name": name}, urn=urn)[1] == []
    (told,) = listener.said(ephemeral=False)
    listener.die()
    assert told.startswith('cannot be created as things are: A deployment "the-one"')
    assert [(r["method"], r["path"]) for r in account.admin.requests()] == [
        ("GET", "/deployments")
    ]


def test_what_is_being_replaced_is_not_called_taken(account: EmulatorServer) -> None:
    """With `delete_before_replace` the name is free by the time it is needed."""
    with Plugin(account.url) as plugin:
        inputs, _ = plugin.check(PROGRAM)
        _, outputs = plugin.create(inputs)
    listener = Listener()
    with Plugin(account.url, engine=listener) as plugin:
        plugin.diff(outputs, inputs, inputs)
        plugin.check(PROGRAM)
    told = listener.said(ephemeral=False)
    listener.die()
    assert told == []


@pytest.mark.parametrize("status", [403, 500])
def test_a_list_that_is_refused_stands_in_no_ones_way(
    account: EmulatorServer, status: int
) -> None:
    """What exists could not be learnt, so nothing is said and nothing fails."""
    account.admin.fault("GET", "/deployments", times=None, status=status)
    listener = Listener()
    with Plugin(account.url, engine=listener) as plugin:
        assert plugin.check(PROGRAM)[1] == []
    told = listener.said(ephemeral=False)
    listener.die()
    assert told == []
