"""
The inputs of a deployment: which keys there are, and how they become a request.

Three sorts of keys live side by side in a deployment's inputs and state: fields of the
API (`pulumi_jig.fields`), options of ours that are never sent, and bookkeeping, which
begins with two underscores so that displays and policies do not show it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.fields import FIELDS, environment_list, environment_mapping
from pulumi_jig.naming import Mark, join_description
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
    "budget",
)
#: Fields of the API that are newer than this package, passed through.
EXTRA: Final = "extra"

#: Names of the keys that the program set.
DECLARED: Final = "__declared"
#: Tells two deployments of one URN apart; also in the mark.
NONCE: Final = "__nonce"
#: Where the resource stands, as the program told it: organization, project, stack,
#: resource, namespace.
PROGRAM: Final = "__program"
#: Whose key created it, in the API's own word.
ACCOUNT: Final = "__account"
#: The creation ended without an answer: true until an update has settled it.
UNCONFIRMED: Final = "__unconfirmed"
#: Why the last roll-out failed, for a host that cannot store a partial failure.
UNREADY: Final = "__unready"

#: Characters that a value must have to be looked for in texts.
SHORTEST_SECRET: Final = 6

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

#: Bookkeeping among the inputs. The other hidden keys live in the state only.
HIDDEN_INPUTS: Final = (DECLARED, NONCE, PROGRAM)


def declared_keys(data: Mapping[str, Any]) -> set[str]:
    """The names of the keys that the program set, from inputs or state."""
    listed = data.get(DECLARED)
    if isinstance(listed, list):
        return {key for key in listed if isinstance(key, str)}
    # A state without bookkeeping (hand-written, or imported): what is there was meant.
    return {key for key in data if key in FIELDS or key in (*OPTIONS, EXTRA)}


def declared_fields(data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the API that the program set, with their values."""
    declared = declared_keys(data)
    found = {name: data[name] for name in FIELDS if name in declared and name in data}
    # The name counts whether it was declared or made: it is what was asked for.
    if "name" in data:
        found["name"] = data["name"]
    return without_none(found)


# --- Who it is -----------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """
    Where a resource stands.

    Attributes:
        organization: Pulumi organization.
        project: Pulumi project.
        stack: Pulumi stack.
        resource: The resource's name in the program.
        urn: Its URN, or the best substitute that the host had.
        namespace: The stack's `jig:namespace`.
    """

    organization: str
    project: str
    stack: str
    resource: str
    urn: str
    namespace: str


def place_of(data: Mapping[str, Any], urn: str | None) -> Place:
    """
    Where a resource stands, from its URN and what the program told about itself.

    The URN counts where both know something: the program cannot see its own URN.
    """
    told = data.get(PROGRAM)
    said = {
        key: value
        for key, value in (told if isinstance(told, dict) else {}).items()
        if isinstance(value, str)
    }
    stack, project, resource = (
        said.get("stack", ""),
        said.get("project", ""),
        said.get("resource", ""),
    )
    if urn and urn.startswith("urn:pulumi:"):
        parts = urn.removeprefix("urn:pulumi:").split("::", 3)
        if len(parts) == 4:
            stack, project, _, resource = parts
    return Place(
        organization=said.get("organization", ""),
        project=project,
        stack=stack,
        resource=resource,
        urn=urn or f"{stack}::{project}::{resource}",
        namespace=said.get("namespace", ""),
    )


def mark_of(data: Mapping[str, Any], urn: str | None) -> Mark | None:
    """The ownership mark of a resource, or None where it is turned off."""
    nonce = data.get(NONCE)
    if data.get("ownership_mark") is False or not isinstance(nonce, str):
        return None
    place = place_of(data, urn)
    if not (place.project and place.stack and place.resource):
        return None
    return Mark(place.project, place.stack, place.resource, nonce)


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


def secret_texts(data: Mapping[str, Any]) -> list[str]:
    """
    What must not appear in anything we write: the values of environment variables.

    Of a value with several lines (a private key) each line counts, since output comes
    line by line. Short values are left out: redacting every "1" would make a message
    unreadable and hide nothing.
    """
    environment = environment_mapping(reveal(data.get("environment_variables")))
    values = [value for value in environment.values() if isinstance(value, str)]
    lines = [line.strip() for value in values for line in value.splitlines()]
    found = {text for text in (*values, *lines) if len(text) >= SHORTEST_SECRET}
    # The longest first, so that no part of one is replaced before the whole.
    return sorted(found, key=lambda text: (-len(text), text))


def redact(text: str, secrets: list[str]) -> str:
    """The text without the given values."""
    for secret in secrets:
        text = text.replace(secret, "[secret]")
    return text
