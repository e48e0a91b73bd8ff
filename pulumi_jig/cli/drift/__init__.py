"""
`pulumi-jig drift`: what is declared against what is live, as sentences.

For each deployment, secret and volume of a state one look at the service. Drift is what
the next `pulumi up --refresh` would change back, plus what it could not see: a roll-back
that somebody made elsewhere. The autoscaler's moves, defaults that the service filled in
and variables that the platform injected are none. Changes of what nobody declared are
told as notes.

It refuses to say "no drift" about what it could not compare: what belongs to another
account, values that the state holds encrypted, and a secret that somebody else wrote to,
since the service shows no value, are named.

    comparing   one look for each, and whether it is the one that the state means
    deployment, secret, volume
                what of a live one differs
    findings    the answer, for people and for programs
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pulumi_jig.cli import terminal, tree
from pulumi_jig.cli.drift.comparing import drift
from pulumi_jig.cli.drift.findings import show
from pulumi_jig.cli.pulumi import Pulumi
from pulumi_jig.cli.state_export import read_export

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    "drift",
    epilog="Example: pulumi-jig drift --stack prod --json > drift.json",
)
@tree.STACK
@click.option(
    "--file",
    "state_file",
    type=tree.FILE,
    help="A state as `pulumi stack export` prints it, instead of the command.",
)
@click.option(
    "--provider",
    metavar="NAME",
    help="Only resources of this explicit provider, by its name in the program; where "
    "its key cannot be read in the state, TOGETHER_API_KEY is taken for it.",
)
@tree.DIRECTORY
@tree.JSON
def command(
    *,
    stack: str | None,
    state_file: Path | None,
    provider: str | None,
    directory: Path,
    as_json: bool,
) -> int:
    """
    Compare what is declared with what is live.

    Deployments, secrets and volumes. The autoscaler's moves and what the platform fills
    in are no drift; a roll-back made elsewhere is. Values of environment variables are
    compared, never shown. Nothing is changed, not even the state.

    Exit code 0: no drift. 1: drift. 3: could not find out.
    """
    with tree.finding_out():
        pulumi = Pulumi(directory, stack)
        export = read_export(state_file) if state_file else pulumi.readable_export()
        found = drift(export, None if state_file else pulumi, provider=provider)
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
        show(found)
    if any(one.drift for one in found):
        return tree.FOUND
    return tree.UNKNOWN if any(one.unseen for one in found) else tree.DONE
