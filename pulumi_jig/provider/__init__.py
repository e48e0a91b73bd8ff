"""
The dynamic providers: adapters between Pulumi's plugin host and the life cycle.

The import path of these classes is a state format. Every resource stores its provider as
a reference to module and class name, and a stack from last year finds its code by that
name; so the classes stay where they are, have no attributes, and nothing may be captured
in them. (Tests hold the stored string.)

Importing this module loads nothing heavy: the user's program imports it too. The life
cycle and the HTTP client are loaded in the plugin process, when they are first needed.

What a call is made of stands in `session`, the six methods in `adapter`; nothing of
those two is a state format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_jig.provider.adapter import Provider
from pulumi_jig.provider.session import base_url
from pulumi_jig.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable


class DeploymentProvider(Provider):
    """Deployments of the service, for Pulumi's plugin host."""

    life = "deployment"

    def derived(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Where it answers: whatever sends the request says, so a preview knows it."""
        from pulumi_jig.lifecycle.deployment.inputs import ENDPOINT
        from pulumi_jig.naming import endpoint_url

        base, name = base_url(), inputs.get("name")
        if base is None or name is None:
            return {}
        known = isinstance(name, str)
        return {ENDPOINT: endpoint_url(name, base) if known else UNKNOWN}


class SecretProvider(Provider):
    """Secrets of the service, for Pulumi's plugin host."""

    life = "secret"

    def remarks(self, state: dict[str, Any], _news: dict[str, Any]) -> Iterable[str]:
        """That the secret's time runs out; see `lifecycle.secret.expiry`."""
        from pulumi_jig.lifecycle.secret.expiry import remarks

        return remarks(state)


class VolumeProvider(Provider):
    """Volumes of the service, for Pulumi's plugin host."""

    life = "volume"
