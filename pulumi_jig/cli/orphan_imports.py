"""
Importing orphans of a stack into its state, by the engine's own import.

Where an interrupted run left no operation in the state (its plugin was killed), only the
program knows which resource a deployment belongs to. So the program is previewed: what
it would create gives the parents, the provider and what is declared; the orphans' marks
say which resource each one is. `pulumi import` then takes ids, inputs and outputs as
they are given here.

An orphan whose resource the program does not have, or would call by another name, is
refused: importing it would only end in its replacement.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.cli.state_export import Record, at, logical_name, to_file
from pulumi_jig.cli.stored import live_of, outputs_of, unfinished
from pulumi_jig.errors import JigError
from pulumi_jig.naming import DEPLOYMENT_TYPE
from pulumi_jig.values import SecretValue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulumi_jig.cli.orphans import Orphan
    from pulumi_jig.cli.pulumi import Pulumi

#: What a preview shows in the place of a secret.
_MASK: Final = "[secret]"


@dataclass(frozen=True)
class ImportedOrphan:
    """
    A orphan and what can be done with it.

    Attributes:
        orphan: The deployment.
        why_not: Why it cannot be taken back, or None.
    """

    orphan: Orphan
    why_not: str | None = None


class OrphanImport:
    """
    The way back into the state for some orphans.

    Args:
        pulumi: The stack.
        orphans: Its orphans.
        account: Whose key it is, where the service says so.
        key: The fingerprint of the key in use.
    """

    def __init__(
        self,
        pulumi: Pulumi,
        orphans: Sequence[Orphan],
        account: str | None,
        key: str,
    ) -> None:
        self._pulumi = pulumi
        self._account = account
        self._key = key
        wanted, frame = _preview(pulumi)
        self._frame = frame
        self.taken = [_match(orphan, wanted) for orphan in orphans]
        self._wanted = wanted

    def document(self) -> Record:
        """The import file: the engine's own frame, filled in for what is taken."""
        by_name = {
            taken.orphan.mark.resource: taken.orphan
            for taken in self.taken
            if taken.why_not is None
        }
        resources = []
        for entry in self._frame.get("resources") or []:
            name = entry.get("logicalName") or entry.get("name")
            if entry.get("component"):
                # Parents that are not there yet come along.
                resources.append(entry)
            elif entry.get("type") == DEPLOYMENT_TYPE and name in by_name:
                resources.append(self._filled(entry, by_name[name]))
        return {**self._frame, "resources": resources}

    def _filled(self, entry: Record, orphan: Orphan) -> Record:
        from pulumi_jig.lifecycle.deployment.kind import DEPLOYMENT

        declared = self._wanted[orphan.mark.resource]["inputs"]
        inputs = _unmasked(declared, live_of(orphan.item))
        inputs["__nonce"] = orphan.mark.nonce
        # What saw it, not what the preview of the program ran with.
        inputs["__key"] = self._key
        filed = to_file(inputs)
        return {
            **entry,
            "id": orphan.name,
            "inputs": filed,
            "outputs": outputs_of(
                DEPLOYMENT, filed, orphan.item, self._account, in_clear=True
            )
            | unfinished(DEPLOYMENT, orphan.item, filed),
        }

    def run(self) -> None:
        """
        Import what can be taken.

        Raises:
            JigError: The engine refused; it said why.
        """
        document = self.document()
        with tempfile.TemporaryDirectory(prefix="pulumi-jig-") as folder:
            # The folder is ours alone, and gone at the end whatever happens.
            path = Path(folder) / "import.json"
            path.touch(mode=0o600)
            path.write_text(json.dumps(document), encoding="utf-8")
            self._pulumi.run(
                "import",
                "--file",
                str(path),
                "--generate-code=false",
                "--protect=false",
                "--skip-preview",
                "--yes",
                shielded=True,
            )


def _preview(pulumi: Pulumi) -> tuple[dict[str, Record], Record]:
    """What the program would create, by name, and the frame of an import file."""
    with tempfile.TemporaryDirectory(prefix="pulumi-jig-") as folder:
        path = Path(folder) / "import.json"
        printed = pulumi.run("preview", "--json", "--import-file", str(path))
        try:
            frame = json.loads(path.read_text(encoding="utf-8"))
            steps = json.loads(printed)["steps"]
        except (OSError, ValueError, KeyError):
            raise JigError(
                "`pulumi preview` did not say what it would create; run it by hand."
            ) from None
    wanted: dict[str, Record] = {}
    for step in steps:
        new = step.get("newState") or {}
        if step.get("op") == "create" and new.get("type") == DEPLOYMENT_TYPE:
            wanted[logical_name(new)] = new
    return wanted, frame


def _match(orphan: Orphan, wanted: dict[str, Record]) -> ImportedOrphan:
    new = wanted.get(orphan.mark.resource)
    if new is None:
        return ImportedOrphan(
            orphan,
            f'the program would not create a resource "{orphan.mark.resource}" now: '
            "declare it again, import it by hand (`pulumi-jig import`), or delete the "
            "deployment",
        )
    name = (new.get("inputs") or {}).get("name")
    if name != orphan.name:
        return ImportedOrphan(
            orphan,
            f'the program calls this resource\'s deployment "{name}" now: declare '
            f'name="{orphan.name}", or delete the deployment',
        )
    return ImportedOrphan(orphan)


def once_each(taken: Sequence[ImportedOrphan]) -> list[ImportedOrphan]:
    """Two orphans of one resource cannot both be it; neither is taken then."""
    seen: dict[str, int] = {}
    for one in taken:
        resource = one.orphan.mark.resource
        seen[resource] = seen.get(resource, 0) + (one.why_not is None)
    return [
        replace(one, why_not="another deployment carries the same mark")
        if one.why_not is None and seen[one.orphan.mark.resource] > 1
        else one
        for one in taken
    ]


def _unmasked(value: Any, live: Any) -> Any:
    """Inputs of a preview with live values, as secrets, in the place of masks."""
    if value == _MASK:
        return SecretValue("" if live is None else live)
    if isinstance(value, dict):
        return {key: _unmasked(item, at(live, (key,))) for key, item in value.items()}
    if isinstance(value, list):
        return [_unmasked(item, at(live, (i,))) for i, item in enumerate(value)]
    return value
