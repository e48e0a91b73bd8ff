"""
The command line: options, help and examples; what is done stands in other modules.

It refuses to import what a command does before that command runs, so `--help` is
immediate.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 80}


@click.group(
    context_settings=_CONTEXT,
    epilog="Example: pulumi-jig drift --stack prod --json",
    invoke_without_command=False,
)
@click.version_option(package_name="pulumi-jig")
def jig() -> None:
    """
    GPU container deployments as Pulumi resources: the desk side.

    Key and address: the stack's jig:apiKey and jig:baseUrl, then TOGETHER_API_KEY and
    TOGETHER_BASE_URL. Exit codes: 0 done, 1 found something or failed, 2 wrong usage, 3
    could not find out.
    """


#: Exit code of a question that could not be answered, so that no pipeline takes a
#: network failure for drift.
UNKNOWN = 3


class _UnknownError(click.ClickException):
    exit_code = UNKNOWN


@contextlib.contextmanager
def _finding_out(
    *, but: type[Exception] | tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """End in `UNKNOWN` whatever goes wrong, but for errors of some classes."""
    from pulumi_jig.errors import JigError

    try:
        yield
    except but:
        raise
    except JigError as error:
        raise _UnknownError(error.message) from None


def run(arguments: list[str]) -> int:
    """
    Run one command.

    Returns:
        The exit code.
    """
    # Not `jig.main`: it would answer a closed pipe and Ctrl-C itself. And by default
    # it takes every terminal to be 50 columns wide at least.
    width = min(shutil.get_terminal_size().columns, 80)
    try:
        with jig.make_context("pulumi-jig", arguments, terminal_width=width) as ctx:
            code = jig.invoke(ctx)
    except click.exceptions.NoArgsIsHelpError as error:
        # Nothing was asked for, so what can be asked for is shown.
        error.show()
        return 2
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.UsageError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        from pulumi_jig.operations import terminal

        terminal.fail(error.message)
        return error.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    return code if isinstance(code, int) else 0


# --- Commands with a command line of their own: named here for the help ---------


def _elsewhere(name: str, text: str) -> None:
    # The door hands these over before this module is loaded.
    jig.add_command(click.Command(name, help=text, short_help=text))


_elsewhere("emulator", "Serve the API on loopback, without account and GPUs.")
_elsewhere("rehearse", "Run a program's whole life without the pulumi command.")
_elsewhere("policy", "Check plans and stacks against the guardrails.")


# --- Interrupted runs -----------------------------------------------------------

_DIRECTORY = click.option(
    "--directory",
    "-C",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="Folder of the program (default: this one).",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_FILE = click.Path(dir_okay=False, path_type=Path)


@jig.command(
    epilog="Example: pulumi-jig recover --stack prod --yes",
)
@click.option("--stack", "-s", help="The stack (default: the selected one).")
@click.option(
    "--file",
    "state_file",
    type=_FILE,
    help="A state as `pulumi stack export` prints it, instead of the command. With "
    "--yes it is changed in place.",
)
@click.option(
    "--provider",
    default="default",
    help="The explicit provider, by its name in the program, whose key is in use.",
)
@click.option("--yes", "-y", is_flag=True, help="Do it; otherwise only look.")
@click.option(
    "--adopt-marked",
    is_flag=True,
    help="With --yes, also what carries this stack's mark and is in no state, once you "
    "know that no stack of this name on another backend has it.",
)
@_DIRECTORY
@_JSON
def recover(
    *,
    stack: str | None,
    state_file: Path | None,
    provider: str,
    yes: bool,
    adopt_marked: bool,
    directory: Path,
    as_json: bool,
) -> int:
    """
    Settle what an interrupted run left.

    Looks up each pending operation of the state by name and nonce, and each
    deployment that carries this stack's mark and is in no state. With --yes, what an
    operation of the state has made becomes a resource again; secrets stay encrypted, and
    the state before is kept in a file. What only its mark connects with this stack takes
    --adopt-marked as well: a stack of the same name on another backend marks alike.

    Exit code 0: nothing is left to do. 1: something is, or it failed. 3: could not find
    out.
    """
    from pulumi_jig.errors import JigError
    from pulumi_jig.operations import terminal
    from pulumi_jig.operations.pulumi import Pulumi
    from pulumi_jig.operations.recover import Recovery, show

    recovery = Recovery(
        Pulumi(directory, stack),
        file=state_file,
        provider=provider,
        yes=yes,
        adopt_marked=adopt_marked,
    )
    try:
        outcome = recovery.run()
    except JigError as error:
        if recovery.began:
            raise click.ClickException(error.message) from None
        raise _UnknownError(error.message) from None
    if as_json:
        terminal.dump(outcome.plain())
    else:
        show(outcome, yes=yes)
    return 0 if outcome.nothing or outcome.settled else 1


@jig.command(
    short_help="Find marked deployments that are in no state.",
    epilog="Example: pulumi-jig orphans --stack dev --stack prod",
)
@click.option("--stack", "-s", "stacks", multiple=True, help="A stack; repeatable.")
@click.option(
    "--file",
    "state_files",
    type=_FILE,
    multiple=True,
    help="A state as `pulumi stack export` prints it; repeatable.",
)
@click.option("--project", help="The project (default: that of the folder).")
@_DIRECTORY
@_JSON
def orphans(
    *,
    stacks: tuple[str, ...],
    state_files: tuple[Path, ...],
    project: str | None,
    directory: Path,
    as_json: bool,
) -> int:
    """
    Find deployments that carry a mark of this project and stand in no state.

    Without --stack and --file, all stacks of the project count. Nothing is changed.

    Exit code 0: none. 1: some. 3: could not find out.
    """
    from pulumi_jig.operations import orphans as operation
    from pulumi_jig.operations import terminal

    with _finding_out():
        found = operation.orphans(
            directory, stacks=stacks, state_files=state_files, project=project
        )
    if as_json:
        terminal.dump({"orphans": [stray.plain() for stray in found]})
    else:
        operation.show(found)
    return 1 if found else 0


# --- Moving in ------------------------------------------------------------------


@jig.command(
    name="import",
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
@click.option("--stack", "-s", help="The stack (default: the selected one).")
@click.option("--project", help="The project (default: that of the folder).")
@click.option(
    "--adopt-marked",
    is_flag=True,
    help="Also what another stack has marked; that stack must give it up.",
)
@click.option(
    "--file",
    "import_file",
    type=_FILE,
    default="import.json",
    help="Import file to write (default: import.json).",
)
@click.option(
    "--program",
    "program_file",
    type=_FILE,
    default="imported.py",
    help="Program to write (default: imported.py).",
)
@click.option("--force", is_flag=True, help="Write over existing files.")
@click.option(
    "--set-config",
    is_flag=True,
    help="Put the secret values into the stack's configuration now.",
)
@_DIRECTORY
@_JSON
def import_(
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
    from pulumi_jig.errors import InputError
    from pulumi_jig.operations import account, adopt, files, terminal
    from pulumi_jig.operations.exported import Place
    from pulumi_jig.operations.pulumi import Pulumi, project_file

    if files.same(import_file, program_file):
        raise click.UsageError("--file and --program name the same file.")
    files.check_targets([import_file, program_file], force=force)
    pulumi = Pulumi(directory, stack)
    place, held = None, None
    if project and stack:
        place = Place(project=project, stack=stack)
    with _finding_out(but=InputError):
        known = project_file(directory) is not None and Pulumi.installed()
        if known and (stack or pulumi.selected()):
            place = place or pulumi.place()
            held = pulumi.export()
        else:
            known = False
        client = account.connect(pulumi if known else None)
        try:
            found = adopt.adopt(
                client,
                adopt.Wish(
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
    if not found:
        terminal.say("There is nothing to import.")
        return 0
    adopt.write(found, import_file=import_file, program_file=program_file)
    if set_config:
        adopt.set_config(pulumi, found)
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
                "import_file": str(import_file),
                "program": str(program_file),
            }
        )
    else:
        adopt.show(
            found,
            import_file=import_file,
            program_file=program_file,
            configured=set_config,
        )
    return 0


# --- Day two --------------------------------------------------------------------


@jig.command(
    epilog="Example: pulumi-jig drift --stack prod --json > drift.json",
)
@click.option("--stack", "-s", help="The stack (default: the selected one).")
@click.option(
    "--file",
    "state_file",
    type=_FILE,
    help="A state as `pulumi stack export` prints it, instead of the command.",
)
@_DIRECTORY
@_JSON
def drift(
    *, stack: str | None, state_file: Path | None, directory: Path, as_json: bool
) -> int:
    """
    Compare what is declared with what is live.

    Deployments, secrets and volumes. The autoscaler's moves and what the platform fills
    in are no drift; a roll-back made elsewhere is. Values of environment variables are
    compared, never shown. Nothing is changed, not even the state.

    Exit code 0: no drift. 1: drift. 3: could not find out.
    """
    from pulumi_jig.operations import account, terminal
    from pulumi_jig.operations import drift as operation
    from pulumi_jig.operations.exported import read_export
    from pulumi_jig.operations.pulumi import Pulumi

    with _finding_out():
        pulumi = Pulumi(directory, stack)
        export = read_export(state_file) if state_file else pulumi.readable_export()
        client = account.connect(None if state_file else pulumi)
        try:
            found = operation.drift(export, client)
        finally:
            client.close()
    if as_json:
        terminal.dump(
            {
                "drift": any(one.drift for one in found),
                **{
                    f"{what}s": [one.plain() for one in found if one.what == what]
                    for what in ("deployment", "secret", "volume")
                },
            }
        )
    else:
        operation.show(found)
    if any(one.drift for one in found):
        return 1
    return UNKNOWN if any(one.unseen for one in found) else 0


@jig.command(
    epilog="Example: pulumi-jig convert --config staging_jig.toml --program __main__.py",
)
@click.option(
    "--config",
    "-c",
    type=_FILE,
    help="The file (default: jig.toml, else pyproject.toml with [tool.jig]).",
)
@click.option(
    "--program",
    "program_file",
    type=_FILE,
    default="converted.py",
    help="Program to write (default: converted.py).",
)
@click.option("--adopt", is_flag=True, help="Take over the running deployment.")
@click.option("--drop-unknown", is_flag=True, help="Report unknown keys only.")
@click.option("--force", is_flag=True, help="Write over an existing file.")
@_DIRECTORY
@_JSON
def convert(
    *,
    config: Path | None,
    program_file: Path,
    adopt: bool,
    drop_unknown: bool,
    force: bool,
    directory: Path,
    as_json: bool,
) -> int:
    """
    Write a Pulumi program from the vendor's jig.toml.

    Defaults that the vendor's tool fills in are written out; keys that mean nothing are
    reported.
    """
    from pulumi_jig.operations import convert as operation
    from pulumi_jig.operations import files, jigfile, terminal

    files.check_targets([program_file], force=force)
    source = config or jigfile.find(directory)
    found = operation.convert(source, drop_unknown=drop_unknown, adopt=adopt)
    files.write_all({program_file: found.text(source.name)}, public=[program_file])
    if as_json:
        terminal.dump(
            {
                "name": found.name,
                "program": str(program_file),
                "settings": found.settings,
                "report": found.report,
            }
        )
    else:
        operation.show(found, program_file)
    return 0
