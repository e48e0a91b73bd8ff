"""
One operation on one stack: preview, up, refresh or destroy.

It follows the engine's order: the program registers resources; what it no longer
registers is deleted in reverse order of dependency; nothing is deleted when anything
failed. After a failure steps that run are let run to their end, and none is started.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from pulumi_jig.rehearsal.errors import RehearsalError, StoppedError
from pulumi_jig.rehearsal.events import Events, Planned
from pulumi_jig.rehearsal.executor import Executor
from pulumi_jig.rehearsal.goals import PROVIDER_PREFIX, ROOT_TYPE, Goal, urn_of
from pulumi_jig.rehearsal.journal import Journal
from pulumi_jig.rehearsal.launch import Launcher, Settings
from pulumi_jig.rehearsal.planner import Planner, delete_steps, layered, survivors
from pulumi_jig.rehearsal.policies import Analyzed, Packs
from pulumi_jig.rehearsal.properties import PropertyMap, Secret
from pulumi_jig.rehearsal.providers import Registry, check_package
from pulumi_jig.rehearsal.references import REFERENCE_TYPE, Backend
from pulumi_jig.rehearsal.results import Kind, Result, outputs_of
from pulumi_jig.rehearsal.servers import Servers
from pulumi_jig.rehearsal.state import Resource

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pulumi_jig.rehearsal.state import Snapshot, StateFile


class Deployment:
    """Runs one operation; used once."""

    def __init__(
        self, settings: Settings, base: Snapshot, file: StateFile | None
    ) -> None:
        """`file` is None in a preview: then nothing is written."""
        self.settings = settings
        self.preview = file is None
        self.events = Events(settings.watchers)
        self._base = base
        self._olds = base.live()
        self._journal = Journal(base, file)
        self._planning = threading.Lock()
        self._launcher = Launcher(settings, self.events, preview=self.preview)
        self._packs = Packs(self.events)
        backend = Backend(settings.backend, settings.organization, settings.project)
        self._registry = Registry(self._launcher.provider, self._olds, backend)
        self._planner = Planner(
            base, self._registry, self.events, self._analyze, preview=self.preview
        )
        self.executor = Executor(
            self._journal,
            self._registry,
            self.events,
            preview=self.preview,
            parallel=settings.parallel,
        )
        self._stack_outputs: PropertyMap | None = None
        # Whether it was ended for a reason that is no failure of a step.
        self.gave_up = False
        self._was_interrupted = False
        self._status: int | None = None

    # --- Registrations -----------------------------------------------------------

    def register(self, goal: Goal) -> Resource:
        """
        Bring about what the program asks for, or read it; the resource as it is then.

        Raises:
            StoppedError: a step cannot be planned, failed, or must not be started.
            ProviderError: the provider failed a check or a diff.
            RehearsalError: it needs something that a rehearsal does not do.
        """
        resource = goal.resource
        with self._planning:
            if self.executor.cancelled:
                raise StoppedError
            if resource.external and not resource.id:
                message = f"Expected an ID for {resource.urn}"
                self.events.log("error", message, resource.urn)
                raise StoppedError(message)
            if resource.custom and not resource.is_provider:
                self._assign_provider(goal)
            plan = self._planner.read if resource.external else self._planner.register
            chain = plan(goal)
        self.executor.submit(chain).result()
        return resource

    def _assign_provider(self, goal: Goal) -> None:
        """Give a resource its component's provider, or the default one, if it has none."""
        resource, settings = goal.resource, self.settings
        parent = self._planner.goals.get(resource.parent)
        if parent and not resource.provider:
            resource.provider = parent.providers.get(goal.package, "")
        if resource.provider:
            return
        package, version = goal.package, goal.version
        inputs: PropertyMap = {}
        if resource.type != REFERENCE_TYPE:
            check_package(package)
            inputs = {
                key: Secret(value) if key in settings.secret_keys else value
                for key, value in settings.config.items()
            }
        if version:
            inputs["version"] = version
        name = f"default_{version.replace('.', '_')}" if version else "default"
        kind = f"{PROVIDER_PREFIX}{package}"
        urn = urn_of(settings.stack, settings.project, "", kind, name)
        if urn not in self._planner.news:
            default = Goal(Resource(urn, kind, custom=True, inputs=inputs), inputs)
            for step in self._planner.register(default):
                step.internal = True
                self.executor.step(step)
        resource.provider = f"{urn}::{self._planner.news[urn].id}"

    def register_outputs(self, urn: str, outputs: PropertyMap) -> None:
        """Keep what a component, or the stack, says its outputs are."""
        resource = self._planner.news.get(urn)
        if resource is None:
            return
        if resource.type == ROOT_TYPE:
            # The stack's outputs are settled at the end, when it is known whether the
            # operation succeeded.
            self._stack_outputs = outputs
            return
        resource.outputs = outputs
        self._journal.end()

    def give_up(self, message: str, name: str = "") -> None:
        """Log why the operation cannot go on, beside a resource, and start nothing new."""
        news = self._planner.news.values()
        urn = next((r.urn for r in news if name and r.name == name), "")
        if not self.executor.cancelled:
            self.gave_up = True
            self.events.log("error", message, urn)
        self.executor.cancel()

    # --- Policies ----------------------------------------------------------------

    def _analyzed(self, resource: Resource) -> Analyzed:
        urn = resource.provider_urn
        provider = self._planner.news.get(urn) or self._olds.get(urn)
        return resource, self._planner.goals.get(resource.urn), provider

    def _analyze(self, goal: Goal) -> bool:
        """Ask the packs about a resource; whether it may not be touched."""
        is_violated = self._packs.analyze(self._analyzed(goal.resource))
        self._planner.saw_error |= is_violated
        return is_violated and not self.preview

    def _analyze_stack(self) -> None:
        news = self._planner.news.values()
        resources = [self._analyzed(item) for item in news if not item.external]
        root = next((item.urn for item in news if item.type == ROOT_TYPE), "")
        self._planner.saw_error |= self._packs.analyze_stack(resources, root)

    # --- Operations --------------------------------------------------------------

    def run(self, kind: Kind) -> Result:
        """Carry out the operation."""
        began = time.monotonic()
        servers = Servers(self)
        self._launcher.address = servers.address
        runs_program = kind in {"preview", "up"}
        try:
            if runs_program:
                self._run_program()
            if kind == "refresh":
                self._refresh()
            elif not self.executor.cancelled:
                self._delete_rest()
            self._settle_outputs()
            if runs_program and not self.executor.cancelled:
                self._analyze_stack()
        except RehearsalError as error:
            self.give_up(str(error))
        except KeyboardInterrupt:
            self._interrupted()
            raise
        finally:
            self._journal.end()
            self._packs.close()
            self._registry.close()
            servers.close()
            self.executor.close()
        return self._result(kind, time.monotonic() - began)

    def _run_program(self) -> None:
        self._warn_of_pending()
        self._packs.start(self.settings.policy_packs, self._launcher)
        # Interrupts are counted before the program is stopped: that takes a moment, in
        # which a second one would be taken for the first.
        self._status = self._launcher.run_program(self._interrupted)
        self.executor.wait()
        if self._status != 0 and not self.executor.cancelled:
            if not self.events.has_errors:
                message = f"the program ended with status {self._status}"
                self.events.log("error", message)
            self.executor.cancel()

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
        lines = [
            f"  * {item.resource.urn}, interrupted while {item.kind}"
            for item in self._base.pending
        ]
        if lines:
            self.events.log(
                "warning",
                f"Attempting to deploy or update resources with {len(lines)} pending "
                "operations from previous deployment.\n"
                + "\n".join(lines)
                + "\nThese resources are in an unknown state because the operation was "
                "interrupted while it waited for their provider. Look for what it made "
                "before it is made again.",
            )

    def _side_by_side(self, steps: Iterable[Planned]) -> None:
        """Carry out steps at once; raises the first failure when all have ended."""
        futures = [self.executor.submit([step]) for step in steps]
        failures = [future.exception() for future in futures]
        for failure in failures:
            if failure is not None:
                raise failure

    def _delete_rest(self) -> None:
        planner = self._planner
        steps = list(delete_steps(self._base.resources, planner.is_registered))
        try:
            self._ensure_providers(step.resource for step in steps)
            for layer in layered(steps):
                self._side_by_side(layer)
        except StoppedError:
            self.executor.cancel()
        except RehearsalError as error:
            self.give_up(str(error))

    def _ensure_providers(self, resources: Iterable[Resource]) -> None:
        """Have the providers of all these running, as the engine has, used or not."""
        for resource in resources:
            if resource.provider and resource.type != REFERENCE_TYPE:
                self._registry.of(resource.provider)

    def _refresh(self) -> None:
        """Read every resource of the state, side by side; the state is then rebuilt."""
        steps = [
            Planned("refresh", item, item, internal=item.is_default_provider)
            for item in self._base.resources
        ]
        try:
            self._ensure_providers(self._base.resources)
            self._side_by_side(steps)
        except RehearsalError as error:
            self.give_up(str(error))
            return
        left = survivors(step.new for step in steps if step.new is not None)
        self._journal.replace_base(left)

    # --- The result --------------------------------------------------------------

    @property
    def _failed(self) -> bool:
        return self.executor.failed or self._planner.saw_error

    def _settle_outputs(self) -> None:
        news = self._planner.news.values()
        root = next((item for item in news if item.type == ROOT_TYPE), None)
        if root is not None and self._stack_outputs is not None:
            # After a failure old outputs stay, those that are newly known are added.
            kept = root.outputs if self._failed else {}
            root.outputs = {**kept, **self._stack_outputs}

    def _result(self, kind: Kind, seconds: float) -> Result:
        resources = self._journal.snapshot().resources
        root = next((item for item in resources if item.type == ROOT_TYPE), None)
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
