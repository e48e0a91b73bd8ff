"""
What a secret is to the steps that all kinds of things share.

Names are unique within a project. Nothing runs or bills, so what is at stake is another:
a value that nobody can read back, and the deployments that start with it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.errors import APIError, JigError, RequestError
from pulumi_jig.lifecycle.invocation import PartialFailureError, Stored
from pulumi_jig.lifecycle.keys import ASKED_AT, NONCE, UNCONFIRMED
from pulumi_jig.lifecycle.kind import Kind, made_around
from pulumi_jig.lifecycle.memory import remember_held
from pulumi_jig.lifecycle.secret import inputs as given
from pulumi_jig.lifecycle.sending import show
from pulumi_jig.schema.comparison import environment_mapping
from pulumi_jig.schema.responses import SecretResponseItem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.client import JigClient
    from pulumi_jig.client.resources import ResourceClient
    from pulumi_jig.deadline import Deadline
    from pulumi_jig.lifecycle.invocation import Invocation
    from pulumi_jig.lifecycle.sending import Change


class _Secret(Kind[SecretResponseItem]):
    what = "secret"
    id_key = "secret_id"
    complete_at_once = True
    returns = "`adopt=True` takes it over and sends the value that is declared"
    # Nothing rolls out, so an answer is all that is waited for.
    create_timeout = update_timeout = delete_timeout = 2 * 60.0

    def noun(self, client: JigClient) -> ResourceClient[SecretResponseItem]:
        return client.secrets

    def create_body(self, inputs: Mapping[str, Any], urn: str | None) -> dict[str, Any]:
        return given.create_body(inputs, urn)

    def patch_body(
        self,
        inputs: Mapping[str, Any],
        live: SecretResponseItem,
        inv: Invocation,
        state: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        return given.patch_body(inputs, live, inv, state)

    def arrived(
        self,
        body: Mapping[str, Any],
        found: SecretResponseItem,
        before: SecretResponseItem,
    ) -> bool:
        seen = not self.unseen(body, before)
        return seen and found.description == body["description"]

    def unseen(self, body: Mapping[str, Any], before: SecretResponseItem) -> bool:
        # A value is never shown, and a lifetime that began anew looks as before. What
        # changes the description with it is seen by that: an update is one piece.
        text = body.get("description")
        return text is None or text == (before.description or "")

    def differences(
        self,
        inputs: Mapping[str, Any],
        item: SecretResponseItem,
        inv: Invocation | None = None,
    ) -> list[str]:
        return given.differences(inputs, item, inv)

    def is_twin(
        self,
        found: SecretResponseItem,
        data: Mapping[str, Any],
        around: float | None = None,
    ) -> bool:
        # No value is shown, so anybody's secret of that name would look like ours.
        made = made_around(found, data, around, self.create_timeout)
        return made and not self.differences(data, found)

    def state_of(
        self,
        inputs: Mapping[str, Any],
        item: SecretResponseItem | None,
        *,
        account: str | None = None,
    ) -> dict[str, Any]:
        outputs = given.state_of(inputs, item, account=account)
        if item is None:
            outputs[ASKED_AT] = int(time.time())
        return outputs

    def inputs_of(
        self, old_inputs: Mapping[str, Any], item: SecretResponseItem
    ) -> dict[str, Any]:
        return given.inputs_of(old_inputs, item)

    def inputs_in(self, state: Mapping[str, Any]) -> dict[str, Any]:
        return given.inputs_in(state)

    def notice(
        self, state: Mapping[str, Any], item: SecretResponseItem, inv: Invocation
    ) -> None:
        before, now = state.get("updated_at"), item.updated_at
        same = state.get(self.id_key) in (None, item.id)
        if same and isinstance(before, str) and now is not None and now != before:
            inv.log(
                "warning",
                f"secret {state['name']} was changed outside of this program at {now}. "
                "The service shows no values, so nothing tells whether it still has "
                "yours; another `version` sends it again.",
            )

    def finish(
        self, change: Change[SecretResponseItem], inv: Invocation, ctx: Deadline
    ) -> Stored:
        item, name = change.item, str(change.inputs["name"])
        reason = None
        if item.id is None:
            # A receipt only. What it is about must be known by its id.
            try:
                item = show(self, name, change.inputs, inv, ctx)
            except JigError as error:
                reason = error.message
        remember_held(item.id, change.inputs.get(NONCE))
        outputs = given.state_of(change.inputs, item, account=change.account)
        if item.id is None:
            outputs[UNCONFIRMED] = True
            why = reason or "no answer held its id."
            raise PartialFailureError(
                name,
                outputs,
                [
                    f"Secret {name} was accepted, but could not be looked at: {why} It "
                    "is kept in the state as unconfirmed; the next `pulumi up` finds it."
                ],
            )
        wrong = given.differences(change.inputs, item, inv)
        if wrong:
            inv.log(
                "warning",
                f"the service shows other values than were sent: {', '.join(wrong)}",
            )
        return Stored(name, outputs)

    def may_return(self, state: Mapping[str, Any]) -> bool:
        return state.get("expires_at") is not None

    def in_use(
        self,
        state: Mapping[str, Any],
        error: APIError,
        inv: Invocation,
        ctx: Deadline,
    ) -> str:
        names = ", ".join(self._users(state, inv, ctx))
        where = f" (used by {names})" if names else ""
        return (
            f"The service refuses to delete secret {state['name']}{where}: "
            f"{error.detail or error.message} Take it out of the "
            "`environment_variables` of every deployment that starts with it, or destroy "
            "those first, then run `pulumi destroy` or `pulumi up` again."
        )

    def _users(
        self, state: Mapping[str, Any], inv: Invocation, ctx: Deadline
    ) -> list[str]:
        """The deployments that start with it, as far as the service tells."""
        words = {state["name"], state.get(self.id_key)}
        try:
            found = inv.client.deployments.list(ctx)
        except (APIError, RequestError):
            return []
        return sorted(
            str(item.name)
            for item in found
            for value in environment_mapping(item.environment_variables).values()
            if isinstance(value, dict) and value.get("value_from_secret") in words
        )


SECRET: Final = _Secret()
