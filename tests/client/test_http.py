"""Certificates, proxies, connections: each message names the setting to change."""

from __future__ import annotations

import datetime as dt
import errno
import json
import socket
import ssl
import struct
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from faultproxy import FaultProxy
from scripted import RawServer, Say, Scripted, read_head

from pulumi_jig.client import http
from pulumi_jig.deadline import Deadline
from pulumi_jig.errors import (
    ConfigError,
    EngineDisconnectedError,
    NotSentError,
    OutcomeUnknownError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import trustme

    from pulumi_jig.client import JigClient
    from pulumi_jig.client.sockets import Exchange

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n" + b'{"data":[]}'
#: Not loopback by its name, so that the rules for other hosts apply.
HOST = "api.example.invalid"


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that nobody trusts."""
    trustme = pytest.importorskip("trustme", reason="trustme is not installed")
    return trustme.CA()


@pytest.fixture
def secure(emulator: str, authority: trustme.CA) -> Iterator[Callable[..., FaultProxy]]:
    """Make servers that speak TLS with a certificate for such a name."""
    made: list[FaultProxy] = []

    def make(name: str = "127.0.0.1", *, days: int = 1) -> FaultProxy:
        now = dt.datetime.now(dt.UTC)
        certificate = authority.issue_cert(
            name,
            not_before=now - dt.timedelta(days=9),
            not_after=now + dt.timedelta(days=days),
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        made.append(FaultProxy(emulator, tls=context))
        return made[-1]

    yield make
    for proxy in made:
        proxy.stop()


@pytest.fixture
def trusted(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Trust the authority by SSL_CERT_FILE."""
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return file


class TestCertificates:
    def fails(
        self, connect: Callable[..., JigClient], proxy: FaultProxy, ctx: Deadline
    ) -> str:
        """The message of a POST, which must not have reached the server."""
        with pytest.raises(NotSentError) as caught:
            connect(proxy.url).deployments.create({"name": "llm"}, ctx)
        assert proxy.passed == []
        assert proxy.connections == 1, "TLS failures are not retried"
        return caught.value.message

    def test_an_unknown_authority(
        self,
        connect: Callable[..., JigClient],
        secure: Callable[..., FaultProxy],
        ctx: Deadline,
    ) -> None:
        """Case N1, peers' bug 48: the message names SSL_CERT_FILE."""
        message = self.fails(connect, secure(), ctx)

        assert "is not trusted; set SSL_CERT_FILE" in message
        assert "REQUESTS_CA_BUNDLE" not in message

    def test_ssl_cert_file_is_honoured(
        self,
        connect: Callable[..., JigClient],
        secure: Callable[..., FaultProxy],
        ctx: Deadline,
        trusted: Path,
    ) -> None:
        """Case N2: with the authority's file, the same server is good."""
        proxy = secure()

        assert trusted.exists()
        connect(proxy.url).deployments.list(ctx)
        assert proxy.count("GET /deployments") == 1

    def test_requests_ca_bundle_is_not_and_that_is_said(
        self,
        connect: Callable[..., JigClient],
        secure: Callable[..., FaultProxy],
        ctx: Deadline,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Case N2: whoever set the other variable learns why it has no effect."""
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/ca.pem")

        assert "REQUESTS_CA_BUNDLE is not read" in self.fails(connect, secure(), ctx)

    @pytest.mark.usefixtures("trusted")
    def test_a_certificate_for_another_name(
        self,
        connect: Callable[..., JigClient],
        secure: Callable[..., FaultProxy],
        ctx: Deadline,
    ) -> None:
        """Case N5: the message names the address."""
        message = self.fails(connect, secure("other.example"), ctx)

        assert "is for another name; check the host in TOGETHER_BASE_URL" in message

    @pytest.mark.usefixtures("trusted")
    def test_a_certificate_past_its_time(
        self,
        connect: Callable[..., JigClient],
        secure: Callable[..., FaultProxy],
        ctx: Deadline,
    ) -> None:
        """Case N6: the message names the certificate and the clock."""
        message = self.fails(connect, secure(days=-1), ctx)

        assert "has expired; have it renewed, or set this machine's clock" in message

    @pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
    def test_a_path_that_does_not_exist(
        self,
        connect: Callable[..., JigClient],
        monkeypatch: pytest.MonkeyPatch,
        name: str,
    ) -> None:
        """Case N3: a wrong path is told at once, with the variable's name."""
        monkeypatch.setenv(name, "/no/such/place")

        with pytest.raises(ConfigError, match=f"{name} names /no/such/place"):
            connect("https://127.0.0.1:1")

    def test_a_file_that_holds_no_certificate(
        self,
        connect: Callable[..., JigClient],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        """Case N3: likewise a file with something else in it."""
        (tmp_path / "ca.pem").write_text("no certificate")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

        with pytest.raises(ConfigError, match="cannot be read as certificates"):
            connect("https://127.0.0.1:1")

    def test_plain_http_needs_no_certificates(
        self,
        connect: Callable[..., JigClient],
        emulator: str,
        ctx: Deadline,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Case N3: a wrong path does not disturb who does not need it."""
        monkeypatch.setenv("SSL_CERT_FILE", "/no/such/place")

        assert isinstance(connect(emulator).deployments.list(ctx), list)

    def test_a_folder_of_certificates(
        self,
        connect: Callable[..., JigClient],
        secure: Callable[..., FaultProxy],
        ctx: Deadline,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        """An empty folder trusts nobody."""
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))

        assert "is not trusted" in self.fails(connect, secure(), ctx)

    def test_tls_to_a_port_without(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """Case N4: https to a plain port names the address."""
        with Scripted() as server, pytest.raises(NotSentError) as caught:
            connect(server.url.replace("http:", "https:")).deployments.list(ctx)

        assert "does not speak TLS; use http:// in TOGETHER" in caught.value.message

    def test_a_handshake_that_is_cut_short(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """A middle box that hangs up on TLS is told from a bad certificate."""

        def serve(sock: socket.socket) -> None:
            sock.recv(65536)

        with RawServer(serve) as server, pytest.raises(NotSentError) as caught:
            connect(f"https://127.0.0.1:{server.port}").deployments.list(ctx)

        assert "the TLS handshake with" in caught.value.message
        assert server.connections == 1

    def test_a_handshake_that_is_reset(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """A connection that breaks while it is made has sent nothing."""

        def serve(sock: socket.socket) -> None:
            sock.recv(5)
            off = struct.pack("ii", 1, 0)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, off)

        with RawServer(serve) as server:
            client = connect(f"https://127.0.0.1:{server.port}")
            with pytest.raises(NotSentError) as caught:
                client.deployments.list(ctx.limited_to(0.1))

        assert "cannot be reached; check TOGETHER_BASE_URL" in caught.value.message

    def test_a_key_that_no_header_can_hold(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """Case N10: past the settings' check, the HTTP library's words are not used."""
        key = "key-canary\n0123"

        with Scripted() as server, pytest.raises(NotSentError) as caught:
            connect(server.url, api_key=key).deployments.list(ctx.limited_to(0.1))

        assert "canary" not in "".join(traceback.format_exception(caught.value))


class TestProxies:
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    @pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY", "http_proxy"])
    def test_this_machine_is_reached_directly(
        self,
        connect: Callable[..., JigClient],
        ctx: Deadline,
        monkeypatch: pytest.MonkeyPatch,
        host: str,
        name: str,
    ) -> None:
        """Case N7: a proxy in the environment does not hide the emulator."""
        with Scripted() as server, Scripted() as proxy:
            monkeypatch.setenv(name, proxy.url)
            connect(f"http://{host}:{server.port}").deployments.list(ctx)

            assert (len(server.seen), len(proxy.seen)) == (1, 0)

    @pytest.mark.parametrize("scheme", ["http://", ""])
    def test_other_hosts_are_reached_through_it(
        self,
        connect: Callable[..., JigClient],
        ctx: Deadline,
        monkeypatch: pytest.MonkeyPatch,
        scheme: str,
    ) -> None:
        """The environment's proxy is used, with its own user name and password."""
        with Scripted() as proxy:
            where = f"{scheme}me:p%40ss@127.0.0.1:{proxy.port}"
            monkeypatch.setenv("HTTP_PROXY", where)
            connect(f"http://{HOST}").deployments.list(ctx)

            seen = proxy.seen[0]
        assert seen.target == f"http://{HOST}/v1/deployments"
        assert seen.headers["proxy-authorization"] == "Basic bWU6cEBzcw=="

    @pytest.mark.usefixtures("trusted")
    def test_https_goes_through_a_tunnel(
        self,
        connect: Callable[..., JigClient],
        authority: trustme.CA,
        ctx: Deadline,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The proxy sees a host name, and nothing of the key."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST).configure_cert(context)
        heads: list[bytes] = []

        def serve(sock: socket.socket) -> None:
            heads.append(read_head(sock))
            sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with context.wrap_socket(sock, server_side=True) as inner:
                heads.append(read_head(inner))
                inner.sendall(ANSWER)

        with RawServer(serve) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            assert connect(f"https://{HOST}").deployments.list(ctx) == []

        assert heads[0].startswith(f"CONNECT {HOST}:443 ".encode())
        assert b"key-canary" not in heads[0]
        assert b"Bearer key-canary" in heads[1]

    @pytest.mark.parametrize("status", [b"407", b"502"])
    def test_a_proxy_that_refuses(
        self,
        connect: Callable[..., JigClient],
        ctx: Deadline,
        monkeypatch: pytest.MonkeyPatch,
        status: bytes,
    ) -> None:
        """The message names variable and proxy, without the proxy's password."""

        def serve(sock: socket.socket) -> None:
            read_head(sock)
            sock.sendall(b"HTTP/1.1 " + status + b" Nope\r\nContent-Length: 0\r\n\r\n")

        with RawServer(serve) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", f"http://me:pw@127.0.0.1:{proxy.port}")
            with pytest.raises(NotSentError) as caught:
                connect(f"https://{HOST}").deployments.list(ctx.limited_to(1))

        assert f"http://127.0.0.1:{proxy.port} refused" in caught.value.message
        assert "check HTTPS_PROXY" in caught.value.message
        assert "pw" not in caught.value.message

    def test_a_proxy_that_is_not_there(
        self,
        connect: Callable[..., JigClient],
        ctx: Deadline,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """It is the proxy that is named, not the service."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")

        with pytest.raises(NotSentError, match=r"the proxy .* cannot be reached"):
            connect(f"https://{HOST}").deployments.list(ctx.limited_to(1))

    @pytest.mark.parametrize("names", [HOST, ".invalid", "*", f"a.example,{HOST}"])
    def test_no_proxy(
        self,
        connect: Callable[..., JigClient],
        ctx: Deadline,
        monkeypatch: pytest.MonkeyPatch,
        names: str,
    ) -> None:
        """Case N9: what NO_PROXY names is looked up and reached directly."""
        with Scripted() as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("NO_PROXY", names)
            with pytest.raises(NotSentError, match="has no address"):
                connect(f"http://{HOST}").deployments.list(ctx.limited_to(1))

            assert proxy.seen == []

    def test_socks_needs_a_package(
        self, connect: Callable[..., JigClient], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Case N8: the message says which package, and how to do without."""
        monkeypatch.setitem(sys.modules, "socksio", None)
        monkeypatch.setenv("ALL_PROXY", "socks5://me:pw@127.0.0.1:9")

        with pytest.raises(ConfigError) as caught:
            connect(f"https://{HOST}")

        assert "pip install 'httpx[socks]'" in caught.value.message
        assert "NO_PROXY" in caught.value.message
        assert "pw" not in caught.value.message

    def test_socks_with_the_package(
        self,
        connect: Callable[..., JigClient],
        ctx: Deadline,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """With the package, a SOCKS proxy is spoken to, and looks names up itself."""
        pytest.importorskip("socksio", reason="socksio is not installed")
        asked: list[bytes] = []

        def serve(sock: socket.socket) -> None:
            sock.recv(64)
            sock.sendall(b"\x05\x00")
            asked.append(sock.recv(256))
            sock.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50")
            read_head(sock)
            sock.sendall(ANSWER)

        with RawServer(serve) as proxy:
            monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{proxy.port}")
            assert connect(f"http://{HOST}").deployments.list(ctx) == []

        assert HOST.encode() in asked[0]

    def test_a_proxy_of_another_kind(
        self, connect: Callable[..., JigClient], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Case N8: what cannot be spoken to is refused before anything is sent."""
        monkeypatch.setenv("ALL_PROXY", "gopher://127.0.0.1:9")

        with pytest.raises(ConfigError, match="of a kind that is not supported"):
            connect(f"https://{HOST}")


class TestConnections:
    def test_a_wait_uses_one_connection(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """Polling does not open a connection for each look."""
        with Scripted() as server:
            client = connect(server.url)
            for _ in range(20):
                client.deployments.get("llm", ctx)

            assert len({seen.connection for seen in server.seen}) == 1

    def test_refusals_keep_it_open(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """An error is read to its end, so that its connection serves again."""
        with Scripted(Say(500, "x" * 5000), Say(503), Say(200)) as server:
            connect(server.url).deployments.get("llm", ctx)

            assert len({seen.connection for seen in server.seen}) == 1

    def test_threads_share_them_up_to_the_limit(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """`jig:parallel` bounds the connections, and all answers find their asker."""

        def echo(seen: object) -> Say:
            return Say(200, {"name": seen.target.rpartition("/")[2]})  # type: ignore[attr-defined]

        with Scripted(echo) as server:
            client = connect(server.url, parallel=4)
            names = [f"name-{n}" for n in range(500)]
            with ThreadPoolExecutor(32) as pool:
                got = list(
                    pool.map(lambda n: client.deployments.get(n, ctx).name, names)
                )

            connections = {seen.connection for seen in server.seen}
        assert got == names
        # More of either would mean that a connection was closed under a request.
        assert (len(server.seen), len(connections) <= 4) == (500, True)

    def test_sixty_four_at_a_time(self, connect: Callable[..., JigClient]) -> None:
        """As many requests as `jig:parallel` says are under way at once."""
        barrier = threading.Barrier(64)

        def meet(_: object) -> Say:
            barrier.wait(60)
            return Say(200)

        with Scripted(meet) as server, ThreadPoolExecutor(64) as pool:
            client = connect(server.url)
            futures = [
                pool.submit(client.deployments.list, Deadline(60)) for _ in range(64)
            ]
            assert [future.result() for future in futures] == [[]] * 64

    def test_no_cookie_is_kept(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """A session that a load balancer hands out does not follow the key around."""
        with Scripted(Say(200, {}, {"Set-Cookie": "a=b; Path=/"})) as server:
            client = connect(server.url)
            client.deployments.list(ctx)
            client.deployments.list(ctx)

            assert "cookie" not in server.seen[1].headers

    def test_a_host_with_two_addresses(
        self,
        connect: Callable[..., JigClient],
        ctx: Deadline,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Where the first address does not answer, the second is tried."""
        real = socket.getaddrinfo

        def two(host: str, port: int, *args: object, **options: object) -> list[object]:
            if host != "localhost":
                return list(real(host, port, *args, **options))  # type: ignore[arg-type]
            dead = real("127.0.0.9", port, *args, **options)  # type: ignore[arg-type]
            return [*dead, *real("127.0.0.1", port, *args, **options)]  # type: ignore[arg-type]

        with Scripted() as server:
            monkeypatch.setattr(socket, "getaddrinfo", two)
            client = connect(f"http://localhost:{server.port}")

            assert client.deployments.list(ctx) == []

    def test_a_closed_client_is_not_opened_again(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """A request after close() is a mistake of ours, and nothing was sent."""
        with Scripted() as server:
            client = connect(server.url)
            client.close()
            with pytest.raises(NotSentError, match=r"not send it \(RuntimeError\)"):
                client.deployments.list(ctx.limited_to(1))


def test_a_module_that_is_loaded_already_stays_loaded() -> None:
    """Only what nobody has loaded yet is kept out, while the HTTP library loads."""
    with http._without("json"):
        assert sys.modules["json"] is json
    assert sys.modules["json"] is json


class TestReach:
    """Whether a server speaks HTTP, before anything is created on it."""

    def test_a_refusal_is_an_answer(
        self, connect: Callable[..., JigClient], emulator: str, ctx: Deadline
    ) -> None:
        """Who refuses the key has been reached."""
        connect(emulator, api_key="invalid-key").reach(ctx)

    def test_a_server_that_never_answers_gets_nothing_to_create(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """It is said that nothing was sent, and not that the outcome is unknown."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with pytest.raises(NotSentError):
            connect(f"http://127.0.0.1:{port}").reach(ctx.limited_to(1))

    def test_half_an_answer_is_a_word_of_http(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """Who breaks off in the middle is there, and may be asked to create."""

        def serve(sock: socket.socket) -> None:
            read_head(sock)
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")

        with RawServer(serve) as server:
            connect(server.url).reach(ctx.limited_to(1))

    def test_nobody_waits_for_it_once_the_engine_is_gone(
        self, connect: Callable[..., JigClient]
    ) -> None:
        """The wait for a dead server ends with whoever waits."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        answers = iter([True] * 3)
        leaving = Deadline(60, engine_alive=lambda: next(answers, False))
        with pytest.raises(EngineDisconnectedError):
            connect(f"http://127.0.0.1:{port}").reach(leaving)

    @pytest.mark.parametrize(
        ("number", "words"),
        [(errno.EMFILE, "no more files"), (errno.ENOMEM, "no more memory")],
    )
    def test_a_machine_at_its_end_has_sent_nothing(
        self,
        connect: Callable[..., JigClient],
        emulator: str,
        monkeypatch: pytest.MonkeyPatch,
        number: int,
        words: str,
    ) -> None:
        """What fails before the first byte creates nothing, whoever raises it."""

        def fail(*_: object) -> None:
            raise OSError(number, "x")

        monkeypatch.setattr(http.HttpTransport, "_exchange", fail)
        with pytest.raises(NotSentError, match=words):
            connect(emulator).deployments.create({"name": "llm"}, Deadline(1))

    def test_what_the_library_gives_up_after_sending_is_an_unknown_outcome(
        self,
        connect: Callable[..., JigClient],
        emulator: str,
        ctx: Deadline,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """An error that nobody expects, once bytes have left, may have taken effect."""

        def fail(_: object, __: object, ___: object, exchange: Exchange) -> None:
            exchange.sent, exchange.received = True, b"HTTP/1.1 "
            raise RuntimeError

        client = connect(emulator)
        client.whoami(ctx)
        monkeypatch.setattr(http.HttpTransport, "_exchange", fail)
        with pytest.raises(OutcomeUnknownError, match="may have taken effect"):
            client.deployments.create({"name": "llm"}, ctx.limited_to(1))
