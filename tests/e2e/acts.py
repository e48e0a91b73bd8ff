"""
Acts: what an engine did in one operation, without what differs from run to run.

Two engines agree on a scenario when their acts are equal; a transcript is a list of acts
of the real engine, as text.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

SECRET = "4dabf18193072939515e22adb298388d"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_TRACEBACK = r"^(Preview failed: )?Traceback \(most recent call last\)"
PROVIDER_CALLS = frozenset(
    {
        "CheckConfig",
        "DiffConfig",
        "Configure",
        "Check",
        "Diff",
        "Create",
        "Update",
        "Delete",
        "Read",
    }
)
# Fields of requests that name ports and tokens of one run.
VOLATILE = frozenset({"resourceStatusAddress", "resourceStatusToken"})
# Fields of a resource in the state that say when and where, not what.
UNCOMPARED = frozenset({"created", "modified", "sourcePosition", "stackTrace", "urn"})


@dataclass
class Act:
    """One operation of a scenario, as both engines must agree on it."""

    operation: str
    ok: bool
    # Per resource (logical name, or URN where it is not unique): operations in order.
    steps: dict[str, list[str]]
    # Per resource: calls of its provider in order.
    calls: dict[str, list[dict[str, Any]]]
    # Creates, updates and deletes of all resources, in the order in which they began.
    order: list[str]
    outputs: dict[str, Any]
    state: list[dict[str, Any]]
    pending: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)


def mask(value: Any, key: str = "") -> Any:
    """`value` without what differs from run to run."""
    if isinstance(value, dict):
        if SECRET in value:
            inner = value.get("plaintext", value.get("value"))
            if "plaintext" in value:
                inner = json.loads(inner)
            return {"secret": mask(inner)}
        return {
            name: mask(item, name)
            for name, item in sorted(value.items())
            if name not in VOLATILE
        }
    if isinstance(value, list):
        return [mask(item) for item in value]
    if key == "__provider":
        return "<provider>"
    if key == "randomSeed":
        return "<seed>"
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value != UNKNOWN:
        masked = UUID.sub(lambda m: "<unknown>" if m[0] == UNKNOWN else "<id>", value)
        return mask_traceback(masked)
    return "<unknown>" if value == UNKNOWN or repr(value) == "UNKNOWN" else value


def mask_traceback(text: str) -> str:
    """The last line of a Python traceback, which holds the exception."""
    # At the start of a line only: a container's own output may hold one, too.
    if re.search(_TRACEBACK, text, re.MULTILINE):
        return text.strip().splitlines()[-1]
    return text


def label(urn: str) -> str:
    """What a resource is called in an act: types in short, so that it stays unique."""
    kinds, _, name = urn.split("::", 2)[2].partition("::")
    kind = kinds.rpartition("$")[2]
    short = {"pulumi:pulumi:Stack": "stack", "pulumi-python:dynamic/toy:Toy": "toy"}
    return f"{short.get(kind, kind.rpartition(':')[2])} {name}"


def group_calls(
    calls: list[tuple[str, dict[str, Any], dict[str, Any] | None, str | None]],
) -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
    """Calls per resource, and the order of those that change the world."""
    grouped: dict[str, list[dict[str, Any]]] = {}
    order: list[str] = []
    for method, request, response, error in calls:
        if method not in PROVIDER_CALLS:
            continue
        name = label(request["urn"])
        entry: dict[str, Any] = {"method": method, "request": mask(request)}
        if response:
            entry["response"] = mask(response)
        if error is not None:
            entry["error"] = mask_traceback(error)
        grouped.setdefault(name, []).append(entry)
        if method in {"Create", "Update", "Delete"}:
            order.append(f"{method} {name}")
    return dict(sorted(grouped.items())), order


def shape(export: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """Resources and pending operations of an exported state."""
    deployment = export["deployment"]
    resources = []
    for item in deployment.get("resources") or []:
        kept = {k: v for k, v in item.items() if k not in UNCOMPARED}
        kept["dependencies"] = sorted(kept.get("dependencies", []))
        kept["label"] = label(item["urn"])
        resources.append(mask(kept))
    resources.sort(key=lambda item: (item["label"], json.dumps(item)))
    pending = [
        f"{item['type']} {label(item['resource']['urn'])}"
        for item in deployment.get("pending_operations") or []
    ]
    return resources, sorted(pending)


# ---------------------------------------------------------------------------- engines


def comparable(act: dict[str, Any], *, ordered: bool) -> dict[str, Any]:
    """
    An act without what an engine is free to do either way.

    Resources that do not depend on each other may be worked on in any order. After a
    failure the engine shows the stack and components or not, as it happens to end.
    """
    result = dict(act)
    if not ordered:
        result["order"] = sorted(act["order"])
    if act["operation"] == "refresh":
        # Two resources of one URN, one of which waits for its deletion, are read side
        # by side.
        result["calls"] = {
            name: sorted(calls, key=lambda call: call["request"].get("id", ""))
            for name, calls in act["calls"].items()
        }
        result["steps"] = {name: sorted(s) for name, s in act["steps"].items()}
    if not act["ok"]:
        # Nor does it show the step that failed a preview; the rehearsal does.
        hidden = act["operation"] == "preview"
        result["steps"] = {
            name: shown
            for name, steps in result["steps"].items()
            if name.partition(" ")[0] not in {"stack", "Box"}
            and (shown := [s for s in steps if not (hidden and s.endswith("failed"))])
        }
    return result


def written(acts: list[dict[str, Any]]) -> str:
    """A transcript as text: one line per call and per resource, to be read and diffed."""
    lines = ["["]
    for number, act in enumerate(acts):
        lines.append(" {")
        fields = []
        for key, value in act.items():
            fields.append(_field(key, value))
        lines.append(",\n".join(fields))
        lines.append(" }," if number < len(acts) - 1 else " }")
    lines.append("]")
    return "\n".join(lines) + "\n"


def _field(key: str, value: Any) -> str:
    name = json.dumps(key)
    if key == "calls" and value:
        parts = []
        for urn, calls in value.items():
            rows = ",\n".join("    " + json.dumps(c, sort_keys=True) for c in calls)
            parts.append(f"   {json.dumps(urn)}: [\n{rows}\n   ]")
        return f"  {name}: {{\n" + ",\n".join(parts) + "\n  }"
    if key == "state" and value:
        rows = ",\n".join("   " + json.dumps(item, sort_keys=True) for item in value)
        return f"  {name}: [\n{rows}\n  ]"
    return f"  {name}: {json.dumps(value, sort_keys=True)}"
