"""What holds in every room: how properties are examined, and that Ctrl-C is heard."""

from __future__ import annotations

import os
import shutil
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from pulumi_jig.redaction import forget_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

# A shell starts its background jobs with SIGINT ignored, and children inherit that; the
# programs under test would then never hear what the tests send them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples at every run; `HYPOTHESIS_PROFILE=deep` looks further and elsewhere.
_SLOW_STARTS = [HealthCheck.too_slow, HealthCheck.filter_too_much]
settings.register_profile(
    "core",
    max_examples=60,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=_SLOW_STARTS,
)
settings.register_profile(
    "deep",
    max_examples=2000,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=_SLOW_STARTS,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "core"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without the real engine its tests are skipped by name; with it they are counted."""
    installed = shutil.which("pulumi") is not None
    for item in items:
        if item.get_closest_marker("engine"):
            item.user_properties.append(("engine", "pulumi"))
            if not installed:
                item.add_marker(pytest.mark.skip("there is no `pulumi` (make engine)"))


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Say how much of it the real engine has judged."""
    counts = {
        outcome: sum(
            ("engine", "pulumi") in report.user_properties for report in reports
        )
        for outcome in ("passed", "failed", "skipped")
        if (reports := terminalreporter.stats.get(outcome))
    }
    if any(counts.values()):
        said = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
        terminalreporter.write_line(f"on the real engine: {said}")


@pytest.fixture(autouse=True)
def _no_secrets_of_others() -> Iterator[None]:
    """What one test calls a secret is an ordinary word in the next."""
    forget_secrets()
    yield
    forget_secrets()
