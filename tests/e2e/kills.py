"""
Striking a run at a known point: whom, with what, and what the service was doing then.

Points are made by the emulator, which holds a request (or the time of a deployment) until
the stroke has fallen; nothing is guessed by sleeping.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from processes import descendants, wait, with_environment

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from jig_stage import JigStage

NAME = "llm-one"
#: Seconds for which a request is held: the stroke falls within a tenth of a second.
HELD = 2.0

#: What each operation has done when it is struck. `before`: the plugin was asked, and
#: has sent nothing that changes; `sent`: the request is on its way; `accepted`: the
#: service has acted, its answer is not there yet; `waiting`: for the roll-out or the
#: end; `done`: the service has finished, and the plugin is being told.
POINTS: dict[str, dict[str, dict[str, Any]]] = {
    "create": {
        "before": {"method": "GET", "path": "/whoami"},
        "sent": {"method": "POST", "path": "/deployments"},
        "accepted": {"method": "POST", "path": "/deployments", "acted": True},
        "waiting": {},
        "done": {"method": "GET", "path": "/deployments/*", "acted": True},
    },
    "update": {
        "before": {"method": "GET", "path": "/deployments/*"},
        "sent": {"method": "PATCH", "path": "/deployments/*"},
        "accepted": {"method": "PATCH", "path": "/deployments/*", "acted": True},
        "waiting": {},
        "done": {"method": "GET", "path": "/deployments/*", "nth": 2, "acted": True},
    },
    "delete": {
        "before": {"method": "GET", "path": "/deployments/*"},
        "sent": {"method": "DELETE", "path": "/deployments/*"},
        "accepted": {"method": "DELETE", "path": "/deployments/*", "acted": True},
        "waiting": {},
        "done": {"method": "GET", "path": "/deployments/*", "nth": 2, "acted": True},
    },
    "refresh": {
        "sent": {"method": "GET", "path": "/deployments/*"},
        "accepted": {"method": "GET", "path": "/deployments/*", "acted": True},
    },
}
#: Who is struck, and with what; twice is what people do whose first Ctrl-C takes long.
STROKES = [
    ("plugin", "KILL"),
    ("plugin", "TERM"),
    ("plugin", "INT"),
    ("run", "KILL"),
    ("run", "TERM"),
    ("run", "INT"),
    ("run", "INT INT"),
]


@dataclass(frozen=True)
class Blow:
    """One way to be interrupted."""

    operation: str
    point: str
    victim: str
    signals: str

    def __str__(self) -> str:
        return "-".join(
            (self.operation, self.point, self.victim, self.signals.replace(" ", "+"))
        )


#: All ways.
EVERY = [
    Blow(operation, point, victim, signals)
    for operation, points in POINTS.items()
    for point in points
    for victim, signals in STROKES
]


def few() -> list[Blow]:
    """Each point of each operation once; who is struck with what takes turns."""
    points = [(o, p) for o, points in POINTS.items() for p in points]
    return [
        Blow(operation, point, *STROKES[number * 3 % len(STROKES)])
        for number, (operation, point) in enumerate(points)
    ]


def program(stage: JigStage, blow: Blow, **more: Any) -> None:
    """Plan what the struck operation is to bring about, or brought about before."""
    props = {"name": NAME, "port": 8000, "health_check_path": "/health", **more}
    if blow.operation == "update":
        props["memory"] = 64
    stage.plan({})
    if blow.operation != "delete":
        stage.deployment(**props)


def prepare(stage: JigStage, blow: Blow) -> None:
    """Bring the stack to where the operation begins."""
    if blow.operation != "create":
        stage.deployment(name=NAME, port=8000, health_check_path="/health")
        assert stage.up().ok
    program(stage, blow)


def strike(stage: JigStage, blow: Blow) -> tuple[int, str]:
    """
    Run the operation, strike, and wait until everything has come to rest.

    Returns:
        The run's exit status, and all that it printed.
    """
    admin = stage.emulator.admin
    begun, hold = _point(stage, blow)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A suite that runs in the background would pass its deafness on.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    output = stage.folder / "struck.txt"
    with output.open("w") as file:
        operation = "refresh" if blow.operation == "refresh" else "up"
        process = stage.begin(operation, file)
        try:
            wait(lambda: begun() or process.poll() is not None)
            # It must not have come to its end before the stroke.
            assert process.poll() is None, output.read_text()
            for number, name in enumerate(blow.signals.split()):
                if number:
                    time.sleep(0.5)  # Two signals in one instant are one signal.
                _hit(process, blow.victim, signal.Signals[f"SIG{name}"])
            status = process.wait(60)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    # A plugin whose engine is gone ends its request, and then itself.
    wait(lambda: not _living(stage, "pulumi.dynamic"))
    # The language host of an engine that was killed does not end, and holds nothing.
    for left in _living(stage, "pulumi-language-python"):
        os.kill(left, signal.SIGKILL)
    if hold is None:
        admin.release(NAME)
    else:
        # The service goes on with a request whose sender is gone.
        wait(lambda: any(r["fault"] == hold for r in admin.requests()))
    admin.clear_faults()
    return status, output.read_text()


def _living(stage: JigStage, word: str) -> list[int]:
    """Processes of the run that are still there."""
    found = with_environment("TOGETHER_BASE_URL", stage.emulator.url)
    return [pid for pid, line in found.items() if word in line]


def _point(stage: JigStage, blow: Blow) -> tuple[Callable[[], bool], int | None]:
    """How to tell that the point is reached, and the fault that holds a request."""
    admin = stage.emulator.admin
    admin.clear_requests()
    fault = POINTS[blow.operation][blow.point]
    if fault:
        number = admin.fault(**fault, delay=HELD)
        return lambda: bool(admin.faults()[0]["struck"]), number
    admin.hold(NAME)
    change = {"create": "POST", "update": "PATCH", "delete": "DELETE"}[blow.operation]

    def waiting() -> bool:
        methods = [r["method"] for r in admin.requests()]
        return change in methods and "GET" in methods[methods.index(change) :]

    return waiting, None


def _hit(process: subprocess.Popen[str], victim: str, number: signal.Signals) -> None:
    if victim == "run":
        os.killpg(process.pid, number)
        return
    for plugin in descendants(process.pid, "pulumi.dynamic"):
        os.kill(plugin, number)
