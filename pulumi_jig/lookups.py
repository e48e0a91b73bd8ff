"""
Look-ups: what is there already, for programs that do not manage it.

Plain functions that ask the service when they are called, in a preview as well, and an
`_output` form of each for arguments that are outputs (`get_deployment_output`). Another
account is named as Pulumi users expect, `opts=pulumi.InvokeOptions(provider=...)` with a
`pulumi_jig.Provider`, or by `api_key` and `base_url`. What is not given comes from the
stack's `jig:apiKey` and `jig:baseUrl`, then from the environment.

Values of environment variables are never returned: nobody can tell which of them are
secret, so only their names are.
"""

from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    import pulumi

    from pulumi_jig.client import JigClient
    from pulumi_jig.deadline import Deadline
    from pulumi_jig.schema.responses import DeploymentResponseItem

#: Seconds for one look-up, retries included.
TIMEOUT: Final = 60.0

#: A type of the package to which Pulumi counts every dynamic resource.
DYNAMIC: Final = "pulumi-python:dynamic:Resource"

Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True)
class DeploymentInfo:
    """
    A deployment as the service describes it; None stands for what it does not tell.

    Attributes:
        name: Name in the service.
        deployment_id: The service's own id.
        description: Text for people, without the ownership mark.
        owner: `project/stack/resource` of the mark, or None where there is none.
        image: Container image.
        gpu_type: GPU model; `none` for a CPU-only deployment.
        gpu_count: GPUs per replica.
        cpu: Cores per replica.
        memory: GiB per replica.
        storage: GiB of disk per replica.
        min_replicas: Fewest replicas.
        max_replicas: Most replicas.
        desired_replicas: What the service is aiming at.
        ready_replicas: Replicas that serve.
        status: `Updating`, `Scaling`, `Ready`, `Failed`, `ScaledToZero`, or newer.
        revision_id: The revision that this describes.
        port: Port that the container listens on.
        environment_names: Names of its variables, the platform's included.
        endpoint_url: Where it answers.
        created_at: ISO 8601.
        updated_at: ISO 8601.
    """

    name: str
    deployment_id: str | None
    description: str
    owner: str | None
    image: str | None
    gpu_type: str
    gpu_count: int
    cpu: float | None
    memory: float | None
    storage: int | None
    min_replicas: int | None
    max_replicas: int | None
    desired_replicas: int | None
    ready_replicas: int | None
    status: str | None
    revision_id: str | None
    port: int | None
    environment_names: tuple[str, ...]
    endpoint_url: str
    created_at: str | None
    updated_at: str | None


@dataclass(frozen=True, kw_only=True)
class RevisionInfo:
    """
    One event of a deployment's history.

    Attributes:
        event_number: Counts all events.
        action: `create`, `update`, `system` (the platform did it), `rollback`.
        revision_number: Counts the revisions of this deployment.
        revision_id: The revision that came into force.
        image: Its image.
        activated_at: ISO 8601.
    """

    event_number: int | None
    action: str | None
    revision_number: int | None
    revision_id: str | None
    image: str | None
    activated_at: str | None


# --- Plain functions --------------------------------------------------------------


def get_deployment(
    name: str,
    *,
    api_key: str | None = None,
    base_url: str | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> DeploymentInfo:
    """
    One deployment.

    Args:
        name: Its name or id.
        api_key: Another account's key, instead of the stack's.
        base_url: That account's address.
        opts: `provider` (or the one that `parent` hands down) names the account.

    Raises:
        RunError: `opts` cannot be followed.
        ConfigError: There is no key, or an unusable address.
        NotFoundError: There is none of this name in the account.
        JigError: The service refused, or could not be asked.
    """
    client = _client(api_key, base_url, opts)
    return _info(client.deployments.get(name, _context()), client)


def list_deployments(
    *,
    api_key: str | None = None,
    base_url: str | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> list[DeploymentInfo]:
    """
    All deployments of the account, by name.

    Args:
        api_key: Another account's key, instead of the stack's.
        base_url: That account's address.
        opts: `provider` (or the one that `parent` hands down) names the account.

    Raises:
        RunError: `opts` cannot be followed.
        ConfigError: There is no key, or an unusable address.
        JigError: The service refused, or could not be asked.
    """
    client = _client(api_key, base_url, opts)
    items = client.deployments.list(_context())
    return sorted((_info(item, client) for item in items), key=lambda one: one.name)


def get_logs(
    name: str,
    *,
    replica_id: str | None = None,
    revision: str | None = None,
    version: str | None = None,
    api_key: str | None = None,
    base_url: str | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> list[str]:
    """
    Lines of a deployment's output, oldest first.

    Args:
        name: Its name or id.
        replica_id: Only this replica's.
        revision: Only this revision's (its id).
        version: Only this image's: its tag, or the last 4 characters of its digest.
        api_key: Another account's key, instead of the stack's.
        base_url: That account's address.
        opts: `provider` (or the one that `parent` hands down) names the account.

    Raises:
        RunError: `opts` cannot be followed.
        ConfigError: There is no key, or an unusable address.
        NotFoundError: There is none of this name in the account.
        JigError: The service refused, or could not be asked.
    """
    return _client(api_key, base_url, opts).deployments.logs(
        name, _context(), replica_id=replica_id, revision=revision, version=version
    )


def list_revisions(
    name: str,
    *,
    limit: int | None = None,
    api_key: str | None = None,
    base_url: str | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> list[RevisionInfo]:
    """
    A deployment's history, newest first.

    Args:
        name: Its name or id.
        limit: How many events at most; the service keeps 200.
        api_key: Another account's key, instead of the stack's.
        base_url: That account's address.
        opts: `provider` (or the one that `parent` hands down) names the account.

    Raises:
        RunError: `opts` cannot be followed.
        ConfigError: There is no key, or an unusable address.
        NotFoundError: There is none of this name in the account.
        JigError: The service refused, or could not be asked.
    """
    events = _client(api_key, base_url, opts).deployments.revisions(
        name, _context(), limit=limit
    )
    return [
        RevisionInfo(
            event_number=event.event_number,
            action=event.action,
            revision_number=event.revision_number,
            revision_id=event.revision_id,
            image=event.image,
            activated_at=event.activated_at,
        )
        for event in events
    ]


# --- Forms for outputs --------------------------------------------------------------


def get_deployment_output(
    name: pulumi.Input[str],
    *,
    api_key: pulumi.Input[str | None] = None,
    base_url: pulumi.Input[str | None] = None,
    opts: pulumi.InvokeOptions | None = None,
) -> pulumi.Output[DeploymentInfo]:
    """
    `get_deployment` for arguments that may be outputs.

    Unknown while they are, and in a preview of what this run is going to create. With
    `opts=pulumi.InvokeOutputOptions(depends_on=...)` it asks once those resources are
    there.
    """
    return _later(get_deployment, opts, name=name, api_key=api_key, base_url=base_url)


def list_deployments_output(
    *,
    api_key: pulumi.Input[str | None] = None,
    base_url: pulumi.Input[str | None] = None,
    opts: pulumi.InvokeOptions | None = None,
) -> pulumi.Output[list[DeploymentInfo]]:
    """`list_deployments` for arguments that may be outputs."""
    return _later(list_deployments, opts, api_key=api_key, base_url=base_url)


def get_logs_output(
    name: pulumi.Input[str],
    *,
    replica_id: pulumi.Input[str | None] = None,
    revision: pulumi.Input[str | None] = None,
    version: pulumi.Input[str | None] = None,
    api_key: pulumi.Input[str | None] = None,
    base_url: pulumi.Input[str | None] = None,
    opts: pulumi.InvokeOptions | None = None,
) -> pulumi.Output[list[str]]:
    """`get_logs` for arguments that may be outputs."""
    return _later(
        get_logs,
        opts,
        name=name,
        replica_id=replica_id,
        revision=revision,
        version=version,
        api_key=api_key,
        base_url=base_url,
    )


def list_revisions_output(
    name: pulumi.Input[str],
    *,
    limit: pulumi.Input[int | None] = None,
    api_key: pulumi.Input[str | None] = None,
    base_url: pulumi.Input[str | None] = None,
    opts: pulumi.InvokeOptions | None = None,
) -> pulumi.Output[list[RevisionInfo]]:
    """`list_revisions` for arguments that may be outputs."""
    return _later(
        list_revisions,
        opts,
        name=name,
        limit=limit,
        api_key=api_key,
        base_url=base_url,
    )


def _later(
    ask: Callable[..., Found], opts: pulumi.InvokeOptions | None, **arguments: Any
) -> pulumi.Output[Found]:
    import pulumi

    # What a key can see is no secret for being asked with a secret key.
    account = pulumi.Output.unsecret(pulumi.Output.from_input(_account(opts)))
    key = pulumi.Output.from_input(arguments["api_key"])
    arguments["api_key"] = pulumi.Output.unsecret(key)

    async def run(known: dict[str, Any]) -> Any:
        from pulumi_jig.errors import NotFoundError

        del known["depends_on"]
        given = known.pop("account")
        try:
            # In a thread: the program's own loop goes on registering resources meanwhile.
            return await asyncio.to_thread(ask, **known, opts=_Account(given))
        except NotFoundError as error:
            # A preview may name what this very run is going to make.
            if not (error.from_api and pulumi.runtime.is_dry_run()):
                raise
            return _not_yet()

    found = pulumi.Output.all(
        **arguments, account=account, depends_on=_dependencies(opts)
    ).apply(run)
    return cast("pulumi.Output[Found]", found)


def _dependencies(opts: pulumi.InvokeOptions | None) -> pulumi.Output[Any]:
    """What is known only once the resources of `depends_on` are there."""
    import pulumi

    def ids(resources: Any) -> pulumi.Output[Any]:
        several = resources if isinstance(resources, (list, tuple)) else [resources]
        return pulumi.Output.all(
            *(
                pulumi.Output.from_input(one).apply(
                    lambda known: getattr(known, "id", known.urn)
                )
                for one in several
            )
        )

    given = getattr(opts, "depends_on", None)
    return pulumi.Output.from_input(given if given is not None else []).apply(ids)


def _not_yet() -> pulumi.Output[Any]:
    """An output that is not known before the update."""
    import pulumi

    def later(value: object) -> asyncio.Future[Any]:
        found: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        found.set_result(value)
        return found

    return pulumi.Output(set(), later(None), later(False))


# --- The client ---------------------------------------------------------------------

_clients: dict[str, JigClient] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class _Account:
    """Settings of a provider that are known by now, in the place of options."""

    settings: dict[str, Any]


def _account(opts: pulumi.InvokeOptions | _Account | None) -> dict[str, Any]:
    """
    What the provider that the options name was given, by setting.

    Raises:
        RunError: They name something else than a `pulumi_jig.Provider`.
    """
    if opts is None:
        return {}
    if isinstance(opts, _Account):
        return opts.settings
    import pulumi

    from pulumi_jig.resources.provider import Provider

    if not isinstance(opts, pulumi.InvokeOptions):
        raise pulumi.RunError(
            "opts of a look-up must be pulumi.InvokeOptions(provider=...), "
            f"not {type(opts).__name__}."
        )
    handed_down = opts.parent.get_provider(DYNAMIC) if opts.parent else None
    if opts.provider is not None and not isinstance(opts.provider, Provider):
        raise pulumi.RunError(
            "The provider in the opts of a look-up must be a pulumi_jig.Provider."
        )
    provider = opts.provider or handed_down
    return provider.settings if isinstance(provider, Provider) else {}


def _client(
    api_key: str | None, base_url: str | None, opts: pulumi.InvokeOptions | None
) -> JigClient:
    """
    One client for each account and address of a program.

    Raises:
        RunError: A setting of the provider is an output, which only the `_output` form
            of a look-up can wait for.
    """
    import pulumi

    from pulumi_jig.client import JigClient
    from pulumi_jig.config import GIVEN, resolve_settings

    stack = pulumi.Config("jig")
    arguments = {"apiKey": api_key, "baseUrl": base_url}
    given = {
        name: value
        for name, value in (*_account(opts).items(), *arguments.items())
        if value is not None
    }
    if any(not isinstance(value, str) for value in given.values()):
        raise pulumi.RunError(
            "The settings of the provider are outputs here: use the form of this "
            "look-up whose name ends in _output, which waits for them."
        )
    given[GIVEN] = ",".join(given)

    def get(key: str) -> str | None:
        return given[key] if key in given else _configured(stack, key)

    settings = resolve_settings(get, os.environ)
    with _lock:
        if settings.fingerprint not in _clients:
            _clients[settings.fingerprint] = JigClient(settings)
        return _clients[settings.fingerprint]


def _configured(stack: pulumi.Config, key: str) -> str | None:
    from pulumi.runtime.config import get_config

    # Not `stack.get`, which warns of every secret that is read as a text.
    found: str | None = get_config(stack.full_key(key))
    return found


def _context() -> Deadline:
    from pulumi_jig.deadline import Deadline

    return Deadline(TIMEOUT)


def _info(item: DeploymentResponseItem, client: JigClient) -> DeploymentInfo:
    from pulumi_jig.naming import endpoint_url, split_description
    from pulumi_jig.text import safe_message

    description = item.description if isinstance(item.description, str) else ""
    text, mark = split_description(description)
    # Answers are tolerant: at run time an element may be of any type.
    variables: Any = item.environment_variables
    names = [
        str(entry.get("name"))
        for entry in (variables if isinstance(variables, list) else ())
        if isinstance(entry, dict)
    ]
    name = str(item.name)
    return DeploymentInfo(
        name=name,
        deployment_id=item.id,
        description=safe_message(text),
        owner=mark.owner if mark else None,
        image=item.image,
        gpu_type=item.gpu_type or "none",
        gpu_count=item.gpu_count or 0,
        cpu=item.cpu,
        memory=item.memory,
        storage=item.storage,
        min_replicas=item.min_replicas,
        max_replicas=item.max_replicas,
        desired_replicas=item.desired_replicas,
        ready_replicas=item.ready_replicas,
        status=item.status,
        revision_id=item.revision_id,
        port=item.port,
        environment_names=tuple(sorted(names)),
        endpoint_url=endpoint_url(name, client.settings.base_url),
        created_at=item.created_at,
        updated_at=item.updated_at,
    )
