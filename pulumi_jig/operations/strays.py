"""
Things that carry a mark of ours and stand in no state: deployments run and bill unseen.

One is held by a state that knows its id, or whose resource (or interrupted operation)
has its nonce. A namesake holds nothing. It refuses to call anything a stray
that carries no mark: that may be anybody's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pulumi_jig.naming import DEPLOYMENT_TYPE, SECRET_TYPE, split_description
from pulumi_jig.operations.kinds import ID_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pulumi_jig.naming import Mark
    from pulumi_jig.operations.exported import Export
    from pulumi_jig.schema.responses import DeploymentResponseItem, SecretResponseItem


#: What carries a mark; a volume has no place for one.
_MARKED = (DEPLOYMENT_TYPE, SECRET_TYPE)


@dataclass(frozen=True)
class Stray:
    """
    A deployment or a secret with a mark and without a state.

    Attributes:
        item: What the service says.
        mark: Whose it is.
        interrupted: Whether an interrupted operation of a given stack has its nonce.
    """

    item: DeploymentResponseItem | SecretResponseItem
    mark: Mark
    interrupted: bool = False

    @property
    def what(self) -> str:
        """What it is, in a word."""
        return "secret" if self.deployment is None else "deployment"

    @property
    def deployment(self) -> DeploymentResponseItem | None:
        """The deployment, where it is one."""
        from pulumi_jig.schema.responses import DeploymentResponseItem

        return self.item if isinstance(self.item, DeploymentResponseItem) else None

    @property
    def name(self) -> str:
        """Its name in the service."""
        return str(self.item.name)

    def plain(self) -> dict[str, Any]:
        """For a program to read."""
        told: dict[str, Any] = {
            "kind": self.what,
            "name": self.name,
            f"{self.what}_id": self.item.id,
            "project": self.mark.project,
            "stack": self.mark.stack,
            "resource": self.mark.resource,
            "created_at": self.item.created_at,
            "interrupted": self.interrupted,
        }
        if self.deployment is not None:
            told |= {
                "status": self.deployment.status,
                "gpu_type": self.deployment.gpu_type,
                "gpu_count": self.deployment.gpu_count,
                "desired_replicas": self.deployment.desired_replicas,
            }
        return told


def strays(
    items: Iterable[DeploymentResponseItem | SecretResponseItem],
    exports: Iterable[Export],
    *,
    project: str,
    stack: str | None = None,
) -> list[Stray]:
    """
    Marked things that no given state holds, by name.

    Args:
        items: All deployments and secrets of the account.
        exports: The states.
        project: Only marks of this project.
        stack: Only marks of this stack; None for all of the project.
    """
    ids: set[str] = set()
    nonces: set[str] = set()
    begun: set[str] = set()
    for export in exports:
        for resource in export.resources:
            # One that waits for its deletion is known as well as any other.
            if resource["type"] not in _MARKED or resource.get("external"):
                continue
            outputs = resource.get("outputs") or {}
            ids.add(str(outputs.get(ID_KEYS[resource["type"]])))
            for data in (outputs, resource.get("inputs") or {}):
                nonces.add(str(data.get("__nonce")))
        for operation in export.pending:
            inputs = operation["resource"].get("inputs") or {}
            begun.add(str(inputs.get("__nonce")))
    found = []
    for item in items:
        _, mark = split_description(item.description)
        if mark is None or mark.project != project or stack not in (None, mark.stack):
            continue
        if str(item.id) in ids or mark.nonce in nonces:
            continue
        found.append(Stray(item, mark, interrupted=mark.nonce in begun))
    return sorted(found, key=lambda stray: (stray.mark.owner, stray.name))


def costs(stray: Stray) -> str:
    """What a stray keeps busy, in words."""
    item = stray.deployment
    if item is None:
        return "costs nothing"
    replicas = item.desired_replicas
    count = f"{'?' if replicas is None else replicas}"
    count += " replica" if replicas == 1 else " replicas"
    if item.gpu_type in (None, "none") or not item.gpu_count:
        return f"{count} without GPU"
    return f"{count} of {item.gpu_count} x {item.gpu_type}"
