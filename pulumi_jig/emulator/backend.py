"""
The emulated service as one object: state, clock, accounts, and one lock.

Every operation runs under the lock from its first look to its commit, which is what
makes a name unique and an answered write durable. Who asks is known by the account that
a key stands for; the key itself is never kept.
"""

from __future__ import annotations

import hashlib
import re
import threading
from typing import TYPE_CHECKING, Any

from .clock import Clock, Moment
from .deployments import Deployments
from .store import Store
from .validation import GPU_TYPES
from .volumes import Volumes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

Record = dict[str, Any]

_ACCOUNT_KEY = re.compile(r"acct:([A-Za-z0-9][A-Za-z0-9_-]{0,62}):(.+)", re.DOTALL)


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(b"pulumi_jig emulator\n" + text.encode()).hexdigest()[:length]


def account_of(key: str) -> str | None:
    """
    Return the account that an API key belongs to, or None for a key that is refused.

    ``acct:<account>:<anything>`` belongs to <account>, so that a key can be rotated;
    any other key is an account of its own. Keys that begin with ``invalid`` are refused.
    """
    if not key.strip() or key.startswith("invalid"):
        return None
    named = _ACCOUNT_KEY.fullmatch(key)
    return named.group(1) if named else "key-" + _digest(key, 12)


class Backend:
    """
    The emulated service.

    Args:
        path: state file, or None for memory.
        scale: real seconds per emulated second (see `clock`).
        wall: the wall clock, injectable for tests.
        gpu_types: further words that ``gpu_type`` may be.

    """

    def __init__(
        self,
        *,
        path: Path | None = None,
        scale: float = 1.0,
        wall: Callable[[], float] | None = None,
        gpu_types: Iterable[str] = (),
    ) -> None:
        self.lock = threading.RLock()
        self.clock = (
            Clock(scale=scale) if wall is None else Clock(scale=scale, wall=wall)
        )
        self.store = Store(path)
        saved = self.store.get_meta("clock")
        if saved is not None:
            self.clock.resume(progress=saved["progress"], wall=saved["wall"])
        self.volumes = Volumes(self.store)
        self.deployments = Deployments(
            self.store, self.volumes, (*GPU_TYPES, *gpu_types)
        )

    def run(self, operation: Callable[[Moment], Any]) -> Any:
        """Run one operation: alone, at one moment, committed before it returns."""
        with self.lock, self.store.transaction():
            now = self.clock.begin()
            result = operation(now)
            self.store.set_meta("clock", {"progress": now.progress, "wall": now.wall})
            return result

    def close(self) -> None:
        """Close the state file."""
        with self.lock:
            self.store.close()

    @staticmethod
    def whoami(account: str, key: str) -> Record:
        """Return who a key is, in the shape of a project API key."""
        project = f"proj_{account}"
        return {
            "type": "project_api_key",
            "api_key": {"id": "key_" + _digest(key, 16)},
            "organization": {"id": f"org_{account}", "name": account},
            "project": {"id": project, "name": account, "slug": account.lower()},
        }
