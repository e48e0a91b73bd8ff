"""
The service, a wire on which anything may go wrong, and a record of who wrote to what.

Below the real client stand the emulator's own rules and one clock that only waiting
moves. Every fault is drawn from the run's own generator, so that a seed replays it. The
record of writes is kept at the service's side of the wire: it counts what took effect,
whatever the client came to believe.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlencode

from scripted import FakeClock

from pulumi_jig.client import JigClient, RetryBudget
from pulumi_jig.client.transport import Request, Response, TransportError
from pulumi_jig.config import Settings
from pulumi_jig.emulator import messages
from pulumi_jig.emulator.api import Api
from pulumi_jig.emulator.backend import Backend

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

Record = dict[str, Any]

#: Seconds since 1970 at which every world begins.
EPOCH: Final = 1_795_334_400.0
#: Seconds that one request takes.
LATENCY: Final = 0.05
KEY: Final = "acct:home:key-canary-0123456789"
#: What the service calls the account of that key.
ACCOUNT: Final = "org_home/proj_home"
HTML: Final = "<html><head><title>Sign in</title></head></html>"

#: What may happen to a request. Those that begin with "act" take effect all the same.
FAULTS: Final = (
    "refuse",
    "lose",
    "late",
    "throttle",
    "error",
    "quote",
    "page",
    "missing",
    "forbid",
    "act-reset",
    "act-hang",
    "act-error",
    "act-page",
    "act-cut",
)


class Killed(BaseException):
    """The plugin process died at this very instruction."""


@dataclass
class Death:
    """
    The end of a process, at the nth request of an operation.

    Attributes:
        nth: Counted from 1.
        acted: Whether the service still acts on that request.
        whom: `plugin`, `engine` (its plugin lives on) or `both`.
    """

    nth: int
    acted: bool
    whom: str


class World:
    """
    One service and all that happens to it.

    Attributes:
        rate: Probability that a request meets a fault.
        planned: Faults that are met next, by method, before any is drawn.
        writer: Nonce of the resource that is being worked on.
        takes: Name that this resource may take over, because its program says so.
        owner: Deployment id -> nonce of the resource that it belongs to; None for
            somebody else's.
        violations: What must never happen and did.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.clock = FakeClock()
        started = self.clock()
        self.backend = Backend(wall=lambda: EPOCH + self.clock() - started)
        self.api = Api(self.backend)
        self.rate = 0.0
        self.alive = True
        self.dead = False
        self.death: Death | None = None
        self.requests = 0
        self.writes = 0
        self.outage = (0.0, "")
        self.planned: dict[str, list[str]] = {}
        self.meddle: Callable[[], None] | None = None
        self.writer: str | None = None
        self.takes: str | None = None
        #: Nonces of all entries, while a destroy goes on.
        self.doomed: set[str | None] = set()
        self.owner: dict[str, str | None] = {}
        self.violations: list[str] = []
        self.trail: list[str] = []
        self._late: list[tuple[float, Request, str | None, str | None]] = []
        self._hidden: dict[str, float] = {}
        self._stale: dict[str, tuple[float, Record]] = {}

    def begin(self, writer: str | None, takes: str | None) -> None:
        """A step of a resource begins."""
        self.writer, self.takes = writer, takes

    # --- The wire --------------------------------------------------------------

    def send(self, request: Request, timeout: float) -> Response:
        """Send one request; see `Transport`."""
        if self.dead:
            raise Killed
        self.requests += 1
        self._deliver()
        if self.meddle is not None and self.rng.random() < 0.02:
            self.meddle()
        self.clock.sleep(LATENCY)
        death = self.death
        if death is not None and self.requests == death.nth:
            return self._die(death, request)
        fault = self._fault(request)
        if fault:
            self.note(f"{request.method} {request.path}: {fault}")
            return self._spoilt(fault, request, timeout)
        return self._act(request)

    def sleep(self, seconds: float) -> None:
        """Sleep as the plugin process does."""
        if self.dead:
            raise Killed
        self.clock.sleep(seconds)

    def close(self) -> None:
        """Nothing is open."""

    def _die(self, death: Death, request: Request) -> Response:
        self.note(f"{request.method} {request.path}: the {death.whom} dies here")
        if death.whom != "plugin":
            self.alive = False
        if death.whom == "engine":
            return self._act(request)
        if death.acted:
            self._act(request)
        self.dead = True
        raise Killed

    def _fault(self, request: Request) -> str:
        if self.planned.get(request.method):
            return self.planned[request.method].pop(0)
        until, kind = self.outage
        if self.clock() < until:
            return kind
        if self.rng.random() >= self.rate:
            return ""
        kind = self.rng.choice(FAULTS)
        if self.rng.random() < 0.1 and not kind.startswith("act"):
            kind = "error" if kind in {"late", "quote"} else kind
            self.outage = (self.clock() + self.rng.choice([3, 30, 300, 2000]), kind)
        return "lose" if kind == "late" and request.method != "POST" else kind

    def _spoilt(self, fault: str, request: Request, timeout: float) -> Response:
        body = (request.body or b"").decode()
        if fault == "refuse":
            raise TransportError("nobody listens", sent=False)
        if fault == "throttle":
            wait = {"retry-after": str(self.rng.randint(0, 5))}
            return said(429, {"error": {"message": "slow down"}}, wait)
        if fault == "page":
            return Response(status=200, body=HTML.encode())
        if fault == "missing":
            return Response(status=404, body=HTML.encode())
        if fault == "forbid":
            return said(self.rng.choice([401, 403]), {"error": {"message": "no"}})
        if fault == "quote":
            return said(500, {"error": {"message": f"cannot handle {body}"}})
        if fault == "error":
            return said(self.rng.choice([500, 502, 503, 504]), {"error": {}})
        if fault == "late":
            # It is on its way, and arrives after the client has given up on it.
            at = self.clock() + self.rng.uniform(0.1, 10)
            self._late.append((at, request, self.writer, self.takes))
        if fault in {"lose", "late"}:
            raise TransportError("the connection was reset", sent=True)
        answer = self._act(request)
        if fault == "act-error":
            return said(self.rng.choice([500, 502, 504]), {"error": {"message": body}})
        if fault == "act-page":
            return Response(status=200, body=HTML.encode())
        if fault == "act-cut":
            half = answer.body[: len(answer.body) // 2]
            return Response(status=answer.status, body=half)
        if fault == "act-hang":
            self.clock.sleep(timeout)
        raise TransportError("no answer came", sent=True)

    def _deliver(self) -> None:
        due = [late for late in self._late if late[0] <= self.clock()]
        self._late = [late for late in self._late if late not in due]
        for _, request, writer, takes in due:
            before = self.writer, self.takes
            self.writer, self.takes = writer, takes
            self.note(f"{request.method} {request.path} arrives late")
            self._act(request)
            self.writer, self.takes = before

    def settle(self) -> None:
        """Let everything that is under way arrive."""
        self.clock.sleep(60)
        self._deliver()
        # What arrives only now may take its moment to show, too.
        self.clock.sleep(60)

    def note(self, text: str) -> None:
        """Write down what happened, for whoever looks into a failure."""
        self.trail.append(f"{self.clock():9.1f}  {text}")

    # --- What takes effect -----------------------------------------------------

    def _act(self, request: Request) -> Response:
        target = request.path
        if request.params:
            target += "?" + urlencode(dict(request.params))
        headers = {k.lower(): v for k, v in request.headers.items()}
        reference = unquote(request.path.rpartition("/")[2])
        if request.method == "GET" and self._hidden.get(reference, 0) > self.clock():
            return said(404, {"error": {"message": "not found"}})
        before = self._meant(request) if request.method != "GET" else None
        response = self.api.handle(
            messages.Request(request.method, target, headers, request.body or b"")
        )
        body = response.body
        if request.method != "GET":
            self.note(f"{request.method} {request.path} -> {response.status}")
            self.writes += 1
            if response.status < 400:
                self._record(request, before, json.loads(body or b"{}"))
        elif response.status < 400 and self._stale:
            body = self._leftover(body)
        return Response(
            status=response.status,
            headers={k.lower(): v for k, v in response.headers.items()},
            body=body,
        )

    def _meant(self, request: Request) -> Record | None:
        """The deployment that a request is about, as it is before it."""
        parts = request.path.strip("/").split("/")
        if len(parts) < 3 or parts[1] != "deployments":
            return None
        return self.record(unquote(parts[2]))

    def _record(self, request: Request, before: Record | None, answer: Record) -> None:
        if request.method == "POST" and before is None:
            self.owner[answer["id"]] = self.writer
            # For a moment, what has just been accepted may not be shown yet.
            hidden = self.clock() + self.rng.choice([0, 0, 0, 2, 8])
            self._hidden |= {answer["id"]: hidden, answer["name"]: hidden}
            return
        if before is None:
            return
        id_ = before["id"]
        if self.takes is not None and before["name"] == self.takes:
            self.owner[id_] = self.writer
        # A destroy takes everything that the state has: which of two entries of one
        # deployment asks for the deletion is no matter then.
        doomed = request.method == "DELETE" and self.owner.get(id_) in self.doomed
        if (self.owner.get(id_) != self.writer and not doomed) or self.writer is None:
            self.violations.append(
                f"foreign write: {request.method} to {before['name']} ({id_}), which "
                f"belongs to {self.owner.get(id_)}, by {self.writer}"
            )
        if request.method != "DELETE" and "replicas" in before:
            # For a moment, the word and the counter of a deployment that has just been
            # changed may be those from before.
            until = self.clock() + self.rng.choice([0, 0, 5, 20])
            counts = {"status": "Ready", "ready_replicas": _serving(before)}
            if counts["ready_replicas"]:
                self._stale[id_] = (until, counts)

    def _leftover(self, body: bytes) -> bytes:
        now = self.clock()
        self._stale = {k: v for k, v in self._stale.items() if v[0] > now}
        shown = json.loads(body)
        if shown.get("id") not in self._stale or "status" not in shown:
            return body
        _, counts = self._stale[shown["id"]]
        return json.dumps({**shown, **counts}).encode()

    # --- The service's own view --------------------------------------------------

    def record(self, reference: str) -> Record | None:
        """The service's own record of a deployment of the account, by name or id."""
        store, rollouts = self.backend.store, self.backend.deployments.rollouts
        found = store.by_name("deployments", reference)
        found = found or store.by_id("deployments", reference)
        if found is None or found["account"] != "home":
            return None
        d = self.backend.run(lambda now: rollouts.advance(found, now))
        return None if d is None or "deleting_since" in d else d

    def records(self) -> list[Record]:
        """All deployments that are there and not going away, of all accounts."""
        deployments = self.backend.deployments
        found = self.backend.run(lambda now: list(deployments.records(None, now)))
        return [d for d in found if "deleting_since" not in d]

    def as_somebody(
        self, method: str, path: str, body: Any = None, account: str = "home"
    ) -> Record | None:
        """A request of somebody else's, which no fault meets; None if it is refused."""
        response = self.api.handle(
            messages.Request(
                method,
                f"/v1{path}",
                {"authorization": f"Bearer acct:{account}:other"},
                b"" if body is None else json.dumps(body).encode(),
            )
        )
        if response.status >= 400:
            return None
        found: Record = json.loads(response.body or b"{}")
        return found

    def client(self) -> JigClient:
        """A client of its own, as another plugin process has it."""
        settings = Settings(
            api_key=KEY,
            key_source="environment",
            base_url="http://127.0.0.1:1",
            url_source="environment",
            parallel=4,
        )
        return JigClient(
            settings,
            transport=self,
            budget=RetryBudget(clock=self.clock),
            rng=self.rng.random,
            wall_clock=lambda: EPOCH,
        )


def said(status: int, body: Record, headers: dict[str, str] | None = None) -> Response:
    """An answer in JSON."""
    return Response(
        status=status, headers=headers or {}, body=json.dumps(body).encode()
    )


def _serving(d: Record) -> int:
    from pulumi_jig.emulator import replicas

    return sum(map(replicas.is_serving, d["replicas"]))
