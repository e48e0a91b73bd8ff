"""The fault proxy does what its plan says; other tests rely on that."""

from __future__ import annotations

import http.client
import json
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from faultproxy import FaultProxy
from scripted import Say, Scripted, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def server() -> Iterator[Scripted]:
    """A server behind the proxy."""
    with Scripted(Say(201, {"name": "llm", "text": "x" * 500})) as running:
        yield running


@pytest.fixture
def plan(server: Scripted) -> Iterator[Callable[..., FaultProxy]]:
    """Make proxies with a plan."""
    made: list[FaultProxy] = []

    def make(*faults: dict[str, Any], **options: Any) -> FaultProxy:
        made.append(FaultProxy(server.url, faults, **options))
        return made[-1]

    yield make
    for proxy in made:
        proxy.stop()


def ask(
    proxy: FaultProxy, method: str = "GET", path: str = "/v1/deployments"
) -> tuple[int, bytes]:
    """One request on a fresh connection."""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)
    try:
        body = b"{}" if method == "POST" else None
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def drain(sock: socket.socket) -> None:
    """Read until the other side has closed."""
    while sock.recv(100):
        pass


class TestPassing:
    def test_without_a_plan_everything_passes(
        self, plan: Callable[..., FaultProxy], server: Scripted
    ) -> None:
        """Method, path, query, headers and body arrive; so does the answer."""
        proxy = plan()
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port)
        for _ in range(2):
            connection.request("POST", "/v1/x?a=b", b'{"c": 1}', {"X-Mine": "yes"})
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())["name"]) == (201, "llm")
        connection.close()

        seen = server.seen[1]
        assert (seen.method, seen.target, seen.body) == ("POST", "/v1/x?a=b", {"c": 1})
        assert seen.headers["x-mine"] == "yes"
        assert proxy.connections == 1

    def test_a_server_that_is_gone_is_a_reset(self) -> None:
        """When the server behind was killed, the client sees its connection go."""
        with (
            FaultProxy(f"http://127.0.0.1:{free_port()}") as proxy,
            pytest.raises(ConnectionResetError),
        ):
            ask(proxy)

        assert proxy.passed[0].forwarded is False


class TestMatching:
    @pytest.mark.parametrize(
        ("on", "method", "path", "hit"),
        [
            ("*", "GET", "/anything", True),
            ("GET /deployments", "GET", "/v1/deployments", True),
            ("GET /deployments", "GET", "/deployments?x=1", True),
            ("GET /v1/deployments", "GET", "/v1/deployments", True),
            ("POST /deployments", "GET", "/v1/deployments", False),
            ("GET /deployments", "GET", "/v1/deployments/llm", False),
            ("GET /deployments/*", "GET", "/v1/deployments/llm/logs", True),
            ("* /deployments/llm", "POST", "/v1/deployments/llm", True),
            ("GET *", "POST", "/v1/deployments", False),
        ],
    )
    def test_faults_are_for_method_and_path(
        self,
        plan: Callable[..., FaultProxy],
        *,
        on: str,
        method: str,
        path: str,
        hit: bool,
    ) -> None:
        """A fault hits what `on` says, with or without `/v1`, whatever the query."""
        proxy = plan({"on": on, "do": "answer", "status": 418})

        assert (ask(proxy, method, path)[0] == 418) is hit
        assert (proxy.count(on) == 1) is hit

    @pytest.mark.parametrize(
        ("keys", "hits"),
        [
            ({}, [1, 2, 3, 4]),
            ({"nth": 2}, [2]),
            ({"nth": 2, "times": 2}, [2, 3]),
            ({"times": 3}, [1, 2, 3]),
        ],
    )
    def test_faults_are_counted(
        self,
        plan: Callable[..., FaultProxy],
        keys: dict[str, int],
        hits: list[int],
    ) -> None:
        """`nth` and `times` choose among the requests that match."""
        proxy = plan({"on": "GET *", "do": "answer", "status": 418, **keys})
        ask(proxy, "POST")

        got = [n for n in range(1, 5) if ask(proxy)[0] == 418]

        assert got == hits

    def test_draws_follow_the_seed(self, plan: Callable[..., FaultProxy]) -> None:
        """One seed gives one sequence of faults, another seed another."""

        def draws(seed: int) -> list[str | None]:
            fault = {"on": "*", "chance": 0.5, "do": ["html", "empty", "latin"]}
            proxy = plan(fault, seed=seed)
            for _ in range(12):
                ask(proxy)
            return [passed.fault for passed in proxy.passed]

        first = draws(1)
        assert first == draws(1)
        assert first != draws(2)
        assert {None, "html", "empty", "latin"} == set(first)

    @pytest.mark.parametrize(
        "fault",
        [
            {"on": "*", "do": "explode"},
            {"on": "*", "do": ["html", "explode"]},
            {"on": "GET", "do": "html"},
            {"on": "start", "do": "html"},
        ],
    )
    def test_a_plan_with_a_typo_is_refused(
        self, plan: Callable[..., FaultProxy], fault: dict[str, Any]
    ) -> None:
        """A fault that could never happen would make a test that cannot fail."""
        with pytest.raises(ValueError, match=r"there is no fault|not a method|start"):
            plan(fault)

    def test_faults_can_be_added_and_cleared(
        self, plan: Callable[..., FaultProxy]
    ) -> None:
        """A test can break the wire in the middle and mend it again."""
        proxy = plan()
        proxy.add({"on": "*", "nth": 1, "do": "answer", "status": 418})
        broken = ask(proxy)[0]
        proxy.clear()

        assert (broken, ask(proxy)[0]) == (418, 201)

    def test_plan_and_record_can_be_printed(
        self, plan: Callable[..., FaultProxy]
    ) -> None:
        """Whoever reads a failed test finds seed, plan and requests."""
        proxy = plan({"on": "* /deployments", "do": "html"}, seed=7)
        ask(proxy)

        text = proxy.describe()
        assert "seed 7" in text
        assert '{"on": "* /deployments", "do": "html"}' in text
        assert '"path": "/deployments", "fault": "html"' in text


class TestFaults:
    @pytest.mark.parametrize(
        ("do", "forwarded", "error"),
        [
            ("reset", 0, ConnectionResetError),
            ("reset-before-forward", 0, ConnectionResetError),
            ("reset-after-forward", 1, ConnectionResetError),
            ("close", 0, http.client.RemoteDisconnected),
            ("close-after-forward", 1, http.client.RemoteDisconnected),
            ("truncate", 1, http.client.IncompleteRead),
        ],
    )
    def test_broken_connections(
        self,
        plan: Callable[..., FaultProxy],
        server: Scripted,
        *,
        do: str,
        forwarded: int,
        error: type[Exception],
    ) -> None:
        """A reset is a reset, a close a close; the server acted or did not."""
        proxy = plan({"on": "*", "do": do})

        with pytest.raises(error) as caught:
            ask(proxy, "POST")

        assert type(caught.value) is error
        assert len(server.seen) == forwarded == proxy.count("*", forwarded=True)

    @pytest.mark.parametrize(
        ("fault", "status", "body"),
        [
            ({"do": "html"}, 200, b"<title>Bad day"),
            ({"do": "html", "status": 502}, 502, b"<title>Bad day"),
            ({"do": "empty"}, 200, b""),
            ({"do": "latin"}, 200, b"caf\xe9"),
            ({"do": "text", "status": 500, "body": "oops"}, 500, b"oops"),
            ({"do": "answer", "status": 404, "body": {"a": 1}}, 404, b'{"a": 1}'),
            ({"do": "redirect"}, 307, b""),
            ({"do": "delay", "seconds": 0.01}, 201, b"llm"),
            ({"do": "delay-after-forward", "seconds": 0.01}, 201, b"llm"),
            ({"do": "drip", "bytes": 50, "every": 0.001}, 201, b"llm"),
        ],
    )
    def test_other_answers(
        self,
        plan: Callable[..., FaultProxy],
        *,
        fault: dict[str, Any],
        status: int,
        body: bytes,
    ) -> None:
        """The client gets the answer that the plan says, or the real one, late."""
        got = ask(plan({"on": "*", **fault}))

        assert got[0] == status
        assert body in got[1]

    @pytest.mark.parametrize("do", ["bad-gzip", "half-gzip", "bomb"])
    def test_damaged_compression(
        self, plan: Callable[..., FaultProxy], do: str
    ) -> None:
        """What claims to be gzip is damaged, cut or enormous."""
        import zlib

        proxy = plan({"on": "*", "do": do, "bytes": 2**20})
        body = ask(proxy)[1]
        inflate = zlib.decompressobj(31)

        if do == "bad-gzip":
            with pytest.raises(zlib.error):
                inflate.decompress(body)
        elif do == "half-gzip":
            assert (inflate.decompress(body) is not None, inflate.eof) == (True, False)
        else:
            assert len(body) < 10_000
            assert len(inflate.decompress(body)) == 2**20

    @pytest.mark.parametrize("do", ["hang", "hang-after-forward", "hang-body"])
    def test_hanging_ends_when_it_was_told_to(
        self, plan: Callable[..., FaultProxy], do: str
    ) -> None:
        """Nothing comes for the time given, and then the connection ends."""
        proxy = plan({"on": "*", "do": do, "seconds": 0.05})

        with pytest.raises((http.client.HTTPException, OSError)):
            ask(proxy)

    @pytest.mark.parametrize("do", ["hang", "drip-head"])
    def test_stopping_ends_what_hangs(
        self, plan: Callable[..., FaultProxy], do: str
    ) -> None:
        """A test that is over does not leave a thread that waits."""
        proxy = plan({"on": "*", "do": do})
        with socket.create_connection(("127.0.0.1", proxy.port)) as client:
            client.sendall(b"GET /x HTTP/1.1\r\n\r\n")
            while not proxy.passed:
                pass
            proxy.stop()
            client.settimeout(20)
            with pytest.raises(ConnectionResetError):
                drain(client)

    def test_refusing_and_coming_back(self, plan: Callable[..., FaultProxy]) -> None:
        """Connections are refused for a while, then accepted at the same address."""
        proxy = plan({"on": "*", "nth": 1, "do": "refuse", "seconds": 0.2})
        address = ("127.0.0.1", urlsplit(proxy.url).port)

        with pytest.raises(ConnectionResetError):
            ask(proxy)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        while True:
            try:
                assert ask(proxy)[0] == 201
                break
            except ConnectionRefusedError:
                continue
