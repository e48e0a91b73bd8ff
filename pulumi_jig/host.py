"""
The host bridge: all that is not in the contract of a Python dynamic provider.

Pulumi hosts a dynamic provider in `python -m pulumi.dynamic` and hands its methods
dictionaries: no URN, no time limit, no way to report a half-finished creation, four
threads for all resources of a stack. The engine sends and accepts all of that; only the
host in between drops it. This module takes it from the host's own stack frames and from
its gRPC context.

Each trick is looked for before it is used, and degrades to what a plain dynamic provider
can do:

    trick                       without it
    request fields (URN, ...)   no mark, default time limits, state instead of inputs
    partial state               state is kept and marked `__unready`; diff demands an
                                update, stderr says why
    clean errors                the host's own traceback, ending in the message
    wider thread pool           four operations at a time
    live progress               none
    engine still there?         taken to be there

`PULUMI_JIG_PLAIN_HOST=1` turns all of them off. Every one is pinned by a test against
the installed SDK. No other module knows that frames exist.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn

from pulumi_jig.values import UNKNOWN, SecretValue, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import FrameType

PLAIN_VARIABLE: Final = "PULUMI_JIG_PLAIN_HOST"

#: Seconds for which one answer to "is the engine there?" holds.
_PULSE_LIFE: Final = 1.0
#: Seconds between two progress lines of one operation, at least.
_PROGRESS_PAUSE: Final = 0.5
#: gRPC's UNKNOWN. The code inside the details must equal the one outside, and the host
#: answers every exception with this one.
_GRPC_UNKNOWN: Final = 2


def _enabled() -> bool:
    return os.environ.get(PLAIN_VARIABLE, "") in ("", "0")


# --- One call ------------------------------------------------------------------


@dataclass
class Call:
    """
    The engine's request that is being answered, as far as it can be seen.

    Attributes:
        urn: The resource's URN.
        timeout: The operation's time limit in seconds, from `custom_timeouts`.
        ignore_changes: Property paths that the program ignores.
        old_inputs: The inputs that the state holds, as plain data.
    """

    urn: str | None = None
    timeout: float | None = None
    ignore_changes: tuple[str, ...] = ()
    old_inputs: dict[str, Any] | None = None
    _context: Any = None
    _last_line: str = field(default="", repr=False)
    _last_shown: float = field(default=0.0, repr=False)

    # --- Reporting -------------------------------------------------------------

    def log(self, severity: str, message: str) -> None:
        """Tell people something, on the resource; without an engine, on stderr."""
        if not _engine().log(severity, message, urn=self.urn, ephemeral=False):
            where = f" ({self.urn.rsplit('::', 1)[-1]})" if self.urn else ""
            print(f"{severity}: {message}{where}", file=sys.stderr, flush=True)

    def progress(self, line: str) -> None:
        """Show a line beside the resource while it is worked on."""
        now = time.monotonic()
        if line == self._last_line or now - self._last_shown < _PROGRESS_PAUSE:
            return
        self._last_line, self._last_shown = line, now
        _engine().log("info", line, urn=self.urn, ephemeral=True)

    # --- Is anybody there? -----------------------------------------------------

    def engine_alive(self) -> bool:
        """False once the engine that asked is gone; True where that cannot be told."""
        if self._context is not None:
            try:
                if not self._context.is_active():
                    return False
            except Exception:
                # Another version of gRPC, another way to ask; the address remains.
                self._context = None
        return _engine().alive()

    # --- Failing ---------------------------------------------------------------

    def fail(self, message: str) -> NoReturn:
        """End the call with one clean sentence."""
        self._attach(message, None)
        raise HostError(message) from None

    def fail_partially(
        self, message: str, id_: str, outputs: dict[str, Any], reasons: Sequence[str]
    ) -> bool:
        """
        Prepare the end of the call as a partial failure; the caller raises afterwards.

        Returns:
            Whether the engine will hear of the partial state.
        """
        try:
            from pulumi.runtime.proto import provider_pb2

            detail = provider_pb2.ErrorResourceInitFailed(
                id=id_, properties=to_struct(outputs), reasons=list(reasons)
            )
        except Exception:
            return False
        return self._attach(message, detail)

    def _attach(self, message: str, detail: Any) -> bool:
        if self._context is None:
            return False
        try:
            from google.protobuf import any_pb2
            from pulumi.runtime.proto import status_pb2

            status = status_pb2.Status(code=_GRPC_UNKNOWN, message=message)
            if detail is not None:
                packed = any_pb2.Any()
                packed.Pack(detail)
                status.details.append(packed)
            self._context.set_trailing_metadata(
                (("grpc-status-details-bin", status.SerializeToString()),)
            )
        except Exception:
            return False
        return True


class HostError(Exception):
    """What the plugin host turns into a failed call."""


def current_call() -> Call:
    """The request that this thread is answering, or an empty one."""
    if not _enabled():
        return Call()
    for frame in _frames():
        local = frame.f_locals
        request, context = local.get("request"), local.get("context")
        if hasattr(request, "DESCRIPTOR") and hasattr(context, "set_trailing_metadata"):
            return _read(request, context)
    return Call()


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the only way there is
    while frame is not None:
        yield frame
        frame = frame.f_back


def _read(request: Any, context: Any) -> Call:
    call = Call(_context=context)
    call.urn = getattr(request, "urn", None) or None
    with contextlib.suppress(Exception):
        call.timeout = float(getattr(request, "timeout", 0.0)) or None
    with contextlib.suppress(Exception):
        call.ignore_changes = tuple(getattr(request, "ignoreChanges", ()))
    for name in ("old_inputs", "inputs"):
        # An update and a diff bring `old_inputs`, a refresh brings `inputs`.
        struct = getattr(request, name, None)
        if struct is not None and getattr(struct, "fields", None):
            with contextlib.suppress(Exception):
                call.old_inputs = from_struct(struct)
            break
    return call


def from_struct(struct: Any) -> dict[str, Any]:
    """A gRPC struct as plain data, secrets revealed, bookkeeping of Pulumi left out."""
    from pulumi.runtime import rpc

    found = rpc.deserialize_properties(struct, True)
    return from_pulumi(found)


def to_struct(data: Mapping[str, Any]) -> Any:
    """Plain data as a gRPC struct, secrets marked."""
    import asyncio

    from pulumi.runtime import rpc

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(rpc.serialize_properties(dict(data), {}))
    finally:
        loop.close()


# --- Values --------------------------------------------------------------------


def from_pulumi(data: Mapping[str, Any]) -> dict[str, Any]:
    """
    What the host hands over, as plain data; the serialised provider left out.

    Every number arrives as a float; whole ones become integers here, once for all.
    """
    found: dict[str, Any] = whole_numbers(_from(dict(data)))
    found.pop("__provider", None)
    return found


def _from(value: Any) -> Any:
    from pulumi.output import Unknown
    from pulumi.runtime import rpc

    if isinstance(value, Unknown):
        return UNKNOWN
    if rpc.is_rpc_secret(value):
        return _from(rpc.unwrap_rpc_secret(value))
    if isinstance(value, dict):
        return {key: _from(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_from(item) for item in value]
    return value


def to_pulumi(value: Any) -> Any:
    """Plain data as the host takes it: secrets wrapped, unknowns in Pulumi's form."""
    if value is UNKNOWN:
        from pulumi.output import Unknown

        return Unknown()  # type: ignore[no-untyped-call] # Pulumi left it untyped.
    if isinstance(value, SecretValue):
        from pulumi.runtime import rpc

        return rpc.wrap_rpc_secret(to_pulumi(value.value))
    if isinstance(value, dict):
        return {key: to_pulumi(item) for key, item in value.items()}
    if isinstance(value, list):
        return [to_pulumi(item) for item in value]
    return value


# --- The engine ----------------------------------------------------------------


class _Engine:
    """The engine's own gRPC server, whose address is this process's last argument."""

    def __init__(self, address: str | None) -> None:
        self.address = address
        self._stub: Any = None
        self._lock = threading.Lock()
        self._checked = 0.0
        self._there = True

    def log(
        self, severity: str, message: str, *, urn: str | None, ephemeral: bool
    ) -> bool:
        """Send a message; False where nobody takes it."""
        if self.address is None:
            return False
        try:
            from pulumi.runtime.proto import engine_pb2

            level = {
                "debug": engine_pb2.DEBUG,
                "info": engine_pb2.INFO,
                "warning": engine_pb2.WARNING,
                "error": engine_pb2.ERROR,
            }[severity]
            self._connected().Log(
                engine_pb2.LogRequest(
                    severity=level, message=message, urn=urn or "", ephemeral=ephemeral
                ),
                timeout=5,
            )
        except Exception:
            return False
        return True

    def _connected(self) -> Any:
        with self._lock:
            if self._stub is None:
                import grpc
                from pulumi.runtime.proto import engine_pb2_grpc

                # The engine is on this machine; a proxy would not find it.
                channel = grpc.insecure_channel(
                    self.address, options=[("grpc.enable_http_proxy", 0)]
                )
                self._stub = engine_pb2_grpc.EngineStub(channel)
            return self._stub

    def alive(self) -> bool:
        """Whether something still listens at the engine's address."""
        if self.address is None:
            return True
        with self._lock:
            now = time.monotonic()
            if self._there and now - self._checked >= _PULSE_LIFE:
                self._there = _listens(self.address)
                self._checked = now
            return self._there


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=5):
            return True
    except ConnectionRefusedError:
        return False
    except (OSError, ValueError):
        # Slow or strange is not gone.
        return True


_found_engine: _Engine | None = None


def _engine() -> _Engine:
    global _found_engine  # noqa: PLW0603 - one engine per process
    if _found_engine is None:
        _found_engine = _Engine(_engine_address())
    return _found_engine


def _engine_address() -> str | None:
    """The host is started as `python -m pulumi.dynamic [flags] HOST:PORT`."""
    if not _enabled() or "pulumi.dynamic" not in _main_module():
        return None
    last = sys.argv[-1] if len(sys.argv) > 1 else ""
    host, _, port = last.rpartition(":")
    return last if host and port.isdigit() else None


def _main_module() -> str:
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    return getattr(spec, "name", "") or ""


# --- Threads -------------------------------------------------------------------


def widen(threads: int) -> bool:
    """
    Give the plugin host as many threads as the API client may have requests.

    The stock host has four for everything: four deployments that wait for a roll-out
    stop every other resource of the stack. Threads are started for calls that are
    queued already (a refresh begins with a burst), because a thread pool otherwise
    grows only when the next call arrives.

    Returns:
        Whether the pool was found.
    """
    if not _enabled():
        return False
    for frame in _frames():
        if (
            frame.f_code.co_name != "_worker"
            or "thread" not in frame.f_code.co_filename
        ):
            continue
        reference = frame.f_locals.get("executor_reference")
        try:
            pool = reference() if reference is not None else None
            if pool is None:
                return False
            if pool._max_workers < threads:  # noqa: SLF001 - there is no public way
                pool._max_workers = threads  # noqa: SLF001
                for _ in range(pool._work_queue.qsize()):  # noqa: SLF001
                    pool._adjust_thread_count()  # noqa: SLF001
        except Exception:
            return False
        return True
    return False


# --- The wall ------------------------------------------------------------------


def guarded(call: Call, run: Callable[[], Any]) -> Any:
    """
    Answer a call so that it ends cleanly whatever happens.

    Anything but an `Exception` would leave the call unanswered for ever: the host
    catches no other, and the engine sets no limit.
    """
    from pulumi_jig.errors import JigError

    try:
        return run()
    except HostError:
        raise
    except JigError as error:
        call.fail(error.message)
    except BaseException as error:
        _explain(error)
        # The text of a foreign exception may hold anything, secrets included.
        call.fail(
            f"pulumi_jig met an internal error ({type(error).__name__}); please report "
            "it. Set PULUMI_JIG_DEBUG=1 to see where it happened."
        )


def _explain(error: BaseException) -> None:
    if os.environ.get("PULUMI_JIG_DEBUG", "") in ("", "0"):
        return
    import traceback

    for entry in traceback.extract_tb(error.__traceback__):
        print(
            f"  {entry.filename}:{entry.lineno} in {entry.name}",
            file=sys.stderr,
            flush=True,
        )
