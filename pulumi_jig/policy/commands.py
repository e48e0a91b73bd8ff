"""
`pulumi-jig policy`: the rules without a program and without an engine.

    check PROFILE...     is a profile what its owner means, and what holds by it?
    audit [STATE]        do the limits hold for what already exists?
    list                 which policies are there, and what can they be told?
    init NAME            write a pack and a profile for a team

Exit codes: 0 all is well, 1 something was found, 2 wrong usage, 3 the question could
not be answered.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from pulumi_jig.errors import ConfigError, JigError
from pulumi_jig.policy import docs
from pulumi_jig.policy.audit import (
    AuditFinding,
    State,
    audit_live,
    audit_state,
    interrupted,
    read_state,
)
from pulumi_jig.policy.findings import Kind
from pulumi_jig.policy.profile import (
    Effective,
    Profile,
    Profiles,
    gaps,
    load,
    notes,
    read_file,
)
from pulumi_jig.text import safe_message

OK: Final = 0
FOUND: Final = 1
UNANSWERED: Final = 3

#: Where a profile's name is looked up, from the present folder.
FOLDER: Final = Path("policies") / "profiles"

Answer = tuple[int, str]
#: Lists the deployments of an account as inputs; `pulumi-jig` gives one with a client.
ListLive = Callable[[], Sequence[Mapping[str, Any]]]


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


def find_profile(name: str, folder: Path = FOLDER) -> Path:
    """
    Return the file that a profile's name or path means.

    Raises:
        ConfigError: There is none.
    """
    path = Path(name)
    if path.suffix == ".json" or path.is_file():
        return path
    named = folder / f"{name}.json"
    if not named.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.json"))) or "none"
        raise ConfigError(
            f'There is no profile "{name}" in {folder}; there are: {known}. Give its '
            "name or the path of a file."
        )
    return named


def _profiles(folder: Path) -> Profiles:
    return Profiles(folder if folder.is_dir() else None)


def check(
    names: Sequence[str],
    *,
    folder: Path = FOLDER,
    stack: str | None = None,
    as_json: bool = False,
    today: dt.date | None = None,
) -> Answer:
    """
    Say whether profiles are what their owners mean, and what holds by them.

    Unknown policies and keys, wrong types, duplicates, nonsense, and tables that lack an
    allowed type are faults; each is one line. A profile without a fault is followed by
    every setting that holds, each with where it is from.

    Args:
        names: Names or paths.
        folder: Where names are looked up.
        stack: A stack that is run with the profile as its configuration file: what the
            file leaves out comes from the profile that is named as the stack is.
        as_json: Answer in JSON.
        today: The date; by default today's, in UTC.
    """
    date = today or _today()
    code = OK
    lines: list[str] = []
    data: list[dict[str, Any]] = []
    for name in names:
        try:
            path = find_profile(name, folder)
            profile, faults = read_file(path)
            profiles = _profiles(folder)
            if stack is not None:
                profile = profile.over(profiles.of(stack))
            faults = faults or list(gaps(profile, date))
        except ConfigError as error:
            lines.append(error.message)
            data.append({"profile": name, "faults": [error.message]})
            code = UNANSWERED
            continue
        answer: dict[str, Any] = {"profile": str(path), "faults": faults}
        lines += [f"{path}: {fault}." for fault in faults]
        data.append(answer)
        if faults:
            code = max(code, FOUND)
            continue
        answer["notes"] = [
            *notes(profile, profiles.names()),
            *gaps(profile, date, by_default=True),
        ]
        lines += [f"{path}: note: {note}." for note in answer["notes"]]
        count = len({*profile.keys, *profile.levels})
        lines.append(f"{path}: {count} policies configured, no fault.")
        effective = profile.effective(date)
        lines += _table(effective)
        answer["effective"] = [
            {**row._asdict(), "value": docs.as_json(row.value)} for row in effective
        ]
    return code, json.dumps(data, indent=2) if as_json else "\n".join(lines)


def _table(rows: Sequence[Effective]) -> list[str]:
    """Write the settings that hold, defaults of no interest left out of the names."""
    lines, policy = [], ""
    for row in rows:
        if row.policy != policy:
            policy = row.policy
            lines.append(f"  {policy} ({row.level})")
        if row.key in {"exempt", "environment"} and not row.value:
            continue
        value = docs.written(row.value)
        lines.append(f"    {row.key:28} {value}  [{row.source}]")
    return lines


def audit(
    state_file: Path | None,
    *,
    profile: str | None = None,
    folder: Path = FOLDER,
    baseline: Path | None = None,
    list_live: ListLive | None = None,
    as_json: bool = False,
    today: dt.date | None = None,
) -> Answer:
    """
    Say whether the limits hold for what exists.

    Args:
        state_file: A file of `pulumi stack export`, or a rehearsal's state.
        profile: Name or path; by default the one that is named as the stack is. What it
            leaves out comes from that one, as in a run.
        folder: Where profiles are looked up.
        baseline: The state before, for limits on growth.
        list_live: Judge what this lists, and which of it the state does not hold.
        as_json: Answer in JSON.
        today: The date; by default today's, in UTC.

    Raises:
        ConfigError: State or profile cannot be read.
    """
    date = today or _today()
    state = None if state_file is None else read_state(state_file)
    chosen = _chosen(profile, state, folder)
    before = None if baseline is None else read_state(baseline).live
    if list_live is not None:
        found = list(list_live())
        findings = audit_live(found, chosen, date, state)
        count, place = len(found), "the account"
    else:
        assert state is not None
        findings = audit_state(state, chosen, date, before)
        count = sum(r.is_deployment for r in state.declared)
        place = state.stack or "stack"
    unfinished = [] if state is None else interrupted(state)
    code = FOUND if unfinished or any(f.fails for f in findings) else OK
    if as_json:
        answer = {
            "stack": "" if state is None else state.stack,
            "live": list_live is not None,
            "profile": chosen.name,
            "failed": code == FOUND,
            "interrupted": unfinished,
            "findings": [finding.as_json() for finding in findings],
        }
        return code, json.dumps(answer, indent=2)
    head = f"{place}: {count} deployments against the profile {chosen.name}"
    return code, "\n".join([head, *unfinished, *_lines(findings), _summary(findings)])


def _chosen(name: str | None, state: State | None, folder: Path) -> Profile:
    stack = "" if state is None else state.stack
    own = _profiles(folder).of(stack)
    if name is None:
        if state is None:
            raise ConfigError("Say which limits an account is to keep: --profile NAME.")
        return own
    return load(find_profile(name, folder)).over(own)


def _lines(findings: Sequence[AuditFinding]) -> list[str]:
    ordered = sorted(findings, key=lambda f: (not f.fails, -f.finding.kind.strength))
    return [f"  {_level(f):9}  {f.policy:24}  {f.message}" for f in ordered]


def _level(finding: AuditFinding) -> str:
    kind = finding.finding.kind
    return finding.level if kind is Kind.VIOLATION else str(kind.value)


def _summary(findings: Sequence[AuditFinding]) -> str:
    failing = sum(f.fails for f in findings)
    return f"{failing} mandatory violations, {len(findings) - failing} other findings"


def list_policies(*, as_json: bool = False) -> Answer:
    """Return the registry."""
    return OK, json.dumps(docs.as_data(), indent=2) if as_json else docs.as_text()


# --- The command line -------------------------------------------------------------

_FILE: Final = click.Path(path_type=Path)
_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_PROFILES: Final = click.option(
    "--profiles",
    "folder",
    type=_FILE,
    default=FOLDER,
    metavar="DIR",
    help="Where profiles are looked up (default: policies/profiles).",
)


def _print(work: Callable[[], Answer]) -> int:
    """Print an answer, or why there is none; the exit code."""
    try:
        code, text = work()
    except JigError as error:
        code, text = UNANSWERED, f"error: {error.message}"
    click.echo(safe_message(text), err=code == UNANSWERED)
    return code


@click.group(
    "policy",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog="Example: pulumi-jig policy audit state.json --profile prod",
)
def command() -> None:
    """
    Check plans and stacks against the guardrails.

    Limits without a program and without an engine.
    """


@command.command("check", epilog="Example: pulumi-jig policy check dev prod")
@click.argument("names", nargs=-1, required=True, metavar="PROFILE...")
@click.option("--stack", help="A stack that is run with it.")
@_PROFILES
@_JSON
def check_command(**options: Any) -> int:
    """Check profiles, by name or path, and show what holds."""
    return _print(lambda: check(**options))


@command.command(
    "audit", epilog="Example: pulumi-jig policy audit state.json --profile prod"
)
@click.argument("state_file", type=_FILE, required=False, metavar="[STATE]")
@click.option("--profile", help="Name or path (default: the stack's).")
@click.option("--live", is_flag=True, help="Judge what the account runs.")
@click.option(
    "--baseline", type=_FILE, metavar="FILE", help="The state before, for growth."
)
@_PROFILES
@_JSON
@click.pass_context
def audit_command(
    context: click.Context, /, *, state_file: Path | None, live: bool, **options: Any
) -> int:
    """
    Judge what already exists.

    STATE is a file of `pulumi stack export`, or a rehearsal's state.
    """
    if state_file is None and not live:
        raise click.UsageError("Give a STATE, or --live.")
    # A policy pack has no client; who offers the command hands the list over.
    list_live = context.obj["list_live"] if live else None
    return _print(lambda: audit(state_file, list_live=list_live, **options))


@command.command("list", epilog="Example: pulumi-jig policy list --json")
@_JSON
def list_command(*, as_json: bool) -> int:
    """Show all policies."""
    return _print(lambda: list_policies(as_json=as_json))


@command.command("init", epilog="Example: pulumi-jig policy init research")
@click.argument("name")
@click.option(
    "--dir",
    "folder",
    type=_FILE,
    default=Path("policies"),
    metavar="DIR",
    help="Where (default: policies).",
)
def init_command(*, name: str, folder: Path) -> int:
    """Write a pack and a profile for the stack NAME."""
    from pulumi_jig.policy.init import write_pack

    return _print(lambda: (OK, write_pack(name, folder)))
