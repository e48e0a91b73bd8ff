"""Time and size limits that hold whatever the other side does."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import httpcore
import pytest
from scripted import RawServer, Say, Scripted, read_head

from pulumi_jig.client import http
from pulumi_jig.client.sockets import Backend
from pulumi_jig.deadline import Deadline
from pulumi_jig.errors import NotSentError, OutcomeUnknownError

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultproxy import FaultProxy

    from pulumi_jig.client import JigClient


class TestTime:
    """
    Cases T9 and T10: each of these servers would be waited for without end.

    (The suite's own time limit is what fails a test here.)
    """

    @pytest.mark.parametrize(
        "do", ["drip", "drip-head", "hang-body", "hang-before-forward"]
    )
    def test_an_answer_that_does_not_end(
        self,
        broken: Callable[..., FaultProxy],
        connect: Callable[..., JigClient],
        do: str,
    ) -> None:
        """A byte now and then, or none at all, does not outlive the deadline."""
        proxy = broken({"on": "*", "do": do, "every": 0.1})

        with pytest.raises(OutcomeUnknownError, match="did not finish its answer"):
            connect(proxy.url).deployments.list(Deadline(0.6))

    def test_a_server_that_does_not_read(
        self, connect: Callable[..., JigClient]
    ) -> None:
        """Sending is part of the deadline, too."""
        gate = threading.Event()
        with RawServer(lambda _: gate.wait(60) and None) as server:
            with pytest.raises(OutcomeUnknownError):
                connect(server.url).deployments.create(
                    {"name": "llm", "args": ["x" * 20_000_000]}, Deadline(2)
                )
            gate.set()

    def test_a_server_that_reads_a_little(
        self, connect: Callable[..., JigClient]
    ) -> None:
        """A server that takes a little at a time does not stretch the deadline."""
        gate = threading.Event()
        received = [0]

        def serve(sock: socket.socket) -> None:
            while not gate.wait(0.05) and (data := sock.recv(200_000)):
                received[0] += len(data)

        with RawServer(serve) as server:
            with pytest.raises(OutcomeUnknownError):
                connect(server.url).deployments.create(
                    {"name": "llm", "args": ["x" * 20_000_000]}, Deadline(2)
                )
            # The end came in the middle of the sending, not after it.
            assert received[0] < 20_000_000
            gate.set()

    def test_a_handshake_that_does_not_end(
        self, connect: Callable[..., JigClient]
    ) -> None:
        """Case N4: a silent port is told from a slow answer; nothing was sent."""
        gate = threading.Event()
        with RawServer(lambda _: gate.wait(60) and None) as server:
            url = f"https://127.0.0.1:{server.port}"
            with pytest.raises(NotSentError, match="speaks plain http, say so in"):
                connect(url).deployments.create({"name": "llm"}, Deadline(0.6))
            gate.set()

    def test_busy_connections(self, connect: Callable[..., JigClient]) -> None:
        """Waiting for one's turn is part of the deadline; nothing was sent."""
        gate, arrived = threading.Event(), threading.Event()

        def serve(sock: socket.socket) -> None:
            read_head(sock)
            arrived.set()
            gate.wait(60)

        with RawServer(serve) as server:
            client = connect(server.url, parallel=1)

            def occupy() -> None:
                with pytest.raises(OutcomeUnknownError):
                    client.deployments.create({}, Deadline(30))

            thread = threading.Thread(target=occupy)
            thread.start()
            arrived.wait(30)
            with pytest.raises(NotSentError, match="all 1 connections were busy"):
                client.deployments.list(Deadline(0.5))
            gate.set()
            thread.join()

    def test_an_address_that_swallows_connections(
        self, connect: Callable[..., JigClient]
    ) -> None:
        """A connection that is never accepted ends at the deadline; nothing sent."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            address = listener.getsockname()
            fillers = [socket.socket() for _ in range(4)]
            try:
                for filler in fillers:
                    filler.setblocking(False)
                    filler.connect_ex(address)
                client = connect(f"http://127.0.0.1:{address[1]}")
                with pytest.raises(NotSentError, match="did not accept a connection"):
                    client.deployments.list(Deadline(0.6))
            finally:
                for filler in fillers:
                    filler.close()

    def test_a_name_that_takes_too_long_to_look_up(
        self, connect: Callable[..., JigClient], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No connection is begun with what the lookup left of the time: nothing."""
        real = socket.getaddrinfo

        def slow(*args: Any, **options: Any) -> Any:
            time.sleep(0.2)
            return real(*args, **options)

        monkeypatch.setattr(socket, "getaddrinfo", slow)
        with RawServer(read_head) as server:
            with pytest.raises(NotSentError, match="did not accept a connection"):
                connect(server.url).deployments.list(Deadline(0.1))

            assert server.connections == 0

    def test_nothing_is_waited_for_after_the_deadline(self) -> None:
        """A wait that begins too late is over at once."""
        backend = Backend()
        backend.begin(-1)

        with pytest.raises(httpcore.ConnectTimeout):
            backend.connect_tcp("127.0.0.1", 1)


class TestSize:
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_a_gzip_bomb(
        self,
        broken: Callable[..., FaultProxy],
        connect: Callable[..., JigClient],
        ctx: Deadline,
        method: str,
    ) -> None:
        """Case T14: 64 MiB in a few KiB are not unpacked, and not asked for again."""
        proxy = broken({"on": "*", "do": "bomb"})

        with pytest.raises(OutcomeUnknownError, match="larger than 32 MiB"):
            connect(proxy.url).request(method, "/v1/deployments", ctx=ctx)

        assert proxy.count("*") == 1

    def test_a_bomb_is_not_unpacked_beyond_the_limit(
        self,
        connect: Callable[..., JigClient],
        ctx: Deadline,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Case T14: the limit holds while inflating, not after it."""
        monkeypatch.setattr(http, "MAX_ANSWER", 2**20)
        bomb = gzip.compress(bytes(64 * 2**20))

        with Scripted(Say(200, bomb, {"Content-Encoding": "gzip"})) as server:
            client = connect(server.url)
            tracemalloc.start()
            try:
                with pytest.raises(OutcomeUnknownError, match="larger than 1 MiB"):
                    client.deployments.list(ctx)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

        assert peak < 16 * 2**20

    def test_a_plain_flood(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """The limit holds without compression, too."""
        flood = Scripted(Say(200, b" " * (33 * 2**20)))

        with (
            flood as server,
            pytest.raises(OutcomeUnknownError, match="larger than 32"),
        ):
            connect(server.url).deployments.list(ctx)

    @pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
    def test_a_compressed_answer_is_read(
        self, connect: Callable[..., JigClient], ctx: Deadline, encoding: str
    ) -> None:
        """An honest gzip body is just data."""
        body = gzip.compress(json.dumps({"name": "x" * 100_000}).encode())

        with Scripted(Say(200, body, {"Content-Encoding": encoding})) as server:
            got = connect(server.url).deployments.get("llm", ctx)

        assert got.name == "x" * 100_000

    def test_a_compressed_answer_without_its_end(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """Case R9: all data and no checksum is a truncated answer, not a good one."""
        body = gzip.compress(b'{"data": []}')[:-8]
        cut = Scripted(Say(200, body, {"Content-Encoding": "gzip"}))

        with cut as server, pytest.raises(OutcomeUnknownError, match="ends too early"):
            connect(server.url).deployments.list(ctx.limited_to(1))

    def test_another_compression_was_not_asked_for(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """Only gzip is asked for, so only gzip is read."""
        strange = Scripted(Say(200, b"??", {"Content-Encoding": "br"}))

        with strange as server, pytest.raises(OutcomeUnknownError, match="'br'"):
            connect(server.url).deployments.list(ctx.limited_to(1))

    def test_a_header_without_end(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """A header of a megabyte is a broken answer, not a reason to swell."""

        def serve(sock: socket.socket) -> None:
            read_head(sock)
            sock.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2**20)

        with RawServer(serve) as server, pytest.raises(OutcomeUnknownError):
            connect(server.url).deployments.list(ctx.limited_to(1))

    def test_something_that_is_not_http(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """A port of another protocol gives an error, not a traceback."""

        def serve(sock: socket.socket) -> None:
            read_head(sock)
            sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")

        with RawServer(serve) as server, pytest.raises(OutcomeUnknownError):
            connect(server.url).deployments.list(ctx.limited_to(1))
