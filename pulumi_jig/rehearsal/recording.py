"""
A record of the calls that were made of providers, in the shape of the engine's own log.

Like the engine's log it holds secrets in clear: it is for tests with made-up values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import MessageToDict

if TYPE_CHECKING:
    from google.protobuf.message import Message


@dataclass(slots=True)
class Call:
    """One call of a provider; `response` is None and `error` set where it failed."""

    method: str
    request: dict[str, Any]
    response: dict[str, Any] | None = None
    error: str | None = None


class Recorder:
    """Collects calls in the order in which they began."""

    def __init__(self) -> None:
        self._calls: list[Call] = []

    def begin(self, method: str, request: Message) -> Call:
        """Note that a call begins; whoever made it adds its response or error."""
        call = Call(method, MessageToDict(request))
        self._calls.append(call)
        return call

    def calls(self) -> list[Call]:
        """All calls that have ended."""
        return [c for c in self._calls if c.error is not None or c.response is not None]

    def clear(self) -> None:
        """Forget all calls."""
        self._calls.clear()
