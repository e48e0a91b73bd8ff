"""What comes after the program: deletes and their order, and a refreshed state."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from pulumi_jig.rehearsal.events import Planned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pulumi_jig.rehearsal.state import Resource


def delete_steps(
    resources: Iterable[Resource], is_registered: Callable[[str], bool]
) -> Iterator[Planned]:
    """The steps for everything in the old state that is not to stay."""
    for item in resources:
        if item.delete:
            operation = "discard-replaced" if item.external else "delete-replaced"
        elif is_registered(item.urn):
            continue
        elif item.pending_replacement:
            operation = "remove-pending-replace"
        else:
            operation = "discard" if item.external else "delete"
        yield Planned(operation, item, None, internal=item.is_default_provider)


def layered(steps: Iterable[Planned]) -> list[list[Planned]]:
    """
    `steps` in the order in which resources may be deleted, those side by side together.

    No layer begins before the one before it has ended, as in the engine.
    """
    by_urn: dict[str, list[Planned]] = {}
    for step in steps:
        by_urn.setdefault(step.resource.urn, []).append(step)
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for urn, same in by_urn.items():
        needed = {name for step in same for name in step.resource.references()}
        sorter.add(urn, *(needed & by_urn.keys() - {urn}))
    try:
        sorter.prepare()
    except CycleError:  # It cannot come from a program, but from an imported state.
        return [[step for same in by_urn.values() for step in same]]
    layers = []
    while sorter.is_active():
        ready = sorter.get_ready()
        layers.append([step for urn in ready for step in by_urn[urn]])
        sorter.done(*ready)
    return layers[::-1]


def survivors(resources: Iterable[Resource]) -> list[Resource]:
    """What a refresh has left, references to what is gone taken out."""
    result = list(resources)
    known: set[str] = set()
    for resource in result:
        resource.dependencies = [u for u in resource.dependencies if u in known]
        resource.property_dependencies = {
            key: left
            for key, urns in resource.property_dependencies.items()
            if (left := [u for u in urns if u in known])
        }
        if resource.parent not in known:
            resource.parent = ""
        known.add(resource.urn)
    return result
