"""
A run of chaos with secrets or with volumes, which deployments start with.

The same engine, wire and people as in `chaos_story`, and the same questions: nothing is
orphaned, made twice, written to although foreign, or told; what was called good is what
was asked for; and after the faults one `up` brings everything about. A volume's update
makes one version, whatever became of its answer.
"""

from __future__ import annotations

import copy
import random
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

from chaos_engine import CANARY, Declared, Engine, Program
from chaos_story import Outcome, Story, _reproducible
from chaos_world import EPOCH
from nouns_world import NounWorld, fingerprint

from pulumi_jig.cli.resolutions import Action
from pulumi_jig.cli.state_export import decrypted
from pulumi_jig.lifecycle.kind import made_around
from pulumi_jig.lifecycle.secret.kind import SECRET
from pulumi_jig.lifecycle.volume.inputs import same_content
from pulumi_jig.naming import Mark, join_description, split_description
from pulumi_jig.schema.responses import SecretResponseItem
from pulumi_jig.values import SecretValue, reveal

if TYPE_CHECKING:
    from random import Random

    from pulumi_jig.cli.resolutions import Finding

Record = dict[str, Any]

_ROLE: Final = "arn:aws:iam::123456789012:role/read"
GOOD: Final = ("s3://models/a", "s3://models/slow/b", "s3://models/flaky/c")
BROKEN: Final = ("s3://no-such-bucket/a", "s3://models/access-denied/b")


def play(seed: str) -> Outcome:
    """Make one run; the first letter of the seed's last part says with what."""
    life = "secret" if random.Random(f"life {seed}").random() < 0.5 else "volume"
    with _reproducible(random.Random(f"ids {seed}")):
        story = NounStory(seed, life)
        began = story.world.clock()

        def now() -> float:
            return EPOCH + story.world.clock() - began

        try:
            # A volume's creation is told from a later one by the time of day.
            with mock.patch("time.time", now):
                story.run()
        except Exception as error:
            story.world.violations.append(f"the run broke: {error!r}")
            if story.debug:
                raise
        finally:
            story.world.backend.store.close()
    world = story.world
    return Outcome(seed, world.violations, world.trail, story.operations, story.counts)


# --- Programs ----------------------------------------------------------------------


def declared(rng: Random, life: str, number: int) -> Declared:
    """One secret or volume."""
    props: Record = {}
    if life == "secret":
        props["value"] = value(rng)
        if rng.random() < 0.3:
            props["description"] = rng.choice(["for the shop", "for models"])
        if rng.random() < 0.15:
            props["ownership_mark"] = False
    else:
        props["content"] = content(rng)
    if rng.random() < 0.6:
        props["name"] = f"name-{number}"
        if rng.random() < 0.2 and "ownership_mark" not in props:
            props["adopt"] = True
    if rng.random() < 0.3:
        props["version"] = 1
    return Declared(
        props,
        delete_first=rng.random() < 0.3,
        timeout=rng.choice([None, None, 120.0, 900.0]),
    )


def value(rng: Random) -> SecretValue:
    """A value with a canary in it."""
    return SecretValue(f"{CANARY}{rng.randint(1000, 9999)}")


def content(rng: Random, broken: float = 0.15) -> Record:
    """A volume's content: uploaded files, or a copy that takes time or fails."""
    if rng.random() < 0.4:
        return {"source_prefix": f"models/{rng.choice('abc')}"}
    uri = rng.choice(BROKEN if rng.random() < broken else GOOD)
    return {"origin": {"s3": {"uri": uri, "role_arn": _ROLE}}}


def edited(rng: Random, life: str, before: Program) -> Program:
    """The program after somebody worked on it."""
    after = copy.deepcopy(before)
    for name in list(after):
        dice = rng.random()
        props = after[name].props
        if dice < 0.35:
            if life == "secret":
                props["value"] = value(rng)
            else:
                props["content"] = content(rng)
        elif dice < 0.5:
            props["version"] = props.get("version", 0) + 1
        elif dice < 0.58 and life == "secret":
            props["description"] = "another word"
        elif dice < 0.62:
            props.pop("description", None)
        elif dice < 0.68:
            props["name"] = f"renamed-{name}-{rng.randint(0, 3)}"
        elif dice < 0.72 and len(after) > 1:
            del after[name]
    return after


# --- Other people -------------------------------------------------------------------


class Others:
    """Everybody else who reaches into the account."""

    def __init__(self, world: NounWorld, engine: Engine) -> None:
        self._world = world
        self._engine = engine
        self.acted = False

    def between(self, planned: Program) -> None:
        """What somebody does while nothing runs."""
        rng = self._world.rng
        for _ in range(rng.choice([0, 0, 1, 1, 2])):
            deed = rng.choice([*self._QUICK, self._take_over, self._squat])
            self._act(deed, planned)

    def meanwhile(self) -> None:
        """What somebody does while an operation is under way."""
        self._act(self._world.rng.choice(self._QUICK), {})

    def _act(self, deed: Any, planned: Program) -> None:
        mine = sorted(self._world.records(), key=lambda one: str(one["name"]))
        victim = self._world.rng.choice(mine) if mine else None
        deed = getattr(self, deed) if isinstance(deed, str) else deed
        if victim is None and deed != self._squat:
            return
        self.acted = True
        self._world.note(
            f"somebody: {deed.__name__} {victim['name'] if victim else ''}"
        )
        deed(victim, planned)

    def _change(self, victim: Record, _planned: Program) -> None:
        body: Record = {"value": f"{CANARY}others"}
        if self._world.life == "volume":
            body = {"content": {"type": "files", "source_prefix": "by/hand"}}
        self._world.somebody("PATCH", victim, body)

    def _remove(self, victim: Record, _planned: Program) -> None:
        self._world.owner.pop(victim["id"], None)
        self._world.somebody("DELETE", victim)

    def _recreate(self, victim: Record, planned: Program) -> None:
        self._remove(victim, planned)
        self._create(victim["name"])

    _QUICK = ("_change", "_remove", "_recreate")

    def _take_over(self, victim: Record, _planned: Program) -> None:
        """Another program adopts it: only a mark can tell."""
        stated = [
            r["outputs"].get("ownership_mark")
            for r in self._engine.resources
            if r["outputs"].get("secret_id") == victim["id"]
        ]
        if self._world.life == "volume" or False in stated:
            return
        text, _ = split_description(victim["description"])
        mark = Mark(
            "rival", "prod", "theirs", f"{self._world.rng.getrandbits(48):012x}"
        )
        body = {"description": join_description(text, mark)}
        self._world.somebody("PATCH", victim, body)
        self._world.owner[victim["id"]] = None

    def _squat(self, _victim: Record | None, planned: Program) -> None:
        """Somebody makes one under a name that the program wants."""
        names = [d.props["name"] for d in planned.values() if "name" in d.props]
        if names:
            self._create(self._world.rng.choice(names))

    def _create(self, name: str) -> None:
        body: Record = {"name": name, "value": f"{CANARY}theirs"}
        if self._world.life == "volume":
            theirs = {"type": "files", "source_prefix": "their/files"}
            body = {"name": name, "type": "readOnly", "content": theirs}
        made = self._world.somebody("POST", None, body)
        if made is not None:
            self._world.owner[made["id"]] = None


# --- The run ------------------------------------------------------------------------


class NounStory(Story):
    """One run with things of one kind."""

    world: NounWorld

    def __init__(self, seed: str, life: str) -> None:
        self.rng = random.Random(seed)
        self.life = life
        self.id_key = f"{life}_id"
        self.world = NounWorld(self.rng, life)
        self.engine = Engine(self.world, green=self._green, life=life)
        self.others = Others(self.world, self.engine)  # type: ignore[assignment]
        count = self.rng.choice([1, 1, 2, 3])
        self.program = {f"one{i}": declared(self.rng, life, i) for i in range(count)}
        self.operations = 0
        self.counts = {}

    def _edited(self) -> Program:
        return edited(self.rng, self.life, self.program)

    # --- What must hold at any time ------------------------------------------------

    def _fault(self, declared: Declared, resource: Record) -> str | None:
        outputs = decrypted(resource["outputs"])
        name = resource["urn"].rpartition("::")[2]
        found = self.world.record(str(outputs.get(self.id_key)))
        if found is None:
            return f"good without a {self.life}: {name}"
        if self.life == "volume":
            newest = found["versions"][-1]["content"]
            if not same_content(declared.props["content"], newest):
                return f"good with another content: {name}"
            return None if self.world.ready(found) else f"good, and not ready: {name}"
        wanted = fingerprint(reveal(declared.props["value"]))
        if found["value_sha256"] != wanted and not self._meddled(found):
            return f"good with another value: {name}"
        return None

    def _meddled(self, found: Record) -> bool:
        """Whether somebody else wrote the value, which nobody can see."""
        theirs = [fingerprint(f"{CANARY}others")]
        if not self._is_marked(found):
            # Made anew within the minutes around our lost request, it looks like ours.
            theirs.append(fingerprint(f"{CANARY}theirs"))
        return found["value_sha256"] in theirs

    def _books(self) -> None:
        # What carries no mark is taken over without a write, where nothing differs.
        for resource in self.engine.resources:
            inputs, outputs = resource["inputs"], resource["outputs"]
            found = self.world.record(str(outputs.get(self.id_key)))
            if inputs.get("adopt") and found and not self._is_marked(found):
                self.world.owner[found["id"]] = outputs["__nonce"]
        super()._books()

    def _told(self, found: Record) -> bool:
        """Whether a message named a thing that no mark tells from anybody's."""
        told = [*self.engine.errors, *self.engine.said]
        return not self._is_marked(found) and any(found["id"] in text for text in told)

    def _same_attempts(self) -> None:
        super()._same_attempts()
        # A known limit: made by somebody in the minutes around our lost request, a
        # secret without a mark looks like ours.
        for resource in self.engine.resources:
            outputs = resource["outputs"]
            asked = outputs.get("__asked_at")
            found = self.world.record(str(outputs.get("name")))
            if self.life != "secret" or asked is None or found is None:
                continue
            shown = self.world.somebody("GET", found) or {}
            alike = made_around(
                SecretResponseItem.parse(shown), outputs, None, SECRET.create_timeout
            )
            theirs = self.world.owner.get(found["id"]) is None
            if alike and theirs and self._bears_no_mark(found):
                self.world.owner[found["id"]] = outputs["__nonce"]

    def _bears_no_mark(self, d: Record) -> bool:
        return not self._is_marked(d)

    def _is_marked(self, found: Record) -> bool:
        text = found.get("description") or ""
        return split_description(text)[1] is not None

    # --- What people do --------------------------------------------------------------

    def _give_up(self) -> None:
        """Without a mark, nothing tells that another program took a thing over."""

    def _claim(self, resource: Record, finding: Finding) -> None:
        owner, id_ = self.world.owner, str(finding.deployment_id)
        found = self.world.record(id_)
        if (
            finding.action is Action.IMPORT
            and found is not None
            and not self._is_marked(found)
            and owner.get(id_) in self.engine.orphaned
        ):
            owner[id_] = resource["inputs"]["__nonce"]

    def _let_go(self) -> None:
        world, engine = self.world, self.engine
        for resource in list(engine.resources):
            outputs = resource["outputs"]
            known = outputs.get(self.id_key) or outputs.get("name")
            found = world.record(str(known))
            if found is None:
                continue
            if "__adopting" in outputs and world.owner.get(found["id"]) is not None:
                # What one entry of ours asked to take from another, `up` settles.
                continue
            unclear = outputs.get("__unconfirmed") and not self._is_marked(found)
            if unclear or world.owner.get(found["id"]) != outputs.get("__nonce"):
                world.note(f"by hand: state delete {resource['urn']}")
                engine.resources = [r for r in engine.resources if r is not resource]
                if world.owner.get(found["id"]) == outputs.get("__nonce"):
                    engine.orphaned.add(str(outputs.get("__nonce")))

    def _reclaim(self) -> None:
        """Left-overs: taken over where the program wants the name, else deleted."""
        for found in self._unknown():
            name = next(
                (
                    name
                    for name, declared in self.program.items()
                    if self.engine.live(self.engine.prefix + name) is None
                    and self._name(name, declared) == found["name"]
                ),
                None,
            )
            if name is None:
                self.world.note(f"by hand: {found['name']} is deleted")
                self.world.somebody("DELETE", found)
                self.world.owner.pop(found["id"], None)
                continue
            self.world.note(f"by hand: {found['name']} shall be adopted as {name}")
            props = self.program[name].props
            props |= {"adopt": True, "name": found["name"]}
            props.pop("ownership_mark", None)
        self.world.settle()

    def _name(self, name: str, declared: Declared) -> Any:
        self.engine.begin()
        check = self.engine._do("check")
        inputs = check({}, declared.props, urn=self.engine.prefix + name).inputs
        return inputs.get("name")

    def _make_way(self) -> None:
        owner = self.world.owner
        held = {one["name"] for one in self.world.records() if not owner.get(one["id"])}
        taken: set[Any] = set()
        for number, (name, declared) in enumerate(self.program.items()):
            props = declared.props
            declared.timeout = None
            # What nobody can see to be another one is sent, or copied, once more.
            props["version"] = props.get("version", 0) + 1
            if self.life == "volume":
                props["content"] = {"source_prefix": "models/at-last"}
            old = self.engine.live(self.engine.prefix + name)
            stands = decrypted(old["inputs"]).get("name") if old else None
            wanted = self._name(name, declared)
            others = {
                decrypted(r["inputs"]).get("name")
                for r in self.engine.resources
                if r["urn"] != self.engine.prefix + name
            }
            if {stands, wanted} & held or wanted in others | taken:
                props["name"] = f"free-{number}"
                props.pop("adopt", None)
            taken.add(self._name(name, declared))
