"""
The request that is being answered: what it brings, and how it ends.

Every call ends in a response: one that ended in a `BaseException` would never be answered
by the host, and the engine would wait for ever.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn

from pulumi_jig.host.engine import the_engine
from pulumi_jig.host.frames import enabled, frames
from pulumi_jig.host.values import from_struct, to_struct
from pulumi_jig.text import safe_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

#: Seconds between two progress lines of one operation, at least.
PROGRESS_PAUSE: Final = 0.5
#: Seconds without a line after which one says that the service is waited for.
SILENCE: Final = 4.0
#: gRPC's UNKNOWN. The code inside the details must equal the one outside, and the host
#: answers every exception with this one.
_GRPC_UNKNOWN: Final = 2


@dataclass
class Call:
    """
    The engine's request that is being answered, as far as it can be seen.

    Attributes:
        urn: The resource's URN.
        timeout: The operation's time limit in seconds, from `custom_timeouts`.
        ignore_changes: Property paths that the program ignores.
        old_inputs: The inputs that the state holds, as plain data.
        old_outputs: The outputs that the state holds, as plain data; in a check only,
            of an existing resource, from engine 3.274 on.
    """

    urn: str | None = None
    timeout: float | None = None
    ignore_changes: tuple[str, ...] = ()
    old_inputs: dict[str, Any] | None = None
    old_outputs: dict[str, Any] | None = None
    _context: Any = None
    _last_line: str = field(default="", repr=False)
    _last_shown: float = field(default=0.0, repr=False)

    # --- Reporting -------------------------------------------------------------

    def log(self, severity: str, message: str) -> None:
        """Tell people something, on the resource; without an engine, on stderr."""
        message = safe_message(message)
        if not the_engine().log(severity, message, urn=self.urn, ephemeral=False):
            where = f" ({self.urn.rsplit('::', 1)[-1]})" if self.urn else ""
            # A message that nobody can read is no reason to fail.
            with contextlib.suppress(OSError, ValueError):
                print(f"{severity}: {message}{where}", file=sys.stderr, flush=True)

    def progress(self, line: str) -> None:
        """Show a line beside the resource while it is worked on."""
        line = safe_message(line)
        now = time.monotonic()
        if line == self._last_line or now - self._last_shown < PROGRESS_PAUSE:
            return
        self._show(line, now)

    def done(self, line: str) -> None:
        """
        End in what was reached: the engine leaves the last line beside the resource.

        Args:
            line: What was reached; empty where the engine's own word says it all.
        """
        if self._last_line not in ("", line):
            self._show(line, time.monotonic())

    def _show(self, line: str, now: float) -> None:
        self._last_line, self._last_shown = line, now
        the_engine().log("info", line, urn=self.urn, ephemeral=True)

    @contextlib.contextmanager
    def never_silent(self) -> Iterator[None]:
        """
        Say that the service is waited for, as long as nothing else is said.

        A server that does not respond is tried for many seconds, and a run without a
        word looks like one that hangs.
        """
        ended, began = threading.Event(), time.monotonic()
        line = ""

        def watch() -> None:
            nonlocal line
            while not ended.wait(SILENCE) and self._last_line == line:
                waited = int(time.monotonic() - began)
                line = f"no response from the service for {waited} s; still trying"
                self._show(line, began)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
        if line and self._last_line == line:
            self.done(f"went on after {int(time.monotonic() - began)} s")

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
        return the_engine().alive()

    # --- Failing ---------------------------------------------------------------

    def fail(self, message: str) -> NoReturn:
        """End the call with one clean sentence."""
        message = safe_message(message)
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
                id=id_,
                properties=to_struct(outputs),
                reasons=[safe_message(reason) for reason in reasons],
            )
        except Exception:
            return False
        return self._attach(safe_message(message), detail)

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
    if not enabled():
        return Call()
    for frame in frames():
        local = frame.f_locals
        request, context = local.get("request"), local.get("context")
        if hasattr(request, "DESCRIPTOR") and hasattr(context, "set_trailing_metadata"):
            return _read(request, context)
    return Call()


def _read(request: Any, context: Any) -> Call:
    call = Call(_context=context)
    call.urn = getattr(request, "urn", None) or None
    with contextlib.suppress(Exception):
        call.timeout = float(getattr(request, "timeout", 0.0)) or None
    with contextlib.suppress(Exception):
        call.ignore_changes = tuple(getattr(request, "ignoreChanges", ()))
    # An update and a diff bring `old_inputs`, a refresh brings `inputs`.
    call.old_inputs = _plain(
        getattr(request, "old_inputs", None) or getattr(request, "inputs", None)
    )
    call.old_outputs = _plain(getattr(request, "old_outputs", None))
    return call


def _plain(struct: Any) -> dict[str, Any] | None:
    """A struct of a request as plain data; None where it is missing or empty."""
    if not getattr(struct, "fields", None):
        return None
    with contextlib.suppress(Exception):
        return from_struct(struct)
    return None


def guarded(call: Call, run: Callable[[], Any]) -> Any:
    """
    Answer a call so that it ends cleanly whatever happens.

    Anything but an `Exception` would leave the call unanswered for ever: the host
    catches no other, and the engine sets no limit.
    """
    from pulumi_jig.errors import JigError

    try:
        with call.never_silent():
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
