"""
Whether a deployment can be deleted by a slip, and whether limits can be ignored.

`ignore_changes` on a governed field takes it out of the program's hands: what is live
then is whatever somebody set by hand, and no preview shows it. `retain_on_delete` leaves
a GPU running that no state knows of.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pulumi_jig.policy.declaration import Facts, Policy
from pulumi_jig.policy.findings import Finding, graded, violation
from pulumi_jig.policy.resource import Resource, shown
from pulumi_jig.policy.settings import FLAG, GRADE, TEXT, many, setting

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The fields on which a limit of some policy hangs.
GOVERNED: Final = (
    "gpu_type",
    "gpu_count",
    "min_replicas",
    "max_replicas",
    "memory",
    "cpu",
    "storage",
    "capacity_type",
    "termination_grace_period_seconds",
    "autoscaling",
    "image",
    "environment_variables",
    "args",
    "command",
    "health_check_path",
    "port",
    "extra",
)


class Protect(
    Policy,
    name="jig-protect",
    title="Protection and ignored changes",
    says="A deployment is protected, and no governed field is ignored.",
    fix="Set protect, and remove governed fields from ignore_changes.",
):
    """The engine tells a pack of `protect` and `ignore_changes`, an audit of all three."""

    require_protect: bool = setting(
        FLAG, True, "Whether deployments must have the resource option `protect`."
    )
    governed: tuple[str, ...] = setting(
        many(TEXT), GOVERNED, "Fields that `ignore_changes` must not name."
    )
    retain_on_delete: str = setting(
        GRADE,
        "deny",
        "The resource option `retain_on_delete`. The engine does not show it to packs: "
        "`pulumi-jig policy audit` and tests judge it.",
    )

    def judge(self, resource: Resource, facts: Facts) -> Iterator[Finding]:
        """It is protected where that is asked for, and ignores no governed field."""
        del facts
        subject = resource.subject
        if self.require_protect and not resource.protect:
            yield violation(
                f"{subject} must be protected against deletion here; the resource option "
                "protect is not set. Add ResourceOptions(protect=True)."
            )
        governed = {_folded(name) for name in self.governed}
        for path in resource.ignore_changes:
            root = first_property(path)
            if root is None or root == "*" or _folded(root) in governed:
                said = "every field" if root in {None, "*"} else shown(root)
                yield violation(
                    f"{subject} must not ignore changes of governed fields; "
                    f"ignore_changes names {said}. Remove it, or have "
                    "jig-protect.governed changed."
                )
        if resource.retain_on_delete:
            yield from graded(
                self.retain_on_delete,
                f"{subject} must be deleted with its resource; with retain_on_delete it "
                "would go on running and billing, known to no state. Remove the option.",
            )


_FIRST: Final = re.compile(
    r"""(?:\[\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<index>[^\]"']*))\s*\]
    |(?P<bare>[^.\[\]]+))""",
    re.VERBOSE,
)


def first_property(path: str) -> str | None:
    """
    Return the property that a path begins with, `*` for all, None for no path.

    `a.b`, `.a`, `a[0]`, `[a]` and `["a"].b` all begin with `a`; the engine reads a dot
    in front as nothing, and a star as every property.
    """
    found = _FIRST.match(path.strip().lstrip(". "))
    if found is None:
        return None
    name = next((text for text in found.groups() if text), "").strip()
    return "*" if "*" in name else name or None


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
