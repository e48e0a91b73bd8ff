"""
`pulumi-jig recover`: settle what an interrupted run left.

First the operations that the state says had begun, then what carries this stack's mark
and is in no state at all. Everything is shown before anything is done; nothing is done
without `--yes`. A state that somebody else changed meanwhile is not written over, and the
state from before is kept in a file of its own.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import click

from pulumi_jig.cli import account, files, terminal, tree
from pulumi_jig.cli.concurrency import map_concurrent
from pulumi_jig.cli.orphan_imports import ImportedOrphan, OrphanImport, once_each
from pulumi_jig.cli.orphans import Orphan, costs, find_orphans
from pulumi_jig.cli.pending import resolve
from pulumi_jig.cli.pulumi import Pulumi, backups
from pulumi_jig.cli.resolutions import (
    Action,
    Finding,
    RecoveryContext,
    one_each,
    settle,
)
from pulumi_jig.cli.state_export import (
    Place,
    logical_name,
    provider_inputs,
    read_export,
)
from pulumi_jig.errors import JigError

if TYPE_CHECKING:
    from pathlib import Path

    from pulumi_jig.cli.state_export import Export

_WHOSE: Final = (
    "a stack of this name on another backend carries the same mark, and the deployment "
    "may be in its state: make sure that it is not, then"
)

_SIGNS = {
    Action.IMPORT: ("+", "good"),
    Action.REFRESH: ("~", "good"),
    Action.DELETE: ("-", "good"),
    Action.DISCARD: ("-", "good"),
    Action.SKIP: ("!", "bad"),
}


#: States from before that are kept for each stack; the oldest goes.
_KEPT: Final = 10


@dataclass
class Outcome:
    """
    What a recovery found and did.

    Attributes:
        findings: About the operations of the state.
        found: Orphans of the stack.
        changed: Whether the state was changed.
        kept: Where the state from before lies.
    """

    findings: list[Finding] = field(default_factory=list)
    found: list[ImportedOrphan] = field(default_factory=list)
    changed: bool = False
    kept: Path | None = None

    @property
    def nothing(self) -> bool:
        """Whether there was nothing to recover."""
        return not self.findings and not self.found

    @property
    def settled(self) -> bool:
        """Whether nothing is left for a person."""
        open_ones = [f for f in self.findings if f.action is Action.SKIP]
        open_ones_too = [t for t in self.found if t.why_not is not None]
        return self.changed and not open_ones and not open_ones_too

    def plain(self) -> dict[str, Any]:
        """For a program to read."""
        return {
            "operations": [finding.plain() for finding in self.findings],
            "orphans": [
                {**taken.orphan.plain(), "why_not": taken.why_not}
                for taken in self.found
            ],
            "changed": self.changed,
            "state_before": None if self.kept is None else str(self.kept),
        }


class Recovery:
    """
    One recovery of one stack.

    Args:
        pulumi: The stack; its folder and configuration count with a file as well.
        file: The state as a file, instead of the command.
        provider: The explicit provider whose key is in use; `default` for the stack's.
        yes: Whether to do it.
        adopt_marked: Whether to take over as well what only its mark connects with the
            stack; a stack of the same name on another backend marks alike.
    """

    def __init__(
        self,
        pulumi: Pulumi,
        *,
        file: Path | None = None,
        provider: str = "default",
        yes: bool = False,
        adopt_marked: bool = False,
    ) -> None:
        self._pulumi = pulumi
        self._file = file
        self._provider = provider
        self._yes = yes
        # Whether something was done; what fails before that could not find out.
        self.began = False
        self._adopt_marked = adopt_marked

    def run(self) -> Outcome:
        """
        Look, and with `yes` do.

        Raises:
            JigError: The service, the state or the command could not be used; nothing
                was changed.
        """
        export = self._export()
        if provider_inputs(export, self._provider):
            # The stack's own key is that of other resources.
            client = account.connect_provider(export, self._provider, own_key=False)
            assert client is not None
        else:
            client = account.connect(None if self._file else self._pulumi)
        try:
            whose = account.account(client, account.request_deadline())
            context = RecoveryContext(
                client,
                account.request_deadline,
                whose,
                provider=self._provider,
                in_clear=self._file is None,
            )
            outcome = Outcome(self._findings(export, context))
            place = self._place(export)
            listed: list[Any] = []
            if place is not None:
                listed += client.deployments.list(account.request_deadline())
                listed += client.secrets.list(account.request_deadline())
        finally:
            client.close()
        found: list[Orphan] = []
        if place is not None:
            found = [
                orphan
                for orphan in find_orphans(
                    listed, [export], project=place.project, stack=place.stack
                )
                if not orphan.interrupted
            ]
        self._settle(export, outcome)
        if found:
            key = client.settings.key_fingerprint
            self._take(found, whose, key, outcome)
        return outcome

    def _export(self) -> Export:
        return read_export(self._file) if self._file else self._pulumi.export()

    def _place(self, export: Export) -> Place | None:
        place = export.place()
        if place is None and self._file is None:
            return self._pulumi.place()
        return place

    def _findings(self, export: Export, context: RecoveryContext) -> list[Finding]:
        indices = range(len(export.pending))
        with terminal.progress("Looking", len(indices)) as done:
            found = map_concurrent(
                lambda index: resolve(export, index, context),
                indices,
                limit=context.client.settings.parallel,
                done=done,
            )
        return one_each(found)

    def _settle(self, export: Export, outcome: Outcome) -> None:
        todo = [f for f in outcome.findings if f.action is not Action.SKIP]
        if not todo or not self._yes:
            return
        result = settle(export, outcome.findings)
        if self._export().data != export.data:
            raise JigError(
                "The state has been changed by somebody else since it was read. "
                "Nothing was done; run this again."
            )
        self.began = True
        kept = self._keep(export)
        try:
            if self._file:
                files.write_all({self._file: result.text()})
            else:
                self._pulumi.import_(result)
        except JigError:
            # Nothing was changed, so there is nothing to go back to.
            kept.unlink()
            raise
        outcome.kept, outcome.changed = kept, True

    def _keep(self, export: Export) -> Path:
        stamp = dt.datetime.now(tz=dt.UTC).strftime("%Y%m%dT%H%M%S%fZ")
        if self._file:
            folder, prefix = self._file.parent, f"{self._file.name}.before-"
        else:
            # Not in the project, where it would end in a repository.
            place = self._place(export)
            folder = backups()
            if place is not None:
                folder /= place.project
            prefix = f"{place.stack if place else 'stack'}.before-"
        path = folder / f"{prefix}{stamp}"
        files.keep(path, export.text())
        files.prune(folder, prefix, left=_KEPT)
        return path

    def _take(
        self, found: list[Orphan], whose: str | None, key: str, outcome: Outcome
    ) -> None:
        # The service shows no values, so no import could store one.
        why = "its value is not known; declare it with `adopt=True` to take it over"
        left = [
            ImportedOrphan(orphan, why) for orphan in found if orphan.deployment is None
        ]
        found = [orphan for orphan in found if orphan.deployment is not None]
        if self._file:
            why = "a file has no program to preview; use `pulumi-jig import`"
            outcome.found = [*(ImportedOrphan(orphan, why) for orphan in found), *left]
            return
        if not found:
            outcome.found = left
            return
        route = OrphanImport(self._pulumi, found, whose, key)
        route.taken = once_each(route.taken)
        if self._yes and not self._adopt_marked:
            # Nothing in a mark tells this stack from one of its name on another backend.
            route.taken = [_unasked(taken) for taken in route.taken]
        outcome.found = [*route.taken, *left]
        if not self._yes or all(taken.why_not for taken in route.taken):
            return
        self.began = True
        if outcome.kept is None:
            outcome.kept = self._keep(self._pulumi.export())
        route.run()
        outcome.found = [*route.taken, *left]
        outcome.changed = True


def _unasked(taken: ImportedOrphan) -> ImportedOrphan:
    return replace(taken, why_not=taken.why_not or f"{_WHOSE} --adopt-marked takes it")


def show(outcome: Outcome, *, yes: bool) -> None:
    """Tell people what was found and done."""
    if outcome.nothing:
        terminal.say("Nothing to recover: no interrupted operation, no orphan.")
        return
    for finding in outcome.findings:
        sign, colour = _SIGNS[finding.action]
        name = logical_name({"urn": finding.urn})
        start = terminal.paint(f"{sign} {name}", colour)
        terminal.say(f"{start} ({finding.operation}): {finding.message}")
    for taken in outcome.found:
        orphan = taken.orphan
        start = terminal.paint(
            f"{'!' if taken.why_not else '+'} {orphan.mark.resource}",
            "bad" if taken.why_not else "good",
        )
        message = (
            f'{orphan.what} "{orphan.name}" carries this stack\'s mark and is in no '
            f"state ({costs(orphan)})"
        )
        if taken.why_not:
            message += f"; it is left: {taken.why_not}."
        else:
            message += ": it becomes a resource of the stack."
        terminal.say(f"{start}: {message}")
    terminal.say()
    if outcome.changed:
        terminal.say(f"Done. The state before is kept in {outcome.kept}.")
        if not outcome.settled:
            terminal.say("What is marked with ! was left for you.")
    elif yes:
        terminal.say("Nothing could be done without you.")
    else:
        terminal.say("Nothing was changed. Do it with --yes.")
        if any(taken.why_not is None for taken in outcome.found):
            # A mark names project and stack, not where their state is kept.
            terminal.say(
                f"What is in no state takes a word of its own: {_WHOSE} --yes "
                "--adopt-marked takes it."
            )


# --- The command ----------------------------------------------------------------


@click.command(
    "recover",
    epilog="Example: pulumi-jig recover --stack prod --yes",
)
@tree.STACK
@click.option(
    "--file",
    "state_file",
    type=tree.FILE,
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
@tree.DIRECTORY
@tree.JSON
def command(
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
        raise tree.UnknownError(error.message) from None
    if as_json:
        terminal.dump(outcome.plain())
    else:
        show(outcome, yes=yes)
    return 0 if outcome.nothing or outcome.settled else 1
