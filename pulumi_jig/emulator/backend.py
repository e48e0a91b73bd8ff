"""
The emulated service as one object: state, clock, accounts, and one lock.

Every operation runs under the lock from its first read to its commit, which is what
makes a name unique and a confirmed write durable. Who asks is known by the account that
a key belongs to; the key itself is never kept.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from pulumi_jig.emulator.clock import Clock, Moment
from pulumi_jig.emulator.deployments import Deployments
from pulumi_jig.emulator.history import History
from pulumi_jig.emulator.secrets import Secrets
from pulumi_jig.emulator.store import Store
from pulumi_jig.emulator.volumes import Volumes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

Record = dict[str, Any]
T = TypeVar("T")

_ACCOUNT_KEY = re.compile(r"acct:([A-Za-z0-9][A-Za-z0-9_-]{0,62}):(.+)", re.DOTALL)


def _digest(text: str, length: int) -> str:
    # Not a password store: the digest only has to keep a key out of every output.
    salted = b"pulumi_jig emulator\n" + text.encode("utf-8", "surrogateescape")
    return hashlib.sha256(salted).hexdigest()[:length]


def account_of(key: str) -> str | None:
    """
    Return the account that an API key belongs to, or None for a key that is refused.

    ``acct:<account>:<anything>`` belongs to <account>, so that a key can be rotated;
    any other key is an account of its own. Keys that begin with ``invalid`` are refused.
    """
    # Rule AUTH-1: a key is required.
    if not key.strip() or key.startswith("invalid"):
        return None
    # Rule ACCOUNT-1: keys tell accounts apart.
    named = _ACCOUNT_KEY.fullmatch(key)
    return named.group(1) if named else "key-" + _digest(key, 12)


class Backend:
    """
    The emulated service.

    Args:
        path: state file, or None for memory.
        scale: real seconds per emulated second (see `clock`).
        wall: the wall clock, injectable for tests.
        gpu_types: further values that ``gpu_type`` may be.

    Raises:
        StoreError: the state file cannot be used.
        ValueError: the scale is negative or not finite.

    """

    def __init__(
        self,
        *,
        path: Path | None = None,
        scale: float = 1.0,
        wall: Callable[[], float] = time.time,
        gpu_types: Iterable[str] = (),
    ) -> None:
        self.lock = threading.RLock()
        self.clock = Clock(scale=scale, wall=wall)
        self.store = Store(path)
        saved = self.store.get_meta("clock")
        if saved is not None:
            self.clock.resume(progress=saved["progress"], wall=saved["wall"])
        self.store.before_commit = self._save_clock
        self.volumes = Volumes(self.store)
        self.secrets = Secrets(self.store)
        self.gpu_types = tuple(gpu_types)
        self.deployments = Deployments(self.store, self.volumes, self.secrets)
        self.history = History(self.store, self.deployments)

    def run(self, operation: Callable[[Moment], T]) -> T:
        """Run one operation: alone, at one moment, committed before it returns."""
        with self.lock, self.store.transaction():
            return operation(self.clock.begin())

    def _save_clock(self) -> None:
        now = self.clock.now()
        self.store.set_meta("clock", {"progress": now.progress, "wall": now.wall})

    def close(self) -> None:
        """Close the state file."""
        with self.lock:
            self.store.close()

    @staticmethod
    def whoami(account: str, key: str) -> Record:
        """Return who a key is, in the shape of a project API key."""
        return {
            "type": "project_api_key",
            "api_key": {"id": "key_" + _digest(key, 16)},
            "organization": {"id": f"org_{account}", "name": account},
            "project": {
                "id": f"proj_{account}",
                "name": account,
                "slug": account.lower().replace("_", "-"),
            },
        }
