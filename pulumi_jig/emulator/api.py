"""
The API over HTTP: one table of routes, from which requests are dispatched and described.

A request comes in as a `Request` and goes out as a `Response`; sockets are `handler`'s,
rules are the backend's, and the shape of bodies is `schemas`'.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pulumi_jig.emulator import responses, schemas
from pulumi_jig.emulator.backend import account_of
from pulumi_jig.emulator.errors import ApiError, invalid
from pulumi_jig.emulator.messages import (
    Request,
    Response,
    bearer,
    encode,
    error,
    error_response,
    json_response,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pulumi_jig.emulator.backend import Backend
    from pulumi_jig.emulator.clock import Moment

Record = dict[str, Any]

# How often a followed log is read, in real seconds.
FOLLOW_INTERVAL = 0.2


@dataclass(slots=True)
class Call:
    """
    A request to one route.

    Attributes:
        account: who sends it.
        key: with which API key.
        path: the values of the placeholders in the path, in order.
        body: the body, as the route's model.
        query: the query, as the route's model.
    """

    account: str
    key: str
    path: list[str]
    body: Any = None
    query: Any = None

    @property
    def id(self) -> str:
        """The id or name in the path."""
        return self.path[0]


@dataclass(frozen=True, slots=True)
class Route:
    """
    One operation of the API.

    Attributes:
        method: its HTTP method.
        path: its path without version; ``{id*}`` matches all that follows.
        summary: what it does.
        operation: does it, under the backend's lock; what it returns is sent as JSON.
        response: the model of that.
        body: the model of the request's body.
        query: the model of its query.
        errors: statuses of errors beside 400 and 401.
    """

    method: str
    path: str
    summary: str
    operation: Callable[[Backend, Call, Moment], Record | bytes]
    response: type[schemas.Schema]
    body: type[schemas.Request] | None = None
    query: type[schemas.Schema] | None = None
    errors: tuple[int, ...] = ()


def _listing(items: Iterable[Record]) -> bytes:
    # Each is encoded as it comes: thousands of them are too much to hold as objects.
    return b'{"object":"list","data":[' + b",".join(map(encode, items)) + b"]}"


def _logs(backend: Backend, call: Call, now: Moment) -> Record:
    lines = backend.deployments.logs(call.account, call.id, call.query, now)
    return {"lines": lines}


# Rule ROUTE-1: secrets and storage are where a deployment's name would be, and win: the
# first path that matches has the request.
ROUTES = (
    Route(
        "GET", "/whoami", "Who the key is",
        lambda backend, call, _: backend.whoami(call.account, call.key),
        responses.Whoami,
    ),
    Route(
        "GET", "/image-repositories/base-path", "Registry of the project",
        lambda _, call, __: {
            "base-path": f"https://registry.together.ai/proj_{call.account}"
        },
        responses.BasePath,
    ),
    Route(
        "GET", "/deployments", "List",
        lambda backend, call, now: _listing(
            backend.deployments.list_all(call.account, now)
        ),
        responses.DeploymentListResponse,
    ),
    Route(
        "POST", "/deployments", "Create",
        lambda backend, call, now: backend.deployments.create(
            call.account, call.body, now
        ),
        responses.DeploymentResponseItem, schemas.CreateDeploymentRequest,
    ),
    Route(
        "POST", "/deployments/prewarm", "Warm caches (does nothing)",
        lambda *_: {},
        responses.Empty, schemas.PrewarmRequest,
    ),
    Route(
        "GET", "/deployments/secrets", "List",
        lambda backend, call, now: _listing(backend.secrets.list_all(call.account, now)),
        responses.ListSecretsResponse,
    ),
    Route(
        "POST", "/deployments/secrets", "Create",
        lambda backend, call, now: backend.secrets.create(call.account, call.body, now),
        responses.SecretResponseItem, schemas.CreateSecretRequest,
    ),
    Route(
        "GET", "/deployments/secrets/{id*}", "Get",
        lambda backend, call, now: backend.secrets.get(call.account, call.id, now),
        responses.SecretResponseItem, errors=(404,),
    ),
    Route(
        "PATCH", "/deployments/secrets/{id*}", "Update",
        lambda backend, call, now: backend.secrets.update(
            call.account, call.id, call.body, now
        ),
        responses.SecretResponseItem, schemas.UpdateSecretRequest, errors=(404, 409),
    ),
    Route(
        "DELETE", "/deployments/secrets/{id*}", "Delete",
        lambda backend, call, now: backend.secrets.delete(
            call.account, call.id, now
        ),
        responses.Empty, errors=(404, 409),
    ),
    Route(
        "GET", "/deployments/storage/volumes", "List",
        lambda backend, call, now: _listing(backend.volumes.list_all(call.account, now)),
        responses.ListVolumesResponse,
    ),
    Route(
        "POST", "/deployments/storage/volumes", "Create",
        lambda backend, call, now: backend.volumes.create(call.account, call.body, now),
        responses.VolumeResponseItem, schemas.CreateVolumeRequest,
    ),
    Route(
        "GET", "/deployments/storage/volumes/{id}", "Get",
        lambda backend, call, now: backend.volumes.get(
            call.account, call.id, call.query.version, now
        ),
        responses.VolumeResponseItem, query=schemas.VolumeQuery, errors=(404,),
    ),
    Route(
        "PATCH", "/deployments/storage/volumes/{id}", "Update",
        lambda backend, call, now: backend.volumes.update(
            call.account, call.id, call.body, now
        ),
        responses.VolumeResponseItem, schemas.UpdateVolumeRequest, errors=(404, 409),
    ),
    Route(
        "DELETE", "/deployments/storage/volumes/{id}", "Delete",
        lambda backend, call, _: backend.volumes.delete(call.account, call.id),
        responses.Empty, errors=(404, 409),
    ),
    Route(
        "GET", "/deployments/{id}", "Get",
        lambda backend, call, now: backend.deployments.get(
            call.account, call.id, now
        ),
        responses.DeploymentResponseItem, errors=(404,),
    ),
    Route(
        "PATCH", "/deployments/{id}", "Update",
        lambda backend, call, now: backend.deployments.update(
            call.account, call.id, call.body, now
        ),
        responses.DeploymentResponseItem, schemas.UpdateDeploymentRequest,
        errors=(404, 409),
    ),
    Route(
        "DELETE", "/deployments/{id}", "Delete",
        lambda backend, call, now: backend.deployments.delete(
            call.account, call.id, now
        ),
        responses.Empty, errors=(404, 409),
    ),
    Route(
        "GET", "/deployments/{id}/logs", "Logs", _logs,
        responses.DeploymentLogs, query=schemas.LogsQuery, errors=(404,),
    ),
    Route(
        "GET", "/deployments/{id}/revisions", "Revision events, newest first",
        lambda backend, call, now: backend.history.events(
            call.account, call.id, call.query.limit, call.query.before, now
        ),
        responses.DeploymentRevisionEventList, query=schemas.RevisionsQuery, errors=(404,),
    ),
    Route(
        "GET", "/deployments/{id}/revisions/{revision}", "Configuration of a revision",
        lambda backend, call, now: backend.history.revision(
            call.account, call.id, call.path[1], now
        ),
        responses.DeploymentRevision, errors=(404,),
    ),
    Route(
        "POST", "/deployments/{id}/rollback", "Re-apply a revision",
        lambda backend, call, now: backend.history.roll_back(
            call.account, call.id, call.body.revision_identifier, now
        ),
        responses.DeploymentResponseItem, schemas.RollbackRequest, errors=(404, 409),
    ),
)  # fmt: skip

_PATHS: dict[str, dict[str, Route]] = {}
for _route in ROUTES:
    _PATHS.setdefault(_route.path, {})[_route.method] = _route


def _match(path: str, parts: list[str]) -> list[str] | None:
    """Return the values of a path's placeholders, or None if it does not match."""
    pattern = path.strip("/").split("/")
    if pattern[-1].endswith("*}") and len(parts) > len(pattern):
        # A name may hold slashes that were not encoded; secrets allow them.
        parts = [*parts[: len(pattern) - 1], "/".join(parts[len(pattern) - 1 :])]
    if len(pattern) != len(parts):
        return None
    found = []
    for want, have in zip(pattern, parts, strict=True):
        if want.startswith("{") and have:
            found.append(have)
        elif want != have:
            return None
    return found


class Api:
    """The API's routes over one backend."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def handle(self, request: Request) -> Response:
        """Handle one request; never raises for what a client may send."""
        try:
            return self._handle(request)
        except ApiError as refused:
            return error_response(refused)

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
            raise ApiError(
                400, "the path is not valid UTF-8", code="bad_path"
            ) from None
        if parts[0] == "v1" or parts == ["v3", "whoami"]:
            # Rule BASE-1: base URLs are written with and without the version.
            parts = parts[1:]
        for path, routes in _PATHS.items():
            found = _match(path, parts)
            route = routes.get(request.method)
            if found is None or (route is None and path.endswith("/prewarm")):
                # prewarm is no reserved name: a deployment may be called so.
                continue
            if route is None:
                return error(
                    405,
                    f"{request.method} is not possible here",
                    code="method_not_allowed",
                    headers={"Allow": ", ".join(sorted(routes))},
                )
            return self._call(route, request, Call(account, key, found))
        return error(404, f"no such path: {request.path}", code="not_found")

    def _call(self, route: Route, request: Request, call: Call) -> Response:
        backend = self._backend
        if route.body is not None:
            call.body = schemas.read(
                route.body, request.record(), gpu_types=backend.gpu_types
            )
        if route.query is not None:
            call.query = schemas.read(route.query, request.query)

        def operate() -> Record | bytes:
            return backend.run(lambda now: route.operation(backend, call, now))

        if route.operation is _logs and _follows(call.query.follow):
            # Rule LOGS-2 is the plain response; rule LOGS-3: a followed log is one JSON
            # object per line, without an end.
            stream = _follow(operate(), operate)
            return Response(
                200, headers={"Content-Type": "application/x-ndjson"}, stream=stream
            )
        return json_response(200, operate())


def _follows(text: str) -> bool:
    if text.lower() not in {"", "0", "false", "1", "true"}:
        raise invalid("follow", "must be true or false")
    return text.lower() in {"1", "true"}


def _follow(first: Any, again: Callable[[], Any]) -> Iterator[bytes]:
    """Yield lines as they come, until the deployment is gone."""
    found: list[str] = first["lines"]
    news = found
    while True:
        # An empty piece lets the server notice that the client has gone.
        line = json.dumps({"lines": news}, separators=(",", ":")).encode() + b"\n"
        yield line if news else b""
        time.sleep(FOLLOW_INTERVAL)
        before = found
        try:
            found = again()["lines"]
        except ApiError:
            return
        news = found
        if before and before[-1] in found:
            # Old lines are forgotten in time: count from the last one that was sent.
            news = found[found.index(before[-1]) + 1 :]
