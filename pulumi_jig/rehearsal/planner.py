"""
From a goal to steps: what the engine would do about one registered resource.

It follows the engine's order: find the old resource by URN and aliases; set ignored
properties back; check; policies; diff; then same, update, or a replacement in either
order, with a second check whose old inputs are empty.
"""

from __future__ import annotations

import secrets
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, NoReturn

from pulumi_jig.rehearsal.errors import StoppedError, unsupported
from pulumi_jig.rehearsal.events import Planned
from pulumi_jig.rehearsal.goals import urn_of
from pulumi_jig.rehearsal.paths import reset
from pulumi_jig.rehearsal.plugins import CheckResponse, DiffResponse
from pulumi_jig.rehearsal.properties import UNKNOWN, Secret, reveal, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pulumi_jig.rehearsal.events import Events
    from pulumi_jig.rehearsal.goals import Goal
    from pulumi_jig.rehearsal.plugins import Provider
    from pulumi_jig.rehearsal.providers import Registry
    from pulumi_jig.rehearsal.state import Resource, Snapshot


class Planner:
    """Plans steps; called by one thread at a time."""

    def __init__(
        self,
        base: Snapshot,
        registry: Registry,
        events: Events,
        analyze: Callable[[Goal], bool],
        *,
        preview: bool,
    ) -> None:
        """`analyze` asks policies, and says whether a resource may not be touched."""
        self._base = base
        self._registry = registry
        self._events = events
        self._analyze = analyze
        self._preview = preview
        self._olds = base.live()
        self._seen: set[str] = set()
        self._renamed: dict[str, str] = {}  # old URN to new URN
        self._former: dict[str, str] = {}  # new URN to old URN
        # URNs that the program has registered; what is left is deleted at the end.
        self._registered: set[str] = set()
        # A preview goes on after some errors, but must not succeed.
        self.saw_error = False
        self.news: dict[str, Resource] = {}
        self.goals: dict[str, Goal] = {}

    def is_registered(self, urn: str) -> bool:
        """Whether the program has registered a resource of the old state."""
        return self._renamed.get(urn, urn) in self._registered

    def register(self, goal: Goal) -> list[Planned]:
        """
        The steps for a goal, to be carried out one after the other.

        Raises:
            StoppedError: there can be none, and why has been logged.
            ProviderError: the provider failed a check or a diff.
            RehearsalError: it needs something that a rehearsal does not do.
        """
        old = self._begin(goal)
        new = goal.resource
        if old is not None:
            if old.external:
                self._refuse_changed_owner(new, "only read (`.get`)", "managed")
            new.created, new.modified = old.created, old.modified
            new.inputs = reset(goal.properties, old.inputs, new.ignore_changes)
        provider = None
        if new.custom and not new.is_provider:
            provider = self._registry.of(new.provider)
        seed = secrets.token_bytes(32)
        is_invalid = self._check(new, provider, seed, old)
        if self._analyze(goal) or is_invalid:
            message = f"resource {new.urn} is invalid"
            raise StoppedError(message)
        self._registered.add(new.urn)
        if old is None:
            return [Planned("create", None, new)]
        diff = self._diff(old, new, provider)
        if (diff.changes and diff.replaces) or old.pending_replacement:
            return self._replace(goal, old, provider, seed, diff)
        if diff.changes or old.init_errors:
            return [Planned("update", old, new).compare(old.inputs, new.inputs)]
        return [Planned("same", old, new)]

    def read(self, goal: Goal) -> list[Planned]:
        """
        The steps for `.get(...)`: a resource that exists and is not ours.

        Raises:
            StoppedError: there can be none, and why has been logged.
            RehearsalError: the state has it as one of ours.
        """
        old = self._begin(goal)
        if old is not None and not old.external:
            self._refuse_changed_owner(goal.resource, "managed", "only read (`.get`)")
        self._registered.add(goal.resource.urn)
        return [Planned("read", old, goal.resource)]

    def _begin(self, goal: Goal) -> Resource | None:
        old = self._old(goal)
        self.news[goal.resource.urn] = goal.resource
        self.goals[goal.resource.urn] = goal
        return old

    def _old(self, goal: Goal) -> Resource | None:
        """
        What the old state has for a goal: by its URN first, then by its aliases.

        Raises:
            StoppedError: the URN, or an alias, is taken by another resource.
        """
        urn = goal.resource.urn
        if urn in self._seen:
            message = f"Duplicate resource URN '{urn}'; try giving it a unique name"
            self._refuse(message, urn)
        self._seen.add(urn)
        if urn in self._renamed:
            self._refuse(
                f"Duplicate resource URN '{urn}' conflicting with alias on resource "
                f"with URN '{self._renamed[urn]}'",
                urn,
            )
        if urn in self._olds:
            return self._olds[urn]
        for alias in self._aliases(goal):
            if alias not in self._olds:
                continue
            owner = self._renamed.get(alias)
            if alias in self._seen or owner is not None:
                self._refuse(
                    f"Duplicate resource alias '{alias}' applied to resource with "
                    f"URN '{urn}' conflicting with resource with URN '{owner or urn}'",
                    urn,
                )
            self._former[urn] = goal.resource.aliased_from = alias
            self._renamed[alias] = urn
            return self._olds[alias]
        return None

    def _aliases(self, goal: Goal) -> list[str]:
        """URNs under which the state may know a goal, its parent's aliases included."""
        resource = goal.resource
        stack, project = resource.urn.removeprefix("urn:pulumi:").split("::", 2)[:2]
        found = []
        for alias in goal.aliases:
            spec = alias.spec
            parent = "" if spec.noParent else spec.parentUrn or resource.parent
            kind, name = spec.type or resource.type, spec.name or resource.name
            where = spec.stack or stack, spec.project or project
            found.append(alias.urn or urn_of(*where, parent, kind, name))
        if before := self._former.get(resource.parent):
            # A child named after its parent (`app-disk` under `app`) is renamed with it.
            ours, theirs = resource.parent.split("::")[3], before.split("::")[3]
            for urn in [resource.urn, *found]:
                kinds, name = urn.split("::", 3)[2:]
                if name.startswith(ours):
                    name = theirs + name.removeprefix(ours)
                kind = kinds.rpartition("$")[2]
                found.append(urn_of(stack, project, before, kind, name))
        return found

    def _refuse(self, message: str, urn: str) -> NoReturn:
        self._events.log("error", message, urn)
        raise StoppedError(message)

    def _refuse_changed_owner(self, new: Resource, was: str, now: str) -> NoReturn:
        what = f"resource {new.name!r} is {was} in the state and {now} in the program"
        raise unsupported(what)

    def _check(
        self,
        new: Resource,
        provider: Provider | None,
        seed: bytes,
        old: Resource | None = None,
    ) -> bool:
        """Check and complete the inputs of `new`; whether there are failures."""
        if provider is None:
            return False
        response = provider.check(new, old, seed)
        new.inputs = response.inputs
        self._log_failures(new, response)
        return bool(response.failures)

    def _log_failures(self, new: Resource, response: CheckResponse) -> None:
        for prop, reason in response.failures:
            where = ""
            if prop:
                where = f": property {prop} value {{{_shown(new.inputs.get(prop))}}}"
            self._events.log(
                "error",
                f"{new.type} resource '{new.name}'{where} has a problem: {reason}",
                new.urn,
            )

    def _diff(
        self, old: Resource, new: Resource, provider: Provider | None
    ) -> DiffResponse:
        if bool(old.provider) != bool(new.provider):
            return DiffResponse(changes=True, replaces=("provider",))
        diff = DiffResponse(None)
        if provider is not None:
            diff = provider.diff(old, new.inputs, new)
        if diff.changes is not None:
            return diff
        # What the provider leaves to the engine, which compares the inputs.
        inputs = reset(new.inputs, old.inputs, new.ignore_changes)
        changes = reveal(old.inputs) != reveal(inputs)
        return DiffResponse(changes, diff.replaces, diff.delete_before_replace)

    def _replace(
        self,
        goal: Goal,
        old: Resource,
        provider: Provider | None,
        seed: bytes,
        diff: DiffResponse,
    ) -> list[Planned]:
        new = goal.resource
        if new.protect and old.protect:
            self._events.log(
                "error",
                f'unable to replace resource "{new.urn}"\n'
                "as it is currently marked for protection. To unprotect the resource, "
                "remove the `protect` flag from the resource in your Pulumi program "
                "and run `pulumi up`",
                new.urn,
            )
            self.saw_error = True
            if not self._preview:
                message = f"{new.urn} is protected"
                raise StoppedError(message)
        checked = new.inputs
        # Values that a check had carried over from the old resource do not hold for
        # the new one, so the check is repeated without them.
        new.inputs = goal.properties
        if self._check(new, provider, seed):
            message = f"resource {new.urn} has check errors"
            raise StoppedError(message)
        delete_first = diff.delete_before_replace
        if goal.delete_before_replace is not None:
            delete_first = goal.delete_before_replace
        steps = [
            Planned(
                operation, old, new, replaces=diff.replaces, delete_first=delete_first
            ).compare(old.inputs, checked)
            for operation in ("create-replacement", "replace")
        ]
        if not delete_first:
            return steps
        steps.reverse()
        self._refuse_dependent_replacements(old)
        if old.pending_replacement:
            return steps
        return [Planned("delete-replaced", old, None, delete_first=True), *steps]

    def _refuse_dependent_replacements(self, old: Resource) -> None:
        """
        Refuse to delete first what others depend on that would be replaced with it.

        Those are the resources whose provider would replace them if what they have from
        `old` were unknown.
        """
        for item in self._base.resources:
            if item.delete or item.external or self.is_registered(item.urn):
                continue
            inputs = {
                key: UNKNOWN
                if old.urn in item.property_dependencies.get(key, ())
                else v
                for key, v in item.inputs.items()
            }
            if not item.provider or UNKNOWN not in inputs.values():
                continue
            provider = self._registry.of(item.provider)
            if provider.diff(item, inputs).replaces:
                what = (
                    f"replacing {old.name!r} with delete before create also replaces "
                    f"{item.name!r}, which depends on it"
                )
                raise unsupported(what)


# --- After the program ---------------------------------------------------------------


def delete_steps(
    resources: Iterable[Resource], is_registered: Callable[[str], bool]
) -> Iterator[Planned]:
    """The steps for everything in the old state that is not to stay."""
    for item in resources:
        if item.delete:
            operation = "discard-replaced" if item.external else "delete-replaced"
        elif is_registered(item.urn):
            continue
        elif item.pending_replacement:
            operation = "remove-pending-replace"
        else:
            operation = "discard" if item.external else "delete"
        yield Planned(operation, item, None, internal=item.is_default_provider)


def layered(steps: Iterable[Planned]) -> list[list[Planned]]:
    """
    `steps` in the order in which resources may be deleted, those side by side together.

    No layer begins before the one before it has ended, as in the engine.
    """
    by_urn: dict[str, list[Planned]] = {}
    for step in steps:
        by_urn.setdefault(step.resource.urn, []).append(step)
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for urn, same in by_urn.items():
        needed = {name for step in same for name in step.resource.references()}
        sorter.add(urn, *(needed & by_urn.keys() - {urn}))
    try:
        sorter.prepare()
    except CycleError:  # It cannot come from a program, but from an imported state.
        return [[step for same in by_urn.values() for step in same]]
    layers = []
    while sorter.is_active():
        ready = sorter.get_ready()
        layers.append([step for urn in ready for step in by_urn[urn]])
        sorter.done(*ready)
    return layers[::-1]


def survivors(resources: Iterable[Resource]) -> list[Resource]:
    """What a refresh has left, references to what is gone taken out."""
    result = list(resources)
    known: set[str] = set()
    for resource in result:
        resource.dependencies = [u for u in resource.dependencies if u in known]
        resource.property_dependencies = {
            key: left
            for key, urns in resource.property_dependencies.items()
            if (left := [u for u in urns if u in known])
        }
        if resource.parent not in known:
            resource.parent = ""
        known.add(resource.urn)
    return result


def _shown(value: object) -> str:
    """A value as the engine's messages show it; secrets hidden."""
    match value:
        case Secret():
            return "[secret]"
        case dict():
            inner = " ".join(f"{k}:{{{_shown(v)}}}" for k, v in sorted(value.items()))
            return f"map[{inner}]"
        case list():
            return f"[{' '.join(f'{{{_shown(item)}}}' for item in value)}]"
        case bool():
            return str(value).lower()
        case None:
            return "<nil>"
        case _:
            return str(whole(value))
