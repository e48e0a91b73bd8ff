"""
`Deployment`: a GPU container deployment as an ordinary Pulumi resource.

The class turns arguments into plain data, tells the plugin where in which program it
stands, and derives what needs no request. Everything else happens in the plugin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, cast

import pulumi
from pulumi import dynamic

from pulumi_jig.naming import MODULE, endpoint_url
from pulumi_jig.provider import DeploymentProvider
from pulumi_jig.resources.arguments import (
    existing,
    gathered,
    properties,
    refuse_options,
    typed,
)
from pulumi_jig.resources.forms import Where, plain
from pulumi_jig.resources.parts import environment, mounts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi_jig.resources.parts import (
        CustomMetricAutoscalingArgs,
        CustomMetricAutoscalingArgsDict,
        EnvironmentVariableArgs,
        EnvironmentVariableArgsDict,
        HTTPAutoscalingArgs,
        HTTPAutoscalingArgsDict,
        ModelMountArgs,
        ModelMountArgsDict,
        Mountable,
        QueueAutoscalingArgs,
        QueueAutoscalingArgsDict,
        SecretReferenceDict,
        VolumeMountArgs,
        VolumeMountArgsDict,
    )
    from pulumi_jig.resources.secret import Secret

    Environment = (
        Mapping[str, pulumi.Input[str] | SecretReferenceDict | Secret]
        | Sequence[
            pulumi.Input[EnvironmentVariableArgs]
            | pulumi.Input[EnvironmentVariableArgsDict]
        ]
    )
    Autoscaling = (
        HTTPAutoscalingArgs
        | QueueAutoscalingArgs
        | CustomMetricAutoscalingArgs
        | HTTPAutoscalingArgsDict
        | QueueAutoscalingArgsDict
        | CustomMetricAutoscalingArgsDict
    )
    Volumes = (
        Sequence[pulumi.Input[VolumeMountArgs] | pulumi.Input[VolumeMountArgsDict]]
        | Mapping[str, pulumi.Input[str] | Mountable]
    )
    ModelMounts = Sequence[
        pulumi.Input[ModelMountArgs] | pulumi.Input[ModelMountArgsDict]
    ]

WaitFor = Literal["min_replicas", "first_replica", "none"]
OnFailedUpdate = Literal["keep", "rollback"]


@dataclass(kw_only=True)
class DeploymentArgs:
    """
    The arguments of a `Deployment`.

    Fields of the API come first, under the API's own names; what is left out stays out
    of the request, so the service's default counts. Options of this package follow;
    they are never sent.
    """

    image: pulumi.Input[str]
    """
    Container image, from any registry that the service can reach. Best with its digest:
    pushing the same tag again does not make a new revision.
    """
    gpu_type: pulumi.Input[str]
    """
    `h100-80gb`, `h100-40gb-mig`, `h200-140gb`, `b200-192gb`, or `none` for a CPU-only
    deployment. A type that this package does not know gives a warning and is sent.
    """
    gpu_count: pulumi.Input[int] | None = None
    """
    GPUs per replica, a whole number from 0. Required with a GPU type: the service would
    take 0, and the containers would get no GPU.
    """
    name: pulumi.Input[str] | None = None
    """
    Name in the service, unique across all its customers: 4 to 63 lowercase letters,
    digits and hyphens, beginning with a letter or digit. It cannot be changed, so a
    change replaces the deployment. Left out: the resource's name and a suffix that is
    the same in preview and update.
    """
    cpu: pulumi.Input[float] | None = None
    """Cores per replica, at least 0.1. The service has no documented way back to its
    default, so once declared it can be changed, but not dropped."""
    memory: pulumi.Input[float] | None = None
    """GiB of memory per replica, more than 0 and at most 1000. Cannot be dropped."""
    storage: pulumi.Input[int] | None = None
    """GiB of ephemeral disk per replica, a whole number up to 400. Cannot be
    dropped."""
    min_replicas: pulumi.Input[int] | None = None
    """Fewest replicas, from 0. Default 1; 0 lets it scale to zero."""
    max_replicas: pulumi.Input[int] | None = None
    """Most replicas, not below `min_replicas`. Default: `min_replicas`."""
    autoscaling: pulumi.Input[Autoscaling] | None = None
    """What makes replicas come and go between the two bounds. Left out: nothing."""
    capacity_type: pulumi.Input[str] | None = None
    """`stable`, or `preemptible`: replicas above reserved capacity may be evicted.
    Cannot be dropped."""
    port: pulumi.Input[int] | None = None
    """Port that the container listens on, 1 to 65535; required to serve traffic.
    Cannot be dropped."""
    health_check_path: pulumi.Input[str] | None = None
    """HTTP path that answers 200 when the container is ready, 503 while it starts.
    Without it a container counts as ready as soon as it has started."""
    command: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None
    """Overrides the image's ENTRYPOINT."""
    args: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None
    """Overrides the image's CMD."""
    environment_variables: pulumi.Input[Environment] | None = None
    """
    Variables of the container, as a mapping `NAME -> value | {"value_from_secret": n}`
    or as the API's list. A `Secret` may stand for its name, and in a mapping for the
    whole reference: `{"HF_TOKEN": token}`. Variables that begin with `TOGETHER_` and that nobody declared
    are the platform's.
    """
    volumes: pulumi.Input[Volumes] | None = None
    """
    At most one read-only volume, as the API's list or as a mapping `path -> volume`. A
    `Volume` may stand for its name; it is mounted in its current version unless another
    one is given. Not together with `model_mounts`.
    """
    model_mounts: pulumi.Input[ModelMounts] | None = None
    """At most one model of the registry. Not together with `volumes`."""
    termination_grace_period_seconds: pulumi.Input[int] | None = None
    """Seconds that a replica has to finish its work before it is stopped, from 0.
    Cannot be dropped."""
    description: pulumi.Input[str] | None = None
    """For people. The ownership mark is appended to it."""
    extra: pulumi.Input[Mapping[str, Any]] | None = None
    """Fields of the API that are newer than this package, sent as they are. Keys that
    this package knows are refused here."""
    wait_for: pulumi.Input[WaitFor] | None = None
    """
    When a creation or an update is done: `min_replicas` (the default) when the new
    revision serves at its floor, `first_replica` when one of its replicas does (what
    the vendor's CLI waits for), `none` when the service has accepted it.
    """
    on_failed_update: pulumi.Input[OnFailedUpdate] | None = None
    """What follows an update that does not come to serve: `keep` (the default) leaves
    it, `rollback` re-applies the revision before. The update fails in both cases."""
    restart_on_rotation: bool | None = None
    """
    Whether a new value of a `Secret` among the variables rolls new replicas (default
    false: they keep the value that they started with). It adds one variable,
    `PULUMI_JIG_ROTATIONS`, which is another one after each new value: a change of the
    specification is the only documented way to a new revision.
    """
    adopt: pulumi.Input[bool] | None = None
    """Take over an existing deployment of this `name` instead of refusing it."""
    ownership_mark: pulumi.Input[bool] | None = None
    """Whether to append the mark to the description (default true). Without it, only
    the service's id tells whose a deployment is."""


class DeploymentArgsDict(TypedDict, total=False):
    """`DeploymentArgs` as a dictionary, and as keyword arguments of `Deployment`."""

    image: pulumi.Input[str]
    gpu_type: pulumi.Input[str]
    gpu_count: pulumi.Input[int] | None
    name: pulumi.Input[str] | None
    cpu: pulumi.Input[float] | None
    memory: pulumi.Input[float] | None
    storage: pulumi.Input[int] | None
    min_replicas: pulumi.Input[int] | None
    max_replicas: pulumi.Input[int] | None
    autoscaling: pulumi.Input[Autoscaling] | None
    capacity_type: pulumi.Input[str] | None
    port: pulumi.Input[int] | None
    health_check_path: pulumi.Input[str] | None
    command: pulumi.Input[Sequence[pulumi.Input[str]]] | None
    args: pulumi.Input[Sequence[pulumi.Input[str]]] | None
    environment_variables: pulumi.Input[Environment] | None
    volumes: pulumi.Input[Volumes] | None
    model_mounts: pulumi.Input[ModelMounts] | None
    termination_grace_period_seconds: pulumi.Input[int] | None
    description: pulumi.Input[str] | None
    extra: pulumi.Input[Mapping[str, Any]] | None
    wait_for: pulumi.Input[WaitFor] | None
    on_failed_update: pulumi.Input[OnFailedUpdate] | None
    restart_on_rotation: bool | None
    adopt: pulumi.Input[bool] | None
    ownership_mark: pulumi.Input[bool] | None


@typed
class Deployment(dynamic.Resource, module=MODULE, name="Deployment"):
    """
    A GPU container deployment.

    Constructed as Pulumi's own resources are, both ways:

        Deployment("llm", DeploymentArgs(image=..., gpu_type=...), opts)
        Deployment("llm", image=..., gpu_type=..., opts=...)

    A preview shows what would change and what it would be called; an update is done when
    the new revision serves (see `DeploymentArgs.wait_for`). Time limits are Pulumi's own
    `custom_timeouts`: 20 minutes for create and update, 10 for delete.
    """

    name: pulumi.Output[str]
    """Name in the service; the Pulumi id as well."""
    image: pulumi.Output[str]
    """Container image."""
    gpu_type: pulumi.Output[str]
    """GPU model; `none` for a CPU-only deployment."""
    gpu_count: pulumi.Output[int]
    """GPUs per replica."""
    cpu: pulumi.Output[float]
    """Cores per replica; what the service chose where none is declared."""
    memory: pulumi.Output[float]
    """GiB per replica; what the service chose where none is declared."""
    storage: pulumi.Output[int]
    """GiB of disk per replica; what the service chose where none is declared."""
    min_replicas: pulumi.Output[int]
    """Fewest replicas."""
    max_replicas: pulumi.Output[int]
    """Most replicas."""
    autoscaling: pulumi.Output[dict[str, Any] | None]
    """Autoscaling as declared, or as it is."""
    capacity_type: pulumi.Output[str | None]
    """`stable` or `preemptible`."""
    port: pulumi.Output[int | None]
    """Port that the container listens on."""
    health_check_path: pulumi.Output[str | None]
    """HTTP path of the health check."""
    command: pulumi.Output[list[str] | None]
    """Entrypoint."""
    args: pulumi.Output[list[str] | None]
    """Arguments of the entrypoint."""
    environment_variables: pulumi.Output[dict[str, Any] | None]
    """Variables, as a mapping; without the platform's own."""
    volumes: pulumi.Output[list[dict[str, Any]] | None]
    """Mounted volume."""
    model_mounts: pulumi.Output[list[dict[str, Any]] | None]
    """Mounted model."""
    termination_grace_period_seconds: pulumi.Output[int | None]
    """Seconds that a replica has to finish its work."""
    description: pulumi.Output[str | None]
    """Text for people, without the ownership mark."""
    deployment_id: pulumi.Output[str]
    """The service's own id."""
    status: pulumi.Output[str]
    """`Updating`, `Scaling`, `Ready`, `Failed`, `ScaledToZero`, or a newer word."""
    revision_id: pulumi.Output[str]
    """The revision that serves."""
    desired_replicas: pulumi.Output[int]
    """What the service is aiming at; the autoscaler moves it."""
    ready_replicas: pulumi.Output[int]
    """Replicas that served when the state was written."""
    created_at: pulumi.Output[str]
    """ISO 8601."""
    updated_at: pulumi.Output[str]
    """ISO 8601."""
    endpoint_url: pulumi.Output[str]
    """Where it answers. Follows from the name, so a preview shows it already."""

    def __init_subclass__(cls, **_kwargs: Any) -> None:
        """Keep the type token: a subclass without one would be another resource."""
        super().__init_subclass__(module=MODULE, name="Deployment")

    def __init__(
        self,
        resource_name: str,
        # By position only: `args` as a keyword is the container's.
        arguments: DeploymentArgs
        | DeploymentArgsDict
        | pulumi.ResourceOptions
        | None = None,
        /,
        opts: pulumi.ResourceOptions | None = None,
        **kwargs: Unpack[DeploymentArgsDict],
    ) -> None:
        if isinstance(arguments, pulumi.ResourceOptions):
            arguments, opts = None, arguments
        where = Where(f"Deployment {resource_name}")
        given = gathered(where, arguments, kwargs)
        rotations = _follows_rotations(where, given)

        def convert(key: str, value: Any) -> Any:
            if key == "environment_variables":
                return environment(value, where / key, rotations=rotations)
            return (mounts if key == "volumes" else plain)(value, where / key)

        keys = list(Deployment.__annotations__)
        props = properties(resource_name, given, keys, convert)
        refuse_options(
            "Deployment",
            resource_name,
            opts,
            instead="Set `adopt=True` and `name`, or use `pulumi-jig import`.",
        )
        super().__init__(DeploymentProvider(), resource_name, props, opts)
        # The check makes it, in the process that sends the requests.
        self.endpoint_url = pulumi.Output.all(self.name, self.endpoint_url).apply(
            # A state from before, and Pulumi's own mocks, have none.
            lambda both: both[1] or (endpoint_url(both[0]) if both[0] else "")
        )

    @classmethod
    def get(
        cls,
        resource_name: str,
        id: pulumi.Input[str],  # noqa: A002 - Pulumi's own name for it
        opts: pulumi.ResourceOptions | None = None,
    ) -> Deployment:
        """
        Look up a deployment that somebody else manages; it is never changed or deleted.

        Args:
            resource_name: The resource's name in the program.
            id: The deployment's name in the service.
            opts: Pulumi's options.
        """
        args, opts = existing(Where(f"Deployment {resource_name}"), id, opts)
        return cls(resource_name, cast("DeploymentArgsDict", args), opts)


def _follows_rotations(where: Where, given: dict[str, Any]) -> bool:
    """Take `restart_on_rotation` out of the arguments, which are sent; it is not."""
    wanted = given.pop("restart_on_rotation", False)
    if not isinstance(wanted, bool):
        raise pulumi.RunError(
            f"{where.resource}: restart_on_rotation must be True or False, known when "
            "the program runs."
        )
    if wanted:
        given.setdefault("environment_variables", {})
    return wanted
