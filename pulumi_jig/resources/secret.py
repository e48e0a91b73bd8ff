"""
`Secret`: a value that the service keeps for its containers, as a Pulumi resource.

The class makes the value a Pulumi secret whatever it was before, and tells the plugin
where in which program it stands. Everything else happens in the plugin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict, Unpack, cast

import pulumi
from pulumi import dynamic

from pulumi_jig.naming import MODULE
from pulumi_jig.provider import SecretProvider
from pulumi_jig.resources.arguments import (
    existing,
    gathered,
    properties,
    refuse_options,
    typed,
)
from pulumi_jig.resources.forms import Where, plain


@dataclass(kw_only=True)
class SecretArgs:
    """
    The arguments of a `Secret`.

    Fields of the API come first, under the API's own names. Options of this package
    follow; they are never sent.
    """

    value: pulumi.Input[str]
    """
    The value, at least one character. It is always a Pulumi secret: encrypted in the
    state, never in a message. The service does not show it again, so it is compared with
    what the state remembers.
    """
    name: pulumi.Input[str] | None = None
    """
    Name in the service, unique within the project: 1 to 100 letters, digits, or any of
    `_ - / .`. A change replaces the secret; deployments that refer to it are moved
    first. Left out: the resource's name and a suffix that is the same in preview and
    update.
    """
    description: pulumi.Input[str] | None = None
    """For people. With the ownership mark, which is appended, at most 500 characters."""
    ttl_seconds: pulumi.Input[int] | None = None
    """
    Seconds until the service deletes the secret: 86400 (1 day) to 1209600 (14 days). A
    new value begins a new lifetime. Left out: it lasts. Once declared it can be changed,
    but not dropped: the service documents no way back. A preview warns in the last seven
    days; one that has expired is created again by the next update.
    """
    version: pulumi.Input[int] | None = None
    """A counter of yours. Another number sends the value again, although it is the same:
    for a new lifetime, or when somebody may have changed it."""
    adopt: pulumi.Input[bool] | None = None
    """Take over an existing secret of this `name` instead of refusing it. Its value is
    replaced."""
    ownership_mark: pulumi.Input[bool] | None = None
    """Whether to append the mark to the description (default true). Without it, only
    the service's id tells whose a secret is."""


class SecretArgsDict(TypedDict, total=False):
    """`SecretArgs` as a dictionary, and as keyword arguments of `Secret`."""

    value: pulumi.Input[str]
    name: pulumi.Input[str] | None
    description: pulumi.Input[str] | None
    ttl_seconds: pulumi.Input[int] | None
    version: pulumi.Input[int] | None
    adopt: pulumi.Input[bool] | None
    ownership_mark: pulumi.Input[bool] | None


@typed
class Secret(dynamic.Resource, module=MODULE, name="Secret"):
    """
    A secret of the service, for environment variables of deployments.

        token = Secret("hf-token", value=config.require_secret("hfToken"))
        Deployment("llm", ..., environment_variables={"HF_TOKEN": token})

    Deployments that use it wait for it and go before it. A new value reaches a running
    container when its replicas restart; `restart_on_rotation` of a deployment sees to
    that. Time limits are Pulumi's own `custom_timeouts`, two minutes by default.
    """

    name: pulumi.Output[str]
    """Name in the service; the Pulumi id as well."""
    value: pulumi.Output[str]
    """The value that was sent last, as a Pulumi secret."""
    description: pulumi.Output[str | None]
    """Text for people, without the ownership mark."""
    ttl_seconds: pulumi.Output[int | None]
    """Lifetime in seconds, from the last value on; none for one that lasts."""
    version: pulumi.Output[int | None]
    """The program's counter."""
    secret_id: pulumi.Output[str]
    """The service's own id."""
    value_version: pulumi.Output[str]
    """Changes with each new value, and is known in a preview. It
    tells nothing of the value."""
    created_at: pulumi.Output[str]
    """ISO 8601."""
    updated_at: pulumi.Output[str]
    """ISO 8601."""
    expires_at: pulumi.Output[str | None]
    """ISO 8601: when the service deletes it; none for one that lasts."""

    def __init_subclass__(cls, **_kwargs: Any) -> None:
        """Keep the type token: a subclass without one would be another resource."""
        super().__init_subclass__(module=MODULE, name="Secret")

    def __init__(
        self,
        resource_name: str,
        args: SecretArgs | SecretArgsDict | pulumi.ResourceOptions | None = None,
        opts: pulumi.ResourceOptions | None = None,
        **kwargs: Unpack[SecretArgsDict],
    ) -> None:
        if isinstance(args, pulumi.ResourceOptions):
            args, opts = None, args
        where = Where(f"Secret {resource_name}")
        given = gathered(where, args, kwargs)
        refuse_options("Secret", resource_name, opts)

        def convert(key: str, value: Any) -> Any:
            found = plain(value, where / key)
            return pulumi.Output.secret(found) if key == "value" else found

        props = properties(resource_name, given, Secret.__annotations__, convert)
        hidden = pulumi.ResourceOptions(additional_secret_outputs=["value"])
        opts = pulumi.ResourceOptions.merge(opts, hidden)
        super().__init__(SecretProvider(), resource_name, props, opts)

    @classmethod
    def get(
        cls,
        resource_name: str,
        id: pulumi.Input[str],  # noqa: A002 - Pulumi's own name for it
        opts: pulumi.ResourceOptions | None = None,
    ) -> Secret:
        """
        Look up a secret that somebody else manages; it is never changed or deleted.

        Its `value` stays empty: the service shows none.

        Args:
            resource_name: The resource's name in the program.
            id: The secret's name in the service.
            opts: Pulumi's options.
        """
        args, opts = existing(Where(f"Secret {resource_name}"), id, opts)
        return cls(resource_name, cast("SecretArgsDict", args), opts)
