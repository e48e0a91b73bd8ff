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

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

from pulumi_jig import host
from pulumi_jig.provider.adapter import Provider
from pulumi_jig.provider.session import base_url, configure
from pulumi_jig.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Key under which a program tells a deployment's check how its budget counts it. It is
#: never stored. (Older plugin hosts drop keys that begin with two underscores.)
COUNTED = "counted_by_budget"


class DeploymentProvider(Provider):
    """Deployments of the service, for Pulumi's plugin host."""

    life = "deployment"

    def more_faults(self, declared: dict[str, Any]) -> list[tuple[str, str]]:
        """What the deployment's budget did not count; see `lifecycle.budget`."""
        counted = declared.pop(COUNTED, None)
        if counted is None:
            # Most deployments have no budget, and loading what judges one takes time.
            return []
        from pulumi_jig.lifecycle.budget import uncounted

        return uncounted(counted, declared)

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


class GpuBudgetProvider(ResourceProvider):
    """Budgets, which exist in the state only: their check is what they are for."""

    # Nothing secret is inside, so it need not be encrypted in every resource.
    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Take the configuration and widen the host, once per process."""
        configure(req)

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Hold the members to the budget's limits; see `lifecycle.budget`."""

        def run() -> CheckResult:
            from pulumi_jig.lifecycle.budget import check

            checked = check(host.from_pulumi(news))
            return CheckResult(
                host.to_pulumi(checked.inputs),
                [CheckFailure(path, reason) for path, reason in checked.faults],
            )

        result: CheckResult = host.guarded(host.current_call(), run)
        return result

    def diff(
        self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]
    ) -> DiffResult:
        """Say whether limits or members change; never a replacement."""
        call = host.current_call()

        def run() -> DiffResult:
            from pulumi_jig.lifecycle.budget import diff

            found = diff(host.from_pulumi(_olds), host.from_pulumi(_news))
            return DiffResult(changes=found.changes, replaces=[])

        result: DiffResult = host.guarded(call, run)
        return result

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Keep the inputs; the check has let them pass."""
        inputs = host.from_pulumi(props)
        return CreateResult(inputs["name"], host.to_pulumi(inputs))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Echo the state: there is nothing else that could have changed."""
        return ReadResult(id_, host.to_pulumi(host.from_pulumi(props)))

    def update(
        self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]
    ) -> UpdateResult:
        """Keep the new inputs."""
        return UpdateResult(host.to_pulumi(host.from_pulumi(_news)))


class VolumeProvider(Provider):
    """Volumes of the service, for Pulumi's plugin host."""

    life = "volume"
