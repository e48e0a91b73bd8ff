"""
What the steps that all kinds of things share need to know of one of them.

Creating exactly once, telling whose a thing is, settling a lost answer and deleting only
what is ours are the same whether the thing is a deployment or a secret. What differs is
here: what it is called, what a request holds, how an answer becomes a state, and what
follows once the service has accepted a change.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from pulumi_jig.lifecycle.invocation import (
    CREATE_TIMEOUT,
    DELETE_TIMEOUT,
    UPDATE_TIMEOUT,
    Stored,
)
from pulumi_jig.lifecycle.keys import ASKED_AT, UNREADY, mark_of
from pulumi_jig.naming import split_description
from pulumi_jig.schema.responses import ResponseModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.client import JigClient
    from pulumi_jig.client.resources import ResourceClient
    from pulumi_jig.deadline import Deadline
    from pulumi_jig.errors import APIError
    from pulumi_jig.lifecycle.invocation import Invocation
    from pulumi_jig.lifecycle.sending import Change
    from pulumi_jig.naming import Mark

Item = TypeVar("Item", bound=ResponseModel)

#: Seconds by which the service's clock and ours may differ.
CLOCK_SKEW: Final = 300.0


class Kind(ABC, Generic[Item]):
    """
    One kind of thing, as the shared steps see it.

    Attributes:
        what: What one is called.
        id_key: The property that holds the service's own id.
        costs: Whether one that exists runs and bills.
        marked: Whether a description can carry the mark.
        takers: What takes an existing one over, for the message that one is taken.
        returns: What takes one back that an interrupted run has left with our mark and
            without an operation in the state.
        complete_at_once: Whether one that the service has accepted is all that it will
            be, so that nothing is waited for.
        reach: Within what its names are unique, for the message that one is taken.
        create_timeout: Seconds, where the program sets no limit; so the other two.
        patience: Seconds for which an update whose answer got lost is looked for before
            it is sent again; more than one look where a second one does more.
    """

    what: str
    id_key: str
    costs: bool = False
    complete_at_once: bool = False
    marked: bool = True
    takers: str = "`adopt=True`"
    returns: str = "`adopt=True` takes it over"
    reach: str = "within a project"
    create_timeout: float = CREATE_TIMEOUT
    update_timeout: float = UPDATE_TIMEOUT
    delete_timeout: float = DELETE_TIMEOUT
    patience: float = 0.0

    # --- The service -------------------------------------------------------------

    @abstractmethod
    def noun(self, client: JigClient) -> ResourceClient[Item]:
        """The verbs of the API."""

    def recognise(
        self,
        item: Item,
        _data: Mapping[str, Any],
        _inv: Invocation,
        _ctx: Deadline,
    ) -> Item:
        """An answer, in the words that the program used for the same things."""
        return item

    # --- Requests ----------------------------------------------------------------

    @abstractmethod
    def create_body(self, inputs: Mapping[str, Any], urn: str | None) -> dict[str, Any]:
        """The body of the request that creates it."""

    @abstractmethod
    def patch_body(
        self,
        inputs: Mapping[str, Any],
        live: Item,
        inv: Invocation,
        state: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        """
        What to send so that the inputs become true of what is live; empty for nothing.

        Args:
            inputs: What is declared.
            live: What is there.
            inv: The call.
            state: What the state held before; None when it is taken over.
        """

    @abstractmethod
    def arrived(self, body: Mapping[str, Any], found: Item, before: Item) -> bool:
        """
        Whether an answer proves that all of an update has taken effect.

        Args:
            body: What was sent.
            found: What is there now.
            before: What was there before it was sent.
        """

    def unseen(self, _body: Mapping[str, Any], _before: Item) -> bool:
        """Whether no look can ever tell if an update has taken effect."""
        return False

    @abstractmethod
    def differences(
        self, inputs: Mapping[str, Any], item: Item, inv: Invocation | None = None
    ) -> list[str]:
        """Declared fields that are not true of an answer."""

    def is_twin(
        self, found: Item, data: Mapping[str, Any], _around: float | None = None
    ) -> bool:
        """
        Whether a thing without a mark is the one whose creation got no answer.

        Args:
            found: What is there, where nothing was before the request.
            data: What was asked for, or the state that remembers it.
            _around: When it was asked for, in seconds since 1970, where only that can
                say that nothing was there before.
        """
        return not self.differences(data, found)

    # --- State -------------------------------------------------------------------

    @abstractmethod
    def state_of(
        self,
        inputs: Mapping[str, Any],
        item: Item | None,
        *,
        account: str | None = None,
    ) -> dict[str, Any]:
        """What the state shall hold; `item` is None before there was an answer."""

    def unsettled(
        self, change: Change[Item], _state: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """
        What the state shall hold where nobody knows whether an update arrived.

        Args:
            change: What was asked for, and what was there before.
            _state: The state from before; None when it is taken over.
        """
        outputs = self.state_of(change.inputs, change.item, account=change.account)
        # A refresh clears what the engine itself remembers of the failure, and may show
        # the new values before they serve.
        outputs[UNREADY] = ["it is not known whether the last update arrived"]
        return outputs

    def unfinished_update(self, _state: Mapping[str, Any]) -> dict[str, Any]:
        """
        What the state must remember of an update whose end nobody saw.

        Args:
            _state: The state from before it.
        """
        return {}

    @abstractmethod
    def inputs_of(self, old_inputs: Mapping[str, Any], item: Item) -> dict[str, Any]:
        """The state's inputs after a refresh: exactly the keys that they had."""

    @abstractmethod
    def inputs_in(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs that a state echoes, for a host that cannot tell them."""

    def still_unready(self, _item: Item) -> bool:
        """Whether a look leaves what the state remembers of a failure as it is."""
        return True

    def notice(self, _state: Mapping[str, Any], _item: Item, _inv: Invocation) -> None:
        """Tell people what a look shows and no comparison can."""

    # --- Around it ---------------------------------------------------------------

    @abstractmethod
    def finish(self, change: Change[Item], inv: Invocation, ctx: Deadline) -> Stored:
        """
        From "accepted" to the state: wait for whatever it takes.

        Raises:
            PartialFailureError: It exists, and not as it was asked for.
        """

    def may_return(self, _state: Mapping[str, Any]) -> bool:
        """Whether an update makes anew what is gone (it was bound to go)."""
        return False

    def taken_unmarked(
        self, start: str, _data: Mapping[str, Any], _urn: str | None
    ) -> str:
        """Why one that exists without a mark is not taken for ours, and the way on."""
        return (
            f"{start} and carries no mark of any program. Nothing was changed. Choose "
            f"another `name`, or take it over with {self.takers}."
        )

    def require_unused(
        self,
        _item: Item,
        _state: Mapping[str, Any],
        _inv: Invocation,
        _ctx: Deadline,
    ) -> None:
        """
        Refuse to delete one that is needed, before anything is sent.

        Raises:
            RolloutError: It is needed, with by whom and what to do.
        """

    def in_use(
        self,
        state: Mapping[str, Any],
        error: APIError,
        _inv: Invocation,
        _ctx: Deadline,
    ) -> str:
        """Why the service refuses to delete one for good, and what to do."""
        running = " It is still running and billing." if self.costs else ""
        return (
            f"The service refuses to delete {self.what} {state['name']}: "
            f"{error.detail or error.message}{running} Remove what uses it, then run "
            "`pulumi destroy` or `pulumi up` again."
        )

    # --- Words -------------------------------------------------------------------

    def title(self, name: object) -> str:
        """The beginning of a sentence about one."""
        return f"{self.what.capitalize()} {name}"

    def reached(self, _outputs: Mapping[str, Any]) -> str:
        """What an operation has come to, in a few words; empty where "done" says it."""
        return ""

    def at_stake(self, sentence: str) -> str:
        """A sentence about money, where there is any to lose."""
        return sentence if self.costs else ""

    def key(self, name: str) -> str:
        """A name that no other kind has, for what a process remembers."""
        return f"{self.what} {name}"

    def mark(self, data: Mapping[str, Any], urn: str | None) -> Mark | None:
        """The mark that it shall carry, or None."""
        return mark_of(data, urn) if self.marked else None


def mark_on(item: ResponseModel) -> Mark | None:
    """The mark that a live thing carries."""
    description = getattr(item, "description", None)
    return split_description(description if isinstance(description, str) else "")[1]


def id_of(item: ResponseModel) -> str | None:
    """The service's own id in an answer."""
    found = getattr(item, "id", None)
    return None if found is None else str(found)


def name_in(item: ResponseModel) -> str | None:
    """The name in an answer."""
    found = getattr(item, "name", None)
    return None if found is None else str(found)


def made_around(
    item: ResponseModel, data: Mapping[str, Any], around: float | None, within: float
) -> bool:
    """
    Whether a thing was created when its creation was asked for.

    Args:
        item: What is there.
        data: What was asked for, or the state that remembers it, and when.
        around: When it was asked for, in seconds since 1970, where `data` does not say.
        within: Seconds that the request may have been on its way.
    """
    asked_at = data.get(ASKED_AT) if around is None else around
    if not isinstance(asked_at, int | float):
        # Asked a moment ago, by this very operation.
        return True
    made_at = _seconds(getattr(item, "created_at", None))
    earliest = asked_at - within - CLOCK_SKEW
    return made_at is not None and earliest <= made_at <= asked_at + CLOCK_SKEW


def _seconds(moment: Any) -> float | None:
    try:
        told = datetime.fromisoformat(str(moment))
    except ValueError:
        return None
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
