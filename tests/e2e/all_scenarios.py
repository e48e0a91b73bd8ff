"""Every scenario by its name; importing the modules that hold them is what lists them."""

from __future__ import annotations

import scenarios  # noqa: F401
import scenarios_references  # noqa: F401
import scenarios_targets  # noqa: F401
from scenario_words import ORDERED, SCENARIOS

__all__ = ["ORDERED", "SCENARIOS"]
