"""
Lays out the labelled corpus: `resources.json` and `stacks.json` beside this file.

Why a script: four hundred cases share one base deployment, and a case is readable only
as its difference from that base. What it refuses: to judge. It imports nothing of the
package, and each label below stands in a table row that a person wrote from the text of
the rule (see README.md), with the reason in words. Running it again must reproduce the
committed files byte for byte; a test holds that.
"""

from __future__ import annotations

import json
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DEPLOYMENT = "pulumi-python:dynamic/jig:Deployment"
RAW = "pulumi-python:dynamic:Resource"
DIGEST = "sha256:" + "0f" * 32
IMAGE = f"registry.together.ai/proj_a/llm:1.4@{DIGEST}"
UNKNOWN: dict[str, Any] = {"$unknown": True}
DROP = object()
TODAY = "2026-11-22"

V, U, A = "violation", "unknown", "advice"


def number(text: str) -> dict[str, str]:
    """A number that JSON cannot spell."""
    return {"$number": text}


def secret(value: Any) -> dict[str, Any]:
    """A value that the program marked as a Pulumi secret."""
    return {"$secret": value}


BASE: dict[str, Any] = {
    "name": "llm-dev-0001",
    "image": IMAGE,
    "gpu_type": "h100-80gb",
    "gpu_count": 2,
    "min_replicas": 1,
    "max_replicas": 2,
    "autoscaling": {"metric": "HTTPTotalRequests", "target": 100},
    "memory": 64,
    "cpu": 8,
    "storage": 100,
    "port": 8000,
    "health_check_path": "/health",
    "environment_variables": {
        "LOG_LEVEL": "info",
        "HF_TOKEN": {"value_from_secret": "hf-token"},
    },
}

RESOURCES: list[dict[str, Any]] = []
STACKS: list[dict[str, Any]] = []


def patched(patch: dict[str, Any]) -> dict[str, Any]:
    """The base deployment with `patch` over it; DROP removes a key."""
    inputs = deepcopy(BASE)
    for key, value in patch.items():
        if value is DROP:
            inputs.pop(key, None)
        else:
            inputs[key] = value
    return inputs


def case(
    family: str,
    patch: dict[str, Any],
    expect: dict[str, str],
    reason: str,
    **more: Any,
) -> None:
    """
    One labelled resource.

    `expect` names the policies that speak, without their `jig-` prefix, and the
    strongest thing that they say; every other policy must stay silent.
    """
    count = sum(1 for c in RESOURCES if c["family"] == family) + 1
    inputs = more.pop("inputs", None)
    RESOURCES.append(
        {
            "id": f"{family}-{count:03d}",
            "family": family,
            "type": more.pop("type", DEPLOYMENT),
            "name": more.pop("name", "llm"),
            "inputs": patched(patch) if inputs is None else inputs,
            "options": more.pop("options", {"protect": True}),
            **more,
            "expect": {f"jig-{k}": v for k, v in expect.items()},
            "reason": reason,
        }
    )


# One row per case reads as a table; wrapped, it would read as a program.
# fmt: off

# --- GPUs per replica, per deployment -------------------------------------------

for value, why in [
    (1, "one GPU, two replicas: 2 of 16"),
    (2, "two GPUs are in allowed_counts and at most 4 per replica"),
    (4, "four GPUs are exactly max_per_replica"),
    (2.0, "numbers arrive as floats: 2.0 is 2"),
    (4.0, "4.0 is 4, exactly the limit"),
    ("2", "a numeric string is coerced"),
    ("2.0", "a numeric string with a fraction of zero is a whole number"),
    (" 4 ", "blanks around a numeric string do not matter"),
    ("+1", "a sign is part of a number"),
    (secret(2), "a secret quantity arrives unwrapped"),
]:
    case("gpu-count", {"gpu_count": value}, {}, why)
for value, why in [
    (3, "3 is under the limit, but not in allowed_counts 1, 2, 4"),
    (5, "limit + 1 per replica"),
    (8, "8 per replica is over 4"),
    (16, "16 per replica is over 4"),
    (64, "64 per replica is over 4"),
    (8.0, "8.0 is 8, over 4"),
    ("8", "the string 8 is 8, over 4"),
    (" 8.0 ", "blanks and fraction zero: 8, over 4"),
    (secret(8), "a secret 8 is 8, over 4"),
]:
    case(
        "gpu-count",
        {"gpu_count": value, "memory": 8},
        {"gpu-count": V},
        why,
    )
for value, why in [
    (DROP, "omitted gpu_count means 0 GPUs of a real type: the classic silent mistake"),
    (None, "null is the same as omitted"),
    (0, "an explicit 0 with a real type is advised against as well"),
    (0.0, "0.0 is 0"),
    ("0", "the string 0 is 0"),
]:
    case("gpu-zero", {"gpu_count": value}, {"gpu-count": A}, why)
    case(
        "gpu-zero",
        {"gpu_count": value},
        {"gpu-count": V},
        f"{why}; zero_gpus is deny",
        config={"jig-gpu-count": {"zero_gpus": "deny"}},
    )
    case(
        "gpu-zero",
        {"gpu_count": value},
        {},
        f"{why}; zero_gpus is allow",
        config={"jig-gpu-count": {"zero_gpus": "allow"}},
    )
for value, why in [
    (2.5, "half a GPU does not exist"),
    ("2.5", "a fraction in a string is a fraction"),
    ("two", "a word is not a number"),
    ("", "an empty string is not a number"),
    (True, "a boolean is not a quantity, though Python counts with it"),
    (-1, "a negative count"),
    ("-2", "a negative count in a string"),
    (number("NaN"), "NaN compares false with every limit, so it would pass all of them"),
    (number("Infinity"), "infinity is not a count"),
    ("NaN", "the word NaN is not a number either"),
    ("1_0", "Python reads 1_0 as 10; nobody else does"),
    ([2], "a list is not a number"),
    ({"count": 2}, "a mapping is not a number"),
    (1e30, "a count beyond any machine is a mistake, not a quantity"),
]:
    # The rules that need the count cannot be judged without it and must not pass.
    case(
        "gpu-malformed",
        {"gpu_count": value},
        {"valid-quantities": V, "gpu-count": V, "memory": V},
        f"{why}; what needs the count cannot be judged and does not pass",
    )
for gpus, replicas, label, why in [
    (1, 2, {}, "b200: 1 per replica of 2, 2 per deployment of 4"),
    (2, 2, {}, "b200: exactly 2 per replica and exactly 4 per deployment"),
    (2, 3, {"gpu-count": V}, "b200: 2 x 3 = 6 is over its 4 per deployment"),
    (4, 2, {"gpu-count": V}, "b200: 4 per replica is over its own limit of 2"),
    (1, 4, {}, "b200: 1 x 4 = 4, exactly its limit"),
    (1, 5, {"gpu-count": V}, "b200: 1 x 5 = 5 is over its 4 per deployment"),
]:
    case(
        "gpu-per-type",
        {"gpu_type": "b200-192gb", "gpu_count": gpus, "max_replicas": replicas},
        label,
        why,
    )
case(
    "gpu-per-type",
    {"gpu_type": "B200-192GB", "gpu_count": 4},
    {"gpu-count": V},
    "the type's own limit holds whatever the case of its name",
)
case(
    "gpu-per-type",
    {"gpu_type": "h100-40gb-mig", "gpu_count": 4, "max_replicas": 4},
    {},
    "slices are counted raw here: 4 x 4 = 16, exactly the limit",
)
case(
    "gpu-per-type",
    {"gpu_count": 4, "max_replicas": 8, "min_replicas": 2},
    {},
    "no limit per deployment and per type: 32 GPUs pass",
    config={"jig-gpu-count": {"max_per_deployment": None, "per_type": {}}},
)
case(
    "gpu-per-type",
    {"gpu_count": 3},
    {},
    "an empty allowed_counts allows every count up to the limit",
    config={"jig-gpu-count": {"allowed_counts": []}},
)

# --- Replicas: bounds and their product with GPUs --------------------------------

HTTP = {"metric": "HTTPTotalRequests", "target": 100}
for gpus, low, high, scaling, label, why in [
    (4, 1, 4, HTTP, {}, "4 x 4 = 16 GPUs, exactly the limit per deployment"),
    (4, 1, 5, HTTP, {"gpu-count": V}, "4 x 5 = 20 GPUs, over 16"),
    (2, 2, 8, HTTP, {}, "2 x 8 = 16 GPUs; spread 6 is exactly the limit"),
    (2, 1, 8, HTTP, {"replicas": V}, "spread 7 is over 6"),
    (2, 4, 8, HTTP, {}, "floor 4 and ceiling 8 are exactly the limits"),
    (2, 5, 8, HTTP, {"replicas": V}, "floor 5 is over 4"),
    (1, 4, 9, HTTP, {"replicas": V}, "ceiling 9 is over 8"),
    (1, 2, 9, HTTP, {"replicas": V}, "ceiling 9 is over 8 and the spread is 7"),
    (2, 3, 9, HTTP, {"replicas": V, "gpu-count": V}, "ceiling 9; 18 GPUs"),
    (1, 3, 2, HTTP, {"replicas": V}, "the floor is above the ceiling"),
    (4, 5, 1, HTTP, {"replicas": V, "gpu-count": V}, "floor above ceiling: the peak is the larger, 5 x 4 = 20"),
    (2, 0, 2, HTTP, {"replicas": A}, "a floor of 0 with an HTTP metric may never wake"),
    (2, 0, 0, None, {}, "0 and 0 without autoscaling: parked, which is legal"),
    (2, 0, 0, HTTP, {"replicas": V}, "autoscaling with nothing to scale"),
    (2, 0, DROP, None, {}, "ceiling unset means the floor: parked"),
    (2, 1, DROP, HTTP, {"replicas": V}, "ceiling unset means fixed at 1, yet autoscaling is set"),
    (2, 1, DROP, None, {}, "fixed at 1 without autoscaling"),
    (2, DROP, DROP, None, {}, "unset floor is 1, unset ceiling is the floor"),
    (2, DROP, 2, HTTP, {}, "unset floor is 1, ceiling 2"),
    (2, DROP, 7, HTTP, {}, "unset floor is 1: spread 6, 14 GPUs"),
    (2, DROP, 8, HTTP, {"replicas": V}, "unset floor is 1: spread 7 is over 6"),
    (2, None, None, None, {}, "null is unset"),
    (2, 1, 2, None, {"replicas": V}, "room to scale, but nothing that scales"),
    (2, 1, 2, {}, {"replicas": V}, "an empty autoscaling means disabled"),
    (2, 3, 3, None, {}, "fixed at 3"),
    (2, 3, 3, {}, {}, "fixed at 3, autoscaling disabled by an empty mapping"),
    (2, 3, 3, HTTP, {"replicas": V}, "fixed at 3, yet autoscaling is set"),
    (2, 3.0, 4.0, HTTP, {}, "3.0 and 4.0 are whole numbers"),
    (2, "3", "4", HTTP, {}, "numeric strings are coerced"),
    (2, "3", "9", HTTP, {"replicas": V, "gpu-count": V}, "the string 9 is over 8; 18 GPUs"),
    (4, 4, 4, None, {}, "4 x 4 at a fixed size: 16 GPUs"),
    (4, 5, 5, None, {"replicas": V, "gpu-count": V}, "fixed at 5: floor over 4, 20 GPUs"),
    (0, 2, 8, HTTP, {"gpu-count": A}, "no GPUs: only the zero is advised against"),
]:
    case(
        "replicas",
        {
            "gpu_count": gpus,
            "min_replicas": low,
            "max_replicas": high,
            "autoscaling": DROP if scaling is None else scaling,
        },
        label,
        why,
    )
for low, high, label, why in [
    (1.5, 2, {"replicas": V, "valid-quantities": V}, "half a replica; the ceiling alone says the peak of GPUs"),
    (-1, 2, {"replicas": V, "valid-quantities": V}, "a negative floor"),
    (True, 2, {"replicas": V, "valid-quantities": V}, "a boolean floor"),
    (number("NaN"), 2, {"replicas": V, "valid-quantities": V}, "a floor of NaN"),
    (1, "many", {"replicas": V, "valid-quantities": V, "gpu-count": V}, "the ceiling is a word, so the peak is anybody's guess"),
    (1, 2.5, {"replicas": V, "valid-quantities": V, "gpu-count": V}, "two and a half replicas"),
    (1, -2, {"replicas": V, "valid-quantities": V, "gpu-count": V}, "a negative ceiling"),
    (1, number("Infinity"), {"replicas": V, "valid-quantities": V, "gpu-count": V}, "an endless ceiling"),
    ("x", DROP, {"replicas": V, "valid-quantities": V, "gpu-count": V}, "the floor is a word and there is no ceiling"),
    (1, UNKNOWN, {"replicas": U, "gpu-count": U}, "the ceiling is not known: neither bounds nor peak can be judged"),
    (UNKNOWN, 2, {"replicas": U}, "the peak is the ceiling: 4 GPUs; only the bounds are open"),
    (UNKNOWN, 9, {"replicas": V, "gpu-count": V}, "the ceiling is known and over 8; 18 GPUs"),
    (UNKNOWN, DROP, {"replicas": V, "gpu-count": U}, "without a ceiling the size is fixed, whatever it is, yet autoscaling is set; its GPUs are open"),
    (UNKNOWN, UNKNOWN, {"replicas": U, "gpu-count": U}, "nothing is known"),
    (5, UNKNOWN, {"replicas": V, "gpu-count": U}, "the floor is known and over 4; 10 GPUs at least"),
    (9, UNKNOWN, {"replicas": V, "gpu-count": V}, "9 x 2 = 18 GPUs at the very least"),
]:
    case(
        "replicas-odd",
        {"gpu_count": 2, "min_replicas": low, "max_replicas": high},
        label,
        why,
    )
case(
    "replicas-odd",
    {"gpu_type": "none", "gpu_count": 0, "min_replicas": UNKNOWN, "max_replicas": UNKNOWN},
    {"replicas": U},
    "no GPUs times an unknown number of replicas is no GPUs",
)
case(
    "replicas-odd",
    {"gpu_type": "none", "gpu_count": DROP, "min_replicas": 1, "max_replicas": "many"},
    {"replicas": V, "valid-quantities": V},
    "no GPUs times a word is still no GPUs; the word itself is refused",
)
case(
    "replicas-odd",
    {"min_replicas": 9, "max_replicas": 9, "autoscaling": DROP, "gpu_count": 1},
    {},
    "null limits: any number of replicas passes",
    config={"jig-replicas": {"max_min_replicas": None, "max_max_replicas": None, "max_spread": None}},
)

QUEUE = {"metric": "QueueBacklogPerWorker"}
for scaling, label, why in [
    ({"metric": "HTTPTotalRequests"}, {}, "the target has a default of 100"),
    ({"metric": "HTTPAvgRequestDuration", "target": 500}, {}, "the other HTTP metric"),
    ({"metric": "HTTPAvgRequestDuration", "time_interval_minutes": 5}, {}, "the interval belongs to HTTP metrics"),
    (QUEUE, {}, "the default target 1.01 is inside 1..5"),
    ({**QUEUE, "target": 1}, {}, "exactly the lower bound"),
    ({**QUEUE, "target": 5}, {}, "exactly the upper bound"),
    ({**QUEUE, "target": "1.05"}, {}, "a numeric string is coerced"),
    ({**QUEUE, "model": "llm-dev-0001"}, {}, "model belongs to the queue metric"),
    ({"metric": "HTTPTotalRequests", "model": "llm-dev-0001"}, {}, "the vendor's CLI writes model beside every metric"),
    ({"metric": "CustomMetric", "custom_metric_name": "gpu_util:avg"}, {}, "a legal Prometheus name"),
    ({**QUEUE, "target": 0.99}, {"replicas": V}, "under the lower bound of 1"),
    ({**QUEUE, "target": 5.01}, {"replicas": V}, "over the upper bound of 5"),
    ({**QUEUE, "target": 0}, {"replicas": V}, "a target of 0 asks for endless replicas"),
    ({"metric": "HTTPTotalRequests", "target": 0}, {"replicas": V}, "a target of 0 divides by nothing, whatever the metric"),
    ({"metric": "HTTPTotalRequests", "target": -5}, {"replicas": V}, "a negative target"),
    ({"metric": "HTTPTotalRequests", "target": "fast"}, {"replicas": V}, "a word is not a target"),
    ({"metric": "HTTPTotalRequests", "target": number("NaN")}, {"replicas": V}, "NaN is not a target"),
    ({"metric": "CPUUtilization", "target": 80}, {"replicas": V}, "no such metric in allowed_metrics"),
    ({"metric": "httptotalrequests"}, {"replicas": V}, "metrics are case-sensitive in the API"),
    ({"target": 100}, {"replicas": V}, "a target without a metric"),
    ({"metric": "CustomMetric"}, {"replicas": V}, "a custom metric needs custom_metric_name"),
    ({"metric": "CustomMetric", "custom_metric_name": "9lives"}, {"replicas": V}, "not a Prometheus name"),
    ({"metric": "CustomMetric", "custom_metric_name": ""}, {"replicas": V}, "an empty name"),
    ({**QUEUE, "time_interval_minutes": 5}, {"replicas": V}, "the interval does not belong to the queue metric"),
    ({"metric": "HTTPTotalRequests", "custom_metric_name": "x"}, {"replicas": V}, "a custom name does not belong to an HTTP metric"),
    ({"profile": "fast", "targetValue": "5"}, {"replicas": V}, "the shape of an API version that is gone: no metric"),
    ({**QUEUE, "targte": 1}, {"replicas": V}, "a misspelt key belongs to no metric"),
    ("HTTPTotalRequests", {"replicas": V}, "a string is not an autoscaling configuration"),
    (UNKNOWN, {"replicas": U}, "not known yet whether anything scales"),
    ({"metric": UNKNOWN}, {"replicas": U}, "the metric is not known yet"),
    ({**QUEUE, "target": UNKNOWN}, {"replicas": U}, "the target is not known yet"),
]:
    case("autoscaling", {"autoscaling": scaling}, label, why)
case(
    "autoscaling",
    {"autoscaling": QUEUE, "min_replicas": 0},
    {},
    "a queue wakes a deployment from 0",
)
case(
    "autoscaling",
    {"autoscaling": {"metric": "HTTPAvgRequestDuration"}, "min_replicas": 0},
    {"replicas": A},
    "duration of no request is no signal: it may never wake",
)
case(
    "autoscaling",
    {"autoscaling": QUEUE},
    {"replicas": V},
    "the owner allows HTTP metrics only",
    config={"jig-replicas": {"allowed_metrics": ["HTTPTotalRequests"]}},
)
case(
    "autoscaling",
    {"autoscaling": QUEUE, "max_replicas": UNKNOWN},
    {"replicas": U, "gpu-count": U},
    "autoscaling is set; whether there is room is not known yet",
)

# --- Memory ------------------------------------------------------------------------

for memory, gpus, label, why in [
    (128, 1, {}, "exactly 128 GiB per GPU"),
    (129, 1, {"memory": V}, "1 GiB over 128 per GPU"),
    (128.5, 1, {"memory": V}, "half a GiB over is over"),
    (127.5, 1, {}, "fractions of a GiB are legal"),
    (0.5, 1, {}, "half a GiB is legal"),
    (256, 2, {}, "exactly 128 x 2"),
    (257, 2, {"memory": V}, "1 GiB over 128 x 2"),
    (512, 4, {}, "exactly the ceiling, exactly 128 x 4"),
    (513, 4, {"memory": V}, "over the ceiling"),
    (1000, 4, {"memory": V}, "the API's maximum is over this owner's"),
    ("128", 1, {}, "a numeric string is coerced"),
    ("128.0", 1, {}, "and one with a fraction of zero"),
    ("129", 1, {"memory": V}, "a numeric string over the limit"),
    (secret(129), 1, {"memory": V}, "a secret quantity arrives unwrapped"),
    (DROP, 1, {"memory": A}, "unset memory is the platform's choice: advised against"),
    (None, 1, {"memory": A}, "null is unset"),
    (-1, 1, {"memory": V, "valid-quantities": V}, "negative memory"),
    (number("NaN"), 1, {"memory": V, "valid-quantities": V}, "NaN would pass every comparison"),
    (number("Infinity"), 1, {"memory": V, "valid-quantities": V}, "infinite memory"),
    ("64Gi", 1, {"memory": V, "valid-quantities": V}, "Kubernetes units are not a number of GiB"),
    (True, 1, {"memory": V, "valid-quantities": V}, "a boolean"),
    ([64], 1, {"memory": V, "valid-quantities": V}, "a list"),
    (UNKNOWN, 1, {"memory": U}, "not known yet"),
    (100, UNKNOWN, {"memory": U, "gpu-count": U}, "100 GiB passes with a GPU and fails without one"),
    (64, UNKNOWN, {"gpu-count": U}, "64 GiB passes whatever the number of GPUs"),
    (600, UNKNOWN, {"memory": V, "gpu-count": U}, "600 GiB is over the ceiling whatever the number of GPUs"),
    (64, 0, {"gpu-count": A}, "no GPUs: exactly the limit of a CPU-only replica"),
    (65, 0, {"gpu-count": A, "memory": V}, "no GPUs: over the limit of a CPU-only replica"),
]:
    case("memory", {"memory": memory, "gpu_count": gpus}, label, why)
for memory, label, why in [
    (64, {}, "the CPU form: exactly the limit"),
    (65, {"memory": V}, "the CPU form: 1 GiB over"),
    (64.25, {"memory": V}, "the CPU form: a quarter GiB over"),
    (1, {}, "the CPU form: small"),
]:
    case(
        "memory-cpu",
        {"memory": memory, "gpu_type": "none", "gpu_count": 0},
        label,
        why,
    )
    case(
        "memory-cpu",
        {"memory": memory, "gpu_type": "none", "gpu_count": DROP},
        label,
        f"{why}; gpu_count left out",
    )
case("memory", {"memory": DROP}, {"memory": V}, "unset is denied", config={"jig-memory": {"unset": "deny"}})
case("memory", {"memory": DROP}, {}, "unset is allowed", config={"jig-memory": {"unset": "allow"}})
case(
    "memory",
    {"memory": 900, "gpu_count": 1},
    {},
    "null limits: any memory passes",
    config={"jig-memory": {"max_gib": None, "max_gib_per_gpu": None, "max_gib_cpu_only": None}},
)
case(
    "memory",
    {"memory": 500, "gpu_count": UNKNOWN},
    {"gpu-count": U},
    "without limits that hang on GPUs the count does not matter",
    config={"jig-memory": {"max_gib_per_gpu": None, "max_gib_cpu_only": None}},
)

# --- Other quantities ---------------------------------------------------------------

for field, good, bad in [
    ("cpu", [0.1, 0.5, 8, "8", 8.0], [-1, "x", number("NaN"), True]),
    ("storage", [10, 10.0, "10", 400], [10.5, -1, "10Gi", True]),
    ("termination_grace_period_seconds", [0, 30, 300.0, "300"], [1.5, -1, "5m"]),
]:
    for value in good:
        case("quantities", {field: value}, {}, f"{field} of {value!r} is a quantity")
    for value in bad:
        case(
            "quantities",
            {field: value},
            {"valid-quantities": V},
            f"{field} of {value!r} is not a quantity",
        )
for port, label, why in [
    (8000.0, {}, "8000.0 is a port"),
    ("8000", {}, "a numeric string is coerced"),
    (80.5, {"valid-quantities": V}, "half a port"),
    (-1, {"valid-quantities": V}, "a negative port"),
]:
    case("quantities", {"port": port}, label, why)
case("quantities", {"cpu": UNKNOWN, "storage": UNKNOWN}, {}, "the form of a value is judged when it is known; no rule here limits these two")
case("quantities", {"cpu": None, "storage": None}, {}, "null is unset")

# --- GPU types -----------------------------------------------------------------------

for kind, label, why in [
    ("h100-80gb", {}, "allowed"),
    ("h100-40gb-mig", {}, "allowed"),
    ("b200-192gb", {}, "allowed; 2 per replica and 4 per deployment are its limits"),
    ("H100-80GB", {}, "case does not matter"),
    (" h100-80gb", {}, "a leading blank once stood in the vendor's own list"),
    ("h200-140gb", {"gpu-types": V}, "denied, although allowed: deny wins"),
    ("H200-140GB", {"gpu-types": V}, "denied whatever its case"),
    ("a100-80gb", {"gpu-types": V}, "not on the list"),
    ("h100", {"gpu-types": V}, "half a name is another name"),
    ("h100-80gb-sxm", {"gpu-types": V}, "a longer name is another name"),
    ("rtx-6000", {"gpu-types": V}, "not on the list"),
    ("", {"gpu-types": V}, "an empty type"),
    (DROP, {"gpu-types": V}, "no type: the API requires one, and nobody can say which GPUs are meant"),
    (None, {"gpu-types": V}, "null is unset"),
    (7, {"gpu-types": V}, "a number is not a type"),
    (["h100-80gb"], {"gpu-types": V}, "a list is not a type"),
    (UNKNOWN, {"gpu-types": U}, "not known yet; 2 per replica and 4 in all pass every type's limits"),
]:
    case("gpu-types", {"gpu_type": kind}, label, why)
case("gpu-types", {"gpu_type": UNKNOWN, "gpu_count": 4}, {"gpu-types": U, "gpu-count": U}, "4 per replica pass some types' limits and fail another's")
case("gpu-types", {"gpu_type": UNKNOWN, "gpu_count": 8}, {"gpu-types": U, "gpu-count": V}, "8 per replica fail every type's limit")
case("gpu-types", {"gpu_type": UNKNOWN, "gpu_count": 0}, {"gpu-types": U}, "0 GPUs of an unknown type may be the CPU form")
for count in (DROP, 0, None, 0.0):
    case("gpu-none", {"gpu_type": "none", "gpu_count": count}, {}, "the documented CPU form")
case("gpu-none", {"gpu_type": "None", "gpu_count": 0}, {}, "case does not matter")
case("gpu-none", {"gpu_type": "none", "gpu_count": 2}, {"gpu-count": V}, "2 GPUs of no type: a contradiction")
case("gpu-none", {"gpu_type": "none", "gpu_count": UNKNOWN}, {"gpu-count": U}, "whether it contradicts itself is not known yet")
case("gpu-none", {"gpu_type": "none", "gpu_count": 0}, {"gpu-types": V}, "this owner wants no CPU-only deployments", config={"jig-gpu-types": {"allow_cpu": False}})
case("gpu-none", {"gpu_type": "none", "gpu_count": 0}, {}, "an empty list allows no GPU, and the CPU form is no GPU", config={"jig-gpu-types": {"allow": []}})
case("gpu-types", {}, {"gpu-types": V}, "an empty list allows none", config={"jig-gpu-types": {"allow": []}})
case("gpu-types", {}, {"gpu-types": V}, "denied by a name in other case", config={"jig-gpu-types": {"deny": ["H100-80GB"]}})
case("gpu-types", {}, {}, "allowed by a name in other case", config={"jig-gpu-types": {"allow": ["H100-80GB"]}})

# --- Images ---------------------------------------------------------------------------

for image, label, why in [
    (IMAGE, {}, "tag and digest"),
    (f"registry.together.ai/p/i@{DIGEST}", {}, "digest alone"),
    (f"registry.together.xyz/p/i@{DIGEST}", {}, "the vendor's other host"),
    (f"REGISTRY.together.ai/p/i@{DIGEST}", {}, "host names have no case"),
    (f"registry.together.ai/p/deep/er/i@{DIGEST}", {}, "a deep repository"),
    (f"registry.together.ai/p/i:latest@{DIGEST}", {}, "the digest counts, not the tag"),
    ("registry.together.ai/p/i:1.0", {"image": A}, "a tag is enough here, a digest is preferred"),
    ("registry.together.ai/p/i:v2026-11-22", {"image": A}, "a dated tag is a tag"),
    ("registry.together.ai/p/i:LATEST", {"image": A}, "tags have case: this is not the floating one"),
    ("registry.together.ai/p/i:latest", {"image": V}, "latest moves"),
    ("registry.together.ai/p/i", {"image": V}, "no tag means latest"),
    (f"registry.together.ai.evil.com/p/i@{DIGEST}", {"image": V}, "another host that begins alike"),
    (f"evil.com/registry.together.ai/p/i@{DIGEST}", {"image": V}, "the host is the first part"),
    (f"xregistry.together.ai/p/i@{DIGEST}", {"image": V}, "another host that ends alike"),
    (f"registry.together.ai:443/p/i@{DIGEST}", {"image": V}, "a port is part of the host and is not on the list"),
    ("vllm/vllm-openai:v0.16.0", {"image": V}, "no host means docker.io"),
    (f"vllm/vllm-openai@{DIGEST}", {"image": V}, "no host means docker.io"),
    ("nginx", {"image": V}, "no host means docker.io"),
    ("docker.io/vllm/vllm-openai:v0.16.0", {"image": V}, "docker.io is not on the list"),
    ("localhost:5000/i:1.0", {"image": V}, "localhost is a host"),
    ("registry.together.ai", {"image": V}, "a host without a repository"),
    (f"registry.together.ai/p/i@sha256:{'a' * 63}", {"image": V}, "a digest one digit short"),
    (f"registry.together.ai/p/i@sha256:{'A' * 64}", {"image": V}, "digests are lower case"),
    (f"registry.together.ai/p/i@sha512:{'a' * 128}", {"image": V}, "only sha256 is a digest here"),
    (f"registry.together.ai/p/i@{DIGEST}x", {"image": V}, "something follows the digest"),
    (f"https://registry.together.ai/p/i@{DIGEST}", {"image": V}, "an address is not a reference"),
    (f"user:pw@registry.together.ai/p/i@{DIGEST}", {"image": V}, "user information is not part of a reference"),
    ("registry.together.ai/p/i:1.0 ", {"image": V}, "blanks are not part of a reference"),
    ("registry.together.ai/p/i:", {"image": V}, "an empty tag"),
    ("registry.together.ai//i:1.0", {"image": V}, "an empty part"),
    ("", {"image": V}, "an empty image"),
    (DROP, {"image": V}, "no image", ),
    (None, {"image": V}, "null is unset"),
    (5, {"image": V}, "a number is not an image"),
    (UNKNOWN, {"image": U}, "built in this stack: not known in a preview"),
]:
    if image is DROP:
        # Without an image nothing else marks a raw resource, but this is our type.
        case("image", {"image": DROP}, label, why)
    else:
        case("image", {"image": image}, label, why)
TEAM = {"jig-image": {"repositories": ["registry.together.ai/proj_a"]}}
for image, label, why in [
    (IMAGE, {}, "inside the repository"),
    (f"registry.together.ai/proj_a@{DIGEST}", {}, "the repository itself"),
    (f"registry.together.ai/proj_ab/llm@{DIGEST}", {"image": V}, "prefixes end at a slash"),
    (f"registry.together.ai/proj_b/llm@{DIGEST}", {"image": V}, "another project's repository"),
    (f"registry.together.xyz/proj_a/llm@{DIGEST}", {"image": V}, "the same path on another host"),
]:
    case("image-repository", {"image": image}, label, why, config=TEAM)
for image, require, prefer, label, why in [
    ("registry.together.ai/p/i:1.0", "digest", "digest", {"image": V}, "a digest is required"),
    (IMAGE, "digest", "digest", {}, "a digest is required and there"),
    ("registry.together.ai/p/i:latest", "none", "digest", {"image": A}, "nothing is required, a digest is preferred"),
    ("registry.together.ai/p/i", "none", "none", {}, "nothing is required or preferred"),
    ("registry.together.ai/p/i:1.0", "tag", "none", {}, "a tag is required and there"),
    ("registry.together.ai/p/i:latest", "none", "tag", {"image": A}, "a tag that does not move is preferred"),
    ("registry.together.ai/p/i:1.0", "none", "tag", {}, "a tag is preferred and there"),
    ("evil.com/p/i:1.0", "none", "none", {"image": V}, "the registry counts whatever is required"),
]:
    case("image-require", {"image": image}, label, why, config={"jig-image": {"require": require, "prefer": prefer}})
case("image-require", {}, {"image": V}, "an empty list of registries allows none", config={"jig-image": {"registries": []}})
case("image-require", {"image": f"localhost:5000/i@{DIGEST}"}, {}, "a host with its port on the list", config={"jig-image": {"registries": ["localhost:5000"]}})
case("image-require", {"image": f"vllm/vllm-openai@{DIGEST}"}, {}, "docker.io on the list", config={"jig-image": {"registries": ["docker.io"]}})

# --- Plaintext secrets -------------------------------------------------------------------

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
RANDOM = "q7Zt2LmX9cVb4NsK1hGf8RdW3yPj6TaE"
for name, value, label, why in [
    ("OPENAI_API_KEY", "abc123", V, "named as a key"),
    ("API_KEY", "x", V, "named as a key, however short"),
    ("APIKEY", "abc", V, "named as a key without a separator"),
    ("SECRET_KEY", "abc", V, "named as a secret"),
    ("CLIENT_SECRET", "abc", V, "named as a secret"),
    ("AUTH_TOKEN", "abc", V, "named as a token"),
    ("HF_TOKEN", "abc", V, "named as a token"),
    ("HF_TOKEN", secret("abc"), V, "a Pulumi secret still reaches the container in clear"),
    ("HF_TOKEN", {"value": "abc"}, V, "the long form of a plain value"),
    ("DB_PASSWORD", "abc", V, "named as a password"),
    ("DB_PASSWD", "abc", V, "named as a password"),
    ("PASSPHRASE", "abc", V, "named as a passphrase"),
    ("db_password", "abc", V, "case does not matter"),
    ("SERVICE_CREDENTIALS", "abc", V, "named as credentials"),
    ("PRIVATE_KEY", "abc", V, "named as a key"),
    ("DB_PASSWORD", UNKNOWN, V, "a secret's name with any literal, known or not"),
    ("DB_PASSWORD", 12345, V, "a number is a value"),
    ("GREETING", "sk-" + "a1B2" * 6, V, "looks like an OpenAI key"),
    ("GREETING", "hf_" + "aB3d" * 8, V, "looks like a Hugging Face token"),
    ("GREETING", "AKIA" + "ABCD1234EFGH5678", V, "looks like an AWS access key id"),
    ("GREETING", "ghp_" + "a1B2" * 9, V, "looks like a GitHub token"),
    ("GREETING", "github_pat_" + "a1B2" * 9, V, "looks like a GitHub token"),
    ("GREETING", "glpat-" + "a1B2c" * 4, V, "looks like a GitLab token"),
    ("GREETING", "tgp_v1_" + "a1B2" * 8, V, "looks like a Together key"),
    ("GREETING", "xoxb-" + "123456789012-abcdef", V, "looks like a Slack token"),
    ("GREETING", JWT, V, "a signed web token"),
    ("GREETING", PEM, V, "a private key"),
    ("GREETING", f"prefix {PEM}", V, "a private key after something else"),
    ("DATABASE_URL", "postgres://app:hunter2@db.example.com/x", V, "an address with a password in it"),
    ("GREETING", RANDOM, V, "32 random letters and digits of both cases"),
    ("GREETING", f"v1:{RANDOM}", V, "the random part of a longer value"),
    ("GREETING", secret(RANDOM), V, "secret or not, it reaches the container in clear"),
    ("LOG_LEVEL", "debug", None, "an ordinary setting"),
    ("MAX_TOKENS", "4096", None, "a number of tokens is not a token"),
    ("MAX_TOKENS", 4096, None, "a number of tokens is not a token"),
    ("TOKENIZER", "/models/tok", None, "a tokenizer is not a token"),
    ("TOKENIZERS_PARALLELISM", "false", None, "a tokenizer is not a token"),
    ("MONKEY", "see", None, "a key is a word of its own in a name"),
    ("KEYBOARD_LAYOUT", "de", None, "a key is a word of its own in a name"),
    ("PUBLIC_KEY", "ssh-ed25519 AAAA", None, "a public key is public"),
    ("TLS_KEY_FILE", "/certs/tls.pem", None, "where a key lies is not the key"),
    ("TOKEN_PATH", "/var/run/token", None, "where a token lies is not the token"),
    ("SECRET_NAME", "hf-token", None, "what a secret is called is not the secret"),
    ("SECRET_VERSION", "7", None, "the documented way to roll out a rotated secret"),
    ("AWS_ACCESS_KEY_ID", "example", None, "an id; a real one is known by its value"),
    ("TOKEN_TTL", "3600", None, "how long a token lives is not the token"),
    ("DB_PASSWORD", "", None, "an empty value holds nothing"),
    ("MODEL", "meta-llama/Llama-3.1-405B-Instruct-Turbo", None, "a model's name is not random"),
    ("REVISION", "0123456789abcdef" * 4, None, "a hexadecimal digest is not a secret by itself"),
    ("TRACE_ID", "123e4567-e89b-12d3-a456-426614174000", None, "a UUID is not a secret by itself"),
    ("DATABASE_URL", "postgres://db.example.com/x", None, "an address without a password"),
    ("DATABASE_URL", "postgres://app@db.example.com/x", None, "an address with a user only"),
    ("DATABASE_URL", "postgres://app:$DB_PASSWORD@db.example.com/x", None, "the password is taken from the environment"),
    ("TEXT", "ask-me-anything-about-risk-and-tasks", None, "sk- inside a word is not a key"),
    ("PYTHONPATH", "/opt/app/lib/python3.12/site-packages", None, "a path is not random"),
    ("DB_PASSWORD", {"value_from_secret": "db"}, None, "taken from a secret"),
    ("DB_PASSWORD", {"value_from_secret": UNKNOWN}, None, "taken from a secret whose name is not known yet"),
    ("GREETING", UNKNOWN, U, "an ordinary name with a value that is not known yet"),
    ("GREETING", {"value": "a", "value_from_secret": "b"}, V, "both a value and a secret"),
    ("GREETING", {}, V, "neither a value nor a secret"),
    ("GREETING", None, V, "neither a value nor a secret"),
]:
    expect = {} if label is None else {"no-plaintext-secrets": label}
    case("env-mapping", {"environment_variables": {"A": "1", name: value}}, expect, why)
    # The same variable in the API's own list form.
    entry: dict[str, Any] = {"name": name}
    if isinstance(value, dict) and not {"$unknown", "$secret", "$number"} & set(value):
        entry |= value
    elif value is not None:
        entry["value"] = value
    case(
        "env-list",
        {"environment_variables": [{"name": "A", "value": "1"}, entry]},
        expect,
        f"{why}; as a list",
    )
for env, label, why in [
    (DROP, None, "no variables"),
    (None, None, "null is unset"),
    ({}, None, "no variables"),
    ([], None, "no variables"),
    (UNKNOWN, U, "none of them is known yet"),
    ([UNKNOWN], U, "an unknown element of the list"),
    ([{"name": UNKNOWN, "value": "abc"}], U, "an unknown name may be a secret's"),
    ([{"name": UNKNOWN, "value": "hf_" + "aB3d" * 8}], V, "the value gives it away, whatever the name"),
    ([UNKNOWN, {"name": "API_KEY", "value": "abc"}], V, "what is known is judged"),
    ([{"value": "abc"}], V, "a variable without a name"),
    (["A=1"], V, "a string is not a variable"),
    ("A=1", V, "a string is neither a list nor a mapping"),
    ([{"name": "API_KEY", "value_from_secret": "k", "value_from_secret_expires_at": "2027-01-01T00:00:00Z"}], None, "the read-only expiry of the service's answers"),
]:
    case("env-shape", {"environment_variables": env}, {} if label is None else {"no-plaintext-secrets": label}, why)
case("env-config", {"environment_variables": {"LICENSE": "abc"}}, {"no-plaintext-secrets": V}, "this owner's own pattern for names", config={"jig-no-plaintext-secrets": {"name_patterns": ["^LICEN[CS]E$"]}})
case("env-config", {"environment_variables": {"GREETING": "ACME-0001"}}, {"no-plaintext-secrets": V}, "this owner's own pattern for values", config={"jig-no-plaintext-secrets": {"value_patterns": ["ACME-\\d{4}"]}})
case("env-config", {"environment_variables": {"DEMO_TOKEN": "abc"}}, {}, "a name that this owner allows", config={"jig-no-plaintext-secrets": {"allow_names": ["DEMO_*"]}})
case("env-config", {"environment_variables": {"DEMO_TOKEN": "hf_" + "aB3d" * 8}}, {"no-plaintext-secrets": V}, "an allowed name does not allow a known secret", config={"jig-no-plaintext-secrets": {"allow_names": ["DEMO_*"]}})

for args, label, why in [
    (["serve", "--port", "8000"], None, "ordinary arguments"),
    (["--api-key", "abc123"], V, "a key as an argument"),
    (["--api-key=abc123"], V, "a key as an argument with an equals sign"),
    (["--token", "abc"], V, "a token as an argument"),
    (["--api-key", "$API_KEY"], None, "taken from the environment"),
    (["--api-key=${API_KEY}"], None, "taken from the environment"),
    (["--api-key"], None, "a flag without a value"),
    (["--api-key", "--verbose"], None, "a flag followed by a flag"),
    (["--max-tokens", "4096"], None, "a number of tokens is not a token"),
    (["--tokenizer", "/models/tok"], None, "a tokenizer is not a token"),
    (["--key-file", "/certs/tls.pem"], None, "where a key lies is not the key"),
    (["sh", "-c", "export API_KEY=abc123; serve"], V, "an assignment in a shell line"),
    (["sh", "-c", "export API_KEY=$OTHER; serve"], None, "an assignment from the environment"),
    (["sh", "-c", "MODEL=llama serve"], None, "an ordinary assignment"),
    (["--header", "Authorization: Bearer abcdefghijklmnop1234"], V, "a bearer token in a header"),
    (["--url", "https://user:hunter2@example.com"], V, "an address with a password"),
    (["hf_" + "aB3d" * 8], V, "a Hugging Face token among the arguments"),
    ([PEM], V, "a private key among the arguments"),
    ([UNKNOWN], U, "an argument that is not known yet"),
    (UNKNOWN, U, "arguments that are not known yet"),
    ([], None, "no arguments"),
    (None, None, "null is unset"),
    ("--api-key abc", V, "a string is not a list of arguments"),
    (["--token", UNKNOWN], V, "a token as an argument, known or not"),
]:
    expect = {} if label is None else {"no-plaintext-secrets": label}
    case("args", {"args": args}, expect, why)
    case("command", {"command": args}, expect, f"{why}; in command")

# --- Health checks -------------------------------------------------------------------------

for port, path, label, why in [
    (8000, "/health", None, "port and path"),
    (8000, "/", None, "the root is a path"),
    (8000, "/v1/health?deep=1", None, "a path with a query"),
    (8000, DROP, V, "serves traffic without a health check"),
    (8000, None, V, "null is unset"),
    (8000, "", V, "an empty path disables the check"),
    (8000, "health", V, "a path begins with a slash"),
    (8000, "http://localhost/health", V, "an address is not a path"),
    (8000, 5, V, "a number is not a path"),
    (8000, UNKNOWN, U, "the path is not known yet"),
    (DROP, DROP, None, "a worker without a port"),
    (None, DROP, None, "null is unset: a worker without a port"),
    (DROP, "/health", None, "a path without a port does no harm"),
    (DROP, "health", V, "a path without a slash is wrong, port or not"),
    (DROP, "", None, "a worker with the check disabled"),
    (UNKNOWN, DROP, U, "whether it serves traffic is not known yet"),
    (UNKNOWN, "/health", None, "a path whatever the port"),
    (UNKNOWN, "health", V, "a path without a slash is wrong, port or not"),
    (UNKNOWN, "", U, "disabled; whether it serves traffic is not known yet"),
]:
    case("health", {"port": port, "health_check_path": path}, {} if label is None else {"health-check": label}, why)

# --- Protection ------------------------------------------------------------------------------

for options, label, why in [
    ({"protect": True}, None, "protected"),
    ({"protect": False}, V, "not protected"),
    ({}, V, "the default is not protected"),
    ({"protect": True, "ignore_changes": []}, None, "nothing is ignored"),
    ({"protect": True, "ignore_changes": ["description"]}, None, "a description is not governed"),
    ({"protect": True, "ignore_changes": ["gpu_count"]}, V, "a governed field is ignored"),
    ({"protect": True, "ignore_changes": ["max_replicas"]}, V, "a governed field is ignored"),
    ({"protect": True, "ignore_changes": ["description", "image"]}, V, "one of two is governed"),
    ({"protect": True, "ignore_changes": ["autoscaling.target"]}, V, "a part of a governed field"),
    ({"protect": True, "ignore_changes": ['environment_variables["A"]']}, V, "an element of a governed field"),
    ({"protect": True, "ignore_changes": ["args[0]"]}, V, "an element of a governed field"),
    ({"protect": True, "ignore_changes": ['["gpu_count"]']}, V, "the quoted spelling of a path"),
    ({"protect": True, "ignore_changes": ["*"]}, V, "everything is ignored"),
    ({"protect": True, "ignore_changes": ["gpu_count_note"]}, None, "another field that begins alike"),
    ({"protect": False, "ignore_changes": ["gpu_count"]}, V, "both at once"),
]:
    case("protect", {}, {} if label is None else {"protect": label}, why, options=options)
case("protect", {}, {}, "protection is not asked for here", options={}, config={"jig-protect": {"require_protect": False}})
case("protect", {}, {"protect": V}, "ignoring a governed field is refused in every environment", options={"ignore_changes": ["gpu_count"]}, config={"jig-protect": {"require_protect": False}})
case("protect", {}, {}, "this owner governs the image only", options={"protect": True, "ignore_changes": ["gpu_count"]}, config={"jig-protect": {"governed": ["image"]}})

# --- Escapes -----------------------------------------------------------------------------------

case("bypass-type", {}, {"no-bypass": V}, "a plain subclass loses the type token", type=RAW)
case("bypass-type", {}, {"no-bypass": V}, "another module's type, shaped like a deployment", type="pulumi-python:dynamic/acme:Model")
case("bypass-type", {}, {}, "another type that the owner governs", type="pulumi-python:dynamic/acme:Model", config={"jig-no-bypass": {"types": ["pulumi-python:dynamic/acme:Model"]}})
case("bypass-type", {"gpu_count": 64, "memory": 8}, {"no-bypass": V, "gpu-count": V}, "limits hold for escapes by shape too", type=RAW)
case("bypass-type", {"gpu_count": 64, "memory": 8}, {"gpu-count": V}, "limits hold for the owner's other governed type", type="pulumi-python:dynamic/acme:Model", config={"jig-no-bypass": {"types": ["pulumi-python:dynamic/acme:Model"]}})
case("bypass-type", {}, {"no-bypass": V}, "the shape in another spelling", type=RAW, inputs={"gpuType": "h100-80gb", "image": IMAGE, "gpuCount": 64})
case("bypass-type", {}, {"no-bypass": V}, "the shape one level down", type=RAW, inputs={"spec": {"gpu_type": "h100-80gb", "image": IMAGE}})
case("bypass-type", {}, {"no-bypass": V}, "the shape of a request in a list", type=RAW, inputs={"requests": [{"gpu_type": "h100-80gb", "image": IMAGE}]})
case("bypass-type", {}, {"no-bypass": V}, "the shape with an unknown image", type=RAW, inputs={"gpu_type": "h100-80gb", "image": UNKNOWN, "gpu_count": 1, "memory": 8}, config={"jig-image": {"require": "none"}})
RESOURCES[-1]["expect"]["jig-image"] = U
for kind, inputs, why in [
    (RAW, {"script": "echo"}, "another dynamic resource"),
    (RAW, {"image": "nginx"}, "an image without a GPU is not a deployment"),
    (RAW, {"gpu_type": "h100-80gb"}, "a GPU without an image is not a deployment"),
    (RAW, {}, "an empty dynamic resource"),
    ("aws:s3/bucket:Bucket", {"gpu_type": "h100-80gb", "image": "nginx"}, "another provider's resource, whatever its keys"),
    ("pulumi:pulumi:Stack", {}, "the stack itself"),
    ("pulumi:providers:pulumi-python", {"jig:apiKey": "x"}, "the provider itself"),
    ("pulumi-python:dynamic/jig:Secret", {"name": "hf-token", "value": secret("hf_" + "aB3d" * 8)}, "a secret of the service holds a secret, that is its purpose"),
    ("pulumi-python:dynamic/jig:Volume", {"name": "weights"}, "a volume"),
    ("my:component:Service", {"gpu_type": "h100-80gb", "image": "nginx", "gpu_count": 64}, "a component registers no GPU itself"),
]:
    case("bypass-foreign", {}, {}, why, type=kind, inputs=inputs, options={})
for extra, label, why in [
    (DROP, None, "no extra"),
    (None, None, "null is unset"),
    ({}, None, "an empty extra"),
    ({"experimental": {"auto_optimize": True}}, None, "a field newer than the models"),
    ({"gpu_count": 8}, V, "a governed field through the back door"),
    ({"max_replicas": 100}, V, "a governed field through the back door"),
    ({"image": "evil"}, V, "a governed field through the back door"),
    ({"memory": 1000}, V, "a governed field through the back door"),
    ({"environment_variables": []}, V, "a governed field through the back door"),
    ({"Gpu_Count": 8}, V, "case does not hide it"),
    ({" gpu_count ": 8}, V, "blanks do not hide it"),
    ({"gpuCount": 8}, V, "another spelling does not hide it"),
    ({"gpu-count": 8}, V, "another spelling does not hide it"),
    ({"gpu_count_hint": 8}, None, "another field that begins alike"),
    ({"gpu_count": UNKNOWN}, V, "the key is known, whatever the value"),
    (UNKNOWN, U, "not known yet"),
    (["gpu_count"], V, "a list is not a mapping of fields"),
]:
    case("bypass-extra", {"extra": extra}, {} if label is None else {"no-bypass": label}, why)
for url, label, why in [
    (None, None, "the service's own address"),
    ("https://api.together.ai", None, "on the list"),
    ("https://api.together.ai/", None, "a slash at the end does not matter"),
    ("https://api.together.ai/v1", None, "older clients wrote the version into the address"),
    ("https://API.Together.ai", None, "host names have no case"),
    ("https://api.together.ai:443", None, "443 is the port of https"),
    ("https://api.together.xyz", None, "on the list"),
    ("https://evil.example", V, "not on the list"),
    ("https://api.together.ai.evil.example", V, "another host that begins alike"),
    ("https://api.together.ai@evil.example", V, "user information in front of another host"),
    ("http://api.together.ai", V, "without TLS it is another address"),
    ("https://api.together.ai:8443", V, "another port"),
    ("https://api.together.ai/proxy", V, "another path"),
    ("http://127.0.0.1:8080", V, "loopback is not allowed here"),
    ("api.together.ai", V, "not an address"),
    (UNKNOWN, U, "not known yet"),
    ("", None, "an empty setting is no setting"),
]:
    case("bypass-url", {}, {} if label is None else {"no-bypass": label}, why, provider={} if url is None else {"jig:baseUrl": url})
for url, label in [("http://127.0.0.1:8080", None), ("http://localhost:8080/v1", None), ("http://[::1]:8080", None), ("http://127.0.0.1.evil.example", V), ("http://localhost.evil.example", V)]:
    case("bypass-url", {}, {} if label is None else {"no-bypass": label}, f"{url} where loopback is allowed", provider={"jig:baseUrl": url}, config={"jig-no-bypass": {"allow_loopback": True}})

# --- Exemptions and denied unknowns -----------------------------------------------------------------


def exempt(pattern: str, expires: str) -> dict[str, Any]:
    """A list of one exemption."""
    return {"exempt": [{"name": pattern, "reason": "migration in progress", "owner": "ml-platform", "expires": expires}]}


for patch, policy, options in [
    ({"gpu_count": 8, "memory": 8}, "gpu-count", None),
    ({"memory": 257}, "memory", None),
    ({"gpu_type": "a100-80gb"}, "gpu-types", None),
    ({"image": "nginx"}, "image", None),
    ({"environment_variables": {"API_KEY": "abc"}}, "no-plaintext-secrets", None),
    ({"health_check_path": ""}, "health-check", None),
    ({"min_replicas": 2, "max_replicas": 2}, "replicas", None),
    ({"storage": 1.5}, "valid-quantities", None),
    ({}, "protect", {"protect": False}),
    ({"extra": {"gpu_count": 8}}, "no-bypass", None),
]:
    more = {} if options is None else {"options": options}
    case("exempt", patch, {policy: A}, "exempt by a glob until a later day", config={f"jig-{policy}": exempt("ll*", "2026-12-31")}, today=TODAY, **more)
    case("exempt", patch, {policy: A}, "exempt on the last day itself", config={f"jig-{policy}": exempt("llm", "2026-11-22")}, today=TODAY, **more)
    case("exempt", patch, {policy: V}, "the exemption ended the day before", config={f"jig-{policy}": exempt("llm", "2026-11-21")}, today=TODAY, **more)
case("exempt", {"gpu_count": 8, "memory": 8}, {"gpu-count": V}, "an exemption for another resource", config={"jig-gpu-count": exempt("other-*", "2026-12-31")}, today=TODAY)
case("exempt", {}, {}, "an exemption that nothing needs stays silent", config={"jig-gpu-count": exempt("llm", "2026-12-31")}, today=TODAY)
case("exempt", {"gpu_count": 8, "memory": 8}, {"gpu-count": V}, "globs have case, as names have", config={"jig-gpu-count": exempt("LLM", "2026-12-31")}, today=TODAY)
for patch, policy in [
    ({"gpu_count": UNKNOWN}, "gpu-count"),
    ({"memory": UNKNOWN}, "memory"),
    ({"gpu_type": UNKNOWN}, "gpu-types"),
    ({"image": UNKNOWN}, "image"),
    ({"autoscaling": UNKNOWN}, "replicas"),
    ({"environment_variables": UNKNOWN}, "no-plaintext-secrets"),
    ({"health_check_path": UNKNOWN}, "health-check"),
    ({"extra": UNKNOWN}, "no-bypass"),
]:
    case("unknown-deny", patch, {policy: V}, "this environment denies what cannot be judged", config={f"jig-{policy}": {"unknown": "deny"}})
    case("unknown-deny", patch, {policy: U}, "this environment names what cannot be judged and goes on", config={f"jig-{policy}": {"unknown": "warn"}})

H, M, B = "h100-80gb", "h100-40gb-mig", "b200-192gb"

# --- The second table ----------------------------------------------------------------------------

sys.path.insert(0, str(HERE))
import second_table as more  # noqa: E402 - beside this file

SECRETS = "no-plaintext-secrets"


def one(policy: str, label: str | None) -> dict[str, str]:
    """What is expected where one policy may speak."""
    return {} if label is None else {policy: label}


for name, why in more.SECRET_NAMES:
    case("env-names", {"environment_variables": {name: "abc"}}, {SECRETS: V}, why)
for name, why in more.ORDINARY_NAMES:
    case("env-names", {"environment_variables": {name: "abc"}}, {}, why)
for name, value, label, why in more.NAMED_VALUES:
    case("env-names", {"environment_variables": {name: value}}, one(SECRETS, label), why)
for value, why in more.SECRET_VALUES:
    case("env-values", {"environment_variables": {"GREETING": value}}, {SECRETS: V}, why)
for value, why in more.ORDINARY_VALUES:
    case("env-values", {"environment_variables": {"GREETING": value}}, {}, why)
for args, label, why in more.ARGUMENTS:
    case("args-more", {"args": args}, one(SECRETS, label), why)
    case("command-more", {"command": args}, one(SECRETS, label), f"{why}; as the command")
for text, label, why in more.DESCRIPTIONS:
    case("description", {"description": text}, one(SECRETS, label), why)
for extra, label, why in more.EXTRAS:
    case("extra-secrets", {"extra": extra}, one(SECRETS, label), why)
for image, why in more.BAD_IMAGES:
    case("image-grammar", {"image": image}, {"image": V}, why)
for image, why in more.GOOD_IMAGES:
    case("image-grammar", {"image": image}, {}, why)
for tag, label in more.TAGS:
    why = "is pushed again and again" if label == V else "names one build, as far as a tag can"
    case("image-tags", {"image": f"registry.together.ai/p/i:{tag}"}, {"image": label}, f"{tag} {why}")
for path, label, why in more.IGNORED:
    case("ignore", {}, one("protect", label), why, options={"protect": True, "ignore_changes": [path]})
#: Rows in which another policy has something to say as well.
BESIDE = {
    ("cpu", "a fleet whose size is not known yet"): {"replicas": U},
    ("cpu", "whether it has a GPU is not known yet"): {"gpu-count": U},
    ("memory", "the VRAM is not known yet"): {"gpu-count": U},
    ("replicas", "only the spread is limited, and it is not known"): {"gpu-count": U},
}
for policy, patch, config, label, why in more.ROWS:
    expect = one(policy, label)
    beside = BESIDE.get((policy, why), {})
    # Without a ceiling the peak of GPUs is open; without a floor it is the ceiling.
    if policy != "replicas" or "max_replicas" in patch:
        expect |= beside
    case(f"more-{policy}", patch, expect, why, config={f"jig-{policy}": config})
for kind, inputs, config, label, why in more.FOREIGN:
    expect = one("no-bypass", label)
    if "image" in inputs:
        # Shaped like a deployment, it is judged like one.
        expect |= {"image": V} | ({} if "memory" in inputs else {"memory": A, "gpu-count": A})
    case("bypass-restricted", {}, expect, why, type=kind, inputs=inputs, config={"jig-no-bypass": {"restrict_types": "dynamic", **config}})
case("retained", {}, {"protect": V}, "deleted from the state, it would go on running", options={"protect": True, "retain_on_delete": True})
case("retained", {}, {}, "this owner allows it", options={"protect": True, "retain_on_delete": True}, config={"jig-protect": {"retain_on_delete": "allow"}})
case("retained", {}, {"protect": A}, "this owner advises against it", options={"protect": True, "retain_on_delete": True}, config={"jig-protect": {"retain_on_delete": "warn"}})


# --- Stacks ------------------------------------------------------------------------------------------------


def res(name: str, gpu_type: Any = H, gpu_count: Any = 1, low: Any = 1, high: Any = 1, memory: Any = 8, **more: Any) -> dict[str, Any]:  # noqa: PLR0917 - columns of a table
    """One deployment of a stack."""
    sizes = {"gpu_type": gpu_type, "gpu_count": gpu_count, "min_replicas": low, "max_replicas": high, "memory": memory}
    inputs: dict[str, Any] = {"image": IMAGE, **{k: v for k, v in sizes.items() if v is not DROP}}
    kind = more.pop("type", DEPLOYMENT)
    for key, value in more.items():
        if value is DROP:
            inputs.pop(key, None)
        else:
            inputs[key] = value
    return {"type": kind, "name": name, "inputs": inputs}


def stack(family: str, deployments: list[dict[str, Any]], expect: dict[str, str], reason: str, **more: Any) -> None:
    """One labelled stack."""
    count = sum(1 for c in STACKS if c["family"] == family) + 1
    STACKS.append({"id": f"stack-{family}-{count:03d}", "family": family, "resources": deployments, **more, "expect": {f"jig-{k}": v for k, v in expect.items()}, "reason": reason})


G, MEM, COST = "stack-gpus", "stack-memory", "stack-cost"
stack("gpus", [], {}, "an empty stack")
stack("gpus", [res("a", H, 4, 1, 4)], {}, "16 of 16 H100, 96 of 100 USD, 1280 of 1360 GiB VRAM")
stack("gpus", [res("a", H, 4, 1, 2), res("b", H, 4, 1, 2)], {}, "8 + 8 H100")
stack("gpus", [res("a", H, 4, 1, 2), res("b", H, 4, 1, 2), res("c", H, 1)], {G: V, COST: V}, "17 H100 at 102 USD; 1360 GiB VRAM is exactly the limit")
stack("gpus", [res(f"d{i}", H, 1) for i in range(10)], {}, "ten single GPUs: 10 at the floor, 60 USD at the floor")
stack("gpus", [res(f"d{i}", H, 1) for i in range(11)], {G: V, COST: V}, "eleven single GPUs: 11 and 66 USD at the floor")
stack("gpus", [res(f"d{i}", H, 1, 0, 1) for i in range(16)], {}, "sixteen that sleep: nothing at the floor")
stack("gpus", [res("a", M, 1, 1, 8)], {}, "8 slices are 4 GPUs")
stack("gpus", [res("a", M, 1, 1, 9)], {G: V}, "9 slices are 4.5 GPUs, over 4")
stack("gpus", [res("a", H, 4, 1, 4), res("b", M, 1)], {}, "16.5 of 18 in total, 99 USD, 1320 GiB VRAM")
stack("gpus", [res("a", B, 1)], {G: V}, "no B200 is allowed; 12 USD and 192 GiB VRAM are fine")
stack("gpus", [res("a", B, 1, 0, 0)], {}, "a parked B200")
stack("gpus", [res("a", "H200-140gb", 1)], {COST: V}, "1 of an unlisted type of 2; it has VRAM in the table but no price")
stack("gpus", [res("a", "a100-80gb", 3, 1, 1)], {G: V, MEM: V, COST: V}, "3 of an unlisted type of 2, neither VRAM nor price in the tables")
stack("gpus", [res("a", "a100-80gb", 0, 1, 1)], {}, "none of an unlisted type")
stack("gpus", [res("a", "none", 0, 1, 1)], {}, "the CPU form")
stack("gpus", [res("a", H, DROP, 1, 1)], {}, "an unset count is 0")
stack("gpus", [res("a", H, 2, DROP, DROP)], {}, "unset bounds: one replica")
stack("gpus", [res("a", H, 4, 3, DROP)], {G: V, COST: V}, "an unset ceiling is the floor: 12 GPUs, 72 USD at the floor")
stack("gpus", [res("a", H, 4.0, 1.0, 4.0, 8.0)], {}, "floats")
stack("gpus", [res("a", H, "4", "1", "5")], {G: V, COST: V, MEM: V}, "20 H100 in strings: 120 USD, 1600 GiB VRAM")
stack("gpus", [res("a", H, -8, 1, 1), res("b", H, 4, 1, 4), res("c", H, 1)], {G: V, COST: V, MEM: V}, "a negative count must not make room for others, nor be a size")
stack("gpus", [res("a", H, number("NaN"), 1, 1)], {G: V, COST: V, MEM: V}, "NaN in a sum would swallow every limit")
stack("gpus", [res("a", None, 1, 1, 1)], {G: V, MEM: V, COST: V}, "a GPU of no type has no limit, VRAM or price that could be looked up")
stack("gpus", [res("a", H, 4, 1, 4), res("b", H, 4, 1, 4, type=RAW)], {G: V, MEM: V, COST: V}, "a deployment that lost its type token counts by its shape")
stack("unknown", [res("a", H, UNKNOWN)], {G: U, MEM: U, COST: U}, "a count that is not known yet")
stack("unknown", [res("a", H, 1, 1, UNKNOWN)], {G: U, MEM: U, COST: U}, "a ceiling that is not known yet")
stack("unknown", [res("a", H, 1, 1, 1, UNKNOWN)], {MEM: U}, "memory that is not known yet")
stack("unknown", [res("a", UNKNOWN, 1)], {G: U, MEM: U, COST: U}, "a type that is not known yet")
stack("unknown", [res("a", H, UNKNOWN), res("b", H, 1, 1, 17)], {G: V, MEM: U, COST: V}, "17 H100 and 102 USD without the unknown one; VRAM is exactly at its limit without it")
stack("unknown", [res("a", H, UNKNOWN, 0, 0)], {}, "an unknown count of no replicas is none")
stack("unknown", [res("a", H, UNKNOWN)], {G: V, MEM: U, COST: U}, "this owner denies unknown GPU counts", config={"jig-stack-gpus": {"unknown": "deny"}})
stack("unknown", [res("a", H, UNKNOWN)], {G: U, MEM: V, COST: V}, "this owner denies the others", config={"jig-stack-memory": {"unknown": "deny"}, "jig-stack-cost": {"unknown": "deny"}})
stack("memory", [res("a", H, 1, 1, 4, 128), res("b", H, 1, 1, 4, 128)], {}, "512 + 512 GiB")
stack("memory", [res("a", H, 1, 1, 4, 128), res("b", H, 1, 1, 4, 128.25)], {MEM: V}, "512 + 513 GiB")
stack("memory", [res("a", "none", 0, 1, 4, 256)], {}, "CPU only: exactly 1024 GiB")
stack("memory", [res("a", "none", 0, 1, 5, 256)], {MEM: V}, "CPU only: 1280 GiB")
stack("memory", [res("a", H, 1, 1, 10, DROP)], {}, "unset memory counts as 100 GiB: 1000")
stack("memory", [res("a", H, 1, 1, 11, DROP)], {MEM: V}, "unset memory counts as 100 GiB: 1100")
stack("memory", [res("a", H, 1, 1, 1, DROP)], {MEM: V}, "without a value to assume, unset memory cannot be counted", config={"jig-stack-memory": {"unset_memory_gib": None}})
stack("memory", [res("a", H, 1, 1, 1, "64Gi")], {MEM: V}, "not a number of GiB, nor a size")
stack("memory", [res("a", H, 1, 0, 0, 900), res("b", H, 1, 0, 0, 900)], {}, "parked deployments use no memory")
stack("memory", [res("a", H, 1, 1, 17)], {G: V, COST: V}, "17 x 80 = 1360 GiB VRAM is exactly the limit; GPUs and cost are over")
stack("memory", [res("a", H, 1, 1, 16), res("b", M, 1, 1, 3)], {COST: V, MEM: V}, "1280 + 120 = 1400 GiB VRAM; 16 + 1.5 GPUs pass; 105 USD")
stack("memory", [res("a", H, 1)], {MEM: V}, "a type in use without VRAM in the table", config={"jig-gpu-types": {"types": {H: {"usd_per_hour": 6}}}})
stack("memory", [res("a", H, 1, 1, 1, 4000)], {}, "null limits: any memory passes, no table is needed", config={"jig-stack-memory": {"max_memory_gib": None, "max_vram_gib": None}, "jig-gpu-types": {"types": {H: {"usd_per_hour": 6}}}})
stack("cost", [res("a", H, 1)], {COST: A}, "prices older than the allowed age", config={"jig-stack-cost": {"prices_max_age_days": 30}}, today=TODAY)
stack("cost", [res("a", H, 1)], {}, "prices on the last day of the allowed age", config={"jig-stack-cost": {"prices_max_age_days": 174}}, today=TODAY)
stack("cost", [res("a", H, 1)], {COST: A}, "prices on the day after", config={"jig-stack-cost": {"prices_max_age_days": 173}}, today=TODAY)
stack("cost", [], {}, "nothing is bought, so old prices do not matter", config={"jig-stack-cost": {"prices_max_age_days": 30}}, today=TODAY)
stack("cost", [res("a", H, 1)], {COST: V}, "a type in use without a price", config={"jig-gpu-types": {"types": {H: {"vram_gib": 80}}}})
stack("cost", [res("a", H, 1)], {COST: V, MEM: V}, "an empty table of types", config={"jig-gpu-types": {"types": {}}})
stack("cost", [res("a", H, 1, 1, 2)], {COST: V}, "12 USD for one deployment is over 11.99", config={"jig-stack-cost": {"max_deployment_usd_per_hour": 11.99}})
stack("cost", [res("a", H, 1, 1, 2), res("b", H, 1, 1, 2)], {}, "12 USD each, not together, for the limit per deployment", config={"jig-stack-cost": {"max_deployment_usd_per_hour": 12}})
stack("cost", [res("a", H, 1), res("b", H, 1), res("c", H, 1)], {}, "0.1 + 0.1 + 0.1 USD are exactly 0.3 USD", config={"jig-gpu-types": {"types": {H: {"usd_per_hour": 0.1, "vram_gib": 80}}}, "jig-stack-cost": {"max_peak_usd_per_hour": 0.3, "max_floor_usd_per_hour": 0.3}})
stack("cost", [res("a", "none", 0, 1, 4)], {}, "CPU-only deployments have no GPU price")
stack("cost", [res("a", H, 1)], {}, "case of the type in the price table does not matter", config={"jig-gpu-types": {"types": {"H100-80GB": {"usd_per_hour": 6, "vram_gib": 80}}}})
stack("cost", [res("a", "x1", 1)], {MEM: V}, "null limits need no price", config={"jig-stack-cost": {"max_peak_usd_per_hour": None, "max_floor_usd_per_hour": None, "max_deployment_usd_per_hour": None}})
BIG = res("big", H, 1, 1, 17)
stack("exempt", [BIG], {G: A, COST: V}, "an exempt deployment is not counted among the GPUs, but it costs", config={"jig-stack-gpus": exempt("big", "2026-12-31")}, today=TODAY)
stack("exempt", [BIG], {G: V, COST: V}, "the exemption ended the day before", config={"jig-stack-gpus": exempt("big", "2026-11-21")}, today=TODAY)
stack("exempt", [BIG], {G: V, COST: A}, "exempt from cost only", config={"jig-stack-cost": exempt("b*", "2026-11-22")}, today=TODAY)
stack("foreign", [{"type": "aws:s3/bucket:Bucket", "name": "b", "inputs": {"gpu_type": H, "image": "x", "gpu_count": 100}}, {"type": "pulumi:pulumi:Stack", "name": "s", "inputs": {}}, {"type": RAW, "name": "r", "inputs": {"script": "echo"}}], {}, "other resources do not count")

TEAMS = {"a-*": {"max_total_gpus": 4}, "b-*": {"max_gpus": {H: 2}, "max_floor_gpus": 1}}
GROUPS = {"jig-stack-gpus": {"groups": TEAMS}}
stack("groups", [res("a-1", H, 2), res("a-2", H, 2)], {}, "4 of 4 of team a", config=GROUPS)
stack("groups", [res("a-1", H, 2), res("a-2", H, 3)], {G: V}, "5 of 4 of team a, 5 of 16 in all", config=GROUPS)
stack("groups", [res("a-1", H, 4), res("c-1", H, 4)], {}, "what no glob names counts for the stack only", config=GROUPS)
stack("groups", [res("a-1", M, 1, 1, 8)], {}, "8 slices are 4 GPUs of team a", config=GROUPS)
stack("groups", [res("b-1", H, 1, 1, 2)], {}, "2 of 2 at the peak, 1 of 1 at the minimum", config=GROUPS)
stack("groups", [res("b-1", H, 1, 2, 2)], {G: V}, "2 of 1 at the minimum", config=GROUPS)
stack("groups", [res("b-1", H, 1, 1, 3)], {G: V}, "3 of 2 of the type", config=GROUPS)
stack("groups", [res("a-1", H, UNKNOWN)], {G: U, MEM: U, COST: U}, "not known yet, for the team as for the stack", config=GROUPS)
stack("groups", [res("A-1", H, 3), res("A-2", H, 3)], {}, "globs have case, as names have", config=GROUPS)
stack("groups", [res("a-1", H, 1, memory=64), res("a-2", H, 1, memory=64)], {MEM: V}, "128 GiB of 100 of team a", config={"jig-stack-memory": {"groups": {"a-*": {"max_memory_gib": 100}}}})
stack("groups", [res("a-1", H, 1), res("a-2", H, 1)], {COST: V}, "12 USD of 11 of team a", config={"jig-stack-cost": {"groups": {"a-*": {"max_peak_usd_per_hour": 11}}}})
stack("minimum", [res("a", H, 1, 1, 4, 100)], {MEM: V}, "100 GiB always, of 99", config={"jig-stack-memory": {"max_floor_memory_gib": 99}})
stack("minimum", [res("a", H, 1, 1, 4, 100)], {}, "100 GiB always, exactly the limit", config={"jig-stack-memory": {"max_floor_memory_gib": 100}})
stack("minimum", [res("a", H, 1, 0, 4, 100)], {}, "nothing always", config={"jig-stack-memory": {"max_floor_memory_gib": 0}})
stack("minimum", [res("a", H, 2, 1, 4)], {MEM: V}, "160 GiB of VRAM always, of 159", config={"jig-stack-memory": {"max_floor_vram_gib": 159}})
stack("minimum", [res("a", H, 2, 1, 4)], {}, "160 GiB of VRAM always, exactly the limit", config={"jig-stack-memory": {"max_floor_vram_gib": 160}})
OTHERS = {"usd_per_core_hour": 0.5, "usd_per_memory_gib_hour": 0.25, "usd_per_storage_gib_hour": 0.125}
stack("prices", [res("a", "none", 0, 1, 2, 8, cpu=4, storage=16)], {}, "2 x (2 + 2 + 2) = 12 USD, exactly the limit", config={"jig-stack-cost": {**OTHERS, "max_peak_usd_per_hour": 12}})
stack("prices", [res("a", "none", 0, 1, 2, 8, cpu=4, storage=16)], {COST: V}, "12 USD, of 11.99", config={"jig-stack-cost": {**OTHERS, "max_peak_usd_per_hour": 11.99}})
stack("prices", [res("a", "none", 0, 1, 2, 8, cpu=4, storage=16)], {COST: V}, "6 USD always, of 5", config={"jig-stack-cost": {**OTHERS, "max_floor_usd_per_hour": 5}})
stack("prices", [res("a", "none", 0, 1, 2, 8, cpu=UNKNOWN, storage=16)], {COST: U}, "its cores are not known yet", config={"jig-stack-cost": {**OTHERS, "max_peak_usd_per_hour": 12}})
stack("prices", [res("a", "none", 0, 1, 2, 8, cpu=4, storage=16)], {}, "nothing but GPUs has a price", config={"jig-stack-cost": {"max_peak_usd_per_hour": 0}})
BEFORE = [res("a", H, 1), res("b", H, 1)]
stack("growth", [res("a", H, 1), res("b", H, 2)], {}, "one more GPU, exactly the limit", config={"jig-stack-gpus": {"max_growth": 1}}, baseline=BEFORE)
stack("growth", [res("a", H, 1), res("b", H, 3)], {G: V}, "two more GPUs, of one", config={"jig-stack-gpus": {"max_growth": 1}}, baseline=BEFORE)
stack("growth", [res("a", H, 1), res("c", H, 1)], {}, "one goes, another comes", config={"jig-stack-gpus": {"max_growth": 0}}, baseline=BEFORE)
stack("growth", [res("a", H, 1), res("b", H, 2)], {}, "half as much again, exactly the limit", config={"jig-stack-gpus": {"max_growth_percent": 50}}, baseline=BEFORE)
stack("growth", [res("a", H, 1), res("b", H, 2)], {G: V}, "50 percent, of 49", config={"jig-stack-gpus": {"max_growth_percent": 49}}, baseline=BEFORE)
stack("growth", [res("a", H, 4)], {}, "of nothing no percent can be taken", config={"jig-stack-gpus": {"max_growth_percent": 10}}, baseline=[])
stack("growth", [res("a", H, 4)], {G: V}, "from nothing to four, of three", config={"jig-stack-gpus": {"max_growth": 3}}, baseline=[])
stack("growth", [res("a", H, 4)], {G: U}, "what the state holds is not known", config={"jig-stack-gpus": {"max_growth": 3}})
stack("growth", [res("a", H, 4)], {G: V}, "what the state holds is not known, which this owner denies", config={"jig-stack-gpus": {"max_growth": 3, "unknown": "deny"}})
stack("growth", [res("a", H, 2)], {COST: V}, "6 USD more, of 5", config={"jig-stack-cost": {"max_growth": 5}}, baseline=[res("a", H, 1)])
stack("growth", [res("a", H, 1, memory=64)], {MEM: V}, "56 GiB more, of 50", config={"jig-stack-memory": {"max_growth": 50}}, baseline=[res("a", H, 1)])
stack("external", [res("a", H, 4, 1, 4), {**res("b", H, 4, 1, 4), "external": True}], {}, "what another program owns is not this stack's")

# --- The third table -----------------------------------------------------------------------------

import third_table as last  # noqa: E402 - beside this file

for name, why in last.SECRET_NAMES:
    case("third-names", {"environment_variables": {name: "abc"}}, {SECRETS: V}, why)
for name, why in last.ORDINARY_NAMES:
    case("third-names", {"environment_variables": {name: "abc"}}, {}, why)
for value, why in last.SECRET_VALUES:
    case("third-values", {"environment_variables": {"GREETING": value}}, {SECRETS: V}, why)
for value, why in last.ORDINARY_VALUES:
    case("third-values", {"environment_variables": {"GREETING": value}}, {}, why)
for args, label, why in last.ARGUMENTS:
    case("args-third", {"args": args}, one(SECRETS, label), why)
for image, label, why in last.IMAGES:
    case("third-image", {"image": image}, one("image", label), why)
for path, label, why in last.IGNORED:
    case("third-ignored", {}, one("protect", label), why, options={"protect": True, "ignore_changes": [path]})
for url, keys, label, why in last.ADDRESSES:
    case("third-address", {}, one("no-bypass", label), why, provider={"jig:baseUrl": url}, config={"jig-no-bypass": keys})
for extra, label, why in last.EXTRAS:
    case("third-extra", {"extra": extra}, one("no-bypass", label), why)
for inputs, label, why in last.SHAPES:
    case("third-shape", {}, one("no-bypass", label), why, type=last.RAW, inputs=inputs)
for patch, keys, labels, why in last.UNKNOWNS:
    case("third-unknown", patch, labels, why, config={f"jig-{policy}": k for policy, k in keys.items()})

# fmt: on


def main() -> None:
    """Write both files."""
    for name, cases in (("resources.json", RESOURCES), ("stacks.json", STACKS)):
        lines = ",\n".join(json.dumps(c, ensure_ascii=True) for c in cases)
        (HERE / name).write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
