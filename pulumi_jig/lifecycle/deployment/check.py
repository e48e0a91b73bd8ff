"""
Checking the inputs of a deployment: all faults at once, before anything is sent.

Each fault has the property's path and a remedy. What is not known yet (a preview) is
let through at any depth; it is checked when it is known. Nothing here raises: whatever
goes wrong becomes a fault, because an exception in a check ends the whole run.

Words that the service may add to (a GPU type, an autoscaling metric) give a warning and
are sent: a list in this package must not keep anybody from new hardware.
"""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from pulumi_jig.fields import FIELDS, NO_RESET, clearing_value, environment_mapping
from pulumi_jig.lifecycle.deployment.inputs import (
    DECLARED,
    EXTRA,
    HIDDEN_INPUTS,
    NONCE,
    OPTIONS,
    PROGRAM,
    declared_keys,
    place_of,
    request_value,
)
from pulumi_jig.lifecycle.invocation import Checked
from pulumi_jig.lifecycle.memory import claim
from pulumi_jig.models import (
    AUTOSCALING_METRICS,
    CAPACITY_TYPES,
    GPU_TYPES,
    REVISION_VARIABLE,
    CreateDeploymentRequest,
    DeploymentResponseItem,
)
from pulumi_jig.naming import auto_name, name_fault, new_nonce, split_description
from pulumi_jig.rollout import WAIT_FOR
from pulumi_jig.values import (
    UNKNOWN,
    Path,
    format_path,
    has_unknown,
    unknown_paths,
    whole_numbers,
    without_none,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pulumi_jig.lifecycle.invocation import Severity

    Fault = tuple[str, str]

#: Largest request body in bytes; the plugin's own wire stops at 4 MiB per message.
MAX_BODY: Final = 3 * 1024 * 1024

ON_FAILED_UPDATE: Final = ("keep", "rollback")

#: What a field takes, for the second half of a fault's sentence.
_TAKES: Final = {
    "name": "4 to 63 lowercase letters, digits and hyphens",
    "image": 'a container image, e.g. "registry.together.ai/proj/app@sha256:..."',
    "gpu_type": "a GPU type such as " + ", ".join(GPU_TYPES),
    "gpu_count": "GPUs per replica, a whole number from 0",
    "cpu": "cores per replica, 0.1 or more",
    "memory": "GiB per replica, more than 0 and at most 1000",
    "storage": "GiB of disk per replica, a whole number from 0 to 400",
    "min_replicas": "fewest replicas, a whole number from 0",
    "max_replicas": "most replicas, a whole number from 0",
    "port": "the container's port, a whole number from 1 to 65535",
    "health_check_path": 'an HTTP path such as "/health"',
    "termination_grace_period_seconds": "seconds, a whole number from 0",
    "description": "a text",
    "capacity_type": " or ".join(CAPACITY_TYPES),
    "command": "a list of strings",
    "args": "a list of strings",
    "volumes": "a list of at most one {name, mount_path, version?}",
    "model_mounts": "a list of at most one {model_id, mount_path, revision_id?}",
    "autoscaling": "{metric, target, ...}",
    "environment_variables": 'NAME -> value or {"value_from_secret": name}',
}


def check(
    olds: Mapping[str, Any],
    news: Mapping[str, Any],
    *,
    urn: str | None = None,
    log: Callable[[Severity, str], None] | None = None,
    config_faults: Iterable[tuple[str, str]] = (),
) -> Checked:
    """
    Complete and check the inputs of a deployment.

    Args:
        olds: The inputs that the state holds; empty at creation and replacement.
        news: What the program says now, possibly with values not known yet.
        urn: The resource's URN, if the host can tell.
        log: Takes warnings.
        config_faults: What is wrong with the credentials, as (setting, sentence).

    Returns:
        The inputs as they will be stored, and every fault.
    """
    news = whole_numbers(without_none(news))
    olds = whole_numbers(without_none(olds))
    faults: list[Fault] = [("", sentence) for _, sentence in config_faults]

    inputs = {k: v for k, v in news.items() if not k.startswith("__")}
    declared = sorted(inputs)
    if PROGRAM in news:
        inputs[PROGRAM] = news[PROGRAM]
    faults += _unknown_properties(inputs)
    faults += _environment_faults(inputs)
    inputs["name"], name_faults = _name(inputs, olds, news, urn)
    faults += name_faults
    if not isinstance(nonce := olds.get(NONCE), str):
        nonce = new_nonce()
    inputs[NONCE] = nonce
    inputs[DECLARED] = declared

    faults += _model_faults(inputs, skip={path for path, _ in faults})
    faults += _contradictions(inputs)
    faults += _option_faults(inputs)
    faults += _dropped_faults(inputs, olds)
    faults += _claim_faults(inputs, urn)
    if log is not None:
        for warning in _warnings(inputs):
            log("warning", warning)
    return Checked(inputs, tuple(_distinct(faults)))


def _distinct(faults: Iterable[Fault]) -> list[Fault]:
    return list(dict.fromkeys(faults))


def _near(word: str, words: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(words), n=1, cutoff=0.75)
    return f' Did you mean "{close[0]}"?' if close else ""


# --- Which properties there are ------------------------------------------------


def _unknown_properties(inputs: Mapping[str, Any]) -> list[Fault]:
    known = (*FIELDS, *OPTIONS, EXTRA)
    return [
        (
            format_path((key,)),
            "is not a property of a deployment."
            + (
                _near(key, known)
                or f" A field newer than this package goes into `{EXTRA}`."
            ),
        )
        for key in inputs
        if key not in known and key not in HIDDEN_INPUTS
    ]


def _environment_faults(inputs: dict[str, Any]) -> list[Fault]:
    """Turn the API's list into a mapping, and find what a mapping would hide."""
    value = inputs.get("environment_variables")
    if not isinstance(value, list):
        return []
    faults: list[Fault] = []
    seen: dict[str, int] = {}
    convertible = True
    for index, item in enumerate(value):
        path = format_path(("environment_variables", index))
        name = item.get("name") if isinstance(item, dict) else item
        if item is UNKNOWN or name is UNKNOWN:
            convertible = False
        elif not isinstance(item, dict) or not isinstance(name, str):
            convertible = False
            faults.append((path, "must be {name, value} or {name, value_from_secret}"))
        elif name in seen:
            faults.append(
                (
                    f"{path}.name",
                    f'"{name}" stands at position {seen[name]} already; '
                    "give each variable once",
                )
            )
        else:
            seen[name] = index
            both = item.get("value") is not None
            both = both and item.get("value_from_secret") is not None
            if both or set(item) - {"name", "value", "value_from_secret"}:
                faults.append(
                    (path, "needs exactly one of `value` and `value_from_secret`")
                )
    if convertible and not faults:
        inputs["environment_variables"] = environment_mapping(value)
    return faults


# --- Names ---------------------------------------------------------------------


def _name(
    inputs: Mapping[str, Any],
    olds: Mapping[str, Any],
    news: Mapping[str, Any],
    urn: str | None,
) -> tuple[Any, list[Fault]]:
    declared = inputs.get("name")
    old = olds.get("name")
    if declared is UNKNOWN:
        return declared, []
    if declared is not None:
        # A name from before the rule was tightened is fine where it already stands.
        if not isinstance(declared, str):
            return declared, [("name", f"must be a string: {_TAKES['name']}")]
        fault = None if declared == old else name_fault(declared)
        return declared, [("name", fault)] if fault else []
    if isinstance(old, str) and old:
        return old, []
    place = place_of(news, urn)
    if not place.resource:
        return None, [
            (
                "name",
                "is required here: nothing tells which resource this is, so no name "
                "can be made. Give `name`, or use the Deployment class",
            )
        ]
    return (
        auto_name(
            place.resource,
            organization=place.organization,
            project=place.project,
            stack=place.stack,
            urn=place.urn,
            namespace=place.namespace,
        ),
        [],
    )


def _claim_faults(inputs: Mapping[str, Any], urn: str | None) -> list[Fault]:
    name = inputs.get("name")
    if urn is None or not isinstance(name, str):
        return []
    owner = claim(name, urn)
    if owner == urn:
        return []
    other = owner.rsplit("::", 1)[-1]
    return [
        (
            "name",
            f'"{name}" is the name of resource {other} in this stack already; '
            "a deployment's name must be unique",
        )
    ]


# --- The model -----------------------------------------------------------------


def _model_faults(inputs: Mapping[str, Any], skip: set[str]) -> list[Fault]:
    body: dict[str, Any] = {}
    paths: dict[str, list[str]] = {}
    for name in FIELDS:
        value = inputs.get(name)
        if value is None:
            continue
        if name == "environment_variables":
            if isinstance(value, dict):
                paths[name] = sorted(value)
                value = [_variable(key, value[key]) for key in paths[name]]
            elif value is not UNKNOWN and not isinstance(value, list):
                value = None
                body[name] = 0
        if value is not None and value != {}:
            body[name] = value
    # The name's own rule is checked apart, since legacy names are fine where they are.
    if isinstance(body.get("name"), str):
        body["name"] = body["name"] or "-"
    unknown = set(unknown_paths(body))
    try:
        CreateDeploymentRequest.model_validate(body)
    except ValidationError as error:
        faults: list[Fault] = []
        for item in error.errors(include_url=False, include_input=False):
            location = _location(item["loc"])
            if _concerns_unknown(location, unknown):
                continue
            path = _readable(location, paths)
            if path in skip or any(path.startswith(f"{s}.") for s in skip):
                continue
            faults.append((path, _sentence(location, item["type"], item["msg"])))
        return faults
    if not unknown:
        try:
            size = len(json.dumps({k: request_value(k, v) for k, v in body.items()}))
        except (TypeError, ValueError):
            return [("", "these inputs cannot be sent as JSON; use plain data")]
        if size > MAX_BODY:
            return [
                (
                    "",
                    f"these inputs are {size // 1024} KiB in all; keep a deployment "
                    f"below {MAX_BODY // 1024} KiB (move data into a volume)",
                )
            ]
    return []


def _variable(name: str, value: Any) -> Any:
    if value is UNKNOWN:
        return {"name": name, "value": UNKNOWN}
    if isinstance(value, dict):
        return {"name": name, **value}
    return {"name": name, "value": value}


_UNION_TAGS: Final = frozenset({"http", "queue", "custom", "other"})


def _location(loc: tuple[int | str, ...]) -> Path:
    # pydantic puts the branch of a union into the path; nobody wrote it there.
    if loc[:1] == ("autoscaling",) and len(loc) > 1 and loc[1] in _UNION_TAGS:
        return (loc[0], *loc[2:])
    return loc


def _concerns_unknown(location: Path, unknown: set[Path]) -> bool:
    return any(
        location[: len(path)] == path or path[: len(location)] == location
        for path in unknown
    )


def _readable(location: Path, paths: Mapping[str, list[str]]) -> str:
    if len(location) > 1 and location[0] == "environment_variables":
        names = paths.get("environment_variables")
        if names is not None and isinstance(location[1], int):
            rest = location[2:]
            # Of a mapping's entry, "name" is the key itself and "value" its value.
            if rest in (("name",), ("value",)):
                rest = ()
            return format_path(("environment_variables", names[location[1]], *rest))
    return format_path(location)


_PYDANTIC: Final = {
    "missing": "is required",
    "extra_forbidden": "is not a key here",
    "too_long": "has too many entries",
    "list_type": "must be a list",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "string_too_short": "must not be empty",
    "string_too_long": "is too long",
    "greater_than": "is too small",
    "greater_than_equal": "is too small",
    "less_than_equal": "is too large",
    "literal_error": "is not one of the words that are allowed here",
}


def _sentence(location: Path, kind: str, message: str) -> str:
    text = _PYDANTIC.get(kind, message)
    takes = _TAKES.get(str(location[0])) if len(location) == 1 else None
    if location == ("gpu_type",) and kind == "missing":
        takes = f'{takes}; "none" for a deployment without a GPU'
    return f"{text}; it takes {takes}" if takes else text


# --- What no single field shows ------------------------------------------------


def _known(inputs: Mapping[str, Any], name: str) -> Any:
    value = inputs.get(name)
    return None if has_unknown(value) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _contradictions(inputs: Mapping[str, Any]) -> list[Fault]:
    faults: list[Fault] = []
    gpu_type, gpu_count = _known(inputs, "gpu_type"), _known(inputs, "gpu_count")
    if isinstance(gpu_type, str) and gpu_type and gpu_type != "none":
        if "gpu_count" not in inputs:
            faults.append(
                (
                    "gpu_count",
                    f'is required with gpu_type "{gpu_type}": left out, the service '
                    "takes 0 and the containers get no GPU. Say how many each replica "
                    "gets, 0 included",
                )
            )
    elif gpu_type == "none" and _is_number(gpu_count) and gpu_count > 0:
        faults.append(
            (
                "gpu_count",
                'must be 0 (or left out) with gpu_type "none"; name a GPU type',
            )
        )
    low, high = _known(inputs, "min_replicas"), _known(inputs, "max_replicas")
    if "min_replicas" not in inputs:
        low = 1
    if _is_number(low) and _is_number(high) and high < low:
        hint = "" if "min_replicas" in inputs else " (which is 1 when left out)"
        faults.append(("max_replicas", f"must not be smaller than min_replicas{hint}"))
    if inputs.get("volumes") and inputs.get("model_mounts"):
        faults.append(
            (
                "model_mounts",
                "cannot be combined with `volumes`: the service preloads one or the "
                "other; drop one of them",
            )
        )
    environment = inputs.get("environment_variables")
    if isinstance(environment, dict) and REVISION_VARIABLE in environment:
        faults.append(
            (
                format_path(("environment_variables", REVISION_VARIABLE)),
                "is set by the platform itself; leave it out",
            )
        )
    description = _known(inputs, "description")
    if isinstance(description, str) and split_description(description)[1]:
        faults.append(
            (
                "description",
                "must not end with an ownership mark; the provider writes it itself",
            )
        )
    return faults


def _option_faults(inputs: Mapping[str, Any]) -> list[Fault]:
    faults: list[Fault] = []

    def one_of(name: str, words: tuple[str, ...]) -> None:
        value = _known(inputs, name)
        if value is not None and value not in words:
            faults.append((name, "must be one of " + ", ".join(words)))

    def flag(name: str) -> None:
        value = _known(inputs, name)
        if value is not None and not isinstance(value, bool):
            faults.append((name, "must be true or false"))

    one_of("wait_for", WAIT_FOR)
    one_of("on_failed_update", ON_FAILED_UPDATE)
    flag("adopt")
    flag("ownership_mark")
    if inputs.get("adopt") is True:
        if inputs.get("ownership_mark") is False:
            faults.append(
                (
                    "ownership_mark",
                    "must stay on with `adopt`: it is what keeps the deployment from "
                    "being deleted by whoever had it before",
                )
            )
        if "name" not in inputs[DECLARED]:
            faults.append(("name", "is required with `adopt`: say which deployment"))
    budget = _known(inputs, "budget")
    if budget is not None and not isinstance(budget, str):
        faults.append(("budget", "must be the name of a budget"))
    return faults + _extra_faults(inputs)


def _extra_faults(inputs: Mapping[str, Any]) -> list[Fault]:
    extra = inputs.get(EXTRA)
    if extra is None or extra is UNKNOWN:
        return []
    if not isinstance(extra, dict):
        return [(EXTRA, "must be a mapping of field names to values")]
    settable = {name.lower() for name in (*FIELDS, *OPTIONS)}
    read_only = {name.lower() for name in DeploymentResponseItem.model_fields}
    faults: list[Fault] = []
    for key in extra:
        path = format_path((EXTRA, str(key)))
        word = str(key).strip().lower()
        if word in settable:
            # It must not become a way around a policy.
            faults.append((path, f"is a property of its own; set `{word}` directly"))
        elif word in read_only or word.startswith("__"):
            faults.append((path, "is not a field that can be sent; leave it out"))
    return faults


def _dropped_faults(inputs: Mapping[str, Any], olds: Mapping[str, Any]) -> list[Fault]:
    if not olds:
        return []
    faults: list[Fault] = []
    for name in sorted(declared_keys(olds) & FIELDS.keys() - inputs.keys()):
        if name == "name" or clearing_value(name, {}) is not NO_RESET:
            continue
        if name in CreateDeploymentRequest.model_fields and (
            CreateDeploymentRequest.model_fields[name].is_required()
        ):
            # Reported as missing already.
            continue
        value = olds.get(name)
        now = f" (it is {value} now)" if _is_number(value) else ""
        faults.append(
            (
                name,
                f"cannot be taken back: the service has no way to return it to its "
                f"default. Declare the value that you want{now}",
            )
        )
    return faults


# --- Warnings ------------------------------------------------------------------


def _warnings(inputs: Mapping[str, Any]) -> list[str]:
    found: list[str] = []

    def open_word(name: str, value: Any, words: tuple[str, ...]) -> None:
        if isinstance(value, str) and value and value not in words:
            found.append(
                f'{name} "{value}" is not known to this version of pulumi_jig and is '
                f"sent as it is.{_near(value, words)}"
            )

    open_word("gpu_type", inputs.get("gpu_type"), GPU_TYPES)
    open_word("capacity_type", inputs.get("capacity_type"), CAPACITY_TYPES)
    autoscaling = inputs.get("autoscaling")
    low = _known(inputs, "min_replicas") if "min_replicas" in inputs else 1
    high = _known(inputs, "max_replicas") if "max_replicas" in inputs else low
    scales = _is_number(low) and _is_number(high) and high > low
    if isinstance(autoscaling, dict) and autoscaling:
        open_word("autoscaling.metric", autoscaling.get("metric"), AUTOSCALING_METRICS)
        if _is_number(low) and _is_number(high) and not scales:
            found.append(
                "autoscaling has no room: max_replicas equals min_replicas, so the "
                "number of replicas never changes. Raise max_replicas."
            )
    elif autoscaling is None and scales and "autoscaling" not in inputs:
        found.append(
            "max_replicas is larger than min_replicas, but without `autoscaling` "
            "nothing tells the service when to add replicas."
        )
    if isinstance(inputs.get("health_check_path"), str) and "port" not in inputs:
        found.append(
            "health_check_path has no effect without `port`: the platform would not "
            "know where to ask."
        )
    return found
