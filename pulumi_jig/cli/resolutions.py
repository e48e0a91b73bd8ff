"""
Actions for what an interrupted run left, and the state that follows from them.

An action says what the state shall say of one operation. Applying actions is a pure
function from one export to another, so that a person sees everything before anything is
stored. No two resources of one URN are left of which neither waits for its deletion, and no
resource before what it needs: the engine would call such a state corrupt.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.cli.state_export import Record, in_order, logical_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pulumi_jig.cli.state_export import Export
    from pulumi_jig.client import JigClient
    from pulumi_jig.deadline import Deadline
    from pulumi_jig.lifecycle.kind import Kind
    from pulumi_jig.schema.responses import ResponseModel


STACK_TYPE: Final = "pulumi:pulumi:Stack"
_PROVIDER_TYPE: Final = "pulumi:providers:pulumi-python"


class Action(enum.Enum):
    """What the state shall say of an interrupted operation."""

    IMPORT = "import"
    """It exists and is ours: it becomes a resource."""
    DISCARD = "discard"
    """The operation is forgotten; nothing came of it, or nothing needs it."""
    REFRESH = "refresh"
    """The operation is forgotten and the resource shows what is live."""
    DELETE = "delete"
    """It is gone: operation and resource are forgotten."""
    SKIP = "skip"
    """Nothing is changed; a person has to decide."""


@dataclass(frozen=True)
class Finding:
    """
    What became of one operation.

    Attributes:
        index: Its place among the pending operations.
        operation: `creating`, `updating`, `deleting`, ...
        urn: The resource.
        action: What follows.
        message: A sentence for people, without values.
        name: The resource's name in the service, where it is known.
        deployment_id: Its id in the service, where it exists.
        resource: The resource as the state shall hold it, for `IMPORT` and `REFRESH`.
        along: What the state has to get along with it; see `missing_ancestors`.
    """

    index: int
    operation: str
    urn: str
    action: Action
    message: str
    name: str | None = None
    deployment_id: str | None = None
    resource: Record | None = field(default=None, repr=False)
    along: tuple[Record, ...] = field(default=(), repr=False)

    def plain(self) -> dict[str, Any]:
        """For a program to read."""
        return {
            "operation": self.operation,
            "urn": self.urn,
            "name": self.name,
            "deployment_id": self.deployment_id,
            "action": self.action.value,
            "message": self.message,
        }


@dataclass(frozen=True)
class RecoveryContext:
    """
    What requests to the service need.

    Attributes:
        client: The client.
        deadline: Makes the time limit of one request.
        account: Whose key it is, where the service says so.
        provider: The provider resource whose key this is: `default`, or an explicit
            one's name in the program.
        in_clear: Whether values that only the service told may be stored readable,
            because what takes them encrypts them at once.
    """

    client: JigClient
    deadline: Callable[[], Deadline]
    account: str | None
    provider: str = "default"
    in_clear: bool = True


# --- The state ------------------------------------------------------------------


def stored_resource(export: Export, wanted: Record) -> Record | None:
    """The resource of the state that an operation is about."""
    # During a replacement the old and the new one share a URN; and a later run may have
    # put another one in its place.
    same = [
        item
        for item in export.resources
        if item["urn"] == wanted["urn"] and not _is_another(item, wanted)
    ]
    exact = [
        item
        for item in same
        if item.get("id") == wanted.get("id")
        and bool(item.get("delete")) == bool(wanted.get("delete"))
    ]
    return next(iter(exact or same), None)


def _is_another(stored: Record, wanted: Record) -> bool:
    """Whether two records under one URN are about different resources of the service."""
    nonces = [(one.get("inputs") or {}).get("__nonce") for one in (stored, wanted)]
    return None not in nonces and nonces[0] != nonces[1]


def holds(export: Export, urn: str, kind: Kind[Any], item: ResponseModel) -> bool:
    """Whether the state has a live thing under this very URN."""
    known = getattr(item, "id", None)
    return any(
        resource["urn"] == urn
        and (resource.get("outputs") or {}).get(kind.id_key) == known
        for resource in export.resources
        if known
    )


def needed_by(export: Export, gone: Record) -> str | None:
    """The name of a resource that could not stay without this one, or None."""
    if sum(item["urn"] == gone["urn"] for item in export.resources) > 1:
        return None
    for item in export.resources:
        urns = [item.get("parent"), item.get("deletedWith")]
        urns += item.get("dependencies") or []
        for names in (item.get("propertyDependencies") or {}).values():
            urns += names or []
        if item is not gone and gone["urn"] in urns:
            return logical_name(item)
    return None


def missing_ancestors(export: Export, resource: Record) -> tuple[Record, ...] | None:
    """
    What a resource needs and the state has lost, as the engine had made it.

    A `destroy` after a killed run takes the stack and the default provider out of the
    state, while the operation stays; without them the engine calls the state corrupt.

    Returns:
        None where it cannot be made again: a component, or a provider of its own.
    """
    known = {item["urn"] for item in export.resources}
    found: list[Record] = []
    parent = str(resource.get("parent") or "")
    if parent and parent not in known:
        if parent.split("::")[2] != STACK_TYPE:
            return None
        found.append({"urn": parent, "custom": False, "type": STACK_TYPE})
    provider, _, id_ = str(resource.get("provider") or "").rpartition("::")
    if provider and provider not in known:
        if not provider.endswith(f"::{_PROVIDER_TYPE}::default"):
            return None
        found.append(
            {"urn": provider, "custom": True, "id": id_, "type": _PROVIDER_TYPE}
        )
    return tuple(found)


def without_missing(export: Export, resource: Record) -> Record:
    """A resource that depends on nothing that the state has lost."""
    known = {item["urn"] for item in export.resources}
    found = dict(resource)
    if found.get("dependencies"):
        found["dependencies"] = [u for u in found["dependencies"] if u in known]
    if found.get("propertyDependencies"):
        found["propertyDependencies"] = {
            key: [urn for urn in urns or [] if urn in known]
            for key, urns in found["propertyDependencies"].items()
        }
    if found.get("deletedWith") not in known:
        found.pop("deletedWith", None)
    return found


def one_each(findings: Sequence[Finding]) -> list[Finding]:
    """
    The findings, with each deployment imported once.

    Two killed runs may have begun to create one resource. What carries no mark looks
    like either's, and in the state twice it would be deleted by its own other entry.

    Args:
        findings: One for each pending operation, in their order.
    """
    imported: set[str] = set()
    found = []
    for finding in findings:
        id_ = finding.deployment_id
        if finding.action is Action.IMPORT and id_ is not None:
            if id_ in imported:
                finding = replace(  # noqa: PLW2901 - what stands for it
                    finding,
                    action=Action.DISCARD,
                    message=f'"{finding.name}" becomes a resource by an earlier '
                    "operation of an interrupted run; this one made nothing else.",
                    resource=None,
                    along=(),
                )
            else:
                imported.add(id_)
        found.append(finding)
    return found


def settle(export: Export, findings: Sequence[Finding]) -> Export:
    """
    The export with every action applied.

    Args:
        export: Left as it is.
        findings: About its pending operations.
    """
    result = export.copied()
    resources = result.resources
    for finding in findings:
        operation = export.pending[finding.index]["resource"]
        stored = stored_resource(result, operation)
        if finding.action is Action.IMPORT and finding.resource is not None:
            known = {item["urn"] for item in resources}
            missing = [item for item in finding.along if item["urn"] not in known]
            resources = _with([*missing, *resources], finding.resource)
        elif finding.action is Action.REFRESH and stored is not None:
            new = finding.resource
            resources = [
                new if item is stored and new is not None else item
                for item in resources
            ]
        elif finding.action is Action.DELETE:
            resources = [item for item in resources if item is not stored]
        result.resources = resources
    result.resources = in_order(resources)
    over = {f.index for f in findings if f.action is not Action.SKIP}
    result.pending = [op for i, op in enumerate(result.pending) if i not in over]
    if not result.pending:
        result.data["deployment"].pop("pending_operations", None)
    return result


def _with(resources: list[Record], new: Record) -> list[Record]:
    """The resources with a new one; what it replaces waits for its deletion."""
    if new.get("delete"):
        return [*resources, new]
    found = []
    for item in resources:
        if item["urn"] == new["urn"] and not item.get("delete"):
            if item.get("pendingReplacement"):
                # Deleted before its replacement was made: it is gone already.
                continue
            item = {**item, "delete": True}  # noqa: PLW2901 - the one that is replaced
        found.append(item)
    return [*found, new]
