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

import importlib.util
import logging
import os
import socket
import ssl
import threading
import time
import urllib.request
import zlib
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import certifi
import httpcore
import httpx

from pulumi_jig.client.wire import WireAnswer, WireError, WireRequest
from pulumi_jig.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pulumi_jig.config import Settings

_LOG = logging.getLogger(__name__)

#: The longest wait for a connection, in seconds, TLS handshake not included.
CONNECT_TIMEOUT: Final = 10.0
#: The largest answer, in bytes, after decompression. A list of 10,000 deployments is
#: about 15 MiB.
MAX_ANSWER: Final = 32 * 1024 * 1024
#: Unused connections are closed after so many seconds: before the servers in common use
#: close them (5 s and more), since a request that crosses such a close is lost.
KEEPALIVE_EXPIRY: Final = 4.0
#: Bytes handed to the socket at a time, so that a slow reader meets the deadline.
_CHUNK: Final = 64 * 1024


class HttpWire:
    """
    HTTP/1.1 over connections that all threads of this process share.

    Args:
        settings: Address and number of connections.

    Raises:
        ConfigError: The environment names certificates or a proxy that cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._backend = _Backend()
        self._proxy = _proxy_for(settings)
        self._client = httpx.Client(
            base_url=settings.base_url,
            transport=_Transport(_pool(settings, self._proxy, self._backend)),
            # Neither ~/.netrc nor a proxy that was not chosen here.
            trust_env=False,
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    def __repr__(self) -> str:
        return f"HttpWire({self._settings.base_url})"

    def send(self, request: WireRequest, timeout: float) -> WireAnswer:
        """
        Send once; see `Wire.send`.

        Raises:
            WireError: No complete answer came.
        """
        self._backend.deadline = time.monotonic() + timeout
        outgoing = self._client.build_request(
            request.method,
            request.path,
            params=dict(request.params) or None,
            headers=dict(request.headers),
            content=request.body,
            timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT)),
        )
        try:
            response = self._client.send(outgoing, stream=True)
            try:
                body = _read(response)
            finally:
                response.close()
        except httpcore.ConnectError as error:
            raise self._not_connected(error) from None
        except httpcore.ConnectTimeout as error:
            raise self._connect_timeout(error, timeout) from None
        except httpcore.PoolTimeout:
            why = (
                f"all {self._settings.parallel} connections were busy for "
                f"{timeout:.0f} s; raise jig:parallel or run fewer operations at a time"
            )
            raise WireError(why, sent=False) from None
        except httpcore.ProxyError as error:
            raise self._proxy_refused(error) from None
        except httpcore.TimeoutException:
            why = f"{self._where} did not finish its answer within {timeout:.0f} s"
            raise WireError(why, sent=True) from None
        except httpcore.RemoteProtocolError as error:
            _LOG.debug("broken answer: %s", error)
            why = f"{self._where} closed the connection before its answer was complete"
            raise WireError(why, sent=True) from None
        except httpcore.NetworkError as error:
            _LOG.debug("connection lost: %s", error)
            why = f"the connection to {self._where} was reset"
            raise WireError(why, sent=True) from None
        return WireAnswer(
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

    def _not_connected(self, error: Exception) -> WireError:
        setting = self._settings.url_setting
        cause = _root(error)
        if isinstance(cause, ssl.SSLError):
            return WireError(self._tls(cause), sent=False, hopeless=True)
        if self._proxy is not None:
            why = (
                f"the proxy {_shown(self._proxy)} cannot be reached; check "
                f"{self._proxy_setting}, or add {self._settings.host} to NO_PROXY"
            )
            return WireError(why, sent=False)
        if isinstance(cause, socket.gaierror):
            why = (
                f"the host {self._settings.host} has no address; check {setting} and "
                "this machine's name service"
            )
            return WireError(why, sent=False)
        if isinstance(cause, ConnectionRefusedError):
            why = f"nothing listens at {self._where}; check {setting}"
            return WireError(why, sent=False)
        why = f"{self._where} cannot be reached; check {setting} and the network"
        return WireError(why, sent=False)

    def _connect_timeout(self, error: Exception, timeout: float) -> WireError:
        if isinstance(error, _HandshakeTimeout):
            why = (
                f"{self._where} did not finish the TLS handshake within "
                f"{timeout:.0f} s; if it speaks plain http, say so in "
                f"{self._settings.url_setting}"
            )
        else:
            why = (
                f"{self._where} did not accept a connection within "
                f"{min(timeout, CONNECT_TIMEOUT):.0f} s; check "
                f"{self._settings.url_setting}, the network and its proxies"
            )
        return WireError(why, sent=False)

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

    def _proxy_refused(self, error: Exception) -> WireError:
        _LOG.debug("proxy: %s", error)
        why = (
            f"the proxy {_shown(self._proxy or '')} refused to connect; check "
            f"{self._proxy_setting}, or add {self._settings.host} to NO_PROXY"
        )
        return WireError(why, sent=False)


# --- Answers -----------------------------------------------------------------------


def _read(response: httpx.Response) -> bytes:
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in {"", "identity"}:
        inflate = None
    elif encoding in {"gzip", "x-gzip"}:
        inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
    else:
        why = f"its answer is compressed as {encoding[:40]!r}, which was not asked for"
        raise WireError(why, sent=True)
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
                raise WireError(why, sent=True, hopeless=True)
    except zlib.error:
        why = "its compressed answer is damaged"
        raise WireError(why, sent=True) from None
    if inflate is not None and not inflate.eof:
        why = "its compressed answer ends too early"
        raise WireError(why, sent=True)
    return bytes(body)


# --- Connections -------------------------------------------------------------------


class _HandshakeTimeout(httpcore.ConnectTimeout):
    """The connection stood, the TLS handshake did not end."""


class _Backend(httpcore.NetworkBackend):
    """Sockets whose every wait ends at the calling thread's deadline."""

    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()
        self._local = threading.local()

    @property
    def deadline(self) -> float:
        """When the calling thread's exchange must end, on the monotonic clock."""
        return float(self._local.deadline)

    @deadline.setter
    def deadline(self, value: float) -> None:
        self._local.deadline = value

    def left(self, timeout: float | None, error: type[Exception]) -> float:
        """What a wait may take: its own limit or what is left, in seconds."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise error
        return left if timeout is None else min(timeout, left)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Open a connection."""
        left = self.left(timeout, httpcore.ConnectTimeout)
        stream = self._inner.connect_tcp(
            host, port, left, local_address, socket_options
        )
        return _Stream(stream, self)


class _Stream(httpcore.NetworkStream):
    """A connection whose every wait ends at the deadline."""

    def __init__(self, inner: httpcore.NetworkStream, backend: _Backend) -> None:
        self._inner = inner
        self._backend = backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Wait for bytes."""
        left = self._backend.left(timeout, httpcore.ReadTimeout)
        return self._inner.read(max_bytes, left)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes."""
        for start in range(0, len(buffer), _CHUNK):
            left = self._backend.left(timeout, httpcore.WriteTimeout)
            self._inner.write(buffer[start : start + _CHUNK], left)

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Shake hands."""
        left = self._backend.left(timeout, _HandshakeTimeout)
        try:
            stream = self._inner.start_tls(ssl_context, server_hostname, left)
        except httpcore.ConnectTimeout:
            raise _HandshakeTimeout from None
        return _Stream(stream, self._backend)

    def get_extra_info(self, info: str) -> Any:
        """What the connection knows about itself."""
        return self._inner.get_extra_info(info)


class _Body(httpx.SyncByteStream):
    """The body of an answer as it arrives."""

    def __init__(self, inner: Any) -> None:
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

    def __init__(self, pool: httpcore.ConnectionPool) -> None:
        self._pool = pool

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and wait for the header of its answer."""
        answer = self._pool.handle_request(
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
            stream=_Body(answer.stream),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


def _pool(
    settings: Settings, proxy: str | None, backend: _Backend
) -> httpcore.ConnectionPool:
    common: dict[str, Any] = {
        "ssl_context": _ssl_context() if _is_https(settings.base_url) else None,
        "max_connections": settings.parallel,
        "max_keepalive_connections": settings.parallel,
        "keepalive_expiry": KEEPALIVE_EXPIRY,
        "network_backend": backend,
    }
    if proxy is None:
        return httpcore.ConnectionPool(http1=True, http2=False, **common)
    parts = urlsplit(proxy)
    auth = None
    if parts.username is not None:
        auth = (unquote(parts.username), unquote(parts.password or ""))
    if parts.scheme.startswith("socks"):
        return httpcore.SOCKSProxy(_shown(proxy), proxy_auth=auth, **common)
    return httpcore.HTTPProxy(_shown(proxy), proxy_auth=auth, **common)


def _is_https(url: str) -> bool:
    return urlsplit(url).scheme == "https"


def _ssl_context() -> ssl.SSLContext:
    """Trust what the system trusts, or exactly what SSL_CERT_FILE / _DIR name."""
    file = os.environ.get("SSL_CERT_FILE")
    folder = os.environ.get("SSL_CERT_DIR")
    try:
        if file or folder:
            if folder and not Path(folder).is_dir():
                raise FileNotFoundError  # OpenSSL itself would say nothing.
            return ssl.create_default_context(
                cafile=file or None, capath=folder or None
            )
    except (OSError, ssl.SSLError):
        name, value = ("SSL_CERT_FILE", file) if file else ("SSL_CERT_DIR", folder)
        raise ConfigError(
            f"{name} names {value}, which cannot be read as certificates; correct it or "
            "unset it."
        ) from None
    context = ssl.create_default_context()
    # Slim images have no certificates of their own.
    context.load_verify_locations(cafile=certifi.where())
    return context


def _proxy_for(settings: Settings) -> str | None:
    """The proxy that the environment names for this host, or None."""
    parts = urlsplit(settings.base_url)
    host = parts.hostname or ""
    if settings.loopback or _bypassed(parts.netloc):
        return None
    proxies = urllib.request.getproxies_environment()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy:
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    scheme = urlsplit(proxy).scheme
    if scheme not in {"http", "https", "socks5", "socks5h"}:
        raise ConfigError(
            f"The proxy {_shown(proxy)} is of a kind that is not supported; use http://, "
            f"https:// or socks5://, or add {host} to NO_PROXY."
        )
    if scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
        raise ConfigError(
            f"The proxy {_shown(proxy)} needs a package that is not installed; run "
            f"`pip install 'httpx[socks]'`, or add {host} to NO_PROXY."
        )
    return proxy


def _bypassed(netloc: str) -> bool:
    # typeshed leaves this function out.
    function = urllib.request.proxy_bypass_environment  # type: ignore[attr-defined]
    return bool(function(netloc))


def _shown(proxy: str) -> str:
    """A proxy's address without the user name and password that may stand in it."""
    parts = urlsplit(proxy)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _root(error: BaseException) -> BaseException:
    """What happened first, below the layers that renamed it."""
    while True:
        cause = error.__cause__ or error.__context__
        if cause is None:
            return error
        error = cause


#: OpenSSL's numbers: a certificate past its time; one for another host name, address.
_EXPIRED: Final = 10
_OTHER_NAME: Final = frozenset({62, 64})
