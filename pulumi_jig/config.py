"""
Which key, which address: credentials and endpoint, and who may overrule whom.

The order is: what an explicit `Provider` is given, then the configuration of the stack
(`jig:apiKey`, `jig:baseUrl`), then the environment (`TOGETHER_API_KEY`,
`TOGETHER_BASE_URL`), then the service's own address. So a stack means the same account
whoever runs it; where the environment says otherwise, a warning says which is used. There
is no default key and no fall-back to an emulator: without an address the real service is
meant, without a key there is an error.

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
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple
from urllib.parse import SplitResult, urlsplit

from pulumi_jig.errors import ConfigError
from pulumi_jig.naming import DEFAULT_BASE_URL, near, short

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

KEY_VARIABLE: Final = "TOGETHER_API_KEY"
URL_VARIABLE: Final = "TOGETHER_BASE_URL"

#: What can be configured, without the namespace `jig:`.
SETTINGS: Final = (
    "apiKey",
    "baseUrl",
    "parallel",
    "allowInsecureHttp",
    "namespace",
    "pullGraceSeconds",
)
#: Which of them a program gave to an explicit provider, separated by commas. (A provider
#: gets what the stack configures beside it, since its plugin does not see the stack.)
GIVEN: Final = "providerArguments"

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


Source = Literal["provider", "config", "environment", "default"]


class Fault(NamedTuple):
    """
    One thing that is wrong with the configuration.

    Attributes:
        setting: What to change: `TOGETHER_API_KEY`, `jig:baseUrl`, ...
        sentence: What is wrong and what to do, without the key.
    """

    setting: str
    sentence: str


#: What to change where a value came from a source.
_KEY_NAMES: Final[dict[Source, str]] = {
    "provider": "`api_key`",
    "config": "jig:apiKey",
    "environment": KEY_VARIABLE,
    "default": KEY_VARIABLE,
}
_URL_NAMES: Final[dict[Source, str]] = {
    "provider": "`base_url`",
    "config": "jig:baseUrl",
    "environment": URL_VARIABLE,
    "default": URL_VARIABLE,
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """
    How to reach the service, checked.

    Attributes:
        api_key: The bearer token. Never shown.
        key_source: Where the key came from: an argument of a `Provider` or of a look-up
            (`provider`), the stack's configuration, or the environment.
        base_url: Scheme, host, port and path prefix, without a slash or `/v1` at the
            end.
        url_source: Where the address came from.
        parallel: How many requests one process makes at a time, 1 to 256.
    """

    api_key: str = field(repr=False)
    key_source: Source = "environment"
    base_url: str = DEFAULT_BASE_URL
    url_source: Source = "default"
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
        return _KEY_NAMES[self.key_source]

    @property
    def url_setting(self) -> str:
        """The name of the setting to change when the address is wrong."""
        return _URL_NAMES[self.url_source]

    @property
    def key_fingerprint(self) -> str:
        """
        Tells whether two runs had the same key, and so the same account.

        It is kept in the state, so it is short and one-way, and nothing else of ours
        hashes a key like this. (Keys are random; no list of likely ones can be tried.)
        """
        raw = f"pulumi-jig key\0{self.api_key}"
        return hashlib.sha256(raw.encode()).hexdigest()[:16]

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
            `baseUrl`, `parallel` (1 to 256), `allowInsecureHttp` (`true` or `false`).
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
    insecure = _flag(get, "allowInsecureHttp", faults)
    parallel = _parallel(get("parallel"), faults)
    _check_grace(get("pullGraceSeconds"), faults)

    key, key_source = _first("apiKey", KEY_VARIABLE, get, environ)
    if key_source != "provider" and "apiKey" in _given(get):
        # It was given, and came to nothing: no other account's key may stand in for it.
        key, key_source = "", "provider"
    url, url_source = _first("baseUrl", URL_VARIABLE, get, environ)
    _check_key(key, _KEY_NAMES[key_source], faults)
    setting = _URL_NAMES[url_source]
    url = url or DEFAULT_BASE_URL
    parts = _check_url(url, setting, faults)
    if parts is not None:
        host = parts.hostname or ""
        # The key of the environment belongs to whoever runs this; a stack's
        # configuration cannot have it sent readable, whatever the host.
        carried = key_source == "environment" and url_source != "environment"
        plain = parts.scheme == "http" and not is_loopback(host)
        if plain and insecure and carried and key:
            faults.append(
                Fault(
                    setting,
                    f"{setting} is plain http to {host}, and jig:allowInsecureHttp does "
                    f"not cover the key of {KEY_VARIABLE}, which it would show to the "
                    f"network; use https://, or name the address in {URL_VARIABLE} too.",
                )
            )
        elif plain and not insecure:
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
            and url_source in ("config", "provider")
            and host not in SERVICE_HOSTS
            and not is_loopback(host)
        ):
            faults.append(
                Fault(
                    setting,
                    f"{setting} would send the key of {KEY_VARIABLE} to {host}, which "
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


def _first(
    name: str,
    variable: str,
    get: Callable[[str], str | None],
    environ: Mapping[str, str],
) -> tuple[str, Source]:
    """The first value that there is, and its source; empty where there is none."""
    configured = get(name)
    if configured:
        return configured, "provider" if name in _given(get) else "config"
    # An empty variable is what a pipeline leaves where a secret is not defined.
    value = environ.get(variable, "")
    return value, "environment" if value else "default"


def _given(get: Callable[[str], str | None]) -> list[str]:
    """The settings that a program gave to an explicit provider."""
    return str(get(GIVEN) or "").split(",")


def overruled(
    get: Callable[[str], str | None], environ: Mapping[str, str]
) -> str | None:
    """
    A warning where the stack's configuration and the environment contradict each other.

    What an explicit provider is given is meant to differ, so it gives none.
    """
    found = []
    for name, variable in (("apiKey", KEY_VARIABLE), ("baseUrl", URL_VARIABLE)):
        value, source = _first(name, variable, get, environ)
        other = environ.get(variable, "")
        if source == "config" and other and _plain(other) != _plain(value):
            found.append((f"jig:{name}", variable))
    if not found:
        return None
    used = " and ".join(name for name, _ in found)
    ignored = " and ".join(variable for _, variable in found)
    command = "; ".join(f"`pulumi config rm {name}`" for name, _ in found)
    return (
        f"The stack's {used} {'are' if len(found) > 1 else 'is'} used, not the other "
        f"value of {ignored} in the environment. Unset the variable, or let it count "
        f"with {command}."
    )


def _plain(value: Any) -> str:
    return str(value).rstrip("/").removesuffix("/v1").rstrip("/")


def unknown_settings(names: Iterable[str]) -> list[Fault]:
    """
    A fault for each configured name that means nothing.

    Args:
        names: What is configured, without the namespace `jig:`.
    """
    return [
        Fault(
            f"jig:{name}",
            f"jig:{short(name)} is not a setting, so it would be ignored."
            f"{near(name, SETTINGS)} (`pulumi config rm jig:{short(name)}` takes it "
            "away.)",
        )
        for name in sorted(names)
        if name not in (*SETTINGS, GIVEN)
    ]


def _flag(get: Callable[[str], str | None], name: str, faults: list[Fault]) -> bool:
    raw = get(name)
    # An explicit provider hands its inputs over as JSON, so `True` may come as such.
    text = "" if raw is None else str(raw).strip().lower()
    if text not in {"", "true", "false"}:
        faults.append(
            Fault(
                f"jig:{name}",
                f"jig:{name} must be true or false, not {short(repr(text))}.",
            )
        )
    return text == "true"


def _parallel(raw: str | None, faults: list[Fault]) -> int:
    if raw is None or str(raw).strip() == "":
        return DEFAULT_PARALLEL
    number = _number(raw)
    if not (number.is_integer() and 1 <= number <= MAX_PARALLEL):
        faults.append(
            Fault(
                "jig:parallel",
                f"jig:parallel must be a whole number from 1 to {MAX_PARALLEL}, "
                f"not {short(repr(raw))}.",
            )
        )
        return DEFAULT_PARALLEL
    return int(number)


def _check_grace(raw: str | None, faults: list[Fault]) -> None:
    if raw is None or str(raw).strip() == "":
        return
    if not 0 <= _number(raw) < math.inf:
        faults.append(
            Fault(
                "jig:pullGraceSeconds",
                "jig:pullGraceSeconds must be seconds, a number from 0, not "
                f"{short(repr(raw))}.",
            )
        )


def _number(raw: Any) -> float:
    """A setting as a number; not a number where it is none."""
    try:
        # Numbers that went through Pulumi's wire format come back as floats.
        return float(raw)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _check_key(key: Any, setting: str, faults: list[Fault]) -> None:
    if not key:
        sentence = f"There is no API key: {_SET_KEY}."
        if setting == _KEY_NAMES["provider"]:
            sentence = (
                "The `api_key` that was given is empty, and no other account's key is "
                "used instead; give the key of an account."
            )
        faults.append(Fault(setting, sentence))
        return
    wrong = None
    # An output may turn out to be anything, and the configuration keeps what
    # `pulumi config set --path` made as JSON.
    if not isinstance(key, str) or key.lstrip().startswith(("{", "[")):
        wrong = "a list, a mapping or a number where a text is meant"
    elif any(c in "\r\n" for c in key):
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


def _check_url(url: Any, setting: str, faults: list[Fault]) -> SplitResult | None:
    def fault(sentence: str) -> None:
        faults.append(Fault(setting, sentence))

    if not isinstance(url, str):
        # An output may turn out to be anything.
        fault(f"{setting} must be a text, an address such as {DEFAULT_BASE_URL}.")
        return None
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
        or not is_host(host, parts.netloc)
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


def is_host(host: str | None, netloc: str) -> bool:
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
