"""What must hold of a whole run at any time, from the service's dump and the state."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from chaos_engine import CANARY
from whole_world import KEY, PROJECT, STACK, Service, mark_of, serving

from pulumi_jig.naming import DEPLOYMENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from chaos_engine import Declared, Program

Record = dict[str, Any]

URN: Final = f"urn:pulumi:{STACK}::{PROJECT}::{DEPLOYMENT_TYPE}::"
#: In clear a canary may be told; as a secret it may not.
SECRET: Final = f"secret-{CANARY}"


class Books:
    """
    The books of one stack.

    Attributes:
        strays: Ids of what killed plugins have left.
    """

    def __init__(
        self, service: Service, state_file: Path, wrong: Callable[[str], None]
    ) -> None:
        self.strays: set[str] = set()
        self._service = service
        self._state_file = state_file
        self._wrong = wrong

    # --- What must hold at any time --------------------------------------------------

    def check(self, *, excused: bool = False) -> None:
        """
        No orphan, no twin, no foreign write, no secret.

        Args:
            excused: Whether a plugin was killed just now: nothing but its mark can tell
                of what it made, and `pulumi-jig orphans` must.
        """
        ours, service = self._service.ours(), self._service
        for text in service.touched():
            self._wrong(f"foreign write: {text}")
        nonces = Counter(mark_of(d) for d in ours)
        if any(count > 1 for count in nonces.values()):
            self._wrong("two deployments of one resource")
        ids, known = self.known()
        for d in ours:
            mark = mark_of(d)
            assert mark is not None
            if d["id"] in ids or mark.nonce in known or d["id"] in self.strays:
                continue
            if excused:
                self.strays.add(d["id"])
            else:
                self._wrong(f"orphan: {d['name']} ({d['id']}), {mark}")
        if self._state_file.exists():
            self.discreet(self._state_file.read_text(), "the state")

    def known(self) -> tuple[set[str], set[str]]:
        """Ids in the state, and nonces of what is not known to exist."""
        ids, nonces = set(), set()
        for resource in self.deployments():
            outputs = resource.get("outputs") or {}
            ids.add(str(outputs.get("deployment_id")))
            if outputs.get("__unconfirmed"):
                nonces.add(str(outputs.get("__nonce")))
        for operation in self.state().get("pending_operations") or []:
            inputs = operation["resource"].get("inputs") or {}
            nonces.add(str(inputs.get("__nonce")))
        return ids, nonces

    def discreet(self, text: str, where: str) -> None:
        """What people read or keep holds no secret in clear."""
        for canary in (SECRET, KEY, "key-canary"):
            if canary in text:
                self._wrong(f"a secret in clear in {where}: {text[:200]}")

    def green(self, program: Program, names: set[str]) -> None:
        """An `up` that went well: what was asked for serves, whatever failed before."""
        for fault in self.faults(program, names).values():
            self._wrong(fault)

    def faults(self, program: Program, names: set[str]) -> dict[str, str]:
        """Which resources of these may not be called green, and why."""
        records = {d["id"]: d for d in self._service.records()}
        states = {r["urn"]: r["outputs"] for r in self.deployments(live=True)}
        found = {}
        for name in names & program.keys():
            outputs = states.get(URN + name)
            d = records.get(str((outputs or {}).get("deployment_id")))
            fault = _fault(program[name], d)
            if fault:
                found[name] = f"green, but {fault}: {name}"
        return found

    def state(self) -> Record:
        """The state as it is written now."""
        if not self._state_file.exists():
            return {}
        found: Record = json.loads(self._state_file.read_text())["deployment"]
        return found

    def deployments(self, *, live: bool = False) -> list[Record]:
        """Deployments in the state; with `live` without those that are to go."""
        return [
            item
            for item in self.state().get("resources") or []
            if item["type"] == DEPLOYMENT_TYPE and not (live and item.get("delete"))
        ]

    def misses_some(self) -> bool:
        """Whether a deletion whose end nobody saw was one: only a refresh tells."""
        there = {d["id"] for d in self._service.records()}
        states = [r.get("outputs") or {} for r in self.deployments()]
        ids = {o["deployment_id"] for o in states if "deployment_id" in o}
        return not ids <= there


def _fault(declared: Declared, d: Record | None) -> str | None:
    if d is None:
        return "there is no deployment"
    if declared.props.get("wait_for") == "none":
        return None
    floor = d["spec"]["min_replicas"]
    first = declared.props.get("wait_for") == "first_replica"
    if serving(d) < min(1 if first else floor, floor):
        return f"{serving(d)} of {floor} replicas serve"
    if "image" not in declared.ignore and d["spec"]["image"] != declared.props["image"]:
        return "with another image"
    return None
