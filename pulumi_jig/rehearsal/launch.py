"""Starting the processes of one operation, each with the environment that the engine gives it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pulumi_jig.rehearsal.plugins import Provider
from pulumi_jig.rehearsal.processes import Process, environment, interpreter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi_jig.rehearsal.events import Events, Watcher
    from pulumi_jig.rehearsal.policies import PolicyPack
    from pulumi_jig.rehearsal.recording import Recorder
    from pulumi_jig.rehearsal.state import Resource

_RUNNER: Final = Path(__file__).with_name("run_program.py")


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
    policy_packs: list[PolicyPack] = field(default_factory=list)
    recorder: Recorder | None = None
    # The folder with the states of the stacks that may refer to one another.
    backend: Path | None = None
    watchers: list[Watcher] = field(default_factory=list)


class Launcher:
    """Starts processes; `address` is where the engine listens."""

    def __init__(self, settings: Settings, events: Events, *, preview: bool) -> None:
        self._settings = settings
        self._events = events
        self._preview = preview
        self.address = ""

    def line(self, line: str) -> None:
        """What a process prints becomes a message."""
        if line.strip():
            self._events.log("info", line)

    def _environment(self, **more: str) -> dict[str, str]:
        settings = self._settings
        options = {
            f"PULUMI_RUNTIME_{key.upper()}": str(value)
            for key, value in settings.runtime_options.items()
        }
        extra = {
            **settings.env,
            **options,
            "PULUMI_PROJECT": settings.project,
            "PULUMI_ROOT_DIRECTORY": str(settings.root),
            **more,
        }
        return environment(extra, home=settings.home)

    def stack_environment(self, **more: str) -> dict[str, str]:
        """What the program and policy packs see: the stack and its configuration, in clear."""
        settings = self._settings
        return self._environment(
            PULUMI_ORGANIZATION=settings.organization,
            PULUMI_STACK=settings.stack,
            PULUMI_DRY_RUN=str(self._preview).lower(),
            PULUMI_CONFIG=json.dumps(dict(settings.config)),
            **more,
        )

    def provider(self, resource: Resource) -> Provider:
        """
        Start a plugin host.

        It learns of the stack's configuration through `Configure` only.

        Raises:
            RehearsalError: it did not come up.
        """
        settings = self._settings
        python = interpreter(settings.root, settings.runtime_options)
        process = Process(
            f"the dynamic provider host of {resource.name!r}",
            [python, "-u", "-m", "pulumi.dynamic", self.address],
            cwd=settings.main,
            env=self._environment(PULUMI_CONFIG="{}"),
            on_line=self.line,
            serves=True,
        )
        return Provider(process, settings.recorder)

    def run_program(self, interrupted: Callable[[], None]) -> int:
        """
        Run the program to its end; its exit status.

        `interrupted` is called at a Ctrl-C, before the program is stopped.

        Raises:
            RehearsalError: it could not be started.
        """
        settings = self._settings
        python = interpreter(settings.root, settings.runtime_options)
        process = Process(
            "the program",
            [python, "-u", str(_RUNNER), str(settings.main)],
            cwd=settings.main,
            env=self.stack_environment(
                PULUMI_CONFIG_SECRET_KEYS=json.dumps(sorted(settings.secret_keys)),
                PULUMI_PARALLEL=str(settings.parallel),
                PULUMI_MONITOR=self.address,
                PULUMI_ENGINE=self.address,
            ),
            on_line=self.line,
            serves=False,
        )
        try:
            return process.wait()
        except KeyboardInterrupt:
            interrupted()
            raise
        finally:
            process.stop()
