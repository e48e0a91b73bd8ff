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
