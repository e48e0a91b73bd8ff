"""The pack as a process of its own, started as the language host starts it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import wire
import yaml
from wire import DEPLOYMENT, PACK, PROFILES, ROOT, good, mandatory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def pack() -> Iterator[wire.Analyzer]:
    """One process for the tests that only ask."""
    with wire.process() as analyzer:
        yield analyzer


def start(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Start a pack that is expected to end at once."""
    return subprocess.run(
        [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(folder)],
        cwd=folder,
        env=wire.environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_first_line_is_the_port(pack: wire.Analyzer) -> None:
    """Nothing stands on stdout before the port, or there would be no answer."""
    assert pack.info.name == "gpu-guardrails"
    assert len(pack.info.policies) == 18


@pytest.mark.parametrize("profile", ["dev", "staging", "prod"])
def test_each_profile_accepts_and_refuses(pack: wire.Analyzer, profile: str) -> None:
    """A sound deployment passes, a huge one does not, over the real wire."""
    pack.profile(profile)

    assert pack.resource(good(), stack=profile) == []
    assert mandatory(pack.resource(good(gpu_count=16), stack=profile)) == [
        "jig-gpu-count"
    ]
    assert "jig-stack-gpus" in mandatory(
        pack.stack((DEPLOYMENT, "llm", good(gpu_count=200)), stack=profile)
    )


@pytest.mark.parametrize("profile", ["dev", "staging", "prod"])
def test_each_profile_fits_the_schema(pack: wire.Analyzer, profile: str) -> None:
    """The engine would accept each key: it is in the policy's schema."""
    given = json.loads((PROFILES / f"{profile}.json").read_text())
    for policy in pack.info.policies:
        known = set(policy.configSchema.properties) | {"enforcementLevel"}
        assert set(given[policy.name]) <= known


def test_the_profile_of_the_stack_is_found_without_a_file() -> None:
    """The language host tells the process its stack; the profile beside the pack holds."""
    with wire.process(PULUMI_STACK="dev") as analyzer:
        analyzer.configure({})
        said = analyzer.stack((DEPLOYMENT, "llm", good(gpu_count=2, max_replicas=8)))

    assert mandatory(said) == ["jig-stack-gpus", "jig-stack-memory"]


def test_the_pack_loads_no_client_library() -> None:
    """A pack starts fast: it imports neither httpx nor pydantic nor yaml of ours."""
    code = (
        "import sys, pulumi_jig.policy.pack\n"
        "print([m for m in ('httpx', 'pydantic', 'tenacity') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=wire.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout.strip() == "[]"


def test_facts_and_rules_need_no_policy_sdk() -> None:
    """Rules, audits and profiles load without pulumi and its policy SDK."""
    code = (
        "import sys, pulumi_jig.policy\n"
        "import pulumi_jig.policy.commands, pulumi_jig.policy.judge\n"
        "print([m for m in ('pulumi', 'pulumi_policy', 'grpc') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=wire.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout.strip() == "[]"


def test_a_faulty_profile_stops_the_pack_with_one_sentence(tmp_path: Path) -> None:
    """A pack that cannot read its limits lets nothing pass, and says where to mend."""
    shutil.copytree(PACK, tmp_path / "gpu-guardrails")
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "dev.json").write_text('{"jig-gpu-cuont": "mandatory"}')
    done = start(tmp_path / "gpu-guardrails", PULUMI_STACK="dev")

    assert done.returncode != 0
    assert done.stdout == ""
    assert (
        'jig-gpu-cuont is not a policy (did you mean "jig-gpu-count"?).' in done.stderr
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("missing", ["pulumi_jig", "pulumi_policy"])
def test_a_missing_dependency_is_one_sentence(tmp_path: Path, missing: str) -> None:
    """A pack in the wrong Python says which package that Python lacks."""
    (tmp_path / f"{missing}.py").write_text(
        f"raise ModuleNotFoundError('No module named {missing}', name={missing!r})\n"
    )
    done = start(PACK, PYTHONPATH=str(tmp_path))

    assert done.returncode != 0
    assert done.stdout == ""
    assert f"gpu-guardrails needs {missing} in {sys.executable}" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_pack_names_its_toolchain_and_version() -> None:
    """No lock file above the pack can change its toolchain; its version is ours."""
    declared = yaml.safe_load((PACK / "PulumiPolicy.yaml").read_text())
    project = (ROOT / "pyproject.toml").read_text()

    assert declared["runtime"]["options"] == {"toolchain": "pip"}
    assert f'version = "{declared["version"]}"' in project


def test_the_entry_point_is_a_few_lines() -> None:
    """What a team copies is short."""
    lines = (PACK / "__main__.py").read_text().splitlines()

    assert len(lines) <= 20
