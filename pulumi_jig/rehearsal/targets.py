"""
Which resources an operation is limited to (`--target`, `--target-dependents`).

Why it exists: people mend one resource of a large stack, and what they do not name must
stay as it is: not checked, not changed, not made, not deleted.

What it refuses: targets that neither the state nor the program knows, since a mistyped
one would be an operation that silently does nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_jig.rehearsal.goals import ROOT_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pulumi_jig.rehearsal.state import Resource


class Targets:
    """The URNs that were asked for; none means that everything is wanted."""

    def __init__(self, urns: Iterable[str] = (), *, dependents: bool = False) -> None:
        self._asked = frozenset(urns)
        # With its dependents a target brings in others, as they are registered.
        self._actual = set(self._asked)
        self._dependents = dependents

    @property
    def limited(self) -> bool:
        """Whether the operation is limited at all."""
        return bool(self._asked)

    def wants(self, resource: Resource) -> bool:
        """
        Whether a registered resource is a target.

        The stack and providers always are: without them nothing could be done.
        """
        if not self._asked:
            return True
        if resource.urn in self._asked:
            return True
        if self._dependents and not self._actual.isdisjoint(resource.references()):
            self._actual.add(resource.urn)
            return True
        return resource.type == ROOT_TYPE or resource.is_provider

    def named(self, urn: str) -> bool:
        """Whether a resource may be deleted without having been registered."""
        return not self._asked or self._dependents or urn in self._asked

    def reach(self, resources: Sequence[Resource]) -> frozenset[str]:
        """The targets among `resources`, with those that count as targets too."""
        if not self._asked:
            return frozenset(item.urn for item in resources)
        return _closure(self._asked, resources) if self._dependents else self._asked

    def condemned(self, resources: Sequence[Resource]) -> set[str]:
        """
        URNs that may have to be deleted: targets, and whatever depends on them.

        Whether what depends on them may be deleted is another question (`named`).
        """
        if not self._asked:
            return {item.urn for item in resources}
        return set(_closure(self._asked, resources))

    def unknown(self, known: Iterable[str]) -> list[str]:
        """Targets that are nowhere."""
        return sorted(self._asked - set(known))


def _closure(urns: frozenset[str], resources: Sequence[Resource]) -> frozenset[str]:
    """`urns` and all that depends on one of them."""
    found = set(urns)
    # The state is in order of dependency, but a resource that was adopted by a new
    # parent may stand before it.
    size = 0
    while size != len(found):
        size = len(found)
        found |= {r.urn for r in resources if not found.isdisjoint(r.references())}
    return frozenset(found)
