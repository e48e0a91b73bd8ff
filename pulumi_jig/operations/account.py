"""
The key, the address and the client that a command at the desk uses.

By the same precedence as the provider: the environment first, then the configuration of
the stack. The stack's configuration is asked for only where the environment leaves
something open, since that takes a second and perhaps a passphrase.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from pulumi_jig.errors import APIError, AuthenticationError, TransportError

if TYPE_CHECKING:
    from pulumi_jig.client import JigClient
    from pulumi_jig.config import Settings
    from pulumi_jig.context import CallContext
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
    from pulumi_jig.config import KEY_VARIABLE, resolve_settings

    def get(key: str) -> str | None:
        # Where the environment has a key, opening the stack's would be for nothing,
        # and might need a passphrase.
        unused = key == "apiKey" and os.environ.get(KEY_VARIABLE)
        if pulumi is None or unused:
            return None
        return pulumi.config(f"jig:{key}")

    return resolve_settings(get, os.environ)


def connect(pulumi: Pulumi | None) -> JigClient:
    """
    The client.

    Raises:
        ConfigError: Key or address is missing or unusable.
    """
    from pulumi_jig.client import JigClient

    return JigClient(settings(pulumi))


def account(client: JigClient, ctx: CallContext) -> str | None:
    """
    The service's word for whose key this is; None where it does not say.

    Raises:
        AuthenticationError: The key was rejected.
    """
    try:
        return client.whoami(ctx)
    except AuthenticationError:
        raise
    except (APIError, TransportError):
        return None


def look() -> CallContext:
    """The time limit of one look."""
    from pulumi_jig.context import CallContext

    return CallContext(LOOK)
