"""
A model of the engine: check, diff, then what follows, and a state that may break off.

It treats each resource as the real engine was seen to: a plain failure of a create
leaves nothing, a partial one leaves the resource with its reasons and makes the next
update; a killed plugin leaves no trace; a killed run leaves a pending operation with
its inputs; a replacement is created before the old one is deleted unless the program
says otherwise. The state is kept in the format of an export, so that what the desk does
to a real state is done to this one. Resources are worked on one after the other.
"""

from __future__ import annotations

import copy
import importlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from chaos_world import KEY as API_KEY
from chaos_world import Killed, World

from pulumi_jig.cli.state_export import Export, decrypted, to_file
from pulumi_jig.errors import JigError
from pulumi_jig.lifecycle import memory, preview
from pulumi_jig.lifecycle.identity import remember_entry
from pulumi_jig.lifecycle.invocation import Invocation, PartialFailureError, Stored
from pulumi_jig.lifecycle.keys import KEY
from pulumi_jig.naming import DEPLOYMENT_TYPE, SECRET_TYPE, VOLUME_TYPE
from pulumi_jig.values import SecretValue, without_none

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi_jig.lifecycle.invocation import Diffed

Record = dict[str, Any]

CANARY: Final = "env-canary-"
TYPES: Final = {
    "deployment": DEPLOYMENT_TYPE,
    "secret": SECRET_TYPE,
    "volume": VOLUME_TYPE,
}
PREFIX: Final = f"urn:pulumi:prod::shop::{DEPLOYMENT_TYPE}::"


@dataclass
class Declared:
    """
    One resource of a program.

    Attributes:
        props: What the program says.
        ignore: Properties whose changes are ignored.
        delete_first: Whether a replacement deletes before it creates.
        timeout: Seconds for each operation; None for the defaults.
    """

    props: Record
    ignore: tuple[str, ...] = ()
    delete_first: bool = False
    timeout: float | None = None


Program = dict[str, Declared]


class StepError(Exception):
    """A step failed; what follows depends on the operation."""


class GoneError(Exception):
    """The run itself was killed."""


@dataclass
class Engine:
    """
    One stack.

    Attributes:
        resources: As an export holds them.
        pending: Operations whose end nobody wrote down.
        said: All that people saw, newest last.
        errors: Messages of failed steps, newest last.
        orphaned: Nonces of creations whose plugin was killed: no state can know them.
        unserved: URNs whose last roll-out failed.
        half_deleted: Whether a deletion failed, so that only a refresh tells what is
            still there.
        green: Called after each successful create or update with resource and inputs.
        life: What all its resources are.
    """

    world: World
    resources: list[Record] = field(default_factory=list)
    pending: list[Record] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    orphaned: set[str] = field(default_factory=set)
    unserved: set[str] = field(default_factory=set)
    half_deleted: bool = False
    green: Callable[[Declared, Record], None] = lambda _d, _r: None
    life: str = "deployment"

    @property
    def prefix(self) -> str:
        """What the URNs of its resources begin with."""
        return f"urn:pulumi:prod::shop::{TYPES[self.life]}::"

    def _do(self, step: str, name: str | None = None) -> Any:
        """The life cycle's own function for a step."""
        home = importlib.import_module(f"pulumi_jig.lifecycle.{self.life}.{step}")
        found: Any = getattr(home, name or step)
        return found

    # --- Operations ------------------------------------------------------------

    def begin(self) -> None:
        """Start a plugin process."""
        memory.forget()
        preview.forget()
        world = self.world
        world.alive, world.dead, world.requests = True, False, 0
        self._client = world.client()

    def up(self, program: Program, replace: frozenset[str] = frozenset()) -> bool:
        """
        Bring the stack to the program; whether all went well.

        Raises:
            GoneError: The run was killed.
        """
        self.begin()
        good = True
        for name, declared in program.items():
            try:
                self._bring(self.prefix + name, declared, anew=name in replace)
            except StepError:
                good = False
                if self.world.dead or self.world.rng.random() < 0.5:
                    return False
        if not good:
            return False
        urns = {self.prefix + name for name in program}
        for resource in reversed(list(self.resources)):
            if resource.get("delete") or resource["urn"] not in urns:
                declared = program.get(resource["urn"].removeprefix(self.prefix))
                good &= self._try(self._delete, resource, declared)
        return good

    def preview(self, program: Program) -> dict[str, list[str]]:
        """What an up would do, by resource; it writes nothing."""
        self.begin()
        before = self.world.writes
        steps: dict[str, list[str]] = {}
        for name, declared in program.items():
            urn = self.prefix + name
            old = self.live(urn)
            if old is None:
                steps[name] = ["create"]
                continue
            found = self._diff(old, self._check(urn, old, declared), declared)
            if found.changes or old.get("initErrors"):
                steps[name] = list(found.changed) or ["initErrors"]
        for resource in self.resources:
            name = resource["urn"].removeprefix(self.prefix)
            if resource.get("delete") or name not in program:
                steps[f"{name} (old)"] = ["delete"]
        if self.world.writes != before:
            self.world.violations.append("a preview wrote something")
        return steps

    def refresh(self) -> bool:
        """
        Read everything; whether all went well.

        Raises:
            GoneError: The run was killed.
        """
        self.begin()
        # One that fails does not keep the others from being read.
        went = [self._try(self._read, item, None) for item in list(self.resources)]
        return all(went)

    def destroy(self) -> bool:
        """
        Delete everything; whether all went well.

        Raises:
            GoneError: The run was killed.
        """
        self.begin()
        items = list(reversed(self.resources))
        self.world.doomed = {item["outputs"].get("__nonce") for item in items}
        try:
            went = [self._try(self._delete, item, None) for item in items]
        finally:
            self.world.doomed = set()
        return all(went)

    # --- The state -------------------------------------------------------------

    def live(self, urn: str) -> Record | None:
        """The resource of a URN that does not wait for its deletion."""
        same = (r for r in self.resources if r["urn"] == urn and not r.get("delete"))
        return next(same, None)

    def export(self) -> Export:
        """The state as `pulumi stack export` prints it."""
        deployment = {"resources": self.resources, "pending_operations": self.pending}
        return Export({"version": 3, "deployment": copy.deepcopy(deployment)}, "state")

    def take(self, export: Export) -> None:
        """`pulumi stack import`."""
        self.resources, self.pending = export.resources, export.pending

    # --- Steps -----------------------------------------------------------------

    def _bring(self, urn: str, declared: Declared, *, anew: bool) -> None:
        old = self.live(urn)
        inputs = self._check(urn, old, declared)
        if old is None:
            self._create(urn, inputs, declared)
            return
        found = None if anew else self._diff(old, inputs, declared)
        if found is None or found.replaces:
            inputs = self._check(urn, None, declared)
            if declared.delete_first:
                self._delete(old, declared)
            replaced = None if declared.delete_first else old
            self._create(urn, inputs, declared, replaced)
        elif found.changes or old.get("initErrors"):
            self._update(old, inputs, declared)
        else:
            old["inputs"] = to_file(inputs)

    def _check(self, urn: str, old: Record | None, declared: Declared) -> Record:
        olds = decrypted(old["inputs"]) if old is not None else {}
        props = {**declared.props, KEY: self._client.settings.key_fingerprint}
        for name in declared.ignore if old is not None else ():
            props.pop(name, None)
            if name in olds:
                props[name] = olds[name]
        checked = self._do("check")(olds, props, urn=urn, log=self._log)
        if checked.faults:
            self._failed("; ".join(": ".join(fault) for fault in checked.faults))
        return _stored(checked.inputs)

    def _diff(self, old: Record, inputs: Record, _declared: Declared) -> Diffed:
        state = decrypted(old["outputs"])
        remember_entry(self._do("kind", self.life.upper()), state)
        found: Diffed = self._do("diff")(
            state, inputs, old_inputs=decrypted(old["inputs"])
        )
        return found

    def _create(
        self,
        urn: str,
        inputs: Record,
        declared: Declared,
        replaced: Record | None = None,
    ) -> None:
        resource = {
            "urn": urn,
            "type": TYPES[self.life],
            "custom": True,
            "inputs": to_file(inputs),
        }
        nonce = inputs["__nonce"]
        takes = inputs["name"] if inputs.get("adopt") else None

        def step() -> Stored:
            stored: Stored = self._do("create")(
                inputs, self._invocation(urn, None, declared)
            )
            return stored

        try:
            with self._step("creating", resource, nonce, takes):
                stored = self._call(step)
        except PartialFailureError as error:
            self.unserved.add(urn)
            resource["initErrors"] = list(error.reasons)
            self._replace(replaced)
            self.resources.append(self._filled(resource, error.id, error.outputs))
            self._failed(error.message)
        except Killed:
            self.orphaned.add(nonce)
            self._failed(f"{urn}: error reading from server: EOF")
        except JigError as error:
            self._failed(error.message)
        else:
            self._replace(replaced)
            self.resources.append(self._filled(resource, stored.id, stored.outputs))
            self.unserved.discard(urn)
            self.green(declared, resource)

    @staticmethod
    def _replace(old: Record | None) -> None:
        """What is replaced waits for its deletion, whether the new one serves or not."""
        if old is not None:
            old["delete"] = True

    def _update(self, old: Record, inputs: Record, declared: Declared) -> None:
        state, nonce = decrypted(old["outputs"]), inputs["__nonce"]
        wanted = {**old, "inputs": to_file(inputs)}

        # An adoption whose end nobody saw goes on.
        takes = state.get("name") if "__adopting" in state else None

        def step() -> Stored:
            inv = self._invocation(old["urn"], decrypted(old["inputs"]), declared)
            stored: Stored = self._do("update")(state, inputs, inv)
            return stored

        try:
            with self._step("updating", wanted, nonce, takes):
                stored = self._call(step)
        except PartialFailureError as error:
            # The new outputs are kept with the reasons; the inputs from before stay
            # when an update fails in part.
            old["initErrors"] = list(error.reasons)
            self.unserved.add(old["urn"])
            self._filled(old, error.id, error.outputs, told=inputs)
            self._failed(error.message)
        except Killed:
            self.orphaned.add(nonce)
            self._failed(f"{old['urn']}: error reading from server: EOF")
        except JigError as error:
            self._failed(error.message)
        else:
            old.pop("initErrors", None)
            self.unserved.discard(old["urn"])
            old["inputs"] = wanted["inputs"]
            self._filled(old, stored.id, stored.outputs)
            self.green(declared, old)

    def _delete(self, old: Record, declared: Declared | None) -> None:
        state = decrypted(old["outputs"])

        def step() -> None:
            inv = self._invocation(old["urn"], decrypted(old["inputs"]), declared)
            self._do("delete")(old["id"], state, inv)

        try:
            with self._step("deleting", old, state.get("__nonce"), None):
                self._call(step)
        except Killed:
            self.half_deleted = True
            self._failed(f"{old['urn']}: error reading from server: EOF")
        except JigError as error:
            self.half_deleted = True
            self._failed(error.message)
        else:
            self.resources = [item for item in self.resources if item is not old]

    def _read(self, old: Record, _declared: Declared | None) -> None:
        state, inputs = decrypted(old["outputs"]), decrypted(old["inputs"])

        def step() -> Stored:
            inv = self._invocation(old["urn"], inputs, None)
            stored: Stored = self._do("read")(old["id"], state, inv)
            return stored

        try:
            with self._step("refreshing", old, state.get("__nonce"), None):
                stored = self._call(step)
        except Killed:
            self._failed(f"{old['urn']}: error reading from server: EOF")
        except JigError as error:
            self._failed(error.message)
        else:
            if not stored.id:
                self.resources = [item for item in self.resources if item is not old]
                return
            # A read that ends well clears the reasons of an earlier failure.
            old.pop("initErrors", None)
            self._filled(old, stored.id, stored.outputs)
            if stored.inputs is not None:
                old["inputs"] = to_file(_stored(stored.inputs))

    def _try(
        self,
        step: Callable[[Record, Declared | None], None],
        resource: Record,
        declared: Declared | None,
    ) -> bool:
        if self.world.dead:
            return False
        try:
            step(resource, declared)
        except StepError:
            return False
        return True

    # --- Around a step ---------------------------------------------------------

    def _step(
        self, kind: str, resource: Record, nonce: Any, takes: str | None
    ) -> _Step:
        return _Step(self, kind, copy.deepcopy(resource), nonce, takes)

    def _call(self, step: Callable[[], Any]) -> Any:
        """What the engine hears of a call: nothing, once either side is dead."""
        try:
            result = step()
        except BaseException as error:
            if self.world.dead:
                raise Killed from None
            if not isinstance(error, (JigError, Killed)):
                self.world.violations.append(f"not an error of ours: {error!r}")
            raise
        if self.world.dead:
            raise Killed
        return result

    def _filled(
        self, resource: Record, id_: str, outputs: Record, told: Record | None = None
    ) -> Record:
        inputs = decrypted(resource["inputs"])
        before = [inputs, decrypted(resource.get("outputs") or {})]
        plain = self._plain(outputs, told or inputs, before)
        if plain:
            self.world.violations.append(f"canary in clear in the state: {plain}")
        resource["id"] = id_
        resource["outputs"] = to_file(_stored(outputs))
        return resource

    @staticmethod
    def _plain(
        outputs: Mapping[str, Any],
        inputs: Mapping[str, Any],
        before: list[Mapping[str, Any]],
    ) -> str:
        """Where a canary is in clear that no program gave so, now or before."""
        if API_KEY in json.dumps(to_file(dict(outputs))):
            return "the API key"
        if CANARY in str(outputs.get("value", "")) and not isinstance(
            outputs["value"], SecretValue
        ):
            return "value"
        told = inputs.get("environment_variables") or {}
        given = [one.get("environment_variables") or {} for one in before]
        for name, value in (outputs.get("environment_variables") or {}).items():
            in_clear = isinstance(value, str) and CANARY in value
            in_clear = in_clear and all(value != one.get(name) for one in given)
            if in_clear and isinstance(told.get(name, SecretValue("")), SecretValue):
                return f"environment_variables.{name}"
        return ""

    def _invocation(
        self, urn: str, inputs: Record | None, declared: Declared | None
    ) -> Invocation:
        world = self.world
        return Invocation(
            connect=lambda: self._client,
            urn=urn,
            timeout=declared.timeout if declared else None,
            ignore_changes=declared.ignore if declared else (),
            old_inputs=inputs,
            log=self._log,
            progress=self.said.append,
            engine_alive=lambda: world.alive,
            clock=world.clock,
            sleep=world.sleep,
        )

    def _log(self, severity: str, text: str) -> None:
        self.said.append(f"{severity}: {text}")

    def _failed(self, message: str) -> None:
        self.world.note(f"failed: {message}")
        self.said.append(message)
        self.errors.append(message)
        raise StepError(message) from None


@dataclass
class _Step:
    """A step: noted as pending while it runs, and for good where the run dies in it."""

    engine: Engine
    kind: str
    resource: Record
    nonce: Any
    takes: str | None

    def __enter__(self) -> None:
        world = self.engine.world
        world.note(f"{self.kind} {self.resource['urn'].rpartition('::')[2]}")
        world.begin(self.nonce, self.takes)

    def __exit__(self, *_: object) -> None:
        world = self.engine.world
        world.writer = world.takes = None
        if not world.alive:
            # Nobody is there any more to write down how it ended.
            self.engine.pending.append({"resource": self.resource, "type": self.kind})
            raise GoneError


def _stored(data: Mapping[str, Any]) -> Record:
    return {k: _clean(v) for k, v in without_none(data).items()}


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return _stored(value)
    return value
