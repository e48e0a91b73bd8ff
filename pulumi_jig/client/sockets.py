"""
Sockets whose every wait ends at one deadline.

HTTP libraries limit each read; a server that sends a byte now and then stays below such
a limit for ever. Here connecting, the TLS handshake, sending and each read get what is
left of the calling thread's deadline. What is not bounded: the name lookup, which is the
system's and cannot be interrupted (it has limits of its own).

The sockets also know whether a request has begun to leave this machine, and whether
anything came back. Only a request of which a byte was handed to the kernel can have had
an effect.
"""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpcore

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Mapping

#: Bytes handed to the socket at a time, so that a slow reader meets the deadline.
_CHUNK: Final = 64 * 1024


class HandshakeTimeout(httpcore.ConnectTimeout):
    """The connection stood, the TLS handshake did not end."""


@dataclass
class Exchange:
    """
    One request and its answer, as the sockets see them.

    Attributes:
        deadline: When it must end, on the monotonic clock.
        writing: Whether what is written now belongs to the request itself; before that,
            it is the handshake with a proxy.
        sent: Whether a byte of the request may have been handed to the kernel.
        received: The first bytes that came back for it.
    """

    deadline: float
    writing: bool = False
    sent: bool = False
    received: bytes = b""

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Follow what httpcore does; see its `trace` extension."""
        if event == "http11.send_request_headers.started":
            self.writing = info["request"].method != b"CONNECT"


class Backend(httpcore.NetworkBackend):
    """Sockets whose every wait ends at the calling thread's deadline."""

    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()
        self._local = threading.local()

    def begin(self, timeout: float) -> Exchange:
        """Begin the calling thread's next exchange, which may take so many seconds."""
        self._local.exchange = Exchange(time.monotonic() + timeout)
        return self.exchange

    @property
    def exchange(self) -> Exchange:
        """The calling thread's exchange."""
        exchange: Exchange = self._local.exchange
        return exchange

    def left(self, timeout: float | None, error: type[Exception]) -> float:
        """What a wait may take: its own limit or what is left, in seconds."""
        left = self.exchange.deadline - time.monotonic()
        if left <= 0:
            raise error
        return left if timeout is None else min(timeout, left)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Open a connection; all addresses of the host share one time limit."""
        until = time.monotonic() + self.left(timeout, httpcore.ConnectTimeout)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            # A label that is empty or too long is a UnicodeError.
            raise httpcore.ConnectError from error
        failure: Exception = httpcore.ConnectTimeout()
        for address in dict.fromkeys(str(entry[4][0]) for entry in found):
            left = until - time.monotonic()
            if left <= 0:
                break
            try:
                stream = self._inner.connect_tcp(
                    address, port, left, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return Stream(stream, self)
        raise failure


class Stream(httpcore.NetworkStream):
    """A connection whose every wait ends at the deadline."""

    def __init__(self, inner: httpcore.NetworkStream, backend: Backend) -> None:
        self._inner = inner
        self._backend = backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Wait for bytes."""
        left = self._backend.left(timeout, httpcore.ReadTimeout)
        found = self._inner.read(max_bytes, left)
        exchange = self._backend.exchange
        if exchange.sent and not exchange.received:
            exchange.received = found
        return found

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes."""
        exchange = self._backend.exchange
        exchange.sent = exchange.sent or exchange.writing
        for start in range(0, len(buffer), _CHUNK):
            left = self._backend.left(timeout, httpcore.WriteTimeout)
            self._inner.write(buffer[start : start + _CHUNK], left)

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Shake hands."""
        left = self._backend.left(timeout, HandshakeTimeout)
        try:
            stream = self._inner.start_tls(ssl_context, server_hostname, left)
        except httpcore.ConnectTimeout:
            raise HandshakeTimeout from None
        return Stream(stream, self._backend)

    def get_extra_info(self, info: str) -> Any:
        """What the connection knows about itself."""
        return self._inner.get_extra_info(info)
