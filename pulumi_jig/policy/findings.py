"""
What a rule says.

A rule never decides whether a run goes on: it says what it found, and the level of its
policy, the environment and the exemptions decide.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from decimal import Decimal

    from pulumi_jig.policy.quantities import Quantity


class Kind(Enum):
    """
    What a finding is, the strongest last.

    Attributes:
        ADVICE: Worth a sentence; stops nothing, whatever the policy's level.
        UNKNOWN: Cannot be judged yet, since something is not known in this preview.
        VIOLATION: Breaks the rule.
    """

    ADVICE = "advice"
    UNKNOWN = "unknown"
    VIOLATION = "violation"

    @property
    def strength(self) -> int:
        """A rank to compare kinds by."""
        return list(Kind).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that a rule has to say.

    Attributes:
        kind: See `Kind`.
        message: Whole sentences: the property, its value, the limit, what to do.
        urn: The resource that it is about, "" for the resource being judged or the
            stack as a whole.
        name: That resource's name in the program, "" where there is none.
    """

    kind: Kind
    message: str
    urn: str = ""
    name: str = ""

    def but(self, *, kind: Kind | None = None, message: str | None = None) -> Finding:
        """Return the same finding with another kind or message."""
        return replace(
            self,
            kind=self.kind if kind is None else kind,
            message=self.message if message is None else message,
        )


def violation(message: str, *, urn: str = "", name: str = "") -> Finding:
    """Return a finding that breaks the rule."""
    return Finding(Kind.VIOLATION, message, urn, name)


def advice(message: str, *, urn: str = "", name: str = "") -> Finding:
    """Return a finding that stops nothing."""
    return Finding(Kind.ADVICE, message, urn, name)


def not_known(
    subject: str, properties: Iterable[str], rule: str, *, urn: str = "", name: str = ""
) -> Finding:
    """Return a finding that names what is not known and what was not judged for it."""
    return Finding(
        Kind.UNKNOWN,
        f"{subject}: {listed(properties)} not known yet, so {rule} could not be "
        "judged.",
        urn,
        name,
    )


def graded(grade: str, message: str) -> Iterator[Finding]:
    """Yield a finding as a setting of `allow`, `warn` or `deny` asks for it."""
    if grade == "deny":
        yield violation(message)
    elif grade == "warn":
        yield advice(message)


def listed(properties: Iterable[str]) -> str:
    """Write `a is`, `a and b are`, shortened where there are many."""
    names = list(dict.fromkeys(properties))
    if len(names) == 1:
        return f"{names[0]} is"
    if len(names) > 4:
        return f"{', '.join(names[:4])} and {len(names) - 4} more are"
    return f"{', '.join(names[:-1])} and {names[-1]} are"


def within(
    quantity: Quantity,
    limit: Decimal | int | None,
    *,
    subject: str,
    what: str,
    over: str,
) -> Iterator[Finding]:
    """
    Compare a quantity with a limit: what is known is judged, what is not is named.

    Args:
        quantity: What is asked for.
        limit: The most that is allowed; None allows everything.
        subject: Whose quantity it is, to begin a sentence with.
        what: The limit in words, for the sentence about what could not be judged.
        over: The whole sentence for a quantity over the limit.
    """
    if limit is None:
        return
    if quantity.low > limit:
        yield violation(over)
    elif quantity.invalid:
        yield violation(
            f"{subject}: {listed(quantity.invalid)} not a quantity, so {what} cannot be "
            "judged and does not pass. Give a plain number."
        )
    elif quantity.unknown:
        yield not_known(subject, quantity.unknown, what)
