"""
Bookkeeping in inputs and states, whatever kind of thing they describe.

Its keys begin with two underscores, so that displays and policies do not show them. Here
too is where a resource stands and the mark that says so.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.naming import Mark
from pulumi_jig.redaction import remember_environment, remember_secret
from pulumi_jig.values import SecretValue, reveal, secret_leaves

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

#: Names of the keys that the program set.
DECLARED: Final = "__declared"
#: Tells two things of one URN apart; also in the mark.
NONCE: Final = "__nonce"
#: Where the resource stands, as the program told it: organization, project, stack,
#: resource, namespace.
PROGRAM: Final = "__program"
#: Where among the arguments secrets are, as the program told it: a list of paths.
SECRETS: Final = "__secrets"
#: Which key asked for its creation, as `Settings.key_fingerprint`; kept like the nonce.
#: Where the service never said whose key that is, only the same key proves an absence.
KEY: Final = "__key"
#: Whose key created it, in the API's own word.
ACCOUNT: Final = "__account"
#: The creation ended without an answer: true until an update has settled it.
UNCONFIRMED: Final = "__unconfirmed"
#: Why it is not what was asked for, although it was accepted: a refresh clears what the
#: engine itself remembers of a failure.
UNREADY: Final = "__unready"
#: Property paths that the service itself added to what we sent, as its answers showed:
#: they are not held at their defaults, or every preview would ask to take them away.
ADDED: Final = "__added"
#: Nonce of the mark that was there when we asked to adopt it, as long as it is not known
#: whether that arrived: until then it is no sign of another owner.
ADOPTING: Final = "__adopting"
#: When a creation ended without an answer, in seconds since 1970: of what carries no
#: mark and shows little, only the time of its creation can tell it from a namesake.
ASKED_AT: Final = "__asked_at"

#: Bookkeeping among the inputs. The other hidden keys live in the state only.
HIDDEN_INPUTS: Final = (DECLARED, NONCE, PROGRAM, SECRETS, KEY)


def declared_keys(data: Mapping[str, Any], known: Collection[str]) -> set[str]:
    """
    The names of the keys that the program set, from inputs or state.

    Args:
        data: Inputs or a state.
        known: The keys that a program may set.
    """
    listed = data.get(DECLARED)
    if isinstance(listed, list):
        return {key for key in listed if isinstance(key, str)}
    # A state without bookkeeping (hand-written, or imported): what is there was meant.
    return {key for key in data if key in known}


def with_added(inputs: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs with what the state remembers that the service itself added."""
    return {**inputs, ADDED: state[ADDED]} if ADDED in state else dict(inputs)


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


def remember_secrets(*data: Mapping[str, Any]) -> None:
    """
    Keep what inputs or states hold in confidence out of every text of this process.

    The engine hands everything over in clear, so the program says where its secrets are
    (`SECRETS`).

    Args:
        data: Inputs or states of any kind, possibly with unknown values.
    """
    for each in data:
        for secret in secret_leaves(each):
            remember_secret(secret.value)
        for path in secret_paths(each):
            remember_secret(_at(each, path))
        variables = reveal(each.get("environment_variables"))
        if isinstance(variables, dict):
            remember_environment(v for v in variables.values() if isinstance(v, str))


def still_secret(outputs: dict[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """
    Outputs in which a secret of the state from before is still one.

    The engine marks what an update returns by the inputs of the same call. A value that
    stayed from before, and that they do not have any more, it would store in clear.

    Args:
        outputs: What an update returns.
        before: The state from before it, in clear.
    """
    found = copy.deepcopy(outputs)
    for path in secret_paths(before):
        if not path or _at(found, path) != _at(before, path):
            continue
        holder: Any = found
        try:
            for part in path[:-1]:
                holder = holder[part]
            holder[path[-1]] = SecretValue(reveal(holder[path[-1]]))
        except (KeyError, IndexError, TypeError):
            if path[0] in found:
                found[path[0]] = SecretValue(reveal(found[path[0]]))
    return found


def secret_paths(*data: Mapping[str, Any]) -> list[list[Any]]:
    """Where secrets are in inputs or states, as property paths."""
    # The value of a secret is one, whoever says so.
    found = [["value"]]
    for each in data:
        listed = reveal(each.get(SECRETS))
        if isinstance(listed, list):
            found += [path for path in listed if isinstance(path, list)]
    return found


def _at(data: Any, path: list[Any]) -> Any:
    """What stands at a path; all of what it leads through where that is no longer so."""
    for part in path:
        data = reveal(data)
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None if part == path[0] else data
    return reveal(data)
