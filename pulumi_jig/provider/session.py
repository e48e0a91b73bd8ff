"""
What one plugin process knows: its configuration, one client, how a call becomes data.

All kinds of providers in a process share it. It refuses to load anything heavy before a
call needs it: configuring must be over before the engine's first check arrives.
"""

from __future__ import annotations

import gc
import math
import os
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig import host

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi.dynamic import ConfigureRequest

    from pulumi_jig.client import JigClient
    from pulumi_jig.config import Settings
    from pulumi_jig.lifecycle.invocation import Invocation

#: Objects that may come to be before garbage is looked for; Python's own number is 700.
_GARBAGE: Final = 20_000
#: Names in the configuration, without their namespace.
NAMESPACE = "jig"


class _Session:
    """What one plugin process knows: its configuration, and one client for all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._get: Callable[[str], str | None] = lambda _: None
        self._names: tuple[str, ...] = ()
        self._warned = False
        self._client: JigClient | None = None

    def configure(
        self, get: Callable[[str], str | None], names: tuple[str, ...]
    ) -> None:
        with self._lock:
            self._get, self._names = get, names
            # Each kind of provider configures once; they share the client unless
            # it would be another one.
            if self._client is not None and not self._is_current(self._client):
                self._client = None

    def _is_current(self, client: JigClient) -> bool:
        from pulumi_jig.errors import ConfigError

        try:
            return client.settings == self.settings()
        except ConfigError:
            return False

    def faults(self) -> list[tuple[str, str]]:
        from pulumi_jig.config import config_faults, unknown_settings

        found = [
            *unknown_settings(self._names),
            *config_faults(self._get, os.environ),
        ]
        return [(fault.setting, fault.sentence) for fault in found]

    def warning(self) -> str | None:
        """What contradicts itself, once per process."""
        from pulumi_jig.config import overruled

        with self._lock:
            if self._warned:
                return None
            self._warned = True
        return overruled(self._get, os.environ)

    def base_url(self) -> str | None:
        """The address that requests go to; None where there is no usable one."""
        from pulumi_jig.errors import ConfigError

        try:
            return self.settings().base_url
        except ConfigError:
            return None

    def settings(self) -> Settings:
        from pulumi_jig.config import resolve_settings

        return resolve_settings(self._get, os.environ)

    def connect(self) -> JigClient:
        with self._lock:
            if self._client is None:
                from pulumi_jig.client import JigClient

                self._client = JigClient(self.settings())
            return self._client

    def number(self, key: str, default: float) -> float:
        try:
            value = float(self._get(key) or default)
        except (TypeError, ValueError, OverflowError):
            return default
        return value if math.isfinite(value) and value >= 0 else default


_session = _Session()


def configure(request: ConfigureRequest) -> None:
    """Take the configuration and widen the host, once per process and kind."""
    host.find_standard_library_first()
    config = request.config
    _session.configure(lambda key: config.get(f"{NAMESPACE}:{key}"), _names(config))
    # What is loaded by now, and nearly all that is loaded later, lives as long as the
    # process; going through all of it again and again while the life cycle is loaded
    # was a quarter of the way to a check. (Garbage in cycles is looked for still, when
    # there are some MiB of it.)
    gc.freeze()
    gc.set_threshold(max(gc.get_threshold()[0], _GARBAGE), *gc.get_threshold()[1:])
    from pulumi_jig.config import DEFAULT_PARALLEL, MAX_PARALLEL

    threads = int(_session.number("parallel", DEFAULT_PARALLEL))
    host.hear_cancel()
    host.leave_when_alone()
    # One more than there are requests: a check must not wait behind the roll-outs.
    host.widen(min(max(threads, 1), MAX_PARALLEL) + 1)


def key_fingerprint() -> str | None:
    """Which key is in use; None where there is no usable one."""
    from pulumi_jig.errors import ConfigError

    try:
        return _session.settings().key_fingerprint
    except ConfigError:
        return None


def _names(config: Any) -> tuple[str, ...]:
    """What is configured under our namespace, as far as the host tells."""
    start = f"{NAMESPACE}:"
    if getattr(config, "_project_name", None) == NAMESPACE:
        # A project of this name has settings of its own there.
        return ()
    names = getattr(config, "_props", None) or {}
    return tuple(
        str(name)[len(start) :] for name in names if str(name).startswith(start)
    )


def base_url() -> str | None:
    """The address that this process sends requests to; None where it is not usable."""
    return _session.base_url()


def config_warning() -> str | None:
    """Where configuration and environment contradict each other; once per process."""
    return _session.warning()


def config_faults() -> list[tuple[str, str]]:
    """What is wrong with the credentials, as (setting, sentence)."""
    return _session.faults()


def invocation(call: host.Call) -> Invocation:
    """The engine's call as the life cycle knows it."""
    from pulumi_jig.lifecycle.invocation import Invocation
    from pulumi_jig.rollout import PULL_GRACE

    return Invocation(
        connect=_session.connect,
        urn=call.urn,
        timeout=call.timeout,
        ignore_changes=call.ignore_changes,
        old_inputs=call.old_inputs,
        log=call.log,
        progress=call.progress,
        engine_alive=call.engine_alive,
        interrupted=host.cancelled,
        alongside=_alongside,
        pull_grace=_session.number("pullGraceSeconds", PULL_GRACE),
    )


def _alongside(work: Callable[[], Any]) -> Callable[[], Any]:
    """
    Begin something in a thread of its own; None where it comes to nothing.

    A creation of a second asks meanwhile who we are, which would be a second before it.
    """
    found: Future[Any] = Future()

    def run() -> None:
        try:
            found.set_result(work())
        except BaseException:
            # What stands in the way of it stands in the way of the creation as well,
            # which says so.
            found.set_result(None)

    threading.Thread(target=run, daemon=True).start()
    return found.result
