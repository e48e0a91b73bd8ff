"""
The emulator against its own description, by a tool that knows neither.

`schemathesis` is needed on PATH, beside this interpreter, or where
PULUMI_JIG_SCHEMATHESIS says.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pulumi_jig.emulator import EmulatorServer

COMMAND = (
    os.environ.get("PULUMI_JIG_SCHEMATHESIS")
    or shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    or shutil.which("schemathesis")
)

# Not among them: acceptance of all valid data (a name can be taken, and JSON Schema
# calls 1.0 an integer), and refusal of other keys (every key is an account).
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "use_after_free",
    "ensure_resource_availability",
    "unsupported_method",
)


@pytest.mark.skipif(COMMAND is None, reason="schemathesis is not installed")
def test_what_is_served_is_what_is_described(tmp_path):
    """Fuzzed and stateful requests by a fixed seed find no contradiction (Case M1)."""
    with EmulatorServer(time_scale=0) as server:
        done = subprocess.run(
            [
                COMMAND,
                "run",
                server.url + "/openapi.json",
                *("--url", server.url + "/v1"),
                *("--header", "Authorization: Bearer acct:fuzz:1"),
                *("--seed", "4711", "--max-examples", "10", "--no-color"),
                *("--phases", "fuzzing,stateful"),
                *("--checks", ",".join(CHECKS)),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=110,
        )

    assert done.returncode == 0, done.stdout[-6000:]


def test_no_field_of_any_kind_breaks_a_request(api):
    """
    A value of every JSON type in every field is answered, never with a 500 (Case M1).
    """
    odd = [None, True, 0, -1.5, 1e400, "", "x", [], [None], [[]], {}, {"a": {}}, [{}]]
    document = api.ok("GET", "/openapi.json")
    targets = {
        "CreateDeploymentRequest": ("POST", "/v1/deployments"),
        "CreateSecretRequest": ("POST", "/v1/deployments/secrets"),
        "CreateVolumeRequest": ("POST", "/v1/deployments/storage/volumes"),
        "RollbackRequest": ("POST", "/v1/deployments/demo-app/rollback"),
        "UpdateDeploymentRequest": ("PATCH", "/v1/deployments/demo-app"),
    }
    base = {
        "name": "odd-app",
        "image": "r/a:1",
        "gpu_type": "none",
        "value": "v",
        "type": "readOnly",
        "content": {"source_prefix": "w"},
    }
    api.create()
    broken = []
    for schema, (method, path) in targets.items():
        for field in document["components"]["schemas"][schema]["properties"]:
            bodies = [
                *({field: value} for value in odd),
                *({**base, field: value} for value in odd),
                *({**base, field: {"type": v, "origin": {"s3": v}}} for v in odd),
            ]
            broken += [
                (path, body)
                for body in bodies
                if api.send(method, path, body).status == 500
            ]

    assert [] == broken
