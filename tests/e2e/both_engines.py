"""The two engines as parameters of a fixture: each test runs once on each."""

from __future__ import annotations

import pytest

#: The rehearsal always; `pulumi` where it is installed, else skipped by name.
ENGINES = ["rehearsal", pytest.param("pulumi", marks=pytest.mark.engine)]
#: For a test that takes `engine`, or what is made of it: on the real engine only.
on_the_real_engine = pytest.mark.parametrize("engine", ENGINES[1:], indirect=True)
