"""What the emulator's tests share: a server in this process, and a plain client."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from pulumi_jig.emulator import EmulatorServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulumi_jig.emulator.admin_client import AdminClient

Record = dict[str, Any]

# 2026-11-22T08:00:00Z: tests see the same dates whenever they run.
EPOCH = 1_795_334_400.0


class ManualClock:
    """A wall clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.now = EPOCH

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        """Let seconds pass."""
        self.now += seconds


@dataclass
class Answer:
    """One answer: status, headers in lower case, and the body as JSON or text."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


class Client:
    """A client that does what it is told and nothing else."""

    def __init__(self, url: str, key: str = "acct:home:1") -> None:
        self.url = url
        self.key = key

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send one request on a connection of its own."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(
            address.hostname or "", address.port, timeout=30
        )
        told = {"Authorization": f"Bearer {self.key}", **(headers or {})}
        sent: bytes | str | None
        if isinstance(body, bytes | str) or body is None:
            sent = body
        else:
            sent = json.dumps(body)
        try:
            connection.request(method, path, body=sent, headers=told)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        found = {k.lower(): v for k, v in response.getheaders()}
        if found.get("content-type") == "application/json" and text:
            return Answer(response.status, json.loads(text), found)
        return Answer(response.status, text, found)

    def ok(self, method: str, path: str, body: object = None) -> Any:
        """Send one request that must succeed, and return its body."""
        answer = self.send(method, path, body)
        assert answer.status == 200, answer.body
        return answer.body

    def refused(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        """Send one request that must be refused; return status and message."""
        answer = self.send(method, path, body)
        assert answer.status >= 400, answer.body
        assert set(answer.body) == {"error"}
        assert set(answer.body["error"]) == {"message", "type", "param", "code"}
        return answer.status, answer.body["error"]["message"]

    def create(self, name: str = "demo-app", **fields: object) -> Record:
        """Create a deployment of one CPU replica, unless told otherwise."""
        body = {"name": name, "image": "r/app:1", "gpu_type": "none", **fields}
        found: Record = self.ok("POST", "/v1/deployments", body)
        return found

    def get(self, name: str = "demo-app") -> Record:
        """Read a deployment."""
        found: Record = self.ok("GET", f"/v1/deployments/{name}")
        return found

    def patch(self, name: str = "demo-app", **fields: object) -> Record:
        """Change a deployment."""
        found: Record = self.ok("PATCH", f"/v1/deployments/{name}", fields)
        return found

    def gone(self, identifier: str) -> bool:
        """Whether reading a deployment says that there is none."""
        return self.send("GET", f"/v1/deployments/{identifier}").status == 404

    @staticmethod
    def revision(deployment: Record) -> str:
        """Return the revision id that the service shows among the variables."""
        found = {v["name"]: v.get("value") for v in deployment["environment_variables"]}
        return str(found["TOGETHER_DEPLOYMENT_REVISION_ID"])

    @staticmethod
    def events(deployment: Record) -> list[tuple[str, str, bool]]:
        """Return (status, reason, ready) of each replica, in the answer's order."""
        return [
            (
                event["replica_status"],
                event["replica_status_reason"],
                "replica_ready_since" in event,
            )
            for event in deployment["replica_events"].values()
        ]

    def as_account(self, account: str) -> Client:
        """Return a client of another account."""
        return Client(self.url, f"acct:{account}:1")


@pytest.fixture
def clock() -> ManualClock:
    """Return a wall clock that stands still."""
    return ManualClock()


@pytest.fixture
def server(clock: ManualClock) -> Iterator[EmulatorServer]:
    """Serve in this process, in real time by a clock that stands still."""
    with EmulatorServer(wall=clock, admin=True) as running:
        yield running


@pytest.fixture
def api(server: EmulatorServer) -> Client:
    """Return a client of the account `home`."""
    return Client(server.url)


@pytest.fixture
def admin(server: EmulatorServer) -> AdminClient:
    """Return the admin interface."""
    return server.admin


@pytest.fixture
def quick() -> Iterator[Client]:
    """Return a client of a server on which every transition is over at once."""
    with EmulatorServer(time_scale=0) as running:
        yield Client(running.url)
