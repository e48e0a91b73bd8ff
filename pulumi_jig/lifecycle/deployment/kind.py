"""
What a deployment is to the steps that all kinds of things share.

Names are unique across all customers of the service, and one that exists bills. An
answer may name a secret or a volume by its id where the program wrote the name; that is
put right here, so that no comparison takes it for a change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.lifecycle.deployment import inputs as given
from pulumi_jig.lifecycle.deployment import patching, state
from pulumi_jig.lifecycle.deployment.diff import released_variables
from pulumi_jig.lifecycle.deployment.references import recognise
from pulumi_jig.lifecycle.deployment.serving import roll_out
from pulumi_jig.lifecycle.keys import HIDDEN_INPUTS
from pulumi_jig.lifecycle.kind import Kind
from pulumi_jig.rollout import counted
from pulumi_jig.schema.deployment import FIELDS
from pulumi_jig.schema.responses import DeploymentResponseItem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.client import JigClient
    from pulumi_jig.client.resources import ResourceClient
    from pulumi_jig.deadline import Deadline
    from pulumi_jig.lifecycle.invocation import Invocation, Stored
    from pulumi_jig.lifecycle.sending import Change

#: Words that say of a deployment that it does what was asked of it.
SERVING: Final = ("Ready", "ScaledToZero")


class _Deployment(Kind[DeploymentResponseItem]):
    what = "deployment"
    id_key = "deployment_id"
    costs = True
    takers = "`adopt=True` or `pulumi-jig import`"
    returns = (
        "`pulumi-jig recover` (with --adopt-marked where the state has no operation of "
        "that run) takes it back into the state"
    )
    reach = "across all customers of the service"

    def noun(self, client: JigClient) -> ResourceClient[DeploymentResponseItem]:
        return client.deployments

    def recognise(
        self,
        item: DeploymentResponseItem,
        data: Mapping[str, Any],
        inv: Invocation,
        ctx: Deadline,
    ) -> DeploymentResponseItem:
        return recognise(item, data, inv.client, ctx)

    def create_body(self, inputs: Mapping[str, Any], urn: str | None) -> dict[str, Any]:
        return given.create_body(inputs, urn)

    def patch_body(
        self,
        inputs: Mapping[str, Any],
        live: DeploymentResponseItem,
        inv: Invocation,
        state: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        released = state is not None and released_variables(inputs, inv.old_inputs)
        return patching.patch_body(inputs, live, inv, released=bool(released))

    def arrived(
        self,
        body: Mapping[str, Any],
        found: DeploymentResponseItem,
        _before: DeploymentResponseItem,
    ) -> bool:
        return patching.arrived(body, found)

    def differences(
        self,
        inputs: Mapping[str, Any],
        item: DeploymentResponseItem,
        inv: Invocation | None = None,
    ) -> list[str]:
        return patching.differences(inputs, item, inv)

    def state_of(
        self,
        inputs: Mapping[str, Any],
        item: DeploymentResponseItem | None,
        *,
        account: str | None = None,
    ) -> dict[str, Any]:
        return state.state_of(inputs, item, account=account)

    def inputs_of(
        self, old_inputs: Mapping[str, Any], item: DeploymentResponseItem
    ) -> dict[str, Any]:
        return state.inputs_of(old_inputs, item)

    def inputs_in(self, state: Mapping[str, Any]) -> dict[str, Any]:
        keys = {*given.OPTIONS, given.EXTRA, *FIELDS} & given.declared_keys(state)
        keys |= {"name", given.ENDPOINT, *HIDDEN_INPUTS}
        return {key: state[key] for key in keys if state.get(key) is not None}

    def still_unready(self, item: DeploymentResponseItem) -> bool:
        return item.status not in SERVING

    def reached(self, outputs: Mapping[str, Any]) -> str:
        if outputs.get("wait_for") == "none":
            return "accepted; not waited for"
        if outputs.get("status") == "ScaledToZero":
            return "scaled to zero"
        ready = outputs.get("ready_replicas")
        return f"serves with {counted(ready)}" if isinstance(ready, int) else "serves"

    def finish(
        self,
        change: Change[DeploymentResponseItem],
        inv: Invocation,
        ctx: Deadline,
    ) -> Stored:
        return roll_out(change, inv, ctx)


DEPLOYMENT: Final = _Deployment()
