"""
Every argument and every form in which a program may write it.

`ARGUMENTS` holds one literal value for each argument of each class, as a tree. `FORMS`
holds, for each kind of node, the ways of writing that node which the annotations
promise. A case is an argument and, for some of its nodes (by path), the form of each.
The test draws the cases; the program builds them.
"""

from __future__ import annotations

import asyncio
import collections
import enum
import types
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi

import pulumi_jig as jig

IMAGE = "registry.example/proj/llm:1.4"
ROLE = "arn:aws:iam::123456789012:role/read-models"


class obj(dict):  # noqa: N801 - it is written as a literal
    """A mapping for which there is an Args class."""

    def __init__(self, cls: type, **fields: Any) -> None:
        super().__init__(fields)
        self.cls = cls


class Token:
    """Stands for the program's `Secret`, `Weights` for its `Volume`."""


class Weights:
    pass


#: What a deployment must have.
LEAST = {"image": IMAGE, "gpu_type": "none"}
#: By class, then by argument: a value, and what must stand beside it.
ARGUMENTS: dict[str, dict[str, tuple[Any, dict[str, Any]]]] = {
    "Deployment": {
        "image": ("registry.example/proj/other:2", {}),
        "gpu_type": ("h100-80gb", {"gpu_count": 1}),
        "gpu_count": (2, {"gpu_type": "h100-80gb"}),
        "name": ("a-name-of-its-own", {}),
        "cpu": (2.5, {}),
        "memory": (32, {}),
        "storage": (100, {}),
        "min_replicas": (2, {"max_replicas": 3}),
        "max_replicas": (3, {}),
        "autoscaling": (
            obj(
                jig.HTTPAutoscalingArgs,
                metric="HTTPTotalRequests",
                target=50,
                time_interval_minutes=5,
            ),
            {"max_replicas": 4},
        ),
        "autoscaling queue": (
            obj(
                jig.QueueAutoscalingArgs,
                metric="QueueBacklogPerWorker",
                target=1.05,
                model="other",
            ),
            {"max_replicas": 4},
        ),
        "autoscaling custom": (
            obj(
                jig.CustomMetricAutoscalingArgs,
                metric="CustomMetric",
                custom_metric_name="vllm:num_requests_running",
                target=3,
            ),
            {"max_replicas": 4},
        ),
        "capacity_type": ("preemptible", {}),
        "port": (8000, {}),
        "health_check_path": ("/health", {"port": 8000}),
        "command": (["python", "-m", "serve"], {}),
        "args": (["--fast"], {}),
        "environment_variables": (
            {"A": "1", "T": Token(), "U": {"value_from_secret": Token()}},
            {},
        ),
        "environment_variables list": (
            [
                obj(jig.EnvironmentVariableArgs, name="A", value="1"),
                obj(jig.EnvironmentVariableArgs, name="T", value_from_secret=Token()),
                obj(jig.EnvironmentVariableArgs, name="U", value_from_secret="token"),
            ],
            {},
        ),
        "volumes": ({"/models": Weights()}, {}),
        "volumes by name": ({"/models": "weights"}, {}),
        "volumes list": (
            [obj(jig.VolumeMountArgs, name=Weights(), mount_path="/models")],
            {},
        ),
        "volumes version": (
            [obj(jig.VolumeMountArgs, name=Weights(), mount_path="/models", version=0)],
            {},
        ),
        "model_mounts": (
            [
                obj(
                    jig.ModelMountArgs,
                    model_id="ml_1",
                    mount_path="/models",
                    revision_id="rv_1",
                )
            ],
            {},
        ),
        "termination_grace_period_seconds": (60, {}),
        "description": ("For people.", {}),
        "extra": ({"experimental": {"auto_optimize": True, "list": [1, "a"]}}, {}),
        "wait_for": ("first_replica", {}),
        "on_failed_update": ("rollback", {}),
        "adopt": (True, {"name": "a-name-of-its-own", "ownership_mark": True}),
        "ownership_mark": (True, {}),
    },
    "Secret": {
        "value": ("a value", {}),
        "name": ("a-name", {"value": "v"}),
        "description": ("For people.", {"value": "v"}),
        "ttl_seconds": (86_400, {"value": "v"}),
        "version": (3, {"value": "v"}),
        "adopt": (True, {"value": "v", "name": "a-name", "ownership_mark": True}),
        "ownership_mark": (True, {"value": "v"}),
    },
    "Volume": {
        "content": (
            obj(jig.VolumeContentArgs, source_prefix="models/llm/3", type="files"),
            {},
        ),
        "content copied": (
            obj(
                jig.VolumeContentArgs,
                origin=obj(
                    jig.VolumeOriginArgs,
                    s3=obj(jig.S3OriginArgs, uri="s3://models/llm", role_arn=ROLE),
                ),
            ),
            {},
        ),
        "name": ("a-name", {"content": {"source_prefix": "p"}}),
        "type": ("readOnly", {"content": {"source_prefix": "p"}}),
        "version": (3, {"content": {"source_prefix": "p"}}),
        "adopt": (True, {"name": "a-name", "content": {"source_prefix": "p"}}),
    },
    "Provider": {
        "api_key": ("acct:forms:key-2", {}),
        "base_url": ("$TOGETHER_BASE_URL", {}),
        "parallel": (8, {}),
        "allow_insecure_http": (True, {}),
    },
}
#: Arguments that need no case of their own, and why.
BESIDE = {
    (
        "Deployment",
        "restart_on_rotation",
    ): "known when the program runs; see test_forms",
}


# --- Forms ------------------------------------------------------------------------


class Words(str):
    """A text of a class of its own, which says something else of itself."""

    __slots__ = ()

    def __str__(self) -> str:
        return "not the text"


class OwnMapping(Mapping):
    """A mapping that is no dict."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    def __getitem__(self, key: str) -> Any:
        return self._data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)


class Awaitable:
    """Neither a coroutine nor a future."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __await__(self) -> Iterator[Any]:
        yield from asyncio.sleep(0).__await__()
        return self._value


async def coroutine(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


def output(value: Any) -> Any:
    # Not `from_input`, which would unwrap what is inside.
    return pulumi.Output.from_input(0).apply(lambda _: value)


def member(value: Any) -> Any:
    return enum.Enum("Choice", {"ONE": value}).ONE


def enum_keys(value: dict[str, Any]) -> dict[Any, Any]:
    # Texts as well: `Output.from_input` takes no other keys.
    members = {f"K{i}": key for i, key in enumerate(value)}
    keys = enum.Enum("Keys", members, type=str)
    return {keys(key): item for key, item in value.items()}


LATER = {
    "output": output,
    "secret output": lambda value: pulumi.Output.secret(0).apply(lambda _: value),
    "from_input": pulumi.Output.from_input,
    "output of output": lambda value: output(output(value)),
    "coroutine": coroutine,
    "coroutine of output": lambda value: coroutine(output(value)),
    "output by coroutine": lambda value: output(0).apply(
        lambda _: coroutine(output(value))
    ),
    "task": lambda value: asyncio.ensure_future(coroutine(value)),
    "awaitable": Awaitable,
    "coroutine of awaitable": lambda value: coroutine(Awaitable(value)),
}
SCALAR = {
    **LATER,
    "enum": member,
    "output of enum": lambda value: output(member(value)),
}
FORMS: dict[str, dict[str, Any]] = {
    "text": {
        **SCALAR,
        "text of a class": Words,
        "str enum": lambda value: enum.Enum("S", {"ONE": value}, type=str).ONE,
    },
    "number": {
        **SCALAR,
        "int enum": lambda value: enum.Enum("I", {"ONE": value}, type=type(value)).ONE,
    },
    "bool": SCALAR,
    "list": {
        **LATER,
        "tuple": tuple,
        "deque": collections.deque,
        "user list": collections.UserList,
        "output of tuple": lambda value: output(tuple(value)),
    },
    "dict": {
        **LATER,
        "proxy": types.MappingProxyType,
        "user dict": collections.UserDict,
        "ordered": collections.OrderedDict,
        "chain": lambda value: collections.ChainMap({}, value),
        "mapping": OwnMapping,
        "keys of an enum": enum_keys,
        "output of proxy": lambda value: output(types.MappingProxyType(value)),
    },
    "resource": LATER,
}


def kind(node: Any) -> str:
    """The kind of a node."""
    match node:
        case bool():
            return "bool"
        case str():
            return "text"
        case int() | float():
            return "number"
        case list():
            return "list"
        case dict():
            return "dict"
        case _:
            return "resource"


def forms_of(node: Any) -> list[str]:
    """The names of the forms of a node, beside the literal one."""
    more = ["args", "output of args"] if isinstance(node, obj) else []
    return [*FORMS[kind(node)], *more]


def paths(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every node of a tree with its path, the tree itself first."""
    yield path, node
    if isinstance(node, dict):
        for key, item in node.items():
            yield from paths(item, f"{path}/{key}")
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from paths(item, f"{path}/{index}")


def build(
    node: Any, forms: dict[str, str], known: dict[type, Any], path: str = ""
) -> Any:
    """A tree with some of its nodes written in other forms."""
    value: Any = node
    if isinstance(node, dict):
        value = {
            key: build(item, forms, known, f"{path}/{key}")
            for key, item in node.items()
        }
    elif isinstance(node, list):
        value = [
            build(item, forms, known, f"{path}/{index}")
            for index, item in enumerate(node)
        ]
    elif type(node) in known:
        value = known[type(node)]
    form = forms.get(path)
    if form is None:
        return value
    if form.endswith("args"):
        made = node.cls(**value)
        return output(made) if form.startswith("output") else made
    return FORMS[kind(node)][form](value)
