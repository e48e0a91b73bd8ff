"""The example `build-and-deploy`, with Pulumi's mocks: it needs Docker and a registry."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pulumi_jig.naming import DEPLOYMENT_TYPE

pytest.importorskip("pulumi_docker_build")

FOLDER = Path(__file__).parents[2] / "examples" / "build-and-deploy"
DIGEST = "sha256:" + "ab" * 32
PROGRAM = f"""
import json, runpy
import pulumi

seen = {{}}

class Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args):
        seen[args.typ] = args.inputs
        outputs = dict(args.inputs)
        if args.typ == "docker-build:index:Image":
            outputs["ref"] = args.inputs["tags"][0] + "@{DIGEST}"
        return args.name, outputs

    def call(self, args):
        return {{}}

pulumi.runtime.set_mocks(Mocks(), project="build-and-deploy", stack="dev")
pulumi.runtime.test(lambda: runpy.run_path("__main__.py") and None)()
print(json.dumps(seen, default=str))
"""


@pytest.fixture(scope="module")
def registered() -> dict[str, Any]:
    """The inputs that the program registers, by type."""
    configured = {
        "build-and-deploy:repository": "registry.example/proj/app",
        "build-and-deploy:registryPassword": "pw",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=FOLDER,
        env={
            **os.environ,
            "PULUMI_CONFIG": json.dumps(configured),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_it_deploys_the_digest_that_was_pushed(registered: dict[str, Any]) -> None:
    """The deployment's image is the reference that the build gives, digest included."""
    deployment = registered[DEPLOYMENT_TYPE]

    assert deployment["image"] == f"registry.example/proj/app:dev@{DIGEST}"


def test_it_pushes_for_the_machines_of_the_service(registered: dict[str, Any]) -> None:
    """The image is built for linux/amd64 and pushed to the repository's registry."""
    image = registered["docker-build:index:Image"]

    assert image["push"] is True
    assert image["platforms"] == ["linux/amd64"]
    assert image["registries"]["value"][0]["address"] == "registry.example"
