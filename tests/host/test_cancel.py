"""Ctrl-C: a wait ends at once, and nothing is lost."""

from __future__ import annotations

import sys
import threading
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from google.protobuf import empty_pb2
from plugin import Failed, Listener, Plugin

from pulumi_jig.emulator import start
from pulumi_jig.host import PLAIN_VARIABLE, cancel, cancelled, hear_cancel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulumi_jig.emulator import RunningEmulator

PROGRAM = {
    "name": "llm-prod",
    "image": "registry.example/never-ready:1",
    "gpu_type": "none",
}


@pytest.fixture
def emulator() -> Iterator[RunningEmulator]:
    """A service in which nothing becomes ready."""
    with start(time_scale=0) as running:
        yield running


def test_an_interrupted_creation_is_in_the_state(emulator: RunningEmulator) -> None:
    """The first Ctrl-C ends the wait as a partial failure with the id (Case T15)."""
    engine = Listener()
    with Plugin(emulator.url, engine=engine) as plugin:
        inputs, failures = plugin.check(PROGRAM)
        assert failures == []
        ended: list[Failed] = []

        def create() -> None:
            with pytest.raises(Failed) as failed:
                plugin.create(inputs)
            ended.append(failed.value)

        thread = threading.Thread(target=create)
        thread.start()
        engine.wait_for("replicas ready")
        plugin.stub.Cancel(empty_pb2.Empty(), timeout=30)
        thread.join(timeout=30)

    assert not thread.is_alive()
    (failure,) = ended
    assert failure.id == "llm-prod"
    assert failure.outputs["deployment_id"] == emulator.admin.deployments()[0]["id"]
    assert "interrupted" in failure.message
    assert "billing" in failure.message
    engine.die()


def test_the_known_stub_tells_and_answers_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The host's own function, registered long ago, says that it was called."""

    class Servicer:
        def Cancel(self, request: object, context: object) -> empty_pb2.Empty:  # noqa: N802
            return empty_pb2.Empty()

    registered = Servicer.Cancel
    monkeypatch.setattr(cancel, "_cancelled", threading.Event())
    monkeypatch.setitem(sys.modules, "__main__", _main(Servicer))
    # What is put into the host's module is put into this one here; it goes at the end.
    monkeypatch.setitem(registered.__globals__, cancel._TELL, None)

    assert hear_cancel() is True
    assert cancelled() is False
    assert empty_pb2.Empty() == registered(Servicer(), None, None)
    assert cancelled() is True


def test_a_host_that_is_not_the_known_stub_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only the stub that has always been there is replaced; else a wait goes on."""

    class Servicer:
        def Cancel(self, request: object, context: object) -> None:  # noqa: N802
            """A host of the future, which does something with it."""
            print(request, context)

    monkeypatch.setitem(sys.modules, "__main__", _main(Servicer))
    before = Servicer.Cancel.__code__

    assert hear_cancel() is False
    assert Servicer.Cancel.__code__ is before


def _main(servicer: type) -> ModuleType:
    """The plugin host's main module."""
    main = ModuleType("__main__")
    main.DynamicResourceProviderServicer = servicer  # type: ignore[attr-defined]
    return main


def test_a_process_without_the_host_hears_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where no plugin host runs there is nothing to be told by."""
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))

    assert hear_cancel() is False


def test_a_plain_host_hears_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The switch that turns the bridge off turns this off, too."""
    monkeypatch.setenv(PLAIN_VARIABLE, "1")
    assert hear_cancel() is False
