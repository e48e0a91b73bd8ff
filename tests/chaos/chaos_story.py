"""
One run: chaos, then calm, then the questions that every run must answer well.

A run is a function of its seed. While faults rule, operations follow one another and
may fail, but after each of them the books are checked. Then the faults end, the person
does what the messages say (recover, import, state delete, another name), and one `up`
must bring everything about.
"""

from __future__ import annotations

import copy
import json
import os
import random
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import chaos_plans as plans
from chaos_engine import CANARY, Declared, Engine, GoneError, Program
from chaos_world import ACCOUNT, KEY, Death, World

from pulumi_jig.cli.pending import resolve
from pulumi_jig.cli.resolutions import (
    Action,
    Finding,
    RecoveryContext,
    one_each,
    settle,
)
from pulumi_jig.cli.state_export import decrypted, to_file
from pulumi_jig.cli.stored import outputs_of
from pulumi_jig.emulator import replicas
from pulumi_jig.lifecycle.deployment.check import check
from pulumi_jig.lifecycle.deployment.kind import DEPLOYMENT
from pulumi_jig.naming import DEPLOYMENT_TYPE, split_description
from pulumi_jig.schema.responses import DeploymentResponseItem

if TYPE_CHECKING:
    from collections.abc import Iterator

Record = dict[str, Any]


@dataclass
class Outcome:
    """
    What a run found.

    Attributes:
        seed: Replays it.
        violations: What must never happen and did.
        trail: What happened, in order.
        operations: How many operations the engine made.
        counts: How often what was met.
    """

    seed: str
    violations: list[str]
    trail: list[str] = field(repr=False)
    operations: int = 0
    counts: dict[str, int] = field(default_factory=dict)


def play(seed: str) -> Outcome:
    """Make one run."""
    with _reproducible(random.Random(f"ids {seed}")):
        story = Story(seed)
        try:
            story.run()
        except Exception as error:
            story.world.violations.append(f"the run broke: {error!r}")
            raise_on = error if story.debug else None
            if raise_on is not None:
                raise
        finally:
            story.world.backend.store.close()
    world = story.world
    return Outcome(seed, world.violations, world.trail, story.operations, story.counts)


@contextmanager
def _reproducible(rng: random.Random) -> Iterator[None]:
    """Draw nonces and ids from a generator, so that a seed replays a run exactly."""
    before = uuid.uuid4, os.urandom
    uuid.uuid4 = lambda: uuid.UUID(int=rng.getrandbits(128), version=4)
    os.urandom = rng.randbytes
    try:
        yield
    finally:
        uuid.uuid4, os.urandom = before


class Story:
    """One run."""

    debug = False
    #: The output that holds the service's own id.
    id_key = "deployment_id"

    def __init__(self, seed: str) -> None:
        self.rng = random.Random(seed)
        self.world = World(self.rng)
        self.engine = Engine(self.world, green=self._green)
        self.others = plans.Others(self.world, self.engine)
        self.program: Program = plans.program(self.rng)
        self.operations = 0
        self.counts: dict[str, int] = {}

    def run(self) -> None:
        """Chaos, calm, and the end."""
        rng = self.rng
        for _ in range(rng.randint(1, 5)):
            self._prepare()
            self._operate()
            self._books()
            if self.world.violations:
                return
            if rng.random() < 0.6:
                self.program = self._edited()
            if rng.random() < 0.5:
                self.others.between(self.program)
            self._give_up()
            if self.engine.pending and rng.random() < 0.7:
                self._recover()
            self.world.clock.sleep(rng.choice([1, 60, 1000]))
        self._calm()
        if not self.world.violations:
            self._end()

    def _edited(self) -> Program:
        """The program after somebody worked on it."""
        return plans.edited(self.rng, self.program)

    # --- Chaos -----------------------------------------------------------------

    def _prepare(self) -> None:
        rng, world = self.rng, self.world
        world.rate = rng.choice([0.0, 0.02, 0.1, 0.3, 0.6])
        world.outage = (0.0, "")
        world.meddle = self.others.meanwhile if rng.random() < 0.3 else None
        world.death = None
        if rng.random() < 0.35:
            # Small numbers more often: that is where things begin.
            nth = rng.choice([rng.randint(1, 8), rng.randint(1, 40)])
            whom = rng.choice(["plugin", "engine", "both"])
            world.death = Death(nth, rng.random() < 0.5, whom)

    def _operate(self) -> None:
        rng = self.rng
        name = rng.choice(["up", "up", "up", "up", "refresh", "destroy"])
        engine = self.engine
        self._same_attempts()
        known, told = self._known(), len(engine.errors)
        self.world.note(f"== {name}")
        self.operations += 1
        try:
            if name == "up":
                replaced = rng.random() < 0.1
                again = rng.choice(sorted(self.program)) if replaced else ""
                good = engine.up(self.program, frozenset({again}))
                if good:
                    self._all_green()
            elif name == "refresh":
                good = engine.refresh()
                if good:
                    self._served()
            else:
                good = engine.destroy()
        except GoneError:
            self._count("killed")
        else:
            self._count("good" if good else "failed")
        self.world.meddle = self.world.death = None
        self.world.rate, self.world.outage = 0.0, (0.0, "")
        self.world.dead, self.world.alive = False, True
        self._none_slipped(known, engine.errors[told:])
        self.world.settle()

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1
        self.world.note(f"== {what}")

    # --- What must hold at any time --------------------------------------------

    def _green(self, declared: Declared, resource: Record) -> None:
        """A step that went well: what was asked for serves, at this moment."""
        fault = self._fault(declared, resource)
        if fault:
            self.world.violations.append(fault)

    def _fault(self, declared: Declared, resource: Record) -> str | None:
        """Why a resource may not be called green, or None."""
        inputs = decrypted(resource["inputs"])
        if inputs.get("wait_for") == "none":
            return None
        d = self.world.record(str(decrypted(resource["outputs"]).get("deployment_id")))
        urn = resource["urn"].removeprefix(self.engine.prefix)
        if d is None:
            return f"green without a deployment: {urn}"
        target = self.world.backend.deployments.rollouts.target(d)
        serving = sum(map(replicas.is_serving, target))
        floor = d["spec"]["min_replicas"]
        needed = 1 if inputs.get("wait_for") == "first_replica" else floor
        if serving < min(needed, floor):
            return f"green, but {serving} of {needed} replicas serve: {urn}"
        if "image" not in declared.ignore and d["spec"]["image"] != inputs["image"]:
            return f"green with another image: {urn}"
        return None

    def _served(self) -> None:
        """A refresh has seen that what failed before has come to serve by itself."""
        for name, declared in self.program.items():
            resource = self.engine.live(self.engine.prefix + name)
            if resource is not None and self._fault(declared, resource) is None:
                self.engine.unserved.discard(resource["urn"])

    def _all_green(self) -> None:
        """A run that went well: nothing that failed before was passed over."""
        for name, declared in self.program.items():
            resource = self.engine.live(self.engine.prefix + name)
            if resource is not None and resource["urn"] in self.engine.unserved:
                self._green(declared, resource)

    def _books(self) -> None:
        """No deployment of ours that nothing knows, none twice, no secret told."""
        world, engine = self.world, self.engine
        for d in self._unknown():
            if self._told(d):
                # Without a mark it cannot be told from anybody's, and a message named it.
                engine.orphaned.add(str(world.owner[d["id"]]))
            if world.owner[d["id"]] not in engine.orphaned:
                world.violations.append(
                    f"orphan: {d['name']} ({d['id']}) of {world.owner[d['id']]}"
                )
        nonces = [
            world.owner.get(d["id"])
            for d in world.records()
            if world.owner.get(d["id"]) is not None
        ]
        if len(nonces) != len(set(nonces)):
            world.violations.append("two deployments of one resource")
        for text in engine.said:
            if CANARY in text or KEY in text or "key-canary" in text:
                world.violations.append(f"a secret was told: {text}")
        engine.said.clear()

    def _same_attempts(self) -> None:
        """
        What a killed attempt made without a mark is what an unconfirmed one finds.

        Both are of one resource and ask for the same, and only a nonce that nothing
        shows tells them apart.
        """
        owner = self.world.owner
        for operation in self.engine.pending:
            resource = operation["resource"]
            entry = self.engine.live(resource["urn"])
            if entry is None or not entry["outputs"].get("__unconfirmed"):
                continue
            for d in self.world.records():
                nonce = resource["inputs"].get("__nonce")
                named = d["name"] == entry["outputs"].get("name")
                if owner.get(d["id"]) == nonce and named and self._bears_no_mark(d):
                    owner[d["id"]] = entry["outputs"]["__nonce"]

    def _bears_no_mark(self, d: Record) -> bool:
        return _unmarked(d)

    def _known(self) -> set[str]:
        """Ids of things whose claim is one that the state, or an operation, has."""
        claims = {r["outputs"].get("__nonce") for r in self.engine.resources}
        unknown = {d["id"] for d in self._unknown()}
        return {
            d["id"]
            for d in self.world.records()
            if self.world.owner.get(d["id"]) in claims and d["id"] not in unknown
        }

    def _none_slipped(self, known: set[str], errors: list[str]) -> None:
        """Nothing that the state knew is left behind without an error that names it."""
        for d in self._unknown():
            if d["id"] in known and not any(d["id"] in text for text in errors):
                self.world.violations.append(
                    f"let go of in silence: {d['name']} ({d['id']})"
                )

    def _told(self, d: Record) -> bool:
        """Whether a message named a thing that no mark tells from anybody's."""
        return _unmarked(d) and any(d["id"] in text for text in self.engine.errors)

    def _unknown(self) -> list[Record]:
        """Things of ours that neither state nor pending operation knows."""
        engine, world = self.engine, self.world
        ids, nonces = set(), set()
        for resource in engine.resources:
            outputs = resource["outputs"]
            ids.add(outputs.get(self.id_key))
            if outputs.get("__unconfirmed"):
                nonces.add(outputs.get("__nonce"))
        nonces |= {op["resource"]["inputs"].get("__nonce") for op in engine.pending}
        return [
            d
            for d in world.records()
            if world.owner.get(d["id"]) is not None
            and d["id"] not in ids
            and world.owner[d["id"]] not in nonces
        ]

    # --- What people do ---------------------------------------------------------

    def _recover(self) -> None:
        """`pulumi-jig recover --yes`."""
        engine = self.engine
        engine.begin()
        export = engine.export()
        inv = engine._invocation("", None, None)
        desk = RecoveryContext(inv.client, lambda: inv.context(60.0), ACCOUNT)
        findings = one_each(
            [resolve(export, i, desk) for i in range(len(export.pending))]
        )
        for finding in findings:
            self.world.note(f"recover: {finding.urn}: {finding.message}")
            self._claim(export.pending[finding.index]["resource"], finding)
        settled = settle(export, findings)
        if any(finding.action is Action.SKIP for finding in findings):
            self._count("left to a person")
        engine.take(settled)

    def _give_up(self) -> None:
        """With its mark turned off, a resource cannot notice that it was taken over."""
        owner = self.world.owner
        for resource in self.engine.resources:
            outputs = resource["outputs"]
            id_ = str(outputs.get("deployment_id"))
            unmarked = outputs.get("ownership_mark") is False
            if unmarked and id_ in owner and owner[id_] is None:
                owner[id_] = outputs["__nonce"]

    def _claim(self, resource: Record, finding: Finding) -> None:
        """
        Without a mark, what a killed plugin made is the same as what is made anew.

        Nothing but the nonce that no mark tells differs between two attempts of one
        resource to create the very same.
        """
        owner, id_ = self.world.owner, str(finding.deployment_id)
        unmarked = resource["inputs"].get("ownership_mark") is False
        if finding.action is Action.IMPORT and unmarked:
            d = self.world.record(id_)
            if owner.get(id_) in self.engine.orphaned and d is not None:
                owner[id_] = resource["inputs"]["__nonce"]

    def _reclaim(self) -> None:
        """Orphans of killed plugins: imported where declared, else deleted by hand."""
        world, engine = self.world, self.engine
        for d in self._unknown():
            text, mark = split_description(d["spec"]["description"])
            name = next(
                (
                    name
                    for name, declared in self.program.items()
                    if engine.live(self.engine.prefix + name) is None
                    and self._name(name, declared) == d["name"]
                    and (mark is None or mark.resource == name)
                ),
                None,
            )
            if name is None:
                world.note(f"by hand: {d['name']} is deleted ({text})")
                world.as_somebody("DELETE", f"/deployments/{d['id']}")
                continue
            inputs = self._inputs(name, self.program[name])
            inputs["__nonce"] = mark.nonce if mark else world.owner[d["id"]]
            shown = world.as_somebody("GET", f"/deployments/{d['id']}")
            item = DeploymentResponseItem.model_validate(shown)
            filed = to_file(inputs)
            world.note(f"by hand: {d['name']} is imported as {name}")
            engine.resources.append(
                {
                    "urn": self.engine.prefix + name,
                    "type": DEPLOYMENT_TYPE,
                    "custom": True,
                    "id": d["name"],
                    "inputs": filed,
                    "outputs": outputs_of(
                        DEPLOYMENT, filed, item, ACCOUNT, in_clear=True
                    ),
                }
            )
        engine.orphaned.clear()
        world.settle()

    def _inputs(self, name: str, declared: Declared) -> Record:
        self.engine.begin()
        return check({}, declared.props, urn=self.engine.prefix + name).inputs

    def _name(self, name: str, declared: Declared) -> Any:
        return self._inputs(name, declared).get("name")

    def _let_go(self) -> None:
        """`pulumi state delete` of what belongs to somebody else now."""
        world, engine = self.world, self.engine
        for resource in list(engine.resources):
            outputs = resource["outputs"]
            nonce = outputs.get("__nonce")
            # Of an unconfirmed one the state knows only the name.
            known = outputs.get("deployment_id") or outputs.get("name")
            d = world.record(str(known))
            if d is None:
                continue
            # An unconfirmed one without its mark cannot be told from anybody's.
            unclear = outputs.get("__unconfirmed") and _unmarked(d)
            if "__adopting" in outputs and world.owner.get(d["id"]) is not None:
                # What one entry of ours asked to take from another, `up` settles.
                continue
            if unclear or world.owner.get(d["id"]) != nonce:
                world.note(f"by hand: state delete {resource['urn']}")
                engine.resources = [r for r in engine.resources if r is not resource]

    def _make_way(self) -> None:
        """What the messages ask for where somebody else has a name."""
        world, engine = self.world, self.engine
        held = {
            d["name"]
            for d in world.records()
            if world.owner.get(d["id"]) is None or d["account"] != "home"
        }
        for number, (name, declared) in enumerate(self.program.items()):
            declared.props.pop("adopt", None)
            declared.props["image"] = "registry.example/app:9"
            declared.ignore = ()
            declared.timeout = None
            old = engine.live(self.engine.prefix + name)
            stands = decrypted(old["inputs"]).get("name") if old else None
            if {
                stands or self._name(name, declared),
                declared.props.get("name"),
            } & held:
                declared.props["name"] = f"free-{number}"
        self._one_name_each()

    def _one_name_each(self) -> None:
        """Two resources cannot have one name; an edit may have tried."""
        seen: set[Any] = set()
        states = {
            (decrypted(r["inputs"]).get("name"), r["urn"])
            for r in self.engine.resources
        }
        for number, (name, declared) in enumerate(self.program.items()):
            wanted = declared.props.get("name")
            others = any(
                n == wanted and u != self.engine.prefix + name for n, u in states
            )
            if wanted is not None and (wanted in seen or others):
                declared.props["name"] = f"sole-{number}"
            seen.add(declared.props.get("name"))

    # --- Calm -------------------------------------------------------------------

    def _calm(self) -> None:
        self.world.note("== calm")
        self._recover()
        # What is left after that is dropped by a person, who has read its name.
        for operation in self.engine.pending:
            self.engine.orphaned.add(operation["resource"]["inputs"]["__nonce"])
        self.engine.pending = []
        self._let_go()
        self._reclaim()
        self._books()
        self._make_way()
        stale = self.others.acted or self.engine.half_deleted
        if stale or self.rng.random() < 0.5:
            self._must("refresh", self.engine.refresh())
        self._books()
        self.program = copy.deepcopy(self.program)
        self._must("up", self.engine.up(self.program))
        self.world.settle()
        self._books()
        self._must_be_empty("after up")
        self._must("refresh", self.engine.refresh())
        self._must_be_empty("after refresh")
        for name, declared in self.program.items():
            resource = self.engine.live(self.engine.prefix + name)
            if resource is not None:
                self._green(declared, resource)

    def _end(self) -> None:
        self._must("destroy", self.engine.destroy())
        self.world.settle()
        left = [
            d["name"]
            for d in self.world.records()
            if self.world.owner.get(d["id"]) is not None
        ]
        if left or self.engine.resources:
            self.world.violations.append(f"destroy left {left}")

    def _must(self, what: str, good: bool) -> None:
        self.world.note(f"== final {what}: {good}")
        if not good:
            last = self.engine.errors[-1] if self.engine.errors else "?"
            self.world.violations.append(f"after the faults, {what} failed: {last}")

    def _must_be_empty(self, when: str) -> None:
        steps = self.engine.preview(self.program)
        if steps:
            self.world.violations.append(f"{when}, a preview shows {json.dumps(steps)}")


def _unmarked(d: Record) -> bool:
    return split_description(d["spec"]["description"])[1] is None
