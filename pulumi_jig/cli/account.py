"""
The API key, the base URL and the client that a command line tool uses.

By the same precedence as the provider: the configuration of the stack (or what the state
has of an explicit provider) first, then the environment. Only the values that are asked
for are decrypted, since that takes a second and perhaps a passphrase.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.cli import terminal
from pulumi_jig.cli.state_export import (
    decrypted,
    is_encrypted,
    logical_name,
    provider_inputs,
)
from pulumi_jig.errors import (
    APIError,
    AuthenticationError,
    ConfigError,
    InputError,
    NotSentError,
    RequestError,
)
from pulumi_jig.values import reveal

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pulumi_jig.cli.pulumi import Pulumi
    from pulumi_jig.cli.state_export import Export
    from pulumi_jig.client import JigClient
    from pulumi_jig.config import Settings
    from pulumi_jig.deadline import Deadline

#: Time limit of one request and its retries, in seconds.
REQUEST_TIMEOUT: Final = 60.0


def settings(pulumi: Pulumi | None) -> Settings:
    """
    Key and address.

    Args:
        pulumi: The stack whose configuration counts, if any.

    Raises:
        ConfigError: Something is missing or unusable.
    """
    from pulumi_jig.config import overruled, resolve_settings, unknown_settings

    def get(key: str) -> str | None:
        return None if pulumi is None else pulumi.config(f"jig:{key}")

    if pulumi is not None:
        faults = unknown_settings(pulumi.configured("jig"))
        if faults:
            raise ConfigError(" ".join(fault.sentence for fault in faults))
    found = resolve_settings(get, os.environ)
    if (warning := overruled(get, os.environ)) is not None:
        terminal.note(f"warning: {warning}")
    return found


def connect(pulumi: Pulumi | None) -> JigClient:
    """
    The client of a stack, or of the environment.

    Raises:
        ConfigError: Key or address is missing or unusable.
    """
    from pulumi_jig.client import JigClient

    return JigClient(settings(pulumi))


def connect_provider(
    export: Export, name: str, *, own_key: bool = True
) -> JigClient | None:
    """
    The client of an explicit provider, with the settings that the state has of it.

    Args:
        export: The state.
        name: The provider's name in the program.
        own_key: Whether only its own key will do. Else `TOGETHER_API_KEY` is taken
            where the state has it encrypted.

    Returns:
        None where its own key is needed and encrypted.

    Raises:
        ConfigError: Its settings are missing or unusable.
        InputError: The state has no such provider.
    """
    from pulumi_jig.client import JigClient
    from pulumi_jig.config import GIVEN, resolve_settings

    inputs = decrypted(provider_inputs(export, name))
    if not inputs:
        known = sorted(
            logical_name(item)
            for item in export.resources
            if str(item["type"]).startswith("pulumi:providers:")
            and not logical_name(item).startswith("default")
        )
        raise InputError(
            f'{export.source} has no explicit provider "{name}" with settings of its '
            f"own; it has {', '.join(known) or 'none'}."
        )
    if own_key and is_encrypted(inputs.get("jig:apiKey")):
        return None

    readable = {k: reveal(v) for k, v in inputs.items() if not is_encrypted(v)}
    # A setting that is encrypted is not empty: the next source counts for it.
    given = str(readable.get(f"jig:{GIVEN}") or "").split(",")
    readable[f"jig:{GIVEN}"] = ",".join(n for n in given if f"jig:{n}" in readable)

    def get(key: str) -> str | None:
        found: str | None = readable.get(f"jig:{key}")
        return found

    return JigClient(resolve_settings(get, os.environ))


def waiting(client: JigClient) -> AbstractContextManager[None]:
    """Say so where the service does not respond at once."""
    return terminal.waiting(f"Still trying to reach {client.settings.base_url} ...")


def account(client: JigClient, deadline: Deadline) -> str | None:
    """
    The account of the client's key; None where the service does not say.

    Raises:
        AuthenticationError: The key was rejected.
        NotSentError: The service cannot be reached: whatever is asked next would be
            tried for as long again.
    """
    try:
        with waiting(client):
            return client.whoami(deadline)
    except (AuthenticationError, NotSentError):
        raise
    except (APIError, RequestError):
        return None


def request_deadline() -> Deadline:
    """The time limit of one request and its retries."""
    from pulumi_jig.deadline import Deadline

    return Deadline(REQUEST_TIMEOUT)


def list_live() -> list[dict[str, Any]]:
    """The deployments that the account of the environment's key runs, as inputs."""
    client = connect(None)
    try:
        with waiting(client):
            items = client.deployments.list(request_deadline())
    finally:
        client.close()
    found = []
    for item in items:
        data = item.model_dump(mode="json", exclude_none=True)
        variables = data.get("environment_variables") or []
        data["environment_variables"] = [
            one for one in variables if not one.get("name", "").startswith("TOGETHER_")
        ]
        found.append(data)
    return found
