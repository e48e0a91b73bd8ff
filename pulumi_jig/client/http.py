"""
HTTP itself: the only module of this package that imports httpx.

What httpx leaves open, a provider cannot do without, and a test shows:

- A time limit for the whole exchange. httpx's limit is for each read, so a server that
  sends a byte now and then would hold an operation for ever. `sockets` gives every wait
  (connecting, the TLS handshake, sending, each read) what is left of one deadline.
- A connection for one thread at a time, see `_Connections`.
- A size limit that holds while a compressed body is being inflated.
- Loopback is never reached through a proxy; other hosts honour the environment.
- Every failure says whether the server may have acted, and which setting to change.

Redirects are not followed (the key would go with them), and HTTP/2 is not spoken.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import ssl
import sys
import threading
import zlib
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import httpcore

from pulumi_jig.client.sockets import Backend, Exchange, HandshakeTimeout
from pulumi_jig.client.tls_proxy import (
    proxy_for,
    proxy_refusal,
    proxy_setting,
    shown,
    ssl_context,
    tls_failure,
)
from pulumi_jig.client.transport import Request, Response, TransportError, span
from pulumi_jig.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulumi_jig.config import Settings


@contextlib.contextmanager
def _without(module: str) -> Iterator[None]:
    """Let a module be one that is not installed, to whatever is imported meanwhile."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment] # the import system's own word
    try:
        yield
    finally:
        del sys.modules[module]


# httpx loads its command line where rich and click are installed, as they are beside our
# own: half of what its import takes, in every plugin process, for nothing. It does
# without where they are not.
with _without("httpx._main"):
    import httpx

_LOG = logging.getLogger(__name__)

#: The longest wait for a connection, in seconds, TLS handshake not included.
CONNECT_TIMEOUT: Final = 10.0
#: Unused connections are closed after so many seconds: before the servers in common use
#: close them (5 s and more), since a request that crosses such a close is lost.
KEEPALIVE_EXPIRY: Final = 4.0
#: The largest answer, in bytes, after decompression: a list of 10,000 deployments of
#: 1.5 KiB twice over.
MAX_ANSWER: Final = 32 * 1024 * 1024


class HttpTransport:
    """
    HTTP/1.1 over connections that all threads of this process share.

    Args:
        settings: Address and number of connections.

    Raises:
        ConfigError: The environment names certificates or a proxy that cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        _quieten()
        self._settings = settings
        self._backend = Backend()
        self._proxy = proxy_for(settings)
        self._client = httpx.Client(
            base_url=settings.base_url,
            transport=_Connections(settings, self._proxy, self._backend),
            # Neither ~/.netrc nor a proxy that was not chosen here.
            trust_env=False,
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    def __repr__(self) -> str:
        return f"HttpTransport({self._settings.base_url})"

    def send(self, request: Request, timeout: float) -> Response:
        """
        Send once; see `Transport.send`.

        Raises:
            TransportError: No complete answer came.
        """
        exchange = self._backend.begin(timeout)
        try:
            return self._exchange(request, timeout, exchange)
        except TransportError:
            raise
        except httpcore.PoolTimeout:
            why = (
                f"all {self._settings.parallel} connections were busy for "
                f"{span(timeout)}; raise jig:parallel or run fewer operations at a time"
            )
            raise TransportError(why, sent=False) from None
        except Exception as error:
            if exchange.sent:
                raise self._interrupted(error, timeout, exchange) from None
            raise self._not_sent(error, timeout) from None

    def _exchange(
        self, request: Request, timeout: float, exchange: Exchange
    ) -> Response:
        outgoing = self._client.build_request(
            request.method,
            request.path,
            params=dict(request.params) or None,
            headers=dict(request.headers),
            content=request.body,
            timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT)),
            extensions={"trace": exchange.trace},
        )
        response = self._client.send(outgoing, stream=True)
        try:
            body = _read(response)
        finally:
            response.close()
        return Response(
            status=response.status_code,
            headers={k.lower(): v for k, v in response.headers.items()},
            body=body,
        )

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    # --- What a failure to connect means ------------------------------------------

    @property
    def _where(self) -> str:
        return urlsplit(self._settings.base_url).netloc

    def _interrupted(
        self, error: Exception, timeout: float, exchange: Exchange
    ) -> TransportError:
        """What broke an exchange after its request had begun to leave this machine."""
        spoke = _is_http(exchange.received)
        if isinstance(error, httpcore.TimeoutException):
            why = f"{self._where} did not finish its answer within {span(timeout)}"
        elif spoke is False:
            why = f"what listens at {self._where} does not speak HTTP"
        elif isinstance(error, httpcore.RemoteProtocolError):
            why = f"{self._where} closed the connection before its answer was complete"
        elif isinstance(error, httpcore.NetworkError):
            why = f"the connection to {self._where} was reset"
        else:
            # Nothing of ours should lead here. If something does, nobody knows what
            # became of the request.
            why = f"the HTTP library gave up ({type(error).__name__})"
        return TransportError(why, sent=True, spoke=spoke)

    def _not_sent(self, error: Exception, timeout: float) -> TransportError:
        """Why no byte of a request has left this machine."""
        if isinstance(error, httpcore.ConnectTimeout):
            return self._connect_timeout(error, timeout)
        if isinstance(error, httpcore.ProxyError):
            why, passing = proxy_refusal(self._settings, self._proxy or "", str(error))
            return TransportError(why, sent=False, retryable=passing)
        if isinstance(error, _UNCONNECTED):
            return self._not_connected(error)
        if isinstance(error, OSError) and error.errno in _EXHAUSTED:
            return TransportError(self._exhausted(error), sent=False)
        why = (
            f"this machine could not send it ({type(error).__name__}); set "
            "PULUMI_JIG_DEBUG=1 to see where that happened"
        )
        _LOG.debug("not sent", exc_info=error)
        return TransportError(why, sent=False, retryable=False)

    def _exhausted(self, error: OSError) -> str:
        what = "files" if error.errno in {errno.EMFILE, errno.ENFILE} else "memory"
        return f"this machine has no more {what} to open a connection with"

    def _not_connected(self, error: Exception) -> TransportError:
        setting = self._settings.url_setting
        cause = _root(error)
        if isinstance(cause, ssl.SSLError):
            return TransportError(
                tls_failure(cause, self._where, setting), sent=False, retryable=False
            )
        if isinstance(cause, OSError) and cause.errno in _EXHAUSTED:
            return TransportError(self._exhausted(cause), sent=False)
        if self._proxy is not None:
            why = (
                f"the proxy {shown(self._proxy)} cannot be reached; check "
                f"{proxy_setting(self._settings)}, or add {self._settings.host} to NO_PROXY"
            )
            return TransportError(why, sent=False)
        if isinstance(cause, socket.gaierror):
            why = (
                f"the host {self._settings.host} has no address; check {setting} and "
                "this machine's name service"
            )
            return TransportError(why, sent=False)
        if isinstance(cause, ConnectionRefusedError):
            why = f"nothing listens at {self._where}; check {setting}"
            return TransportError(why, sent=False)
        why = f"{self._where} cannot be reached; check {setting} and the network"
        return TransportError(why, sent=False)

    def _connect_timeout(self, error: Exception, timeout: float) -> TransportError:
        if isinstance(error, HandshakeTimeout):
            why = (
                f"{self._where} did not finish the TLS handshake within "
                f"{span(timeout)}; if it speaks plain http, say so in "
                f"{self._settings.url_setting}"
            )
        else:
            why = (
                f"{self._where} did not accept a connection within "
                f"{span(min(timeout, CONNECT_TIMEOUT))}; check "
                f"{self._settings.url_setting}, the network and its proxies"
            )
        return TransportError(why, sent=False)


# --- Responses ---------------------------------------------------------------------


def _read(response: httpx.Response) -> bytes:
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in {"", "identity"}:
        inflate = None
    elif encoding in {"gzip", "x-gzip"}:
        inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
    else:
        why = f"its answer is compressed as '{safe_text(encoding, 40)}', which was not asked for"
        raise TransportError(why, sent=True, spoke=True)
    body = bytearray()
    try:
        for chunk in response.iter_raw():
            if inflate is None:
                body += chunk
            else:
                # At most one byte above the limit is ever inflated.
                body += inflate.decompress(chunk, MAX_ANSWER + 1 - len(body))
            if len(body) > MAX_ANSWER:
                why = f"its answer is larger than {MAX_ANSWER // 2**20} MiB"
                raise TransportError(why, sent=True, retryable=False, spoke=True)
    except zlib.error:
        why = "its compressed answer is damaged"
        raise TransportError(why, sent=True, spoke=True) from None
    if inflate is not None and not inflate.eof:
        why = "its compressed answer ends too early"
        raise TransportError(why, sent=True, spoke=True)
    return bytes(body)


# --- Connections -------------------------------------------------------------------


def _quieten() -> None:
    """
    Keep the libraries below from logging answers, unless somebody asked them to.

    At DEBUG they write every header that arrives, and a server may put into a header
    what it was sent. `pulumi_jig.client` has a line for each request of its own.
    """
    for name in ("httpx", "httpcore"):
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.WARNING)


class _Body(httpx.SyncByteStream):
    """The body of a response as it arrives; its connection is free once this is closed."""

    def __init__(
        self,
        response: httpcore.Response,
        connection: httpcore.ConnectionPool,
        owner: _Connections,
    ) -> None:
        self._response = response
        self._connection = connection
        self._owner = owner

    def __iter__(self) -> Iterator[bytes]:
        return self._response.iter_stream()

    def close(self) -> None:
        """Give the connection back, or close it where the body was not read."""
        try:
            self._response.close()
        finally:
            self._owner.give_back(self._connection)


class _Connections(httpx.BaseTransport):
    """
    Up to `settings.parallel` connections, each for one thread from the first byte of a
    request to the last byte of its response; the most recently used one first.

    The pool below httpx looks at idle connections while another thread may already be
    using one of them. Under contention it then takes a response that arrives for a
    server that hung up, and closes a connection with a request in flight: one
    httpx.Client with 4 connections and 32 threads lost 148 to 216 of 3,000 requests to a
    healthy server, and 4 to 8 more waited until their time limit (httpx 0.28.1, httpcore
    1.0.9). A lost POST would be an unknown outcome that no server caused. A client per
    thread would lose none, but could not be held to `jig:parallel`.

    Args:
        settings: Address and number of connections.
        proxy: The proxy's URL, or None.
        backend: Where sockets come from; httpx itself has no way to give one.

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

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """
        Wait for a turn, send, and wait for the header of the response.

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
            response = connection.handle_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(
                        scheme=request.url.raw_scheme,
                        host=request.url.raw_host,
                        port=request.url.port,
                        target=request.url.raw_path,
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        except BaseException:
            # Its socket is closed already; it reconnects when it is used again.
            self.give_back(connection)
            raise
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(response, connection, self),
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
        """A pool of one connection, which reconnects by itself and knows the proxies."""
        if self._proxy is None:
            return httpcore.ConnectionPool(**self._options)
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


def _root(error: BaseException) -> BaseException:
    """What happened first, below the layers that renamed it."""
    while True:
        cause = error.__cause__ or error.__context__
        if cause is None:
            return error
        error = cause


def _is_http(received: bytes) -> bool | None:
    """Whether an answer began as HTTP; None where nothing was heard."""
    return b"HTTP/".startswith(received[:5]) if received else None


#: Failures between this machine and the server, or its proxy.
_UNCONNECTED: Final = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.RemoteProtocolError,
)
#: What this machine may run out of: open files and memory for sockets.
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
