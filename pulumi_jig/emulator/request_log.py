"""
The request log: what was asked of the API, kept for tests to read.

It holds names, never values: of a body the key names, of a query the keys, of a caller
the account. Kept in memory only, and bounded.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

Record = dict[str, Any]

KEPT = 10_000


class RequestLog:
    """The newest requests, oldest first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[Record] = deque(maxlen=KEPT)
        self._number = 0

    def write(self, **entry: Any) -> None:
        """Add one request."""
        with self._lock:
            self._number += 1
            self._entries.append({"number": self._number, **entry})

    def entries(self, after: int = 0) -> list[Record]:
        """Return the requests numbered above *after*."""
        with self._lock:
            return [e for e in self._entries if e["number"] > after]

    def clear(self) -> None:
        """Forget all requests; numbers go on."""
        with self._lock:
            self._entries.clear()
