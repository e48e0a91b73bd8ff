"""
The key, the address and the client that a command at the desk uses.

By the same precedence as the provider: the configuration of the stack first, then the
environment. Only the values that are asked for are opened, since that takes a second and
perhaps a passphrase.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from pulumi_jig.errors import (
    APIError,
    AuthenticationError,
    ConfigError,
    NotSentError,
    RequestError,
)
from pulumi_jig.operations import terminal

if TYPE_CHECKING:
    from pulumi_jig.client import JigClient
    from pulumi_jig.config import Settings
    from pulumi_jig.deadline import Deadline
    from pulumi_jig.operations.pulumi import Pulumi

#: Seconds for one look at one deployment.
LOOK: Final = 60.0


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
    The client.

    Raises:
        ConfigError: Key or address is missing or unusable.
    """
    from pulumi_jig.client import JigClient

    return JigClient(settings(pulumi))


def account(client: JigClient, ctx: Deadline) -> str | None:
    """
    The service's word for whose key this is; None where it does not say.

    Raises:
        AuthenticationError: The key was rejected.
        NotSentError: The service cannot be reached: whatever is asked next would be
            tried for as long again.
    """
    try:
        return client.whoami(ctx)
    except (AuthenticationError, NotSentError):
        raise
    except (APIError, RequestError):
        return None


def look() -> Deadline:
    """The time limit of one look."""
    from pulumi_jig.deadline import Deadline

    return Deadline(LOOK)
