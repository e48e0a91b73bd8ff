"""
From a goal to steps: what the engine would do about one registered resource.

Why it exists: this is the part of a harness in which being nearly right is being wrong.
It follows the engine's order: find the old resource by URN and aliases; set ignored
properties back; check; policies; diff; then same, update, or replacement in either
order, with a second check whose old inputs are empty.

What it refuses: two resources with one URN; replacing a protected resource; anything
after a check failed or a mandatory policy was violated.
"""

# ruff: noqa: PLR0917 - A goal, its URN, and its old and new state travel together.

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .events import Planned
from .goals import Goal, alias_urn, inherited_urn, name_of, urn_of
from .paths import reset
from .plugins import CheckAnswer, DiffAnswer, Provider
from .state import Resource
from .wire import (
    UNKNOWN,
    PropertyMap,
    Secret,
    contains_unknown,
    difference,
    reveal,
    signs,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from .events import Events
    from .providers import Registry


class StepRefusedError(RuntimeError):
    """The plan ends here; the reason has been logged already."""


@dataclass(frozen=True)
class Plan:
    """The settings of one operation that the planner needs."""

    stack: str
    project: str
    preview: bool
    replace: frozenset[str]


class Planner:
    """Makes steps; called by one thread at a time."""

    def __init__(
        self,
        plan: Plan,
        olds: dict[str, Resource],
        ordered: list[Resource],
        registry: Registry,
        events: Events,
        analyze: Callable[[Resource, Goal], bool],
    ) -> None:
        self._plan = plan
        self._olds = olds
        self._ordered = ordered
        self._registry = registry
        self._events = events
        self._analyze = analyze
        self._seen: set[str] = set()
        # What has been decided about a URN, for the deletions at the end.
        self.operated: set[str] = set()
        # A preview goes on after some errors, but must not succeed.
        self.saw_error = False
        self.deletes: set[str] = set()
        self.pending_deletes: set[Resource] = set()
        self.replaced: set[str] = set()
        self.alias_of: dict[str, str] = {}  # new URN → old URN
        self.renamed: dict[str, str] = {}  # old URN → new URN
        self.news: dict[str, Resource] = {}
        self.goals: dict[str, Goal] = {}

    # ------------------------------------------------------------------ registrations

    def urn(self, goal: Goal) -> str:
        """The URN that a goal gets."""
        return urn_of(
            self._plan.stack, self._plan.project, goal.parent, goal.type, goal.name
        )

    def register(self, goal: Goal, *, internal: bool = False) -> list[Planned]:
        """
        The steps for a goal, to be carried out one after the other.

        Raises:
            StepRefusedError: there can be none, and why has been logged.
            ProviderError: the provider failed a check or a diff.
        """
        urn = self._claim(goal)
        old = self._old(urn, goal)
        new = self._new(urn, goal, old)
        self.news[urn] = new
        steps = self._steps(goal, urn, old, new)
        for step in steps:
            step.internal = internal
        return steps

    def read(self, goal: Goal, resource_id: str) -> list[Planned]:
        """
        The steps for `.get(...)`: a resource that exists and is not ours.

        One that the state knows as ours is let go of: with the same id it is only
        looked at from now on; with another, the old one is deleted at the end.
        """
        urn = self._claim(goal)
        old = self._old(urn, goal)
        new = self._new(urn, goal, old)
        new.id = resource_id
        new.external = True
        self.news[urn] = new
        self.operated.add(urn)
        if old is None or old.external or old.id == resource_id:
            return [Planned("read", urn, new.type, old, new)]
        read = Planned("read-replacement", urn, new.type, old, new, marks_old=True)
        return [read, Planned("replace", urn, new.type, old, new)]

    def _claim(self, goal: Goal) -> str:
        urn = self.urn(goal)
        if urn in self._seen:
            self._refuse(
                f"Duplicate resource URN '{urn}'; try giving it a unique name", urn
            )
        self._seen.add(urn)
        self.goals[urn] = goal
        return urn

    def _old(self, urn: str, goal: Goal) -> Resource | None:
        candidates = [urn, *self._aliases(goal)]
        for candidate in dict.fromkeys(candidates):
            old = self._olds.get(candidate)
            if old is None:
                continue
            if candidate != urn:
                owner = self.renamed.get(candidate)
                if candidate in self._seen or owner not in {None, urn}:
                    taken = candidate if candidate in self._seen else owner
                    self._refuse(
                        f"Duplicate resource URN '{candidate}' conflicting with alias "
                        f"on resource with URN '{taken}'",
                        urn,
                    )
                self.alias_of[urn] = candidate
                self.renamed[candidate] = urn
            return old
        return None

    def _aliases(self, goal: Goal) -> list[str]:
        own = [
            alias_urn(alias, goal, self._plan.stack, self._plan.project)
            for alias in goal.aliases
        ]
        result = list(own)
        former_parent = self.alias_of.get(goal.parent) if goal.parent else None
        if former_parent:
            result.append(
                inherited_urn(goal.type, goal.name, goal.parent, former_parent)
            )
            for urn in own:
                kind = urn.split("::", 3)[2].rpartition("$")[2]
                result.append(
                    inherited_urn(kind, name_of(urn), goal.parent, former_parent)
                )
        return result

    def _new(self, urn: str, goal: Goal, old: Resource | None) -> Resource:
        return Resource(
            urn=urn,
            type=goal.type,
            custom=goal.custom,
            inputs=goal.properties,
            parent=goal.parent,
            provider=goal.provider,
            protect=bool(goal.protect),
            retain_on_delete=bool(goal.retain_on_delete),
            deleted_with=goal.deleted_with,
            dependencies=goal.dependencies,
            property_dependencies=goal.property_dependencies,
            additional_secret_outputs=goal.additional_secret_outputs,
            ignore_changes=goal.ignore_changes,
            replace_on_changes=goal.replace_on_changes,
            custom_timeouts=goal.custom_timeouts,
            replacement_trigger=goal.replacement_trigger,
            created=old.created if old else "",
            modified=old.modified if old else "",
            source_position=goal.source_position,
            aliased_from=self.alias_of.get(urn, ""),
        )

    def _steps(
        self, goal: Goal, urn: str, old: Resource | None, new: Resource
    ) -> list[Planned]:
        recreating = urn in self.deletes
        seed = secrets.token_bytes(32)
        provider = self._provider(goal)
        inputs = goal.properties
        if old is not None:
            inputs = reset(inputs, old.inputs, goal.ignore_changes)
        fresh = old is None or recreating or old.external or self._targeted(urn, old)
        given = goal.properties if fresh else inputs
        known: PropertyMap = {} if fresh or old is None else old.inputs
        answer = self._check(goal, urn, provider, known, given, seed)
        new.inputs = answer.inputs
        invalid = self._report_failures(urn, new, answer)
        invalid = self._analyze(new, goal) or invalid
        if invalid:
            message = f"resource {urn} is invalid"
            raise StepRefusedError(message)
        if old is None:
            self.operated.add(urn)
            return [Planned("create", urn, new.type, None, new)]
        if recreating:
            self.deletes.discard(urn)
            self.replaced.add(urn)
            self.operated.add(urn)
            return self._replacement(urn, old, new, [], delete_first=True)
        if old.external:
            self.operated.add(urn)
            return self._replacement(urn, old, new, [], delete_first=False)
        return self._compare(goal, urn, old, new, provider, seed)

    def _provider(self, goal: Goal) -> Provider | None:
        if not goal.custom or goal.is_provider:
            return None
        return self._registry.of(goal.provider)

    def _targeted(self, urn: str, old: Resource | None) -> bool:
        return urn in self._plan.replace or (old is not None and old.taint)

    def _check(
        self,
        goal: Goal,
        urn: str,
        provider: Provider | None,
        olds: PropertyMap,
        news: PropertyMap,
        seed: bytes,
    ) -> CheckAnswer:
        if goal.is_provider:
            return CheckAnswer(self._registry.check(urn, olds, news))
        if provider is None:
            return CheckAnswer(news)
        return provider.check(urn, olds, news, seed)

    def _report_failures(self, urn: str, new: Resource, answer: CheckAnswer) -> bool:
        for prop, reason in answer.failures:
            where = ""
            if prop:
                where = f": property {prop} value {{{_shown(new.inputs.get(prop))}}}"
            self._events.log(
                "error",
                f"{new.type} resource '{new.name}'{where} has a problem: {reason}",
                urn,
            )
        return bool(answer.failures)

    # ---------------------------------------------------------------- with an old one

    def _compare(
        self,
        goal: Goal,
        urn: str,
        old: Resource,
        new: Resource,
        provider: Provider | None,
        seed: bytes,
    ) -> list[Planned]:
        self.operated.add(urn)
        triggered = _trigger_fires(old.replacement_trigger, new.replacement_trigger)
        if triggered:
            diff = DiffAnswer(changes=True)
        else:
            diff = self._diff(goal, urn, old, new, provider)
        replaces = list(diff.replaces)
        changes = bool(diff.changes)
        if old.init_errors and "#initerror" in goal.replace_on_changes:
            replaces.append("#initerror")
            changes = True
        if (changes and (replaces or triggered)) or old.pending_replacement:
            return self._replace(goal, urn, old, new, provider, seed, diff, replaces)
        if changes or old.init_errors:
            return [
                Planned(
                    "update",
                    urn,
                    new.type,
                    old,
                    new,
                    changed=difference(old.inputs, new.inputs),
                    diff=signs(old.inputs, new.inputs),
                    ignore=goal.ignore_changes,
                )
            ]
        return [Planned("same", urn, new.type, old, new)]

    def _diff(
        self,
        goal: Goal,
        urn: str,
        old: Resource,
        new: Resource,
        provider: Provider | None,
    ) -> DiffAnswer:
        if self._targeted(urn, old):
            return DiffAnswer(changes=True, replaces=("id",))
        if goal.deleted_with and goal.deleted_with in self.replaced:
            return DiffAnswer(changes=True, replaces=("deletedWith",))
        if self._provider_forces(old, new):
            return DiffAnswer(changes=True, replaces=("provider",))
        if goal.is_provider:
            diff = self._registry.diff(urn, old, new.inputs)
        elif provider is None:
            return DiffAnswer(changes=reveal(old.inputs) != reveal(new.inputs))
        else:
            diff = provider.diff(urn, old, new.inputs, goal.ignore_changes)
        return settle(diff, old.inputs, new.inputs, goal)

    def _provider_forces(self, old: Resource, new: Resource) -> bool:
        """Whether another provider, or none, means another resource."""
        if old.provider == new.provider:
            return False
        if not old.provider or not new.provider:
            return True
        before, after = (r.provider.rpartition("::")[0] for r in (old, new))
        if self.renamed.get(before) == after:
            return False
        former = self._olds.get(before)
        current = self.news.get(after) or self._olds.get(after)
        if former is None or current is None:
            return False
        answer = self._registry.of(new.provider).diff_config(former, current.inputs)
        return bool(answer.replaces)

    def _replace(
        self,
        goal: Goal,
        urn: str,
        old: Resource,
        new: Resource,
        provider: Provider | None,
        seed: bytes,
        diff: DiffAnswer,
        replaces: list[str],
    ) -> list[Planned]:
        if new.protect and old.protect:
            self._events.log(
                "error",
                f'unable to replace resource "{urn}"\n'
                "as it is currently marked for protection. To unprotect the resource, "
                "remove the `protect` flag from the resource in your Pulumi program "
                "and run `pulumi up`",
                urn,
            )
            self.saw_error = True
            if not self._plan.preview:
                message = f"{urn} is protected"
                raise StepRefusedError(message)
        self.replaced.add(urn)
        changed = difference(old.inputs, new.inputs)
        # Values that a check had carried over from the old resource do not hold for
        # the new one, so the check is repeated without them.
        if not self._targeted(urn, old) and (provider is not None or goal.is_provider):
            answer = self._check(goal, urn, provider, {}, goal.properties, seed)
            if self._report_failures(urn, new, answer):
                message = f"resource {urn} has check errors"
                raise StepRefusedError(message)
            new.inputs = answer.inputs
        delete_first = diff.delete_before_replace
        if goal.delete_before_replace is not None:
            delete_first = goal.delete_before_replace
        steps: list[Planned] = []
        if delete_first:
            steps += self._delete_dependents(urn, old)
            if not old.pending_replacement:
                self.deletes.add(old.urn)
                steps.append(
                    Planned(
                        "delete-replaced",
                        old.urn,
                        old.type,
                        old,
                        None,
                        pending_replace=True,
                    )
                )
                self.pending_deletes.add(old)
            self.deletes.discard(urn)
        return [
            *steps,
            *self._replacement(
                urn, old, new, replaces, delete_first=delete_first, changed=changed
            ),
        ]

    def _replacement(
        self,
        urn: str,
        old: Resource,
        new: Resource,
        replaces: list[str],
        *,
        delete_first: bool,
        changed: list[str] | None = None,
    ) -> list[Planned]:
        if changed is None:
            changed = difference(old.inputs, new.inputs)
        create = Planned(
            "create-replacement",
            urn,
            new.type,
            old,
            new,
            changed=changed,
            diff=signs(old.inputs, new.inputs),
            replaces=replaces,
            marks_old=not delete_first,
        )
        replace = Planned(
            "replace",
            urn,
            new.type,
            old,
            new,
            changed=changed,
            diff=create.diff,
            replaces=replaces,
        )
        return [replace, create] if delete_first else [create, replace]

    def _delete_dependents(self, urn: str, root: Resource) -> list[Planned]:
        """
        Deletions that must come before `root` is deleted and made anew.

        Whoever takes a property of a resource that goes is asked, with that property
        unknown, whether the change would replace it; if so it goes first.
        """
        condemned = {root.urn}
        victims: list[Resource] = []
        for item in self._ordered:
            if item.delete or item is root or item.urn in self.operated:
                continue
            if self._must_go(item, condemned):
                condemned.add(item.urn)
                victims.append(item)
        steps: list[Planned] = []
        for victim in reversed(victims):
            if victim in self.pending_deletes:
                continue
            if victim.protect:
                self._refuse(
                    f'unable to replace resource "{victim.urn}" as part of replacing '
                    f'"{urn}" as it is currently marked for protection. To unprotect '
                    "the resource, remove the `protect` flag from the resource in your "
                    "Pulumi program and run `pulumi up`",
                    urn,
                )
            self.deletes.add(victim.urn)
            self.pending_deletes.add(victim)
            steps.append(
                Planned(
                    "delete-replaced",
                    victim.urn,
                    victim.type,
                    victim,
                    None,
                    pending_replace=True,
                )
            )
        return steps

    def _must_go(self, item: Resource, condemned: set[str]) -> bool:
        if not item.custom or item.external:
            return False
        if item.provider and item.provider.rpartition("::")[0] in condemned:
            return True
        if item.deleted_with in condemned:
            return True
        inputs = dict(item.inputs)
        touched = False
        for key, urns in item.property_dependencies.items():
            if key in inputs and condemned.intersection(urns):
                inputs[key] = UNKNOWN
                touched = True
        if not touched or item.is_provider:
            return False
        provider = self._registry.of(item.provider)
        diff = provider.diff(item.urn, item, inputs, item.ignore_changes)
        return bool(diff.replaces)

    def _refuse(self, message: str, urn: str) -> None:
        self._events.log("error", message, urn)
        raise StepRefusedError(message)


def settle(
    diff: DiffAnswer, olds: PropertyMap, news: PropertyMap, goal: Goal
) -> DiffAnswer:
    """
    A diff of which the provider is not sure, decided by comparing the inputs.

    Only then do `replace_on_changes` and bookkeeping keys count, as in the engine.
    """
    if diff.changes is not None:
        return diff
    before, after = reveal(olds), reveal(reset(news, olds, goal.ignore_changes))
    if before == after:
        return DiffAnswer(False, diff.replaces, diff.delete_before_replace)
    changed = [key for key in {*before, *after} if before.get(key) != after.get(key)]
    forced = [
        key
        for key in sorted(changed)
        if any(path in {"*", key} for path in goal.replace_on_changes)
    ]
    return DiffAnswer(True, (*diff.replaces, *forced), diff.delete_before_replace)


def _trigger_fires(old: object, new: object) -> bool:
    """
    Whether a replacement trigger demands a replacement.

    One that was not there before, or is there no longer, does not; one that is not
    known yet does.
    """
    if contains_unknown(old) or contains_unknown(new):
        return True
    before, after = reveal(old), reveal(new)
    return before is not None and after is not None and bool(before != after)


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
