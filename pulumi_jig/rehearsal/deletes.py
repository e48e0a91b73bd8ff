"""
What comes after the program: deletions and their order, and a refreshed state.

Why it exists: what a program no longer registers is deleted, dependents before what
they depend on; a refresh takes out of the state what is gone, and every reference to it.

What it refuses: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_jig.rehearsal.events import Planned

if TYPE_CHECKING:
    from pulumi_jig.rehearsal.planner import Planner
    from pulumi_jig.rehearsal.state import Resource, Snapshot


def deletions(
    base: Snapshot, planner: Planner, condemned: set[str]
) -> dict[Resource, Planned]:
    """
    The steps for everything in the old state that is not to stay.

    `condemned` holds the URNs that the operation may touch.
    """
    steps: dict[Resource, Planned] = {}
    for item in base.resources:
        if item.urn not in condemned:
            # It stays, and counts for policies.
            planner.news.setdefault(item.urn, item)
            continue
        if item.delete:
            if item in planner.pending_deletes:
                continue
            operation = "discard-replaced" if item.external else "delete-replaced"
        elif (
            item.urn in planner.operated
            or planner.renamed.get(item.urn) in planner.operated
        ):
            continue
        elif item.pending_replacement:
            operation = "remove-pending-replace"
        else:
            operation = "discard" if item.external else "delete"
        planner.deletes.add(item.urn)
        step = Planned(operation, item.urn, item.type, item, None)
        step.internal = item.is_provider and not item.parent
        steps[item] = step
    return steps


def survivors(resources: list[Resource]) -> list[Resource]:
    """What a refresh has left, references to what is gone taken out."""
    known: set[str] = set()
    for resource in resources:
        resource.dependencies = [u for u in resource.dependencies if u in known]
        resource.property_dependencies = {
            key: left
            for key, urns in resource.property_dependencies.items()
            if (left := [u for u in urns if u in known])
        }
        if resource.deleted_with not in known:
            resource.deleted_with = ""
        if resource.parent not in known:
            resource.parent = ""
        known.add(resource.urn)
    return resources


def layers(resources: list[Resource]) -> list[list[Resource]]:
    """
    `resources` in the order in which they may be deleted, those side by side together.

    No layer begins before the one before it has ended, as in the engine.
    """
    remaining = list(resources)
    result: list[list[Resource]] = []
    while remaining:
        urns = {item.urn for item in remaining}
        layer = [
            item
            for item in remaining
            if not any(urn in urns and urn != item.urn for urn in item.references())
        ]
        if not layer:
            layer = list(remaining)  # A cycle cannot come from a program.
        result.append(layer)
        remaining = [item for item in remaining if item not in layer]
    result.reverse()
    return result
