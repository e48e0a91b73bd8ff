"""The tree of commands, and what all of them share: options and exit codes."""

from __future__ import annotations

import contextlib
import shutil
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: Exit codes of every command; the head of `pulumi_jig.cli` says what each means.
DONE: Final = 0
FOUND: Final = 1
FAILED: Final = 1
USAGE: Final = 2
UNKNOWN: Final = 3
#: 128 + SIGINT, and 128 + SIGPIPE, as a shell has them.
INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141

#: Each command: where it is defined, and what the list of commands says of it. A
#: command's module is imported when that command runs, so that `--help` is immediate
#: and `emulator` does not wait for the SDK.
COMMANDS: Final = {
    "convert": (
        "pulumi_jig.cli.convert:command",
        "Write a Pulumi program from the vendor's jig.toml.",
    ),
    "drift": (
        "pulumi_jig.cli.drift:command",
        "Compare what is declared with what is live.",
    ),
    "emulator": (
        "pulumi_jig.emulator.__main__:command",
        "Serve the API on loopback, without account and GPUs.",
    ),
    "import": (
        "pulumi_jig.cli.import_:command",
        "Write an import file and a program for running deployments.",
    ),
    "orphans": (
        "pulumi_jig.cli.orphans:command",
        "Find marked deployments that are in no state.",
    ),
    "policy": (
        "pulumi_jig.policy.commands:command",
        "Check plans and stacks against the guardrails.",
    ),
    "recover": (
        "pulumi_jig.cli.recover:command",
        "Settle what an interrupted run left.",
    ),
    "rehearse": (
        "pulumi_jig.rehearsal.command:command",
        "Run a program's whole life without the pulumi command.",
    ),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or suggest one."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from pulumi_jig.naming import near

            raise click.UsageError(
                f"{error.message}{near(args[0], COMMANDS)}", ctx
            ) from None


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog="Example: pulumi-jig drift --stack prod --json",
)
@click.version_option(version("pulumi-jig"), prog_name="pulumi-jig")
@click.pass_context
def jig(context: click.Context) -> None:
    """
    GPU container deployments as Pulumi resources: command line tools.

    Key and address: the stack's jig:apiKey and jig:baseUrl, then TOGETHER_API_KEY and
    TOGETHER_BASE_URL. Exit codes: 0 done, 1 found something or failed, 2 wrong usage, 3
    could not find out.
    """
    # What `rehearse` and `policy` need of packages that they must not import.
    context.obj = {"start_emulator": _start_emulator, "list_live": _list_live}


def _start_emulator(**options: Any) -> Any:
    from pulumi_jig.emulator import start

    return start(**options)


def _list_live() -> Sequence[Mapping[str, Any]]:
    from pulumi_jig.cli.account import list_live

    return list_live()


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
        return USAGE
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.UsageError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        from pulumi_jig.cli import terminal

        terminal.fail(error.message)
        return error.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    return code if isinstance(code, int) else DONE


class UnknownError(click.ClickException):
    """A question that could not be answered, so that nobody takes it for drift."""

    exit_code = UNKNOWN


@contextlib.contextmanager
def finding_out(
    *, but: type[Exception] | tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """End in `UNKNOWN` whatever goes wrong, but for errors of some classes."""
    from pulumi_jig.errors import JigError

    try:
        yield
    except but:
        raise
    except JigError as error:
        raise UnknownError(error.message) from None


# --- Options that several commands have -----------------------------------------

FILE: Final = click.Path(dir_okay=False, path_type=Path)
DIRECTORY: Final = click.option(
    "--directory",
    "-C",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="Folder of the program (default: this one).",
)
JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
STACK: Final = click.option(
    "--stack", "-s", help="The stack (default: the selected one)."
)
