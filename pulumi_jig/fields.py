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
from pulumi_jig.values import UNKNOWN, changed_paths, has_unknown, reveal, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pulumi_jig.models import DeploymentResponseItem
    from pulumi_jig.values import Path


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


Views = tuple[Any, Any]


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
        views: Both values without what is no difference, where their parts are compared;
            for such a field `same` is that the two views are equal.
        absent: What it means that a full answer leaves the field out: services of this
            kind omit empty values. `NOT_TOLD` where there is no empty value.
        rolls: Whether a change makes a new revision, so that replicas restart.
        source: Where the rule comes from, as the service's documents leave it open.
    """

    name: str
    on_change: Literal["update", "replace"] = "update"
    cleared_by: Any = NO_RESET
    same: Callable[[Any, Any, Mapping[str, Any]], bool] = lambda d, v, _: bool(d == v)
    views: Callable[[Any, Any, Mapping[str, Any]], Views] | None = None
    absent: Any = NOT_TOLD
    rolls: bool = True
    source: str = ""


# --- Comparisons ---------------------------------------------------------------


def _same_number(declared: Any, live: Any, _: Mapping[str, Any]) -> bool:
    # A flag is no number, whichever side it stands on, and text is none either.
    if isinstance(live, bool) or not isinstance(live, (int, float)):
        return False
    return bool(declared == live) and not isinstance(declared, bool)


def _same_text(declared: Any, live: Any, _: Mapping[str, Any]) -> bool:
    return (declared or "") == (live or "")


def _same_list(declared: Any, live: Any, _: Mapping[str, Any]) -> bool:
    return bool((declared or []) == (live or []))


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
        and isinstance(declared, str)
        and "@" not in declared
        and live.startswith(f"{declared}@sha256:")
    )


def _environment_views(declared: Any, live: Any, _: Mapping[str, Any]) -> Views:
    wanted = environment_mapping(declared)
    there = {
        name: value
        for name, value in environment_mapping(live).items()
        if name in wanted or not name.startswith(PLATFORM_PREFIX)
    }
    return wanted, there


def environment_mapping(value: Any) -> dict[str, Any]:
    """
    Variables as a mapping, from either form.

    `value_from_secret_expires_at` is read-only and falls away.
    """
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = [(v["name"], v) for v in value if isinstance(v, dict) and "name" in v]
    else:
        return {}
    return {str(name): _environment_value(item) for name, item in items}


def _environment_value(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    if item.get("value_from_secret") is not None:
        return {"value_from_secret": item["value_from_secret"]}
    # A variable with neither is the empty string, as `omitempty` would have it.
    return item.get("value", "")


def environment_list(value: Any) -> list[dict[str, Any]]:
    """Variables as the API takes them, in a fixed order."""
    return [
        {"name": name, **(item if isinstance(item, dict) else {"value": item})}
        for name, item in sorted(environment_mapping(value).items())
    ]


def _filled_autoscaling(value: Any, name: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {}
    filled = {k: v for k, v in value.items() if v is not None}
    metric = filled.get("metric")
    if isinstance(metric, str) and metric in DEFAULT_TARGETS:
        filled.setdefault("target", DEFAULT_TARGETS[metric])
    if metric in HTTP_METRICS:
        filled.setdefault("time_interval_minutes", DEFAULT_TIME_INTERVAL_MINUTES)
    if filled.get("model") == name:
        # The queue's default, and what the vendor's CLI adds to every metric.
        filled.pop("model", None)
    return filled


def _autoscaling_keys(metric: Any) -> set[str]:
    """The keys that mean something to a metric."""
    keys = {"metric", "target", "model"}
    if metric in HTTP_METRICS:
        keys.add("time_interval_minutes")
    if metric == "CustomMetric":
        keys.add("custom_metric_name")
    return keys


def _autoscaling_views(declared: Any, live: Any, inputs: Mapping[str, Any]) -> Views:
    name = inputs.get("name")
    wanted = _filled_autoscaling(declared, name)
    there = _filled_autoscaling(live, name)
    if not wanted or not there:
        # Switched on or off as a whole; something unreadable is not "off".
        return wanted or None, there or live or None
    # Keys that the service filled in and that mean nothing to the metric, or are newer
    # than this package, do not matter.
    known = _autoscaling_keys(wanted.get("metric")) | wanted.keys()
    return wanted, {key: value for key, value in there.items() if key in known}


def _mount_views(open_key: str) -> Callable[[Any, Any, Mapping[str, Any]], Views]:
    def views(declared: Any, live: Any, _: Mapping[str, Any]) -> Views:
        if not isinstance(declared, list) or not isinstance(live, list):
            return declared or None, live or None
        wanted, there = _by_path(declared), _by_path(live)
        if len(wanted) != len(there):
            return declared, live
        # Left open: whatever the service pinned is right.
        wanted = [
            {k: v for k, v in mount.items() if not (k == open_key and v is None)}
            for mount in wanted
        ]
        return wanted, [
            {key: other.get(key) for key in mount}
            for mount, other in zip(wanted, there, strict=True)
        ]

    return views


def _by_path(mounts: list[Any]) -> list[dict[str, Any]]:
    found = [mount for mount in mounts if isinstance(mount, dict)]
    return sorted(found, key=lambda mount: str(mount.get("mount_path")))


def _plain_views(declared: Any, live: Any, _: Mapping[str, Any]) -> Views:
    return declared, live


def same_extra(declared: Any, live: Any) -> bool:
    """
    Whether a passed-through value is true of the answer's.

    What it means is not known here, so the answer may say more than was sent (defaults
    that the service filled in), never something else.
    """
    if isinstance(declared, dict) and isinstance(live, dict):
        return all(same_extra(value, live.get(key)) for key, value in declared.items())
    if isinstance(declared, list) and isinstance(live, list):
        return len(declared) == len(live) and all(map(same_extra, declared, live))
    if live is None:
        # Services of this kind leave out what is empty.
        return not declared
    if isinstance(declared, bool) or isinstance(live, bool):
        return declared is live
    return bool(declared == live)


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
        views=_autoscaling_views,
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
        views=_environment_views,
        source="the update document: the list replaces all existing variables",
    ),
    Field(
        "volumes",
        cleared_by=[],
        absent=[],
        views=_mount_views("version"),
        source="the update document: the list replaces all existing mounts",
    ),
    Field(
        "model_mounts",
        cleared_by=[],
        absent=[],
        views=_mount_views("revision_id"),
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
        The value, or `NO_RESET`. Of variables, those that are still declared, since
        the list is replaced as a whole.
    """
    if name == "environment_variables":
        return environment_list(reveal(inputs.get(name)))
    if name == "max_replicas":
        return inputs.get("min_replicas", 1)
    return FIELDS[name].cleared_by


def is_same(name: str, declared: Any, live: Any, inputs: Mapping[str, Any]) -> bool:
    """Whether a declared value is true of the live one; unknown is never the same."""
    if has_unknown(declared) or has_unknown(live):
        return False
    declared, live = reveal(declared), reveal(live)
    if declared is None:
        return live is None or live in ("", [], {})
    field = FIELDS[name]
    if field.views is not None:
        wanted, there = field.views(declared, live, inputs)
        return bool(wanted == there)
    return field.same(declared, live, inputs)


def differing_paths(
    name: str, declared: Any, live: Any, inputs: Mapping[str, Any]
) -> Iterator[Path]:
    """Where a declared value and a live one differ; the whole field where one is off."""
    declared, live = reveal(declared), reveal(live)
    if declared is UNKNOWN or live is UNKNOWN:
        yield (name,)
        return
    views = FIELDS[name].views or _plain_views
    wanted, there = views(declared, live, inputs)
    if isinstance(wanted, (dict, list)) and isinstance(there, type(wanted)):
        yield from changed_paths(there, wanted, (name,))
    else:
        yield (name,)


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
            if not isinstance(value, list):
                # Not readable, so it says nothing; an empty mapping would be a claim.
                continue
            value = environment_mapping(value)
        values[name] = whole_numbers(value)
    return values
