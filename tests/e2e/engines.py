"""
One interface over two engines: the rehearsal, and the real `pulumi` command.

A scenario is written once against `Stage`; each of its operations leaves an `Act`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import yaml
from acts import PROVIDER_CALLS, Act, group_calls, label, mask, shape

from pulumi_jig.rehearsal import Recorder, Rehearsal

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
TOYS = HERE.parent / "rehearsal"
PROJECT = "scenes"
STACK = "dev"
PASSPHRASE = "not a secret"


@dataclass(frozen=True)
class Asked:
    """What an operation was asked for beside its name: URNs."""

    replace: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    # Whether what depends on a target is one as well.
    dependents: bool = False
    # Steps at once; 0 for what the engine takes by itself.
    parallel: int = 0


class Engine(Protocol):
    """What a stage needs of an engine."""

    def act(self, operation: str, asked: Asked) -> Act:
        """Run one operation and say what happened."""

    def rewrite(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the state by hand."""

    def begin(self, operation: str, output: IO[str]) -> subprocess.Popen[str]:
        """Begin an operation in a process of its own, whose group it leads."""

    def jig(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run `pulumi-jig` on the stack, from the program's folder."""

    def state(self, verb: str, urn: str) -> None:
        """`pulumi state taint` or `pulumi state delete`."""

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
        self._folder = folder

    def act(self, operation: str, asked: Asked) -> Act:
        self._recorder.clear()
        stage = self._stage
        with Rehearsal(
            stage.program_dir,
            stage.stack,
            config=stage.config,
            secret_config=stage.secret_config,
            policy_packs=stage.policy_packs,
            env=stage.env,
            backend=self._folder / "backend",
            parallel=asked.parallel or None,
            recorder=self._recorder,
        ) as rehearsal:
            options: dict[str, Any] = {
                "target": asked.targets,
                "target_dependents": asked.dependents,
            }
            if operation in {"preview", "up"}:
                options["replace"] = asked.replace
            result = getattr(rehearsal, operation)(**options)
            export = rehearsal.export(show_secrets=True)
            outputs = rehearsal.outputs.values
        steps: dict[str, list[str]] = {}
        for step in result.steps:
            if not step.internal:
                word = step.operation + (" failed" if step.failed else "")
                steps.setdefault(label(step.urn), []).append(word)
        calls, order = group_calls(
            [(c.method, c.request, c.response, c.error) for c in self._recorder.calls()]
        )
        state, pending = shape(export)
        return Act(
            operation,
            result.ok,
            dict(sorted(steps.items())),
            calls,
            order,
            mask(dict(outputs)),
            state,
            pending,
            sorted(
                f"{label(d.urn) if d.urn else '-'}: {mask(d.message.strip())}"
                for d in result.diagnostics
                if d.severity == "error"
            ),
            sorted(f"{v.level} {v.policy} {label(v.urn)}" for v in result.violations),
        )

    def rewrite(self, change: Callable[[dict[str, Any]], None]) -> None:
        stage = self._stage
        backend = self._folder / "backend"
        with Rehearsal(
            stage.program_dir, stage.stack, config=stage.config, backend=backend
        ) as rehearsal:
            export = rehearsal.export()
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
            backend=str(self._folder / "backend"),
            operation=operation,
        )
        return subprocess.Popen(
            [sys.executable, "-c", script],
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def jig(self, *args: str) -> subprocess.CompletedProcess[str]:
        stage = self._stage
        with Rehearsal(
            stage.program_dir, stage.stack, backend=self._folder / "backend"
        ) as rehearsal:
            file = rehearsal.state_file
        return run_jig(stage, {}, *args, "--file", str(file))

    def state(self, verb: str, urn: str) -> None:
        stage = self._stage
        with Rehearsal(
            stage.program_dir, stage.stack, backend=self._folder / "backend"
        ) as rehearsal:
            export = rehearsal.export(show_secrets=True)
            resources = export["deployment"]["resources"]
            (found,) = [item for item in resources if item["urn"] == urn]
            if verb == "taint":
                found["taint"] = True
            else:
                resources.remove(found)
            rehearsal.import_(export)

    def close(self) -> None:
        return


def run_jig(
    stage: Stage, env: dict[str, str], *args: str
) -> subprocess.CompletedProcess[str]:
    """Run `pulumi-jig`, knowing nothing of this machine's accounts and stacks."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TOGETHER_", "PULUMI_"))
    }
    return subprocess.run(
        [sys.executable, "-m", "pulumi_jig.cli", *args],
        cwd=stage.program_dir,
        env={**clean, **env, **stage.env},
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
            **{k: v for k, v in os.environ.items() if not k.startswith("PULUMI_")},
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{folder / 'backend'}",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_PYTHON_CMD": sys.executable,
            "PULUMI_DEBUG_COMMANDS": "true",
        }
        # The machine's own key must not stand in for one that a scenario took away.
        self._env = {
            k: v for k, v in self._env.items() if not k.startswith("TOGETHER_")
        }
        self._known: dict[tuple[str, str], set[str]] = {}

    def _pulumi(self, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pulumi", "--non-interactive", "--color", "never", *args],
            cwd=self._stage.program_dir,
            env={**self._env, **self._stage.env, **env},
            capture_output=True,
            text=True,
        )

    def _configure(self) -> None:
        stage = self._stage
        where = (stage.project, stage.stack)
        known = self._known.get(where, set())
        self._pulumi("stack", "select", "--create", stage.stack)
        for key in known - {*stage.config, *stage.secret_config}:
            self._pulumi("config", "rm", key)
        for key, text in stage.config.items():
            self._pulumi("config", "set", key, text)
        for key, text in stage.secret_config.items():
            self._pulumi("config", "set", "--secret", key, text)
        self._known[where] = {*stage.config, *stage.secret_config}

    def act(self, operation: str, asked: Asked) -> Act:
        self._configure()
        events = self._folder / "events.json"
        log = self._folder / "grpc.json"
        for path in (events, log):
            path.unlink(missing_ok=True)
        args = [operation, "--event-log", str(events), "--suppress-progress"]
        if operation != "preview":
            args += ["--yes", "--skip-preview"]
        for urn in asked.replace:
            args += ["--replace", urn]
        for urn in asked.targets:
            args += ["--target", urn]
        if asked.dependents:
            args.append("--target-dependents")
        if asked.parallel:
            args += ["--parallel", str(asked.parallel)]
        packs = self._stage.policy_packs if operation in {"preview", "up"} else []
        for folder, config in packs:
            args += ["--policy-pack", str(folder)]
            if config:
                args += ["--policy-pack-config", str(config)]
        done = self._pulumi(*args, PULUMI_DEBUG_GRPC=str(log))
        if not events.exists():
            raise RuntimeError(done.stdout + done.stderr)
        export = json.loads(self._pulumi("stack", "export", "--show-secrets").stdout)
        outputs = json.loads(
            self._pulumi("stack", "output", "--json", "--show-secrets").stdout or "{}"
        )
        steps, errors, violations = read_events(events)
        calls, order = group_calls(read_log(log))
        state, pending = shape(export)
        return Act(
            operation,
            done.returncode == 0,
            steps,
            calls,
            order,
            mask(outputs),
            state,
            pending,
            errors,
            violations,
        )

    def rewrite(self, change: Callable[[dict[str, Any]], None]) -> None:
        file = self._folder / "rewritten.json"
        self._pulumi("stack", "export", "--file", str(file))
        export = json.loads(file.read_text())
        change(export)
        file.write_text(json.dumps(export))
        done = self._pulumi("stack", "import", "--file", str(file))
        assert done.returncode == 0, done.stderr

    def begin(self, operation: str, output: IO[str]) -> subprocess.Popen[str]:
        self._configure()
        command = ["pulumi", "--non-interactive", "--color", "never", operation]
        return subprocess.Popen(
            [*command, "--yes", "--skip-preview"],
            cwd=self._stage.program_dir,
            env={**self._env, **self._stage.env},
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def jig(self, *args: str) -> subprocess.CompletedProcess[str]:
        # A run that was killed leaves its lock; nothing else of this stack runs now.
        self._pulumi("cancel", "--yes")
        return run_jig(self._stage, self._env, *args)

    def state(self, verb: str, urn: str) -> None:
        done = self._pulumi("state", verb, urn, "--yes")
        assert done.returncode == 0, done.stderr

    def close(self) -> None:
        return


def read_events(path: Path) -> tuple[dict[str, list[str]], list[str], list[str]]:
    """Steps, errors and violations in the engine's event log."""
    steps: dict[str, list[str]] = {}
    errors: list[str] = []
    violations: list[str] = []
    for line in path.read_text().splitlines():
        event = json.loads(line)
        for kind, suffix in (("resOutputsEvent", ""), ("resOpFailedEvent", " failed")):
            if kind in event:
                data = event[kind]["metadata"]
                if label(data["urn"]) in {"pulumi-python default", "pulumi default"}:
                    continue
                taken = steps.setdefault(label(data["urn"]), [])
                # The outputs of the stack and of components are an event of their own.
                if data["new"] and not data["new"].get("custom") and taken:
                    continue
                taken.append(data["op"] + suffix)
        if "diagnosticEvent" in event:
            data = event["diagnosticEvent"]
            if data["severity"] == "error" and not data.get("ephemeral"):
                text = re.sub(r"<\{%.*?%\}>", "", data["message"]).strip()
                text = text.removeprefix("error: ")
                if text in {"update failed", "preview failed"}:
                    continue  # What the command says at its end, whatever happened.
                name = label(data["urn"]) if data.get("urn") else "-"
                errors.append(f"{name}: {mask(text)}")
        if "policyRemediationEvent" in event:
            data = event["policyRemediationEvent"]
            name = label(data["resourceUrn"])
            violations.append(f"remediate {data['policyName']} {name}")
        if "policyEvent" in event:
            data = event["policyEvent"]
            name = label(data["resourceUrn"])
            violations.append(f"{data['enforcementLevel']} {data['policyName']} {name}")
    return dict(sorted(steps.items())), sorted(errors), sorted(violations)


def read_log(
    path: Path,
) -> list[tuple[str, dict[str, Any], dict[str, Any] | None, str | None]]:
    """
    Provider calls in the engine's gRPC log, in the order in which they began.

    The log has a line when a call begins, without an answer, and one when it ends.
    """
    begun: list[tuple[str, str]] = []
    ended: dict[tuple[str, str], list[tuple[Any, str | None]]] = {}
    if not path.exists():
        return []
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        service, _, method = entry["method"].rpartition("/")
        if not service.endswith("ResourceProvider") or method not in PROVIDER_CALLS:
            continue
        key = (method, json.dumps(entry["request"], sort_keys=True))
        errors = entry.get("errors")
        if entry.get("response") is None and not errors:
            begun.append(key)
            continue
        error = None
        if errors:
            error = str(errors[0]).partition("desc = ")[2]
        ended.setdefault(key, []).append((entry.get("response"), error))
    calls = []
    for key in begun:
        answers = ended.get(key)
        response, error = answers.pop(0) if answers else (None, None)
        calls.append((key[0], json.loads(key[1]), response, error))
    return calls


# ------------------------------------------------------------------------------ stage


class Stage:
    """Where a scenario plays: a program whose plan it changes, and a toy world."""

    def __init__(self, folder: Path, engine: str) -> None:
        self.folder = folder
        self.program_dir = folder / "program"
        shutil.copytree(HERE / "generic", self.program_dir)
        self.project_settings: dict[str, Any] = {}
        self.move(PROJECT, STACK)
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

    # -- what a scenario says

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

    def faults(self, **words: str) -> None:
        """What the provider does wrong: `create_a="raise"`."""
        data = {key.replace("_", ":", 1): word for key, word in words.items()}
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

    # -- operations

    def preview(self, replace: list[str] | None = None, **asked: Any) -> Act:
        """Preview, and note the act."""
        return self._act("preview", replace=replace or [], **asked)

    def up(self, replace: list[str] | None = None, **asked: Any) -> Act:
        """Update, and note the act."""
        return self._act("up", replace=replace or [], **asked)

    def refresh(self, **asked: Any) -> Act:
        """Refresh, and note the act."""
        return self._act("refresh", **asked)

    def destroy(self, **asked: Any) -> Act:
        """Destroy, and note the act."""
        return self._act("destroy", **asked)

    def rewrite(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the exported state, and import it."""
        self._engine.rewrite(change)

    def begin(self, operation: str, output: IO[str]) -> subprocess.Popen[str]:
        """Begin an operation in a process of its own, to be interrupted."""
        return self._engine.begin(operation, output)

    def jig(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run `pulumi-jig` on the stack."""
        return self._engine.jig(*args)

    def taint(self, urn: str) -> None:
        """Have the next `up` replace a resource: `pulumi state taint`."""
        self._engine.state("taint", urn)

    def forget(self, urn: str) -> None:
        """Take a resource out of the state: `pulumi state delete`."""
        self._engine.state("delete", urn)

    def _act(self, operation: str, **asked: Any) -> Act:
        act = self._engine.act(operation, Asked(**asked))
        self.acts.append(act)
        return act

    def close(self) -> None:
        """Release the engine."""
        self._engine.close()

    def transcript(self) -> list[dict[str, Any]]:
        """All acts as plain data, folders masked."""
        text = json.dumps([asdict(act) for act in self.acts])
        acts: list[dict[str, Any]] = json.loads(
            text.replace(str(self.folder), "<folder>")
        )
        return acts
