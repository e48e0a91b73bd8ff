"""
What deployments use together, held against limits while each is admitted.

As Kubernetes holds a ResourceQuota: a running total by URN, in the process of the pack.
The deployment whose admission would take a total over its limit is refused, and what was
refused counts nothing. The same sums judge a whole stack at the end of a run, in an audit
and in a test.

Totals hold what the program declares, and of what it has not declared yet what the state
holds: the engine asks in any order, and a new deployment must not take the place of one
that runs. Since every part is 0 or more, a preview (which starts from nothing) admits all
of a stack that is within its limits. The one exception is in an update: a deployment that
grows, or is new, is refused where it is asked about before others have shrunk or gone.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from pulumi_jig.policy.findings import Finding, listed, not_known, violation
from pulumi_jig.policy.quantities import ZERO, Quantity, show

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from decimal import Decimal

    from pulumi_jig.policy.declaration import Facts, Policy
    from pulumi_jig.policy.resource import Resource

_LARGEST: Final = 3
_HOURS_PER_MONTH: Final = 730


class Limit(NamedTuple):
    """
    One limit of a sum.

    Attributes:
        subject: Whose sum it is, to begin a sentence with.
        setting: The policy and the key where it is written.
        most: What the sum may be at most.
        what: What is summed, after the number.
        fix: What to lower.
        floor: Whether the sum is at the minimum of replicas.
        grown_from: What the state held, where the limit is on growth.
    """

    subject: str
    setting: str
    most: Decimal
    what: str
    fix: str
    floor: bool = False
    grown_from: Decimal | None = None

    def text(self, quantity: Quantity) -> str:
        """Write a sum with its unit; money per month, too."""
        month = ""
        if self.what == "USD per hour" and self.grown_from is None:
            month = f", or {show(quantity.low * _HOURS_PER_MONTH)} per month"
        return f"{quantity.text} {self.what}{month}"


#: What a deployment adds to the sum of a limit.
Share = tuple[Limit, Quantity]


class _Sum:
    """One sum: its parts by URN, and what they are together."""

    def __init__(self) -> None:
        self.parts: dict[str, Quantity] = {}
        self.low = ZERO
        self.open: dict[str, Quantity] = {}

    def add(self, urn: str, quantity: Quantity) -> None:
        self.parts[urn] = quantity
        self.low += quantity.low
        if not quantity.exact:
            self.open[urn] = quantity

    def drop(self, urn: str) -> None:
        quantity = self.parts.pop(urn, None)
        if quantity is not None:
            self.low -= quantity.low
            self.open.pop(urn, None)


class Totals:
    """The sums of one policy over some deployments."""

    def __init__(self, quota: Policy, facts: Facts) -> None:
        self._quota = quota
        self._facts = facts
        self._sums: dict[Limit, _Sum] = defaultdict(_Sum)
        self._resources: dict[str, Resource] = {}
        self._used: dict[str, list[Limit]] = {}

    def add(self, key: str, resource: Resource) -> list[Finding]:
        """Count a deployment unless it is exempt; return what makes that impossible."""
        found: list[Finding] = []
        self._resources[key] = resource
        used: list[Limit] = []
        self._used[key] = used
        exemption = self._quota.exemption(resource.name)
        if exemption is not None and exemption.holds(self._facts.today):
            return found
        for item in self._quota.shares(resource, self._facts):
            if isinstance(item, Finding):
                found.append(item)
            else:
                used.append(item[0])
                self._sums[item[0]].add(key, item[1])
        return found

    def remove(self, key: str) -> None:
        """Count a deployment no more."""
        self._resources.pop(key, None)
        for limit in self._used.pop(key, ()):
            total = self._sums[limit]
            total.drop(key)
            if not total.parts:
                del self._sums[limit]

    def judge(self, candidate: str | None = None) -> Iterator[Finding]:
        """
        Compare the sums with their limits.

        Args:
            candidate: Judge only the sums that it adds to, and say what it asks for.
        """
        limits = list(self._sums) if candidate is None else self._used[candidate]
        missing: list[str] = []
        unjudged: list[str] = []
        for limit in limits:
            total = self._sums[limit]
            grown = total.low - (limit.grown_from or ZERO)
            open_ = total.open
            if candidate is not None:
                open_ = {k: q for k, q in open_.items() if k == candidate}
            invalid = self._paths(open_, "invalid")
            if grown > limit.most:
                yield self._over(limit, total, candidate)
            elif invalid:
                yield violation(
                    f"{limit.subject}: {listed(invalid)} not a quantity, so the limit of "
                    f"{show(limit.most)} {limit.what} cannot be judged and does not "
                    "pass. Give plain numbers."
                )
            elif open_:
                missing += self._paths(open_, "unknown")
                unjudged.append(limit.what)
        if missing:
            rule = f"the limit of {', '.join(dict.fromkeys(unjudged))}"
            yield not_known(limits[0].subject, missing, rule)

    def _paths(self, quantities: dict[str, Quantity], kind: str) -> list[str]:
        return [
            f"{self._plain(key)}.{path}"
            for key, quantity in quantities.items()
            for path in getattr(quantity, kind)
        ]

    def _over(self, limit: Limit, total: _Sum, candidate: str | None) -> Finding:
        whole = limit.text(Quantity(total.low, ("?",) if total.open else ()))
        most = limit.text(Quantity(limit.most))
        largest = max(total.parts, key=lambda one: total.parts[one].low)
        about = self._resources[largest if candidate is None else candidate]
        listing = f" ({self._largest(total)})"
        if limit.grown_from is not None:
            said = (
                f"{limit.subject} must not grow by more than {most} in one run; the "
                f"state holds {show(limit.grown_from)}, and with this it would be "
                f"{whole}{listing}"
            )
        elif limit.subject == about.subject:
            said = f"{limit.subject} must not use more than {most}; it uses {whole}"
        elif candidate is None and limit.floor:
            said = (
                f"{limit.subject} must not have a minimum of more than {most}; it has a "
                f"minimum of {whole}{listing}"
            )
        elif candidate is None:
            said = f"{limit.subject} must not use more than {most}; it uses {whole}{listing}"
        else:
            own = total.parts[candidate]
            already = f"{show(total.low - own.low)} admitted already"
            if total.low > own.low:
                already += f" ({self._largest(total, without=candidate)})"
            minimum = "a minimum of " if limit.floor else ""
            said = (
                f"{about.subject} must not take {limit.subject[:1].lower()}"
                f"{limit.subject[1:]} over {minimum}{most}: {already}, and it asks for "
                f"{own.text}"
            )
        return violation(
            f"{said}. {limit.fix}, or have {limit.setting} raised.",
            urn=about.urn,
            name=about.name,
        )

    def _plain(self, key: str) -> str:
        return self._resources[key].label[1:-1]

    def _largest(self, total: _Sum, without: str | None = None) -> str:
        parts = [(q.low, key) for key, q in total.parts.items() if key != without]
        names = [(-low, self._plain(key)) for low, key in parts if low]
        names.sort()
        text = ", ".join(f"{name} {show(-low)}" for low, name in names[:_LARGEST])
        more = len(names) - _LARGEST
        return f"{text} and {more} more" if more > 0 else text


def judge_together(
    quota: Policy, resources: Sequence[Resource], facts: Facts
) -> list[Finding]:
    """Judge the deployments of a stack as a whole; external ones are not its own."""
    totals = Totals(quota, facts)
    found: list[Finding] = []
    own = [r for r in resources if r.is_deployment and not r.external]
    for index, resource in enumerate(own):
        # Outside a run resources have no URN, and may share a name.
        found += totals.add(f"{resource.urn}#{index}", resource)
    return [*found, *totals.judge(), *quota.beside_sums(own, facts)]


class Ledger:
    """
    What has been admitted in this run, for all quotas together.

    A deployment that one quota refuses counts in none. The engine asks from several
    threads, so whoever judges and admits holds the lock meanwhile.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._admitted: dict[str, Resource] = {}
        self._requests: dict[str, tuple[object, Resource | None]] = {}
        self._totals: list[tuple[Policy, Facts, Totals]] = []

    def expect(self, resources: Iterable[Resource]) -> None:
        """Count what exists until it is asked about, as the state has it."""
        for resource in resources:
            if resource.is_deployment and resource.urn not in self._admitted:
                self._set(resource.urn, resource)

    @property
    def admitted(self) -> list[Resource]:
        """The deployments that have been admitted."""
        return list(self._admitted.values())

    def admit(
        self, quota: Policy, resource: Resource, facts: Facts, request: object
    ) -> list[Finding]:
        """
        Count a deployment, and return what its admission breaks.

        Args:
            quota: The policy.
            resource: The deployment.
            facts: See `Facts`.
            request: The same object for all quotas that are asked about it at once.
        """
        urn = resource.urn
        if self._requests.get(urn, (None, None))[0] is not request:
            self._requests[urn] = (request, self._admitted.get(urn))
            self._set(urn, resource)
        totals = self._of(quota, facts)
        totals.remove(urn)
        return [*totals.add(urn, resource), *totals.judge(urn)]

    def withdraw(self, urn: str) -> None:
        """Count a deployment as before it asked: not at all, or as it was."""
        _, before = self._requests.pop(urn, (None, None))
        self._set(urn, before)

    def _set(self, urn: str, resource: Resource | None) -> None:
        self._admitted.pop(urn, None)
        if resource is not None:
            self._admitted[urn] = resource
        for _, _, totals in self._totals:
            totals.remove(urn)
            if resource is not None:
                totals.add(urn, resource)

    def _of(self, quota: Policy, facts: Facts) -> Totals:
        for known, with_facts, totals in self._totals:
            if known is quota and with_facts is facts:
                return totals
        totals = Totals(quota, facts)
        for urn, resource in self._admitted.items():
            totals.add(urn, resource)
        self._totals.append((quota, facts, totals))
        return totals
