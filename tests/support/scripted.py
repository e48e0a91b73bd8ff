"""
Small servers that say what a test tells them to, and a clock that obeys.

`Scripted` speaks HTTP and answers from a list; `RawServer` hands each connection to a
function, for what no HTTP library would send. Standard library only.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable


class FakeClock:
    """
    A clock that moves only when somebody sleeps.

    Attributes:
        now: Seconds.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self.now += seconds


@dataclass
class Seen:
    """One request as the server saw it."""

    method: str
    target: str
    headers: dict[str, str]
    body: Any
    at: float
    connection: tuple[str, int]


@dataclass
class Say:
    """One answer."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def raw(self) -> bytes:
        """The body as bytes."""
        if isinstance(self.body, bytes):
            return self.body
        if isinstance(self.body, str):
            return self.body.encode()
        return json.dumps(self.body).encode()


class Scripted:
    """
    An HTTP/1.1 server on loopback that answers from a list; the last answer stays.

    Args:
        answers: `Say`, or functions of the request that return one.
        clock: What `Seen.at` is read from.
    """

    def __init__(self, *answers: Any, clock: Callable[[], float] = lambda: 0.0) -> None:
        self.answers = list(answers) or [Say()]
        self.seen: list[Seen] = []
        outer, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _serve(self) -> None:
                raw = self.rfile.read(int(self.headers.get("content-length") or 0))
                seen = Seen(
                    self.command,
                    self.path,
                    {k.lower(): v for k, v in self.headers.items()},
                    json.loads(raw) if raw else None,
                    clock(),
                    self.client_address,
                )
                with lock:
                    index = min(len(outer.seen), len(outer.answers) - 1)
                    outer.seen.append(seen)
                say = outer.answers[index]
                say = say(seen) if callable(say) else say
                body = say.raw()
                self.send_response(say.status)
                headers = {"Content-Type": "application/json", **say.headers}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - http.server's names

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            # 64 threads connect at once.
            request_queue_size = 256

            def handle_error(self, *_: Any) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(
            target=self._server.serve_forever, args=(0.005,), daemon=True
        ).start()

    @property
    def waits(self) -> list[float]:
        """Seconds between one request and the next."""
        times = [seen.at for seen in self.seen]
        return [b - a for a, b in itertools.pairwise(times)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class RawServer:
    """
    A TCP server on loopback; each connection goes to a function in a thread.

    Args:
        serve: Called with the connection; it is closed afterwards.
    """

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        self._sockets: list[socket.socket] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._sockets.append(sock)
            threading.Thread(target=self._one, args=(sock,), daemon=True).start()

    def _one(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), sock:
            self._serve(sock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # A thread that waits in accept() or recv() wakes up by a shutdown, not a close.
        for sock in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


def read_head(sock: socket.socket) -> bytes:
    """The request line and header, and whatever came with them."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            break
        data += piece
    return data


def free_port() -> int:
    """A port at which nothing listens at the moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
