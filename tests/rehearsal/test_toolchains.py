"""Which Python runs a program, its plugins and a policy pack."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pulumi_jig.rehearsal import RehearsalError

if TYPE_CHECKING:
    from conftest import Theatre


def options(theatre: Theatre, text: str) -> None:
    theatre.manifest(f"name: toys\nruntime: {{name: python, options: {{{text}}}}}\n")


def environment(folder: Path) -> Path:
    """A virtual environment that sees what this one sees."""
    bin_ = folder / "bin"
    bin_.mkdir(parents=True)
    (bin_ / "python").symlink_to(sys.executable)
    (folder / "pyvenv.cfg").write_text(
        (Path(sys.prefix) / "pyvenv.cfg").read_text(), encoding="utf-8"
    )
    here = Path(sys.prefix) / "lib"
    (folder / "lib").symlink_to(here)
    return folder


REFUSED = {
    "toolchain: poetry": "uses the toolchain 'poetry'; a rehearsal runs pip and uv only",
    "toolchain: conda": "uses the toolchain 'conda'",
    "toolchain: Uv": "uses the toolchain 'Uv'",
    "toolchain: 5": "uses the toolchain 5",
    "toolchain: [uv]": "uses the toolchain ['uv']",
    "toolchain: uv": "names the virtual environment '.venv', which does not exist",
    "virtualenv: gone": "names the virtual environment 'gone', which does not exist",
    "virtualenv: 5": "names the virtual environment 5, which is no path",
    "virtualenv: yes": "names the virtual environment 'yes', which does not exist",
    "virtualenv: /nowhere": "names the virtual environment '/nowhere'",
    "toolchain: uv, virtualenv: gone": "names the virtual environment 'gone'",
    "typechecker: mypy": "names a typechecker, which a rehearsal does not run",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_run_is_refused_by_name(text: str, theatre: Theatre) -> None:
    """No other Python runs the program in silence, and nothing is made."""
    options(theatre, text)
    theatre.program('Toy("a")')
    with pytest.raises(RehearsalError) as error:
        theatre.rehearse()
    assert f"the project in {theatre.program_dir} {REFUSED[text]}" in str(error.value)
    assert "\n" not in str(error.value)
    assert not theatre.state_file.exists()


@pytest.mark.parametrize("lock", ["uv.lock", "poetry.lock"])
def test_a_lock_file_that_would_choose_a_toolchain(lock: str, theatre: Theatre) -> None:
    """The engine looks for one in the folders above when no toolchain is named."""
    (theatre.folder / lock).touch()
    theatre.program('Toy("a")')
    with pytest.raises(RehearsalError, match=f"names no toolchain; .*{lock} for the"):
        theatre.rehearse()
    options(theatre, "toolchain: pip")
    assert theatre.rehearse().preview().ok


def test_a_uv_workspace_is_refused_by_name(theatre: Theatre) -> None:
    """Its environment is above the project, where the engine starts no provider."""
    options(theatre, "toolchain: uv")
    (theatre.folder / "uv.lock").touch()
    environment(theatre.program_dir / ".venv")
    theatre.program('Toy("a")')
    with pytest.raises(RehearsalError, match="is part of the uv workspace in") as error:
        theatre.rehearse()
    assert f"set `virtualenv` to {theatre.folder / '.venv'}" in str(error.value)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("virtualenv: mine", "mine"),
        ("toolchain: pip, virtualenv: mine", "mine"),
        ("toolchain: uv", ".venv"),
        ("toolchain: uv, virtualenv: mine", "mine"),
    ],
)
def test_the_environment_that_is_named_runs_all(
    text: str, where: str, theatre: Theatre
) -> None:
    """A program and its plugin run in the environment of the project."""
    options(theatre, text)
    venv = environment(theatre.program_dir / where)
    result = theatre.rehearse(
        'import sys\npulumi.export("where", sys.prefix)\nToy("a")'
    ).up()
    assert result.ok
    assert result.outputs["where"] == str(venv)


def test_a_pack_is_held_to_the_same(theatre: Theatre) -> None:
    """A policy pack of another toolchain fails the operation before anything is made."""
    pack = theatre.folder / "pack"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text(
        "runtime: {name: python, options: {toolchain: poetry}}\n"
    )
    result = theatre.rehearse('Toy("a")', policy_packs=[pack]).up()
    assert not result.ok
    assert f"the project in {pack} uses the toolchain 'poetry'" in result.errors[0]
    assert theatre.toys() == []
