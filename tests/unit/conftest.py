from __future__ import annotations

import sys
from pathlib import Path

import pytest

# Test folders are no packages; helpers stand beside the tests.
sys.path.insert(0, str(Path(__file__).parent))

from pulumi_jig.lifecycle import memory


@pytest.fixture(autouse=True)
def _fresh_process():
    """Every test begins as a new plugin process does."""
    memory.forget()
    yield
    memory.forget()
