from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

# Test folders are no packages; helpers that several of them use stand in one place.
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from faultproxy import FaultProxy
from scripted import FakeClock

from pulumi_jig.client import JigClient, RetryBudget
from pulumi_jig.config import Settings
from pulumi_jig.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY = "key-canary-0123456789abcdef"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy, certificate file or key of the machine that runs the tests."""
    for name in os.environ:
        if name.upper().endswith(("_PROXY", "_CA_BUNDLE")) or name.startswith(
            ("SSL_", "TOGETHER_")
        ):
            monkeypatch.delenv(name)


@pytest.fixture
def connect() -> Iterator[Callable[..., JigClient]]:
    """Make clients that are closed at the end."""
    made: list[JigClient] = []

    def make(url: str, **options: Any) -> JigClient:
        settings = Settings(
            api_key=options.pop("api_key", KEY),
            key_source=options.pop("key_source", "environment"),
            base_url=url,
            url_source=options.pop("url_source", "environment"),
            parallel=options.pop("parallel", 64),
        )
        # A budget of its own: tests must not use up each other's retries.
        options.setdefault("budget", RetryBudget())
        options.setdefault("rng", lambda: 1.0)
        made.append(JigClient(settings, **options))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def clock() -> FakeClock:
    """A clock that moves only when somebody sleeps."""
    return FakeClock()


@pytest.fixture
def ctx(clock: FakeClock) -> Deadline:
    """An operation of five minutes that pass in no time."""
    return Deadline(300, clock=clock, sleep=clock.sleep)


@pytest.fixture(scope="session")
def emulator() -> Iterator[str]:
    """The URL of an emulator process that all tests share."""
    from pulumi_jig.emulator import start

    with start(time_scale=0) as running:
        yield running.url


@pytest.fixture
def broken(emulator: str) -> Iterator[Callable[..., FaultProxy]]:
    """Make fault proxies before the emulator; plans are shown when a test fails."""
    made: list[FaultProxy] = []

    def make(*plan: dict[str, Any], **options: Any) -> FaultProxy:
        made.append(FaultProxy(emulator, plan, **options))
        return made[-1]

    yield make
    for proxy in made:
        print(proxy.describe())
        proxy.stop()
