"""An explicit provider, for a second account or another address in one stack."""

from __future__ import annotations

from typing import Any

import pulumi

from pulumi_jig.config import GIVEN, SETTINGS
from pulumi_jig.naming import MODULE
from pulumi_jig.resources.forms import Where, plain, when_known


class Provider(pulumi.ProviderResource):
    """
    Credentials of their own for some resources of a stack.

    Give it to a resource with `ResourceOptions(provider=...)`; children inherit it. What
    is not given here comes from the stack's configuration (`jig:*`), and what is not
    there from the environment. The key is encrypted in the state.

    A resource cannot move to a provider of another account: that is refused in the
    preview.

    Args:
        resource_name: The provider's name in the program.
        api_key: Key of the account. A plain string is made a secret.
        base_url: Address of the service.
        parallel: Requests and waits at a time, 1 to 256. Default 64.
        allow_insecure_http: Let the key travel without TLS to another machine.
        opts: Pulumi's options.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        api_key: pulumi.Input[str],
        base_url: pulumi.Input[str] | None = None,
        parallel: pulumi.Input[int] | None = None,
        allow_insecure_http: pulumi.Input[bool] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        where = Where(f"Provider {resource_name}")

        def switch(value: Any) -> str | None:
            if value is None:
                return None
            if not isinstance(value, bool):
                # The text "false" would switch it on.
                raise (where / "allow_insecure_http").refused("must be True or False.")
            return "true" if value else "false"

        written = {
            "apiKey": pulumi.Output.secret(plain(api_key, where / "api_key")),
            "baseUrl": plain(base_url, where / "base_url"),
            "parallel": when_known(
                plain(parallel, where / "parallel"),
                lambda known: None if known is None else str(known),
            ),
            "allowInsecureHttp": when_known(
                plain(allow_insecure_http, where / "allow_insecure_http"), switch
            ),
        }
        given = {name: value for name, value in written.items() if value is not None}
        #: What it was given, by setting, for look-ups that name it in their options.
        self.settings = {
            **given,
            # A look-up that does not wait can use a key that is there already.
            **({"apiKey": api_key} if isinstance(api_key, str) else {}),
        }
        # The plugin of an explicit provider sees nothing of the stack's configuration.
        stack = pulumi.Config(MODULE)
        names = [name for name in SETTINGS if name not in (*given, "namespace")]
        configured = {name: stack.get(name) for name in names}
        props = {
            f"{MODULE}:{name}": value
            for name, value in {**configured, **given, GIVEN: ",".join(given)}.items()
            if value is not None
        }
        super().__init__("pulumi-python", resource_name, props, opts)
