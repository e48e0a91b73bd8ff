"""
Who must be deleted before a resource is deleted and made anew.

Why it exists: in a replacement that deletes first, whoever was made from a property of
the resource that goes, and could not live with another value, goes before it.

What it refuses: nothing itself; that a victim is protected is the planner's to refuse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_jig.rehearsal.properties import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pulumi_jig.rehearsal.providers import Registry
    from pulumi_jig.rehearsal.state import Resource


def victims(
    root: Resource,
    resources: Sequence[Resource],
    operated: Collection[str],
    registry: Registry,
) -> list[Resource]:
    """
    Those that go before `root`, what depends on others first.

    Args:
        root: The resource that is to be deleted first.
        resources: The old state, in order of dependency.
        operated: URNs that this operation has settled: they cannot depend on `root`
            any more.
        registry: Where their providers are, which are asked.
    """
    condemned = {root.urn}
    result: list[Resource] = []
    for item in resources:
        if item.delete or item is root or item.urn in operated:
            continue
        if _must_go(item, condemned, registry):
            condemned.add(item.urn)
            result.append(item)
    result.reverse()
    return result


def _must_go(item: Resource, condemned: set[str], registry: Registry) -> bool:
    """Whether the provider would replace it when what it was made from is unknown."""
    if not item.custom or item.external:
        return False
    if item.provider and item.provider.rpartition("::")[0] in condemned:
        return True
    if item.deleted_with in condemned:
        return True
    inputs = dict(item.inputs)
    touched = False
    for key, urns in item.property_dependencies.items():
        if key in inputs and condemned.intersection(urns):
            inputs[key] = UNKNOWN
            touched = True
    if not touched or item.is_provider:
        return False
    diff = registry.of(item.provider).diff(item.urn, item, inputs, item.ignore_changes)
    return bool(diff.replaces)
