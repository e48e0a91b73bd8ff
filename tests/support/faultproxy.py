"""
A proxy on loopback that breaks the wire by plan, in front of a real server.

A plan is data, so that it can be printed, stored and replayed:

    {"on": "POST /deployments", "nth": 1, "do": "reset-after-forward"}

Keys of a fault:

- `on`: method and path (`*` in either; a leading `/v1` is ignored; no query). The
  special value `start` means: from the moment the proxy starts.
- `nth`: only the n-th request that matches, counted from 1. Left out: every one.
- `times`: how many matching requests in a row, from the `nth` on; 1 where `nth` is
  given.
- `chance`: 0 to 1, drawn from the seed, for every matching request.
- `do`: what happens, from the list below; of a list, one is drawn from the seed.
- `seconds`, `every`, `bytes`, `status`, `headers`, `body`, `location`: as said below.

What can happen. Each may end in `-before-forward` (the server never sees the request;
the default) or `-after-forward` (the server acts, its answer is lost or changed):

- `refuse`: the connection is reset and none is accepted for `seconds` (default 0.3).
- `reset`: the connection is reset. `close`: it is closed in order, without an answer.
- `hang`: nothing comes for `seconds` (default: until the client goes).
- `delay`: everything is passed on, `seconds` late (default 0.1).
- `drip`: the answer is passed on `bytes` (1) at a time, `every` 0.05 seconds.
- `drip-head`: likewise, but the answer has an endless header.
- `hang-body`: the header comes, the body does not.
- `truncate`: half of the body, then the end. `bad-gzip`, `half-gzip`: damaged gzip.
- `bomb`: `bytes` (64 MiB) of zeros as a few KiB of gzip.
- `html`: a web page, `status` 200. `redirect`: 307 to `location`.
- `empty`: status 200 and nothing. `latin`: JSON that is not UTF-8. `text`: `body`.
- `answer`: `status`, `headers`, `body` as given.

A test puts the proxy's `url` where the server's would go (`TOGETHER_BASE_URL` of a whole
stack, say) and prints `describe()` in the teardown of its fixture, which pytest shows
for failed tests only. The folder of this file has to be on `sys.path`; the conftest of a
test folder sees to that.

With `tls=context` the proxy speaks TLS itself. Standard library only; nothing of the
package that is under test.
"""

from __future__ import annotations

import contextlib
import fnmatch
import gzip
import http.client
import json
import random
import select
import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Sequence

_BEFORE, _AFTER = "-before-forward", "-after-forward"
#: Faults that change the server's own answer; the server has to be asked first.
_CHANGES = frozenset(
    {"drip", "truncate", "bad-gzip", "half-gzip", "hang-body", "delay"}
)
_ALL = _CHANGES | {
    *("refuse", "reset", "close", "hang", "drip-head", "bomb", "html", "redirect"),
    *("empty", "latin", "text", "answer"),
}
_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


@dataclass(frozen=True)
class Passed:
    """One request as the proxy saw it; never a header or a body."""

    method: str
    path: str
    fault: str | None
    forwarded: bool
    status: int | None
    connection: int


@dataclass
class _Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        path = self.target.partition("?")[0]
        return path.removeprefix("/v1") or "/"


@dataclass
class _Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def head(self) -> bytes:
        reason = http.client.responses.get(self.status, "Unknown")
        lines = [f"HTTP/1.1 {self.status} {reason}"]
        lines += [f"{k}: {v}" for k, v in self.headers if k.lower() not in _HOP]
        lines += [f"Content-Length: {len(self.body)}", "", ""]
        return "\r\n".join(lines).encode()


class _DoneError(Exception):
    """The connection is finished."""


class FaultProxy:
    """
    The proxy, serving from threads of this process; a context manager.

    Args:
        upstream: URL of the server behind it.
        plan: The faults; the first that matches a request happens.
        seed: What `chance` and lists are drawn from. A draw depends on the seed, the
            fault and how many requests matched, not on which thread came first.
        tls: Speak TLS with this server-side context.
        port: The port, 0 for a free one.
        watch: Called with `came` or `acted` and a request's method and path, before it
            is passed on and before its answer is: the moment to end a process.

    Attributes:
        url: What to give to the client.
        passed: Every request so far.
        connections: How many connections were accepted.
        busy: How many requests are on their way at this moment.
    """

    def __init__(
        self,
        upstream: str,
        plan: Sequence[dict[str, Any]] = (),
        *,
        seed: int = 0,
        tls: ssl.SSLContext | None = None,
        port: int = 0,
        watch: Callable[[str, str, str], None] | None = None,
    ) -> None:
        for fault in plan:
            _validate(fault)
        self.plan = list(plan)
        self.seed = seed
        self.watch = watch
        self.passed: list[Passed] = []
        self.connections = 0
        self.busy = 0
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "", parts.port or 80)
        self._tls = tls
        self._counts: Counter[int] = Counter()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._stopping = False
        self._listener: socket.socket | None = None
        self._port = port
        self._shut_until = 0.0
        self._listen()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        first = next((f for f in self.plan if f["on"] == "start"), None)
        if first is not None:
            self._shut(float(first.get("seconds", 0.3)))
        self._thread.start()

    @property
    def url(self) -> str:
        """The proxy's own address."""
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        """The port; it stays the same while connections are refused."""
        return self._port

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Close everything; what hangs ends."""
        self._stopping = True
        self._close_listener()
        with self._lock:
            sockets = list(self._open)
        for sock in sockets:
            _reset(sock)
        self._thread.join(10)

    def add(self, *faults: dict[str, Any]) -> None:
        """Faults that begin to count now."""
        for fault in faults:
            _validate(fault)
        with self._lock:
            self.plan.extend(faults)

    def clear(self) -> None:
        """Pass everything on from now."""
        with self._lock:
            self.plan.clear()
            self._counts.clear()

    def count(self, on: str, *, forwarded: bool | None = None) -> int:
        """How many requests matched `on`, or of these how many reached the server."""
        return sum(
            _matches(on, p.method, p.path)
            and (forwarded is None or p.forwarded == forwarded)
            for p in list(self.passed)
        )

    def describe(self) -> str:
        """Plan, seed and what passed, for the report of a failed test."""
        lines = [f"fault proxy: seed {self.seed}, {self.connections} connections"]
        lines += [f"  plan: {json.dumps(fault, default=str)}" for fault in self.plan]
        lines += [f"  passed: {json.dumps(asdict(p))}" for p in list(self.passed)]
        return "\n".join(lines)

    # --- Listening ----------------------------------------------------------------

    def _listen(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        listener.listen(256)
        self._port = listener.getsockname()[1]
        self._listener = listener

    def _close_listener(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            # While another thread waits for it, closing alone would leave it open.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _shut(self, seconds: float) -> None:
        """Refuse connections for a while."""
        self._shut_until = time.monotonic() + seconds
        self._close_listener()

    def _accept(self) -> None:
        while not self._stopping:
            listener = self._listener
            if listener is None:
                if time.monotonic() >= self._shut_until:
                    self._listen()
                else:
                    time.sleep(0.01)
                continue
            try:
                if not select.select([listener], [], [], 0.05)[0]:
                    continue
                sock, _ = listener.accept()
            except (OSError, ValueError):
                continue
            with self._lock:
                self.connections += 1
                number = self.connections
                self._open.add(sock)
            threading.Thread(
                target=self._serve, args=(sock, number), daemon=True
            ).start()

    # --- One connection -----------------------------------------------------------

    def _serve(self, raw: socket.socket, number: int) -> None:
        sock = raw
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                sock = self._tls.wrap_socket(raw, server_side=True)
                with self._lock:
                    self._open.discard(raw)
                    self._open.add(sock)
            with sock.makefile("rb") as stream:
                while (request := _read_request(stream)) is not None:
                    self._handle(sock, request, number)
        except (_DoneError, OSError, ValueError):
            pass
        finally:
            with self._lock:
                self._open.discard(sock)
            sock.close()

    def _saw(self, moment: str, request: _Request) -> None:
        if self.watch is not None:
            self.watch(moment, request.method, request.path)

    def _handle(self, sock: socket.socket, request: _Request, number: int) -> None:
        with self._lock:
            self.busy += 1
        try:
            self._answer(sock, request, number)
        finally:
            with self._lock:
                self.busy -= 1

    def _answer(self, sock: socket.socket, request: _Request, number: int) -> None:
        self._saw("came", request)
        fault = self._fault(request)
        do, after = ("", True) if fault is None else _split(fault["do"])
        answer = None
        if do == "delay" and not after:
            time.sleep(float(fault.get("seconds", 0.1)) if fault else 0)
        if after or do in _CHANGES:
            answer = self._forward(request)
            self._saw("acted", request)
        self.passed.append(
            Passed(
                request.method,
                request.path,
                None if fault is None else str(fault["do"]),
                forwarded=answer is not None,
                status=None if answer is None else answer.status,
                connection=number,
            )
        )
        if (after or do in _CHANGES) and answer is None:
            _reset(sock)  # The server behind is gone.
            raise _DoneError
        if fault is None or (do == "delay" and not after):
            assert answer is not None
            sock.sendall(answer.head() + answer.body)
            return
        self._break(sock, do, fault, answer)

    def _fault(self, request: _Request) -> dict[str, Any] | None:
        with self._lock:
            for index, fault in enumerate(self.plan):
                if not _matches(fault["on"], request.method, request.path):
                    continue
                self._counts[index] += 1
                count = self._counts[index]
                nth = fault.get("nth")
                times = fault.get("times", float("inf") if nth is None else 1)
                if not (nth or 1) <= count < (nth or 1) + times:
                    continue
                draw = random.Random(f"{self.seed}/{index}/{count}")
                if draw.random() >= fault.get("chance", 1.0):
                    continue
                do = fault["do"]
                return {**fault, "do": do if isinstance(do, str) else draw.choice(do)}
        return None

    def _forward(self, request: _Request) -> _Answer | None:
        upstream = http.client.HTTPConnection(*self._upstream, timeout=60)
        try:
            headers = {k: v for k, v in request.headers.items() if k not in _HOP}
            upstream.request(
                request.method, request.target, request.body or None, headers
            )
            answer = upstream.getresponse()
            return _Answer(answer.status, answer.getheaders(), answer.read())
        except (OSError, http.client.HTTPException):
            return None
        finally:
            upstream.close()

    # --- Faults -------------------------------------------------------------------

    def _break(
        self, sock: socket.socket, do: str, fault: dict[str, Any], real: _Answer | None
    ) -> None:
        seconds = fault.get("seconds")
        match do:
            case "refuse":
                self._shut(float(seconds or 0.3))
                _reset(sock)
                raise _DoneError
            case "reset":
                _reset(sock)
                raise _DoneError
            case "close":
                raise _DoneError
            case "hang":
                self._hang(sock, seconds)
                raise _DoneError
        answer = _changed(do, fault, real)
        if do == "delay":
            time.sleep(float(seconds or 0.1))
        if do == "hang-body":
            sock.sendall(answer.head())
            self._hang(sock, seconds)
            raise _DoneError
        if do == "truncate":
            sock.sendall(answer.head() + answer.body[: len(answer.body) // 2])
            raise _DoneError
        if do == "drip":
            self._drip(sock, iter(answer.head() + answer.body), fault)
            return
        if do == "drip-head":
            self._drip(sock, _endless(), fault)
            raise _DoneError
        sock.sendall(answer.head() + answer.body)

    def _drip(
        self, sock: socket.socket, data: Iterator[int], fault: dict[str, Any]
    ) -> None:
        size, every = int(fault.get("bytes", 1)), float(fault.get("every", 0.05))
        while not self._stopping:
            piece = bytes(b for _, b in zip(range(size), data, strict=False))
            if not piece:
                return
            sock.sendall(piece)
            time.sleep(every)

    def _hang(self, sock: socket.socket, seconds: float | None) -> None:
        """Nothing happens until the time is over or the client goes away."""
        end = time.monotonic() + (3600 if seconds is None else seconds)
        while not self._stopping and time.monotonic() < end:
            if select.select([sock], [], [], 0.02)[0] and not sock.recv(65536):
                return


# --- Pieces ----------------------------------------------------------------------------


def _validate(fault: dict[str, Any]) -> None:
    does = [fault["do"]] if isinstance(fault["do"], str) else fault["do"]
    for do in does:
        if _split(do)[0] not in _ALL:
            raise ValueError(f"there is no fault {do!r}; there are {sorted(_ALL)}")
    if fault["on"] == "start" and does != ["refuse"]:
        raise ValueError("at the start, connections can only be refused")
    if fault["on"] not in {"*", "start"} and " " not in fault["on"]:
        raise ValueError(f"{fault['on']!r} is not a method and a path")


def _split(do: str) -> tuple[str, bool]:
    """A fault's name, and whether the server acts first."""
    if do.endswith(_AFTER):
        return do.removesuffix(_AFTER), True
    return do.removesuffix(_BEFORE), False


def _matches(on: str, method: str, path: str) -> bool:
    if on in {"*", "start"}:
        return on == "*"
    wanted, _, pattern = on.partition(" ")
    pattern = pattern.removeprefix("/v1") or "/"
    return wanted in {"*", method} and fnmatch.fnmatchcase(path, pattern)


def _read_request(stream: Any) -> _Request | None:
    line = stream.readline(65536).decode("latin-1").split()
    if len(line) != 3:
        return None
    headers = {}
    while (raw := stream.readline(65536)) not in {b"\r\n", b"\n", b""}:
        name, _, value = raw.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0)))
    return _Request(line[0], line[1], headers, body)


def _changed(do: str, fault: dict[str, Any], real: _Answer | None) -> _Answer:
    """The answer that the client gets instead of the server's."""
    status = int(fault.get("status", 200))
    extra = [(str(k), str(v)) for k, v in dict(fault.get("headers", {})).items()]
    json_type = ("Content-Type", "application/json")
    zipped = [json_type, ("Content-Encoding", "gzip")]
    real = real or _Answer(200, [json_type], b"{}")
    match do:
        case "bad-gzip":
            # The header is whole, so that the damage shows only while inflating.
            data = bytearray(gzip.compress(real.body * 50, mtime=0))
            data[12:] = b"\xff" * (len(data) - 12)
            return _Answer(real.status, zipped, bytes(data))
        case "half-gzip":
            data = bytearray(gzip.compress(real.body, mtime=0))
            return _Answer(real.status, zipped, bytes(data[: len(data) // 2]))
        case "bomb":
            size = int(fault.get("bytes", 64 * 2**20))
            return _Answer(status, zipped, gzip.compress(b"\0" * size, 9, mtime=0))
        case "html":
            page = b"<html><head><title>Bad day</title></head><body>no</body></html>"
            return _Answer(status, [("Content-Type", "text/html"), *extra], page)
        case "redirect":
            to = str(fault.get("location", "http://elsewhere.invalid/v1/deployments"))
            code = int(fault.get("status", 307))
            return _Answer(code, [("Location", to)], b"")
        case "empty":
            return _Answer(status, [json_type], b"")
        case "latin":
            return _Answer(status, [json_type], '{"name": "caf\xe9"}'.encode("latin-1"))
        case "text" | "answer":
            body = fault.get("body", "")
            raw = body if isinstance(body, str) else json.dumps(body)
            kind = ("Content-Type", "text/plain") if do == "text" else json_type
            return _Answer(status, [kind, *extra], raw.encode())
    return real


def _endless() -> Iterator[int]:
    yield from b"HTTP/1.1 200 OK\r\nX-Filler: "
    while True:
        yield from b"x"


def _reset(sock: socket.socket) -> None:
    """Close so that the other side sees a reset, not an end."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.shutdown(socket.SHUT_RD)
        sock.close()
    except OSError:
        pass
