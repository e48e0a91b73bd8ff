"""How scenarios describe the resources of `generic/__main__.py`."""

from __future__ import annotations

from typing import Any

DELETE_FIRST = {"delete_before_replace": True}
#: The steps of a replacement in either order.
CREATES_FIRST = ["create-replacement", "replace", "delete-replaced"]
DELETES_FIRST = ["delete-replaced", "replace", "create-replacement"]


def toy(opts: dict[str, Any] | None = None, /, **props: Any) -> dict[str, Any]:
    return {"props": props, "opts": opts or {}}


def box(**opts: Any) -> dict[str, Any]:
    return {"kind": "box", "opts": opts}


def provider(where: Any) -> dict[str, Any]:
    return {"kind": "provider", "props": {"toy:where": where}}


def out(name: str, attribute: str) -> dict[str, Any]:
    return {"$out": [name, attribute]}


def secret(value: Any) -> dict[str, Any]:
    return {"$secret": value}


def reference(stack: str) -> dict[str, Any]:
    return {"kind": "reference", "stack": stack, "opts": {}}


def ref(name: str, output: str, function: str = "get") -> dict[str, Any]:
    return {"$ref": [name, function, output]}
