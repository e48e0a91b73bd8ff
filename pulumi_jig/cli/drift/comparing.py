"""One look at the service for each thing of a state, and whether it is the one meant."""

from __future__ import annotations

import contextlib
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pulumi_jig.cli import account, terminal
from pulumi_jig.cli.concurrency import map_concurrent
from pulumi_jig.cli.drift.findings import Compared, Finding
from pulumi_jig.cli.state_export import (
    at,
    decrypted,
    encrypted_leaves,
    provider_name,
    with_live_values,
)
from pulumi_jig.cli.stored import ID_KEYS, kind_of
from pulumi_jig.errors import NotFoundError
from pulumi_jig.redaction import remember_secret
from pulumi_jig.values import format_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from pulumi_jig.cli.pulumi import Pulumi
    from pulumi_jig.cli.state_export import Export, Record
    from pulumi_jig.client import JigClient
    from pulumi_jig.lifecycle.kind import Kind


def drift(
    export: Export, pulumi: Pulumi | None, *, provider: str | None = None
) -> list[Compared]:
    """
    Compare every deployment, secret and volume of a state with what is live.

    Args:
        export: The state; with readable secrets where they shall be compared too.
        pulumi: The stack whose configuration counts, if any.
        provider: Compare only what belongs to this explicit provider, and take
            `TOGETHER_API_KEY` for it where its own key is encrypted in the state.

    Raises:
        JigError: The service could not be asked.
    """
    resources = [
        item
        for item in export.resources
        if item["type"] in ID_KEYS
        and not (item.get("external") or item.get("delete"))
        and provider in (None, provider_name(item))
    ]
    # Loaded here, not by all threads at once.
    lives = {item["type"]: _life(item["type"]) for item in resources}
    names = {provider_name(item) for item in resources} or {provider or "default"}
    with contextlib.ExitStack() as stack:
        parties = {
            name: _party(export, name, pulumi, stack, own_key=provider is None)
            for name in sorted(names)
        }
        limits = [
            one.client.settings.parallel for one in parties.values() if one.client
        ]
        with terminal.progress("Comparing", len(resources)) as done:
            return map_concurrent(
                lambda resource: _compare(
                    resource, *lives[resource["type"]], parties[provider_name(resource)]
                ),
                resources,
                limit=min(limits, default=1),
                done=done,
            )


@dataclass(frozen=True)
class _Party:
    """
    Who asks about the resources of one provider.

    Attributes:
        client: The client; None where the provider's key cannot be read.
        whose: The account of its key, where the service says so.
    """

    client: JigClient | None
    whose: str | None = None


def _party(
    export: Export,
    name: str,
    pulumi: Pulumi | None,
    stack: contextlib.ExitStack,
    *,
    own_key: bool,
) -> _Party:
    """
    The stack's own client, or one with the key that the state has of a provider.

    Raises:
        ConfigError: A provider's settings are unusable.
        JigError: The service could not be asked.
    """
    if name == "default":
        client = account.connect(pulumi)
    else:
        found = account.connect_provider(export, name, own_key=own_key)
        if found is None:
            return _Party(None)
        client = found
    stack.callback(client.close)
    return _Party(client, account.account(client, account.request_deadline()))


def _life(type_: str) -> tuple[Kind[Any], ModuleType]:
    """What a type is to the life cycle, and what compares things of it."""
    kind = kind_of(type_)
    assert kind is not None
    home = importlib.import_module(f"pulumi_jig.cli.drift.{kind.what}")
    return kind, home


def _compare(
    resource: Record,
    kind: Kind[Any],
    home: ModuleType,
    party: _Party,
) -> Compared:
    inputs: Record = decrypted(resource.get("inputs") or {})
    state: Record = decrypted(resource.get("outputs") or {})
    name = str(state.get("name") or resource.get("id"))
    known = state.get(kind.id_key)
    found = Compared(kind.what, resource["urn"], name, known)
    client, whose = party.client, party.whose
    if client is None:
        message = (
            f"belongs to provider {provider_name(resource)}, whose key is encrypted in "
            f"this state; compare it with its key in TOGETHER_API_KEY and --provider "
            f"{provider_name(resource)}"
        )
        found.unknown.append(Finding(kind.what, message))
        return found
    remembered = state.get("__account")
    if isinstance(remembered, str) and whose is not None and remembered != whose:
        message = f"belongs to account {remembered}, which this key ({whose}) does not belong to"
        found.unknown.append(Finding(kind.what, message))
        return found
    try:
        item = kind.noun(client).get(str(known or name), account.request_deadline())
    except NotFoundError as error:
        if not error.from_api:
            raise
        if isinstance(remembered, str) and whose is None:
            # Nor does another account's 404 prove anything.
            message = "was not found, and the service does not say whose this key is"
            found.unknown.append(Finding(kind.what, message))
            return found
        message = "does not exist any more; `pulumi up` makes it anew"
        found.drift.append(Finding(kind.what, message))
        return found
    if known and item.id and item.id != known:
        message = f"is another one now (id {item.id} instead of {known})"
        found.drift.append(Finding(kind.what, message))
        return found
    if state.get("__unready") or state.get("__unconfirmed"):
        message = "an earlier run did not see its end; `pulumi up` goes on from there"
        found.notes.append(Finding(kind.what, message))
    home.compare(found, inputs, state, item, client)
    _ignore(found, resource.get("ignoreChanges") or [])
    return found


def readable(
    found: Compared, inputs: Record, live: Record, names: Sequence[str]
) -> Record:
    """
    Inputs with what is live at their encrypted places, so that only the rest is compared.

    Args:
        found: Where it is told what is not compared.
        inputs: Inputs of the state.
        live: What is live, in the form of inputs.
        names: The inputs that are compared.
    """
    encrypted = dict(encrypted_leaves({k: v for k, v in inputs.items() if k in names}))
    for path in encrypted:
        # What is live in the place of a secret is most likely it.
        remember_secret(at(live, path))
        found.unknown.append(Finding(format_path(path), "is encrypted, not compared"))
    plain: Record = with_live_values(inputs, live)
    return plain


def ownership(found: Compared, kind: Kind[Any], plain: Record, item: Any) -> None:
    """That a live thing carries another mark than ours."""
    from pulumi_jig.lifecycle.identity import foreign

    why = foreign(kind, item, {**plain, kind.id_key: found.known_id}, found.urn)
    if why:
        found.drift.append(Finding("description", why))


def _ignore(found: Compared, paths: Sequence[str]) -> None:
    """What the program ignores is no drift."""
    for one in list(found.drift):
        if any(
            one.path == path or one.path.startswith((f"{path}.", f"{path}["))
            for path in paths
        ):
            found.drift.remove(one)
            message = f"{one.message} (the program ignores it)"
            found.notes.append(Finding(one.path, message))
