"""
One connection: requests read, checked, struck by faults, answered, and logged.

A request whose Host is not a loopback name gets nothing: a web page that points its own
name at 127.0.0.1 is a stranger, key or no key. What the standard library would refuse
in HTML is refused in the API's own shape.
"""

from __future__ import annotations

import contextlib
import io
import ipaddress
import json
import select
import socket
import struct
import time
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from pulumi_jig.emulator.admin import PREFIX
from pulumi_jig.emulator.backend import account_of
from pulumi_jig.emulator.errors import ApiError
from pulumi_jig.emulator.faults import plain_path
from pulumi_jig.emulator.messages import (
    Request,
    Response,
    bearer,
    error,
    error_response,
)
from pulumi_jig.emulator.pages import DATA
from pulumi_jig.emulator.replicas import timestamp
from pulumi_jig.emulator.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi_jig.emulator.faults import Fault
    from pulumi_jig.emulator.server import Listener

# Far above any real request; a body is read into memory.
MAX_BODY = 4 * 1024 * 1024
# Seconds from the first byte of a request to its last, and for each piece of a response.
# A client that stalls would hold a thread for ever.
REQUEST_TIMEOUT = 30.0
# Seconds for which an idle connection is kept.
IDLE_TIMEOUT = 300.0
# What is read of a refused body, in bytes and seconds, so that the client gets to read
# the refusal: a connection closed on unread bytes is reset.
DRAIN = (64 * 1024 * 1024, 2.0)


def is_loopback(host: str) -> bool:
    """Whether a host name or address is loopback."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def host_of(authority: str) -> str:
    """Return the host of a ``host:port``, brackets of IPv6 included."""
    if authority.startswith("["):
        return authority.partition("]")[0] + "]"
    return authority.partition(":")[0]


class _Input(io.RawIOBase):
    """
    What comes on a connection, each request within `REQUEST_TIMEOUT` as a whole.

    A limit for each read alone would let a request trickle for ever.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._deadline: float | None = None

    def readable(self) -> bool:
        return True

    def next_request(self) -> None:
        """Set no deadline until the next request begins."""
        self._deadline = None

    def limit(self, seconds: float) -> None:
        """What is still read must come within so many seconds."""
        self._deadline = time.monotonic() + seconds

    def readinto(self, buffer: Any) -> int:
        left = IDLE_TIMEOUT
        if self._deadline is not None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
        self._connection.settimeout(left)
        try:
            count = self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(REQUEST_TIMEOUT)
        if self._deadline is None:
            self.limit(REQUEST_TIMEOUT)
        return count


class Handler(BaseHTTPRequestHandler):
    """The requests of one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    server_version = "pulumi-jig-emulator"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = 65536
    server: Listener

    def setup(self) -> None:
        """Remember the connection, so that a shutdown can end it."""
        super().setup()
        self.server.connections.add(self.connection)
        self._input = _Input(self.connection)
        self.rfile = io.BufferedReader(self._input)
        self._unread = False

    def finish(self) -> None:
        """Forget the connection."""
        if self._unread:
            self._drain()
        self.server.connections.discard(self.connection)
        # The client may be gone with our last bytes unsent.
        with contextlib.suppress(OSError):
            super().finish()

    def _serve(self) -> None:
        began = time.perf_counter()
        headers = {key.lower(): value for key, value in self.headers.items()}
        account: str | None = None
        fault: Fault | None = None
        request = Request(self.command, self.path, headers)
        response = self._refuse(request)
        if response is None:
            try:
                response = self._read_body(request)
            except (EOFError, TimeoutError):
                self.close_connection = True
                return
        self._input.next_request()
        if response is None and request.path.startswith(PREFIX):
            response = self._guarded(self._admin, request)
        elif response is None and (page := self.server.pages.find(request)):
            response = self._guarded(page, request)
        elif response is None:
            account = account_of(bearer(headers))
            fault = self.server.faults.strike(self.command, request.target, account)
            response = self._act(request, fault)
            self._record(request, account, fault, response, began)
        # Before it is sent: the client's next request may be logged by another thread.
        self._log(response, account, fault, began)
        if response is not None:
            self._send(response)

    def __getattr__(self, name: str) -> Any:
        """Serve every method alike; the standard library looks for ``do_<METHOD>``."""
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _refuse(self, request: Request) -> Response | None:
        """Return the refusal of a request that must not even be read, or None."""
        hosts = [host_of(value) for value in self.headers.get_all("Host", [])]
        if request.target.startswith(("http://", "https://")):
            # A client that takes us for a proxy names the host a second time.
            authority, slash, path = request.target.partition("//")[2].partition("/")
            hosts.append(host_of(authority.rpartition("@")[2]))
            request.target = slash + path
        length = request.headers.get("content-length", "0")
        refusal = None
        # Every Host that is named must be loopback, and one must be.
        if not hosts or not all(map(is_loopback, hosts)):
            refusal = error(
                403, "the Host header must be a loopback name", code="foreign_host"
            )
        elif not request.target.startswith("/"):
            refusal = error(400, "the path must begin with /", code="bad_path")
        elif request.headers.get("transfer-encoding", "chunked").lower() != "chunked":
            refusal = error(501, "the only Transfer-Encoding is chunked", code="coding")
        elif {"transfer-encoding", "content-length"} <= request.headers.keys():
            # Two lengths: a proxy in between could read another request here.
            refusal = error(
                400, "Content-Length or Transfer-Encoding, not both", code="bad_length"
            )
        elif not (length.isascii() and length.isdigit() and len(length) < 19) or (
            len(set(self.headers.get_all("Content-Length", []))) > 1
        ):
            refusal = error(
                400, "the Content-Length is not a number", code="bad_length"
            )
        elif int(length) > MAX_BODY:
            refusal = error(
                413, f"the body must have at most {MAX_BODY} bytes", code="too_large"
            )
        if refusal is not None:
            self._leave_body()
        return refusal

    def _leave_body(self) -> None:
        """The body is left unread, so the connection cannot be used again."""
        self.close_connection = self._unread = True

    def _read_body(self, request: Request) -> Response | None:
        """
        Read the body; return the refusal of one that is too long or no body.

        Raises:
            EOFError: The client went away before its end.
            TimeoutError: It did not come to its end in time.
        """
        if "transfer-encoding" not in request.headers:
            length = int(request.headers.get("content-length", "0"))
            request.body = self._exactly(length)
            return None
        pieces: list[bytes] = []
        while True:
            size = self.rfile.readline(1024).partition(b";")[0].strip()
            if not size or len(size) > 8 or size.strip(b"0123456789abcdefABCDEF"):
                self._leave_body()
                return error(400, "a chunk has no size", code="bad_chunk")
            if int(size, 16) + sum(map(len, pieces)) > MAX_BODY:
                self._leave_body()
                return error(
                    413,
                    f"the body must have at most {MAX_BODY} bytes",
                    code="too_large",
                )
            if not int(size, 16):
                break
            pieces.append(self._exactly(int(size, 16)))
            self.rfile.readline(1024)
        # Trailers, which mean nothing here.
        while self.rfile.readline(1024).strip():
            pass
        request.body = b"".join(pieces)
        return None

    def _exactly(self, length: int) -> bytes:
        body = self.rfile.read(length) if length else b""
        if len(body) < length:
            raise EOFError
        return body

    def _drain(self) -> None:
        most, seconds = DRAIN
        with contextlib.suppress(OSError, ValueError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_WR)
            self._input.limit(seconds)
            while most > 0 and (piece := self.rfile.read1(65_536)):
                most -= len(piece)

    def _admin(self, request: Request) -> Response:
        admin = self.server.admin
        if admin is None:
            return error(
                404, "the admin interface needs --admin", code="admin_disabled"
            )
        return admin.handle(request)

    def _act(self, request: Request, fault: Fault | None) -> Response | None:
        """Let the service act as the fault allows; None drops the connection."""
        if fault is None:
            return self._guarded(self.server.api.handle, request)
        if fault.delay and not fault.acted:
            time.sleep(fault.delay)
        response = None
        if fault.acted or not (fault.drop or fault.status):
            response = self._guarded(self.server.api.handle, request)
        if fault.delay and fault.acted:
            time.sleep(fault.delay)
        if fault.drop:
            self._drop(reset=fault.drop == "reset")
            return None
        if fault.status:
            body, kind = fault.payload()
            return Response(fault.status, body, {"Content-Type": kind, **fault.headers})
        return response

    def _guarded(
        self, handle: Callable[[Request], Response], request: Request
    ) -> Response:
        try:
            return handle(request)
        except ApiError as refused:
            return error_response(refused)
        except Exception as failure:
            # The place is logged; the message is not, it could hold a secret.
            trace = failure.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            where = (
                f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
                if trace is not None
                else "?"
            )
            self.server.log(f"internal error: {type(failure).__name__} at {where}")
            return error(500, "internal error of the emulator", code="internal")

    def _drop(self, *, reset: bool) -> None:
        self.close_connection = True
        if reset:
            # Lingering for 0 s makes the kernel send RST instead of FIN.
            self.connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            # Closed here and now: the base class would shut down politely first.
            self.server.connections.discard(self.connection)
            self.rfile.close()
            self.connection.close()

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.stream is not None:
            self.send_header("Transfer-Encoding", "chunked")
        elif response.status >= 200 and response.status != 204:
            self.send_header("Content-Length", str(len(response.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if response.stream is not None:
            self._stream(response)
        elif self.command != "HEAD":
            self.wfile.write(response.body)
        self.wfile.flush()

    def _stream(self, response: Response) -> None:
        assert response.stream is not None
        for piece in response.stream:
            if piece:
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                self.wfile.flush()
            elif self._client_gone():
                self.close_connection = True
                return
        self.wfile.write(b"0\r\n\r\n")

    def _client_gone(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)

    def handle_expect_100(self) -> bool:
        """Send the interim response at once: it waits in a buffer otherwise."""
        done = super().handle_expect_100()
        self.wfile.flush()
        return done

    def send_error(
        self, code: int, message: str | None = None, explain: str | None = None
    ) -> None:
        """Answer what the standard library refuses in the API's own shape."""
        del explain
        # It says 501 for a method that it does not know.
        status = 405 if code == 501 else code
        self._leave_body()
        # What is no HTTP is taken for HTTP/0.9, which would be answered without head.
        self.request_version = "HTTP/1.1"
        self.command = self.command or "?"
        self._send(error(status, (message or "bad request")[:200], code="bad_request"))

    def _record(
        self,
        request: Request,
        account: str | None,
        fault: Fault | None,
        response: Response | None,
        began: float,
    ) -> None:
        keys: list[str] = []
        with contextlib.suppress(ValueError, RecursionError):
            body = json.loads(request.body or b"null")
            if isinstance(body, dict):
                # A key can hold half a surrogate pair, which no response could carry.
                keys = sorted(key.encode(errors="replace").decode() for key in body)
        self.server.request_log.write(
            at=timestamp(time.time()),
            method=request.method,
            path=plain_path(request.target),
            query=sorted(request.query),
            body=keys,
            account=account,
            status=None if response is None else response.status,
            seconds=round(time.perf_counter() - began, 6),
            fault=None if fault is None else fault.id,
        )

    def _log(
        self,
        response: Response | None,
        account: str | None,
        fault: Fault | None,
        began: float,
    ) -> None:
        # A page that is open asks every second, which would drown what others do.
        if self.server.quiet or self.path.startswith(DATA):
            return
        # The query stays out; a path could carry control characters.
        path = self.path.partition("?")[0].encode("unicode_escape").decode()
        status = "dropped" if response is None else str(response.status)
        struck = "" if fault is None else f" fault {fault.id}"
        milliseconds = (time.perf_counter() - began) * 1000
        self.server.log(
            f"{timestamp(time.time())} {visible(self.command)} {path} {status} "
            f"{milliseconds:.1f}ms {account or '-'}{struck}"
        )

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the signature is inherited.
        """Say nothing: the one line per request is written by us."""
