"""
`pulumi-jig import`: an import file and a program for deployments that run.

The engine cannot read a dynamic resource that it imports, so the import file gives it
inputs and outputs; the program declares the same, so that the preview after the import
is empty. Nothing about the running deployments is changed.

It refuses, each with one sentence and before anything is written: what does not exist,
what carries another stack's mark (unless told otherwise), what is failing, what the
stack has already, and what no program could declare.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import click

from pulumi_jig.cli import account, files, program, terminal, tree
from pulumi_jig.cli.concurrency import map_concurrent
from pulumi_jig.cli.pulumi import Pulumi, project_file
from pulumi_jig.cli.state_export import (
    PROVIDER_KEY,
    Place,
    provider_reference,
    to_file,
)
from pulumi_jig.cli.stored import outputs_of
from pulumi_jig.errors import InputError, NotFoundError
from pulumi_jig.naming import DEPLOYMENT_TYPE, Mark, new_nonce, split_description
from pulumi_jig.values import SecretValue

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pulumi_jig.cli.state_export import Export, Record
    from pulumi_jig.client import JigClient
    from pulumi_jig.schema.responses import DeploymentResponseItem

#: The command that takes the import file. Code generation needs a schema, which a
#: dynamic provider has not.
IMPORT: Final = (
    "import",
    "--file",
    "{}",
    "--generate-code=false",
    "--protect=false",
    "--skip-preview",
    "--yes",
)


@dataclass(frozen=True)
class ImportRequest:
    """
    What is to be imported, and into what.

    Attributes:
        names: Names or ids; empty with `everything`.
        everything: All deployments of the account that nobody has marked, or that carry
            the stack's mark and stand outside of its state.
        besides: Names to leave out of `everything`.
        place: The stack, where it is known.
        held: The stack's state, where it is known.
        adopt_marked: Whether another stack's mark is no obstacle.
        key: The fingerprint of the key in use.
    """

    names: Sequence[str] = ()
    everything: bool = False
    besides: Sequence[str] = ()
    place: Place | None = None
    held: Export | None = None
    adopt_marked: bool = False
    key: str = ""


@dataclass(frozen=True)
class Importable:
    """
    One deployment that can be imported.

    Attributes:
        name: Its name in the service.
        resource: The resource's name in the program.
        entry: Its entry in the import file.
        args: Its arguments in the program.
        secrets: Configuration keys of its secret values.
        notes: What a person should know.
    """

    name: str
    resource: str
    entry: Record = field(repr=False)
    args: dict[str, Any] = field(repr=False)
    secrets: dict[str, str] = field(repr=False)
    notes: tuple[str, ...] = ()


def importable(client: JigClient, request: ImportRequest) -> list[Importable]:
    """
    What can be imported.

    Raises:
        InputError: Something of it cannot, with a sentence for each.
        JigError: The service could not be asked.
    """
    whose = account.account(client, account.request_deadline())
    items = _items(client, request)
    faults: list[str] = []
    found: list[Importable] = []
    taken: set[str] = set()
    seen: set[str] = set()
    for reference, item in items:
        if item is None:
            faults.append(f'There is no deployment "{reference}" in this account.')
            continue
        if str(item.id) in seen:
            # Named twice, by its name and by its id.
            continue
        seen.add(str(item.id))
        fault = _fault(item, request)
        if fault is not None:
            faults.append(fault)
            continue
        one = _import_entry(item, request, whose, taken)
        if isinstance(one, str):
            faults.append(one)
        else:
            found.append(one)
    if faults:
        raise InputError("\n".join([*faults, "Nothing was written."]))
    return found


def _items(
    client: JigClient, request: ImportRequest
) -> list[tuple[str, DeploymentResponseItem | None]]:
    references = list(dict.fromkeys(request.names))
    if request.everything:
        listed = client.deployments.list(account.request_deadline())
        references = sorted(
            str(item.id or item.name) for item in listed if _wanted(item, request)
        )

    def get(reference: str) -> tuple[str, DeploymentResponseItem | None]:
        try:
            return reference, client.deployments.get(
                reference, account.request_deadline()
            )
        except NotFoundError as error:
            if not error.from_api:
                raise
            return reference, None

    with terminal.progress("Reading", len(references)) as done:
        found = map_concurrent(
            get, references, limit=client.settings.parallel, done=done
        )
    return sorted(found, key=lambda pair: str(pair[1].name if pair[1] else pair[0]))


def _wanted(item: DeploymentResponseItem, request: ImportRequest) -> bool:
    if item.name in request.besides or _is_held(item, request):
        return False
    mark = split_description(item.description)[1]
    return mark is None or request.adopt_marked or _is_ours(mark, request)


def _is_ours(mark: Mark, request: ImportRequest) -> bool:
    place = request.place
    return place is not None and (mark.project, mark.stack) == (
        place.project,
        place.stack,
    )


def _is_held(item: DeploymentResponseItem, request: ImportRequest) -> bool:
    if request.held is None:
        return False
    return any(
        (resource.get("outputs") or {}).get("deployment_id") == item.id
        for resource in request.held.deployments()
    )


def _fault(item: DeploymentResponseItem, request: ImportRequest) -> str | None:
    """Why a deployment cannot be imported, in a sentence."""
    if _is_held(item, request):
        return f'Deployment "{item.name}" is a resource of {request.place} already.'
    mark = split_description(item.description)[1]
    if mark is not None and not request.adopt_marked and not _is_ours(mark, request):
        return (
            f'Deployment "{item.name}" belongs to {mark.owner}; if that stack is gone '
            "or shall give it up (`pulumi state delete` there), use --adopt-marked."
        )
    why = _failing(item)
    if why:
        return (
            f'Deployment "{item.name}" is failing ({why}), so the next preview would '
            "not be empty: repair or delete it first."
        )
    return None


def _failing(item: DeploymentResponseItem) -> str | None:
    if item.status == "Failed":
        return "status Failed"
    from pulumi_jig.schema.enums import CRASHED, NOT_PULLED, UNSTARTABLE

    bad = CRASHED | NOT_PULLED | UNSTARTABLE
    events: Any = item.replica_events
    for event in events.values() if isinstance(events, dict) else ():
        reason = getattr(event, "replica_status_reason", None)
        if reason in bad:
            return str(reason)
    return None


def _import_entry(
    item: DeploymentResponseItem,
    request: ImportRequest,
    whose: str | None,
    taken: set[str],
) -> Importable | str:
    from pulumi_jig.cli.declared import declaration, left_out
    from pulumi_jig.lifecycle.deployment.check import check
    from pulumi_jig.lifecycle.deployment.kind import DEPLOYMENT

    mark = split_description(item.description)[1]
    ours = mark is not None and _is_ours(mark, request)
    resource = mark.resource if mark is not None and ours else str(item.name)
    if resource in taken:
        resource = str(item.name)
    taken.add(resource)
    declared = declaration(item)
    inputs = {
        **declared,
        "__declared": sorted(declared),
        # A live mark's nonce is what update and delete ask for.
        "__nonce": mark.nonce if mark is not None else new_nonce(),
        # This key has seen it.
        "__key": request.key,
    }
    checked = check(inputs, _revealed(declared))
    if checked.faults:
        path, why = checked.faults[0]
        where = f"its {path} {why}" if path else why
        return f'Deployment "{item.name}" cannot be declared: {where}.'
    filed = to_file({**inputs, PROVIDER_KEY: provider_reference("DeploymentProvider")})
    entry = {
        "type": DEPLOYMENT_TYPE,
        "name": resource,
        "id": str(item.name),
        "inputs": filed,
        "outputs": outputs_of(DEPLOYMENT, filed, item, whose, in_clear=True),
    }
    args, secrets = _arguments(resource, declared)
    notes = []
    if mark is not None and not ours:
        notes.append(
            f"belongs to {mark.owner}: remove it from that stack's state "
            "(`pulumi state delete`) before anybody runs `up` or `destroy` there"
        )
    platform = [name for name in left_out(item) if name not in _INJECTED]
    if platform:
        notes.append(
            f"{', '.join(platform)} taken for the platform's own variables and left out"
        )
    return Importable(str(item.name), resource, entry, args, secrets, tuple(notes))


#: Variables that the platform is known to inject.
_INJECTED: Final = frozenset(
    {"TOGETHER_DEPLOYMENT_REVISION_ID", "TOGETHER_DEPLOYMENT_NAME"}
)


def _revealed(declared: dict[str, Any]) -> dict[str, Any]:
    from pulumi_jig.values import reveal

    revealed: dict[str, Any] = reveal(declared)
    return revealed


def _arguments(
    resource: str, declared: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The program's arguments, and the values of the secrets that they read."""
    secrets: dict[str, str] = {}
    args = dict(declared)
    environment: dict[str, Any] = {}
    for name, value in args.get("environment_variables", {}).items():
        if isinstance(value, SecretValue):
            key = program.config_key(resource, name)
            secrets[key] = value.value
            environment[name] = program.require_secret(key)
        else:
            environment[name] = value
    if environment:
        args["environment_variables"] = environment
    return args, secrets


# --- Files ----------------------------------------------------------------------


def write(
    found: Sequence[Importable], *, import_file: Path, program_file: Path
) -> None:
    """
    Write the import file (for its owner alone) and the program, both or none.

    Raises:
        InputError: They cannot be written.
    """
    # One resource a line: an indented document of hundreds takes longer to write than
    # its deployments take to read.
    entries = ",\n".join(json.dumps(one.entry) for one in found)
    text = program.write(
        "Deployments that were running before this program.",
        [program.Resource(one.resource, one.args) for one in found],
    )
    files.write_all(
        {
            import_file: f'{{"resources": [\n{entries}\n]}}\n',
            program_file: text,
        },
        public=[program_file],
    )


def store_secrets(pulumi: Pulumi, found: Sequence[Importable]) -> None:
    """
    Put the secret values into the stack's configuration, through a pipe.

    Raises:
        JigError: The `pulumi` command failed.
    """
    pairs = [pair for one in found for pair in one.secrets.items()]
    with terminal.progress("Configuring", len(pairs)) as done:
        for key, value in pairs:
            # The command takes one line break off the end.
            pulumi.run("config", "set", "--secret", key, text=f"{value}\n")
            done()


def show(
    found: Sequence[Importable],
    *,
    import_file: Path,
    program_file: Path,
    configured: bool,
) -> None:
    """Tell people what was written and what to do next."""
    count = f"{len(found)} deployment{'' if len(found) == 1 else 's'}"
    terminal.say(f"Wrote {import_file} and {program_file} for {count}.")
    for one in found:
        for note in one.notes:
            terminal.say(f"{terminal.paint(one.name, 'notice')}: {note}.")
    terminal.say()
    terminal.say("Next, in the folder of the program:")
    keys = [key for one in found for key in one.secrets]
    if keys and not configured:
        for key in keys:
            terminal.verbatim(f"  pulumi config set --secret {key}")
    command = shlex.join(part.format(import_file) for part in IMPORT)
    terminal.verbatim(f"  pulumi {command}")
    terminal.verbatim(f"  {shlex.join(['rm', str(import_file)])}")
    terminal.verbatim("  pulumi preview --expect-no-changes")
    terminal.say()
    terminal.say(
        f"{import_file} holds the values of environment variables readable; it is "
        "for you alone, and for the import only."
    )


# --- The command ----------------------------------------------------------------


@click.command(
    "import",
    epilog="Example: pulumi-jig import llm-prod embedder-prod --program __main__.py",
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "everything", is_flag=True, help="All that no stack has marked.")
@click.option(
    "--except",
    "besides",
    multiple=True,
    metavar="NAME",
    help="Leave this one out of --all; repeatable.",
)
@tree.STACK
@click.option("--project", help="The project (default: that of the folder).")
@click.option(
    "--adopt-marked",
    is_flag=True,
    help="Also what another stack has marked; that stack must give it up.",
)
@click.option(
    "--file",
    "import_file",
    type=tree.FILE,
    default="import.json",
    help="Import file to write (default: import.json).",
)
@click.option(
    "--program",
    "program_file",
    type=tree.FILE,
    default="imported.py",
    help="Program to write (default: imported.py).",
)
@click.option("--force", is_flag=True, help="Write over existing files.")
@click.option(
    "--set-config",
    is_flag=True,
    help="Put the secret values into the stack's configuration now.",
)
@tree.DIRECTORY
@tree.JSON
def command(
    *,
    names: tuple[str, ...],
    everything: bool,
    besides: tuple[str, ...],
    stack: str | None,
    project: str | None,
    adopt_marked: bool,
    import_file: Path,
    program_file: Path,
    force: bool,
    set_config: bool,
    directory: Path,
    as_json: bool,
) -> int:
    """
    Write an import file and a program for running deployments.

    Nothing about the deployments is changed. After `pulumi import` with the file, the
    preview of the program is empty. Values of environment variables become secrets of
    the stack's configuration.
    """
    if bool(names) == everything:
        raise click.UsageError("Give names, or --all.")
    if files.same(import_file, program_file):
        raise click.UsageError("--file and --program name the same file.")
    files.check_targets([import_file, program_file], force=force)
    pulumi = Pulumi(directory, stack)
    place, held = None, None
    if project and stack:
        place = Place(project=project, stack=stack)
    with tree.finding_out(but=InputError):
        known = project_file(directory) is not None and Pulumi.installed()
        if known and (stack or pulumi.selected()):
            place = place or pulumi.place()
            held = pulumi.export()
        else:
            known = False
        client = account.connect(pulumi if known else None)
        try:
            found = importable(
                client,
                ImportRequest(
                    names=names,
                    everything=everything,
                    besides=besides,
                    place=place,
                    held=held,
                    adopt_marked=adopt_marked,
                    key=client.settings.key_fingerprint,
                ),
            )
        finally:
            client.close()
    if not found and not as_json:
        terminal.say("There is nothing to import.")
        return tree.DONE
    if found:
        write(found, import_file=import_file, program_file=program_file)
    if set_config:
        store_secrets(pulumi, found)
    if as_json:
        terminal.dump(
            {
                "deployments": [
                    {
                        "name": one.name,
                        "resource": one.resource,
                        "config_keys": sorted(one.secrets),
                        "notes": list(one.notes),
                    }
                    for one in found
                ],
                "import_file": str(import_file) if found else None,
                "program": str(program_file) if found else None,
            }
        )
    else:
        show(
            found,
            import_file=import_file,
            program_file=program_file,
            configured=set_config,
        )
    return 0
