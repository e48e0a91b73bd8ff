"""
HTTP itself: the only module of this package that imports httpx.

It adds what httpx leaves open and a provider cannot do without:

- A time limit for the whole exchange. httpx's limit is for each read, so a server that
  sends a byte now and then would hold an operation for ever. Here every wait on the
  socket (connecting, the TLS handshake, sending, each read of the header or body) gets
  what is left of one deadline.
- A size limit that holds while a compressed body is being inflated.
- Loopback is never reached through a proxy; other hosts honour the environment.
- Every failure says whether the server may have acted, and which setting to change.

It refuses to follow redirects (the key would go with them) and to speak HTTP/2 (httpx's
connections are not safe to share between threads there, and this client is shared).
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import ssl
import sys
import zlib
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httpcore

from pulumi_jig.client.connections import Connections, ExclusiveBody
from pulumi_jig.client.sockets import Backend, Exchange, HandshakeTimeout
from pulumi_jig.client.tls_proxy import proxy_for, shown
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
            transport=_Transport(Connections(settings, self._proxy, self._backend)),
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
            return self._proxy_refused(error)
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
            return TransportError(self._tls(cause), sent=False, retryable=False)
        if isinstance(cause, OSError) and cause.errno in _EXHAUSTED:
            return TransportError(self._exhausted(cause), sent=False)
        if self._proxy is not None:
            why = (
                f"the proxy {shown(self._proxy)} cannot be reached; check "
                f"{self._proxy_setting}, or add {self._settings.host} to NO_PROXY"
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

    def _tls(self, cause: ssl.SSLError) -> str:
        where, setting = self._where, self._settings.url_setting
        if isinstance(cause, ssl.SSLCertVerificationError):
            if cause.verify_code == _EXPIRED:
                return (
                    f"the certificate of {where} has expired; have it renewed, or set "
                    "this machine's clock"
                )
            if cause.verify_code in _OTHER_NAME:
                return (
                    f"the certificate of {where} is for another name; check the host "
                    f"in {setting}"
                )
            note = ""
            if os.environ.get("REQUESTS_CA_BUNDLE"):
                note = " (REQUESTS_CA_BUNDLE is not read)"
            return (
                f"the certificate of {where} is not trusted; set SSL_CERT_FILE to a "
                f"file with your organisation's root certificate{note}"
            )
        if cause.reason in {
            "WRONG_VERSION_NUMBER",
            "HTTP_REQUEST",
            "RECORD_LAYER_FAILURE",
        }:
            return (
                f"{where} does not speak TLS; use http:// in {setting} if that is meant"
            )
        return (
            f"the TLS handshake with {where} failed ({cause.reason or 'closed'}); check "
            f"{setting} and the proxies between"
        )

    @property
    def _proxy_setting(self) -> str:
        return (
            f"{urlsplit(self._settings.base_url).scheme.upper()}_PROXY (or ALL_PROXY)"
        )

    def _proxy_refused(self, error: Exception) -> TransportError:
        status = str(error).partition(" ")[0]
        said = f" (status {status})" if status.isdigit() else ""
        if status == "407":
            said = " (status 407: it wants a user name and a password that it knows)"
        why = (
            f"the proxy {shown(self._proxy or '')} refused to connect{said}; check "
            f"{self._proxy_setting}, or add {self._settings.host} to NO_PROXY"
        )
        # A proxy that cannot reach the host may do so a moment later.
        final = status in {"400", "401", "403", "407"}
        return TransportError(why, sent=False, retryable=not final)


# --- Answers -----------------------------------------------------------------------


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
    """The body of an answer as it arrives."""

    def __init__(self, inner: ExclusiveBody) -> None:
        self._inner = inner

    def __iter__(self) -> Iterator[bytes]:
        yield from self._inner

    def close(self) -> None:
        """Give the connection back, or close it where the body was not read."""
        self._inner.close()


class _Transport(httpx.BaseTransport):
    """
    httpx over connections of our own making.

    httpx has no door for a network backend; its own transport is these same lines.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and wait for the header of its answer."""
        answer = self._connections.handle_request(
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
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Body(answer.body),
        )

    def close(self) -> None:
        """Close every connection."""
        self._connections.close()


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
#: OpenSSL's numbers: a certificate past its time; one for another host name, address.
_EXPIRED: Final = 10
_OTHER_NAME: Final = frozenset({62, 64})
