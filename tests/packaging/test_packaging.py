"""
The distributions, as an index would serve them and as a user would install them.

`make package` builds them into dist/ and runs this folder; it needs a package index.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"

pytestmark = [pytest.mark.package, pytest.mark.timeout(600)]


def only(pattern: str) -> Path:
    found = list(DIST.glob(pattern))
    assert len(found) == 1, f"{pattern}: {found}; run `make package`"
    return found[0]


@pytest.fixture(scope="session")
def wheel() -> Path:
    return only("*.whl")


@pytest.fixture(scope="session")
def sdist() -> Path:
    return only("*.tar.gz")


@pytest.fixture(scope="session")
def install(
    tmp_path_factory: pytest.TempPathFactory, wheel: Path
) -> Callable[[str], Path]:
    """Return a function that installs the wheel with extras into an environment."""

    def install(extras: str) -> Path:
        folder = tmp_path_factory.mktemp("environment")
        venv.create(folder, with_pip=True)
        python = folder / "bin" / "python"
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", f"{wheel}{extras}"], check=True
        )
        return python

    return install


@pytest.fixture(scope="session")
def bare(install: Callable[[str], Path]) -> Path:
    """Return the Python of an environment that has the wheel without extras."""
    return install("")


def run(python: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, *args], capture_output=True, text=True, cwd=python.parent
    )


def jig(python: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return run(python, "-m", "pulumi_jig.cli", *args)


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    """A wheel has no tests, examples or pages; it has the type marker and the data."""
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {"pulumi_jig"} == {top for top in tops if not top.endswith(".dist-info")}
    assert {"pulumi_jig/py.typed", "pulumi_jig/pulumi-plugin.json"} <= set(names)
    assert not [name for name in names if "test" in name.lower()]


def test_the_sdist_holds_all_that_is_committed(sdist: Path) -> None:
    """A source distribution has every committed file but continuous integration's."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    committed = {
        name for name in listed.stdout.splitlines() if not name.startswith(".ci/")
    }
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert set() == committed - held


def test_the_metadata_passes_an_index(wheel: Path, sdist: Path) -> None:
    """`twine check --strict` has nothing to say."""
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", wheel, sdist],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_public_name_loads_without_extras(bare: Path) -> None:
    """Without extras the package and each of its public names can be imported."""
    code = "import pulumi_jig; [getattr(pulumi_jig, n) for n in pulumi_jig.__all__]"
    done = run(bare, "-W", "error", "-c", code)
    assert (0, "") == (done.returncode, done.stderr)


def test_the_plugin_is_found_where_it_is_installed(bare: Path) -> None:
    """The engine finds by the installed data that there is no plugin to download."""
    code = (
        "import importlib.resources as r; "
        "print((r.files('pulumi_jig') / 'pulumi-plugin.json').read_text())"
    )
    assert json.loads(run(bare, "-c", code).stdout)["resource"] is False


def test_a_command_names_the_extra_it_misses(bare: Path) -> None:
    """A command whose packages are missing is one sentence that names the extra."""
    done = jig(bare, "rehearse")
    assert done.returncode == 2
    assert "pip install 'pulumi-jig[rehearsal]" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_commands_come_with_the_package(bare: Path) -> None:
    """What needs no extra works without one."""
    for name in (
        "drift",
        "recover",
        "orphans",
        "import",
        "convert",
        "emulator",
        "policy",
    ):
        assert jig(bare, name, "--help").returncode == 0


def test_the_guardrails_name_the_extra_they_miss(bare: Path) -> None:
    """Importing the packs without their extra says what to install."""
    done = run(bare, "-c", "from pulumi_jig.policy import guardrails")
    last = done.stderr.splitlines()[-1]
    assert "pip install 'pulumi-jig[policy]" in last


GUARDRAILS = ["-c", "from pulumi_jig.policy import guardrails; guardrails({})"]
CLI = ["-m", "pulumi_jig.cli"]


@pytest.mark.parametrize(
    ("extras", "commands"),
    [
        ("[cli]", [[*CLI, "drift", "--help"]]),
        ("[policy]", [GUARDRAILS]),
        ("[emulator]", [[*CLI, "emulator", "--help"]]),
        ("[cli,rehearsal]", [["-c", "from pulumi_jig.rehearsal import Rehearsal"]]),
        ("[policy,emulator,cli]", [GUARDRAILS, [*CLI, "drift", "--help"]]),
    ],
)
def test_each_extra_brings_what_it_promises(
    install: Callable[[str], Path], extras: str, commands: list[list[str]]
) -> None:
    """With an extra what it is for works, and pip finds nothing that contradicts."""
    python = install(extras)
    for command in commands:
        done = run(python, *command)
        assert (0, "") == (done.returncode, done.stderr)
    assert run(python, "-m", "pip", "check").returncode == 0
