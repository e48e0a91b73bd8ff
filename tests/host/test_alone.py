"""A plugin whose engine is gone: it ends itself, and cuts nothing short."""

from __future__ import annotations

import base64
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from plugin import Listener, Plugin, struct
from pulumi.runtime.proto import provider_pb2

from pulumi_jig.emulator import start
from pulumi_jig.host import alone, engine, leave_when_alone
from pulumi_jig.host.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pulumi_jig.emulator import RunningEmulator

TOYS = Path(__file__).parents[1] / "rehearsal"
PROGRAM = {"name": "llm-prod", "image": "registry.example/app:1", "gpu_type": "none"}


@pytest.fixture
def emulator() -> Iterator[RunningEmulator]:
    with start(time_scale=0) as running:
        yield running


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another process does; a minute is a failure."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


# --- Real processes ------------------------------------------------------------


def test_a_plugin_without_an_engine_ends_itself(emulator: RunningEmulator) -> None:
    """What nobody will ask again does not idle for ever; it leaves as at a Ctrl-C."""
    listener = Listener()
    with Plugin(emulator.url, engine=listener) as plugin:
        plugin.check(PROGRAM)
        listener.die()
        assert plugin.wait() == 0


def test_a_plugin_with_an_engine_stays(emulator: RunningEmulator) -> None:
    """An engine that thinks for a while is not gone."""
    with Plugin(emulator.url) as plugin:
        plugin.check(PROGRAM)
        time.sleep(3 * alone.LOOK_EVERY)
        assert not plugin.ended


def test_a_request_in_flight_is_finished_first(emulator: RunningEmulator) -> None:
    """The service's answer to a creation is waited for, then the process ends."""
    emulator.admin.fault("POST", "/deployments", delay=4, acted=True)
    listener = Listener()
    with Plugin(emulator.url, engine=listener) as plugin:
        inputs, _ = plugin.check(PROGRAM)
        call = plugin.stub.Create.future(plugin.create_request(inputs), timeout=60)
        until(lambda: emulator.admin.faults()[0]["struck"] == 1)
        listener.die()
        with pytest.raises(Exception, match="could not be watched"):
            call.result()
        plugin.wait()

    assert [d["name"] for d in emulator.admin.deployments()] == ["llm-prod"]
    # The request in flight was the last that changes anything.
    sent = [r["method"] for r in emulator.admin.requests() if r["method"] != "GET"]
    assert sent == ["POST"]


def test_a_plugin_that_cannot_be_interrupted_ends_as_well(
    emulator: RunningEmulator,
) -> None:
    """A run that was started in the background has plugins that ignore Ctrl-C."""
    listener = Listener()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        plugin = Plugin(emulator.url, engine=listener)
    finally:
        signal.signal(signal.SIGINT, before)
    with plugin:
        plugin.check(PROGRAM)
        listener.die()
        assert plugin.wait() == 0


#: Somebody else's provider class, by reference, as a state holds it.
NEIGHBOUR = base64.b64encode(b"ctoy\nToyProvider\n)\x81.").decode()


def test_what_others_do_in_the_process_is_not_cut_short(
    emulator: RunningEmulator, tmp_path: Path
) -> None:
    """Another provider's call in flight keeps the process, however long it takes."""
    (tmp_path / "faults.json").write_text('{"create:a": "wait"}')
    env = {"PYTHONPATH": str(TOYS), "TOY_WORLD": str(tmp_path)}
    listener = Listener()
    with Plugin(emulator.url, engine=listener, env=env) as plugin:
        plugin.check(PROGRAM)
        request = provider_pb2.CreateRequest(
            urn="urn:pulumi:prod::shop::pulumi-python:dynamic/toy:Toy::a",
            properties=struct({"name": "a", "__provider": NEIGHBOUR}),
        )
        call = plugin.stub.Create.future(request, timeout=60)
        until((tmp_path / "waiting").exists)
        listener.die()
        time.sleep(4 * alone.LOOK_EVERY)
        assert not plugin.ended
        (tmp_path / "go").touch()
        assert call.result().id == "a"
        assert plugin.wait() == 0


# --- In this process -----------------------------------------------------------


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as made:
        yield made


def test_without_an_engine_or_a_pool_nothing_is_watched(
    monkeypatch: pytest.MonkeyPatch, pool: ThreadPoolExecutor
) -> None:
    """A host that is not the known one is left as it is."""
    started: list[object] = []
    monkeypatch.setattr(alone, "_watching", threading.Lock())
    monkeypatch.setattr(alone, "_watch", lambda: started.append(1))
    monkeypatch.setattr(engine, "_found", Engine(None))
    assert pool.submit(leave_when_alone).result() is False
    monkeypatch.setattr(engine, "_found", Engine("127.0.0.1:1"))
    monkeypatch.setattr(alone, "_pool_threads", lambda: iter(()))
    assert leave_when_alone() is False
    assert started == []


def test_one_watcher_is_enough(
    monkeypatch: pytest.MonkeyPatch, pool: ThreadPoolExecutor
) -> None:
    """Each provider of a process configures, and one thread looks."""
    started = threading.Semaphore(0)
    monkeypatch.setattr(alone, "_watching", threading.Lock())
    monkeypatch.setattr(alone, "_watch", started.release)
    monkeypatch.setattr(engine, "_found", Engine("127.0.0.1:1"))
    assert [pool.submit(leave_when_alone).result() for _ in range(2)] == [True, True]
    assert started.acquire(timeout=30)
    assert not started.acquire(blocking=False)


def test_it_leaves_when_the_engine_is_gone_and_nothing_runs(
    monkeypatch: pytest.MonkeyPatch, pool: ThreadPoolExecutor
) -> None:
    """Neither a live engine nor a call under way is left; twice quiet is quiet."""
    looks = [(True, False), (False, True), (False, False), (True, False)]
    looks += [(False, False), (False, False)]
    left: list[str] = []

    class There:
        def alive(self) -> bool:
            self.alive_, self.busy = looks.pop(0)
            return self.alive_

    there = There()
    monkeypatch.setattr(alone, "LOOK_EVERY", 0)
    monkeypatch.setattr(alone, "FAREWELL", 0)
    monkeypatch.setattr(alone, "the_engine", lambda: there)
    monkeypatch.setattr(alone, "busy", lambda: there.busy)
    # Whoever started the tests in the background has them ignore it.
    monkeypatch.setattr(alone.signal, "getsignal", lambda _: signal.default_int_handler)
    monkeypatch.setattr(alone.signal, "pthread_kill", lambda *_: left.append("said"))
    monkeypatch.setattr(alone.os, "_exit", lambda _: left.append("left"))
    pool.submit(alone._watch).result()
    assert (looks, left) == ([], ["said", "left"])
    monkeypatch.setattr(alone.signal, "getsignal", lambda _: signal.SIG_IGN)
    alone._leave()
    assert left == ["said", "left", "left"]


def test_a_call_under_way_is_seen(pool: ThreadPoolExecutor) -> None:
    """A thread that answers is told from one that waits for work."""
    go, begun = threading.Event(), threading.Event()
    call = pool.submit(lambda: (begun.set(), go.wait(30)))
    assert begun.wait(30)
    assert alone.busy()
    go.set()
    call.result()
    until(lambda: not alone.busy())
