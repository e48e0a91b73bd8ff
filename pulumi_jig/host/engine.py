"""
The engine's own gRPC server: messages to it, and whether it is still there.

Both are best effort and short. An engine that is gone, or stopped in a debugger, must
not hold up a plugin that looks after a deployment.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from typing import Any, Final

from pulumi_jig.host.frames import enabled

#: Seconds for which one answer to "is the engine there?" holds.
PULSE_LIFE: Final = 1.0
#: Seconds to wait for the engine's address to answer.
PULSE_TIMEOUT: Final = 2.0
#: Seconds that a message may take, and for which an engine that took none gets no more.
MESSAGE_TIMEOUT: Final = 2.0
MUTE: Final = 30.0


class Engine:
    """The engine's own gRPC server, whose address is this process's last argument."""

    def __init__(self, address: str | None) -> None:
        self.address = address
        self._stub: Any = None
        self._lock = threading.Lock()
        self._pulse_lock = threading.Lock()
        self._muted_until = 0.0
        self._checked = 0.0
        self._there = True

    def log(
        self, severity: str, message: str, *, urn: str | None, ephemeral: bool
    ) -> bool:
        """Send a message; False where nobody takes it, and soon, whoever is gone."""
        if self.address is None or time.monotonic() < self._muted_until:
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
                timeout=MESSAGE_TIMEOUT,
            )
        except Exception:
            self._muted_until = time.monotonic() + MUTE
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
        with self._pulse_lock:
            now = time.monotonic()
            if self._there and now - self._checked >= PULSE_LIFE:
                self._there = _listens(self.address)
                self._checked = now
            return self._there


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=PULSE_TIMEOUT):
            return True
    except ConnectionRefusedError:
        return False
    except (OSError, ValueError):
        # Slow or strange is not gone.
        return True


_found: Engine | None = None


def the_engine() -> Engine:
    """The engine that started this process; one that nobody finds takes no messages."""
    global _found  # noqa: PLW0603 - one engine per process
    if _found is None:
        _found = Engine(_engine_address())
    return _found


def _engine_address() -> str | None:
    """The host is started as `python -m pulumi.dynamic [flags] HOST:PORT`."""
    if not enabled() or "pulumi.dynamic" not in _main_module():
        return None
    last = sys.argv[-1] if len(sys.argv) > 1 else ""
    host, _, port = last.rpartition(":")
    return last if host and port.isdigit() else None


def _main_module() -> str:
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    return getattr(spec, "name", "") or ""
