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
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pulumi_jig.rehearsal.aliases import Aliases, StepRefusedError
from pulumi_jig.rehearsal.dependent_replacements import victims
from pulumi_jig.rehearsal.diff import settle, shown, trigger_fires
from pulumi_jig.rehearsal.events import Planned
from pulumi_jig.rehearsal.paths import reset
from pulumi_jig.rehearsal.properties import PropertyMap, difference, reveal, signs
from pulumi_jig.rehearsal.responses import CheckResponse, DiffResponse
from pulumi_jig.rehearsal.state import Resource
from pulumi_jig.rehearsal.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi_jig.rehearsal.events import Events
    from pulumi_jig.rehearsal.goals import Goal
    from pulumi_jig.rehearsal.plugins import Provider
    from pulumi_jig.rehearsal.providers import Registry


@dataclass(frozen=True)
class Plan:
    """The settings of one operation that the planner needs."""

    stack: str
    project: str
    preview: bool
    replace: frozenset[str]
    targets: Targets = field(default_factory=Targets)


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
        self._aliases = Aliases(plan.stack, plan.project, olds, events)
        # What has been decided about a URN, for the deletions at the end.
        self.operated: set[str] = set()
        # A preview goes on after some errors, but must not succeed.
        self.saw_error = False
        self.deletes: set[str] = set()
        self.pending_deletes: set[Resource] = set()
        self.replaced: set[str] = set()
        # Creates that were left out, since they are no targets; and those of which no
        # message has told yet.
        self.elided: set[str] = set()
        self._untold: set[str] = set()
        self.news: dict[str, Resource] = {}
        self.goals: dict[str, Goal] = {}

    # ------------------------------------------------------------------ registrations

    def urn(self, goal: Goal) -> str:
        """The URN that a goal gets."""
        return self._aliases.urn(goal)

    @property
    def renamed(self) -> Mapping[str, str]:
        """New URNs by the old ones that were found through an alias."""
        return self._aliases.renamed

    def register(self, goal: Goal, *, internal: bool = False) -> list[Planned]:
        """
        The steps for a goal, to be carried out one after the other.

        Raises:
            StepRefusedError: there can be none, and why has been logged.
            ProviderError: the provider failed a check or a diff.
        """
        urn = self._claim(goal)
        old = self._aliases.old(urn, goal)
        new = self._new(urn, goal, old)
        self.news[urn] = new
        steps = self._steps(goal, urn, old, new)
        self._refuse_elided(steps)
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
        old = self._aliases.old(urn, goal)
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
        urn = self._aliases.claim(goal)
        self.goals[urn] = goal
        return urn

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
            aliased_from=self._aliases.former.get(urn, ""),
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
        wanted = self._plan.targets.wants(new)
        if wanted or provider is None:
            outputs: PropertyMap = {} if fresh or old is None else old.outputs
            answer = self._check(goal, urn, provider, known, given, seed, outputs)
        else:
            answer = CheckResponse(old.inputs if old else {})
        new.inputs = answer.inputs
        invalid = self._report_failures(urn, new, answer)
        invalid = self._analyze(new, goal) or invalid
        if invalid:
            message = f"resource {urn} is invalid"
            raise StepRefusedError(message)
        if old is None:
            self.operated.add(urn)
            if not wanted:
                self.elided.add(urn)
                self._untold.add(urn)
                # People see it as the engine shows it: as if nothing were to be done.
                return [Planned("elide", urn, new.type, None, new, outcome="same")]
            return [Planned("create", urn, new.type, None, new)]
        if recreating:
            self.deletes.discard(urn)
            self.replaced.add(urn)
            self.operated.add(urn)
            return self._replacement(urn, old, new, [], delete_first=True)
        if old.external:
            self.operated.add(urn)
            return self._replacement(urn, old, new, [], delete_first=False)
        if not wanted:
            return self._untouched(urn, old)
        return self._compare(goal, urn, old, new, provider, seed)

    def _untouched(self, urn: str, old: Resource) -> list[Planned]:
        """
        Keep what is no target as the state has it, after what it depends on.

        What it depends on may be gone from the program, and would then follow it in
        the state.
        """
        if old.delete:
            return []
        self.operated |= {urn, old.urn}
        steps: list[Planned] = []
        for needed in old.references():
            if needed in self.operated or self.renamed.get(needed) in self.operated:
                continue
            if before := self._olds.get(needed):
                steps += self._untouched(needed, before)
        new = old.copied()
        new.urn = urn
        new.aliased_from = self._aliases.former.get(urn, "")
        self.news[urn] = new
        return [*steps, Planned("same", urn, new.type, old, new)]

    def _refuse_elided(self, steps: list[Planned]) -> None:
        """What is made or changed cannot be made from what was left out."""
        for step in steps:
            if step.new is None or step.operation == "elide":
                continue
            for needed in self._untold.intersection(step.new.references()):
                self._events.log(
                    "error",
                    f"Resource '{step.urn}' depends on '{needed}' which was was not "
                    "specified in --target list.",
                    step.urn,
                )
                self.saw_error = True
                if not self._plan.preview:
                    raise StepRefusedError(needed)
                # One message for each that is missing will do.
                self._untold.discard(needed)

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
        outputs: PropertyMap | None = None,
    ) -> CheckResponse:
        if goal.is_provider:
            return CheckResponse(self._registry.check(urn, olds, news))
        if provider is None:
            return CheckResponse(news)
        return provider.check(urn, olds, news, seed, outputs or {})

    def _report_failures(self, urn: str, new: Resource, answer: CheckResponse) -> bool:
        for prop, reason in answer.failures:
            where = ""
            if prop:
                where = f": property {prop} value {{{shown(new.inputs.get(prop))}}}"
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
        triggered = trigger_fires(old.replacement_trigger, new.replacement_trigger)
        if triggered:
            diff = DiffResponse(changes=True)
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
    ) -> DiffResponse:
        if self._targeted(urn, old):
            return DiffResponse(changes=True, replaces=("id",))
        if goal.deleted_with and goal.deleted_with in self.replaced:
            return DiffResponse(changes=True, replaces=("deletedWith",))
        if self._provider_forces(old, new):
            return DiffResponse(changes=True, replaces=("provider",))
        if goal.is_provider:
            diff = self._registry.diff(urn, old, new.inputs)
        elif provider is None:
            return DiffResponse(changes=reveal(old.inputs) != reveal(new.inputs))
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
        diff: DiffResponse,
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
        """Deletions that must come before `root` is deleted and made anew."""
        steps: list[Planned] = []
        for victim in victims(root, self._ordered, self.operated, self._registry):
            if victim in self.pending_deletes:
                continue
            if victim.protect:
                self._refuse(
                    f'unable to replace resource "{victim.urn}" as part of replacing '
                    f'"{urn}" as it is currently marked for protection. To unprotect '
                    "the resource, remove the `protect` flag from the resource in your "
                    "Pulumi program and run `pulumi up`, or use the command:\n"
                    f"`pulumi state unprotect '{victim.urn}'`",
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

    def _refuse(self, message: str, urn: str) -> None:
        self._events.log("error", message, urn)
        raise StepRefusedError(message)
