"""
`pulumi-jig orphans`: what carries a mark of this project and is in no state.

A deployment or secret is held by a state that knows its id, or whose resource (or
interrupted operation) has its nonce; a namesake holds nothing. What carries no mark may
be anybody's, so it is never called an orphan. Nothing is deleted.

Each provider of each state is asked with its own key, so that a project with several
accounts is looked through as a whole.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from pulumi_jig.cli import account, terminal, tree
from pulumi_jig.cli.concurrency import map_concurrent
from pulumi_jig.cli.pulumi import Pulumi, project_file, project_name
from pulumi_jig.cli.state_export import (
    Export,
    is_encrypted,
    provider_inputs,
    provider_name,
    read_export,
)
from pulumi_jig.cli.stored import ID_KEYS
from pulumi_jig.errors import ConfigError, InputError, JigError
from pulumi_jig.naming import DEPLOYMENT_TYPE, SECRET_TYPE, split_description

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pulumi_jig.client import JigClient
    from pulumi_jig.naming import Mark
    from pulumi_jig.schema.responses import DeploymentResponseItem, SecretResponseItem

#: Processes of the `pulumi` command at a time.
_EXPORTS: Final = 4


#: What carries a mark; a volume has no place for one.
_MARKED = (DEPLOYMENT_TYPE, SECRET_TYPE)


@dataclass(frozen=True)
class Orphan:
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


def find_orphans(
    items: Iterable[DeploymentResponseItem | SecretResponseItem],
    exports: Iterable[Export],
    *,
    project: str,
    stack: str | None = None,
) -> list[Orphan]:
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
        found.append(Orphan(item, mark, interrupted=mark.nonce in begun))
    return sorted(found, key=lambda orphan: (orphan.mark.owner, orphan.name))


def costs(orphan: Orphan) -> str:
    """What an orphan keeps busy, in words."""
    item = orphan.deployment
    if item is None:
        return "costs nothing"
    replicas = item.desired_replicas
    count = f"{'?' if replicas is None else replicas}"
    count += " replica" if replicas == 1 else " replicas"
    if item.gpu_type in (None, "none") or not item.gpu_count:
        return f"{count} without GPU"
    return f"{count} of {item.gpu_count} x {item.gpu_type}"


# --- Asking ---------------------------------------------------------------------


def orphans(
    directory: Path,
    *,
    stacks: Sequence[str] = (),
    state_files: Sequence[Path] = (),
    project: str | None = None,
) -> list[Orphan]:
    """
    Deployments and secrets that carry the project's mark and are in no given state.

    Args:
        directory: The folder of the program.
        stacks: Stacks to read with the `pulumi` command.
        state_files: Exported states. Without either, all stacks of the project count.
        project: The project; by default that of the folder, or of the first state.

    Raises:
        JigError: A state or the service could not be read.
    """
    sources: list[tuple[Export, Pulumi | None]] = [
        (read_export(path), None) for path in state_files
    ]
    if not stacks and not state_files:
        stacks = _all_stacks(directory)
    sources += map_concurrent(
        lambda stack: _read(Pulumi(directory, stack)), list(stacks), limit=_EXPORTS
    )
    exports = [export for export, _ in sources]
    project = project or _project(directory, exports)
    clients: dict[tuple[str, str], JigClient] = {}
    items: dict[str, DeploymentResponseItem | SecretResponseItem] = {}
    try:
        for export, pulumi in sources or [(Export({"version": 3}, "nothing"), None)]:
            _connect(clients, export, pulumi)
        for client in clients.values():
            with account.waiting(client):
                listed: list[DeploymentResponseItem | SecretResponseItem] = [
                    *client.deployments.list(account.request_deadline()),
                    *client.secrets.list(account.request_deadline()),
                ]
            # Two keys may belong to one account.
            items |= {str(item.id): item for item in listed}
    finally:
        for client in clients.values():
            client.close()
    return find_orphans(items.values(), exports, project=project)


def _read(pulumi: Pulumi) -> tuple[Export, Pulumi]:
    """The state of a stack; its secrets readable only where a provider's key is one."""
    export = pulumi.export()
    keys = [
        provider_inputs(export, name).get("jig:apiKey") for name in _providers(export)
    ]
    if any(is_encrypted(key) for key in keys):
        export = pulumi.readable_export()
    return export, pulumi


def _providers(export: Export) -> dict[str, set[str]]:
    """The providers of what a state has of ours, with the accounts of each."""
    found: dict[str, set[str]] = {}
    for item in export.resources:
        if item["type"] in ID_KEYS and not item.get("external"):
            accounts = found.setdefault(provider_name(item), set())
            owner = (item.get("outputs") or {}).get("__account")
            if owner is not None:
                accounts.add(str(owner))
    return found


def _connect(
    clients: dict[tuple[str, str], JigClient], export: Export, pulumi: Pulumi | None
) -> None:
    """
    Add a client for each provider of a state, and for the stack's own settings.

    Raises:
        ConfigError: Settings are unusable, or a key sees another account than the
            state has from it: "none" would be a guess then.
    """
    providers = _providers(export)
    for name in sorted({"default", *providers}):
        try:
            client = (
                account.connect(pulumi)
                if name == "default" or not provider_inputs(export, name)
                else account.connect_provider(export, name, own_key=False)
            )
        except ConfigError:
            if name not in providers and providers:
                # All that the stack has is somewhere else; nothing is configured here.
                continue
            raise
        assert client is not None
        known = providers.get(name, set())
        place = (client.settings.key_fingerprint, client.settings.base_url)
        if place in clients:
            client.close()
        client = clients.setdefault(place, client)
        now = account.account(client, account.request_deadline()) if known else None
        if now is not None and now not in known:
            raise ConfigError(
                f"The states hold what account {', '.join(sorted(known))} has, but the "
                f"key in use belongs to account {now}, so nothing can be found out. "
                "Use a key of the first one; keys of explicit providers are read from "
                "the stack itself, or from a file that was exported with "
                "--show-secrets."
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


def show(found: Sequence[Orphan]) -> None:
    """Tell people what was found."""
    if not found:
        terminal.say("No orphans: every marked deployment and secret is in a state.")
        return
    for orphan in found:
        name = terminal.paint(orphan.name, "bad")
        status = "a secret"
        if orphan.deployment is not None:
            status = orphan.deployment.status or "status unknown"
        terminal.say(
            f"{name} (id {orphan.item.id}): marked {orphan.mark.owner}, {status}, "
            f"{costs(orphan)}"
        )
        if orphan.interrupted:
            terminal.say("an interrupted run of that stack left it", indent=4)
    terminal.say()
    billing = "; deployments may be running and billing"
    terminal.say(
        f"{len(found)} in all{billing if any(s.deployment for s in found) else ''}. "
        "If no stack of that name on another backend has them, `pulumi-jig recover "
        "--stack STACK --yes --adopt-marked` takes the deployments of a stack into its "
        "state; a secret is taken over by a program with `adopt=True`."
    )


# --- The command ----------------------------------------------------------------


@click.command(
    "orphans",
    short_help="Find marked deployments that are in no state.",
    epilog="Example: pulumi-jig orphans --stack dev --stack prod",
)
@click.option("--stack", "-s", "stacks", multiple=True, help="A stack; repeatable.")
@click.option(
    "--file",
    "state_files",
    type=tree.FILE,
    multiple=True,
    help="A state as `pulumi stack export` prints it; repeatable.",
)
@click.option("--project", help="The project (default: that of the folder).")
@tree.DIRECTORY
@tree.JSON
def command(
    *,
    stacks: tuple[str, ...],
    state_files: tuple[Path, ...],
    project: str | None,
    directory: Path,
    as_json: bool,
) -> int:
    """
    Find deployments that carry a mark of this project and are in no state.

    Without --stack and --file, all stacks of the project count. Nothing is changed.

    Exit code 0: none. 1: some. 3: could not find out.
    """
    with tree.finding_out():
        found = orphans(
            directory, stacks=stacks, state_files=state_files, project=project
        )
    if as_json:
        terminal.dump({"orphans": [orphan.plain() for orphan in found]})
    else:
        show(found)
    return 1 if found else 0
