"""
What a deployment's body must be: every field's type, bounds and default.

A body goes in as parsed JSON and comes out as a normalised record holding only known
keys; anything else raises `checks.Refused`. Whether a name is free or a volume exists is not
asked here: that takes the store.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .checks import (
    bad,
    check_integer,
    check_number,
    check_records,
    check_strings,
    check_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Record = dict[str, Any]

# Rule GPU-1: the published words, and `none` for no GPU.
GPU_TYPES = ("h100-80gb", "h100-40gb-mig", "h200-140gb", "b200-192gb", "none")
CAPACITY_TYPES = ("stable", "preemptible")
# Rule NAME-2: a deployment of such a name could not be reached by it.
RESERVED_NAMES = frozenset({"secrets", "storage"})
# Rule BOUNDS-2: an organization's quota of replicas for one deployment.
REPLICA_QUOTA = 100

# Rule NAME-1: the rule of the newest document, for new names.
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{3,62}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_MODEL = re.compile(r"ml_[A-Za-z0-9]+")
_REVISION = re.compile(r"rv_[A-Za-z0-9]+")

# The variable that the service adds to every answer; it is never part of a spec.
REVISION_VARIABLE = "TOGETHER_DEPLOYMENT_REVISION_ID"

# Rule SCALE-1: per metric: default target and whether a rate window belongs to it.
_METRICS: dict[str, tuple[float, bool]] = {
    "HTTPTotalRequests": (100, True),
    "HTTPAvgRequestDuration": (500, True),
    "QueueBacklogPerWorker": (1.01, False),
    "CustomMetric": (500, False),
}

DEFAULTS: Record = {
    "description": "",
    # Rule DEFAULT-1: these two are documented;
    "gpu_count": 0,
    "min_replicas": 1,
    # Rule DEFAULT-3: these are not, and are what the vendor's CLI sends.
    "cpu": 1,
    "memory": 8,
    "storage": 100,
    "port": None,
    "health_check_path": "",
    "command": [],
    "args": [],
    "termination_grace_period_seconds": 300,
    "capacity_type": "stable",
    "autoscaling": None,
    "environment_variables": [],
    "volumes": [],
    "model_mounts": [],
}

# A change of these alone starts no replica anew and makes no revision (rules REVISION-2
# and REVISION-3).
BOUNDS = ("min_replicas", "max_replicas")
OUTSIDE_REVISION = (*BOUNDS, "description")


def _image(path: str, value: Any) -> str:
    image = check_text(path, value, most=1024)
    if not image or any(character.isspace() for character in image):
        raise bad(path, "must be an image reference without spaces")
    return image


def _cpu(path: str, value: Any) -> float | int:
    number = check_number(path, value)
    if not 0.1 <= number <= 10_000:
        raise bad(path, "must be at least 0.1 cores (and at most 10000)")
    return number


def _memory(path: str, value: Any) -> float | int:
    number = check_number(path, value)
    if not 0 < number <= 1000:
        raise bad(path, "must be more than 0 and at most 1000 GiB")
    return number


def _health_check_path(path: str, value: Any) -> str:
    text = check_text(path, value, most=1024)
    if text and not text.startswith("/"):
        raise bad(path, "must begin with /")
    return text


def _capacity_type(path: str, value: Any) -> str:
    if value not in CAPACITY_TYPES:
        raise bad(path, f"must be one of {', '.join(CAPACITY_TYPES)}")
    return str(value)


def _autoscaling(path: str, value: Any) -> Record | None:
    if not isinstance(value, dict):
        raise bad(path, "must be an object")
    if not value:
        # Rule PATCH-3, rule SCALE-2: an empty object switches autoscaling off.
        return None
    metric = value.get("metric")
    if not isinstance(metric, str) or metric not in _METRICS:
        raise bad(
            f"{path}.metric",
            f"unknown autoscaling metric: use one of {', '.join(_METRICS)}",
        )
    default, has_window = _METRICS[metric]
    # Rule SCALE-3: what was left out is answered with its default.
    target = value.get("target")
    result: Record = {
        "metric": metric,
        "target": default if target is None else check_number(f"{path}.target", target),
    }
    if not 0 < result["target"] <= 1e15:
        raise bad(f"{path}.target", "must be more than 0")
    if has_window:
        window = value.get("time_interval_minutes")
        result["time_interval_minutes"] = (
            10
            if window is None
            else check_integer(f"{path}.time_interval_minutes", window, 1, 10_080)
        )
    if metric == "CustomMetric":
        custom = value.get("custom_metric_name")
        if not isinstance(custom, str) or not _METRIC_NAME.fullmatch(custom):
            raise bad(
                f"{path}.custom_metric_name",
                "is required for CustomMetric and must match [a-zA-Z_:][a-zA-Z0-9_:]*",
            )
        result["custom_metric_name"] = custom
    # Rule SCALE-4: the vendor's CLI sends `model` with every metric.
    if value.get("model") is not None:
        result["model"] = check_text(f"{path}.model", value["model"], most=200)
    return result


def _environment_variables(path: str, value: Any) -> list[Record]:
    result: list[Record] = []
    seen: set[str] = set()
    for index, item in enumerate(check_records(path, value)):
        here = f"{path}[{index}]"
        name = item.get("name")
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            raise bad(f"{here}.name", "must match [A-Za-z_][A-Za-z0-9_]*")
        text, secret = item.get("value"), item.get("value_from_secret")
        # Rule ENV-1: one of the two, never both.
        if (text is None) == (secret is None):
            raise bad(here, "exactly one of value and value_from_secret must be set")
        if text is not None:
            entry = {"name": name, "value": check_text(f"{here}.value", text)}
        else:
            reference = check_text(f"{here}.value_from_secret", secret, most=100)
            if not reference:
                raise bad(f"{here}.value_from_secret", "must not be empty")
            entry = {"name": name, "value_from_secret": reference}
        if name in seen:
            raise bad(f"{here}.name", "the variable is in the list twice")
        seen.add(name)
        # Rule ENV-4: the service's own variable is ignored when it is sent back.
        if name != REVISION_VARIABLE:
            result.append(entry)
    return result


def _mount_path(path: str, value: Any) -> str:
    text = check_text(path, value, most=1024)
    if not text.startswith("/") or text == "/" or ".." in text.split("/"):
        raise bad(path, f"invalid mount_path: {text[:80]}: it must be absolute")
    return text


def _volumes(path: str, value: Any) -> list[Record]:
    result: list[Record] = []
    for index, item in enumerate(check_records(path, value)):
        here = f"{path}[{index}]"
        name = check_text(f"{here}.name", item.get("name"), most=100)
        if not name:
            raise bad(f"{here}.name", "must not be empty")
        mount: Record = {
            "name": name,
            "mount_path": _mount_path(f"{here}.mount_path", item.get("mount_path")),
        }
        if item.get("version") is not None:
            mount["version"] = check_integer(
                f"{here}.version", item["version"], 0, 1_000_000
            )
        result.append(mount)
    if len(result) > 1:
        # Rule VOLUME-7.
        raise bad(path, "only one readOnly volume is allowed per deployment")
    return result


def _model_mounts(path: str, value: Any) -> list[Record]:
    result: list[Record] = []
    for index, item in enumerate(check_records(path, value)):
        here = f"{path}[{index}]"
        model = item.get("model_id")
        if not isinstance(model, str) or not _MODEL.fullmatch(model):
            raise bad(f"{here}.model_id", "must be a model identifier (ml_...)")
        mount: Record = {
            "model_id": model,
            "mount_path": _mount_path(f"{here}.mount_path", item.get("mount_path")),
        }
        revision = item.get("revision_id")
        if revision is not None:
            if not isinstance(revision, str) or not _REVISION.fullmatch(revision):
                raise bad(f"{here}.revision_id", "must be a model revision (rv_...)")
            mount["revision_id"] = revision
        result.append(mount)
    if len(result) > 1:
        raise bad(path, "only one model mount is supported per deployment")
    return result


# Rule BOUNDS-1: bounds as documented, where they are.
_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "description": lambda p, v: check_text(p, v, most=10_000),
    "image": _image,
    "gpu_count": lambda p, v: check_integer(p, v, 0, 64),
    "cpu": _cpu,
    "memory": _memory,
    "storage": lambda p, v: check_integer(p, v, 1, 400),
    "port": lambda p, v: check_integer(p, v, 1, 65_535),
    "min_replicas": lambda p, v: check_integer(p, v, 0, REPLICA_QUOTA),
    "max_replicas": lambda p, v: check_integer(p, v, 0, REPLICA_QUOTA),
    "health_check_path": _health_check_path,
    "command": check_strings,
    "args": check_strings,
    "termination_grace_period_seconds": lambda p, v: check_integer(p, v, 0, 86_400),
    "capacity_type": _capacity_type,
    "autoscaling": _autoscaling,
    "environment_variables": _environment_variables,
    "volumes": _volumes,
    "model_mounts": _model_mounts,
}


def deployment_fields(body: Record, gpu_types: Iterable[str]) -> Record:
    """
    Return the spec fields that a create or update body sets, each checked.

    A field that is absent or null is not in the result (rules PATCH-1 and BODY-1); keys that are
    not known are left out without a word (rule BODY-2).

    Raises:
        Refused: 400, naming the first field that is wrong.

    """
    fields: Record = {}
    for name, check in _CHECKS.items():
        if body.get(name) is not None:
            fields[name] = check(name, body[name])
    if body.get("gpu_type") is not None:
        known = tuple(gpu_types)
        if body["gpu_type"] not in known:
            raise bad("gpu_type", f"must be one of {', '.join(known)}")
        fields["gpu_type"] = body["gpu_type"]
    return fields


def whole_spec(spec: Record) -> None:
    """
    Check what only the whole spec can tell.

    Raises:
        Refused: 400, naming the field.

    """
    if spec["min_replicas"] > spec["max_replicas"]:
        raise bad("min_replicas", "min replicas cannot be greater than max replicas")
    # Rule MODEL-1: there is one preload sidecar.
    if spec["volumes"] and spec["model_mounts"]:
        raise bad("model_mounts", "cannot be combined with volumes")
    # Rule GPU-2: no GPU and some GPUs contradict each other.
    if spec["gpu_type"] == "none" and spec["gpu_count"]:
        raise bad("gpu_count", "must be 0 with gpu_type none")


def deployment_name(value: Any) -> str:
    """
    Return the name of a new deployment.

    Raises:
        Refused: 400.

    """
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise bad(
            "name",
            "must contain lowercase letters, numbers, or hyphens, start with a "
            "lowercase letter or number, and be 4-63 characters",
        )
    if value in RESERVED_NAMES:
        raise bad("name", f"{value} is a reserved name")
    return value
