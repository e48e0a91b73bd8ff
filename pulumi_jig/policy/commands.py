"""
`pulumi-jig policy`: the rules at a desk, without a program and without an engine.

    check PROFILE...     is a profile what its owner means?
    audit STATE          do the limits hold for what already exists?
    list                 which policies are there, and what can they be told?

Each command is a function that returns an exit code and what to print, so that another
command line can wear it. Exit codes: 0 all is well, 1 something was found, 3 the question
could not be answered (2 is wrong usage, as everywhere).
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pulumi_jig.errors import ConfigError, JigError
from pulumi_jig.policy import docs
from pulumi_jig.policy.audit import Verdict, audit, interrupted, read_state
from pulumi_jig.policy.findings import Kind
from pulumi_jig.policy.profiles import STRICTEST, Profile, gaps, load, read_file
from pulumi_jig.text import safe_message

if TYPE_CHECKING:
    from collections.abc import Sequence

OK: Final = 0
FOUND: Final = 1
UNANSWERED: Final = 3

#: Where a profile's name is looked up, from the folder that one stands in.
FOLDER: Final = Path("policies") / "profiles"

Answer = tuple[int, str]


def find_profile(name: str, folder: Path = FOLDER) -> Path:
    """
    The file that a profile's name or path means.

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


def check(names: Sequence[str], *, folder: Path = FOLDER) -> Answer:
    """
    Whether profiles are what the engine will take and their owner means.

    Unknown policies and keys, wrong types, duplicates, exemptions without a date, and
    tables that lack an allowed type are faults; each is one line.
    """
    lines: list[str] = []
    code = OK
    for name in names:
        try:
            path = find_profile(name, folder)
            profile, faults = read_file(path)
        except ConfigError as error:
            lines.append(error.message)
            code = UNANSWERED
            continue
        faults = [*faults, *gaps(profile)]
        lines += [f"{path}: {fault}." for fault in faults]
        if faults:
            code = max(code, FOUND)
        else:
            lines.append(f"{path}: {len(profile.keys)} policies configured, no fault.")
    return code, "\n".join(lines)


def audit_state(
    state_file: Path,
    *,
    profile: str | None = None,
    folder: Path = FOLDER,
    as_json: bool = False,
    today: dt.date | None = None,
) -> Answer:
    """
    Whether the limits hold for an exported state.

    Args:
        state_file: A file of `pulumi stack export`, or a rehearsal's state.
        profile: Name or path; by default the one that is named as the stack is, and
            the strictest of all values where there is none.
        folder: Where profiles are looked up.
        as_json: Answer in JSON.
        today: The date; by default today's, in UTC.

    Raises:
        ConfigError: State or profile cannot be read.
    """
    state = read_state(state_file)
    chosen = _profile(profile, state.stack, folder)
    verdicts = audit(state, chosen, today or dt.datetime.now(dt.UTC).date())
    notes = interrupted(state)
    code = FOUND if notes or any(v.fails for v in verdicts) else OK
    if as_json:
        answer = {
            "stack": state.stack,
            "profile": chosen.name,
            "failed": code == FOUND,
            "interrupted": notes,
            "findings": [verdict.as_json() for verdict in verdicts],
        }
        return code, json.dumps(answer, indent=2)
    deployments = sum(r.is_deployment for r in state.declared)
    head = (
        f"{state.stack or 'stack'}: {deployments} deployments against the profile "
        f"{chosen.name}"
    )
    return code, "\n".join([head, *notes, *_lines(verdicts), _summary(verdicts)])


def _profile(name: str | None, stack: str, folder: Path) -> Profile:
    if name is not None:
        return load(find_profile(name, folder))
    path = folder / f"{stack}.json"
    return load(path) if stack and path.is_file() else STRICTEST


def _lines(verdicts: Sequence[Verdict]) -> list[str]:
    ordered = sorted(verdicts, key=lambda v: (not v.fails, -v.finding.kind.strength))
    return [f"  {_level(v):9}  {v.policy:24}  {v.finding.message}" for v in ordered]


def _level(verdict: Verdict) -> str:
    kind = verdict.finding.kind
    return verdict.level if kind is Kind.VIOLATION else str(kind.value)


def _summary(verdicts: Sequence[Verdict]) -> str:
    failing = sum(v.fails for v in verdicts)
    return f"{failing} mandatory violations, {len(verdicts) - failing} other findings"


def list_policies(*, style: str = "text") -> Answer:
    """The catalogue, as `text`, `json` or `markdown`."""
    if style == "json":
        return OK, json.dumps(docs.as_data(), indent=2)
    return OK, docs.as_markdown() if style == "markdown" else docs.as_text()


def build_parser(prog: str = "pulumi-jig policy") -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog=prog, description="The guardrails at a desk.")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("check", help="check profiles")
    one.add_argument("profile", nargs="+", help="name or path of a profile")
    folder = "where profiles are looked up (default: policies/profiles)"
    one.add_argument(
        "--profiles", type=Path, default=FOLDER, metavar="DIR", help=folder
    )
    two = commands.add_parser("audit", help="judge an exported state")
    two.add_argument("state", type=Path, help="a file of `pulumi stack export`")
    two.add_argument("--profile", help="name or path; by default the stack's")
    two.add_argument(
        "--profiles", type=Path, default=FOLDER, metavar="DIR", help=folder
    )
    two.add_argument("--json", action="store_true", help="print JSON")
    three = commands.add_parser("list", help="show all policies")
    style = three.add_mutually_exclusive_group()
    for word, help_ in (
        ("json", "print JSON"),
        ("markdown", "print what stands in the README of the pack"),
    ):
        style.add_argument(
            f"--{word}", dest="style", action="store_const", const=word, help=help_
        )
    return parser


def run_cli(argv: Sequence[str] | None = None) -> int:
    """Run the command line, print its answer, return its exit code."""
    options = build_parser().parse_args(argv)
    try:
        if options.command == "check":
            code, text = check(options.profile, folder=options.profiles)
        elif options.command == "audit":
            code, text = audit_state(
                options.state,
                profile=options.profile,
                folder=options.profiles,
                as_json=options.json,
            )
        else:
            code, text = list_policies(style=options.style or "text")
    except JigError as error:
        code, text = UNANSWERED, error.message
    print(safe_message(text), file=sys.stderr if code == UNANSWERED else sys.stdout)
    return code
