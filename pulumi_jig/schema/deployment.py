"""
One table: what each field of a deployment means for its life.

For every field: whether a change replaces the deployment or updates it, what it is held
at when the program leaves it out (or that it is left alone), how a value is compared with
what is live, and whether a change rolls new replicas. `diff`, `update`, `read`, `drift`
and the reference documentation all read this table, so they cannot disagree.
"""

from __future__ import annotations

from typing import Final

from pulumi_jig.schema.comparison import (
    autoscaling_views,
    environment_views,
    mount_views,
    same_gpu_count,
    same_gpu_type,
    same_image,
    same_list,
    same_number,
    same_text,
)
from pulumi_jig.schema.field import Field

_TABLE: Final = (
    Field(
        "name",
        on_change="replace",
        source="the create document: it cannot be changed",
    ),
    Field("image", same=same_image, source="required, so it is never cleared"),
    Field(
        "gpu_type",
        same=same_gpu_type,
        absent="none",
        source="required, so it is never cleared",
    ),
    Field(
        "gpu_count",
        default=0,
        same=same_gpu_count,
        absent=0,
        source="default 0",
    ),
    Field("cpu", same=same_number),
    Field("memory", same=same_number),
    Field("storage", same=same_number),
    Field(
        "min_replicas",
        default=1,
        same=same_number,
        absent=0,
        rolls=False,
        source="default 1; replica bounds keep their revision in the vendor's client",
    ),
    Field(
        "max_replicas",
        # The value of min_replicas, see `held_value`.
        default="min_replicas",
        same=same_number,
        rolls=False,
        source="default: min_replicas",
    ),
    Field(
        "autoscaling",
        default={},
        absent={},
        views=autoscaling_views,
        source="the update document: {} disables it",
    ),
    Field("capacity_type"),
    Field("port", same=same_number),
    Field(
        "health_check_path",
        default="",
        absent="",
        same=same_text,
        source='the update document: "" disables it',
    ),
    Field(
        "command",
        default=[],
        absent=[],
        same=same_list,
        source="assumed: lists are replaced, so an empty one clears",
    ),
    Field(
        "args",
        default=[],
        absent=[],
        same=same_list,
        source="assumed: lists are replaced, so an empty one clears",
    ),
    Field(
        "environment_variables",
        default={},
        absent={},
        views=environment_views,
        source="the update document: the list replaces all existing variables",
    ),
    Field(
        "volumes",
        default=[],
        absent=[],
        views=mount_views("version"),
        source="the update document: the list replaces all existing mounts",
    ),
    Field(
        "model_mounts",
        default=[],
        absent=[],
        views=mount_views("revision_id"),
        source="the vendor's client always sends the list",
    ),
    Field("termination_grace_period_seconds", same=same_number),
    Field(
        "description",
        default="",
        absent="",
        same=same_text,
        rolls=False,
        source="the vendor's client sends the empty string",
    ),
)

#: The field whose parts are told apart: one variable may be ours and another not.
ENVIRONMENT: Final = "environment_variables"

FIELDS: Final[dict[str, Field]] = {field.name: field for field in _TABLE}
