"""An explicit provider, for a second account or another address in one stack."""

from __future__ import annotations

from typing import Any

import pulumi

from pulumi_jig.resources.forms import Where, plain, when_known


class Provider(pulumi.ProviderResource):
    """
    Credentials of their own for some resources of a stack.

    Give it to a resource with `ResourceOptions(provider=...)`; children inherit it. Only
    what is given here counts for its resources, not the stack's configuration and not
    the environment. The key is encrypted in the state.

    A resource cannot move to a provider of another account: that is refused in the
    preview.

    Args:
        resource_name: The provider's name in the program.
        api_key: Key of the account. A plain string is made a secret.
        base_url: Address of the service. Default: the vendor's.
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

        props: dict[str, Any] = {
            "jig:apiKey": pulumi.Output.secret(plain(api_key, where / "api_key")),
            # Otherwise the environment's key would win, and this is another account.
            "jig:ignoreEnvironment": "true",
            "jig:baseUrl": plain(base_url, where / "base_url"),
            "jig:parallel": when_known(
                plain(parallel, where / "parallel"),
                lambda known: None if known is None else str(known),
            ),
            "jig:allowInsecureHttp": when_known(
                plain(allow_insecure_http, where / "allow_insecure_http"), switch
            ),
        }
        props = {key: value for key, value in props.items() if value is not None}
        super().__init__("pulumi-python", resource_name, props, opts)
