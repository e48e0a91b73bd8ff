"""A run that fails before its first resource says why, and leaves nothing half-made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from commands import run_command

from pulumi_jig.rehearsal.command import command

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Theatre

ENGINES = ["rehearsal", pytest.param("pulumi", marks=pytest.mark.engine)]

#: A program, and a word of why it failed.
PROGRAMS = {
    "an exception": ('raise ValueError("it broke")', "ValueError: it broke"),
    "a syntax error": ("def (:", "SyntaxError"),
    "a module that is missing": ("import nowhere", "No module named 'nowhere'"),
    "an exit": ("raise SystemExit(3)", "3"),
}
PACKS = {
    "an exception": 'raise ValueError("no rules")',
    "an exit": 'raise SystemExit("no rules")',
    "a syntax error": "def (:",
    "nothing": "",
}


def up(engine: str, theatre: Theatre, pack: Path | None = None) -> tuple[bool, str]:
    """Whether an update succeeded, and all that was said."""
    if engine == "rehearsal":
        result = theatre.rehearse(policy_packs=[pack] if pack else []).up()
        return result.ok, "\n".join(d.message for d in result.diagnostics)
    theatre.pulumi("stack", "init", "dev")
    words = ["--policy-pack", str(pack)] if pack else []
    done = theatre.pulumi("up", "--yes", "--skip-preview", *words)
    return done.returncode == 0, done.stdout


def remembered(engine: str, theatre: Theatre) -> list[str]:
    """The types in the state."""
    if engine == "rehearsal":
        resources = theatre.rehearse().resources
    else:
        export = json.loads(theatre.pulumi("stack", "export").stdout)
        resources = export["deployment"].get("resources") or []
    return [item["type"] for item in resources]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", PROGRAMS)
def test_a_program_that_ends_before_its_first_resource(
    case: str, engine: str, theatre: Theatre
) -> None:
    """The update fails, and no toy exists or is remembered, on either engine alike."""
    theatre.program(PROGRAMS[case][0] + '\nToy("a")')
    ok, said = up(engine, theatre)
    assert not ok
    assert PROGRAMS[case][1] in said
    assert theatre.toys() == []
    assert remembered(engine, theatre) == ["pulumi:pulumi:Stack"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", PACKS)
def test_a_pack_that_cannot_start(case: str, engine: str, theatre: Theatre) -> None:
    """It is an error, not a verdict, and nothing is made without being judged."""
    pack = theatre.folder / "pack"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text("runtime: python\n")
    (pack / "__main__.py").write_text(PACKS[case])
    theatre.program('Toy("a")')
    ok, said = up(engine, theatre, pack)
    assert not ok
    assert "start" in said or "come up" in said
    assert theatre.toys() == []
    assert remembered(engine, theatre) == []


@pytest.mark.parametrize("case", PACKS)
def test_the_command_is_red_where_a_pack_cannot_start(
    case: str, theatre: Theatre, capsys: pytest.CaptureFixture[str]
) -> None:
    """`rehearse` ends with an error that names the pack."""
    pack = theatre.folder / "pack"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text("runtime: python\n")
    (pack / "__main__.py").write_text(PACKS[case])
    theatre.program('Toy("a")')
    env = [f"--env={key}={value}" for key, value in theatre.env.items()]
    given = [str(theatre.program_dir), *env, f"--policy-pack={pack}"]
    assert run_command(command, given) == 1
    out = capsys.readouterr().out
    assert f"the policy pack in {pack} did not come up" in out
    assert "error: preview failed" in out
