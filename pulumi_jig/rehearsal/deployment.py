"""
One operation on one stack: preview, up, refresh or destroy.

Why it exists: it owns what the operation needs (journal, processes, servers) and puts
the parts in the engine's order: the program registers resources; what it no longer
registers is deleted in reverse order of dependency; nothing is deleted when anything
failed.

What it refuses: to go on after a failure. As in the engine, steps that run are let run
to their end, and none is started.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from pulumi_jig.rehearsal.aliases import StepRefusedError
from pulumi_jig.rehearsal.deletes import deletions, layers, survivors
from pulumi_jig.rehearsal.events import Events, Planned
from pulumi_jig.rehearsal.executor import CancelledError, Executor, StepFailedError
from pulumi_jig.rehearsal.goals import PROVIDER_PREFIX, ROOT_TYPE, Goal, RefusedError
from pulumi_jig.rehearsal.journal import Journal
from pulumi_jig.rehearsal.launch import Launcher, Settings
from pulumi_jig.rehearsal.limits import Limits
from pulumi_jig.rehearsal.packs import Packs
from pulumi_jig.rehearsal.planner import Plan, Planner
from pulumi_jig.rehearsal.policies import PolicyError
from pulumi_jig.rehearsal.properties import PropertyMap, Secret, known
from pulumi_jig.rehearsal.providers import Registry
from pulumi_jig.rehearsal.references import REFERENCE_TYPE
from pulumi_jig.rehearsal.responses import ProviderError
from pulumi_jig.rehearsal.results import Kind, Result, outputs_of
from pulumi_jig.rehearsal.servers import Servers
from pulumi_jig.rehearsal.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pulumi_jig.rehearsal.state import Resource, Snapshot, StateFile


class Deployment:
    """Runs one operation; used once."""

    def __init__(
        self, settings: Settings, base: Snapshot, file: StateFile | None
    ) -> None:
        """`file` is None in a preview: then nothing is written."""
        self._settings = settings
        self._base = base
        self.preview = file is None
        self.events = Events(settings.watchers)
        self._journal = Journal(base, file)
        self._olds = base.live()
        self._planning = threading.Lock()
        self._launcher = Launcher(settings, self.events, preview=self.preview)
        self._packs = Packs(self.events, preview=self.preview)
        self._registry = Registry(
            self._launcher.provider, self._olds, settings.stack, settings.project
        )
        targets = Targets(settings.targets, dependents=settings.target_dependents)
        self.planner = Planner(
            Plan(
                settings.stack,
                settings.project,
                self.preview,
                settings.replace,
                targets,
            ),
            self._olds,
            base.resources,
            self._registry,
            self.events,
            self._analyze,
        )
        self._limits = Limits(targets, base, self.planner, self._registry, self.events)
        self.executor = Executor(
            self._journal,
            self._registry,
            self.events,
            self.planner,
            preview=self.preview,
            parallel=settings.parallel,
        )
        self._component_providers: dict[str, dict[str, str]] = {}
        self._stack_outputs: PropertyMap | None = None
        # Whether it was ended for a reason that is no failure of a step.
        self.gave_up = False
        self._was_interrupted = False
        self._status: int | None = None

    # ------------------------------------------------------------- facts for servers

    @property
    def root(self) -> Path:
        """The project's directory."""
        return self._settings.root

    @property
    def project(self) -> str:
        """The project's name."""
        return self._settings.project

    @property
    def stack(self) -> str:
        """The stack's name."""
        return self._settings.stack

    @property
    def organization(self) -> str:
        """The organization's name."""
        return self._settings.organization

    @property
    def config(self) -> Mapping[str, str]:
        """The stack's configuration, secrets in clear."""
        return self._settings.config

    @property
    def secret_keys(self) -> frozenset[str]:
        """Which of its keys are secret."""
        return self._settings.secret_keys

    @property
    def parallel(self) -> int:
        """How many steps may run at once."""
        return self._settings.parallel

    # ----------------------------------------------------------------- registrations

    def register(self, goal: Goal) -> Resource:
        """
        Bring about what the program asks for; the resource as it is then.

        Raises:
            CancelledError: the operation has been given up.
            StepRefusedError: it cannot be planned.
            StepFailedError: a step failed.
            ProviderError: the provider failed a check or a diff.
            RefusedError: it needs something that a rehearsal does not do.
        """
        with self._planning:
            if self.executor.cancelled:
                raise CancelledError
            if not self.preview:
                # Only what was left out for not being a target is unknown there.
                goal.properties = known(goal.properties)
            self._assign_provider(goal)
            chain = self.planner.register(goal)
            urn = self.planner.urn(goal)
            if goal.providers:
                self._component_providers[urn] = goal.providers
        self.executor.run(chain)
        return self.planner.news[urn]

    def read(self, goal: Goal, resource_id: str) -> Resource:
        """Look up an existing resource; raises what `register` raises."""
        with self._planning:
            if self.executor.cancelled:
                raise CancelledError
            urn = self.planner.urn(goal)
            if not resource_id:
                message = f"Expected an ID for {urn}"
                self.events.log("error", message, urn)
                raise StepRefusedError(message)
            if goal.type == REFERENCE_TYPE:
                self._assign_default(goal, self._registry.builtin_urn(), {})
            else:
                self._assign_provider(goal)
            chain = self.planner.read(goal, resource_id)
        self.executor.run(chain)
        return self.planner.news[urn]

    def _assign_provider(self, goal: Goal) -> None:
        if not goal.custom or goal.is_provider:
            return
        inherited = self._component_providers.get(goal.parent, {})
        goal.provider = goal.provider or inherited.get(goal.package, "")
        if goal.provider:
            return
        urn = self._registry.default_urn(goal.package, goal.version)
        config: PropertyMap = {
            key: Secret(value) if key in self.secret_keys else value
            for key, value in self.config.items()
        }
        if goal.version:
            config["version"] = goal.version
        self._assign_default(goal, urn, config)

    def _assign_default(self, goal: Goal, urn: str, config: PropertyMap) -> None:
        if urn not in self.planner.news:
            name = urn.rpartition("::")[2]
            default = Goal(
                f"{PROVIDER_PREFIX}{goal.package}", name, custom=True, properties=config
            )
            for step in self.planner.register(default, internal=True):
                self.executor.step(step)
        goal.provider = f"{urn}::{self.planner.news[urn].id}"

    def register_outputs(self, urn: str, outputs: PropertyMap) -> None:
        """Keep what a component, or the stack, says its outputs are."""
        resource = self.planner.news.get(urn)
        if resource is None:
            return
        if resource.type == ROOT_TYPE:
            # The stack's outputs are settled at the end, when it is known whether the
            # operation succeeded.
            self._stack_outputs = outputs
            return
        resource.outputs = outputs
        self._journal.flush()

    def give_up(self, message: str, name: str) -> None:
        """Log why the operation cannot go on, and start nothing new."""
        urn = next((u for u in self.planner.news if u.endswith(f"::{name}")), "")
        if not self.executor.cancelled:
            self.gave_up = True
            self.events.log("error", message, urn)
        self.executor.cancel()

    # --------------------------------------------------------------------- operations

    def run(self, kind: Kind) -> Result:
        """Run a preview or an update."""
        began = time.monotonic()
        servers = Servers(self)
        self._launcher.address = servers.address
        try:
            if kind in {"preview", "up"}:
                self._warn_of_pending()
                self._packs.start(self._settings.policy_packs, self._launcher)
                # Interrupts are counted before the program is stopped: that takes a
                # moment, in which a second one would be taken for the first.
                self._status = self._launcher.run_program(self._interrupted)
                self.executor.wait()
                if self._status != 0 and not self.executor.cancelled:
                    if not self.events.has_errors:
                        self.events.log(
                            "error", f"the program ended with status {self._status}"
                        )
                    self.executor.cancel()
            if kind == "refresh":
                self._refresh()
            elif not self.executor.cancelled:
                self._delete_rest()
            self._settle_outputs()
            if not self.executor.cancelled and kind in {"preview", "up"}:
                self._analyze_stack()
        except PolicyError as error:
            self.give_up(str(error), "")
        except KeyboardInterrupt:
            self._interrupted()
            raise
        finally:
            self._journal.flush()
            self._packs.close()
            self._registry.close()
            servers.close()
        return self._result(kind, time.monotonic() - began)

    def _provider_of(self, resource: Resource) -> Resource | None:
        urn = resource.provider.rpartition("::")[0]
        return self.planner.news.get(urn) or self._olds.get(urn)

    def _analyze(self, resource: Resource, goal: Goal) -> bool:
        """Ask the packs about a resource; whether it may not be touched."""
        violated = self._packs.analyze(resource, goal, self._provider_of(resource))
        self.planner.saw_error |= violated
        return violated and not self.preview

    def _analyze_stack(self) -> None:
        resources = [
            (item, self.planner.goals.get(urn), self._provider_of(item))
            for urn, item in self.planner.news.items()
            if not item.external and urn not in self.planner.elided
        ]
        root = next((r.urn for r, _, _ in resources if r.type == ROOT_TYPE), "")
        self.planner.saw_error |= self._packs.analyze_stack(resources, root)

    def _interrupted(self) -> None:
        """
        Let what runs run to its end, as the engine does at a first Ctrl-C; the plugins
        are told, and may end sooner.

        At a second one the steps are abandoned: their plugins are stopped, and the
        state keeps them as pending operations.
        """
        if self._was_interrupted:
            return
        self._was_interrupted = True
        self.executor.cancel()
        self.events.log(
            "warning",
            "interrupted: waiting for the steps that run to end; interrupt again to "
            "abandon them",
        )
        try:
            self._registry.cancel()
            self.executor.wait()
        except KeyboardInterrupt:
            self._journal.freeze()

    def _warn_of_pending(self) -> None:
        if not self._base.pending:
            return
        lines = [
            f"  * {item.resource.urn}, interrupted while {item.kind}"
            for item in self._base.pending
        ]
        number = len(lines)
        self.events.log(
            "warning",
            f"Attempting to deploy or update resources with {number} pending "
            "operations from previous deployment.\n"
            + "\n".join(lines)
            + "\nThese resources are in an unknown state because the operation was "
            "interrupted while it waited for their provider. Look for what it made "
            "before it is made again.",
        )

    def _side_by_side(self, chains: list[list[Planned]]) -> None:
        """Carry out chains at once; raises the first failure when all have ended."""
        pool = ThreadPoolExecutor(max(1, min(self.parallel, len(chains))))
        runs = [pool.submit(self.executor.run, chain) for chain in chains]
        try:
            failures = [run.exception() for run in runs]
        except KeyboardInterrupt:
            self._interrupted()
            # Waiting for steps that were abandoned would be waiting for ever.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()
        for failure in failures:
            if failure is not None:
                raise failure

    def _delete_rest(self) -> None:
        if self._limits.missing():
            self.executor.cancel()
            return
        try:
            steps = deletions(self._base, self.planner, self._limits.condemned())
            self._ensure_providers(list(steps))
            if self._limits.exceeded(steps) and not self.preview:
                self.executor.cancel()
                return
            self._limits.show_kept(steps)
            for layer in layers(list(steps)):
                self._side_by_side([[steps[item]] for item in layer])
        except (StepFailedError, CancelledError):
            self.executor.cancel()
        except (ProviderError, RefusedError) as error:
            self.give_up(str(error), "")

    @property
    def _failed(self) -> bool:
        return self.executor.failed or self.planner.saw_error

    def _ensure_providers(self, resources: list[Resource]) -> None:
        """Have the providers of all these running, as the engine has, used or not."""
        for resource in resources:
            if resource.provider:
                self._registry.of(resource.provider)

    def _refresh(self) -> None:
        """Read every resource of the state, side by side; the state is then rebuilt."""
        if self._limits.missing():
            self.executor.cancel()
            return
        reach = self._limits.reach()
        steps = {
            item: Planned("refresh", item.urn, item.type, item, item)
            for item in self._base.resources
            if item.urn in reach
        }
        for item, step in steps.items():
            step.internal = item.is_provider and not item.parent
        try:
            self._ensure_providers(list(steps))
            self._side_by_side([[step] for step in steps.values()])
        except (ProviderError, RefusedError) as error:
            self.give_up(str(error), "")
            return
        self._journal.replace_base(
            survivors(
                [
                    new
                    for item in self._base.resources
                    if (new := steps[item].new if item in steps else item) is not None
                ]
            )
        )

    def _settle_outputs(self) -> None:
        root = next(
            (r for r in self.planner.news.values() if r.type == ROOT_TYPE), None
        )
        if root is None or self._stack_outputs is None:
            return
        if self._failed:
            # After a failure old outputs stay, those that are newly known are added.
            root.outputs = {**root.outputs, **self._stack_outputs}
        else:
            root.outputs = self._stack_outputs
        self._journal.flush()

    def _result(self, kind: Kind, seconds: float) -> Result:
        snapshot = self._journal.snapshot()
        root = next((r for r in snapshot.resources if r.type == ROOT_TYPE), None)
        return Result(
            kind=kind,
            steps=tuple(self.events.steps),
            outputs=outputs_of(root.outputs if root else {}),
            diagnostics=tuple(self.events.diagnostics),
            violations=tuple(self.events.violations),
            ok=not self._failed,
            program_status=self._status,
            seconds=seconds,
        )
