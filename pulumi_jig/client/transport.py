"""
Requests and responses as plain data, and the interface of what sends them.

Retries, errors and resources know these only; `http` is the one implementation that
speaks HTTP. A test or a simulation passes another `Transport`, and so needs no socket.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Request:
    """
    One request.

    Attributes:
        method: `GET`, `POST`, `PATCH` or `DELETE`.
        path: Absolute and already quoted, without host and query.
        params: The query.
        headers: All of them, the key included, so never shown.
        body: JSON as bytes, or None.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Response:
    """
    One complete response.

    Attributes:
        status: HTTP status code.
        headers: Names in lower case.
        body: All of it, decompressed.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)


def span(seconds: float) -> str:
    """A length of time for people: `0.4 s`, `60 s`."""
    return f"{round(seconds, 1):g} s"


class TransportError(Exception):
    """
    No complete response came.

    Attributes:
        why: What happened and which setting to change; a clause without a full stop.
        sent: Whether a byte of the request may have left this machine, so that the
            server may have seen it. False is a promise.
        retryable: Whether another attempt may end differently. False for a certificate
            that is not trusted, or an answer that is too large.
        spoke: Whether what came back began as HTTP; None where nothing came.
    """

    def __init__(
        self,
        why: str,
        *,
        sent: bool,
        retryable: bool = True,
        spoke: bool | None = None,
    ) -> None:
        super().__init__(why)
        self.why = why
        self.sent = sent
        self.retryable = retryable
        self.spoke = spoke


class Transport(Protocol):
    """Sends one request and waits for its answer."""

    def send(self, request: Request, timeout: float) -> Response:
        """
        Send once, never follow a redirect, never repeat.

        Args:
            request: What to send.
            timeout: Seconds for all of it: connecting, sending, and the last byte of
                the answer. It holds for a server that sends a byte now and then, too.

        Raises:
            TransportError: No complete answer came.
        """

    def close(self) -> None:
        """Close what is open."""
