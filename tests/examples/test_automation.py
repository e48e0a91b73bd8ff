"""The example `automation`, which drives the `pulumi` command itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from both_engines import ENGINES

if TYPE_CHECKING:
    from reader import Reader

#: Not on the rehearsal, which has no Automation API; skipped where there is no command.
pytestmark = pytest.mark.parametrize("engine", ENGINES[1:], indirect=True)


def test_its_page_is_true(reader: Reader) -> None:
    """Three stages go green, a crash stops at the first; nothing is left."""
    # An ambient `python3` without this package must not be taken for the plugin.
    wrong = reader.folder / "bin" / "python3"
    wrong.write_text("#!/bin/sh\necho 'the wrong Python' >&2\nexit 1\n")
    wrong.chmod(0o755)

    reader.follow("examples/automation/README.md")

    assert reader.live() == []


def test_what_a_stage_may_not_use_stops_the_roll_before_it(reader: Reader) -> None:
    """The limits of staging are asked before staging is touched."""
    limits = reader.home / "examples/automation/limits/dev.json"
    limits.write_text('{"jig-gpu-types": {"allow": ["h200-140gb"]}}')

    ran = reader.one(
        f"python roll.py registry.together.ai/proj_demo/llm@sha256:{'1' * 64}",
        where="examples/automation",
    )

    assert ran.status == 1
    assert "dev: red\n  llm: jig-gpu-types: " in ran.output
    assert "Traceback" not in ran.output
    assert reader.writes() == 0
