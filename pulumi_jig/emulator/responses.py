"""
HTTP as the API speaks it: which request is which operation.

A request comes in as a `Request` and goes out as a `Response`; sockets are `handler`'s,
rules are the backend's.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from .backend import account_of
from .checks import Refused
from .messages import Request, Response, answer, bearer, encode, error, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .backend import Backend

Record = dict[str, Any]

# How often a followed log is looked at, in real seconds.
FOLLOW_INTERVAL = 0.2


@dataclass(slots=True)
class Call:
    """A request with who asks and what its path holds."""

    request: Request
    account: str
    key: str
    parts: list[str]


class Api:
    """The API's routes over one backend."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def handle(self, request: Request) -> Response:
        """Answer one request; never raises for what a client may send."""
        try:
            return self._handle(request)
        except Refused as refused:
            return refusal(refused)

    def _handle(self, request: Request) -> Response:
        key = bearer(request.headers)
        account = account_of(key)
        if account is None:
            return error(
                401,
                "Invalid API key provided.",
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )
        try:
            parts = [
                unquote(part, errors="strict")
                for part in request.path.strip("/").split("/")
            ]
        except UnicodeDecodeError:
            raise Refused(400, "the path is not valid UTF-8", code="bad_path") from None
        if parts[0] == "v1" or parts == ["v3", "whoami"]:
            # Rule BASE-1: the version prefix may stand or not, as in base URLs.
            parts = parts[1:]
        for pattern, verbs in _ROUTES:
            if not _fits(pattern, parts):
                continue
            handler = verbs.get(request.method)
            if handler is None and pattern[-1] == "prewarm":
                # Not a reserved name: a deployment may be called so.
                continue
            if handler is None:
                return error(
                    405,
                    f"{request.method} is not possible here",
                    code="method_not_allowed",
                    headers={"Allow": ", ".join(sorted(verbs))},
                )
            # A name may hold slashes that were not encoded; secrets allow them.
            arguments = parts[len(pattern) - 1 :] if pattern[-1] == "**" else []
            return handler(
                self._backend,
                Call(
                    request,
                    account,
                    key,
                    ["/".join(arguments)]
                    if arguments
                    else [p for p, q in zip(parts, pattern, strict=True) if q == "*"],
                ),
            )
        return error(404, f"no such path: {request.path}", code="not_found")


def _fits(pattern: tuple[str, ...], parts: list[str]) -> bool:
    if pattern[-1] == "**":
        head = pattern[:-1]
        return len(parts) >= len(pattern) and tuple(parts[: len(head)]) == head
    return len(pattern) == len(parts) and all(
        (want == "*" and have) or want == have
        for want, have in zip(pattern, parts, strict=True)
    )


# Handlers. Each is one operation of the API.


def _whoami(backend: Backend, call: Call) -> Response:
    return answer(200, backend.whoami(call.account, call.key))


def _base_path(_: Backend, call: Call) -> Response:
    registry = f"https://registry.together.ai/proj_{call.account}"
    return answer(200, {"base-path": registry})


def _prewarm(_: Backend, call: Call) -> Response:
    call.request.record()
    return answer(200, {})


def _deployments_list(backend: Backend, call: Call) -> Response:
    nouns = backend.deployments
    # Each is encoded as it comes: thousands of them are too much to hold as objects.
    items = backend.run(
        lambda now: [encode(shown) for shown in nouns.list_all(call.account, now)]
    )
    body = b'{"object":"list","data":[' + b",".join(items) + b"]}"
    return Response(200, body, {"Content-Type": "application/json"})


def _deployments_create(backend: Backend, call: Call) -> Response:
    nouns, body = backend.deployments, call.request.record()
    return answer(200, backend.run(lambda now: nouns.create(call.account, body, now)))


def _deployments_get(backend: Backend, call: Call) -> Response:
    nouns, name = backend.deployments, call.parts[0]
    return answer(200, backend.run(lambda now: nouns.get(call.account, name, now)))


def _deployments_update(backend: Backend, call: Call) -> Response:
    nouns, name, body = backend.deployments, call.parts[0], call.request.record()
    return answer(
        200, backend.run(lambda now: nouns.update(call.account, name, body, now))
    )


def _deployments_delete(backend: Backend, call: Call) -> Response:
    nouns, name = backend.deployments, call.parts[0]
    return answer(200, backend.run(lambda now: nouns.delete(call.account, name, now)))


def _revisions(backend: Backend, call: Call) -> Response:
    query, name = call.request.query, call.parts[0]
    return answer(
        200,
        backend.run(lambda now: backend.history.events(call.account, name, query, now)),
    )


def _revision(backend: Backend, call: Call) -> Response:
    name, which = call.parts
    return answer(
        200,
        backend.run(
            lambda now: backend.history.revision(call.account, name, which, now)
        ),
    )


def _rollback(backend: Backend, call: Call) -> Response:
    name, body = call.parts[0], call.request.record()
    return answer(
        200,
        backend.run(
            lambda now: backend.history.roll_back(call.account, name, body, now)
        ),
    )


def _logs(backend: Backend, call: Call) -> Response:
    query, name = call.request.query, call.parts[0]
    nouns = backend.deployments

    def lines() -> list[str]:
        return backend.run(lambda now: nouns.logs(call.account, name, query, now))

    found = lines()
    follow = query.get("follow", "false").lower()
    if follow in {"", "0", "false"}:
        return answer(200, {"lines": found})
    if follow not in {"1", "true"}:
        raise Refused(
            400, "follow: must be true or false", param="follow", code="invalid_value"
        )
    # Rule LOGS-2 is the answer above; rule LOGS-3: a followed log is one JSON object per line, without an end.
    return Response(
        200,
        headers={"Content-Type": "application/x-ndjson"},
        stream=_follow(found, lines),
    )


def _follow(found: list[str], lines: Callable[[], list[str]]) -> Iterator[bytes]:
    """Yield lines as they come, until the deployment is gone."""
    news = found
    while True:
        # An empty piece lets the server notice that the client has gone.
        told = json.dumps({"lines": news}, separators=(",", ":")).encode() + b"\n"
        yield told if news else b""
        time.sleep(FOLLOW_INTERVAL)
        before = found
        try:
            found = lines()
        except Refused:
            return
        news = found
        if before and before[-1] in found:
            # Old lines are forgotten in time: count from the last one that was told.
            news = found[found.index(before[-1]) + 1 :]


def _secrets_list(backend: Backend, call: Call) -> Response:
    vault = backend.vault
    return answer(200, backend.run(lambda now: vault.list_all(call.account, now)))


def _secrets_create(backend: Backend, call: Call) -> Response:
    vault, body = backend.vault, call.request.record()
    return answer(200, backend.run(lambda now: vault.create(call.account, body, now)))


def _secrets_get(backend: Backend, call: Call) -> Response:
    vault, name = backend.vault, call.parts[0]
    return answer(200, backend.run(lambda now: vault.get(call.account, name, now)))


def _secrets_update(backend: Backend, call: Call) -> Response:
    vault, name, body = backend.vault, call.parts[0], call.request.record()
    return answer(
        200, backend.run(lambda now: vault.update(call.account, name, body, now))
    )


def _secrets_delete(backend: Backend, call: Call) -> Response:
    vault, name = backend.vault, call.parts[0]
    return answer(200, backend.run(lambda now: vault.delete(call.account, name, now)))


def _volumes_list(backend: Backend, call: Call) -> Response:
    volumes = backend.volumes
    return answer(200, backend.run(lambda now: volumes.list_all(call.account, now)))


def _volumes_create(backend: Backend, call: Call) -> Response:
    volumes, body = backend.volumes, call.request.record()
    return answer(200, backend.run(lambda now: volumes.create(call.account, body, now)))


def _volumes_get(backend: Backend, call: Call) -> Response:
    volumes, name = backend.volumes, call.parts[0]
    version = call.request.query.get("version")
    return answer(
        200, backend.run(lambda now: volumes.get(call.account, name, version, now))
    )


def _volumes_update(backend: Backend, call: Call) -> Response:
    volumes, name, body = backend.volumes, call.parts[0], call.request.record()
    return answer(
        200, backend.run(lambda now: volumes.update(call.account, name, body, now))
    )


def _volumes_delete(backend: Backend, call: Call) -> Response:
    volumes, name = backend.volumes, call.parts[0]
    return answer(200, backend.run(lambda _: volumes.delete(call.account, name)))


# Rule ROUTE-1: secrets and storage lie where a deployment's name would, and win.
# `*` is one segment, `**` the rest; the first pattern that fits has the request.
_ROUTES: tuple[
    tuple[tuple[str, ...], dict[str, Callable[[Backend, Call], Response]]], ...
] = (
    (("whoami",), {"GET": _whoami}),
    (("image-repositories", "base-path"), {"GET": _base_path}),
    (("deployments",), {"GET": _deployments_list, "POST": _deployments_create}),
    (("deployments", "prewarm"), {"POST": _prewarm}),
    (("deployments", "secrets"), {"GET": _secrets_list, "POST": _secrets_create}),
    (
        ("deployments", "secrets", "**"),
        {"GET": _secrets_get, "PATCH": _secrets_update, "DELETE": _secrets_delete},
    ),
    (
        ("deployments", "storage", "volumes"),
        {"GET": _volumes_list, "POST": _volumes_create},
    ),
    (
        ("deployments", "storage", "volumes", "*"),
        {"GET": _volumes_get, "PATCH": _volumes_update, "DELETE": _volumes_delete},
    ),
    (
        ("deployments", "*"),
        {
            "GET": _deployments_get,
            "PATCH": _deployments_update,
            "DELETE": _deployments_delete,
        },
    ),
    (("deployments", "*", "logs"), {"GET": _logs}),
    (("deployments", "*", "revisions"), {"GET": _revisions}),
    (("deployments", "*", "revisions", "*"), {"GET": _revision}),
    (("deployments", "*", "rollback"), {"POST": _rollback}),
)
