"""One life of a Deployment, a Secret and a Volume through `pulumi`, on the same service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from service import DEPLOYMENTS, SECRETS, VOLUMES, Service

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.engine, pytest.mark.live]

PROGRAM = """
import os

import pulumi
from pulumi_jig import Deployment, Secret, Volume

settings = pulumi.Config()
token = Secret("token", name=settings.require("secret"), value=settings.require_secret("value"))
mounts = {}
if settings.get("files"):
    weights = Volume("weights", name=settings.require("volume"),
                     content={"source_prefix": settings.require("files")})
    mounts = {"/models": weights}
app = Deployment(
    "app",
    name=settings.require("name"),
    image=settings.require("image"),
    gpu_type="none",
    cpu=0.1, memory=0.5, storage=1, port=8000,
    args=settings.get_object("args"),
    environment_variables={"TOKEN": token},
    volumes=mounts or None,
)
pulumi.export("id", app.deployment_id)
"""


class Stack:
    """The program as a stack of the file backend."""

    def __init__(self, folder: Path, service: Service) -> None:
        self.folder = folder / "program"
        self.folder.mkdir()
        (folder / "backend").mkdir()
        (self.folder / "Pulumi.yaml").write_text("name: life\nruntime: python\n")
        (self.folder / "__main__.py").write_text(PROGRAM)
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PULUMI_", "TOGETHER_"))
        }
        self.env = {
            **clean,
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{folder / 'backend'}",
            "PULUMI_CONFIG_PASSPHRASE": "life",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_PYTHON_CMD": sys.executable,
            "TOGETHER_BASE_URL": service.settings.url,
            "TOGETHER_API_KEY": service.settings.key,
        }

    def __call__(self, *words: str) -> str:
        """Run `pulumi` to a good end; what it printed."""
        done = subprocess.run(
            ["pulumi", "--non-interactive", "--color", "never", *words],
            cwd=self.folder, env=self.env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return done.stdout


def test_a_life_through_pulumi_is_green_settled_and_leaves_nothing(
    service: Service, tmp_path: Path
) -> None:
    """Up, an empty preview, a change that rolls, an empty refresh, destroy."""
    stack = Stack(tmp_path, service)
    stack("stack", "init", "life")
    names = {key: service.name() for key in ("name", "secret", "volume")}
    told: dict[str, Any] = {**names, "image": service.settings.image}
    told["files"] = service.settings.files
    for key, value in told.items():
        stack("config", "set", "--plaintext", key, value)
    stack("config", "set", "--secret", "value", "canary-7f3a-hidden")
    try:
        stack("up", "--yes", "--skip-preview")
        found = service.get(names["name"])
        assert (found["status"], found["ready_replicas"]) == ("Ready", 1)
        shown = json.loads(stack("stack", "output", "--json"))
        assert shown == {"id": found["id"]}
        stack("preview", "--expect-no-changes")
        stack("config", "set", "--path", "args[0]", "verbose")
        stack("up", "--yes", "--skip-preview")
        assert service.get(names["name"])["args"] == ["verbose"]
        stack("refresh", "--yes", "--skip-preview", "--expect-no-changes")
        stack("preview", "--expect-no-changes")
        assert "canary-7f3a" not in stack("stack", "export")
    finally:
        stack("destroy", "--yes", "--skip-preview")
    for path in (DEPLOYMENTS, SECRETS, VOLUMES):
        assert not set(names.values()) & set(service.left(path))
