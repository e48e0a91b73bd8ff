"""The two engines as parameters of a fixture: each test runs once on each."""

from __future__ import annotations

import shutil

import pytest

#: The rehearsal always; `pulumi` where it is installed, else skipped by name.
ENGINES = [
    "rehearsal",
    pytest.param(
        "pulumi",
        marks=[
            pytest.mark.engine,
            pytest.mark.skipif(
                shutil.which("pulumi") is None,
                reason="the `pulumi` command is not on PATH",
            ),
        ],
    ),
]
