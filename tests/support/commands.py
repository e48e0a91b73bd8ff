"""Commands in this process, by their arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence


def run_command(command: click.Command, argv: Sequence[str], **services: Any) -> int:
    """Run a command as `pulumi-jig` does; its exit code."""
    name = f"pulumi-jig {command.name}"
    try:
        with command.make_context(name, list(argv), obj=services) as context:
            return int(command.invoke(context) or 0)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
