"""Programs, stacks and the command line, for the tests of command line tools."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processes import descendants, wait

from pulumi_jig.cli.state_export import decrypted
from pulumi_jig.config import Settings
from pulumi_jig.deadline import Deadline
from pulumi_jig.lifecycle.deployment.inputs import create_body
from pulumi_jig.naming import DEPLOYMENT_TYPE
from pulumi_jig.rehearsal import Rehearsal
from pulumi_jig.values import reveal

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi_jig.client import JigClient

KEY = "key-of-the-workspace"
#: What a state remembers of that key.
OWN_KEY = Settings(api_key=KEY).key_fingerprint
CANARY = "canary-7f3a-never-in-clear"
SHOP = "name: shop\nruntime:\n  name: python\n  options:\n    toolchain: pip\n"


def clean_environment() -> dict[str, str]:
    """The environment without whatever the machine knows of accounts and stacks."""
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("TOGETHER_", "PULUMI_")) and key != "NO_COLOR"
    }


def names(client: JigClient) -> list[str]:
    """All deployments of the account."""
    return sorted(str(item.name) for item in client.deployments.list(Deadline(30)))


@dataclass
class Workspace:
    """A program in a folder, a stack of it in a file, and the command line."""

    folder: Path
    url: str
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        return self.folder.parent / "state.json"

    @property
    def env(self) -> dict[str, str]:
        return {"TOGETHER_API_KEY": KEY, "TOGETHER_BASE_URL": self.url}

    def write(self, source: str) -> None:
        text = "import pulumi\nfrom pulumi_jig import Deployment\n"
        text += textwrap.dedent(source)
        (self.folder / "__main__.py").write_text(text)

    def stack(self, name: str = "dev") -> Rehearsal:
        """The rehearsed stack."""
        return Rehearsal(
            self.folder,
            name,
            env=self.env,
            secret_config=self.secrets,
            state_file=self.state,
        )

    def jig(
        self, *args: str, tries: int = 1, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `pulumi-jig` in the program's folder."""
        return subprocess.run(
            [sys.executable, "-m", "pulumi_jig.cli", *args],
            cwd=self.folder,
            env={**clean_environment(), **self.env, **env},
            capture_output=True,
            text=True,
            timeout=90,
        )


@dataclass
class Engine(Workspace):
    """The same on the real engine."""

    home: Path = Path()

    @property
    def env(self) -> dict[str, str]:
        return {
            **super().env,
            "PULUMI_HOME": str(self.home / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.home / 'backend'}",
            "PULUMI_CONFIG_PASSPHRASE": "not a secret",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_PYTHON_CMD": sys.executable,
        }

    def pulumi(self, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pulumi", "--non-interactive", "--color", "never", *args],
            cwd=self.folder,
            env={**clean_environment(), **self.env},
            capture_output=True,
            text=True,
        )

    def is_empty(self) -> bool:
        """Whether a preview has nothing to do."""
        done = self.pulumi("preview", "--expect-no-changes")
        print(done.stdout, done.stderr)
        return done.returncode == 0

    def killed_up(self, until: Callable[[], bool], whom: str) -> None:
        """Run `pulumi up` and kill it (`run`) or its plugin (`plugin`)."""
        process = subprocess.Popen(
            ["pulumi", "--non-interactive", "up", "--yes", "--skip-preview"],
            cwd=self.folder,
            env={**clean_environment(), **self.env},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait(until)
        if whom == "run":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            for plugin in descendants(process.pid, "pulumi.dynamic"):
                os.kill(plugin, signal.SIGKILL)
        process.wait(timeout=60)


def steps(result: Any) -> dict[str, str]:
    """What an operation did to each resource that it changed."""
    return {
        step.name: step.operation
        for step in result.steps
        # The engine hides its own steps as well: providers take the configuration.
        if step.operation != "same" and not step.internal
    }


@dataclass
class Template:
    """A stack that was brought up once, to be put back for each test."""

    state: dict[str, Any]
    key: str
    inputs: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, folder: Path, url: str, source: str, **secrets: str) -> Template:
        """Bring a program's stack up."""
        folder.mkdir()
        (folder / "Pulumi.yaml").write_text(SHOP)
        workspace = Workspace(folder, url, secrets)
        workspace.write(source)
        with workspace.stack() as stack:
            stack.up().raise_if_failed()
            clear = stack.export(show_secrets=True)["deployment"]["resources"]
        return cls(
            json.loads(workspace.state.read_text()),
            workspace.state.with_name("state.json.key").read_text(),
            {r["urn"]: decrypted(r.get("inputs") or {}) for r in clear},
        )

    def put(self, workspace: Workspace, client: JigClient) -> None:
        """Put deployments and state back, as the `up` left them."""
        state = json.loads(json.dumps(self.state))
        ctx = Deadline(30)
        for resource in state["deployment"]["resources"]:
            if resource["type"] != DEPLOYMENT_TYPE:
                continue
            urn = resource["urn"]
            body = create_body(reveal(self.inputs[urn]), urn)
            client.deployments.create(body, ctx)
            item = client.deployments.get(body["name"], ctx)
            resource["outputs"] |= {
                "deployment_id": item.id,
                "revision_id": item.revision_id,
                "created_at": item.created_at,
                "updated_at": item.updated_at,
            }
        workspace.state.write_text(json.dumps(state))
        workspace.state.with_name("state.json.key").write_text(self.key)
