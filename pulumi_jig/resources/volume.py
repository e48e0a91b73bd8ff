"""
`Volume`: read-only files for deployments, in versions.

The class turns arguments into plain data and tells the plugin where in which program it
stands. Everything else happens in the plugin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict, Unpack, cast

import pulumi
from pulumi import dynamic

from pulumi_jig.naming import MODULE
from pulumi_jig.provider import VolumeProvider
from pulumi_jig.resources.arguments import (
    existing,
    gathered,
    properties,
    refuse_options,
    typed,
)
from pulumi_jig.resources.forms import Where, plain

# --- What a volume holds -------------------------------------------------------


@dataclass(kw_only=True)
class S3OriginArgs:
    """A bucket, or a part of one, of which the service copies a snapshot."""

    uri: pulumi.Input[str]
    """`s3://bucket` or `s3://bucket/prefix`."""
    role_arn: pulumi.Input[str]
    """ARN of the IAM role that the service assumes to read it, `arn:aws:iam::...`."""


class S3OriginArgsDict(TypedDict):
    """`S3OriginArgs` as a dictionary."""

    uri: pulumi.Input[str]
    role_arn: pulumi.Input[str]


@dataclass(kw_only=True)
class VolumeOriginArgs:
    """Where files come from, outside the service."""

    s3: pulumi.Input[S3OriginArgs | S3OriginArgsDict]
    """A bucket."""


class VolumeOriginArgsDict(TypedDict):
    """`VolumeOriginArgs` as a dictionary."""

    s3: pulumi.Input[S3OriginArgs | S3OriginArgsDict]


@dataclass(kw_only=True)
class VolumeContentArgs:
    """
    What a volume holds: exactly one of `source_prefix` and `origin`.

    Source of "exactly one": the vendor's SDK calls the two mutually exclusive; its older
    document knows `source_prefix` only.
    """

    source_prefix: pulumi.Input[str] | None = None
    """Prefix of files that were uploaded to the service, such as `models/llm/3`."""
    origin: pulumi.Input[VolumeOriginArgs | VolumeOriginArgsDict] | None = None
    """A copy from elsewhere. It is a snapshot: what changes there later is not seen
    until a new version is asked for (`VolumeArgs.version`)."""
    type: pulumi.Input[Literal["files"]] | None = None
    """`files`, the default and the only type that there is."""


class VolumeContentArgsDict(TypedDict):
    """`VolumeContentArgs` as a dictionary."""

    source_prefix: NotRequired[pulumi.Input[str]]
    origin: NotRequired[pulumi.Input[VolumeOriginArgs | VolumeOriginArgsDict]]
    type: NotRequired[pulumi.Input[Literal["files"]]]


if TYPE_CHECKING:
    VolumeContent = VolumeContentArgs | VolumeContentArgsDict


# --- The volume ----------------------------------------------------------------


@dataclass(kw_only=True)
class VolumeArgs:
    """
    The arguments of a `Volume`.

    Fields of the API come first, under the API's own names. Options of this package
    follow; they are never sent.
    """

    content: pulumi.Input[VolumeContent]
    """What it holds. Another content makes a new version of the same volume; deployments
    that mount the `Volume` follow in the same update."""
    name: pulumi.Input[str] | None = None
    """
    Name in the service, unique within the project of the key. Another name replaces the
    volume: mounts hold the name, and no document says what becomes of them when a volume
    is renamed. Left out: the resource's name and a suffix that is the same in preview
    and update.
    """
    type: pulumi.Input[str] | None = None
    """`readOnly`, the default and the only type that there is. One that this package
    does not know gives a warning and is sent."""
    version: pulumi.Input[int] | None = None
    """
    A counter of your own, a whole number from 0. When it changes, a new version of the
    same content is made: a fresh snapshot of the bucket. It is not the number that the
    service gives (`Volume.current_version`).
    """
    adopt: pulumi.Input[bool] | None = None
    """Take over an existing volume of this `name` instead of refusing it. A volume
    carries no mark, so nothing else tells whose it is."""


class VolumeArgsDict(TypedDict, total=False):
    """`VolumeArgs` as a dictionary, and as keyword arguments of `Volume`."""

    content: pulumi.Input[VolumeContent]
    name: pulumi.Input[str] | None
    type: pulumi.Input[str] | None
    version: pulumi.Input[int] | None
    adopt: pulumi.Input[bool] | None


@typed
class Volume(dynamic.Resource, module=MODULE, name="Volume"):
    """
    Read-only files, such as a model's weights, that deployments mount.

    Constructed as Pulumi's own resources are, both ways:

        Volume("weights", VolumeArgs(content={"source_prefix": "models/llm/3"}), opts)
        Volume("weights", content={"origin": {"s3": {...}}}, opts=...)

    A creation or an update is done when the version that it made is `ready`; one that
    failed is an error, and the next update asks for another. Time limits are Pulumi's
    own `custom_timeouts`: an hour for create and update, ten minutes for delete. A
    volume that a deployment mounts is not deleted.
    """

    name: pulumi.Output[str]
    """Name in the service; the Pulumi id as well."""
    type: pulumi.Output[str]
    """Type of the volume."""
    content: pulumi.Output[dict[str, Any]]
    """What the newest version holds."""
    version: pulumi.Output[int | None]
    """Your own counter."""
    volume_id: pulumi.Output[str]
    """The service's own id."""
    current_version: pulumi.Output[int]
    """
    The newest version that is ready, from 0: what a deployment may mount. After a
    failed copy it is the one from before, while the service's own `current_version`
    names the failed one. Not known in a preview that shows an update.
    """
    status: pulumi.Output[str]
    """Of the newest version: `ready`, `pending`, `syncing`, `failed`, or a newer word."""
    status_message: pulumi.Output[str | None]
    """Why the newest version failed, in the service's words."""
    versions: pulumi.Output[list[dict[str, Any]]]
    """All versions, oldest first: `version`, `status`, `status_message` if it failed."""
    created_at: pulumi.Output[str]
    """ISO 8601."""
    updated_at: pulumi.Output[str]
    """ISO 8601."""

    def __init_subclass__(cls, **_kwargs: Any) -> None:
        """Keep the type token: a subclass without one would be another resource."""
        super().__init_subclass__(module=MODULE, name="Volume")

    def __init__(
        self,
        resource_name: str,
        args: VolumeArgs | VolumeArgsDict | pulumi.ResourceOptions | None = None,
        opts: pulumi.ResourceOptions | None = None,
        **kwargs: Unpack[VolumeArgsDict],
    ) -> None:
        if isinstance(args, pulumi.ResourceOptions):
            args, opts = None, args
        refuse_options("Volume", resource_name, opts)
        where = Where(f"Volume {resource_name}")
        given = gathered(where, args, kwargs)
        props = properties(
            resource_name,
            given,
            Volume.__annotations__,
            lambda key, value: plain(value, where / key),
        )
        super().__init__(VolumeProvider(), resource_name, props, opts)

    @classmethod
    def get(
        cls,
        resource_name: str,
        id: pulumi.Input[str],  # noqa: A002 - Pulumi's own name for it
        opts: pulumi.ResourceOptions | None = None,
    ) -> Volume:
        """
        Look up a volume that somebody else manages; it is never changed or deleted.

        Args:
            resource_name: The resource's name in the program.
            id: The volume's name in the service.
            opts: Pulumi's options.
        """
        args, opts = existing(Where(f"Volume {resource_name}"), id, opts)
        return cls(resource_name, cast("VolumeArgsDict", args), opts)
