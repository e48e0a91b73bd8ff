"""
A whole world in one process: the service, a wire that breaks by plan, one clock.

The client is the real one; below it stands `World`, a `Transport` that hands requests to the
emulator's own rules and spoils answers where a fault says so. Nobody ever sleeps: the
clock is moved by whoever waits, so that an hour passes in milliseconds.
"""

from __future__ import annotations

import importlib
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

from scripted import FakeClock

from pulumi_jig.client import JigClient, RetryBudget
from pulumi_jig.client.transport import Request, Response, TransportError
from pulumi_jig.config import Settings
from pulumi_jig.emulator import messages
from pulumi_jig.emulator.api import Api
from pulumi_jig.emulator.backend import Backend
from pulumi_jig.lifecycle.invocation import Invocation, PartialFailureError
from pulumi_jig.lifecycle.keys import KEY as KEYMARK
from pulumi_jig.values import SecretValue, reveal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi_jig.lifecycle.invocation import Diffed, Stored

Record = dict[str, Any]

#: Seconds since 1970 at which every world begins: now, since when a secret expires is
#: a question to this machine's clock as well.
EPOCH = float(int(time.time()))
#: Seconds that one request takes.
LATENCY = 0.05
KEY = "acct:home:key-canary-0123456789"
URN = "urn:pulumi:prod::shop::pulumi-python:dynamic/jig:Deployment::llm"

Deed = Literal[
    "refuse",  # never reached
    "lose",  # sent, lost on the way there
    "swallow",  # acted upon, answer lost
    "hang",  # acted upon, no answer within the time limit
    "answer",  # something else answers, the service does not act
    "act-answer",  # the service acts, something else answers
    "raise",  # the service acts, the client's own process breaks
]


@dataclass
class Fault:
    """One thing that goes wrong, for so many requests from the nth on."""

    method: str
    path: str
    do: Deed
    nth: int = 1
    times: int = 1
    status: int = 500
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raises: type[BaseException] = RuntimeError
    seen: int = 0

    def strikes(self, method: str, path: str) -> bool:
        """Count a matching request and tell whether it is struck."""
        if method != self.method or not path.endswith(self.path):
            return False
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times


HTML = "<html><head><title>Sign in</title></head></html>"
#: Long enough to be "for ever".
ALWAYS = 10**9


class World:
    """
    The service, the wire to it, and what went over it.

    Attributes:
        sent: Method and path of every request that was sent.
        bodies: What was sent with those that have a body.
        acted: Requests upon which the service acted.
    """

    def __init__(self) -> None:
        self.clock = FakeClock()
        started = self.clock()
        self.backend = Backend(wall=lambda: EPOCH + self.clock() - started)
        self.api = Api(self.backend)
        self.faults: list[Fault] = []
        self.sent: list[tuple[str, str]] = []
        self.bodies: list[tuple[str, Record]] = []
        self.acted: list[str] = []
        self.alive = True
        self.before: list[Callable[[str, str], None]] = []
        self.spoil: list[Callable[[str, Record], None]] = []

    # --- The wire --------------------------------------------------------------

    def send(self, request: Request, timeout: float) -> Response:
        """Send one request; see `Transport`."""
        method, path = request.method, request.path
        self.sent.append((method, path))
        if request.body is not None:
            self.bodies.append((method, json.loads(request.body)))
        for watch in list(self.before):
            watch(method, path)
        self.clock.sleep(LATENCY)
        fault = next((f for f in self.faults if f.strikes(method, path)), None)
        if fault is None:
            return self._act(request)
        if fault.do == "refuse":
            raise TransportError("nobody listens", sent=False)
        if fault.do == "lose":
            raise TransportError("the connection was reset", sent=True)
        if fault.do != "answer":
            self._act(request)
            if fault.do == "hang":
                self.clock.sleep(timeout)
                raise TransportError("no answer came", sent=True)
            if fault.do == "swallow":
                raise TransportError("the connection was reset", sent=True)
            if fault.do == "raise":
                raise fault.raises("token=secret-canary")
        body = fault.body if isinstance(fault.body, str) else json.dumps(fault.body)
        return Response(status=fault.status, headers=fault.headers, body=body.encode())

    def _act(self, request: Request) -> Response:
        target = request.path
        if request.params:
            target += "?" + urlencode(dict(request.params))
        headers = {k.lower(): v for k, v in request.headers.items()}
        self.acted.append(request.method)
        response = self.api.handle(
            messages.Request(request.method, target, headers, request.body or b"")
        )
        body = response.body
        if self.spoil and body and response.status < 400:
            shown = json.loads(body)
            if isinstance(shown, dict):
                for change in self.spoil:
                    change(request.method, shown)
            body = json.dumps(shown).encode()
        return Response(
            status=response.status,
            headers={k.lower(): v for k, v in response.headers.items()},
            body=body,
        )

    def close(self) -> None:
        """Nothing is open."""

    # --- Plans -----------------------------------------------------------------

    def fault(self, where: str, do: Deed, **more: Any) -> Fault:
        """Plan a fault: `world.fault("POST /deployments", "swallow")`."""
        method, _, path = where.partition(" ")
        made = Fault(method, path, do, **more)
        self.faults.append(made)
        return made

    def posts(self) -> int:
        """How many deployments the service was asked to create."""
        return self.sent.count(("POST", "/v1/deployments"))

    def writes(self) -> list[str]:
        """What was sent that changes something."""
        return [method for method, _ in self.sent if method != "GET"]

    # --- Behind the service's back ---------------------------------------------

    def as_somebody(
        self, method: str, path: str, body: Any = None, account: str = "home"
    ) -> Any:
        """A request of somebody else's, which no fault meets and nobody counts."""
        response = self.api.handle(
            messages.Request(
                method,
                f"/v1{path}",
                {"authorization": f"Bearer acct:{account}:other"},
                b"" if body is None else json.dumps(body).encode(),
            )
        )
        assert response.status < 400, response.body
        return json.loads(response.body or b"{}")

    def live(self, name: str = "llm-prod") -> Record:
        """The deployment of this name as the service shows it."""
        found: Record = self.as_somebody("GET", f"/deployments/{name}")
        return found

    def names(self) -> list[str]:
        """All deployments of the account."""
        return [d["name"] for d in self.as_somebody("GET", "/deployments")["data"]]

    def let_pass(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.sleep(seconds)

    # --- The engine ------------------------------------------------------------

    def client(self, key: str = KEY) -> JigClient:
        """A client of its own, as another plugin process has it."""
        settings = Settings(
            api_key=key,
            key_source="environment",
            base_url="http://127.0.0.1:1",
            url_source="environment",
            parallel=4,
        )
        return JigClient(
            settings,
            transport=self,
            budget=RetryBudget(clock=self.clock),
            rng=lambda: 1.0,
            wall_clock=lambda: EPOCH,
        )


class Engine:
    """
    One resource as the engine treats it: check, diff, then what follows, and its state.

    Attributes:
        state: The outputs that the state holds; None without a resource.
        inputs: The inputs that the state holds.
        lines: Progress that people saw.
        logged: Messages that people saw, as (severity, text).
        errors: Reasons of partial failures, newest last.
    """

    def __init__(
        self,
        world: World,
        urn: str = URN,
        key: str = KEY,
        *,
        life: str = "deployment",
    ) -> None:
        self.world = world
        self._life = life
        self.urn = urn
        self._client = world.client(key)
        self.state: Record | None = None
        self.inputs: Record | None = None
        self.lines: list[str] = []
        self.logged: list[tuple[str, str]] = []
        self.ignore: tuple[str, ...] = ()
        self.timeout: float | None = None
        self.interrupted = False

    def use_key(self, key: str) -> None:
        """Go on with another key, as another run does."""
        self._client = self.world.client(key)

    def invocation(self) -> Invocation:
        """One call."""
        return Invocation(
            connect=lambda: self._client,
            urn=self.urn,
            timeout=self.timeout,
            ignore_changes=self.ignore,
            old_inputs=self.inputs,
            log=lambda severity, text: self.logged.append((severity, text)),
            progress=self.lines.append,
            engine_alive=lambda: self.world.alive,
            interrupted=lambda: self.interrupted,
            clock=self.world.clock,
            sleep=self.world.clock.sleep,
        )

    def _step(self, name: str) -> Any:
        home = importlib.import_module(f"pulumi_jig.lifecycle.{self._life}.{name}")
        return getattr(home, name)

    def check(self, program: Mapping[str, Any], *, anew: bool = False) -> Record:
        """The program's inputs as the engine goes on with them."""
        olds = {} if anew else self.inputs or {}
        news = {**program, KEYMARK: self._client.settings.key_fingerprint}
        outputs = None if anew else self.state
        checked = self._step("check")(olds, news, old_outputs=outputs, urn=self.urn)
        assert checked.faults == ()
        return wired(checked.inputs)

    def diff(self, program: Mapping[str, Any]) -> Diffed:
        """What an update would do."""
        assert self.state is not None
        checked = self.check(program)
        found: Diffed = self._step("diff")(
            self.state, checked, old_inputs=self.inputs, ignore_changes=self.ignore
        )
        return found

    def create(self, program: Mapping[str, Any]) -> Stored:
        """Create the resource; a partial failure is stored and raised."""
        inputs = self.check(program, anew=True)
        create = self._step("create")
        return self._keep(inputs, lambda: create(inputs, self.invocation()))

    def update(self, program: Mapping[str, Any]) -> Stored:
        """Update the resource; a partial failure keeps the inputs from before."""
        assert self.state is not None
        inputs, state = self.check(program), self.state
        update = self._step("update")
        old = self.inputs
        try:
            return self._keep(inputs, lambda: update(state, inputs, self.invocation()))
        except PartialFailureError:
            self.inputs = old
            raise

    def _keep(self, inputs: Record, step: Callable[[], Stored]) -> Stored:
        try:
            stored = step()
        except PartialFailureError as error:
            self.state, self.inputs = wired(error.outputs), inputs
            raise
        self.state, self.inputs = wired(stored.outputs), inputs
        return stored

    def refresh(self) -> bool:
        """Read what is live; whether the resource is still there."""
        assert self.state is not None
        stored = self._step("read")(self.state["name"], self.state, self.invocation())
        if not stored.id:
            self.state = self.inputs = None
            return False
        self.state = wired(stored.outputs)
        self.inputs = self.inputs if stored.inputs is None else wired(stored.inputs)
        return True

    def delete(self) -> None:
        """Delete the resource; it leaves the state."""
        assert self.state is not None
        self._step("delete")(self.state["name"], self.state, self.invocation())
        self.state = self.inputs = None

    def told(self) -> str:
        """All that people saw."""
        return "\n".join([*self.lines, *(text for _, text in self.logged)])


def wired(data: Record) -> Record:
    """Data as it comes back from the engine: JSON, without secrets' wrappings."""
    found: Record = json.loads(json.dumps(_revealed(data)))
    return found


def _revealed(value: Any) -> Any:
    if isinstance(value, SecretValue):
        return _revealed(reveal(value))
    if isinstance(value, dict):
        return {k: _revealed(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_revealed(v) for v in value]
    return value
