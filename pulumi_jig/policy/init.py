"""`pulumi-jig policy init NAME`: a pack and a profile for a team, from nothing."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

PACK: Final = "gpu-guardrails"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

MANIFEST: Final = """\
# The toolchain is named, since Pulumi otherwise searches for one upward from here and
# takes whatever lock file it meets first. No virtualenv: the ambient Python is used, the
# one in which pulumi_jig with its extra `policy` is installed.
runtime:
  name: python
  options:
    toolchain: pip
version: 0.1.0
description: GPU counts, memory and cost inside limits, before anything is created.
"""

PROGRAM: Final = '''\
"""The guardrails as a policy pack; the limits are in ../profiles."""

import sys
from pathlib import Path

try:
    from pulumi_jig.policy.pack import serve
except ImportError as error:
    sys.exit(
        f"gpu-guardrails needs {error.name or 'pulumi_jig'} in {sys.executable}: "
        "install pulumi_jig with its extra `policy` there, or activate the environment "
        "that has it."
    )

serve(profiles=Path(__file__).resolve().parent.parent / "profiles")
'''

#: What a team starts from: the limits that a first program meets. What is left out has
#: its default, the strictest.
PROFILE: Final[dict[str, Any]] = {
    "jig-gpu-count": {
        "max_per_replica": 2,
        "max_per_deployment": 4,
        "allowed_counts": [1, 2],
    },
    "jig-gpu-types": {
        "allow": ["h100-80gb"],
        "types": {"h100-80gb": {"usd_per_hour": 6.49, "vram_gib": 80}},
    },
    "jig-memory": {"max_gib": 256},
    "jig-protect": {"require_protect": True},
    "jig-stack-gpus": {
        "max_gpus": {"h100-80gb": 8},
        "max_total_gpus": 8,
        "max_floor_gpus": 4,
    },
    "jig-stack-memory": {"max_memory_gib": 512, "max_vram_gib": 640},
    "jig-stack-cost": {
        "max_peak_usd_per_hour": 60,
        "max_floor_usd_per_hour": 30,
        "max_deployment_usd_per_hour": 30,
        "prices_as_of": "2026-06-30",
    },
}


def write_pack(name: str, folder: Path) -> str:
    """
    Write a pack and a profile, and say what to do with them.

    Args:
        name: The profile's name. A stack of that name takes it by itself.
        folder: Where; the pack's folder is kept where it is there already.

    Raises:
        ConfigError: The name is none, the profile is there already, or the folder
            cannot be written.
    """
    if _NAME.fullmatch(name) is None:
        raise ConfigError(
            "The name of a profile must be letters, digits, dots, hyphens and "
            "underscores, as the name of a stack is."
        )
    profile = folder / "profiles" / f"{name}.json"
    if profile.exists():
        raise ConfigError(
            f"{profile} is there already; edit it, or choose another name."
        )
    pack = folder / PACK
    try:
        profile.parent.mkdir(parents=True, exist_ok=True)
        if not pack.exists():
            pack.mkdir()
            (pack / "PulumiPolicy.yaml").write_text(MANIFEST, encoding="utf-8")
            (pack / "__main__.py").write_text(PROGRAM, encoding="utf-8")
        profile.write_text(json.dumps(PROFILE, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        reason = error.strerror or "it cannot be written"
        raise ConfigError(f"{folder} cannot be written: {reason}.") from None
    return "\n".join(
        (
            f"Wrote {profile} and {pack}.",
            "1. Put your limits and your prices into the profile.",
            f"2. pulumi-jig policy check {profile}",
            f"3. pulumi preview --policy-pack {pack} --policy-pack-config {profile}",
        )
    )
