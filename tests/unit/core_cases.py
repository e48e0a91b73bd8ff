"""What the core's tests share: answers, inputs, and a service in this process."""

from __future__ import annotations

import functools
import json

from hypothesis import settings
from hypothesis import strategies as st

from pulumi_jig.emulator.api import Api, Request
from pulumi_jig.emulator.backend import Backend
from pulumi_jig.lifecycle import memory
from pulumi_jig.lifecycle.deployment.check import check
from pulumi_jig.schema.responses import DeploymentResponseItem
from pulumi_jig.values import UNKNOWN

URN = "urn:pulumi:prod::shop::pulumi-python:dynamic/jig:Deployment::llm"
REVISION = "0d3b6a52-1111-4222-8333-444455556666"
OLDER = "0d3b6a52-0000-4222-8333-444455556666"
IMAGE = "registry.example/app:1"

#: A complete answer, constructed from the documents.
FULL = {
    "object": "deployment",
    "id": "9b1f2c3d-0000-4000-8000-000000000001",
    "name": "llm-prod",
    "description": "",
    "image": IMAGE,
    "gpu_type": "h100-80gb",
    "gpu_count": 1,
    "cpu": 4,
    "memory": 64,
    "storage": 100,
    "min_replicas": 1,
    "max_replicas": 3,
    "desired_replicas": 1,
    "ready_replicas": 1,
    "port": 8000,
    "health_check_path": "/health",
    "termination_grace_period_seconds": 300,
    "command": [],
    "args": [],
    "capacity_type": "stable",
    "status": "Ready",
    "autoscaling": {"metric": "QueueBacklogPerWorker", "target": 1.01},
    "environment_variables": [
        {"name": "LOG_LEVEL", "value": "INFO"},
        {"name": "TOGETHER_DEPLOYMENT_REVISION_ID", "value": REVISION},
    ],
    "volumes": [{"name": "weights", "mount_path": "/models", "version": 3}],
    "replica_events": {},
    "created_at": "2026-11-22T08:00:00Z",
    "updated_at": "2026-11-22T08:00:00Z",
}

#: The least that a program declares.
LEAST = {"name": "llm-prod", "image": IMAGE, "gpu_type": "none"}


def answer(**fields):
    """A complete answer with some fields otherwise; `...` leaves one out."""
    shown = {k: v for k, v in {**FULL, **fields}.items() if v is not ...}
    return DeploymentResponseItem.model_validate(shown)


def wired(value):
    """The data after a way through Pulumi's state: None is gone, numbers are floats."""
    found = json.loads(json.dumps(value, default=lambda secret: secret.value))
    return {k: v for k, v in found.items() if v is not None}


def checked(program, olds=None, urn=URN):
    """The inputs of a program that has no faults."""
    memory.forget()
    result = check(olds or {}, program, urn=urn)
    assert result.faults == ()
    return result.inputs


def faults(program, olds=None, urn=URN, **more):
    """The faults of a program, by property path."""
    memory.forget()
    found = {}
    for path, sentence in check(olds or {}, program, urn=urn, **more).faults:
        found.setdefault(path, []).append(sentence)
    return found


class Service:
    """The emulator's rules in this process, without HTTP and without waiting."""

    def __init__(self):
        backend = Backend(scale=0, wall=lambda: 1_795_334_400.0)
        self._api = Api(backend)
        self._ask("POST", "/deployments/secrets", {"name": "hf-token", "value": "v"})
        for name in ("weights", "tokens"):
            content = {"type": "files", "source_prefix": f"{name}/0"}
            body = {"name": name, "type": "readOnly", "content": content}
            self._ask("POST", "/deployments/storage/volumes", body)

    def create(self, body):
        """The answer to a creation, in place of what was there before."""
        if any(
            d["name"] == body["name"] for d in self._ask("GET", "/deployments")["data"]
        ):
            self._ask("DELETE", f"/deployments/{body['name']}")
        return self._item("POST", "/deployments", body)

    def update(self, name, body):
        """The answer to an update."""
        return self._item("PATCH", f"/deployments/{name}", body)

    def get(self, name):
        """The deployment as it is."""
        return self._item("GET", f"/deployments/{name}")

    def _item(self, method, path, body=None):
        shown = self._ask(method, path, body)
        return DeploymentResponseItem.model_validate(shown)

    def _ask(self, method, path, body=None):
        # What is sent is JSON: nothing else may take part.
        sent = b"" if body is None else json.dumps(body, allow_nan=False).encode()
        headers = {"authorization": "Bearer acct:home:1"}
        told = self._api.handle(Request(method, f"/v1{path}", headers, sent))
        assert told.status < 400, told.body
        return json.loads(told.body or b"{}")


@functools.cache
def service():
    """One service for all examples of a test: starting one takes longer than a use."""
    return Service()


# --- Strategies ----------------------------------------------------------------

#: For tests that are run once per field: a share of the profile's examples.
FEW = settings(max_examples=max(10, settings().max_examples // 4))

TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12
)
VARIABLE_NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: name != "TOGETHER_DEPLOYMENT_REVISION_ID"
) | st.sampled_from(["TOGETHER_API_KEY", "TOGETHER_MODE"])
ENVIRONMENTS = st.dictionaries(
    VARIABLE_NAMES, TEXTS | st.just({"value_from_secret": "hf-token"}), max_size=4
)
NUMBERS = st.integers(1, 900) | st.floats(0.25, 900, width=32)
TARGETS = st.none() | st.integers(1, 500) | st.floats(0.5, 500, width=32)


def _present(**fields):
    return st.fixed_dictionaries(fields).map(
        lambda found: {k: v for k, v in found.items() if v is not None}
    )


AUTOSCALING = (
    st.just({})
    | _present(
        metric=st.sampled_from(["HTTPTotalRequests", "HTTPAvgRequestDuration"]),
        target=TARGETS,
        time_interval_minutes=st.none() | st.integers(1, 60),
    )
    | _present(
        metric=st.just("QueueBacklogPerWorker"),
        target=TARGETS,
        model=st.sampled_from([None, "llm-prod", "other"]),
    )
    | _present(
        metric=st.just("CustomMetric"),
        target=TARGETS,
        custom_metric_name=st.just("vllm:waiting"),
    )
)
VOLUMES = st.lists(
    _present(
        name=st.sampled_from(["weights", "tokens"]),
        mount_path=st.sampled_from(["/data", "/models"]),
        version=st.none() | st.just(0),
    ),
    max_size=1,
)
MODELS = st.lists(
    _present(
        model_id=st.sampled_from(["ml_a", "ml_b"]),
        mount_path=st.just("/models"),
        revision_id=st.sampled_from([None, "rv_1", "rv_2"]),
    ),
    max_size=1,
)

_OPTIONAL = {
    "cpu": NUMBERS,
    "memory": NUMBERS,
    "storage": st.integers(1, 400),
    "capacity_type": st.sampled_from(["stable", "preemptible"]),
    "port": st.integers(1, 65_535),
    "health_check_path": st.sampled_from(["", "/", "/health"]),
    "command": st.lists(TEXTS, max_size=3),
    "args": st.lists(TEXTS, max_size=3),
    "environment_variables": ENVIRONMENTS,
    "autoscaling": AUTOSCALING,
    "termination_grace_period_seconds": st.integers(0, 600),
    "description": TEXTS,
    "wait_for": st.sampled_from(["min_replicas", "first_replica", "none"]),
}


#: Fields that only go together, so that one program has them all or none.
TOGETHER = ("gpu_count", "min_replicas", "max_replicas", "volumes", "model_mounts")


@st.composite
def programs(draw):
    """What a program may declare: any combination of optional fields."""
    program = dict(LEAST)
    if draw(st.booleans()):
        program["gpu_type"] = draw(st.sampled_from(["h100-80gb", "h200-140gb"]))
        program["gpu_count"] = draw(st.integers(0, 8))
    elif draw(st.booleans()):
        program["gpu_count"] = 0
    program["image"] = draw(
        st.sampled_from([IMAGE, "other/app", f"{IMAGE}@sha256:{'a' * 64}"])
    )
    low = draw(st.none() | st.integers(0, 3))
    high = draw(st.none() | st.integers(1 if low is None else low, 5))
    program |= {"min_replicas": low, "max_replicas": high}
    mounts = draw(st.sampled_from([None, "volumes", "model_mounts"]))
    if mounts is not None:
        program[mounts] = draw(VOLUMES if mounts == "volumes" else MODELS)
    for name, values in _OPTIONAL.items():
        if draw(st.booleans()):
            program[name] = draw(values)
    return {k: v for k, v in program.items() if v is not None}


#: Anything that a wire could carry, half of a surrogate pair and NaN included.
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["\ud800", "none", "Ready", "/x", "", "TOGETHER_X", 10**400])
    | st.just(UNKNOWN),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=6)
            | st.sampled_from(["name", "value", "metric", "mount_path", "target"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
