"""
When a declared value of a field is true of the live one.

A comparison answers one question: "is what the program declares true of what is live?"
It is blind to the order of lists that the API treats as sets, to defaults that
the service filled in, to versions that the program left open and to what the platform
injected. It is not symmetric: the declared side says what matters.

Property values here are in the form that Pulumi state has: the API's own, except that
`environment_variables` is a mapping `NAME -> value | {"value_from_secret": name}`. As a
list, one secret would make the whole list secret, and no preview could show which
variable changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_jig.schema.enums import (
    DEFAULT_TARGETS,
    DEFAULT_TIME_INTERVAL_MINUTES,
    HTTP_METRICS,
    PLATFORM_PREFIX,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi_jig.schema.field import Views


def same_number(declared: Any, live: Any, _: Mapping[str, Any]) -> bool:
    """Equal as numbers."""
    # A flag is no number, whichever side it stands on, and text is none either.
    if isinstance(live, bool) or not isinstance(live, (int, float)):
        return False
    return bool(declared == live) and not isinstance(declared, bool)


def same_text(declared: Any, live: Any, _: Mapping[str, Any]) -> bool:
    """Equal, where nothing and the empty string are one."""
    return (declared or "") == (live or "")


def same_list(declared: Any, live: Any, _: Mapping[str, Any]) -> bool:
    """Equal in this order, where nothing and the empty list are one."""
    return bool((declared or []) == (live or []))


def same_gpu_count(declared: Any, live: Any, inputs: Mapping[str, Any]) -> bool:
    """Equal as numbers, where nothing is 0."""
    return same_number(declared, 0 if live is None else live, inputs)


def same_gpu_type(declared: Any, live: Any, _: Mapping[str, Any]) -> bool:
    """Equal, where nothing is `none`."""
    # The CPU-only form is in no enum, so a response may well leave it out.
    return (declared or "none") == (live or "none")


def same_image(declared: Any, live: Any, _: Mapping[str, Any]) -> bool:
    """Equal, or the live one adds the digest that a declared tag stands for."""
    if declared == live:
        return True
    # A digest that the service pinned for a tag which the program left open.
    return (
        isinstance(live, str)
        and isinstance(declared, str)
        and "@" not in declared
        and live.startswith(f"{declared}@sha256:")
    )


def environment_views(declared: Any, live: Any, _: Mapping[str, Any]) -> Views:
    """Both as mappings, the live one without what the platform injected."""
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


def autoscaling_views(declared: Any, live: Any, inputs: Mapping[str, Any]) -> Views:
    """Both with their defaults, the live one without what the metric does not use."""
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


def mount_views(open_key: str) -> Callable[[Any, Any, Mapping[str, Any]], Views]:
    """Views of mounts by path; without `open_key` the service chooses its value."""

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


def plain_views(declared: Any, live: Any, _: Mapping[str, Any]) -> Views:
    """Both as they are."""
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
