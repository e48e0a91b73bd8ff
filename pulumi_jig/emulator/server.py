"""
The server: a socket on loopback, a thread per connection, and the emulated service.

It refuses to listen anywhere but on loopback. What happens on a connection is
`handler`'s, the API is `api`'s.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from http.server import ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any, Self

from pulumi_jig.emulator.admin import Admin, new_token
from pulumi_jig.emulator.admin_client import AdminClient
from pulumi_jig.emulator.api import Api
from pulumi_jig.emulator.backend import Backend
from pulumi_jig.emulator.faults import Faults
from pulumi_jig.emulator.handler import Handler, is_loopback
from pulumi_jig.emulator.overview import Overview
from pulumi_jig.emulator.pages import Pages
from pulumi_jig.emulator.request_log import RequestLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


class BindError(Exception):
    """The server cannot listen; the message is one sentence for the user."""


class HostError(BindError):
    """The host is not loopback; the message is one sentence for the user."""


class Listener(ThreadingHTTPServer):
    """The socket, and what the connections share."""

    daemon_threads = True
    # A burst of cold connections must not overflow the listen queue.
    request_queue_size = 512
    api: Api
    admin: Admin | None
    faults: Faults
    request_log: RequestLog
    pages: Pages
    quiet: bool
    connections: set[socket.socket]

    def server_bind(self) -> None:
        """Bind without the base class's look-up of our own host name."""
        TCPServer.server_bind(self)
        host, self.server_port = self.server_address[:2]
        self.server_name = str(host)

    def log(self, line: str) -> None:
        """Write one line to the log; a log that has gone away is no reason to stop."""
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep a connection that broke out of the log; name any other failure."""
        del request, client_address
        failure = sys.exc_info()[1]
        if not isinstance(failure, OSError):
            self.log(f"internal error: {type(failure).__name__}")


class _Listener6(Listener):
    address_family = socket.AF_INET6


class EmulatorServer:
    """
    The emulator in this process, serving from threads.

    A context manager: it serves inside the block. Attributes: ``url``, ``port``,
    ``backend``, ``admin_token`` (None without *admin*), ``admin`` (its client).

    Args:
        host: a loopback name or address.
        port: 0 for any free port.
        state: state file, or None for memory.
        time_scale: real seconds per emulated second; 0 finishes every transition
            before the next operation.
        admin: serve the admin interface.
        wall: the wall clock in seconds since the epoch, injectable for tests.
        gpu_types: further values that ``gpu_type`` may be.
        quiet: no line per request on stderr.

    Raises:
        BindError: the port is taken, or (`HostError`) the host is not loopback.
        StoreError: the state file cannot be used.
        ValueError: the time scale is negative or not finite.

    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        state: Path | None = None,
        time_scale: float = 1.0,
        admin: bool = False,
        wall: Callable[[], float] = time.time,
        gpu_types: Iterable[str] = (),
        quiet: bool = True,
    ) -> None:
        name = "127.0.0.1" if host.lower() == "localhost" else host.strip("[]")
        if not is_loopback(name):
            message = f"host {host} is not loopback: use 127.0.0.1, ::1 or localhost."
            raise HostError(message)
        self.backend = Backend(
            path=state, scale=time_scale, wall=wall, gpu_types=gpu_types
        )
        kind = _Listener6 if ":" in name else Listener
        try:
            self._server = kind((name, port), Handler)
        except OSError as failure:
            self.backend.close()
            reason = (failure.strerror or str(failure)).lower()
            message = f"cannot listen on {host} port {port}: {reason}."
            raise BindError(message) from None
        server = self._server
        server.api = Api(self.backend)
        server.faults, server.request_log = Faults(), RequestLog()
        server.pages = Pages(Overview(self.backend, server.faults, server.request_log))
        server.quiet, server.connections = quiet, set()
        self.admin_token = new_token() if admin else None
        server.admin = (
            None
            if self.admin_token is None
            else Admin(
                self.backend, server.faults, server.request_log, self.admin_token
            )
        )
        self.port = int(server.server_address[1])
        shown = f"[{name}]" if ":" in name else name
        self.url = f"http://{shown}:{self.port}"
        self._thread: threading.Thread | None = None

    @property
    def admin(self) -> AdminClient:
        """
        The admin interface.

        Raises:
            ValueError: the server was made without it.

        """
        if self.admin_token is None:
            raise ValueError("this server was made without admin=True")
        return AdminClient(self.url, self.admin_token)

    def start(self) -> None:
        """Serve from a thread."""
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            daemon=True,
        )
        self._thread.start()

    def shutdown(self) -> None:
        """Stop serving, end all connections, and close the state file."""
        if self._thread is not None:
            ending = threading.Thread(target=self._server.shutdown)
            ending.start()
            # A connection wakes the loop, which would sleep out its interval.
            with contextlib.suppress(OSError):
                host = str(self._server.server_address[0])
                socket.create_connection((host, self.port), timeout=1).close()
            ending.join()
            self._thread.join()
        self._server.server_close()
        for connection in list(self._server.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.backend.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.shutdown()
