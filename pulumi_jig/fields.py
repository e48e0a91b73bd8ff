"""
One table: what each field of a deployment means for its life.

For every field: whether a change replaces the deployment or updates it, what an update
sends when the program no longer declares it, how a declared value is compared with what
is live, and whether a change rolls new replicas. `diff`, `update`, `read` and the
reference documentation all read this table, so they cannot disagree.

A comparison answers one question: "is what the program declares true of what is live?"
It is blind to the order of lists that the API treats as sets, to defaults that the
service filled in, to versions that the program left open and to what the platform
injected. It is not symmetric: the declared side says what matters.

Property values here are in the form that Pulumi state has: the API's own, except that
`environment_variables` is a mapping `NAME -> value | {"value_from_secret": name}`. As a
list, one secret would make the whole list secret, and no preview could show which
variable changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from pulumi_jig.models import (
    DEFAULT_TARGETS,
    DEFAULT_TIME_INTERVAL_MINUTES,
    HTTP_METRICS,
    PLATFORM_PREFIX,
)
from pulumi_jig.naming import split_description
from pulumi_jig.values import UNKNOWN, has_unknown, reveal, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi_jig.models import DeploymentResponseItem


class _NoReset:
    def __repr__(self) -> str:
        return "NO_RESET"


class _NotTold:
    def __repr__(self) -> str:
        return "NOT_TOLD"


#: The API documents no way to return this field to its default.
NO_RESET: Final = _NoReset()
#: An answer without this field says nothing about it.
NOT_TOLD: Final = _NotTold()


@dataclass(frozen=True)
class Field:
    """
    What one field means for the life of a deployment.

    Attributes:
        name: The API's name, also the property's.
        on_change: `update` in place, or `replace` the deployment.
        cleared_by: What an update sends when the program drops the field; `NO_RESET`
            where the API documents nothing, so dropping it is refused.
        same: Whether a declared value is true of a live one. Third argument: all
            declared inputs, for fields whose default hangs on another field.
        absent: What it means that a full answer leaves the field out: services of this
            kind omit empty values. `NOT_TOLD` where there is no empty value.
        rolls: Whether a change makes a new revision, so that replicas restart.
        source: Where the rule comes from, as the service's documents leave it open.
    """

    name: str
    on_change: Literal["update", "replace"] = "update"
    cleared_by: Any = NO_RESET
    same: Callable[[Any, Any, Mapping[str, Any]], bool] = lambda d, v, _: bool(d == v)
    absent: Any = NOT_TOLD
    rolls: bool = True
    source: str = ""


# --- Comparisons ---------------------------------------------------------------


def _same_number(declared: Any, live: Any, _: Mapping[str, Any]) -> bool:
    if isinstance(live, bool) or not isinstance(live, (int, float)):
        return False
    return float(declared) == float(live)


def _same_text(declared: Any, live: Any, _: Mapping[str, Any]) -> bool:
    return (declared or "") == (live or "")


def _same_list(declared: Any, live: Any, _: Mapping[str, Any]) -> bool:
    return list(declared or []) == list(live or [])


def _same_gpu_count(declared: Any, live: Any, inputs: Mapping[str, Any]) -> bool:
    return _same_number(declared, 0 if live is None else live, inputs)


def _same_gpu_type(declared: Any, live: Any, _: Mapping[str, Any]) -> bool:
    # The CPU-only form stands in no enum, so an answer may well leave it out.
    return (declared or "none") == (live or "none")


def _same_image(declared: Any, live: Any, _: Mapping[str, Any]) -> bool:
    if declared == live:
        return True
    # A digest that the service pinned for a tag which the program left open.
    return (
        isinstance(live, str)
        and "@" not in declared
        and live.startswith(f"{declared}@sha256:")
    )


def _same_environment(declared: Any, live: Any, _: Mapping[str, Any]) -> bool:
    wanted = environment_mapping(declared)
    there = {
        name: value
        for name, value in environment_mapping(live).items()
        if name in wanted or not name.startswith(PLATFORM_PREFIX)
    }
    return wanted == there


def environment_mapping(value: Any) -> dict[str, Any]:
    """
    Variables as a mapping, from either form.

    `value_from_secret_expires_at` is read-only and falls away.
    """
    if not value:
        return {}
    if isinstance(value, dict):
        items = list(value.items())
    else:
        items = [(v["name"], v) for v in value if isinstance(v, dict) and "name" in v]
    return {str(name): _environment_value(item) for name, item in items}


def _environment_value(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    if item.get("value_from_secret") is not None:
        return {"value_from_secret": item["value_from_secret"]}
    # A variable with neither is the empty string, as `omitempty` would have it.
    return item.get("value", "")


def _filled_autoscaling(value: Any, name: Any) -> dict[str, Any]:
    if not value:
        return {}
    filled = {k: v for k, v in dict(value).items() if v is not None}
    metric = filled.get("metric")
    if metric in DEFAULT_TARGETS:
        filled.setdefault("target", DEFAULT_TARGETS[metric])
    if metric in HTTP_METRICS:
        filled.setdefault("time_interval_minutes", DEFAULT_TIME_INTERVAL_MINUTES)
    if filled.get("model") == name:
        # The queue's default, and what the vendor's CLI adds to every metric.
        del filled["model"]
    return {
        k: float(v) if isinstance(v, (int, float)) and not isinstance(v, bool) else v
        for k, v in filled.items()
    }


def _same_autoscaling(declared: Any, live: Any, inputs: Mapping[str, Any]) -> bool:
    name = inputs.get("name")
    wanted = _filled_autoscaling(declared, name)
    there = _filled_autoscaling(live, name)
    if wanted and there:
        # Keys newer than this package that the service filled in do not matter.
        known = {"metric", "target", "time_interval_minutes", "model"}
        known |= {"custom_metric_name"} | wanted.keys()
        there = {k: v for k, v in there.items() if k in known}
    return wanted == there


def _same_mounts(open_key: str) -> Callable[[Any, Any, Mapping[str, Any]], bool]:
    def same(declared: Any, live: Any, _: Mapping[str, Any]) -> bool:
        wanted = {m.get("mount_path"): m for m in declared or []}
        there = {m.get("mount_path"): m for m in live or [] if isinstance(m, dict)}
        if wanted.keys() != there.keys() or len(wanted) != len(declared or []):
            return False
        for path, mount in wanted.items():
            for key, value in mount.items():
                if key == open_key and value is None:
                    # Left open: whatever the service pinned is right.
                    continue
                if whole_numbers(there[path].get(key)) != whole_numbers(value):
                    return False
        return True

    return same


# --- The table -----------------------------------------------------------------

_TABLE: Final = (
    Field(
        "name",
        on_change="replace",
        source="the create document: it cannot be changed",
    ),
    Field("image", same=_same_image, source="required, so it is never cleared"),
    Field(
        "gpu_type",
        same=_same_gpu_type,
        absent="none",
        source="required, so it is never cleared",
    ),
    Field(
        "gpu_count",
        cleared_by=0,
        same=_same_gpu_count,
        absent=0,
        source="default 0",
    ),
    Field("cpu", same=_same_number),
    Field("memory", same=_same_number),
    Field("storage", same=_same_number),
    Field(
        "min_replicas",
        cleared_by=1,
        same=_same_number,
        absent=0,
        rolls=False,
        source="default 1; replica bounds keep their revision in the vendor's client",
    ),
    Field(
        "max_replicas",
        # Sent as the value of min_replicas, see `clearing_value`.
        cleared_by="min_replicas",
        same=_same_number,
        rolls=False,
        source="default: min_replicas",
    ),
    Field(
        "autoscaling",
        cleared_by={},
        absent={},
        same=_same_autoscaling,
        source="the update document: {} disables it",
    ),
    Field("capacity_type"),
    Field("port", same=_same_number),
    Field(
        "health_check_path",
        cleared_by="",
        absent="",
        same=_same_text,
        source='the update document: "" disables it',
    ),
    Field(
        "command",
        cleared_by=[],
        absent=[],
        same=_same_list,
        source="assumed: lists are replaced, so an empty one clears",
    ),
    Field(
        "args",
        cleared_by=[],
        absent=[],
        same=_same_list,
        source="assumed: lists are replaced, so an empty one clears",
    ),
    Field(
        "environment_variables",
        cleared_by=[],
        absent={},
        same=_same_environment,
        source="the update document: the list replaces all existing variables",
    ),
    Field(
        "volumes",
        cleared_by=[],
        absent=[],
        same=_same_mounts("version"),
        source="the update document: the list replaces all existing mounts",
    ),
    Field(
        "model_mounts",
        cleared_by=[],
        absent=[],
        same=_same_mounts("revision_id"),
        source="the vendor's client always sends the list",
    ),
    Field("termination_grace_period_seconds", same=_same_number),
    Field(
        "description",
        cleared_by="",
        absent="",
        same=_same_text,
        rolls=False,
        source="the vendor's client sends the empty string",
    ),
)

FIELDS: Final[dict[str, Field]] = {field.name: field for field in _TABLE}


def clearing_value(name: str, inputs: Mapping[str, Any]) -> Any:
    """
    What an update sends for a field that the program no longer declares.

    Args:
        name: The field.
        inputs: All that the program declares now.

    Returns:
        The value, or `NO_RESET`.
    """
    if name == "max_replicas":
        return inputs.get("min_replicas", 1)
    return FIELDS[name].cleared_by


def is_same(name: str, declared: Any, live: Any, inputs: Mapping[str, Any]) -> bool:
    """Whether a declared value is true of the live one; unknown is never the same."""
    if has_unknown(declared):
        return False
    if live is UNKNOWN:
        return False
    declared, live = reveal(declared), reveal(live)
    if declared is None:
        return live is None or live in ("", [], {})
    return FIELDS[name].same(declared, live, inputs)


# --- From an answer ------------------------------------------------------------


def live_values(item: DeploymentResponseItem) -> dict[str, Any]:
    """
    The fields of an answer in the form that Pulumi state has.

    A field that a full answer leaves out is there with what its absence means
    (`Field.absent`); a field about which the answer says nothing is not there. The mark
    is taken off the description. Variables that the platform injected are left in,
    since only a comparison knows whether the program declared them.
    """
    raw = item.plain()
    # An answer without an image is not a description of the deployment but a receipt.
    full = raw.get("image") is not None
    values: dict[str, Any] = {}
    for name, field in FIELDS.items():
        value = raw.get(name)
        if value is None:
            if not full or field.absent is NOT_TOLD:
                continue
            value = field.absent
        elif name == "description":
            value, _ = split_description(value if isinstance(value, str) else "")
        elif name == "environment_variables":
            value = environment_mapping(value if isinstance(value, list) else [])
        values[name] = whole_numbers(value)
    return values
