"""
One table: what each field of a deployment means for its life.

For every field: what it takes (with range and unit), whether a change replaces the deployment or updates it, what it is held
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
from pulumi_jig.schema.enums import CAPACITY_TYPES, GPU_TYPES
from pulumi_jig.schema.field import ENTRY, Field, Range

#: Ranges inside a field.
INTERVAL_MINUTES: Final = Range(least=1)
VERSION: Final = Range(least=0)

_STRINGS: Final = {ENTRY: "a string; put numbers into quotes"}
_MOUNT_PATH: Final = 'an absolute path such as "/weights"'

_TABLE: Final = (
    Field(
        "name",
        what="4 to 63 lowercase letters, digits and hyphens",
        on_change="replace",
        source="the create document: it cannot be changed",
    ),
    Field(
        "image",
        what='a container image, e.g. "registry.together.ai/proj/app@sha256:..."',
        same=same_image,
        source="required, so it is never cleared",
    ),
    Field(
        "gpu_type",
        what="a GPU type such as " + ", ".join(GPU_TYPES),
        same=same_gpu_type,
        absent="none",
        source="required, so it is never cleared",
    ),
    Field(
        "gpu_count",
        what="GPUs per replica",
        range=Range(least=0),
        default=0,
        same=same_gpu_count,
        absent=0,
        source="default 0",
    ),
    Field(
        "cpu",
        what="cores per replica",
        range=Range(whole=False, least=0.1),
        unit="cores",
        same=same_number,
    ),
    Field(
        "memory",
        what="GiB per replica",
        range=Range(whole=False, above=0, most=1000),
        unit="GiB",
        same=same_number,
    ),
    Field(
        "storage",
        what="GiB of disk per replica",
        range=Range(least=0, most=400),
        unit="GiB",
        same=same_number,
    ),
    Field(
        "min_replicas",
        what="fewest replicas",
        range=Range(least=0),
        default=1,
        same=same_number,
        absent=0,
        rolls=False,
        source="default 1; replica bounds keep their revision in the vendor's client",
    ),
    Field(
        "max_replicas",
        what="most replicas",
        range=Range(least=0),
        # The value of min_replicas, see `held_value`.
        default="min_replicas",
        same=same_number,
        rolls=False,
        source="default: min_replicas",
    ),
    Field(
        "autoscaling",
        what="{metric, target, ...}",
        parts={
            "target": "a number above 0",
            "time_interval_minutes": f"minutes, {INTERVAL_MINUTES}",
            "custom_metric_name": "the Prometheus name of the metric",
            "model": "the name of a queue",
        },
        default={},
        absent={},
        views=autoscaling_views,
        source="the update document: {} disables it",
    ),
    Field("capacity_type", what=" or ".join(CAPACITY_TYPES)),
    Field(
        "port",
        what="the container's port",
        range=Range(least=1, most=65535),
        same=same_number,
    ),
    Field(
        "health_check_path",
        what='an HTTP path such as "/health"',
        default="",
        absent="",
        same=same_text,
        source='the update document: "" disables it',
    ),
    Field(
        "command",
        what="a list of strings",
        parts=_STRINGS,
        default=[],
        absent=[],
        same=same_list,
        source="assumed: lists are replaced, so an empty one clears",
    ),
    Field(
        "args",
        what="a list of strings",
        parts=_STRINGS,
        default=[],
        absent=[],
        same=same_list,
        source="assumed: lists are replaced, so an empty one clears",
    ),
    Field(
        "environment_variables",
        what='NAME -> value or {"value_from_secret": name}',
        parts={
            "value": "a text; put numbers into quotes",
            "value_from_secret": "the name or id of a secret",
        },
        default={},
        absent={},
        views=environment_views,
        source="the update document: the list replaces all existing variables",
    ),
    Field(
        "volumes",
        what="a list of at most one {name, mount_path, version?}",
        parts={
            "name": "the name or id of a volume",
            "mount_path": _MOUNT_PATH,
            "version": str(VERSION),
        },
        default=[],
        absent=[],
        views=mount_views("version"),
        source="the update document: the list replaces all existing mounts",
    ),
    Field(
        "model_mounts",
        what="a list of at most one {model_id, mount_path, revision_id?}",
        parts={
            "model_id": 'an id of the model registry, "ml_..."',
            "mount_path": _MOUNT_PATH,
            "revision_id": 'a revision, "rv_..."',
        },
        default=[],
        absent=[],
        views=mount_views("revision_id"),
        source="the vendor's client always sends the list",
    ),
    Field(
        "termination_grace_period_seconds",
        what="seconds",
        range=Range(least=0),
        unit="s",
        same=same_number,
    ),
    Field(
        "description",
        what="a text",
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
