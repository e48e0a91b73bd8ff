"""
One interface over two engines: the rehearsal, and the real `pulumi` command.

A scenario is written once against `Stage`; each of its operations gives an `Act`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import yaml
from acts import Act, comparable, group_calls, label, mask, read_events, read_log, stale

from pulumi_jig.rehearsal import Recorder, Rehearsal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HERE = Path(__file__).parent
TOYS = HERE.parent / "rehearsal"
PROJECT = "scenes"
STACK = "dev"
PASSPHRASE = "not a secret"


@dataclass(frozen=True)
class Options:
    """Options of an operation; all but `parallel` are the real engine's only."""

    #: URNs to replace, and to limit the operation to.
    replace: Sequence[str] = ()
    targets: Sequence[str] = ()
    #: Whether what depends on a target is one as well.
    dependents: bool = False
    #: Steps at once; 0 for the engine's default.
    parallel: int = 0

    def flags(self) -> list[str]:
        """The flags of the command."""
        flags = [f"--replace={urn}" for urn in self.replace]
        flags += [f"--target={urn}" for urn in self.targets]
        flags += ["--target-dependents"] * self.dependents
        return flags + [f"--parallel={self.parallel}"] * bool(self.parallel)


class Engine(Protocol):
    """What a stage needs of an engine."""

    def act(self, operation: str, options: Options) -> Act:
        """Run one operation and say what happened."""

    def rewrite(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the exported state, and import it."""

    def begin(self, operation: str, output: IO[str]) -> subprocess.Popen[str]:
        """Begin an operation in a process of its own, whose group it leads."""

    def jig(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run `pulumi-jig` on the stack, from the program's folder."""

    def close(self) -> None:
        """Release everything."""


#: A rehearsal in a process of its own. Both signals end it as they end the command.
_RUN = """
import signal, sys
from pulumi_jig.rehearsal import Rehearsal
signal.signal(signal.SIGTERM, signal.default_int_handler)
stack = Rehearsal({program!r}, {stack!r}, config={config!r},
                  secret_config={secret!r}, env={env!r}, backend={backend!r})
try:
    result = stack.{operation}()
except KeyboardInterrupt:
    sys.exit(130)
for diagnostic in result.diagnostics:
    print(diagnostic.severity, diagnostic.urn, diagnostic.message)
sys.exit(not result.ok)
"""


class RehearsalEngine:
    """The rehearsal."""

    def __init__(self, folder: Path, stage: Stage) -> None:
        self._recorder = Recorder()
        self._stage = stage
        self._backend = folder / "backend"

    def _rehearsal(self, **more: Any) -> Rehearsal:
        stage = self._stage
        return Rehearsal(
            stage.program_dir,
            stage.stack,
            config=stage.config,
            secret_config=stage.secret_config,
            env=stage.env,
            backend=self._backend,
            **more,
        )

    def act(self, operation: str, options: Options) -> Act:
        if options.flags() and not options.parallel:
            raise NotImplementedError(f"the rehearsal does not take {options}")
        self._recorder.clear()
        with self._rehearsal(
            policy_packs=self._stage.policy_packs,
            parallel=options.parallel or None,
            recorder=self._recorder,
        ) as rehearsal:
            result = getattr(rehearsal, operation)()
        steps: dict[str, list[str]] = {}
        for step in result.steps:
            if not step.internal:
                suffix = " failed" if step.failed else ""
                steps.setdefault(label(step.urn), []).append(step.operation + suffix)
        calls, order = group_calls(
            [(c.method, c.request, c.response, c.error) for c in self._recorder.calls()]
        )
        return Act(
            operation,
            result.ok,
            dict(sorted(steps.items())),
            calls,
            order,
            sorted(
                f"{label(d.urn) if d.urn else '-'}: {mask(d.message.strip())}"
                for d in result.diagnostics
                if d.severity == "error"
            ),
            sorted(f"{v.level} {v.policy} {label(v.urn)}" for v in result.violations),
            self._export,
        )

    def _export(self) -> dict[str, Any]:
        with self._rehearsal() as rehearsal:
            export: dict[str, Any] = rehearsal.export(show_secrets=True)
        return export

    def rewrite(self, change: Callable[[dict[str, Any]], None]) -> None:
        with self._rehearsal() as rehearsal:
            export = rehearsal.export(show_secrets=True)
            change(export)
            rehearsal.import_(export)

    def begin(self, operation: str, output: IO[str]) -> subprocess.Popen[str]:
        stage = self._stage
        script = _RUN.format(
            program=str(stage.program_dir),
            stack=stage.stack,
            config=stage.config,
            secret=stage.secret_config,
            env=stage.env,
            backend=str(self._backend),
            operation=operation,
        )
        return _begin([sys.executable, "-c", script], output)

    def jig(self, *args: str) -> subprocess.CompletedProcess[str]:
        with self._rehearsal() as rehearsal:
            file = rehearsal.state_file
        return run_jig(self._stage, {}, *args, "--file", str(file))

    def close(self) -> None:
        return


def _begin(command: list[str], output: IO[str], **more: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        **more,
    )


def _inherited() -> dict[str, str]:
    """This process's environment without its accounts, stacks and settings."""
    ours = ("TOGETHER_", "PULUMI_")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)}


def run_jig(
    stage: Stage, env: dict[str, str], *args: str
) -> subprocess.CompletedProcess[str]:
    """Run `pulumi-jig`, knowing nothing of this machine's accounts and stacks."""
    return subprocess.run(
        [sys.executable, "-m", "pulumi_jig.cli", *args],
        cwd=stage.program_dir,
        env={**_inherited(), **env, **stage.env},
        capture_output=True,
        text=True,
    )


class PulumiEngine:
    """The `pulumi` command, with a backend, a home and a passphrase of its own."""

    def __init__(self, folder: Path, stage: Stage) -> None:
        self._stage = stage
        self._folder = folder
        (folder / "backend").mkdir()
        self._env = {
            **_inherited(),
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{folder / 'backend'}",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_PYTHON_CMD": sys.executable,
            "PULUMI_DEBUG_COMMANDS": "true",
        }
        self._selected: tuple[str, str] | None = None
        #: The configuration that a stack has, plain and secret.
        self._configured: dict[tuple[str, str], dict[str, dict[str, str]]] = {}

    def _command(self, *args: str) -> list[str]:
        return ["pulumi", "--non-interactive", "--color", "never", *args]

    def _pulumi(self, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._command(*args),
            cwd=self._stage.program_dir,
            env={**self._env, **self._stage.env, **env},
            capture_output=True,
            text=True,
        )

    def run(self, *args: str) -> str:
        """Run a command that must succeed; its standard output."""
        done = self._pulumi(*args)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _configure(self) -> None:
        """Select the stack and give it its configuration, where it has another one."""
        stage = self._stage
        where = (stage.project, stage.stack)
        if where != self._selected:
            self._pulumi("stack", "select", "--create", stage.stack)
            self._selected = where
        wanted = {
            "--plaintext": dict(stage.config),
            "--secret": dict(stage.secret_config),
        }
        had = self._configured.get(where, {})
        if wanted == had:
            return
        gone = {k for kind in had.values() for k in kind} - {
            *stage.config,
            *stage.secret_config,
        }
        if gone:
            self._pulumi("config", "rm-all", *sorted(gone))
        pairs = [
            part
            for flag, values in wanted.items()
            for key, text in values.items()
            for part in (flag, f"{key}={text}")
        ]
        if pairs:
            self.run("config", "set-all", *pairs)
        self._configured[where] = wanted

    def act(self, operation: str, options: Options) -> Act:
        self._configure()
        events = self._folder / "events.json"
        log = self._folder / "grpc.json"
        for path in (events, log):
            path.unlink(missing_ok=True)
        args = [operation, "--event-log", str(events), "--suppress-progress"]
        if operation != "preview":
            args += ["--yes", "--skip-preview"]
        args += options.flags()
        packs = self._stage.policy_packs if operation in {"preview", "up"} else []
        for folder, config in packs:
            args += ["--policy-pack", str(folder)]
            if config:
                args += ["--policy-pack-config", str(config)]
        done = self._pulumi(*args, PULUMI_DEBUG_GRPC=str(log))
        if not events.exists():
            raise RuntimeError(done.stdout + done.stderr)
        steps, errors, violations = read_events(events)
        calls, order = group_calls(read_log(log))
        return Act(
            operation,
            done.returncode == 0,
            steps,
            calls,
            order,
            errors,
            violations,
            self._export,
        )

    def _export(self) -> dict[str, Any]:
        export: dict[str, Any] = json.loads(
            self.run("stack", "export", "--show-secrets")
        )
        return export

    def rewrite(self, change: Callable[[dict[str, Any]], None]) -> None:
        file = self._folder / "rewritten.json"
        self.run("stack", "export", "--file", str(file))
        export = json.loads(file.read_text())
        change(export)
        file.write_text(json.dumps(export))
        self.run("stack", "import", "--file", str(file))

    def begin(self, operation: str, output: IO[str]) -> subprocess.Popen[str]:
        self._configure()
        at_once = [] if operation == "preview" else ["--yes", "--skip-preview"]
        return _begin(
            self._command(operation, *at_once),
            output,
            cwd=self._stage.program_dir,
            env={**self._env, **self._stage.env},
        )

    def jig(self, *args: str) -> subprocess.CompletedProcess[str]:
        # A run that was killed leaves its lock; nothing else of this stack runs now.
        self._pulumi("cancel", "--yes")
        return run_jig(self._stage, self._env, *args)

    def close(self) -> None:
        return


# --- Stage -----------------------------------------------------------------------


class Stage:
    """Where a scenario plays: a program whose plan it changes, and a world of toys."""

    def __init__(
        self,
        folder: Path,
        engine: str,
        *,
        program: Path = HERE / "generic",
        project: str = PROJECT,
    ) -> None:
        self.folder = folder
        self.program_dir = folder / "program"
        shutil.copytree(program, self.program_dir)
        self.project_settings: dict[str, Any] = {}
        self.move(project, STACK)
        self.world = folder / "world"
        self.world.mkdir()
        self.env = {
            "PYTHONPATH": str(TOYS),
            "TOY_WORLD": str(self.world),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.config: dict[str, str] = {}
        self.secret_config: dict[str, str] = {}
        self.policy_packs: list[tuple[Path, Path | None]] = []
        self.acts: list[Act] = []
        self.plan({})
        engines = {"rehearsal": RehearsalEngine, "pulumi": PulumiEngine}
        self._engine: Engine = engines[engine](folder, self)

    # -- What a scenario says

    def move(self, project: str = "", stack: str = "") -> None:
        """Go on with another project or stack of the same backend."""
        self.project = project or self.project
        self.stack = stack or self.stack
        (self.program_dir / "Pulumi.yaml").write_text(self.manifest())

    def manifest(self) -> str:
        """The project file."""
        head = {"name": self.project, "runtime": "python"}
        return yaml.safe_dump({**head, **self.project_settings}, sort_keys=False)

    def plan(
        self,
        resources: dict[str, Any],
        outputs: dict[str, Any] | None = None,
        fail: str = "",
    ) -> None:
        """What the program is to build from now on."""
        data = {"resources": resources, "outputs": outputs or {}, "fail": fail}
        (self.program_dir / "plan.json").write_text(json.dumps(data, indent=1))

    def faults(self, **faults: str) -> None:
        """What the provider does wrong from now on: `create_a="raise"`."""
        data = {key.replace("_", ":", 1): fault for key, fault in faults.items()}
        (self.world / "faults.json").write_text(json.dumps(data))

    def poke(self, ident: str, **fields: Any) -> None:
        """Change a toy behind the stack's back."""
        path = self.world / f"{ident}.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))

    def lose(self, ident: str) -> None:
        """Remove a toy behind the stack's back."""
        (self.world / f"{ident}.json").unlink()

    def toys(self) -> list[str]:
        """The toys that exist."""
        return sorted(
            path.stem for path in self.world.glob("*.json") if path.stem != "faults"
        )

    def urn(self, name: str, kind: str = "pulumi-python:dynamic/toy:Toy") -> str:
        """The URN of a toy under the stack."""
        return f"urn:pulumi:{self.stack}::{self.project}::{kind}::{name}"

    def use_pack(self, config: dict[str, Any] | None = None) -> None:
        """Run under the toys' policy pack from now on."""
        path: Path | None = None
        if config is not None:
            path = self.folder / "policies.json"
            path.write_text(json.dumps(config))
        self.policy_packs = [(HERE / "pack", path)]

    # -- Operations

    def preview(self, replace: Sequence[str] = (), **options: Any) -> Act:
        """Preview."""
        return self.act("preview", Options(replace, **options))

    def up(self, replace: Sequence[str] = (), **options: Any) -> Act:
        """Update."""
        return self.act("up", Options(replace, **options))

    def refresh(self, **options: Any) -> Act:
        """Refresh."""
        return self.act("refresh", Options(**options))

    def destroy(self, **options: Any) -> Act:
        """Destroy."""
        return self.act("destroy", Options(**options))

    def act(self, operation: str, options: Options) -> Act:
        """Run one operation."""
        if self.acts:
            self.acts[-1].export = stale
        act = self._engine.act(operation, options)
        self.acts.append(act)
        return act

    def rewrite(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the exported state, and import it."""
        self._engine.rewrite(change)

    def begin(self, operation: str, output: IO[str]) -> subprocess.Popen[str]:
        """Begin an operation in a process of its own, to be interrupted."""
        return self._engine.begin(operation, output)

    def jig(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run `pulumi-jig` on the stack."""
        return self._engine.jig(*args)

    def forget(self, urn: str) -> None:
        """Take a resource out of the state, as `pulumi state delete` does."""

        def without(export: dict[str, Any]) -> None:
            resources = export["deployment"]["resources"]
            resources[:] = [item for item in resources if item["urn"] != urn]

        self.rewrite(without)

    def pulumi(self, *args: str) -> str:
        """Run the real command; the rehearsal has none."""
        assert isinstance(self._engine, PulumiEngine)
        return self._engine.run(*args)

    def close(self) -> None:
        """Release the engine."""
        self._engine.close()


class Both:
    """
    Stages on several engines that are told the same, and must do the same.

    Every method of `Stage` is called on each of them in turn. After an operation their
    acts are compared, and the first one's is returned.
    """

    def __init__(self, folder: Path, *engines: str) -> None:
        self.stages = []
        for engine in engines:
            (folder / engine).mkdir()
            self.stages.append(Stage(folder / engine, engine))
        first = self.stages[0]
        for stage in self.stages:
            stage.config, stage.secret_config = first.config, first.secret_config
            stage.project_settings = first.project_settings

    def __getattr__(self, name: str) -> Any:
        found = [getattr(stage, name) for stage in self.stages]
        if not callable(found[0]):
            return found[0]

        def on_each(*args: Any, **more: Any) -> Any:
            results = [method(*args, **more) for method in found]
            if isinstance(results[0], Act):
                self._compare(results)
            else:
                assert results == results[:1] * len(results)
            return results[0]

        return on_each

    def _compare(self, acts: list[Act]) -> None:
        """Compare what each engine did, part by part, so that a failure names the part."""
        if len(acts) == 1:
            return
        one, other = (
            comparable(act, stage.folder)
            for act, stage in zip(acts, self.stages, strict=True)
        )
        for part, expected in one.items():
            actual = other[part]
            if isinstance(expected, dict):
                for name in {*expected, *actual}:
                    assert expected.get(name) == actual.get(name), (part, name)
            assert expected == actual, part
