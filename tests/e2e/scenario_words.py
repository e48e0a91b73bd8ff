"""
The words in which scenarios are written, and the list of all of them.

A scenario is a function of a `Stage`. What it asserts itself holds for every engine; the
rest is the comparison of acts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engines import Stage

Scenario = Callable[[Stage], None]
SCENARIOS: dict[str, Scenario] = {}


# Scenarios whose resources form a chain, so that there is one order only.
ORDERED = frozenset(
    {
        "order",
        "create_refused",
        "replace_create_first",
        "replace_delete_first",
        "replace_dependents_first",
        "delete_refused",
        "unknowns",
        "provider_not_yet_known",
        "update_of_dependent_fails",
    }
)


def scenario(function: Scenario) -> Scenario:
    SCENARIOS[function.__name__] = function
    return function


def toy(opts: dict[str, Any] | None = None, /, **props: Any) -> dict[str, Any]:
    return {"props": props, "opts": opts or {}}


def box(**opts: Any) -> dict[str, Any]:
    return {"kind": "box", "opts": opts}


def out(name: str, attribute: str) -> dict[str, Any]:
    return {"$out": [name, attribute]}


def reference(stack: str, **opts: Any) -> dict[str, Any]:
    return {"kind": "reference", "stack": stack, "opts": opts}


def ref(name: str, output: str, function: str = "get") -> dict[str, Any]:
    return {"$ref": [name, function, output]}
