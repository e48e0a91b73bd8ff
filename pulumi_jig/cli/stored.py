"""
A live deployment in the form in which the provider would have stored it.

Encrypted inputs are taken over as ciphertext: what is live takes their places while the
life cycle computes, and the ciphertext comes back when it is done. What only the service told
is marked as a secret, so that Pulumi encrypts it.
"""

from __future__ import annotations

import datetime as dt
import importlib
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.cli.state_export import (
    PROVIDER_KEY,
    Record,
    encrypted_leaves,
    to_file,
    with_encrypted,
    with_live_values,
)
from pulumi_jig.naming import DEPLOYMENT_TYPE, SECRET_TYPE, VOLUME_TYPE
from pulumi_jig.values import SecretValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.lifecycle.kind import Kind
    from pulumi_jig.schema.responses import DeploymentResponseItem, ResponseModel

#: The life cycle of each of our types of resources.
_KINDS: Final = {
    DEPLOYMENT_TYPE: "deployment",
    SECRET_TYPE: "secret",
    VOLUME_TYPE: "volume",
}
#: The property that holds the service's own id, by type.
ID_KEYS: Final = {type_: f"{kind}_id" for type_, kind in _KINDS.items()}


def kind_of(type_: str) -> Kind[Any] | None:
    """The life cycle of a type of resource, loaded now; None for what is not ours."""
    name = _KINDS.get(type_)
    if name is None:
        return None
    module = importlib.import_module(f"pulumi_jig.lifecycle.{name}.kind")
    kind: Kind[Any] = getattr(module, name.upper())
    return kind


#: Statuses and reasons in which a deployment exists but does not serve.
_NOT_SERVING: Final = frozenset({"Failed"})


def live_of(item: ResponseModel) -> dict[str, Any]:
    """The fields of an answer in the form that the state has, where one may be encrypted."""
    from pulumi_jig.schema.diff import live_values
    from pulumi_jig.schema.responses import DeploymentResponseItem

    # What else the service keeps encrypted, it does not show.
    return live_values(item) if isinstance(item, DeploymentResponseItem) else {}


def condition(kind: Kind[Any], item: Any) -> str:
    """What to add to "it exists": nothing where it is what was asked for."""
    if not kind.costs:
        return ""
    if item.status in _NOT_SERVING:
        return ", but does not serve (the next `pulumi up` tries to repair it)"
    return "" if item.status in (None, "Ready", "ScaledToZero") else " (rolling out)"


def unfinished(kind: Kind[Any], item: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """
    What the state must remember of a thing whose end nobody waited for.

    Without it the next `pulumi up` would find nothing to do and call it good.
    """
    from pulumi_jig.lifecycle.keys import UNREADY

    if kind.complete_at_once or inputs.get("wait_for") == "none":
        return {}
    if not kind.still_unready(item):
        return {}
    done = "served" if kind.costs else "was ready"
    return {UNREADY: [f"the run that made it ended before it {done}"]}


def times() -> dict[str, str]:
    """The two times of a new resource, as the engine writes them."""
    now = dt.datetime.now(tz=dt.UTC).isoformat(timespec="microseconds")
    now = now.replace("+00:00", "Z")
    return {"created": now, "modified": now}


def outputs_of(
    kind: Kind[Any],
    inputs: Mapping[str, Any],
    item: ResponseModel,
    account: str | None,
    *,
    in_clear: bool,
) -> Record:
    """The outputs that the provider would have written, encrypted values kept encrypted."""
    leaves = dict(encrypted_leaves(dict(inputs)))
    plain = with_live_values(dict(inputs), live_of(item))
    found = kind.state_of(plain, item, account=account)
    if not in_clear:
        found = _without_values(found)
    outputs: Record = to_file(with_encrypted(found, leaves))
    if PROVIDER_KEY in inputs:
        outputs[PROVIDER_KEY] = inputs[PROVIDER_KEY]
    return outputs


def _without_values(value: Any) -> Any:
    # What only the service told stays out of a file; the next refresh fills it in.
    if isinstance(value, SecretValue):
        return SecretValue("[not stored]")
    if isinstance(value, dict):
        return {key: _without_values(item) for key, item in value.items()}
    return value


def refreshed_inputs(kind: Kind[Any], stored: Record, item: ResponseModel) -> Record:
    """The inputs as a refresh would leave them."""
    from pulumi_jig.lifecycle.keys import with_added

    inputs: Record = stored.get("inputs") or {}
    leaves = dict(encrypted_leaves(inputs))
    plain = with_live_values(inputs, live_of(item))
    found: Record = to_file(
        with_encrypted(
            kind.inputs_of(with_added(plain, stored.get("outputs") or {}), item), leaves
        )
    )
    return found


def arrived(
    stored: Record, news: Mapping[str, Any], item: DeploymentResponseItem
) -> bool:
    """
    Whether the service did what the interrupted update asked for.

    All that is readable must be true of what is live. Where only encrypted values may
    differ, the service must have written the deployment since.
    """
    from pulumi_jig.lifecycle.deployment.diff import diff
    from pulumi_jig.lifecycle.deployment.state import state_of
    from pulumi_jig.lifecycle.keys import with_added

    live = live_of(item)
    before: Record = stored.get("inputs") or {}
    wanted = with_live_values(dict(news), live)
    now = state_of(
        with_added(with_live_values(before, live), stored.get("outputs") or {}), item
    )
    now["status"] = "Ready"
    if diff(now, wanted, old_inputs=with_live_values(before, live)).changes:
        return False
    state: Record = stored.get("outputs") or {}
    touched = item.updated_at != state.get("updated_at")
    return touched or not any(True for _ in encrypted_leaves(dict(news)))
