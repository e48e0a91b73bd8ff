"""
The command line: options, help and examples; what is done stands in other modules.

It refuses to import what a command does before that command runs, so `--help` is
immediate.
"""

from __future__ import annotations

import click

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

    Key and address: TOGETHER_API_KEY and TOGETHER_BASE_URL, then the stack's jig:apiKey
    and jig:baseUrl. Exit codes: 0 done, 1 found something or failed, 2 wrong usage, 3
    could not find out.
    """


def run(arguments: list[str]) -> int:
    """
    Run one command.

    Returns:
        The exit code.
    """
    try:
        code = jig.main(arguments, prog_name="pulumi-jig", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        # Nothing was asked for, so what can be asked for is shown.
        error.show()
        return 2
    except click.ClickException as error:
        error.show()
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
