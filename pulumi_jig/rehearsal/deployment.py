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

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .children import Child, environment, interpreter
from .events import Events, Planned, Watcher
from .executor import CancelledError, Executor, StepFailedError
from .goals import PROVIDER_PREFIX, ROOT_TYPE, Goal, RefusedError
from .journal import Journal
from .planner import Plan, Planner, StepRefusedError
from .plugins import Provider, ProviderError
from .policies import Analyzer, PolicyError, PolicyPack, environment_of
from .providers import Registry
from .results import Kind, Result, Violation, outputs_of
from .servers import Servers
from .wire import PropertyMap, Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .recording import Recorder
    from .state import Resource, Snapshot, StateFile

_RUNNER = Path(__file__).with_name("run_program.py")


@dataclass
class Settings:
    """What an operation is about, however it was asked for."""

    root: Path
    main: Path
    project: str
    stack: str
    organization: str
    runtime_options: Mapping[str, object]
    config: Mapping[str, str]
    secret_keys: frozenset[str]
    env: Mapping[str, str]
    home: Path
    parallel: int
    replace: frozenset[str] = frozenset()
    policy_packs: list[PolicyPack] = field(default_factory=list)
    recorder: Recorder | None = None
    watchers: list[Watcher] = field(default_factory=list)


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
        self._registry = Registry(
            self._start_provider, self._olds, settings.stack, settings.project
        )
        self.planner = Planner(
            Plan(settings.stack, settings.project, self.preview, settings.replace),
            self._olds,
            base.resources,
            self._registry,
            self.events,
            self._analyze,
        )
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
        self._analyzers: list[Analyzer] = []
        # Whether it was ended for a reason that is no failure of a step.
        self.gave_up = False
        self._was_interrupted = False
        self._address = ""
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
            self._assign_provider(goal)
            chain = self.planner.read(goal, resource_id)
            urn = self.planner.urn(goal)
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
        if urn not in self.planner.news:
            config: PropertyMap = {
                key: Secret(value) if key in self.secret_keys else value
                for key, value in self.config.items()
            }
            if goal.version:
                config["version"] = goal.version
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

    # ----------------------------------------------------------------------- policies

    def _start_analyzers(self) -> None:
        env = environment_of(
            {**self._environment(), **self._stack_environment()},
            self.config,
            preview=self.preview,
        )
        for pack in self._settings.policy_packs:
            self._analyzers.append(
                Analyzer(pack, self._address, env=env, on_line=self._plugin_line)
            )
        # They come up side by side.
        for analyzer in self._analyzers:
            analyzer.configure()

    def _provider_of(self, resource: Resource) -> Resource | None:
        urn = resource.provider.rpartition("::")[0]
        return self.planner.news.get(urn) or self._olds.get(urn)

    def _analyze(self, resource: Resource, goal: Goal) -> bool:
        """Ask the packs about a resource; whether it may not be touched."""
        provider = self._provider_of(resource)
        found: list[Violation] = []
        for analyzer in self._analyzers:
            inputs, remediated = analyzer.remediate(resource, goal, provider)
            resource.inputs = inputs
            found += remediated
        for analyzer in self._analyzers:
            found += analyzer.analyze(resource, goal, provider)
        return self._report(found) and not self.preview

    def _analyze_stack(self) -> None:
        resources = [
            (item, self.planner.goals.get(urn), self._provider_of(item))
            for urn, item in self.planner.news.items()
            if not item.external
        ]
        root = next((r.urn for r, _, _ in resources if r.type == ROOT_TYPE), "")
        for analyzer in self._analyzers:
            if self._report(analyzer.analyze_stack(resources, root)):
                self.executor.failed = True

    def _report(self, found: list[Violation]) -> bool:
        """Note violations; whether one is mandatory, which fails the operation."""
        for violation in found:
            self.events.violate(violation)
        mandatory = any(violation.level == "mandatory" for violation in found)
        if mandatory:
            self.executor.failed = True
        return mandatory

    # ---------------------------------------------------------------------- processes

    def _environment(self) -> dict[str, str]:
        options = {
            f"PULUMI_RUNTIME_{key.upper()}": str(value)
            for key, value in self._settings.runtime_options.items()
        }
        extra = {
            **self._settings.env,
            **options,
            "PULUMI_PROJECT": self.project,
            "PULUMI_ROOT_DIRECTORY": str(self.root),
        }
        return environment(extra, home=self._settings.home)

    def _stack_environment(self) -> dict[str, str]:
        return {
            "PULUMI_ORGANIZATION": self.organization,
            "PULUMI_STACK": self.stack,
        }

    def _python(self) -> str:
        return interpreter(self.root, self._settings.runtime_options)

    def _start_provider(self, urn: str) -> Provider:
        return Provider.start(
            self._python(),
            self._address,
            urn=urn,
            cwd=self._settings.main,
            env={**self._environment(), "PULUMI_CONFIG": "{}"},
            on_line=self._plugin_line,
            recorder=self._settings.recorder,
        )

    def _plugin_line(self, stream: str, line: str) -> None:
        del stream
        if line.strip():
            self.events.log("info", line)

    def _run_program(self) -> int:
        settings = self._settings
        env = {
            **self._environment(),
            "PULUMI_CONFIG": json.dumps(dict(settings.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(sorted(settings.secret_keys)),
            **self._stack_environment(),
            "PULUMI_DRY_RUN": str(self.preview).lower(),
            "PULUMI_PARALLEL": str(settings.parallel),
            "PULUMI_MONITOR": self._address,
            "PULUMI_ENGINE": self._address,
        }
        child = Child(
            "the program",
            [
                self._python(),
                "-u",
                str(_RUNNER),
                *("--monitor", self._address, "--engine", self._address),
                *("--project", settings.project, "--stack", settings.stack),
                *("--organization", settings.organization),
                *("--root", str(settings.root)),
                *("--parallel", str(settings.parallel)),
                *(["--dry-run"] if self.preview else []),
                str(settings.main),
            ],
            cwd=settings.main,
            env=env,
            on_line=self._plugin_line,
            serves=False,
        )
        try:
            return child.wait()
        except KeyboardInterrupt:
            # Before the program is stopped, which takes a moment in which a second
            # interrupt would be taken for the first.
            self._interrupted()
            raise
        finally:
            child.stop()

    # --------------------------------------------------------------------- operations

    def run(self, kind: Kind) -> Result:
        """Run a preview or an update."""
        began = time.monotonic()
        servers = Servers(self)
        self._address = servers.address
        try:
            if kind in {"preview", "up"}:
                self._warn_of_pending()
                self._start_analyzers()
                self._status = self._run_program()
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
            for analyzer in self._analyzers:
                analyzer.close()
            self._registry.close()
            servers.close()
        return self._result(kind, time.monotonic() - began)

    def _interrupted(self) -> None:
        """
        Let what runs run to its end, as the engine does at a first Ctrl-C.

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
        with ThreadPoolExecutor(max(1, min(self.parallel, len(chains)))) as pool:
            runs = [pool.submit(self.executor.run, chain) for chain in chains]
            try:
                failures = [run.exception() for run in runs]
            except KeyboardInterrupt:
                self.executor.cancel()  # Before the pool waits for what runs.
                raise
        for failure in failures:
            if failure is not None:
                raise failure

    def _delete_rest(self) -> None:
        steps: dict[Resource, Planned] = {}
        for item in self._base.resources:
            if item.delete:
                if item in self.planner.pending_deletes:
                    continue
                operation = "discard-replaced" if item.external else "delete-replaced"
            elif (
                item.urn in self.planner.operated
                or self.planner.renamed.get(item.urn) in self.planner.operated
            ):
                continue
            elif item.pending_replacement:
                operation = "remove-pending-replace"
            else:
                operation = "discard" if item.external else "delete"
            self.planner.deletes.add(item.urn)
            steps[item] = Planned(operation, item.urn, item.type, item, None)
            steps[item].internal = item.is_provider and not item.parent
        try:
            self._ensure_providers(list(steps))
            for layer in layers(list(steps)):
                self._side_by_side([[steps[item]] for item in layer])
        except (StepFailedError, CancelledError, StepRefusedError):
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
        steps = {
            item: Planned("refresh", item.urn, item.type, item, item)
            for item in self._base.resources
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
            survivors([step.new for step in steps.values() if step.new is not None])
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


def survivors(resources: list[Resource]) -> list[Resource]:
    """What a refresh has left, references to what is gone taken out."""
    known: set[str] = set()
    for resource in resources:
        resource.dependencies = [u for u in resource.dependencies if u in known]
        resource.property_dependencies = {
            key: left
            for key, urns in resource.property_dependencies.items()
            if (left := [u for u in urns if u in known])
        }
        if resource.deleted_with not in known:
            resource.deleted_with = ""
        if resource.parent not in known:
            resource.parent = ""
        known.add(resource.urn)
    return resources


def layers(resources: list[Resource]) -> list[list[Resource]]:
    """
    `resources` in the order in which they may be deleted, those side by side together.

    No layer begins before the one before it has ended, as in the engine.
    """
    remaining = list(resources)
    result: list[list[Resource]] = []
    while remaining:
        urns = {item.urn for item in remaining}
        layer = [
            item
            for item in remaining
            if not any(urn in urns and urn != item.urn for urn in item.references())
        ]
        if not layer:
            layer = list(remaining)  # A cycle cannot come from a program.
        result.append(layer)
        remaining = [item for item in remaining if item not in layer]
    result.reverse()
    return result
