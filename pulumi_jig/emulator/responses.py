"""
HTTP as the API speaks it: routes, status codes, bodies.

A request comes in as a `Request` and goes out as a `Response`; sockets are `server`'s,
rules are the backend's. Every error has one shape,
``{"error": {"message", "type", "param", "code"}}``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from .backend import account_of
from .validation import Refused

if TYPE_CHECKING:
    from .backend import Backend

Record = dict[str, Any]

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "conflict_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
}


@dataclass(slots=True)
class Request:
    """One request, read whole."""

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


@dataclass(slots=True)
class Response:
    """One answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def answer(
    status: int, value: object, headers: dict[str, str] | None = None
) -> Response:
    """Return a JSON response."""
    body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    return Response(
        status, body, {"Content-Type": "application/json", **(headers or {})}
    )


def error(
    status: int,
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return an error in the API's shape."""
    kind = _TYPES.get(status, "server_error" if status >= 500 else "api_error")
    return answer(
        status,
        {"error": {"message": message, "type": kind, "param": param, "code": code}},
        headers,
    )


def bearer(headers: dict[str, str]) -> str:
    """Return the bearer key of a request, or the empty string."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


class Api:
    """The API's routes over one backend."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def handle(self, request: Request) -> Response:
        """Answer one request; never raises for what a client may send."""
        try:
            return self._route(request)
        except Refused as refused:
            return error(
                refused.status, refused.message, param=refused.param, code=refused.code
            )

    def _route(self, request: Request) -> Response:
        key = bearer(request.headers)
        account = account_of(key)
        if account is None:
            return error(401, "Invalid API key provided.", code="invalid_api_key")
        parts = [unquote(part) for part in request.path.strip("/").split("/")]
        if parts[0] in {"v1", "v3"}:
            parts = parts[1:]
        run = self._backend.run
        deployments = self._backend.deployments
        match request.method, *parts:
            case "GET", "whoami":
                return answer(200, self._backend.whoami(account, key))
            case "GET", "image-repositories", "base-path":
                path = f"https://registry.together.ai/proj_{account}"
                return answer(200, {"base-path": path})
            case "POST", "deployments", "prewarm":
                return answer(200, {})
            case "GET", "deployments":
                return answer(200, run(lambda now: deployments.list(account, now)))
            case "POST", "deployments":
                body = self._body(request)
                return answer(
                    200, run(lambda now: deployments.create(account, body, now))
                )
            case "GET", "deployments", name:
                return answer(200, run(lambda now: deployments.get(account, name, now)))
            case "PATCH", "deployments", name:
                body = self._body(request)
                return answer(
                    200, run(lambda now: deployments.update(account, name, body, now))
                )
            case "DELETE", "deployments", name:
                return answer(
                    200, run(lambda now: deployments.delete(account, name, now))
                )
            case _:
                return error(404, f"no such path: {request.path}", code="not_found")

    @staticmethod
    def _body(request: Request) -> Record:
        try:
            value = json.loads(request.body or b"{}")
        except ValueError:
            raise Refused(400, "the body is not valid JSON", code="bad_json") from None
        if not isinstance(value, dict):
            raise Refused(400, "the body must be a JSON object", code="bad_json")
        return value
