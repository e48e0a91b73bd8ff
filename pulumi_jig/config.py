"""
Which key, which address: credentials and endpoint, and who may overrule whom.

The order is: the environment (`TOGETHER_API_KEY`, `TOGETHER_BASE_URL`), then the
configuration of the stack or of an explicit provider (`jig:apiKey`, `jig:baseUrl`), then
the service's own address. There is no default key and no fall-back to an emulator:
without an address the real service is meant, without a key there is an error.

What it refuses, each with one sentence that says what to do: a missing key, a key that
cannot stand in a header, an address that is not one, plain http to another machine, and
a key from the environment on its way to a host that only the stack's configuration
names. The last one is the reason why this is a module of its own: whoever can edit a
stack's configuration file must not be able to collect the keys of those who run it.

No message, `repr` or exception of this module holds a key.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NamedTuple
from urllib.parse import SplitResult, urlsplit

from pulumi_jig.errors import ConfigError
from pulumi_jig.naming import DEFAULT_BASE_URL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KEY_VARIABLE: Final = "TOGETHER_API_KEY"
URL_VARIABLE: Final = "TOGETHER_BASE_URL"

#: Requests at a time that one process makes by default, and at most.
DEFAULT_PARALLEL: Final = 64
MAX_PARALLEL: Final = 256

#: Hosts of the service itself. Both names are in use: the vendor's older tools have
#: `.xyz`, the newer ones `.ai`.
SERVICE_HOSTS: Final = frozenset({"api.together.ai", "api.together.xyz"})

#: Underscores are not in the standard, but stand in host names of container networks.
_HOST: Final = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")
_SET_KEY: Final = (
    f"set {KEY_VARIABLE}, or run `pulumi config set --secret jig:apiKey <key>`"
)


class Fault(NamedTuple):
    """
    One thing that is wrong with the configuration.

    Attributes:
        setting: What to change: `TOGETHER_API_KEY`, `jig:baseUrl`, ...
        sentence: What is wrong and what to do, without the key.
    """

    setting: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Settings:
    """
    How to reach the service, checked.

    Attributes:
        api_key: The bearer token. Never shown.
        key_source: Whether the key came from the environment or the configuration.
        base_url: Scheme, host, port and path prefix, without a slash or `/v1` at the
            end.
        url_source: Where the address came from.
        parallel: How many requests one process makes at a time, 1 to 256.
    """

    api_key: str = field(repr=False)
    key_source: Literal["environment", "config"] = "environment"
    base_url: str = DEFAULT_BASE_URL
    url_source: Literal["environment", "config", "default"] = "default"
    parallel: int = DEFAULT_PARALLEL

    @property
    def host(self) -> str:
        """The host that requests go to, without port and brackets."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def loopback(self) -> bool:
        """Whether requests stay on this machine."""
        return is_loopback(self.host)

    @property
    def key_setting(self) -> str:
        """The name of the setting that the key came from."""
        return KEY_VARIABLE if self.key_source == "environment" else "jig:apiKey"

    @property
    def url_setting(self) -> str:
        """The name of the setting to change when the address is wrong."""
        return "jig:baseUrl" if self.url_source == "config" else URL_VARIABLE

    @property
    def fingerprint(self) -> str:
        """Tells settings apart (one client for each) without showing the key."""
        raw = "\0".join((self.api_key, self.base_url, str(self.parallel)))
        return hashlib.sha256(raw.encode()).hexdigest()[:16]


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its name: `localhost`, 127.0.0.0/8, `::1`."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def resolve_settings(
    get: Callable[[str], str | None], environ: Mapping[str, str]
) -> Settings:
    """
    The settings of this process.

    Args:
        get: Reads the configuration of the stack or of an explicit provider: `apiKey`,
            `baseUrl`, `parallel` (1 to 256), `allowInsecureHttp` and
            `ignoreEnvironment` (`true` or `false`). The last one is for an explicit
            provider of a second account: its own key and address count, whatever the
            environment says.
        environ: The environment.

    Raises:
        ConfigError: With every fault in one message.
    """
    settings, faults = _resolve(get, environ)
    if settings is None:
        raise ConfigError(" ".join(fault.sentence for fault in faults))
    return settings


def config_faults(
    get: Callable[[str], str | None], environ: Mapping[str, str]
) -> list[Fault]:
    """Everything that `resolve_settings` would complain about; empty means usable."""
    return _resolve(get, environ)[1]


def _resolve(
    get: Callable[[str], str | None], environ: Mapping[str, str]
) -> tuple[Settings | None, list[Fault]]:
    faults: list[Fault] = []
    alone = _flag(get, "ignoreEnvironment", faults)
    insecure = _flag(get, "allowInsecureHttp", faults)
    parallel = _parallel(get("parallel"), faults)

    # An empty variable is what a pipeline leaves where a secret is not defined.
    key = "" if alone else environ.get(KEY_VARIABLE, "")
    key_source: Literal["environment", "config"] = "environment"
    if not key:
        key, key_source = get("apiKey") or "", "config"
    url = "" if alone else environ.get(URL_VARIABLE, "")
    url_source: Literal["environment", "config", "default"] = "environment"
    if not url:
        url, url_source = get("baseUrl") or "", "config"
    if not url:
        url, url_source = DEFAULT_BASE_URL, "default"

    _check_key(
        key, KEY_VARIABLE if key_source == "environment" else "jig:apiKey", faults
    )
    setting = "jig:baseUrl" if url_source == "config" else URL_VARIABLE
    parts = _check_url(url, setting, faults)
    if parts is not None:
        host = parts.hostname or ""
        if parts.scheme == "http" and not is_loopback(host) and not insecure:
            faults.append(
                Fault(
                    setting,
                    f"{setting} is plain http to {host}, which would show the API key "
                    "to the network; use https://, or allow it with "
                    "`pulumi config set jig:allowInsecureHttp true`.",
                )
            )
        # An address from the environment was set by whoever set the key. One from the
        # stack's configuration file may have been set by somebody else.
        if (
            key
            and key_source == "environment"
            and url_source == "config"
            and host not in SERVICE_HOSTS
            and not is_loopback(host)
        ):
            faults.append(
                Fault(
                    setting,
                    f"jig:baseUrl would send the key of {KEY_VARIABLE} to {host}, which "
                    "is not the service's own host; if that is meant, name the address "
                    f"in {URL_VARIABLE} too, or put that host's own key into the "
                    f"configuration (`pulumi config set --secret jig:apiKey <key>`) "
                    f"and unset {KEY_VARIABLE}.",
                )
            )
    if faults or parts is None:
        return None, faults
    return (
        Settings(
            api_key=key,
            key_source=key_source,
            base_url=_normalised(parts),
            url_source=url_source,
            parallel=parallel,
        ),
        [],
    )


def _flag(get: Callable[[str], str | None], name: str, faults: list[Fault]) -> bool:
    raw = get(name)
    # An explicit provider hands its inputs over as JSON, so `True` may come as such.
    text = "" if raw is None else str(raw).strip().lower()
    if text not in {"", "true", "false"}:
        faults.append(
            Fault(f"jig:{name}", f"jig:{name} must be true or false, not {text!r}.")
        )
    return text == "true"


def _parallel(raw: str | None, faults: list[Fault]) -> int:
    if raw is None or str(raw).strip() == "":
        return DEFAULT_PARALLEL
    try:
        # Numbers that went through Pulumi's wire format come back as floats.
        number = float(raw)
    except ValueError:
        number = 0.0
    if not (number.is_integer() and 1 <= number <= MAX_PARALLEL):
        faults.append(
            Fault(
                "jig:parallel",
                f"jig:parallel must be a whole number from 1 to {MAX_PARALLEL}, "
                f"not {raw!r}.",
            )
        )
        return DEFAULT_PARALLEL
    return int(number)


def _check_key(key: str, setting: str, faults: list[Fault]) -> None:
    if not key:
        faults.append(Fault(KEY_VARIABLE, f"There is no API key: {_SET_KEY}."))
        return
    wrong = None
    if any(c in "\r\n" for c in key):
        wrong = "a line break"
    elif any(c.isspace() for c in key):
        wrong = "a space"
    elif not key.isascii():
        wrong = "a character that is not ASCII"
    elif not key.isprintable():
        wrong = "a control character"
    if wrong is not None:
        faults.append(
            Fault(
                setting,
                f"The API key of {setting} holds {wrong}, so it is not a key as the "
                "service gives them out; copy it again without anything around it.",
            )
        )


def _check_url(url: str, setting: str, faults: list[Fault]) -> SplitResult | None:
    def fault(sentence: str) -> None:
        faults.append(Fault(setting, sentence))

    if not url.isascii() or not url.isprintable() or " " in url:
        # `urlsplit` drops line breaks in silence, so it must not see them.
        fault(
            f"{setting} holds a space, a line break or a character that is not ASCII; "
            f"it must be an address such as {DEFAULT_BASE_URL}."
        )
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = SplitResult("", "", "", "", ""), None, None
    if parts.username is not None or parts.password is not None:
        # The value is not quoted, since it holds a password.
        fault(
            f"{setting} holds a user name or a password, which the service does not "
            f"take; give the key in {KEY_VARIABLE} and leave it out of the address."
        )
        return None
    if (
        parts.scheme not in {"http", "https"}
        or not _is_host(host, parts.netloc)
        or port == 0
    ):
        fault(
            f"{setting} is not the address of a server; it must begin with https:// "
            f"and name a host, such as {DEFAULT_BASE_URL}."
        )
        return None
    if parts.query or parts.fragment or "?" in url or "#" in url:
        fault(
            f"{setting} holds a query or a fragment (what follows ? or #), which "
            "cannot stand in front of the API's paths; leave it out."
        )
        return None
    if any(part in {".", ".."} for part in parts.path.split("/")):
        fault(f"{setting} holds a `.` or `..` as a part of its path; write it out.")
        return None
    return parts


def _is_host(host: str | None, netloc: str) -> bool:
    """Whether a host can be looked up at all; the rule of host names is RFC 1123's."""
    if not host:
        return False
    if "[" in netloc:
        try:
            return ipaddress.ip_address(host).version == 6
        except ValueError:
            return False
    return len(host) <= 253 and _HOST.fullmatch(host) is not None


def _normalised(parts: SplitResult) -> str:
    # Users have either form: the vendor's SDK wanted `/v1` at the end until 3.0.
    path = parts.path.rstrip("/").removesuffix("/v1").rstrip("/")
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{path}"
