"""
What a request body must be: every field's type, bounds and default.

A body goes in as parsed JSON and comes out as a normalised record holding only known
keys; anything else raises `Refused`. Whether a name is free or a volume exists is not
asked here: that takes the store.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Record = dict[str, Any]

GPU_TYPES = ("h100-80gb", "h100-40gb-mig", "h200-140gb", "b200-192gb", "none")
CAPACITY_TYPES = ("stable", "preemptible")
RESERVED_NAMES = frozenset({"secrets", "storage"})
# An organization's quota of replicas for one deployment.
REPLICA_QUOTA = 100

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{3,62}")
_SECRET_NAME = re.compile(r"[A-Za-z0-9_\-/.]{1,100}")
_VOLUME_NAME = re.compile(r"[A-Za-z0-9_\-.]{1,100}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_MODEL = re.compile(r"ml_[A-Za-z0-9]+")
_REVISION = re.compile(r"rv_[A-Za-z0-9]+")

# The variable that the service adds to every answer; it is never part of a spec.
REVISION_VARIABLE = "TOGETHER_DEPLOYMENT_REVISION_ID"

# Per metric: default target and whether a rate window belongs to it.
_METRICS: dict[str, tuple[float, bool]] = {
    "HTTPTotalRequests": (100, True),
    "HTTPAvgRequestDuration": (500, True),
    "QueueBacklogPerWorker": (1.01, False),
    "CustomMetric": (500, False),
}

DEFAULTS: Record = {
    "description": "",
    "gpu_count": 0,
    "cpu": 1,
    "memory": 8,
    "storage": 100,
    "port": None,
    "min_replicas": 1,
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

# A change of these alone starts no replica anew and makes no revision.
BOUNDS = ("min_replicas", "max_replicas")
OUTSIDE_REVISION = (*BOUNDS, "description")


class Refused(Exception):  # noqa: N818 - it is the answer to a request, not a fault.
    """
    A request that the service answers with an error.

    Attributes:
        status: the HTTP status.
        message: the sentence in the error body.
        param: the field at fault, as a path, or None.
        code: a word for programs, or None.

    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code


def bad(param: str, message: str) -> Refused:
    """Return the refusal of one field."""
    return Refused(400, f"{param}: {message}", param=param, code="invalid_value")


def _text(path: str, value: Any, *, most: int = 100_000) -> str:
    if not isinstance(value, str):
        raise bad(path, "must be a string")
    if len(value) > most:
        raise bad(path, f"must have at most {most} characters")
    if "\x00" in value:
        raise bad(path, "must not contain a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise bad(path, "must be valid Unicode text") from None
    return value


def _integer(
    path: str,
    value: Any,
    low: int,
    high: int,
) -> int:
    # Rule NUM-1: the service is written in Go, whose decoder takes 1 but not 1.0.
    if isinstance(value, bool) or not isinstance(value, int):
        raise bad(path, "must be an integer")
    if not low <= value <= high:
        raise bad(path, f"must be from {low} to {high}")
    return value


def _number(path: str, value: Any) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise bad(path, "must be a number")
    return value


def _strings(path: str, value: Any) -> list[str]:
    if not isinstance(value, list):
        raise bad(path, "must be a list of strings")
    return [_text(f"{path}[{index}]", item) for index, item in enumerate(value)]


def _records(path: str, value: Any) -> list[Record]:
    if not isinstance(value, list):
        raise bad(path, "must be a list of objects")
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise bad(f"{path}[{index}]", "must be an object")
    return value


def _image(path: str, value: Any) -> str:
    image = _text(path, value, most=1024)
    if not image or any(character.isspace() for character in image):
        raise bad(path, "must be an image reference without spaces")
    return image


def _cpu(path: str, value: Any) -> float | int:
    number = _number(path, value)
    if not 0.1 <= number <= 10_000:
        raise bad(path, "must be at least 0.1 cores (and at most 10000)")
    return number


def _memory(path: str, value: Any) -> float | int:
    number = _number(path, value)
    if not 0 < number <= 1000:
        raise bad(path, "must be more than 0 and at most 1000 GiB")
    return number


def _health_check_path(path: str, value: Any) -> str:
    text = _text(path, value, most=1024)
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
        # Rule SCALE-2: an empty object switches autoscaling off.
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
        "target": default if target is None else _number(f"{path}.target", target),
    }
    if not 0 < result["target"] <= 1e15:
        raise bad(f"{path}.target", "must be more than 0")
    if has_window:
        window = value.get("time_interval_minutes")
        result["time_interval_minutes"] = (
            10
            if window is None
            else _integer(f"{path}.time_interval_minutes", window, 1, 10_080)
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
        result["model"] = _text(f"{path}.model", value["model"], most=200)
    return result


def _environment_variables(path: str, value: Any) -> list[Record]:
    result: list[Record] = []
    seen: set[str] = set()
    for index, item in enumerate(_records(path, value)):
        here = f"{path}[{index}]"
        name = item.get("name")
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            raise bad(f"{here}.name", "must match [A-Za-z_][A-Za-z0-9_]*")
        text, secret = item.get("value"), item.get("value_from_secret")
        if (text is None) == (secret is None):
            raise bad(here, "exactly one of value and value_from_secret must be set")
        if text is not None:
            entry = {"name": name, "value": _text(f"{here}.value", text)}
        else:
            reference = _text(f"{here}.value_from_secret", secret, most=100)
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
    text = _text(path, value, most=1024)
    if not text.startswith("/") or text == "/" or ".." in text.split("/"):
        raise bad(path, f"invalid mount_path: {text[:80]}: it must be absolute")
    return text


def _volumes(path: str, value: Any) -> list[Record]:
    result: list[Record] = []
    for index, item in enumerate(_records(path, value)):
        here = f"{path}[{index}]"
        name = _text(f"{here}.name", item.get("name"), most=100)
        if not name:
            raise bad(f"{here}.name", "must not be empty")
        mount: Record = {
            "name": name,
            "mount_path": _mount_path(f"{here}.mount_path", item.get("mount_path")),
        }
        if item.get("version") is not None:
            mount["version"] = _integer(
                f"{here}.version", item["version"], 0, 1_000_000
            )
        result.append(mount)
    if len(result) > 1:
        raise bad(path, "only one readOnly volume is allowed per deployment")
    return result


def _model_mounts(path: str, value: Any) -> list[Record]:
    result: list[Record] = []
    for index, item in enumerate(_records(path, value)):
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


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "description": lambda p, v: _text(p, v, most=10_000),
    "image": _image,
    "gpu_count": lambda p, v: _integer(p, v, 0, 64),
    "cpu": _cpu,
    "memory": _memory,
    "storage": lambda p, v: _integer(p, v, 1, 400),
    "port": lambda p, v: _integer(p, v, 1, 65_535),
    "min_replicas": lambda p, v: _integer(p, v, 0, REPLICA_QUOTA),
    "max_replicas": lambda p, v: _integer(p, v, 0, REPLICA_QUOTA),
    "health_check_path": _health_check_path,
    "command": _strings,
    "args": _strings,
    "termination_grace_period_seconds": lambda p, v: _integer(p, v, 0, 86_400),
    "capacity_type": _capacity_type,
    "autoscaling": _autoscaling,
    "environment_variables": _environment_variables,
    "volumes": _volumes,
    "model_mounts": _model_mounts,
}


def deployment_fields(body: Record, gpu_types: Iterable[str]) -> Record:
    """
    Return the spec fields that a create or update body sets, each checked.

    A field that is absent or null is not in the result (rule PATCH-1); keys that are
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
    if spec["volumes"] and spec["model_mounts"]:
        raise bad("model_mounts", "cannot be combined with volumes")
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


def required(body: Record, names: Iterable[str]) -> None:
    """
    Refuse a body in which a required key is absent or null.

    Raises:
        Refused: 400.

    """
    for name in names:
        if body.get(name) is None:
            raise Refused(400, f"{name}: is required", param=name, code="missing_field")


def secret_fields(body: Record) -> Record:
    """
    Return the fields that a secret's body sets, each checked.

    Raises:
        Refused: 400.

    """
    fields: Record = {}
    if body.get("name") is not None:
        name = body["name"]
        if not isinstance(name, str) or not _SECRET_NAME.fullmatch(name):
            raise bad("name", "must be 1-100 letters, digits, or any of _ - / .")
        fields["name"] = name
    if body.get("value") is not None:
        value = body["value"]
        if not isinstance(value, str) or not value:
            raise bad("value", "must be a string of at least one character")
        fields["value"] = _text("value", value, most=1_000_000)
    if body.get("description") is not None:
        fields["description"] = _text("description", body["description"], most=500)
    if body.get("ttl_seconds") is not None:
        fields["ttl_seconds"] = _integer(
            "ttl_seconds", body["ttl_seconds"], 86_400, 1_209_600
        )
    return fields


def volume_fields(body: Record) -> Record:
    """
    Return the fields that a volume's body sets, each checked.

    Raises:
        Refused: 400.

    """
    fields: Record = {}
    if body.get("name") is not None:
        name = body["name"]
        if not isinstance(name, str) or not _VOLUME_NAME.fullmatch(name):
            raise bad("name", "must be 1-100 letters, digits, or any of _ - .")
        fields["name"] = name
    if body.get("type") is not None and body["type"] != "readOnly":
        raise bad("type", "must be readOnly")
    if body.get("content") is not None:
        fields["content"] = _content(body["content"])
    return fields


def _content(value: Any) -> Record:
    if not isinstance(value, dict):
        raise bad("content", "must be an object")
    if value.get("type") not in (None, "files"):
        raise bad("content.type", "must be files")
    prefix, origin = value.get("source_prefix"), value.get("origin")
    if (prefix is None) == (origin is None):
        raise bad("content", "exactly one of source_prefix and origin must be set")
    if prefix is not None:
        text = _text("content.source_prefix", prefix, most=1024)
        if not text:
            raise bad("content.source_prefix", "must not be empty")
        return {"type": "files", "source_prefix": text}
    source = origin.get("s3") if isinstance(origin, dict) else None
    if not isinstance(source, dict):
        raise bad("content.origin.s3", "must be an object with uri and role_arn")
    uri = _text("content.origin.s3.uri", source.get("uri"), most=1024)
    if not re.fullmatch(r"s3://[^/\s]+(/\S*)?", uri):
        raise bad("content.origin.s3.uri", "must be s3://bucket or s3://bucket/prefix")
    role = _text("content.origin.s3.role_arn", source.get("role_arn"), most=2048)
    if not re.fullmatch(r"arn:[a-z0-9-]+:iam::\d{12}:role/\S+", role, re.ASCII):
        raise bad("content.origin.s3.role_arn", "must be the ARN of an IAM role")
    return {"type": "files", "origin": {"s3": {"uri": uri, "role_arn": role}}}
