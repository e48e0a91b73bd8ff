"""
The demo: one GPU deployment from nothing to nothing, on this machine alone.

Runs `examples/quickstart` against the emulator: preview, up, a change, a preview that
must be empty, destroy, and a look that nothing is left. Done by the `pulumi` command
where it is installed, else rehearsed; the first line says which. No account, no key, no
GPU; nothing but loopback is reached, and no variable, stack or login of yours is used.

    python examples/demo.py
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pulumi_jig.emulator import start
from pulumi_jig.rehearsal import Rehearsal, RehearsalError
from pulumi_jig.rehearsal.display import Paint, Progress, heading, report

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi_jig.emulator import RunningEmulator
    from pulumi_jig.rehearsal import Result

HERE: Final = Path(__file__).resolve().parent
PROGRAM: Final = HERE / "quickstart"
PACK: Final = HERE.parent / "policies" / "gpu-guardrails"
PROFILE: Final = HERE.parent / "policies" / "profiles" / "dev.json"
STACK: Final = "demo"
#: Real seconds per second of the service: a roll-out of a minute takes about one.
TIME_SCALE: Final = 0.02
#: Any key will do; the emulator takes each for an account of its own.
KEY: Final = "acct:demo:demo-key"
#: The policy that refuses eight GPUs in dev, and what it says of them.
POLICY: Final = "jig-gpu-count"
REASON: Final = "must not have more than 2 GPUs per replica; gpu_count is 8"


class DemoError(Exception):
    """A step did not do what the demo promises."""


def say(text: str) -> None:
    """One line of narration."""
    print(f"\n# {text}", flush=True)


def must_be_refused(
    ok: bool, violations: list[tuple[str, str, str]], errors: list[str]
) -> None:
    """
    Hold a preview to the refusal that the demo promises.

    A preview that fails for another reason (a pack that cannot start, say) has shown
    nothing of the guardrails.

    Args:
        ok: Whether the preview passed.
        violations: Level, policy and message of each.
        errors: What else went wrong.
    """
    if ok:
        raise DemoError("the guardrails let it pass.")
    if errors:
        raise DemoError(f"the preview failed for another reason: {errors[0]}")
    if not any(
        level == "mandatory" and policy == POLICY and REASON in message
        for level, policy, message in violations
    ):
        raise DemoError(f"the preview failed, but {POLICY} did not refuse it.")


class ByPulumi:
    """The demo by the real `pulumi` command, with a home and a backend of its own."""

    def __init__(self, folder: Path, emulator: RunningEmulator) -> None:
        self._program = folder / "quickstart"
        shutil.copytree(PROGRAM, self._program)
        backend = folder / "backend"
        backend.mkdir()
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TOGETHER_", "PULUMI_"))
        }
        self._env = {
            **inherited,
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{backend}",
            "PULUMI_CONFIG_PASSPHRASE": "demo",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_PYTHON_CMD": sys.executable,
            # For --event-log, which says in a structure what is printed as text.
            "PULUMI_DEBUG_COMMANDS": "true",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{inherited['PATH']}",
            # Nothing but this machine is reached, whatever a plugin would like.
            "HTTP_PROXY": "http://127.0.0.1:9",
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1,localhost",
            "TOGETHER_BASE_URL": emulator.url,
            "TOGETHER_API_KEY": KEY,
        }
        self._events = folder / "events.json"
        self._run("stack", "init", STACK, quiet=True)

    def _run(self, *words: str, quiet: bool = False, events: bool = False) -> bool:
        if not quiet:
            print(f"$ pulumi {' '.join(words)}", flush=True)
        log = ["--event-log", str(self._events)] if events else []
        done = subprocess.run(  # noqa: S603 - the user's own `pulumi`
            ["pulumi", "--non-interactive", *words, *log],  # noqa: S607 - from PATH
            cwd=self._program,
            env=self._env,
            stdout=subprocess.PIPE if quiet else None,
            stderr=subprocess.STDOUT if quiet else None,
            check=False,
            text=True,
        )
        if quiet and done.returncode:
            raise DemoError(f"`pulumi {words[0]}` failed: {done.stdout}")
        return done.returncode == 0

    def _must(self, *words: str) -> None:
        if not self._run(*words):
            raise DemoError(f"`pulumi {' '.join(words)}` failed.")

    def preview(self) -> None:
        """Say what would happen."""
        self._must("preview")

    def up(self) -> None:
        """Do it; shown in the preview before."""
        self._must("up", "--yes", "--skip-preview", "--suppress-progress")

    def configure(self, key: str, value: str) -> None:
        """Set a value of the stack's configuration."""
        self._must("config", "set", key, value)

    def preview_empty(self) -> None:
        """A preview that must find nothing to do."""
        self._must("preview", "--expect-no-changes")

    def refused(self) -> None:
        """A preview under the guardrails that must fail, and for their reason."""
        ok = self._run(
            "preview",
            "--policy-pack",
            str(PACK),
            "--policy-pack-config",
            str(PROFILE),
            events=True,
        )
        violations, errors = [], []
        lines = self._events.read_text() if self._events.exists() else ""
        for event in map(json.loads, lines.splitlines()):
            if found := event.get("policyEvent"):
                level, policy = found["enforcementLevel"], found["policyName"]
                violations.append((level, policy, found["message"]))
            found = event.get("diagnosticEvent", {})
            text = re.sub(r"<\{%.*?%\}>", "", found.get("message", "")).strip()
            # The command ends every preview that failed with this one.
            closing = text.endswith("preview failed")
            if found.get("severity") == "error" and not closing:
                errors.append(text)
        must_be_refused(ok, violations, errors)

    def destroy(self) -> None:
        """Take everything down."""
        self._must("destroy", "--yes", "--skip-preview", "--suppress-progress")

    def close(self) -> None:
        """Release everything."""


class ByRehearsal:
    """The demo without the `pulumi` command: real plugin host, real wire format."""

    def __init__(self, folder: Path, emulator: RunningEmulator) -> None:
        self._state = folder / "state.json"
        self._config: dict[str, str] = {}
        self._env = {"TOGETHER_BASE_URL": emulator.url, "TOGETHER_API_KEY": KEY}
        self._paint = Paint(sys.stdout)

    def _act(
        self,
        kind: str,
        operate: Callable[[Rehearsal], Result],
        *,
        guarded: bool = False,
    ) -> Result:
        print(heading(kind, STACK, self._paint), flush=True)
        progress = Progress(sys.stdout)
        progress.quiet = kind == "preview"
        with Rehearsal(
            PROGRAM,
            STACK,
            config=self._config,
            env=self._env,
            state_file=self._state,
            policy_packs=[(PACK, PROFILE)] if guarded else [],
            watchers=[progress],
        ) as rehearsal:
            progress.begin()
            try:
                result = operate(rehearsal)
            finally:
                progress.end()
        print(report(result, self._paint), flush=True)
        return result

    def _must(self, kind: str, operate: Callable[[Rehearsal], Result]) -> Result:
        result = self._act(kind, operate)
        if not result.ok:
            raise DemoError(f"{kind} failed.")
        return result

    def preview(self) -> None:
        """Say what would happen."""
        self._must("preview", lambda stack: stack.preview())

    def up(self) -> None:
        """Do it; shown in the preview before."""
        self._must("up", lambda stack: stack.up())

    def configure(self, key: str, value: str) -> None:
        """Set a value of the stack's configuration."""
        print(f"configuration: {key} = {value}")
        self._config[key] = value

    def preview_empty(self) -> None:
        """A preview that must find nothing to do."""
        if not self._must("preview", lambda stack: stack.preview()).is_empty:
            raise DemoError("the preview after the update is not empty.")

    def refused(self) -> None:
        """A preview under the guardrails that must fail, and for their reason."""
        result = self._act("preview", lambda stack: stack.preview(), guarded=True)
        violations = [(v.level, v.policy, v.message) for v in result.violations]
        must_be_refused(result.ok, violations, list(result.errors))

    def destroy(self) -> None:
        """Take everything down."""
        self._must("destroy", lambda stack: stack.destroy())

    def close(self) -> None:
        """Release everything."""


def demo() -> None:
    """Play the demo; raises `DemoError` where a step breaks its promise."""
    by_pulumi = shutil.which("pulumi") is not None
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        emulator = stack.enter_context(start(time_scale=TIME_SCALE))
        engine = (ByPulumi if by_pulumi else ByRehearsal)(folder, emulator)
        stack.callback(engine.close)
        if by_pulumi:
            print("Run by the `pulumi` command that is installed here,", end=" ")
        else:
            print("Rehearsed, since there is no `pulumi` command here,", end=" ")
        print(f"against an emulator of the API at {emulator.url}.")
        say("What would happen?")
        engine.preview()
        say("Bring it up, and wait until it serves.")
        engine.up()
        say("Two replicas instead of one.")
        engine.configure("replicas", "2")
        engine.preview()
        engine.up()
        say("Nothing left to do: the next preview is empty.")
        engine.preview_empty()
        if PACK.is_dir() and PROFILE.is_file():
            say("Eight GPUs in dev? The guardrails say no, before anything is made.")
            engine.configure("replicas", "1")
            engine.configure("gpus", "8")
            engine.refused()
        say("Take it down.")
        engine.destroy()
        left = emulator.admin.deployments()
        if left:
            raise DemoError(f"{len(left)} deployments are still there.")
        say("The service holds no deployment any more: nothing is left to bill.")


def main() -> int:
    """Play the demo; 0 if every step kept its promise."""
    try:
        demo()
    except (DemoError, RehearsalError) as error:
        print(f"The demo stopped: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; nothing is left behind.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
