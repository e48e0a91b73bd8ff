"""
Whether the platform can tell a deployment that serves from one that only runs.

Without a health check a replica counts as ready when its process starts, so a roll-out
is reported green while requests fail. Workers without a port are exempt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_jig.policy.facts import Resource, shown
from pulumi_jig.policy.findings import Finding, not_known, violation
from pulumi_jig.policy.settings import Settings
from pulumi_jig.policy.unknown import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator


class HealthSettings(Settings):
    """`jig-health-check` has no limits of its own."""


def health_check(resource: Resource, settings: HealthSettings) -> Iterator[Finding]:
    """A deployment with a port has a health check path that begins with a slash."""
    del settings
    subject = f"The deployment {shown(resource.name)}"
    port, path = resource.get("port"), resource.get("health_check_path")
    if path is UNKNOWN:
        yield not_known(subject, ["health_check_path"], "the health check")
    elif path is None or path == "":
        if port is UNKNOWN:
            yield not_known(subject, ["port"], "whether it needs a health check")
        elif port is not None:
            said = "not set" if path is None else "empty, which disables the check"
            yield violation(
                f"{subject} must have a health check, since it has a port; "
                f"health_check_path is {said}. Set it to a path that answers 200 when "
                'the container serves, for example "/health".'
            )
    elif not isinstance(path, str) or not path.startswith("/"):
        yield violation(
            f"{subject} must give health_check_path as a path; it does not begin with "
            'a slash. Write "/health", for example, without scheme and host.'
        )
