"""
What a rule says, and what an exemption makes of it.

A rule never decides whether a run goes on: it says what it found, and the level of its
policy, the environment and the exemptions decide. This module refuses findings without
a sentence: a bare "violation" helps nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from decimal import Decimal

    from pulumi_jig.policy.quantities import Amount


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
        message: Whole sentences: the property, its value, the limit, the remedy.
        urn: The resource that it is about, "" for the resource being judged or the
            stack as a whole.
        name: That resource's name in the program, "" where there is none.
    """

    kind: Kind
    message: str
    urn: str = ""
    name: str = ""

    def but(self, *, kind: Kind | None = None, message: str | None = None) -> Finding:
        """The same finding with another kind or message."""
        return replace(
            self,
            kind=self.kind if kind is None else kind,
            message=self.message if message is None else message,
        )


def violation(message: str, *, urn: str = "", name: str = "") -> Finding:
    """A finding that breaks the rule."""
    return Finding(Kind.VIOLATION, message, urn, name)


def advice(message: str, *, urn: str = "", name: str = "") -> Finding:
    """A finding that stops nothing."""
    return Finding(Kind.ADVICE, message, urn, name)


def not_known(
    subject: str, properties: Iterable[str], rule: str, *, urn: str = "", name: str = ""
) -> Finding:
    """A finding that names what is not known and what therefore was not judged."""
    return Finding(
        Kind.UNKNOWN,
        f"{subject}: {listed(properties)} not known yet, so {rule} could not be "
        "judged.",
        urn,
        name,
    )


def listed(properties: Iterable[str]) -> str:
    """`a is`, `a and b are`, shortened where there are many."""
    names = list(dict.fromkeys(properties))
    if len(names) == 1:
        return f"{names[0]} is"
    if len(names) > 4:
        return f"{', '.join(names[:4])} and {len(names) - 4} more are"
    return f"{', '.join(names[:-1])} and {names[-1]} are"


def within(
    amount: Amount,
    limit: Decimal | int | None,
    *,
    subject: str,
    what: str,
    over: str,
) -> Iterator[Finding]:
    """
    Compare an amount with a limit: what is known is judged, what is not is named.

    Args:
        amount: What is asked for.
        limit: The most that is allowed; None allows everything.
        subject: Whose amount it is, to begin a sentence with.
        what: The limit in words, for the sentence about what could not be judged.
        over: The whole sentence for an amount over the limit.
    """
    if limit is None:
        return
    if amount.low > limit:
        yield violation(over)
    elif amount.invalid:
        yield violation(
            f"{subject}: {listed(amount.invalid)} not a quantity, so {what} cannot be "
            "judged and does not pass. Give a plain number."
        )
    elif amount.unknown:
        yield not_known(subject, amount.unknown, what)
