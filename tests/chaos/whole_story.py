"""
One run on the whole level: real processes, a real wire, real signals.

The program, the plugin host and the service are processes of their own; operations are
those of the rehearsal, whose state is a file as `pulumi stack export` writes it. What
must hold is the same as in process, read from the service's dump and from the state. A
seed draws everything but the moments at which processes meet, so it replays a run as far
as processes permit.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import chaos_plans as plans
from whole_actor import Actor, EndlessError, plugins, processes
from whole_books import Books
from whole_world import KEY, PROJECT, Service, mark_of

from pulumi_jig.values import SecretValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chaos_engine import Declared

    from pulumi_jig.emulator import RunningEmulator

Record = dict[str, Any]

HERE: Final = Path(__file__).parent
#: Seconds for an operation, while faults rule and afterwards.
SHORT, LONG = "6s", "60s"
#: Seconds for which what a killed run left may go on.
LAST_BREATH: Final = 60.0


@dataclass
class Blow:
    """
    A signal to a process, at the nth request of an operation.

    Attributes:
        nth: Counted from 1.
        moment: `came` (the request is on its way) or `acted` (the answer is).
        writes: Whether only requests that change something count.
        whom: `plugin`, `run` or `both`.
        signal: Which one.
        fell: Whether it did.
    """

    nth: int
    moment: str
    writes: bool
    whom: str
    signal: signal.Signals
    fell: bool = False


@dataclass
class Outcome:
    """What a run found."""

    seed: str
    violations: list[str]
    trail: list[str] = field(repr=False)
    counts: dict[str, int] = field(default_factory=dict)


def play_whole(
    seed: str,
    emulator: RunningEmulator,
    folder: Path,
    env: Mapping[str, str] | None = None,
) -> Outcome:
    """
    Make one run.

    Args:
        seed: Replays it as far as processes permit.
        emulator: The service; it forgets all that it holds.
        folder: An empty one.
        env: More for the environment of its processes.
    """
    story = WholeStory(seed, emulator, folder, env or {})
    try:
        story.run()
    except EndlessError as error:
        story.violations.append(str(error))
    finally:
        story.close()
    return Outcome(seed, story.violations, story.trail, dict(story.counts))


class WholeStory:
    """One run."""

    def __init__(
        self,
        seed: str,
        emulator: RunningEmulator,
        folder: Path,
        env: Mapping[str, str],
    ) -> None:
        self.rng = rng = random.Random(f"whole {seed}")
        self.folder = folder
        self.marker = f"{seed}-{os.getpid()}-{time.monotonic_ns()}"
        self.violations: list[str] = []
        self.trail: list[str] = []
        self.counts: Counter[str] = Counter()
        self.service = Service(emulator, rng, self._watch)
        self.state_file = folder / "state.json"
        self.program_dir = folder / "program"
        shutil.copytree(HERE.parent / "e2e" / "jig", self.program_dir)
        (self.program_dir / "Pulumi.yaml").write_text(
            f"name: {PROJECT}\nruntime:\n  name: python\n"
            "  options:\n    toolchain: pip\n"
        )
        url = self.service.proxy.url
        self.env = {"TOGETHER_BASE_URL": url, "TOGETHER_API_KEY": KEY}
        stack = {
            "program": str(self.program_dir),
            "state": str(self.state_file),
            "env": {**env, **self.env},
        }
        scratch = folder / "scratch"
        scratch.mkdir()
        self.actor = Actor(stack, self.marker, scratch)
        drawn = plans.program(rng)
        self.program = {name: drawn[name] for name in list(drawn)[:5]}
        self.books = Books(self.service, self.state_file, self._wrong)
        self.taken: set[str] = set()
        self.unserved: set[str] = set()
        self.meddled = self.failed = False
        self.limit = SHORT
        self._began = time.monotonic()
        self._blow: Blow | None = None
        self._seen = 0
        self._lock = threading.Lock()

    def run(self) -> None:
        """Chaos, calm, and the end."""
        rng = self.rng
        for _ in range(rng.choice([1, 1, 2, 2, 3])):
            self._operate()
            if self.violations:
                return
            if rng.random() < 0.5:
                self.program = plans.edited(rng, self.program)
            if rng.random() < 0.4:
                self._others()
        self._calm()
        if not self.violations:
            self._end()

    def close(self) -> None:
        """End every process of the run."""
        self.actor.close()
        for pid in processes(self.marker):
            _kill(pid, signal.SIGKILL)
        self.service.mend()
        self.service.proxy.stop()

    def note(self, text: str) -> None:
        """Write down what happened, for whoever looks into a failure."""
        self.trail.append(f"{time.monotonic() - self._began:7.2f}  {text}")

    def _wrong(self, text: str) -> None:
        self.note(f"VIOLATION {text}")
        self.violations.append(text)

    # --- Chaos ---------------------------------------------------------------------

    def _operate(self) -> None:
        rng = self.rng
        operation = rng.choice(["up", "up", "up", "up", "refresh", "destroy"])
        if not self.counts["operations"]:
            operation = "up"
        replace = []
        self._plan()
        if operation == "up":
            for declared in self.program.values():
                if declared.props.get("adopt"):
                    self.service.adoptable.add(declared.props.get("name", ""))
            if rng.random() < 0.1:
                known = sorted({r["urn"] for r in self.books.deployments(live=True)})
                replace = known[:1]
            if rng.random() < 0.3:
                names = [d.props["name"] for d in self.program.values() if _named(d)]
                if names:
                    self.service.squat(rng.choice(names))
        plan = self.service.break_things()
        blow = self._draw_blow()
        self.note(f"== {operation} {replace}, faults {json.dumps(plan)}, {blow}")
        self.actor.start()
        with self._lock:
            self._seen, self._blow = 0, blow
        answer = self._act(operation, replace)
        with self._lock:
            self._blow = None
        fell = blow is not None and blow.fell
        self._rest(killed=fell)
        good = answer is not None and answer["ok"]
        word = "good" if good else "failed"
        if fell and blow is not None:
            word = f"{blow.whom} got {blow.signal.name}"
        self.failed |= word != "good"
        self.counts[word] += 1
        self.counts["operations"] += 1
        self.books.check(excused=fell and blow is not None and blow.whom != "run")
        if good and operation == "refresh":
            # What failed before may have come to serve by itself, and was seen.
            self.unserved = set(self.books.faults(self.program, self.unserved))
        if answer is not None and operation == "up":
            self.unserved |= set(answer.get("failed", ()))
            if good:
                # What nobody looked at may have been taken away by somebody.
                self.books.green(self.program, self.unserved | set(answer["worked"]))
                self.unserved.clear()

    def _draw_blow(self) -> Blow | None:
        rng = self.rng
        if rng.random() >= 0.45:
            return None
        return Blow(
            nth=rng.choice([1, 1, 2, 3, rng.randint(1, 12)]),
            moment=rng.choice(["came", "acted"]),
            writes=rng.random() < 0.5,
            whom=rng.choice(["plugin", "run", "both"]),
            signal=rng.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]),
        )

    def _watch(self, moment: str, method: str, _path: str) -> None:
        """Called by the proxy, in the thread of a request."""
        with self._lock:
            blow = self._blow
            if blow is None or blow.fell or moment != blow.moment:
                return
            if blow.writes and method == "GET":
                return
            self._seen += 1
            if self._seen < blow.nth:
                return
            blow.fell = True
            if blow.whom != "run":
                for pid in plugins(self.marker):
                    _kill(pid, blow.signal)
            if blow.whom != "plugin":
                _kill(self.actor.pid, blow.signal)

    def _act(self, operation: str, replace: list[str] | None = None) -> Record | None:
        answer = self.actor.act(operation, replace)
        self.note(f"{operation}: {_short(answer)}")
        if answer is not None:
            for text in answer["said"]:
                self.books.discreet(text, "a message")
        return answer

    def _rest(self, *, killed: bool) -> None:
        """Wait until nothing of the operation is under way any more."""
        until = time.monotonic() + LAST_BREATH
        # What is on the wire arrives, what a killed run left comes to its end.
        time.sleep(0.2 if killed else 0)
        while self.service.proxy.busy and time.monotonic() < until:
            time.sleep(0.05)
        while left := {p for p in processes(self.marker) if p != self.actor.pid}:
            if time.monotonic() > until:
                self._wrong(f"processes outlive their run: {processes(self.marker)}")
                for pid in left:
                    _kill(pid, signal.SIGKILL)
                break
            time.sleep(0.1)
        self.service.mend()

    def _others(self) -> None:
        """Somebody does something while nothing runs."""
        rng, ours = self.rng, sorted(self.service.ours(), key=lambda d: str(d["name"]))
        if not ours:
            return
        victim = rng.choice(ours)
        deed = rng.choice(["image", "scale", "remove", "take over", "take over"])
        self.note(f"somebody: {deed} {victim['name']}")
        self.meddled = True
        match deed:
            case "image":
                body = {"image": plans.image(rng, 0.3)}
                self.service.request("PATCH", f"/deployments/{victim['id']}", body)
            case "scale":
                desired = victim["spec"]["max_replicas"]
                self.service.admin.patch(victim["id"], desired_replicas=desired)
            case "remove":
                self.service.admin.remove(victim["id"])
            case _:
                mark = mark_of(victim)
                self.taken.add("" if mark is None else mark.resource)
                self.service.take_over(victim)

    # --- The program ------------------------------------------------------------------

    def _plan(self) -> None:
        """Write the program."""
        resources = {}
        for name, declared in self.program.items():
            props = dict(declared.props)
            # Without a mark nobody finds what a killed plugin has left.
            props.pop("ownership_mark", None)
            opts: Record = {"custom_timeouts": dict.fromkeys(_OPERATIONS, self.limit)}
            if declared.ignore:
                opts["ignore_changes"] = list(declared.ignore)
            if declared.delete_first:
                opts["delete_before_replace"] = True
            resources[name] = {"props": _planned(props), "opts": opts}
        text = json.dumps({"resources": resources}, indent=1)
        (self.program_dir / "plan.json").write_text(text)

    # --- Calm ----------------------------------------------------------------------------

    def _calm(self) -> None:
        from whole_calm import let_go, make_way, recover

        self.note("== calm")
        self.service.admin.set_time_scale(0)
        self.limit = LONG
        recover(self)
        let_go(self)
        self.books.check()
        make_way(self)
        self._plan()
        if (
            self.meddled
            or (self.failed and self.books.misses_some())
            or self.rng.random() < 0.3
        ):
            self._must("refresh")
        self._must("up")
        self.books.check()
        self.books.green(self.program, set(self.program))
        self._must("preview", empty=True)
        if self.rng.random() < 0.3:
            self._must("refresh")
            self._must("preview", empty=True)

    def _end(self) -> None:
        self._must("destroy")
        left = [d["name"] for d in self.service.ours()]
        if left or self.books.deployments():
            self._wrong(f"destroy left {left}")
        for text in self.service.touched():
            self._wrong(f"foreign write: {text}")

    def _must(self, operation: str, *, empty: bool = False) -> None:
        if self.violations:
            return
        answer = self._act(operation)
        if answer is None or not answer["ok"]:
            said = "; ".join((answer or {}).get("errors") or ["it died"])
            self._wrong(f"after the faults, {operation} failed: {said}")
        elif empty and not answer["empty"]:
            self._wrong(f"a preview shows {answer['steps']} {answer['changed']}")


_OPERATIONS = ("create", "update", "delete")


def _planned(value: Any) -> Any:
    """A property as the plan of the program has it."""
    if isinstance(value, SecretValue):
        return {"$secret": f"secret-{value.value}"}
    if isinstance(value, dict):
        return {key: _planned(item) for key, item in value.items()}
    return value


def _named(declared: Declared) -> bool:
    return "name" in declared.props


def _kill(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # It ended by itself.


def _short(answer: Record | None) -> str:
    if answer is None:
        return "killed"
    if answer.get("interrupted"):
        return "interrupted"
    errors = [text.splitlines()[0][:300] for text in answer["errors"] if text]
    return f"{'good' if answer['ok'] else 'failed'} {answer.get('steps')} {errors}"
