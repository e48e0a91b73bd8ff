"""
The sockets: an HTTP/1.1 server on loopback in front of the API.

It refuses to listen anywhere but on loopback, and to answer a request whose Host is not
a loopback name: a web page that points its own name at 127.0.0.1 gets nothing.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from .backend import Backend, account_of
from .responses import Api, Request, Response, bearer, error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

# Far above any real request; a body is read into memory.
MAX_BODY = 4 * 1024 * 1024


class BindError(Exception):
    """The server cannot listen; the message is one sentence for the user."""


def is_loopback(host: str) -> bool:
    """Whether a host name or address is loopback."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "pulumi-jig-emulator"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = 65536
    server: _Server

    def _serve(self) -> None:
        began = time.perf_counter()
        headers = {key.lower(): value for key, value in self.headers.items()}
        host = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
        length = headers.get("content-length", "0")
        if not is_loopback(host):
            self.close_connection = True
            response = error(403, "the Host header must be a loopback name")
        elif "transfer-encoding" in headers or not length.isdigit():
            self.close_connection = True
            response = error(411, "a Content-Length is required")
        elif int(length) > MAX_BODY:
            self.close_connection = True
            response = error(413, "the body is too large")
        else:
            body = self.rfile.read(int(length))
            request = Request(self.command, self.path, headers, body)
            response = self.server.api.handle(request)
        self._send(response)
        if not self.server.quiet:
            seconds = time.perf_counter() - began
            account = account_of(bearer(headers)) or "-"
            sys.stderr.write(
                f"{self.command} {self.path} {response.status} "
                f"{seconds * 1000:.1f}ms {account}\n"
            )

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = do_HEAD = _serve  # noqa: N815 - the names that the standard library calls.

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the signature is inherited.
        """Say nothing: the one line per request is written by us."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A burst of 64 cold connections must not overflow the listen queue.
    request_queue_size = 512
    # Two emulators on one port would share its requests by chance.
    allow_reuse_port = False
    api: Api
    quiet: bool

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep a client's broken connection out of our log."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class EmulatorServer:
    """
    The emulator in this process, serving from threads.

    Args:
        host: a loopback name or address.
        port: 0 for any free port.
        state: state file, or None for memory.
        time_scale: real seconds per emulated second.
        wall: the wall clock, injectable for tests.
        gpu_types: further words that ``gpu_type`` may be.
        quiet: no line per request.

    Raises:
        BindError: the host is not loopback or the port is taken.
        StoreError: the state file cannot be used.

    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        state: Path | None = None,
        time_scale: float = 1.0,
        wall: Callable[[], float] | None = None,
        gpu_types: Iterable[str] = (),
        quiet: bool = True,
    ) -> None:
        if not is_loopback(host):
            message = f"--host {host} is not loopback: use 127.0.0.1, ::1 or localhost."
            raise BindError(message)
        self.backend = Backend(
            path=state, scale=time_scale, wall=wall, gpu_types=gpu_types
        )
        kind = type("_Bound", (_Server,), {})
        if ":" in host:
            kind.address_family = socket.AF_INET6  # type: ignore[attr-defined]
        try:
            self._server: _Server = kind((host.strip("[]"), port), _Handler)
        except OSError as failure:
            self.backend.close()
            message = f"cannot listen on {host} port {port}: {failure.strerror}."
            raise BindError(message) from None
        self._server.api = Api(self.backend)
        self._server.quiet = quiet
        self.port: int = self._server.server_address[1]
        shown = f"[{host.strip('[]')}]" if ":" in host else host
        self.url = f"http://{shown}:{self.port}"
        self._thread: threading.Thread | None = None

    def serve_forever(self) -> None:
        """Serve in this thread until `shutdown`."""
        self._server.serve_forever(poll_interval=0.1)

    def start(self) -> EmulatorServer:
        """Serve in a thread."""
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        self._thread.start()
        return self

    def shutdown(self) -> None:
        """Stop serving and close the state file."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self.backend.close()

    def __enter__(self) -> EmulatorServer:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.shutdown()
