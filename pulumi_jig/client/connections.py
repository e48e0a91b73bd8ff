"""
Connections that threads share by taking turns, never at the same time.

httpcore's own pool looks at idle connections while another thread may already be using
one of them. Under contention it then takes an answer that arrives for a server that hung
up, and closes a connection with a request in flight: with 32 threads on 4 connections to
a healthy server, 8 of 3,000 requests lost their connection that way, and in another run
one waited until its time limit. A lost POST would be an ambiguous end that no server
caused. So each connection here belongs to one thread from the first byte of a request
to the last byte of its answer.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

import httpcore

from pulumi_jig.client.tls_proxy import shown, ssl_context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulumi_jig.client.sockets import Backend
    from pulumi_jig.config import Settings

#: Unused connections are closed after so many seconds: before the servers in common use
#: close them (5 s and more), since a request that crosses such a close is lost.
KEEPALIVE_EXPIRY: Final = 4.0


class ExclusiveBody:
    """
    The body of an answer as it arrives; its connection is free once this is closed.

    Args:
        answer: The answer.
        connection: Whose connection it came on.
        owner: Who gets the connection back.
    """

    def __init__(
        self,
        answer: httpcore.Response,
        connection: httpcore.ConnectionPool,
        owner: Connections,
    ) -> None:
        self._answer = answer
        self._connection = connection
        self._owner = owner

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.iter_stream()

    def close(self) -> None:
        """Give the connection back, or close it where the body was not read."""
        try:
            self._answer.close()
        finally:
            self._owner.give_back(self._connection)


class Head(NamedTuple):
    """An answer whose body is still to be read."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: ExclusiveBody


class Connections:
    """
    Up to `settings.parallel` connections, the most recently used one first.

    Args:
        settings: Address and number of connections.
        proxy: The proxy's URL, or None.
        backend: Where sockets come from.

    Raises:
        ConfigError: The environment names certificates that cannot be read.
    """

    def __init__(self, settings: Settings, proxy: str | None, backend: Backend) -> None:
        self._proxy = proxy
        self._options: dict[str, Any] = {
            # One context for all: it takes about 20 ms to load the certificates.
            "ssl_context": ssl_context()
            if settings.base_url.startswith("https:")
            else None,
            "max_connections": 1,
            "keepalive_expiry": KEEPALIVE_EXPIRY,
            "network_backend": backend,
        }
        self._turns = threading.BoundedSemaphore(settings.parallel)
        # Appending to and popping from a list is atomic.
        self._idle: list[httpcore.ConnectionPool] = []

    def handle_request(self, request: httpcore.Request) -> Head:
        """
        Wait for a turn, send, and wait for the header of the answer.

        Raises:
            httpcore.PoolTimeout: All connections were busy.
        """
        if not self._turns.acquire(timeout=request.extensions["timeout"]["pool"]):
            raise httpcore.PoolTimeout
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._open()
        try:
            answer = connection.handle_request(request)
        except BaseException:
            # Closes the socket, too; a broken connection is not used again.
            self.give_back(connection)
            raise
        return Head(
            answer.status, answer.headers, ExclusiveBody(answer, connection, self)
        )

    def give_back(self, connection: httpcore.ConnectionPool) -> None:
        """Let another thread have it."""
        self._idle.append(connection)
        self._turns.release()

    def close(self) -> None:
        """Close every connection that is not in use."""
        while self._idle:
            self._idle.pop().close()

    def _open(self) -> httpcore.ConnectionPool:
        """
        A pool of one connection.

        It reconnects by itself after an error or when the server hung up, and it knows
        the three kinds of proxy.
        """
        if self._proxy is None:
            return httpcore.ConnectionPool(http1=True, http2=False, **self._options)
        parts = urlsplit(self._proxy)
        auth = None
        if parts.username is not None:
            auth = (unquote(parts.username), unquote(parts.password or ""))
        kind = (
            httpcore.SOCKSProxy
            if parts.scheme.startswith("socks")
            else httpcore.HTTPProxy
        )
        return kind(shown(self._proxy), proxy_auth=auth, **self._options)
