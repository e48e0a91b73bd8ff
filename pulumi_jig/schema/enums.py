"""
Words of the API that the service may add to, and what it fills in by itself.

Plain data, so that whoever only needs to know a word loads no validation. Nothing is
refused for not standing here: a word that this package does not know gives a warning.
"""

from __future__ import annotations

import enum
from typing import Final

#: GPU types known at the time of writing, with the memory of each in GiB as its name
#: says. `none` is the CPU-only form: documented in guides, in none of the enums.
GPU_TYPES: Final = ("h100-80gb", "h100-40gb-mig", "h200-140gb", "b200-192gb", "none")
CAPACITY_TYPES: Final = ("stable", "preemptible")
HTTP_METRICS: Final = ("HTTPTotalRequests", "HTTPAvgRequestDuration")
AUTOSCALING_METRICS: Final = (*HTTP_METRICS, "QueueBacklogPerWorker", "CustomMetric")


class DeploymentStatus(enum.StrEnum):
    """
    What the service says of a deployment as a whole.

    The words that are known; an answer may hold a newer one, so fields of answers are
    plain strings, which compare with these.
    """

    UPDATING = "Updating"
    """A change is being rolled out."""
    SCALING = "Scaling"
    """Replicas come or go; the revision stays."""
    READY = "Ready"
    """It serves."""
    FAILED = "Failed"
    """The roll-out failed."""
    SCALED_TO_ZERO = "ScaledToZero"
    """No replica runs, as its floor of zero allows. Since 2026-05-15."""


DEPLOYMENT_STATUSES: Final = tuple(status.value for status in DeploymentStatus)

#: Kubernetes' words for why a replica does not run (no document of the API lists them):
#: it does not come up, and no waiting mends that; ...
CRASHED: Final = frozenset({"CrashLoopBackOff"})
#: ... its image cannot be pulled, which may pass; ...
NOT_PULLED: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable"}
)
#: ... the request has a mistake, which no retry of the platform mends; ...
UNSTARTABLE: Final = frozenset(
    {
        "InvalidImageName",
        "ErrImageNeverPull",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    }
)
#: ... it used too much memory.
OUT_OF_MEMORY: Final = frozenset({"OOMKilled"})

#: All words of answers by which something is decided. They stay what they are although a
#: secret may have the same text; of other words nothing is made but a message.
DECISIVE: Final = frozenset(
    {
        *DEPLOYMENT_STATUSES,
        *CRASHED,
        *NOT_PULLED,
        *UNSTARTABLE,
        *OUT_OF_MEMORY,
        *("Running", "Waiting", "Terminated"),
        *("InProgress", "Completed"),
        *("ready", "pending", "syncing", "failed"),
        *("create", "update", "system", "rollback"),
    }
)

#: Environment variables of this prefix are the platform's. Some of them appear in
#: answers although nobody declared them; they are never sent back.
PLATFORM_PREFIX: Final = "TOGETHER_"
#: The variable in which an answer names the revision that it describes.
REVISION_VARIABLE: Final = "TOGETHER_DEPLOYMENT_REVISION_ID"

#: What the service fills in for an autoscaling target, per metric.
DEFAULT_TARGETS: Final = {
    "HTTPTotalRequests": 100.0,
    "HTTPAvgRequestDuration": 500.0,
    "QueueBacklogPerWorker": 1.01,
    "CustomMetric": 500.0,
}
DEFAULT_TIME_INTERVAL_MINUTES: Final = 10
