"""What a deployment says of itself to the platform and to people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pulumi_jig.policy.declaration import Facts, Policy
from pulumi_jig.policy.findings import Finding, graded, not_known, violation, within
from pulumi_jig.policy.quantities import read_quantity, show
from pulumi_jig.policy.resource import Resource, shown
from pulumi_jig.policy.settings import (
    GRADE,
    PATTERN,
    TEXT,
    WHOLE,
    Kind,
    limit,
    many,
    setting,
)
from pulumi_jig.policy.unknown import UNKNOWN

if TYPE_CHECKING:
    import datetime as dt

_LOWER = Kind(
    "capacity type", {"type": "string"}, lambda value: TEXT.read(value).lower()
)


class HealthCheck(
    Policy,
    name="jig-health-check",
    title="Health check",
    says="A deployment that serves traffic has a health check.",
    severity="medium",
    fix="Set health_check_path.",
):
    """
    Without one a replica counts as ready when its process starts, so a roll-out is
    reported green while requests fail. Workers without a port are exempt.
    """

    def judge(self, resource: Resource, facts: Facts) -> Iterator[Finding]:
        """A deployment with a port has a health check path that begins with a slash."""
        del facts
        subject = resource.subject
        port, path = resource.get("port"), resource.get("health_check_path")
        if path is UNKNOWN:
            if port is not None:
                yield not_known(subject, ["health_check_path"], "the health check")
        elif path is None or path == "":
            if port is UNKNOWN:
                yield not_known(subject, ["port"], "whether it needs a health check")
            elif port is not None:
                said = "not set" if path is None else "empty, which disables the check"
                yield violation(
                    f"{subject} must have a health check, since it has a port; "
                    f"health_check_path is {said}. Set it to a path that answers 200 "
                    'when the container serves, for example "/health".'
                )
        elif not isinstance(path, str) or not path.startswith("/"):
            yield violation(
                f"{subject} must give health_check_path as a path; it does not begin "
                'with a slash. Write "/health", for example, without scheme and host.'
            )


class TerminationGrace(
    Policy,
    name="jig-termination-grace",
    title="Termination grace",
    says="A replica that is stopped has an allowed time to finish.",
    severity="low",
    level="advisory",
    fix="Set termination_grace_period_seconds within the bounds.",
):
    """A long one is paid GPU time in which nothing new is served."""

    min_seconds: int | None = limit(
        WHOLE, 10, "termination_grace_period_seconds, at least.", "seconds"
    )
    max_seconds: int | None = limit(
        WHOLE, 600, "termination_grace_period_seconds, at most.", "seconds"
    )

    def contradictions(self, today: dt.date) -> Iterator[tuple[str, str]]:
        """The least is not above the most."""
        yield from super().contradictions(today)
        low, high = self.min_seconds, self.max_seconds
        if low is not None and high is not None and low > high:
            yield "min_seconds", "min_seconds must not be above max_seconds"

    def judge(self, resource: Resource, facts: Facts) -> Iterator[Finding]:
        """A declared time is within the bounds."""
        del facts
        name = "termination_grace_period_seconds"
        if resource.get(name) is None:
            return
        seconds = read_quantity(resource.get(name), name, whole=True)
        found = list(
            within(
                seconds,
                self.max_seconds,
                subject=resource.subject,
                what="the time to finish",
                over=f"{resource.subject} must not take more than {self.max_seconds} "
                f"seconds to finish; {name} is {show(seconds.low)}. Lower it, or have "
                "jig-termination-grace.max_seconds raised.",
            )
        )
        least = self.min_seconds
        if least and not found:
            if seconds.unknown:
                found.append(
                    not_known(resource.subject, seconds.unknown, "the time to finish")
                )
            elif seconds.exact and seconds.low < least:
                found.append(
                    violation(
                        f"{resource.subject} must have at least {least} seconds to "
                        f"finish; {name} is {show(seconds.low)}. Raise it, or have "
                        "jig-termination-grace.min_seconds lowered."
                    )
                )
        yield from found


class CapacityType(
    Policy,
    name="jig-capacity-type",
    title="Capacity type",
    says="A deployment runs on an allowed type of capacity.",
    severity="medium",
    level="advisory",
    fix="Set capacity_type to an allowed one.",
):
    """Replicas on preemptible capacity may be evicted at any time."""

    allow: tuple[str, ...] = setting(
        many(_LOWER), ("stable",), "Capacity types that are allowed."
    )
    unset: str = setting(
        GRADE, "allow", "A capacity type that is left to the platform."
    )

    def judge(self, resource: Resource, facts: Facts) -> Iterator[Finding]:
        """The capacity type is one that this environment may use."""
        del facts
        subject, value = resource.subject, resource.get("capacity_type")
        allowed = ", ".join(self.allow) or "none"
        if value is None:
            yield from graded(
                self.unset,
                f"{subject} must declare capacity_type; it is not set, so the platform "
                f"chooses. Set it to one of: {allowed}.",
            )
        elif value is UNKNOWN:
            yield not_known(subject, ["capacity_type"], "the type of capacity")
        elif not isinstance(value, str) or value.strip().lower() not in self.allow:
            yield violation(
                f"{subject} must use an allowed type of capacity; capacity_type is "
                f"{shown(value)}. Use one of: {allowed}; or have jig-capacity-type.allow "
                "extended."
            )


class Metadata(
    Policy,
    name="jig-metadata",
    title="Name, description and owner",
    says="A deployment says what it is for and whose it is.",
    severity="low",
    level="advisory",
    fix="Set name, description and the owner's variable as the patterns ask.",
):
    """The API has no tags, so an owner is named in an environment variable."""

    name_pattern: re.Pattern[str] | None = setting(
        PATTERN, None, "What the whole name of a deployment is like.", null="any"
    )
    description_pattern: re.Pattern[str] | None = setting(
        PATTERN, None, "What the whole description is like.", null="any, or none"
    )
    owner_variable: str | None = setting(
        TEXT, None, "The environment variable that names the owner.", null="not asked"
    )
    owner_pattern: re.Pattern[str] | None = setting(
        PATTERN, None, "What the whole value of that variable is like.", null="any"
    )

    def contradictions(self, today: dt.date) -> Iterator[tuple[str, str]]:
        """A pattern for owners needs a variable."""
        yield from super().contradictions(today)
        if self.owner_pattern is not None and self.owner_variable is None:
            yield "owner_pattern", "owner_pattern needs owner_variable to be set"

    def judge(self, resource: Resource, facts: Facts) -> Iterator[Finding]:
        """Name, description and owner fit their patterns."""
        del facts
        given = resource.get("name")
        yield from self._fits(
            resource,
            "name",
            resource.name if given is None else given,
            self.name_pattern,
        )
        description = resource.get("description")
        yield from self._fits(
            resource, "description", description, self.description_pattern
        )
        if self.owner_variable is not None:
            owner = _variable(resource, self.owner_variable)
            path = f"the variable {shown(self.owner_variable)}"
            pattern = self.owner_pattern or re.compile(r"(?s).*\S.*")
            yield from self._fits(resource, path, owner, pattern)

    def _fits(
        self, resource: Resource, path: str, value: Any, wanted: re.Pattern[str] | None
    ) -> Iterator[Finding]:
        if wanted is None:
            return
        if value is UNKNOWN:
            yield not_known(resource.subject, [path], "whether it fits its pattern")
        elif not isinstance(value, str) or wanted.fullmatch(value) is None:
            said = "is not set" if value is None else "does not fit"
            yield violation(
                f"{resource.subject} must give {path} as jig-metadata asks; it {said}. "
                f"Write what matches the whole of {wanted.pattern!r}."
            )


def _variable(resource: Resource, name: str) -> Any:
    """Return the plain value of an environment variable, in either form; None without."""
    variables = resource.get("environment_variables")
    if variables is UNKNOWN:
        return UNKNOWN
    entry: Any = None
    if isinstance(variables, Mapping):
        entry = variables.get(name)
    elif isinstance(variables, list):
        if any(item is UNKNOWN for item in variables):
            entry = UNKNOWN
        for item in variables:
            if isinstance(item, Mapping) and item.get("name") == name:
                entry = item
    return entry.get("value") if isinstance(entry, Mapping) else entry
