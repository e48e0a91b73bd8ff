"""
The inputs of a deployment: which keys there are, and how they become a request.

Three sorts of keys live side by side in a deployment's inputs and state: fields of the
API (`pulumi_jig.schema.deployment`), options of ours that are never sent, and bookkeeping
(`lifecycle.keys`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.lifecycle import keys
from pulumi_jig.lifecycle.keys import mark_of
from pulumi_jig.naming import join_description
from pulumi_jig.schema.comparison import environment_list
from pulumi_jig.schema.deployment import FIELDS
from pulumi_jig.values import reveal, whole_numbers, without_none

if TYPE_CHECKING:
    from collections.abc import Mapping

# --- Keys ----------------------------------------------------------------------

#: Options of ours: they steer the provider and are never sent.
OPTIONS: Final = (
    "wait_for",
    "on_failed_update",
    "adopt",
    "ownership_mark",
)
#: Fields of the API that are newer than this package, passed through.
EXTRA: Final = "extra"

#: Where it answers. The check puts it among the inputs, since the process that sends the
#: requests knows the address, and a preview shows the inputs.
ENDPOINT: Final = "endpoint_url"

#: What the service tells and nobody declares.
OUTPUTS: Final = (
    "deployment_id",
    "status",
    "revision_id",
    "desired_replicas",
    "ready_replicas",
    "created_at",
    "updated_at",
)


def declared_keys(data: Mapping[str, Any]) -> set[str]:
    """The names of the keys that the program set, from inputs or state."""
    return keys.declared_keys(data, {*FIELDS, *OPTIONS, EXTRA})


def declared_fields(data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the API that the program set, with their values."""
    declared = declared_keys(data)
    found = {name: data[name] for name in FIELDS if name in declared and name in data}
    # The name counts whether it was declared or made: it is what was asked for.
    if "name" in data:
        found["name"] = data["name"]
    return without_none(found)


def added_in(data: Mapping[str, Any]) -> list[str]:
    """Property paths that the service itself added, from a state; see `fields`."""
    listed = data.get(keys.ADDED)
    return (
        [path for path in listed if isinstance(path, str)]
        if isinstance(listed, list)
        else []
    )


# --- Requests ------------------------------------------------------------------


def request_value(name: str, value: Any) -> Any:
    """One field as the API takes it."""
    value = whole_numbers(reveal(value))
    if name == "environment_variables":
        return environment_list(value)
    return _without_open_keys(value)


def _without_open_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_open_keys(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_open_keys(v) for v in value]
    return value


def create_body(inputs: Mapping[str, Any], urn: str | None) -> dict[str, Any]:
    """The body of the request that creates the deployment."""
    # At creation "none of it" is said by leaving a field out.
    body = {
        name: value
        for name, declared in declared_fields(inputs).items()
        if (value := request_value(name, declared)) not in ("", [], {})
    }
    description = join_description(body.get("description", ""), mark_of(inputs, urn))
    if description:
        body["description"] = description
    return {**extra_fields(inputs), **body}


def extra_fields(data: Mapping[str, Any]) -> dict[str, Any]:
    """The pass-through fields that the program set."""
    extra = reveal(data.get(EXTRA))
    if not isinstance(extra, dict):
        return {}
    return {str(k): whole_numbers(v) for k, v in extra.items()}
