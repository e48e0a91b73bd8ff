"""The bridge's parts in this process: what they do where the host is another one."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from plugin import KNOWS_OLD_OUTPUTS, PROVIDER, URN, Listener, failure, struct
from pulumi.output import Unknown
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2
from scripted import RawServer, free_port

from pulumi_jig import host
from pulumi_jig.errors import InputError
from pulumi_jig.host import calls, engine, threads
from pulumi_jig.host.engine import Engine
from pulumi_jig.host.values import from_struct, to_struct
from pulumi_jig.values import UNKNOWN, SecretValue

if TYPE_CHECKING:
    from collections.abc import Callable


class Context:
    """A gRPC context as far as the bridge needs one."""

    def __init__(self, *, active: bool = True) -> None:
        self.active = active
        self.metadata: tuple[tuple[str, bytes], ...] = ()

    def is_active(self) -> bool:
        """Whether the caller is there."""
        return self.active

    def set_trailing_metadata(self, metadata: tuple[tuple[str, bytes], ...]) -> None:
        """Keep it."""
        self.metadata = metadata

    def seen(self) -> Any:
        """What the engine would read."""
        return failure(
            SimpleNamespace(
                trailing_metadata=lambda: self.metadata,
                code=lambda: grpc.StatusCode.UNKNOWN,
                details=lambda: "Traceback ...",
            )
        )


class Broken(Context):
    """A context of another version of gRPC."""

    def is_active(self) -> bool:
        """Not any more."""
        raise AttributeError

    def set_trailing_metadata(self, metadata: Any) -> None:
        """Not any more."""
        raise AttributeError


def serve(request: Any, context: Any, run: Callable[[], Any]) -> Any:
    """What the plugin host's servicer looks like from below."""
    return run()


@pytest.fixture(autouse=True)
def _no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test finds its own engine, none by default."""
    monkeypatch.setattr(engine, "_found", Engine(None))
    monkeypatch.delenv(host.PLAIN_VARIABLE, raising=False)


# --- What is asked -------------------------------------------------------------


def test_a_request_is_found_in_the_frames() -> None:
    """URN, time limit, ignored paths and old inputs come from the request."""
    request = provider_pb2.UpdateRequest(
        urn=URN,
        timeout=60.0,
        ignoreChanges=["cpu"],
        old_inputs=struct({"cpu": 2.0, "__provider": PROVIDER}),
    )
    call = serve(request, Context(), host.current_call)
    assert call.urn == URN
    assert call.timeout == 60.0
    assert call.ignore_changes == ("cpu",)
    assert call.old_inputs == {"cpu": 2}


def test_a_refresh_brings_inputs_under_another_name() -> None:
    """A read's `inputs` are the old inputs."""
    request = provider_pb2.ReadRequest(urn="", inputs=struct({"cpu": 2.0}))
    call = serve(request, Context(), host.current_call)
    assert (call.urn, call.timeout, call.old_inputs) == (None, None, {"cpu": 2})


@pytest.mark.skipif(not KNOWS_OLD_OUTPUTS, reason="this SDK's check has no old outputs")
def test_a_check_brings_the_outputs_where_there_are_any() -> None:
    """Of a new resource, a replacement and an older engine there are none."""
    outputs = struct({"cpu": 2.0, "__provider": PROVIDER})
    request = provider_pb2.CheckRequest(urn=URN, old_outputs=outputs)
    assert serve(request, Context(), host.current_call).old_outputs == {"cpu": 2}
    for request in (
        provider_pb2.CheckRequest(urn=URN, old_outputs=struct({})),
        provider_pb2.CheckRequest(urn=URN),
        provider_pb2.DiffRequest(urn=URN),
    ):
        assert serve(request, Context(), host.current_call).old_outputs is None


def test_without_a_request_there_is_an_empty_call() -> None:
    """Another host is no error."""
    assert host.current_call() == calls.Call()


def test_the_switch_turns_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """PULUMI_JIG_PLAIN_HOST leaves a plain dynamic provider; 0 does not."""
    request = provider_pb2.CreateRequest(urn=URN)
    monkeypatch.setenv(host.PLAIN_VARIABLE, "1")
    assert serve(request, Context(), host.current_call).urn is None
    monkeypatch.setenv(host.PLAIN_VARIABLE, "0")
    assert serve(request, Context(), host.current_call).urn == URN


def test_a_request_of_another_version_is_read_as_far_as_it_goes() -> None:
    """Fields that are gone or of another type are passed over."""
    request = SimpleNamespace(
        DESCRIPTOR=None,
        urn=URN,
        timeout="soon",
        ignoreChanges=7,
        old_inputs=SimpleNamespace(fields={"a": 1}),
    )
    call = serve(request, Context(), host.current_call)
    assert (call.urn, call.timeout, call.ignore_changes) == (URN, None, ())
    assert call.old_inputs is None


# --- How it ends ---------------------------------------------------------------


def called(run: Callable[[calls.Call], Any]) -> tuple[Context, BaseException]:
    context = Context()
    call = calls.Call(_context=context)
    with pytest.raises(host.HostError) as caught:
        host.guarded(call, lambda: run(call))
    return context, caught.value


def raising(error: BaseException) -> Callable[[calls.Call], Any]:
    def run(_: calls.Call) -> None:
        raise error

    return run


def test_an_error_of_ours_is_its_sentence() -> None:
    """The engine reads the sentence from the details, without a traceback."""
    context, error = called(raising(InputError("That does not work.")))
    assert str(error) == "That does not work."
    assert context.seen().message == "That does not work."


@pytest.mark.parametrize(
    "kind", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, MemoryError]
)
def test_any_other_exception_is_answered_without_its_text(
    kind: type[BaseException],
) -> None:
    """Case R15: nothing leaves the call but an exception that the host answers."""
    context, error = called(raising(kind("token=canary")))
    assert context.seen().message == str(error)
    assert f"internal error ({kind.__name__})" in str(error)
    assert "canary" not in str(error)


def test_debugging_shows_where_and_not_what(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """PULUMI_JIG_DEBUG prints files and lines, never texts (peers' bug 51)."""
    monkeypatch.setenv("PULUMI_JIG_DEBUG", "1")
    called(raising(ValueError("token=canary")))
    shown = capsys.readouterr().err
    assert "test_bridge.py" in shown
    assert "canary" not in shown


def test_a_result_is_passed_through() -> None:
    """A call that succeeds is left alone."""
    assert host.guarded(calls.Call(), lambda: 42) == 42


def test_a_prepared_end_is_passed_through() -> None:
    """A partial failure that was attached keeps its details."""

    def run(call: calls.Call) -> None:
        outputs = host.to_pulumi({"a": SecretValue("s")})
        assert call.fail_partially("half", "id-1", outputs, ["why"])
        raise host.HostError("half")

    context, _ = called(run)
    seen = context.seen()
    assert (seen.message, seen.id, seen.reasons) == ("half", "id-1", ["why"])


def test_without_a_context_nobody_hears_of_a_partial_state() -> None:
    """The caller is told, and must store the state in another way."""
    assert calls.Call().fail_partially("half", "id", {}, []) is False
    assert calls.Call(_context=Broken()).fail_partially("half", "id", {}, []) is False


def test_a_state_that_cannot_be_sent_is_not_half_sent() -> None:
    """Outputs that are no data leave the details out."""
    context = Context()
    call = calls.Call(_context=context)
    assert call.fail_partially("half", "id", {"a": "\ud800"}, []) is False
    assert context.metadata == ()


# --- Is anybody there ----------------------------------------------------------


def test_a_call_that_was_dropped_has_no_engine() -> None:
    """An inactive context is an engine that is gone."""
    assert calls.Call(_context=Context()).engine_alive() is True
    assert calls.Call(_context=Context(active=False)).engine_alive() is False


def test_a_context_that_cannot_tell_is_not_asked_again() -> None:
    """Where gRPC has changed, the address alone decides."""
    call = calls.Call(_context=Broken())
    assert call.engine_alive() is True
    assert call.engine_alive() is True


def test_an_engine_is_gone_when_nobody_listens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A refused connection to its address is an engine that is gone, for good."""
    listener = Listener()
    there = Engine(f"127.0.0.1:{listener.port}")
    assert there.alive()
    monkeypatch.setattr(engine, "PULSE_LIFE", 0.0)
    assert there.alive()
    listener.die()
    assert not there.alive()
    assert not there.alive()


def test_one_answer_holds_for_a_moment() -> None:
    """A poll of many deployments does not connect for each of them."""
    with RawServer(lambda _: None) as server:
        there = Engine(f"127.0.0.1:{server.port}")
        for _ in range(50):
            assert there.alive()
        assert server.connections <= 2


@pytest.mark.parametrize("address", [None, "nowhere.invalid:1", "127.0.0.1:http"])
def test_what_cannot_be_told_is_taken_to_be_there(address: str | None) -> None:
    """Strange is not gone: a plugin that stops too early loses track of deployments."""
    assert Engine(address).alive() is True


# --- Messages ------------------------------------------------------------------


def test_messages_reach_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log has its severity, a progress line is ephemeral, both carry the URN."""
    listener = Listener()
    monkeypatch.setattr(engine, "_found", Engine(f"127.0.0.1:{listener.port}"))
    call = calls.Call(urn=URN)
    call.log("warning", "mind this")
    call.progress("1/2 replicas")
    call.progress("2/2 replicas")
    listener.die()
    assert [(x.message, x.urn, x.ephemeral, x.severity) for x in listener.lines] == [
        ("mind this", URN, False, 2),
        ("1/2 replicas", URN, True, 1),
    ]


def test_a_line_that_says_the_same_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Lines come when they change, and not faster than people read."""
    listener = Listener()
    monkeypatch.setattr(engine, "_found", Engine(f"127.0.0.1:{listener.port}"))
    monkeypatch.setattr(calls, "PROGRESS_PAUSE", 0.0)
    call = calls.Call(urn=URN)
    for line in ("a", "a", "b"):
        call.progress(line)
    listener.die()
    assert listener.said(ephemeral=True) == ["a", "b"]


def test_without_an_engine_messages_go_to_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is for people is not lost, and names its resource."""
    calls.Call(urn=URN).log("error", "it broke")
    calls.Call().log("info", "all well")
    assert capsys.readouterr().err == "error: it broke (llm)\ninfo: all well\n"


def test_a_closed_stderr_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that nobody can read does not end an operation."""

    class Closed:
        def write(self, _: str) -> None:
            raise BrokenPipeError

        def flush(self) -> None:
            pass

    monkeypatch.setattr(sys, "stderr", Closed())
    calls.Call().log("error", "it broke")


def test_an_engine_that_takes_no_messages_gets_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A stopped engine holds up one message for a moment, not every line of a roll-out."""
    monkeypatch.setattr(engine, "MESSAGE_TIMEOUT", 0.2)
    hold = threading.Event()
    with RawServer(lambda _: hold.wait(5)) as server:
        silent = Engine(f"127.0.0.1:{server.port}")
        for _ in range(50):
            assert silent.log("info", "x", urn=None, ephemeral=True) is False
        # One connection: the other forty-nine messages were not tried.
        assert server.connections <= 1
        hold.set()


def test_an_engine_that_is_gone_takes_no_messages() -> None:
    """A refused connection is an answer of its own."""
    gone = Engine(f"127.0.0.1:{free_port()}")
    assert gone.log("info", "x", urn=None, ephemeral=False) is False
    assert Engine(None).log("info", "x", urn=None, ephemeral=False) is False


@pytest.mark.parametrize(
    ("main", "argv", "expected"),
    [
        ("pulumi.dynamic.__main__", ["x", "127.0.0.1:81"], "127.0.0.1:81"),
        ("pulumi.dynamic.__main__", ["x", "--logtostderr", "h:1"], "h:1"),
        ("pulumi.dynamic.__main__", ["x", "--flag"], None),
        ("pulumi.dynamic.__main__", ["x"], None),
        ("pytest.__main__", ["x", "127.0.0.1:81"], None),
        (None, ["x", "127.0.0.1:81"], None),
    ],
)
def test_the_engines_address_is_the_hosts_last_argument(
    monkeypatch: pytest.MonkeyPatch,
    main: str | None,
    argv: list[str],
    expected: str | None,
) -> None:
    """Only the plugin host's own arguments are read, and only an address."""
    spec = SimpleNamespace(name=main) if main else None
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", spec)
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(engine, "_found", None)
    assert engine.the_engine().address == expected
    assert engine.the_engine() is engine.the_engine()


# --- Threads -------------------------------------------------------------------


def test_a_pool_is_widened_for_what_waits_already() -> None:
    """Calls that were queued before are started, not only those that come."""
    pool = ThreadPoolExecutor(max_workers=2)
    barrier = threading.Barrier(12, timeout=20)
    go = threading.Event()

    def first() -> bool:
        go.wait(20)
        found = host.widen(12)
        barrier.wait()
        return found

    widened = pool.submit(first)
    others = [pool.submit(barrier.wait) for _ in range(11)]
    go.set()
    assert widened.result() is True
    for each in others:
        each.result()
    pool.shutdown()


def test_a_wide_pool_is_left_alone() -> None:
    """A host that is wide enough keeps its number."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        assert pool.submit(host.widen, 4).result() is True
        assert pool._max_workers == 8


def test_without_a_pool_nothing_is_widened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another host, or the switch: four threads are what there is."""
    assert host.widen(12) is False
    monkeypatch.setenv(host.PLAIN_VARIABLE, "1")
    with ThreadPoolExecutor(max_workers=2) as pool:
        assert pool.submit(host.widen, 4).result() is False


class _Frame(SimpleNamespace):
    f_code = SimpleNamespace(co_name="_worker", co_filename="/lib/thread.py")


@pytest.mark.parametrize(
    "local",
    [{}, {"executor_reference": lambda: None}, {"executor_reference": object}],
    ids=["no reference", "pool is gone", "another pool"],
)
def test_a_pool_of_another_version_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, local: dict[str, Any]
) -> None:
    """What is not as expected is not touched."""
    monkeypatch.setattr(threads, "frames", lambda: iter([_Frame(f_locals=local)]))
    assert host.widen(12) is False


# --- Values --------------------------------------------------------------------


def test_data_is_plain_inside_and_pulumis_outside() -> None:
    """Case V1: whole floats become integers, secrets and unknowns keep what they are."""
    given = {
        "gpu_count": 2.0,
        "memory": 2.5,
        "token": rpc.wrap_rpc_secret("s"),
        "image": Unknown(),
        "list": [1.0, (2.0,)],
        "__provider": PROVIDER,
    }
    assert host.from_pulumi(given) == {
        "gpu_count": 2,
        "memory": 2.5,
        "token": "s",
        "image": UNKNOWN,
        "list": [1, [2]],
    }
    back = host.to_pulumi({"a": [SecretValue({"b": 1})], "c": UNKNOWN, "d": "x"})
    assert rpc.is_rpc_secret(back["a"][0])
    assert isinstance(back["c"], Unknown)
    assert back["d"] == "x"


def test_a_struct_there_and_back() -> None:
    """What the engine stores of a partial failure is what a state would hold."""
    wrapped = host.to_pulumi({"a": 1, "b": SecretValue("s"), "__provider": PROVIDER})
    assert from_struct(to_struct(wrapped)) == {"a": 1, "b": "s"}
