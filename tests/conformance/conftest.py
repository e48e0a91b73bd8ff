"""
The service that the rules are asked of, and the report of what it answered.

Without `--service` it is an emulator that the suite starts; with it, whatever the URL
names, with the settings in `CONFORMANCE_*` (see `Settings`) and the key in
`TOGETHER_API_KEY`, so that no key stands in the list of processes.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from report import Report
from service import DEPLOYMENTS, Service, Settings, events, revision

from pulumi_jig.emulator import start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service import Body

EMULATED = {
    "key": "acct:conformance:1",
    "other_key": "acct:somebody-else:1",
    "image": "registry.example/conformance/app:1",
    "crashing_image": "registry.example/conformance/crashloop:1",
    "undone_image": "registry.example/conformance/rollback:1",
    "files": "weights/0",
    "bucket": "s3://bucket/weights",
    "model": "ml_abc",
}
HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance")
    group.addoption("--service", metavar="URL", help="ask this service, no emulator")
    group.addoption("--conformance-report", metavar="FILE", help="write what was seen")


def settings_from_environment(url: str) -> Settings:
    """The settings of a run against a service that is there already."""

    def told(name: str) -> str:
        return os.environ.get(f"CONFORMANCE_{name.upper()}", "")

    images = ("image", "crashing_image", "undone_image")
    names = ("other_key", *images, "files", "bucket", "model")
    return Settings(
        url=url,
        key=os.environ["TOGETHER_API_KEY"],
        **{name: told(name) for name in names},
        interval=float(told("interval") or 3),
        limit=float(told("limit") or 900),
    )


@pytest.fixture(scope="session")
def settings(request: pytest.FixtureRequest) -> Iterator[Settings]:
    """What is tested."""
    url = request.config.getoption("--service", default=None)
    if url:
        yield settings_from_environment(url)
        return
    with start(time_scale=0.02) as emulator:
        yield Settings(
            url=emulator.url,
            **EMULATED,
            interval=0.02,
            limit=30,
            let_pass=emulator.admin.skip,
        )


@pytest.fixture(scope="session")
def service(settings: Settings) -> Iterator[Service]:
    """A client of it; what it made is deleted at the end, whatever happened."""
    service = Service(settings)
    for value in service.ok("GET", "/v1/whoami").values():
        if isinstance(value, dict):
            settings.hidden += [str(word) for word in value.values() if word]
    try:
        yield service
    finally:
        service.sweep()
        service.close()


@pytest.fixture(scope="session")
def other(settings: Settings) -> Iterator[Service]:
    """A client of another account."""
    if not settings.other_key:
        pytest.skip("needs a key of a second account (CONFORMANCE_OTHER_KEY)")
    other = Service(settings, key=settings.other_key)
    try:
        yield other
    finally:
        other.sweep()
        other.close()


@pytest.fixture
def needs(settings: Settings) -> Any:
    """Skips a test whose setting nobody gave; its value otherwise."""

    def needs(name: str) -> str:
        value: str = getattr(settings, name)
        if not value:
            pytest.skip(f"needs CONFORMANCE_{name.upper()}")
        return value

    return needs


@pytest.fixture
def let_pass(settings: Settings) -> Callable[[float], None]:
    """A way to let seconds pass; skips where time passes by itself alone."""
    if settings.let_pass is None:
        pytest.skip("needs a day: no secret lives shorter")
    return settings.let_pass


@pytest.fixture(scope="session")
def idle(service: Service) -> Iterator[Body]:
    """A deployment that wants no replica, for what needs none to run."""
    created = service.create(min_replicas=0, max_replicas=0)
    yield created
    service.delete(created["name"])


class Life:
    """
    One life of a deployment, lived once and judged by many tests.

    Each phase is what the request answered, then what every GET showed until the phase
    was over.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.phases: dict[str, list[Body]] = {}
        self.events: list[Body] = []
        self.broken = ""

    def phase(self, name: str) -> list[Body]:
        """The answers of a phase."""
        if name not in self.phases:
            pytest.skip(f"the life ended before: {self.broken}")
        return self.phases[name]

    def live(self) -> None:
        """Live it; a failure ends it, and the phases that follow are not there."""
        service = self.service
        try:
            created = service.create()
            self.name = created["name"]
            self._watch("create", created, {"Ready"})
            patched = service.patch(self.name, args=["--verbose"])
            self._watch("update", patched, {"Ready"})
            patched = service.patch(self.name, max_replicas=2)
            self._watch("ceiling", patched, {"Ready"})
            patched = service.patch(self.name, min_replicas=2)
            self._watch("scale", patched, {"Ready"})
            patched = service.patch(self.name, description="for people")
            self._watch("describe", patched, {"Ready"})
            path = f"{DEPLOYMENTS}/{self.name}"
            self.history = service.ok("GET", f"{path}/revisions")["data"]
            self.first = service.ok("GET", f"{path}/revisions/1")
            target = revision(created)
            rolled = service.ok(
                "POST", f"{path}/rollback", {"revision_identifier": target}
            )
            self._watch("rollback", rolled, {"Ready"})
            self.logs = service.ok("GET", f"{path}/logs")
            self._end(path, created)
        except (AssertionError, KeyError) as error:
            self.broken = service.redact(str(error).splitlines()[0])

    def _watch(self, name: str, first: Body, goals: set[str]) -> None:
        seen = [first]
        for found in self.service.watch(self.name):
            seen.append(found)
            # A receipt may still show what was before; a phase has one GET at least.
            if found["status"] in goals and all(e[2] for e in running(found)):
                self.phases[name] = seen
                return
            assert found["status"] != "Failed", f"{name} failed: {events(found)}"
        raise AssertionError(f"{name} did not come to serve in time")

    def _end(self, path: str, created: Body) -> None:
        service = self.service
        self.delete = service.send("DELETE", path)
        self.by_name = service.send("GET", path).status_code
        self.listed = self.name in service.left(DEPLOYMENTS)
        body = service.body(name=self.name, min_replicas=0, max_replicas=0)
        again = service.send("POST", DEPLOYMENTS, body)
        self.recreated = again.status_code
        self.recreated_text = again.text
        self.phases["delete"] = list(service.watch(created["id"]))


def running(deployment: Body) -> list[tuple[str, str, bool]]:
    return [event for event in events(deployment) if event[0] != "Terminated"]


@pytest.fixture(scope="session")
def life(service: Service) -> Iterator[Life]:
    """One life, from create to delete."""
    life = Life(service)
    life.live()
    yield life
    if hasattr(life, "name"):
        service.delete(life.name)


# --- the report ---------------------------------------------------------------------


def end_with(parent: int) -> None:
    """Interrupt the run when whoever began it is gone: nobody would delete what it makes."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGINT)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--service", default=None):
        threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    path = config.getoption("--conformance-report", default=None)
    if path and not hasattr(config, "workerinput"):
        url = config.getoption("--service") or "the emulator"
        config.pluginmanager.register(Report(Path(path), url), "conformance-report")


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    if config.getoption("--service", default=None):
        # Tests of the suite itself have nothing to ask.
        kinds = ("rule", "question", "live")
        items[:] = [i for i in items if any(map(i.get_closest_marker, kinds))]
    for item in items:
        if not item.path.is_relative_to(HERE):
            continue
        item.add_marker(pytest.mark.timeout(3600))
        for mark in item.iter_markers("rule"):
            item.user_properties += [("rule", name) for name in mark.args]
        for mark in item.iter_markers("question"):
            item.user_properties.append(("question", mark.args[0]))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Note what was seen, redacted, in the process that knows what to hide."""
    outcome = yield
    if call.excinfo is not None and not call.excinfo.errisinstance(KeyboardInterrupt):
        service = getattr(item, "funcargs", {}).get("service")
        lines = str(call.excinfo.value).strip().splitlines() or [call.excinfo.typename]
        text = lines[0].removeprefix("Skipped: ")
        outcome.get_result().user_properties = [
            *item.user_properties,
            ("seen", service.redact(text) if service else text),
        ]


@pytest.fixture
def note(request: pytest.FixtureRequest, service: Service) -> Any:
    """Takes down what the service answers to an open question."""

    def note(answer: object) -> None:
        request.node.user_properties.append(("answer", service.redact(str(answer))))

    return note
