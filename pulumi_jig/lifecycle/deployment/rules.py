"""
What no single field of a deployment shows: contradictions, options, what was dropped.

Refused is what the service would refuse or, worse, accept and do otherwise: a GPU type
without a number of GPUs, a ceiling below the floor, a field that is dropped although the
service has no way to forget it. What is merely odd is a warning.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.lifecycle.checking import claim_option_faults
from pulumi_jig.lifecycle.deployment.inputs import EXTRA, OPTIONS, declared_keys
from pulumi_jig.lifecycle.wording import near, short
from pulumi_jig.naming import split_description
from pulumi_jig.rollout.goal import WAIT_FOR
from pulumi_jig.schema.deployment import FIELDS
from pulumi_jig.schema.enums import (
    AUTOSCALING_METRICS,
    CAPACITY_TYPES,
    GPU_TYPES,
    REVISION_VARIABLE,
)
from pulumi_jig.schema.field import LEFT_ALONE
from pulumi_jig.schema.requests import CreateDeploymentRequest
from pulumi_jig.values import UNKNOWN, format_path, has_unknown, storable_fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pulumi_jig.lifecycle.wording import Fault

ON_FAILED_UPDATE: Final = ("keep", "rollback")


def rule_faults(
    inputs: Mapping[str, Any], olds: Mapping[str, Any], sent: Mapping[str, Any]
) -> list[Fault]:
    """
    What is wrong with several fields together, with options and with `extra`.

    Args:
        inputs: All inputs, without secret markers, possibly with unknown values.
        olds: The inputs that the state holds; empty at creation and replacement.
        sent: What was sent last; see `checking.last_sent`.
    """
    return [
        *_contradictions(inputs),
        *_option_faults(inputs),
        *_extra_faults(inputs),
        *_dropped_faults(inputs, olds, sent),
    ]


def _known(inputs: Mapping[str, Any], name: str) -> Any:
    value = inputs.get(name)
    return None if has_unknown(value) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_filled(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0


# --- Contradictions ------------------------------------------------------------


def _contradictions(inputs: Mapping[str, Any]) -> Iterator[Fault]:
    gpu_type, gpu_count = _known(inputs, "gpu_type"), _known(inputs, "gpu_count")
    if isinstance(gpu_type, str) and gpu_type not in ("", "none"):
        if "gpu_count" not in inputs:
            yield (
                "gpu_count",
                f'is required with gpu_type "{short(gpu_type)}": left out, the service '
                "takes 0 and the containers get no GPU. Say how many each replica "
                "gets, 0 included",
            )
    elif gpu_type == "none" and isinstance(gpu_count, int) and gpu_count > 0:
        yield (
            "gpu_count",
            'must be 0 (or left out) with gpu_type "none"; name a GPU type',
        )
    low, high = _known(inputs, "min_replicas"), _known(inputs, "max_replicas")
    if "min_replicas" not in inputs:
        low = 1
    if _is_number(low) and _is_number(high) and high < low:
        hint = "" if "min_replicas" in inputs else " (which is 1 when left out)"
        yield (
            "max_replicas",
            f"must not be smaller than min_replicas{hint}; raise one or lower the "
            "other",
        )
    if _is_filled(inputs.get("volumes")) and _is_filled(inputs.get("model_mounts")):
        yield (
            "model_mounts",
            "cannot be combined with `volumes`: the service preloads one or the "
            "other; drop one of them",
        )
    environment = inputs.get("environment_variables")
    if isinstance(environment, dict) and REVISION_VARIABLE in environment:
        yield (
            format_path(("environment_variables", REVISION_VARIABLE)),
            "is set by the platform itself; leave it out",
        )
    description = _known(inputs, "description")
    if isinstance(description, str) and split_description(description)[1]:
        yield (
            "description",
            "must not end with an ownership mark; the provider writes it itself",
        )


# --- Options and extra ---------------------------------------------------------


def _option_faults(inputs: Mapping[str, Any]) -> Iterator[Fault]:
    for name, words in (
        ("wait_for", WAIT_FOR),
        ("on_failed_update", ON_FAILED_UPDATE),
    ):
        value = _known(inputs, name)
        if value is not None and value not in words:
            yield name, "must be one of " + ", ".join(words)
    yield from claim_option_faults("deployment", inputs)


def _extra_faults(inputs: Mapping[str, Any]) -> Iterator[Fault]:
    extra = inputs.get(EXTRA)
    if extra is None or extra is UNKNOWN:
        return
    if not isinstance(extra, dict):
        yield EXTRA, "must be a mapping of field names to values"
        return
    settable = {name.casefold() for name in (*FIELDS, *OPTIONS, EXTRA)}
    from pulumi_jig.schema.responses import DeploymentResponseItem

    read_only = {name.casefold() for name in DeploymentResponseItem.model_fields}
    for key, value in extra.items():
        path = format_path((EXTRA, key))
        # The service reads keys without regard to case, folded as Unicode has it.
        word = key.strip().casefold()
        if word in settable:
            # It must not become a way around a policy.
            yield path, f"is a property of its own; set `{word}` directly"
        elif word in read_only or word.startswith("__"):
            yield path, "is not a field that can be sent; leave it out"
        elif not has_unknown(value) and (fault := storable_fault(value, (EXTRA, key))):
            yield path, f"cannot be sent: {fault}; give plain data"


# --- What was dropped ----------------------------------------------------------


def _dropped_faults(
    inputs: Mapping[str, Any], olds: Mapping[str, Any], sent: Mapping[str, Any]
) -> Iterator[Fault]:
    if inputs.get("name") != olds.get("name"):
        # Another name is another deployment, which begins with the defaults.
        return
    before = declared_keys(olds) | declared_keys(sent)
    for name in sorted((before & FIELDS.keys()) - inputs.keys()):
        if FIELDS[name].default is not LEFT_ALONE or _is_required(name):
            # Cleared by an update, or reported as missing already.
            continue
        value = sent.get(name)
        told = _is_number(value) or isinstance(value, str)
        now = f" (it is {json.dumps(value)} now)" if told else ""
        yield (
            name,
            "cannot be unset: the service has no way to return it to its default. "
            f"Declare the value that you want{now}, or leave it to others with "
            f'`ignore_changes=["{name}"]`',
        )


def _is_required(name: str) -> bool:
    return CreateDeploymentRequest.model_fields[name].is_required()


# --- Warnings ------------------------------------------------------------------


def warnings(inputs: Mapping[str, Any]) -> Iterator[str]:
    """What is allowed and probably not meant."""
    autoscaling = inputs.get("autoscaling")
    metric = autoscaling.get("metric") if isinstance(autoscaling, dict) else None
    for name, value, words in (
        ("gpu_type", inputs.get("gpu_type"), GPU_TYPES),
        ("capacity_type", inputs.get("capacity_type"), CAPACITY_TYPES),
        ("autoscaling.metric", metric, AUTOSCALING_METRICS),
    ):
        if isinstance(value, str) and value and value not in words:
            yield (
                f'{name} "{short(value)}" is not known to this version of pulumi_jig '
                f"and is sent as it is.{near(value, words)}"
            )
    gpu_type = inputs.get("gpu_type")
    no_gpu = _is_number(inputs.get("gpu_count")) and inputs["gpu_count"] == 0
    if no_gpu and isinstance(gpu_type, str) and gpu_type != "none":
        yield (
            f'gpu_count is 0 with gpu_type "{short(gpu_type)}": the containers get no '
            'GPU. gpu_type "none" says so plainly.'
        )
    yield from _replica_warnings(inputs, autoscaling)
    if isinstance(inputs.get("health_check_path"), str) and "port" not in inputs:
        yield (
            "health_check_path has no effect without `port`: the platform would not "
            "know where to ask."
        )


def _replica_warnings(inputs: Mapping[str, Any], autoscaling: Any) -> Iterator[str]:
    low = _known(inputs, "min_replicas") if "min_replicas" in inputs else 1
    high = _known(inputs, "max_replicas") if "max_replicas" in inputs else low
    if not (_is_number(low) and _is_number(high)):
        return
    if high == 0:
        yield "max_replicas is 0: nothing runs until it is raised."
    elif isinstance(autoscaling, dict) and autoscaling and high == low:
        yield (
            "autoscaling has no room: max_replicas equals min_replicas, so the number "
            "of replicas never changes. Raise max_replicas."
        )
    elif autoscaling in (None, {}) and high > low:
        yield (
            "max_replicas is larger than min_replicas, but without `autoscaling` "
            "nothing tells the service when to add replicas."
        )
