"""
Whether a deployment can be deleted by a slip, and whether limits can be ignored.

`ignore_changes` on a governed field takes it out of the program's hands: what is live
then is whatever somebody set by hand, and no preview shows it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pulumi_jig.policy.facts import Resource, shown
from pulumi_jig.policy.findings import Finding, violation
from pulumi_jig.policy.settings import Settings, key

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The fields that some policy of this package judges.
GOVERNED = (
    "gpu_type",
    "gpu_count",
    "min_replicas",
    "max_replicas",
    "memory",
    "autoscaling",
    "image",
    "environment_variables",
    "args",
    "command",
    "health_check_path",
    "port",
    "extra",
    "budget",
)


class ProtectSettings(Settings):
    """Limits of `jig-protect`."""

    require_protect: bool = key(
        "bool", True, "Whether deployments must have the resource option `protect`."
    )
    governed: tuple[str, ...] = key(
        "words", GOVERNED, "Fields that `ignore_changes` must not name."
    )


def protect(resource: Resource, settings: ProtectSettings) -> Iterator[Finding]:
    """It is protected where that is asked for, and ignores no governed field."""
    subject = f"The deployment {shown(resource.name)}"
    if settings.require_protect and not resource.protect:
        yield violation(
            f"{subject} must be protected against deletion here; the resource option "
            "protect is not set. Add ResourceOptions(protect=True)."
        )
    for path in resource.ignore_changes:
        root = _root(path)
        if root == "*" or root in settings.governed:
            yield violation(
                f"{subject} must not ignore changes of governed fields; ignore_changes "
                f"names {shown(root) if root != '*' else 'everything'}. Remove it, or "
                "have jig-protect.governed changed."
            )


def _root(path: str) -> str:
    """The first part of a property path: `a.b`, `a[0]`, `["a"].b` are all `a`."""
    found = re.match(
        r"""\s*(?:\[\s*["'](?P<quoted>[^"']+)["']\s*\]|(?P<bare>[^.\[\]]+))""", path
    )
    return (found["quoted"] or found["bare"]).strip() if found else path.strip()
