"""
One table: what each field of a deployment means for its life.

For every field: whether a change replaces the deployment or updates it, what it is held
at when the program leaves it out (or that it is left alone), how a value is compared with
what is live, and whether a change rolls new replicas. `diff`, `update`, `read`, `drift`
and the reference documentation all read this table, so they cannot disagree.

The program is the whole truth: a field that is left out is held at its documented default
or empty form, and somebody's change of it is drift. Left alone is only what the service
itself chooses when it is not told.

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
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from pulumi_jig.models import (
    DEFAULT_TARGETS,
    DEFAULT_TIME_INTERVAL_MINUTES,
    HTTP_METRICS,
    PLATFORM_PREFIX,
)
from pulumi_jig.naming import split_description
from pulumi_jig.text import safe_message
from pulumi_jig.values import (
    UNKNOWN,
    changed_paths,
    format_path,
    has_unknown,
    reveal,
    whole_numbers,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from pulumi_jig.models import DeploymentResponseItem
    from pulumi_jig.values import Path


class _LeftAlone:
    def __repr__(self) -> str:
        return "LEFT_ALONE"


class _NotTold:
    def __repr__(self) -> str:
        return "NOT_TOLD"


#: Left out, the service chooses a value itself. The API documents no way back to that,
#: so dropping such a field is refused.
LEFT_ALONE: Final = _LeftAlone()
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
        default: What a field that is left out is held at, in the form that state has;
            `LEFT_ALONE` for a required field and for what the service chooses. Of
            `max_replicas` it is the value of `min_replicas`, see `held_value`.
        same: Whether a wanted value is true of a live one. Third argument: all
            declared inputs, for fields whose default depends on another field.
        views: Both values without what is no difference, where their parts are compared;
            for such a field `same` is that the two views are equal.
        absent: What it means that a full answer leaves the field out: services of this
            kind omit empty values. `NOT_TOLD` where there is no empty value.
        rolls: Whether a change makes a new revision, so that replicas restart.
        source: Where the rule comes from, as the service's documents leave it open.
    """

    name: str
    on_change: Literal["update", "replace"] = "update"
    default: Any = LEFT_ALONE
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
        default=0,
        same=_same_gpu_count,
        absent=0,
        source="default 0",
    ),
    Field("cpu", same=_same_number),
    Field("memory", same=_same_number),
    Field("storage", same=_same_number),
    Field(
        "min_replicas",
        default=1,
        same=_same_number,
        absent=0,
        rolls=False,
        source="default 1; replica bounds keep their revision in the vendor's client",
    ),
    Field(
        "max_replicas",
        # The value of min_replicas, see `held_value`.
        default="min_replicas",
        same=_same_number,
        rolls=False,
        source="default: min_replicas",
    ),
    Field(
        "autoscaling",
        default={},
        absent={},
        views=_autoscaling_views,
        source="the update document: {} disables it",
    ),
    Field("capacity_type"),
    Field("port", same=_same_number),
    Field(
        "health_check_path",
        default="",
        absent="",
        same=_same_text,
        source='the update document: "" disables it',
    ),
    Field(
        "command",
        default=[],
        absent=[],
        same=_same_list,
        source="assumed: lists are replaced, so an empty one clears",
    ),
    Field(
        "args",
        default=[],
        absent=[],
        same=_same_list,
        source="assumed: lists are replaced, so an empty one clears",
    ),
    Field(
        "environment_variables",
        default={},
        absent={},
        views=_environment_views,
        source="the update document: the list replaces all existing variables",
    ),
    Field(
        "volumes",
        default=[],
        absent=[],
        views=_mount_views("version"),
        source="the update document: the list replaces all existing mounts",
    ),
    Field(
        "model_mounts",
        default=[],
        absent=[],
        views=_mount_views("revision_id"),
        source="the vendor's client always sends the list",
    ),
    Field("termination_grace_period_seconds", same=_same_number),
    Field(
        "description",
        default="",
        absent="",
        same=_same_text,
        rolls=False,
        source="the vendor's client sends the empty string",
    ),
)

#: The field whose parts are told apart: one variable may be ours and another not.
ENVIRONMENT: Final = "environment_variables"

FIELDS: Final[dict[str, Field]] = {field.name: field for field in _TABLE}


def held_value(name: str, declared: Mapping[str, Any]) -> Any:
    """
    What a field is held at that the program leaves out.

    Args:
        name: The field.
        declared: All that the program declares.

    Returns:
        The value in the form that state has, or `LEFT_ALONE`.
    """
    if name == "max_replicas":
        return declared.get("min_replicas", FIELDS["min_replicas"].default)
    return FIELDS[name].default


def desired_values(
    declared: Mapping[str, Any], added: Collection[str] = ()
) -> dict[str, Any]:
    """
    What shall be true of what is live: all that is declared, and what is held.

    Args:
        declared: The fields that the program declares.
        added: Property paths that the service itself added; they are not held.
    """
    held = {
        name: value
        for name in FIELDS
        if name not in declared
        and name not in added
        and (value := held_value(name, declared)) is not LEFT_ALONE
    }
    return {**declared, **held}


class Difference(NamedTuple):
    """
    A field whose desired value is not true of what is live.

    Attributes:
        name: The field.
        wanted: The declared value, or the one that it is held at.
        live: What is live; None where nothing tells.
    """

    name: str
    wanted: Any
    live: Any


def differing(
    declared: Mapping[str, Any], live: Mapping[str, Any], added: Collection[str] = ()
) -> Iterator[Difference]:
    """
    The fields whose desired value is not true of what is live.

    A declared field that `live` does not have differs; one that is only held does not,
    since nothing is known of it.

    Args:
        declared: The fields that the program declares.
        live: A state, or the fields of an answer.
        added: Property paths that the service itself added.
    """
    wanted = desired_values(declared, added)
    for name, value in wanted.items():
        if name not in declared and live.get(name) is None:
            continue
        there = live.get(name)
        if name == ENVIRONMENT and added:
            there = _without_added(there, declared.get(name), added)
        if not is_same(name, value, there, wanted):
            yield Difference(name, value, there)


def _without_added(live: Any, declared: Any, added: Collection[str]) -> Any:
    """Live variables without those that the service itself added."""
    ours = environment_mapping(reveal(declared))
    return {
        name: value
        for name, value in environment_mapping(reveal(live)).items()
        if name in ours or variable_path(name) not in added
    }


def variable_path(name: str) -> str:
    """The property path of an environment variable, by its name as a state has it."""
    return format_path((ENVIRONMENT, safe_message(name)))


def added_paths(declared: Mapping[str, Any], live: Mapping[str, Any]) -> list[str]:
    """
    What the answer to our own request shows beyond what was sent, as property paths.

    It is remembered, so that no preview asks for ever to take it away again.
    """
    found: list[str] = []
    for name, wanted, there in differing(declared, live):
        if name == ENVIRONMENT:
            views = _environment_views(reveal(wanted), reveal(there), declared)
            found += [variable_path(name) for name in views[1] if name not in views[0]]
        elif name not in declared:
            found.append(name)
    return sorted(found)


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
