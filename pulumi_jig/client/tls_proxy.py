"""
What the environment says about reaching a host: certificates and proxies.

`SSL_CERT_FILE` and `SSL_CERT_DIR` replace what is trusted; `HTTPS_PROXY`, `HTTP_PROXY`,
`ALL_PROXY` and `NO_PROXY` are honoured, except that this machine is never reached
through a proxy. A certificate file that cannot be read and a proxy of a kind that cannot be
spoken to are refused before anything is sent.
"""

from __future__ import annotations

import importlib.util
import os
import ssl
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import certifi

from pulumi_jig.config import is_host
from pulumi_jig.errors import ConfigError

if TYPE_CHECKING:
    from pulumi_jig.config import Settings


def ssl_context() -> ssl.SSLContext:
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


def proxy_for(settings: Settings) -> str | None:
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
    if not _is_address(proxy):
        raise ConfigError(
            f"{parts.scheme.upper()}_PROXY (or ALL_PROXY) is not the address of a proxy; "
            "it must look like http://host:port. Correct it, unset it, or add "
            f"{host} to NO_PROXY."
        )
    scheme = urlsplit(proxy).scheme
    if scheme not in {"http", "https", "socks5", "socks5h"}:
        raise ConfigError(
            f"The proxy {shown(proxy)} is of a kind that is not supported; use http://, "
            f"https:// or socks5://, or add {host} to NO_PROXY."
        )
    if scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
        raise ConfigError(
            f"The proxy {shown(proxy)} needs a package that is not installed; run "
            f"`pip install 'httpx[socks]'`, or add {host} to NO_PROXY."
        )
    return proxy


def _is_address(proxy: str) -> bool:
    """Whether a proxy's address can be taken apart: it may hold a password."""
    try:
        parts = urlsplit(proxy)
        port = parts.port
        urlsplit(shown(proxy))
    except ValueError:
        return False
    host = parts.hostname or ""
    plain = proxy.isascii() and proxy.isprintable() and " " not in proxy
    return plain and port != 0 and is_host(host, parts.netloc)


def _bypassed(netloc: str) -> bool:
    # typeshed leaves this function out.
    function = urllib.request.proxy_bypass_environment  # type: ignore[attr-defined]
    return bool(function(netloc))


def shown(proxy: str) -> str:
    """A proxy's address without the user name and password that may stand in it."""
    parts = urlsplit(proxy)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


# --- What a failure means ----------------------------------------------------------

#: OpenSSL's numbers: a certificate past its time; one for another host name, address.
_EXPIRED: Final = 10
_OTHER_NAME: Final = frozenset({62, 64})


def tls_failure(cause: ssl.SSLError, where: str, setting: str) -> str:
    """
    Why a TLS handshake failed, and which setting to change.

    Args:
        cause: What OpenSSL said.
        where: Host and port.
        setting: Where the address was set.
    """
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
        return f"{where} does not speak TLS; use http:// in {setting} if that is meant"
    return (
        f"the TLS handshake with {where} failed ({cause.reason or 'closed'}); check "
        f"{setting} and the proxies between"
    )


def proxy_setting(settings: Settings) -> str:
    """The variables that name the proxy of this address."""
    return f"{urlsplit(settings.base_url).scheme.upper()}_PROXY (or ALL_PROXY)"


def proxy_refusal(settings: Settings, proxy: str, said: str) -> tuple[str, bool]:
    """
    Why a proxy refused to connect, and whether another attempt may end differently.

    Args:
        settings: The address that was asked for.
        proxy: The proxy's URL.
        said: What it answered; begins with the status.
    """
    status = said.partition(" ")[0]
    answer = f" (status {status})" if status.isdigit() else ""
    if status == "407":
        answer = " (status 407: it wants a user name and a password that it knows)"
    why = (
        f"the proxy {shown(proxy)} refused to connect{answer}; check "
        f"{proxy_setting(settings)}, or add {settings.host} to NO_PROXY"
    )
    # A proxy that cannot reach the host may do so a moment later.
    return why, status not in {"400", "401", "403", "407"}
