"""
Requests and responses as values, and the one shape of every error.

Nothing here knows sockets or rules.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from pulumi_jig.emulator.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

Record = dict[str, Any]

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
}


def _no_constant(name: str) -> None:
    # Python reads NaN and Infinity, which are not JSON.
    raise ValueError(name)


@dataclass(slots=True)
class Request:
    """One request, read whole; header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """The path, still percent-encoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """The query; the last of equal keys counts."""
        text = self.target.partition("?")[2]
        return {k: v[-1] for k, v in parse_qs(text, keep_blank_values=True).items()}

    def record(self) -> Record:
        """
        Return the body as a JSON object; no body is an empty one.

        Raises:
            ApiError: 400.

        """
        # Rule BODY-3: a body is read as JSON whatever its content type says.
        try:
            value = json.loads(self.body or b"{}", parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise ApiError(400, "the body is not valid JSON", code="bad_json") from None
        if not isinstance(value, dict):
            raise ApiError(400, "the body must be a JSON object", code="bad_json")
        return value


@dataclass(slots=True)
class Response:
    """One response; *stream*, where given, is sent piece by piece instead of *body*."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    stream: Iterator[bytes] | None = None


def encode(value: object) -> bytes:
    """Return a value as compact JSON; what is encoded already stays as it is."""
    if isinstance(value, bytes):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def json_response(
    status: int, value: object, headers: dict[str, str] | None = None
) -> Response:
    """Return a JSON response."""
    kind = {"Content-Type": "application/json"}
    return Response(status, encode(value), {**kind, **(headers or {})})


def error(
    status: int,
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return an error in the API's shape."""
    # Rule ERROR-1: one shape for every error.
    kind = "server_error" if status >= 500 else "invalid_request_error"
    body = {
        "message": message,
        "type": _TYPES.get(status, kind),
        "param": param,
        "code": code,
    }
    return json_response(status, {"error": body}, headers)


def error_response(refused: ApiError) -> Response:
    """Return the response of an error."""
    return error(
        refused.status, refused.message, param=refused.param, code=refused.code
    )


def bearer(headers: dict[str, str]) -> str:
    """Return the bearer key of a request, or the empty string."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""
