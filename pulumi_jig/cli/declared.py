"""
What a program has to declare so that it is true of a running deployment.

Everything that the service tells and that can be declared, in the order of the
reference; without what is the platform's own, what is empty, and keys of nested objects
that are newer than this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.schema.deployment import FIELDS
from pulumi_jig.schema.diff import live_values
from pulumi_jig.schema.enums import HTTP_METRICS, PLATFORM_PREFIX
from pulumi_jig.values import SecretValue

if TYPE_CHECKING:
    from pulumi_jig.schema.responses import DeploymentResponseItem

_MOUNT: Final = ("name", "mount_path", "version")
_MODEL: Final = ("model_id", "mount_path", "revision_id")


def declaration(item: DeploymentResponseItem) -> dict[str, Any]:
    """
    The arguments of a deployment as it is.

    Values of environment variables are marked as secrets, since nobody said that they
    are not.
    """
    live = live_values(item)
    found: dict[str, Any] = {}
    for name in FIELDS:
        value = live.get(name)
        if name == "environment_variables":
            value = _environment(value or {})
        elif name == "autoscaling":
            value = _autoscaling(value or {}, item.name)
        elif name == "volumes":
            value = [_only(mount, _MOUNT) for mount in value or []]
        elif name == "model_mounts":
            value = [_only(mount, _MODEL) for mount in value or []]
        if value not in (None, "", [], {}):
            found[name] = value
    if found.get("gpu_type") == "none" and not found.get("gpu_count"):
        found.pop("gpu_count", None)
    return found


def left_out(item: DeploymentResponseItem) -> list[str]:
    """Names of variables that are taken for the platform's own."""
    live = live_values(item).get("environment_variables") or {}
    return sorted(live.keys() - _environment(live).keys())


def _environment(live: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value if isinstance(value, dict) else SecretValue(value)
        for name, value in sorted(live.items())
        # The platform injects plain values only; a reference was declared by somebody.
        if isinstance(value, dict) or not name.startswith(PLATFORM_PREFIX)
    }


def _autoscaling(live: dict[str, Any], name: str | None) -> dict[str, Any]:
    metric = live.get("metric")
    keys: tuple[str, ...] = ("metric", "target", "model")
    if metric in HTTP_METRICS:
        keys = ("metric", "target", "time_interval_minutes")
    elif metric == "CustomMetric":
        keys = ("metric", "custom_metric_name", "target", "model")
    found = {k: live[k] for k in keys if live.get(k) is not None}
    if found.get("model") == name:
        # The service's default, and what the vendor's tool adds to every metric.
        del found["model"]
    return found


def _only(mount: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(mount, dict):
        return {}
    return {key: mount[key] for key in keys if mount.get(key) is not None}
