"""What a run does: programs, edits of them, and the hands of other people."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

from chaos_engine import CANARY, PREFIX, Declared, Program

from pulumi_jig.emulator.admin import Admin
from pulumi_jig.emulator.faults import Faults
from pulumi_jig.emulator.messages import Request
from pulumi_jig.emulator.request_log import RequestLog
from pulumi_jig.naming import Mark, join_description, split_description
from pulumi_jig.values import SecretValue

if TYPE_CHECKING:
    from random import Random

    from chaos_engine import Engine
    from chaos_world import World

Record = dict[str, Any]

GOOD: Final = ("app:1", "app:2", "app:3", "flaky-pull:1")
BROKEN: Final = (
    "crashloop:1",
    "pull-error:1",
    "never-ready:1",
    "rollback:1",
    "oom:1",
)


def image(rng: Random, broken: float = 0.15) -> str:
    """An image, broken ones among them."""
    return "registry.example/" + rng.choice(BROKEN if rng.random() < broken else GOOD)


def program(rng: Random) -> Program:
    """One to ten deployments with random options."""
    count = rng.choice([1, 1, 2, 2, 3, 4, 6, 10])
    return {f"app{i}": declared(rng, i) for i in range(count)}


def declared(rng: Random, number: int) -> Declared:
    """One deployment."""
    props: Record = {"image": image(rng), "gpu_type": "none"}
    if rng.random() < 0.2:
        props |= {"gpu_type": "h100-80gb", "gpu_count": rng.randint(1, 2)}
    if rng.random() < 0.6:
        props["name"] = f"name-{number}"
        if rng.random() < 0.2:
            props["adopt"] = True
    if "adopt" not in props and rng.random() < 0.1:
        props["ownership_mark"] = False
    for name, values in {
        "wait_for": ["min_replicas", "first_replica", "none"],
        "on_failed_update": ["keep", "rollback", "rollback"],
        "description": ["the shop's model", "another model"],
        "min_replicas": [0, 1, 2, 3],
        "health_check_path": ["/healthz", "/ready"],
        "command": [["serve"], ["serve", "--fast"]],
    }.items():
        if rng.random() < 0.3:
            props[name] = rng.choice(values)
    if rng.random() < 0.2:
        props["max_replicas"] = max(props.get("min_replicas", 1), 1) + rng.randint(0, 2)
        props["autoscaling"] = {"metric": "HTTPTotalRequests", "target": 60}
    environment(rng, props)
    ignore = ("image",) if rng.random() < 0.08 else ()
    return Declared(
        props,
        ignore,
        delete_first=rng.random() < 0.3,
        timeout=rng.choice([None, None, 90.0, 600.0]),
    )


def environment(rng: Random, props: Record) -> None:
    """Variables, each with a canary in it, secret or not."""
    if rng.random() < 0.5:
        return
    values: Record = {}
    for name in rng.sample(["TOKEN", "MODE", "PASSWORD"], rng.randint(1, 3)):
        text = f"{CANARY}{rng.randint(1000, 9999)}"
        values[name] = SecretValue(text) if rng.random() < 0.6 else text
    props["environment_variables"] = values


def edited(rng: Random, before: Program) -> Program:
    """The program after somebody worked on it."""
    after = copy.deepcopy(before)
    for name in list(after):
        dice = rng.random()
        props = after[name].props
        if dice < 0.35:
            props["image"] = image(rng)
        elif dice < 0.45:
            environment(rng, props)
        elif dice < 0.5:
            props.pop("environment_variables", None)
        elif dice < 0.58:
            props["min_replicas"] = rng.randint(0, 3)
            if "max_replicas" in props:
                props["max_replicas"] = 5
        elif dice < 0.62:
            props["name"] = f"renamed-{name}-{rng.randint(0, 3)}"
        elif dice < 0.66 and len(after) > 1:
            del after[name]
        elif dice < 0.70 and "name" in props:
            # Another logical name for the same deployment, as a careless refactoring.
            moved = after.pop(name)
            if rng.random() < 0.5:
                moved.props["adopt"] = True
                moved.props.pop("ownership_mark", None)
            after[f"{name}x"] = moved
        elif dice < 0.73:
            props["ownership_mark"] = False
            props.pop("adopt", None)
        elif dice < 0.76:
            props.pop("ownership_mark", None)
    return after


class Others:
    """
    Everybody else who reaches into the account.

    Args:
        world: The service.
        engine: The stack, so that one knows what to meddle with.
    """

    def __init__(self, world: World, engine: Engine) -> None:
        self._world = world
        self._engine = engine
        self._admin = Admin(world.backend, Faults(), RequestLog(), "token")
        self.acted = False

    def between(self, planned: Program) -> None:
        """What somebody does while nothing runs."""
        rng = self._world.rng
        for _ in range(rng.choice([0, 0, 1, 1, 2])):
            self._act(
                rng.choice([*self._QUICK, *[self._take_over] * 3, self._squat]), planned
            )

    def meanwhile(self) -> None:
        """What somebody does while an operation is under way."""
        self._act(self._world.rng.choice(self._QUICK), {})

    def _act(self, deed: Any, planned: Program) -> None:
        mine = sorted(
            (d for d in self._world.records() if d["account"] == "home"),
            key=lambda d: str(d["name"]),
        )
        victim = self._world.rng.choice(mine) if mine else None
        deed = getattr(self, deed) if isinstance(deed, str) else deed
        if victim is not None or deed == self._squat:
            self.acted = True
            self._world.note(
                f"somebody: {deed.__name__} {victim['name'] if victim else ''}"
            )
            deed(victim, planned)

    def _patch(self, victim: Record, _planned: Program) -> None:
        rng = self._world.rng
        body: Record = rng.choice(
            [
                {"image": image(rng, 0.3)},
                {"environment_variables": [{"name": "X", "value": f"{CANARY}others"}]},
                {"command": ["sleep"]},
            ]
        )
        self._world.as_somebody("PATCH", f"/deployments/{victim['id']}", body)

    def _unmark(self, victim: Record, _planned: Program) -> None:
        owner = self._world.owner
        if owner.get(victim["id"]) is None:
            return
        # Without its mark, nothing tells an interrupted creation from anybody's; and
        # whoever knows its id has it.
        self._engine.orphaned.add(str(owner[victim["id"]]))
        for resource in self._engine.resources:
            if resource["outputs"].get("deployment_id") == victim["id"]:
                owner[victim["id"]] = resource["outputs"]["__nonce"]
        self._world.as_somebody(
            "PATCH", f"/deployments/{victim['id']}", {"description": "by hand"}
        )

    def _scale(self, victim: Record, _planned: Program) -> None:
        spec = victim["spec"]
        desired = self._world.rng.randint(spec["min_replicas"], spec["max_replicas"])
        self._admin_patch(victim, {"desired_replicas": desired})

    def _remove(self, victim: Record, _planned: Program) -> None:
        self._world.owner.pop(victim["id"], None)
        # What is removed while a run goes on is no broken promise of that run.
        self._engine.unserved -= {
            r["urn"]
            for r in self._engine.resources
            if r["outputs"].get("deployment_id") == victim["id"]
        }
        self._admin.handle(
            self._admin_request("DELETE", f"deployments/{victim['id']}", b"")
        )

    def _recreate(self, victim: Record, planned: Program) -> None:
        self._remove(victim, planned)
        account = self._world.rng.choice(["home", "rival"])
        self._create(victim["name"], account)

    _QUICK = ("_patch", "_unmark", "_scale", "_remove", "_recreate")

    def _take_over(self, victim: Record, _planned: Program) -> None:
        """Another program adopts the deployment: it writes a mark of its own."""
        nonce = f"{self._world.rng.getrandbits(48):012x}"
        owner, _ = split_description(victim["spec"]["description"])
        mark = Mark("rival", "prod", "theirs", nonce)
        # A resource without a mark of its own cannot tell whether another's is one.
        stated = [
            r["outputs"].get("ownership_mark")
            for r in self._engine.resources
            if r["outputs"].get("deployment_id") == victim["id"]
        ]
        if False in stated:
            return
        self._world.as_somebody(
            "PATCH",
            f"/deployments/{victim['id']}",
            {"description": join_description(owner, mark)},
        )
        self._world.owner[victim["id"]] = None

    def _squat(self, _victim: Record | None, planned: Program) -> None:
        """Somebody makes a deployment under a name that the program wants."""
        names = [d.props["name"] for d in planned.values() if "name" in d.props]
        if names:
            rng = self._world.rng
            self._create(rng.choice(names), rng.choice(["home", "rival"]))

    def _create(self, name: str, account: str) -> None:
        made = self._world.as_somebody(
            "POST",
            "/deployments",
            {"name": name, "image": "registry.example/theirs:1", "gpu_type": "none"},
            account,
        )
        if made is not None:
            self._world.owner[made["id"]] = None

    def _admin_request(self, method: str, path: str, body: bytes) -> Request:
        return Request(
            method, f"/_emulator/{path}", {"x-emulator-token": "token"}, body
        )

    def _admin_patch(self, victim: Record, body: Record) -> None:
        import json

        self._admin.handle(
            self._admin_request(
                "PATCH", f"deployments/{victim['id']}", json.dumps(body).encode()
            )
        )


def urn_of(name: str) -> str:
    """The URN of a resource of the program."""
    return PREFIX + name
