"""
`pulumi-jig orphans`: what carries a mark of this project and stands in no state.

It looks and tells; it deletes nothing. It refuses to call anything an orphan before it
has read every state that was named, or every stack of the project where none was.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pulumi_jig.errors import ConfigError, InputError, JigError
from pulumi_jig.operations import account, terminal
from pulumi_jig.operations.exported import Export, read_export
from pulumi_jig.operations.pulumi import Pulumi, project_file, project_name
from pulumi_jig.operations.strays import Stray, costs, strays
from pulumi_jig.operations.together import gather

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pulumi_jig.client import JigClient
    from pulumi_jig.schema.responses import DeploymentResponseItem, SecretResponseItem

#: Processes of the `pulumi` command at a time.
_EXPORTS = 4


def orphans(
    directory: Path,
    *,
    stacks: Sequence[str] = (),
    state_files: Sequence[Path] = (),
    project: str | None = None,
) -> list[Stray]:
    """
    Deployments and secrets that carry the project's mark and stand in no given state.

    Args:
        directory: The folder of the program.
        stacks: Stacks to read with the `pulumi` command.
        state_files: Exported states. Without either, all stacks of the project count.
        project: The project; by default that of the folder, or of the first state.

    Raises:
        JigError: A state or the service could not be read.
    """
    exports = [read_export(path) for path in state_files]
    if not stacks and not state_files:
        stacks = _all_stacks(directory)
    exports += gather(
        lambda stack: Pulumi(directory, stack).export(), list(stacks), limit=_EXPORTS
    )
    project = project or _project(directory, exports)
    # The first stack's configuration counts, where the environment says nothing.
    client = account.connect(Pulumi(directory, stacks[0]) if stacks else None)
    try:
        _require_same_account(client, exports)
        items: list[DeploymentResponseItem | SecretResponseItem] = [
            *client.deployments.list(account.look()),
            *client.secrets.list(account.look()),
        ]
    finally:
        client.close()
    return strays(items, exports, project=project)


def _require_same_account(client: JigClient, exports: Sequence[Export]) -> None:
    """
    Refuse to call it "none" where the key sees another account than the states are of.

    Raises:
        ConfigError: It does.
    """
    known = {
        str(told)
        for export in exports
        for resource in export.resources
        if (told := (resource.get("outputs") or {}).get("__account")) is not None
    }
    now = account.account(client, account.look()) if known else None
    if now is not None and now not in known:
        raise ConfigError(
            f"The states hold what account {', '.join(sorted(known))} has, but the key "
            f"in use belongs to account {now}, so nothing can be found out. Use a key "
            "of the first one."
        )


def _all_stacks(directory: Path) -> list[str]:
    # Asked for in the program's folder, the command lists the project's stacks only.
    project_name(directory)
    try:
        listed = json.loads(Pulumi(directory, None).run("stack", "ls", "--json"))
        return [str(entry["name"]) for entry in listed]
    except (ValueError, KeyError, TypeError):
        raise JigError("`pulumi stack ls` printed something unexpected.") from None


def _project(directory: Path, exports: Sequence[Export]) -> str:
    for export in exports:
        place = export.place()
        if place is not None:
            return place.project
    if project_file(directory) is None:
        raise InputError(
            "No given state names a project, and there is no Pulumi.yaml here: say "
            "which project is meant with --project."
        )
    return project_name(directory)


def show(found: Sequence[Stray]) -> None:
    """Tell people what was found."""
    if not found:
        terminal.say(
            "No orphans: every marked deployment and secret stands in a state."
        )
        return
    for stray in found:
        name = terminal.paint(stray.name, "bad")
        status = "a secret"
        if stray.deployment is not None:
            status = stray.deployment.status or "status unknown"
        terminal.say(
            f"{name} (id {stray.item.id}): marked {stray.mark.owner}, {status}, "
            f"{costs(stray)}"
        )
        if stray.interrupted:
            terminal.say("an interrupted run of that stack left it", indent=4)
    terminal.say()
    billing = "; deployments may be running and billing"
    terminal.say(
        f"{len(found)} in all{billing if any(s.deployment for s in found) else ''}. "
        "If no stack of that name on another backend has them, `pulumi-jig recover "
        "--stack STACK --yes --adopt-marked` takes the deployments of a stack into its "
        "state; a secret is taken over by a program with `adopt=True`."
    )
