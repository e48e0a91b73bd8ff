"""
The service of a whole run: an emulator process, a wire that breaks, and other people.

One emulator serves many runs; each begins with an empty one. What the service holds is
read from its own dump, never from what the client came to believe.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, Final

from faultproxy import FaultProxy

from pulumi_jig.emulator import replicas
from pulumi_jig.emulator.rollouts import Rollouts
from pulumi_jig.naming import Mark, join_description, split_description

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from pulumi_jig.emulator import RunningEmulator

Record = dict[str, Any]

KEY: Final = "acct:home:key-canary-0123456789"
PROJECT, STACK = "shop", "dev"
#: Real seconds per emulated second while faults rule: a roll-out takes about a second.
SCALE: Final = 0.02

#: What the proxy may do to any request.
WIRE: Final = (
    "refuse",
    *(
        f"{do}-{when}-forward"
        for do in ("reset", "close", "html", "empty", "latin", "redirect", "hang")
        for when in ("before", "after")
    ),
    "delay",
    "truncate",
    "bad-gzip",
    "half-gzip",
    "hang-body",
)
WRITES: Final = ("POST /deployments", "PATCH /deployments/*", "DELETE /deployments/*")
PLACES: Final = (*WRITES, "GET /deployments/*", "GET /v3/whoami", "*")


class Service:
    """
    The service, from all sides.

    Attributes:
        foreign: Deployments of somebody else's, by id, as they must stay.
        adoptable: Names that some program was allowed to take over.
    """

    def __init__(
        self,
        emulator: RunningEmulator,
        rng: Random,
        watch: Callable[[str, str, str], None],
    ) -> None:
        self.rng = rng
        self.emulator = emulator
        self.admin = emulator.admin
        self.admin.clear_faults()
        self.admin.reset()
        self.admin.set_time_scale(SCALE)
        self.proxy = FaultProxy(
            emulator.url, seed=rng.getrandbits(32), watch=watch, plan=()
        )
        self.foreign: dict[str, str] = {}
        self.adoptable: set[str] = set()

    # --- Faults --------------------------------------------------------------------

    def break_things(self) -> list[Record]:
        """Draw the faults of one operation; what was drawn."""
        rng = self.rng
        plan: list[Record] = []
        for _ in range(rng.choice([0, 0, 1, 1, 2])):
            do = rng.choice(WIRE)
            place = rng.choice(WRITES if rng.random() < 0.6 else PLACES)
            fault = {"on": place, "nth": rng.randint(1, 3), "do": do, "seconds": 0.6}
            plan.append({**fault, "times": rng.choice([1, 1, 2, 5])})
        rate = rng.choice([0, 0, 0, 0.03, 0.1, 0.3])
        if rate:
            plan.append({"on": "*", "chance": rate, "do": list(WIRE), "seconds": 0.6})
        self.proxy.clear()
        self.proxy.add(*plan)
        own = rng.choice([0, 0, 0, 1, 2])
        return plan + [self._fault_of_its_own() for _ in range(own)]

    def _fault_of_its_own(self) -> Record:
        rng = self.rng
        fault: Record = {
            "method": rng.choice(["POST", "PATCH", "DELETE", "GET"]),
            "nth": rng.randint(1, 3),
            "times": rng.choice([1, 1, 3, 8]),
            "acted": rng.random() < 0.5,
        }
        fault |= rng.choice(
            [
                {"status": rng.choice([500, 502, 503, 504, 429, 409])},
                {"status": rng.choice([401, 403])},
                {"status": 429, "headers": {"Retry-After": "1"}},
                {"drop": rng.choice(["reset", "close"])},
                {"delay": 0.5},
            ]
        )
        if fault.get("status") in {401, 403, 409, 429}:
            # The service says so before it acts.
            fault["acted"] = False
        self.admin.fault(**fault)
        return fault

    def mend(self) -> None:
        """End all faults."""
        self.proxy.clear()
        self.admin.clear_faults()

    # --- Other people --------------------------------------------------------------

    def squat(self, name: str) -> None:
        """Somebody makes a deployment of this name."""
        account = self.rng.choice(["home", "home", "rival"])
        mark = Mark("rival", "prod", "theirs", f"{self.rng.getrandbits(48):012x}")
        described = join_description("theirs", mark) if self.rng.random() < 0.5 else ""
        body = {
            "name": name,
            "image": "registry.example/theirs:1",
            "gpu_type": "none",
            "description": described,
        }
        made = self.request("POST", "/deployments", body, account)
        if made is not None:
            self.keep_watch(made["id"])

    def take_over(self, d: Record) -> None:
        """Another program adopts a deployment of ours: it writes a mark of its own."""
        text, _ = split_description(d["spec"]["description"])
        mark = Mark("rival", "prod", "theirs", f"{self.rng.getrandbits(48):012x}")
        described = {"description": join_description(text, mark)}
        self.request("PATCH", f"/deployments/{d['id']}", described)
        self.keep_watch(d["id"])

    def keep_watch(self, id_: str) -> None:
        """From now on nobody of ours may write to this one."""
        found = next((d for d in self.records() if d["id"] == id_), None)
        if found is not None:
            self.foreign[id_] = _told(found)

    def request(
        self, method: str, path: str, body: Any = None, account: str = "home"
    ) -> Record | None:
        """A request of somebody else's, past all faults; None where it is refused."""
        request = urllib.request.Request(
            f"{self.emulator.url}/v1{path}",
            None if body is None else json.dumps(body).encode(),
            {
                "Authorization": f"Bearer acct:{account}:other",
                "Content-Type": "application/json",
            },
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                found: Record = json.loads(answer.read() or b"{}")
                return found
        except urllib.error.HTTPError as error:
            error.close()
            return None

    # --- The service's own view ----------------------------------------------------

    def records(self) -> list[Record]:
        """All deployments that are there and not going away, of all accounts."""
        return [d for d in self.admin.deployments() if "deleting_since" not in d]

    def ours(self) -> list[Record]:
        """Deployments that carry this stack's mark."""
        return [d for d in self.records() if is_ours(d) and d["id"] not in self.foreign]

    def touched(self) -> list[str]:
        """Deployments of somebody else's that are not as they were."""
        now = {d["id"]: d for d in self.records()}
        found = []
        for id_, told in list(self.foreign.items()):
            d = now.get(id_)
            name = json.loads(told)["name"]
            if name in self.adoptable:
                if d is None or is_ours(d):
                    del self.foreign[id_]
                continue
            if d is None or _told(d) != told:
                found.append(f"{name} ({id_}): {told} -> {d and _told(d)}")
        return found


def is_ours(d: Record) -> bool:
    """Whether a deployment carries this stack's mark, in its account."""
    mark = mark_of(d)
    return (
        d["account"] == "home"
        and mark is not None
        and (mark.project, mark.stack) == (PROJECT, STACK)
    )


def mark_of(d: Record) -> Mark | None:
    """The mark of a deployment."""
    return split_description(d["spec"]["description"])[1]


def serving(d: Record) -> int:
    """How many replicas of the active revision serve."""
    return sum(map(replicas.is_serving, Rollouts.target(d)))


def _told(d: Record) -> str:
    kept = {"name": d["name"], "revision": d["revision_id"], "spec": d["spec"]}
    return json.dumps(kept, sort_keys=True)
