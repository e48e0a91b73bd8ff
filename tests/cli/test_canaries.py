"""One story in which everything goes wrong, and nothing of it shows a secret."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from programs import KEY, SHOP, Workspace

from pulumi_jig.client import JigClient
from pulumi_jig.config import Settings
from pulumi_jig.deadline import Deadline
from pulumi_jig.emulator import RunningEmulator, start
from pulumi_jig.rehearsal import Rehearsal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulumi_jig.rehearsal.results import Result

ROOT = Path(__file__).parents[2]
TOKEN = 'canary-token"with/odd+letters'
PEM = "-----BEGIN KEY-----\ncanary-line-one\ncanary-line-two\n-----END KEY-----"
#: What somebody else puts into a variable behind our back.
FOREIGN = "canary-of-a-colleague"
KEPT = "canary-kept-by-the-service"
PROGRAM = """
    from pulumi_jig import Secret
    config = pulumi.Config()
    token, pem = config.require_secret("token"), config.require_secret("pem")
    kept = Secret("kept", name="hf-token", value=config.require_secret("kept"), VERSION)
    Deployment(
        "llm", image="registry.together.ai/p/IMAGE:1", gpu_type="h100-80gb", gpu_count=1,
        name="llm-one", args=["--token", token], description="Made for a story.",
        environment_variables={"LEVEL": "info", "TOKEN": token, "PEM": pem, "KEPT": kept},
    )
"""


def forms(secret: str) -> Iterator[str]:
    """A secret as it is and as things write it: line by line, escaped, encoded."""
    for piece in [secret, *(line for line in secret.splitlines() if "canary" in line)]:
        yield piece
        yield json.dumps(piece)[1:-1]
        yield quote(piece, safe="")
        yield base64.b64encode(piece.encode()).decode().rstrip("=")


def told(result: Result) -> str:
    """All that people see of an operation, lines that were overwritten included."""
    return "\n".join(
        [
            *(d.message for d in result.diagnostics),
            *(v.message for v in result.violations),
            *(repr(step) for step in result.steps),
        ]
    )


class Story:
    """A workspace, and every word that was said there."""

    def __init__(self, folder: Path, emulator: RunningEmulator) -> None:
        secrets = {"token": TOKEN, "pem": PEM, "kept": KEPT}
        self.workspace = Workspace(folder, emulator.url, secrets)
        self.words: list[str] = []

    def plan(self, image: str, version: int) -> None:
        """Write the program."""
        text = PROGRAM.replace("IMAGE", image)
        self.workspace.write(text.replace("VERSION", f"version={version}"))

    def act(self, operation: str, *packs: Path) -> bool:
        """Run an operation on the stack; whether it succeeded."""
        with Rehearsal(
            self.workspace.folder,
            "prod",
            env=self.workspace.env,
            secret_config=self.workspace.secrets,
            state_file=self.workspace.state,
            policy_packs=packs,
        ) as stack:
            result = getattr(stack, operation)()
            self.words += [json.dumps(stack.export()), told(result)]
        return bool(result.ok)

    def ask(self, *args: str) -> None:
        """Run a command on the state."""
        done = self.workspace.jig(*args, str(self.workspace.state))
        assert done.returncode in (0, 1), done.stderr
        self.words += [done.stdout, done.stderr]

    def break_everything(self, emulator: RunningEmulator) -> None:
        """Let the service quote, containers crash, and people meddle."""
        admin = emulator.admin
        of_secret = {"error": {"message": f"bad request: value={KEPT}"}}
        said = f"bad request: TOKEN={TOKEN} PEM={PEM} args={json.dumps(TOKEN)}"
        quoted = {"error": {"message": said}}
        self.plan("llm", 1)
        admin.fault("POST", "/deployments/secrets", status=400, body=of_secret)
        assert not self.act("up")
        assert "bad request" in self.words[-1]
        assert not self.act("up", ROOT / "policies" / "gpu-guardrails")
        assert "argument" in self.words[-1]
        admin.fault("POST", "/deployments", status=400, body=quoted)
        assert not self.act("up")
        assert "bad request" in self.words[-1]
        assert self.act("up")
        live = admin.view("llm-one")["environment_variables"]
        kept = [v for v in live if not v["name"].startswith("TOGETHER_")]
        foreign = {"name": "OTHER", "value": FOREIGN}
        admin.patch("llm-one", {"environment_variables": [*kept, foreign]})
        self.ask("drift", "--file")
        self.ask("drift", "--json", "--file")
        assert self.act("refresh")
        self.plan("crashloop", 2)
        assert not self.act("up")
        assert "crashing" in self.words[-1]
        self.ask("policy", "audit")
        self.ask("orphans", "--file")
        self.ask("recover", "--file")
        self.adopt(emulator)
        admin.fault("DELETE", "/deployments/*", status=400, body=quoted)
        assert not self.act("destroy")
        assert self.act("destroy")
        admin.clear_faults()  # They are ours, and hold what we put in.
        self.words += [json.dumps(admin.dump()), json.dumps(admin.requests())]

    def adopt(self, emulator: RunningEmulator) -> None:
        """Import what nobody manages."""
        client = JigClient(Settings(api_key=KEY, base_url=emulator.url))
        body = {
            "name": "old-app",
            "image": "r/app:1",
            "gpu_type": "none",
            "environment_variables": [
                {"name": "TOKEN", "value": TOKEN},
                {"name": "PEM", "value": PEM},
            ],
        }
        client.deployments.create(body, Deadline(30))
        client.close()
        done = self.workspace.jig("import", "old-app")
        assert done.returncode == 0, done.stderr
        self.words += [done.stdout, done.stderr]


@pytest.mark.timeout(300)  # Some twenty processes, one after the other.
def test_nothing_that_is_written_holds_a_secret(tmp_path: Path) -> None:
    """
    Case S1: state, previews, logs, errors, policies, drift, import and recovery.

    The service quotes what was sent, containers crash, somebody adds a variable, an
    update and a deletion fail: whatever is said of it, and whatever is on disk
    afterwards (the import file, the state's own key and the service's own memory
    apart), no value stands there in any form.
    """
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(SHOP)
    with start(
        time_scale=0, log=tmp_path / "emulator.log", state=tmp_path / "emulator.db"
    ) as emulator:
        story = Story(folder, emulator)
        story.break_everything(emulator)

    imported = folder / "import.json"
    files = {
        path.name: path.read_bytes().decode(errors="replace")
        for path in tmp_path.rglob("*")
        if path.is_file()
        and not path.name.startswith("emulator.db")
        and path.suffix != ".key"
        and path != imported
    }
    assert {"state.json", "emulator.log", "imported.py"} <= files.keys()
    everything = [*files.items(), *enumerate(story.words)]
    assert [] == [
        (where, form)
        for secret in (TOKEN, PEM, KEPT, FOREIGN, KEY)
        for form in forms(secret)
        for where, text in everything
        if form in text
    ]
