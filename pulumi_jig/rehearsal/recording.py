"""
A record of the calls that were made of providers, in the shape of the engine's own log.

Why it exists: transcripts of a real engine hold the rehearsal to what the engine does;
to compare, both must speak of calls in the same shape.

What it refuses: to hide anything. Like the engine's log, it holds secrets in clear: it
is for tests with made-up values.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format

if TYPE_CHECKING:
    from google.protobuf.message import Message


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a provider; `response` is None and `error` set where it failed."""

    method: str
    request: dict[str, Any]
    response: dict[str, Any] | None
    error: str | None


class Recorder:
    """Collects calls in the order in which they began."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Call | None] = []

    def begin(self, method: str, request: Message) -> int:
        """Note that a call begins; the number is for `end` or `fail`."""
        del method, request
        with self._lock:
            self._calls.append(None)
            return len(self._calls) - 1

    def end(
        self, number: int, method: str, request: Message, response: Message
    ) -> None:
        """Note the answer."""
        call = Call(method, _json(request), _json(response), None)
        with self._lock:
            self._calls[number] = call

    def fail(self, number: int, method: str, request: Message, error: str) -> None:
        """Note the failure."""
        call = Call(method, _json(request), None, error)
        with self._lock:
            self._calls[number] = call

    def calls(self) -> list[Call]:
        """All calls that have ended."""
        with self._lock:
            return [call for call in self._calls if call is not None]

    def clear(self) -> None:
        """Forget all calls."""
        with self._lock:
            self._calls.clear()


def _json(message: Message) -> dict[str, Any]:
    result: dict[str, Any] = json_format.MessageToDict(message)
    return result
