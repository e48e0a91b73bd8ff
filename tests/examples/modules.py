"""Modules that lie beside an example's program, which are no package."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any

from reader import ROOT

if TYPE_CHECKING:
    from types import ModuleType


def beside(example: str, name: str) -> ModuleType | Any:
    """A module of an example, under a name that no other example has."""
    full = f"example_{example}_{name}"
    if full not in sys.modules:
        path = ROOT / "examples" / example / f"{name}.py"
        spec = importlib.util.spec_from_file_location(full, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module
        spec.loader.exec_module(module)
    return sys.modules[full]
