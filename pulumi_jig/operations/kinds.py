"""
Which kinds of things an interrupted run may have left, and how the desk tells them apart.

A life cycle is loaded when a state holds something of its kind. It refuses what is not
ours: other types of resources are left to the tools that know them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.naming import DEPLOYMENT_TYPE, SECRET_TYPE, VOLUME_TYPE

if TYPE_CHECKING:
    from pulumi_jig.lifecycle.kind import Kind

#: The life that each type of resource leads.
_LIVES: Final = {
    DEPLOYMENT_TYPE: "deployment",
    SECRET_TYPE: "secret",
    VOLUME_TYPE: "volume",
}
#: The property that holds the service's own id, by type.
ID_KEYS: Final = {kind: f"{life}_id" for kind, life in _LIVES.items()}


def kind_of(type_: str) -> Kind[Any] | None:
    """What a type of resource is to the life cycle; None for what is not ours."""
    life = _LIVES.get(type_)
    if life is None:
        return None
    home = importlib.import_module(f"pulumi_jig.lifecycle.{life}.kind")
    kind: Kind[Any] = getattr(home, life.upper())
    return kind
