"""
Acts: what an engine did in one operation, without what differs from run to run.

Two engines agree on an operation when what `comparable` leaves of their acts is equal. Of
provider requests it leaves the fields that our plugin host or our bridge reads, so that a
field which a newer engine adds is no difference, and one of ours that is missing is.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulumi.runtime.proto import provider_pb2

import pulumi_jig.host
import pulumi_jig.provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = "4dabf18193072939515e22adb298388d"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_TRACEBACK = r"^(Preview failed: )?Traceback \(most recent call last\)"
#: Fields of a resource in the state that decide what an engine does next.
STATE_FIELDS = frozenset(
    [
        "type",
        "id",
        "custom",
        "parent",
        "inputs",
        "outputs",
        "provider",
        "dependencies",
        "propertyDependencies",
        "delete",
        "external",
        "protect",
        "retainOnDelete",
        "deletedWith",
        "initErrors",
        "pendingReplacement",
        "additionalSecretOutputs",
        "customTimeouts",
        "label",
    ]
)
#: Fields of a resource in the state that say when and where it was registered.
_REGISTERED = frozenset({"created", "modified", "sourcePosition", "stackTrace"})
#: What the command and the SDK say after any failure.
_ENDINGS = ("update failed", "preview failed", "Resource monitor has terminated")

LoggedCall = tuple[str, dict[str, Any], dict[str, Any] | None, str | None]


@dataclass
class Act:
    """
    One operation of a scenario.

    Attributes:
        operation: `preview`, `up`, `refresh` or `destroy`.
        ok: Whether it ended well.
        steps: Operations in order, by resource ("toy a").
        calls: Calls of the provider in order, by resource.
        order: Creates, updates and deletes of all resources in the order in which they
            began.
        errors: Messages of errors, each with its resource.
        violations: Enforcement level, policy and resource of each violation.
        export: The state as `pulumi stack export` gives it, for as long as no other
            operation has begun.
    """

    operation: str
    ok: bool
    steps: dict[str, list[str]]
    calls: dict[str, list[dict[str, Any]]]
    order: list[str]
    errors: list[str]
    violations: list[str]
    export: Callable[[], dict[str, Any]] = field(repr=False)

    @cached_property
    def _deployment(self) -> dict[str, Any]:
        found: dict[str, Any] = self.export()["deployment"]
        return found

    @cached_property
    def state(self) -> list[dict[str, Any]]:
        """The resources of the state, each with its `label`."""
        found = []
        for item in self._deployment.get("resources") or []:
            kept = {k: v for k, v in item.items() if k not in _REGISTERED}
            kept["label"] = label(item["urn"])
            kept["dependencies"] = sorted(item.get("dependencies", []))
            found.append(mask(kept))
        return sorted(found, key=lambda item: (item["label"], json.dumps(item)))

    @cached_property
    def pending(self) -> list[str]:
        """The pending operations of the state."""
        return sorted(
            f"{item['type']} {label(item['resource']['urn'])}"
            for item in self._deployment.get("pending_operations") or []
        )

    @cached_property
    def outputs(self) -> dict[str, Any]:
        """The outputs of the stack."""
        stacks = [i for i in self.state if i["type"] == "pulumi:pulumi:Stack"]
        return dict(stacks[0].get("outputs", {})) if stacks else {}

    def resource(self, label: str) -> dict[str, Any]:
        """The one resource of the state with a label."""
        (found,) = [item for item in self.state if item["label"] == label]
        return found

    def requests(self, label: str, method: str) -> list[dict[str, Any]]:
        """The requests of one method that the provider got for a resource."""
        calls = self.calls.get(label, [])
        return [call["request"] for call in calls if call["method"] == method]

    def methods(self, label: str) -> list[str]:
        """The methods of the provider that were called for a resource."""
        return [call["method"] for call in self.calls.get(label, [])]


def stale() -> dict[str, Any]:
    """What takes the place of `Act.export` once another operation has begun."""
    raise AssertionError("read the state of an act before the next operation")


# --- Masks ---------------------------------------------------------------------


def mask(value: Any, key: str = "") -> Any:
    """`value` without what differs from run to run."""
    if isinstance(value, dict):
        if SECRET in value:
            inner = value.get("plaintext", value.get("value"))
            if "plaintext" in value:
                inner = json.loads(inner)
            return {"secret": mask(inner)}
        return {name: mask(item, name) for name, item in sorted(value.items())}
    if isinstance(value, list):
        return [mask(item) for item in value]
    if key == "__provider":
        return "<provider>"
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value != UNKNOWN:
        masked = UUID.sub(lambda m: "<unknown>" if m[0] == UNKNOWN else "<id>", value)
        return _without_traceback(masked)
    return "<unknown>" if value == UNKNOWN or repr(value) == "UNKNOWN" else value


def _without_traceback(text: str) -> str:
    """The last line of a Python traceback, which holds the exception."""
    # At the start of a line only: a container's own output may hold one, too.
    if re.search(_TRACEBACK, text, re.MULTILINE):
        return text.strip().splitlines()[-1]
    return text


def label(urn: str) -> str:
    """What a resource is called in an act: its type in short, and its name."""
    kinds, _, name = urn.split("::", 2)[2].partition("::")
    kind = kinds.rpartition("$")[2]
    short = {"pulumi:pulumi:Stack": "stack", "pulumi-python:dynamic/toy:Toy": "toy"}
    return f"{short.get(kind, kind.rpartition(':')[2])} {name}"


def group_calls(
    calls: list[LoggedCall],
) -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
    """Calls by resource, and the order of those that change something."""
    grouped: dict[str, list[dict[str, Any]]] = {}
    order: list[str] = []
    for method, request, response, error in calls:
        if method not in fields_read():
            continue
        name = label(request["urn"])
        entry: dict[str, Any] = {"method": method, "request": mask(request)}
        if response:
            entry["response"] = mask(response)
        if error is not None:
            entry["error"] = _without_traceback(error)
        grouped.setdefault(name, []).append(entry)
        if method in {"Create", "Update", "Delete"}:
            order.append(f"{method} {name}")
    return dict(sorted(grouped.items())), order


# --- What is read of requests ----------------------------------------------------


@cache
def fields_read() -> dict[str, frozenset[str]]:
    """
    The fields of each provider request that anything of ours reads, by method.

    They are found in the source: the plugin host of the installed SDK, whose methods
    read their own request, and our bridge and provider, which read whichever there is.
    """
    host = importlib.util.find_spec("pulumi.dynamic.__main__")
    assert host is not None
    assert host.origin is not None
    tree = ast.parse(Path(host.origin).read_text())
    (servicer,) = [
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name.endswith("Servicer")
    ]
    by_method = {
        node.name: set(_read_in(node))
        for node in servicer.body
        if isinstance(node, ast.FunctionDef)
    }
    anywhere: set[str] = set()
    for package in (pulumi_jig.host, pulumi_jig.provider):
        for path in Path(str(package.__file__)).parent.glob("*.py"):
            anywhere |= set(_read_in(ast.parse(path.read_text())))
    found = {}
    for method, names in by_method.items():
        request = getattr(provider_pb2, f"{method}Request", None)
        if not names or request is None or method == "Invoke":
            continue
        fields = request.DESCRIPTOR.fields_by_name
        found[method] = frozenset(
            fields[name].json_name for name in names | anywhere if name in fields
        )
    return found


def _read_in(tree: ast.AST) -> Iterator[str]:
    """The attributes of anything called `request`: `request.x`, `getattr(request, "x")`."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="request"), attr=name):
                yield name
            case ast.Call(
                func=ast.Name(id="getattr"),
                args=[ast.Name(id="request"), ast.Constant(value=str(name)), *_],
            ):
                yield name


# --- Comparing -------------------------------------------------------------------


def comparable(act: Act, folder: Path) -> dict[str, Any]:
    """
    An act without what an engine is free to do either way.

    Resources that do not depend on each other may be worked on in any order. After a
    failure the engine shows the stack and components or not, as it happens to end.
    """
    steps = act.steps
    if act.operation == "refresh":
        # Two resources of one URN, one of which waits for its deletion, are read side
        # by side.
        steps = {name: sorted(operations) for name, operations in steps.items()}
    if not act.ok:
        # The engine does not show the step that failed a preview; the rehearsal does.
        hidden = act.operation == "preview"
        steps = {
            name: shown
            for name, operations in steps.items()
            if name.partition(" ")[0] not in {"stack", "Box"}
            and (
                shown := [
                    s for s in operations if not (hidden and s.endswith("failed"))
                ]
            )
        }
    calls = {
        name: [_as_read(call) for call in made] for name, made in act.calls.items()
    }
    if act.operation == "refresh":
        for made in calls.values():
            made.sort(key=lambda call: str(call["request"].get("id", "")))
    found = {
        "ok": act.ok,
        "steps": steps,
        "calls": calls,
        "changes": sorted(act.order),
        "errors": act.errors,
        "violations": act.violations,
        "outputs": act.outputs,
        "pending": act.pending,
        "state": [
            {k: v for k, v in item.items() if k in STATE_FIELDS and not _is_empty(v)}
            for item in act.state
        ],
    }
    text = json.dumps(found, sort_keys=True)
    whole: dict[str, Any] = json.loads(text.replace(str(folder), "<folder>"))
    return whole


def _as_read(call: dict[str, Any]) -> dict[str, Any]:
    wanted = fields_read()[call["method"]]
    request = {
        name: value
        for name, value in call["request"].items()
        if name in wanted and not _is_empty(value)
    }
    return {**call, "request": request}


def _is_empty(value: Any) -> bool:
    """Whether a protocol buffer says the same by leaving it out."""
    return value in (None, "", [], {}, 0, False)


# --- The engine's own records ------------------------------------------------------


def read_events(path: Path) -> tuple[dict[str, list[str]], list[str], list[str]]:
    """Steps, errors and violations in the engine's event log."""
    steps: dict[str, list[str]] = {}
    errors: list[str] = []
    violations: list[str] = []
    for line in path.read_text().splitlines():
        event = json.loads(line)
        for kind, suffix in (("resOutputsEvent", ""), ("resOpFailedEvent", " failed")):
            if kind in event:
                data = event[kind]["metadata"]
                name = label(data["urn"])
                if name in {"pulumi-python default", "pulumi default"}:
                    continue
                taken = steps.setdefault(name, [])
                # The outputs of the stack and of components are an event of their own.
                if data["new"] and not data["new"].get("custom") and taken:
                    continue
                taken.append(data["op"] + suffix)
        if "diagnosticEvent" in event:
            data = event["diagnosticEvent"]
            if data["severity"] == "error" and not data.get("ephemeral"):
                text = re.sub(r"<\{%.*?%\}>", "", data["message"]).strip()
                text = text.removeprefix("error: ")
                if not text.startswith(_ENDINGS):
                    name = label(data["urn"]) if data.get("urn") else "-"
                    errors.append(f"{name}: {mask(text)}")
        if "policyRemediationEvent" in event:
            data = event["policyRemediationEvent"]
            name = label(data["resourceUrn"])
            violations.append(f"remediate {data['policyName']} {name}")
        if "policyEvent" in event:
            data = event["policyEvent"]
            name = label(data["resourceUrn"])
            violations.append(f"{data['enforcementLevel']} {data['policyName']} {name}")
    return dict(sorted(steps.items())), sorted(errors), sorted(violations)


def read_log(path: Path) -> list[LoggedCall]:
    """
    Provider calls in the engine's gRPC log, in the order in which they began.

    The log has a line when a call begins, without a response, and one when it ends.
    """
    begun: list[tuple[str, str]] = []
    ended: dict[tuple[str, str], list[tuple[Any, str | None]]] = {}
    if not path.exists():
        return []
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        service, _, method = entry["method"].rpartition("/")
        if not service.endswith("ResourceProvider") or method not in fields_read():
            continue
        key = (method, json.dumps(entry["request"], sort_keys=True))
        errors = entry.get("errors")
        if entry.get("response") is None and not errors:
            begun.append(key)
            continue
        error = str(errors[0]).partition("desc = ")[2] if errors else None
        ended.setdefault(key, []).append((entry.get("response"), error))
    calls = []
    for key in begun:
        responses = ended.get(key)
        response, error = responses.pop(0) if responses else (None, None)
        calls.append((key[0], json.loads(key[1]), response, error))
    return calls
