"""
The vendor's own SDK and CLI, unmodified, against the emulator.

They are clients written by somebody who knows the real service, which we do not. The
`together` package is needed in this interpreter, or in the one that
PULUMI_JIG_TOGETHER_PYTHON names.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pulumi_jig.emulator import start

PYTHON = os.environ.get("PULUMI_JIG_TOGETHER_PYTHON") or (
    sys.executable if importlib.util.find_spec("together") else ""
)
pytestmark = pytest.mark.skipif(
    not PYTHON, reason="the vendor's SDK (together 3.1.1) is not installed"
)

SDK = """
import json, sys
from together import Together, BadRequestError, NotFoundError
client = Together(max_retries=0)
jig, said = client.beta.jig, {}
secret = jig.secrets.create(name="sdk-token", value="v1", ttl_seconds=86400)
jig.secrets.update("sdk-token", value="v2")
said["secrets"] = [s.name for s in jig.secrets.list().data]
volume = jig.volumes.create(
    name="sdk-weights", type="readOnly",
    content={"type": "files", "source_prefix": "sdk-weights/0"})
jig.volumes.update(
    "sdk-weights", content={"type": "files", "source_prefix": "sdk-weights/1"})
said["version"] = jig.volumes.retrieve(volume.id).current_version
made = jig.deploy(
    name="sdk-app", image="r/app:1", gpu_type="h100-80gb", gpu_count=1,
    min_replicas=1, max_replicas=2, port=8000, health_check_path="/health",
    capacity_type="preemptible",
    autoscaling={"metric": "QueueBacklogPerWorker", "target": 1.05},
    environment_variables=[
        {"name": "A", "value": "1"},
        {"name": "T", "value_from_secret": "sdk-token"}],
    volumes=[{"name": "sdk-weights", "mount_path": "/w", "version": 0}])
said["made"] = [made.status, made.autoscaling.target, made.volumes[0].version]
said["expires"] = made.environment_variables[1].value_from_secret_expires_at is not None
try:
    jig.deploy(name="sdk-app", image="r/app:1", gpu_type="h100-80gb")
except BadRequestError as error:
    said["taken"] = "already exists" in str(error)
said["ready"] = jig.retrieve("sdk-app").status
said["events"] = [
    bool(e.replica_ready_since) for e in jig.retrieve(made.id).replica_events.values()]
changed = jig.update("sdk-app", image="r/app:2", autoscaling={}, volumes=[])
said["changed"] = [changed.status, changed.autoscaling, changed.volumes]
history = jig.list_revisions("sdk-app", limit=5)
said["actions"] = [event.action for event in history.data]
first = jig.retrieve_revision("1", id="sdk-app")
said["first"] = [first.image, first.port, first.autoscaling.metric]
said["back"] = jig.rollback("sdk-app", revision_identifier="1").image
said["logs"] = len(jig.retrieve_logs("sdk-app").lines) > 0
said["list"] = [d.name for d in jig.list().data]
jig.destroy("sdk-app")
try:
    jig.retrieve("sdk-app")
except NotFoundError:
    said["gone"] = True
jig.volumes.delete("sdk-weights")
jig.secrets.delete("sdk-token")
who = client.whoami()
said["who"] = [type(who).__name__, who.project.id]
print(json.dumps(said))
"""

JIG = """
[project]
name = "cli-app"
[tool.jig.deploy]
image = "r/app:1"
gpu_type = "h100-80gb"
gpu_count = 1
min_replicas = 1
max_replicas = 2
[[tool.jig.deploy.volume_mounts]]
name = "cli-weights"
mount_path = "/w"
[tool.jig.deploy.environment_variables]
A = "1"
[tool.jig.deploy.autoscaling]
metric = "QueueBacklogPerWorker"
target = 1.05
"""


@pytest.fixture
def emulator():
    """Run an emulator on which every transition is over at once."""
    with start(time_scale=0) as running:
        yield running


@pytest.fixture
def run(emulator, tmp_path):
    """Return a way to run a command with the emulator as the service."""
    (tmp_path / "pyproject.toml").write_text(JIG)

    def run(*command):
        return subprocess.run(
            command,
            cwd=tmp_path,
            env={
                "HOME": str(tmp_path),
                "PATH": "/usr/bin:/bin",
                "TOGETHER_API_KEY": "acct:vendor:1",
                "TOGETHER_BASE_URL": emulator.url,
                "TOGETHER_TELEMETRY_DISABLED": "1",
                "TOGETHER_DISABLE_VERSION_CHECK": "1",
                "CI": "1",
                "NO_COLOR": "1",
            },
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def test_the_vendors_sdk_runs_every_noun(run):
    """
    Create, read, change, list, roll back and delete, all decoded by its types (Case
    M3).
    """
    done = run(PYTHON, "-c", SDK)

    assert done.returncode == 0, done.stderr
    assert {
        "secrets": ["sdk-token"],
        "version": 1,
        "made": ["Updating", 1.05, 0],
        "expires": True,
        "taken": True,
        "ready": "Ready",
        "events": [True],
        "changed": ["Updating", None, []],
        "actions": ["update", "create"],
        "first": ["r/app:1", 8000, "QueueBacklogPerWorker"],
        "back": "r/app:1",
        "logs": True,
        "list": ["sdk-app"],
        "gone": True,
        "who": ["WhoamiProjectAPIKey", "proj_vendor"],
    } == json.loads(done.stdout)


def test_the_vendors_cli_deploys_changes_and_destroys(run, emulator):
    """
    Its own tracking says that the deployment is ready, and why another is not (Case
    M3).
    """
    tool = str(Path(PYTHON).parent / "tg")

    def jig(*arguments):
        done = run(tool, "beta", "jig", *arguments)
        return done.returncode, done.stdout + done.stderr

    s3 = ("--source", "s3://b/w", "--aws-oidc-role-arn")
    role = "arn:aws:iam::123456789012:role/x"
    code, said = jig("volumes", "create", "--name", "cli-weights", *s3, role, "--watch")
    assert (0, True) == (code, "is ready" in said), said
    code, said = jig("secrets", "set", "--name", "TOKEN", "--value", "canary")
    assert code == 0, said
    code, said = jig("deploy", "--image", "r/app:1")
    assert (0, True) == (code, "Deployment successful!" in said), said
    code, said = jig("deploy", "--image", "r/crashloop:2")
    assert (True, True) == (code != 0, "crash looping" in said), said
    assert "the model failed to load" in said
    code, said = jig("status")
    assert (0, True) == (code, "cli-app" in said), said
    code, said = jig("destroy")
    assert code == 0, said

    assert [] == emulator.admin.deployments()
