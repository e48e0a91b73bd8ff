"""Our language host, by what `pulumi` makes of programs and packs that it runs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from processes import wait, with_environment

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Project

pytestmark = pytest.mark.engine

PACK = """
import os
from pulumi_policy import EnforcementLevel, PolicyPack, StackValidationPolicy
from pulumi import Config, get_stack

def judge(args, report):
    report(f"seen {get_stack()} {Config('shop').get('size')} {os.environ['DRAWER']}")

PolicyPack("rules", policies=[StackValidationPolicy(
    name="says-what-it-sees", description="Everything.", validate=judge,
    enforcement_level=EnforcementLevel.MANDATORY)])
"""


def write_pack(folder: Path, text: str) -> Path:
    pack = folder / "pack"
    pack.mkdir()
    (pack / "__main__.py").write_text(text)
    (pack / "PulumiPolicy.yaml").write_text("runtime: python\n")
    return pack


def test_a_program_runs_with_its_stack_and_configuration(project: Project) -> None:
    """A program sees project, stack and configuration, and its outputs are kept."""
    project.program(
        "import pulumi\n"
        "config = pulumi.Config()\n"
        "pulumi.export('seen', [pulumi.get_project(), pulumi.get_stack(),\n"
        "                       config.get('size'), config.get_secret('word')])\n"
    )
    project.init()
    project.pulumi("config", "set", "size", "3")
    project.pulumi("config", "set", "--secret", "word", "hush")
    up = project.pulumi("up", "--yes")
    assert up.returncode == 0, up.stdout
    shown = project.pulumi("stack", "output", "--json", "--show-secrets")
    assert json.loads(shown.stdout) == {"seen": ["shop", "dev", "3", "hush"]}
    assert "hush" not in project.pulumi("stack", "export").stdout


def test_what_a_program_prints_is_shown(project: Project) -> None:
    """Both streams of a program reach the person who runs it."""
    project.program("import sys\nprint('to out')\nprint('to err', file=sys.stderr)\n")
    project.init()
    shown = project.pulumi("preview").stdout
    assert "to out" in shown
    assert "to err" in shown


def test_a_failing_program_fails_the_command_with_its_traceback_once(
    project: Project,
) -> None:
    """An exception ends in one traceback of the program; `pulumi` adds none (a bail)."""
    project.program("def inner():\n    raise ValueError('no such size')\n\ninner()\n")
    project.init()
    done = project.pulumi("preview")
    assert done.returncode != 0
    assert done.stdout.count("ValueError: no such size") == 1
    assert "non-zero exit code" not in done.stdout


def test_a_program_that_exits_by_itself_fails_with_its_status(project: Project) -> None:
    """An exit status other than 0 is named."""
    project.program("import os\nos._exit(7)\n")
    project.init()
    done = project.pulumi("preview")
    assert done.returncode != 0
    assert "program exited with non-zero exit code: 7" in done.stdout


def test_ctrl_c_reaches_the_program_and_leaves_no_process(
    project: Project, tmp_path: Path
) -> None:
    """One interrupt ends the command, its program and its language host."""
    project.program(
        "import pathlib, time\n"
        f"here = pathlib.Path({str(tmp_path)!r})\n"
        "(here / 'runs').touch()\n"
        "try:\n"
        "    time.sleep(60)\n"
        "except KeyboardInterrupt:\n"
        "    (here / 'interrupted').touch()\n"
        "    raise\n"
    )
    project.init()
    project.env["MARK"] = str(tmp_path)
    process = subprocess.Popen(
        project.command("preview"), cwd=project.folder, env=project.env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    wait((tmp_path / "runs").exists)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode != 0
    wait((tmp_path / "interrupted").exists)
    wait(lambda: not with_environment("MARK", str(tmp_path)))


def test_a_killed_command_leaves_no_language_host_and_no_program(
    project: Project, tmp_path: Path
) -> None:
    """Whoever loses its engine ends by itself."""
    project.program(
        "import pathlib, time\n"
        f"pathlib.Path({str(tmp_path / 'runs')!r}).touch()\n"
        "time.sleep(60)\n"
    )
    project.init()
    project.env["MARK"] = str(tmp_path)
    process = subprocess.Popen(
        project.command("preview"), cwd=project.folder, env=project.env,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait((tmp_path / "runs").exists)
    process.kill()
    process.wait()
    wait(lambda: not with_environment("MARK", str(tmp_path)))


def test_a_policy_pack_knows_the_stack_and_refuses(
    project: Project, tmp_path: Path
) -> None:
    """A pack sees stack, configuration and environment; a mandatory violation fails."""
    project.program("")
    project.init()
    project.pulumi("config", "set", "size", "3")
    project.env["DRAWER"] = "open"
    pack = write_pack(tmp_path, PACK)
    done = project.pulumi("preview", "--policy-pack", str(pack))
    assert done.returncode != 0
    assert "says-what-it-sees" in done.stdout
    assert "seen dev 3 open" in done.stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import no_such_module\n", "No module named 'no_such_module'"),
        ("print('hello')\n", ""),
        ("import os\nos._exit(9)\n", ""),
    ],
    ids=["raises", "prints no port", "dies"],
)
def test_a_pack_that_cannot_start_fails_the_command(
    project: Project, tmp_path: Path, text: str, words: str
) -> None:
    """A pack that does not start is an error of the run, not a pass."""
    project.program("")
    project.init()
    pack = write_pack(tmp_path, text)
    done = project.pulumi("preview", "--policy-pack", str(pack))
    assert done.returncode != 0
    assert words in done.stdout


def python_at(folder: Path) -> Path:
    """A virtual environment whose Python says that it is not the one of the tests."""
    target = folder / "bin" / "python"
    target.parent.mkdir(parents=True)
    target.write_text(f'#!/bin/sh\nOTHER_PYTHON=yes exec {sys.executable} "$@"\n')
    target.chmod(0o755)
    return target


PRINTS = "import os\nprint('other python:', os.environ.get('OTHER_PYTHON'))\n"


def test_the_virtualenv_option_chooses_the_python(project: Project) -> None:
    """`virtualenv` is relative to the project and beats `PULUMI_PYTHON_CMD`."""
    python_at(project.folder / "env")
    project.program(PRINTS, "{virtualenv: env}")
    project.init()
    assert "other python: yes" in project.pulumi("preview").stdout


def test_without_the_option_pulumi_python_cmd_chooses(
    project: Project, tmp_path: Path
) -> None:
    """`PULUMI_PYTHON_CMD` names the Python where the project names none."""
    project.program(PRINTS)
    project.init()
    assert "other python: None" in project.pulumi("preview").stdout
    project.env["PULUMI_PYTHON_CMD"] = str(python_at(tmp_path / "elsewhere"))
    assert "other python: yes" in project.pulumi("preview").stdout


def test_a_virtualenv_that_is_not_there_is_named(project: Project) -> None:
    """A missing virtual environment is one sentence that says what to do."""
    project.program(PRINTS, "{virtualenv: missing}")
    project.init()
    done = project.pulumi("preview")
    assert done.returncode != 0
    assert "'missing', which is no virtual environment" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_toolchain_that_it_does_not_run_is_named(project: Project) -> None:
    """Another toolchain is refused rather than run in the wrong Python."""
    project.program(PRINTS, "{toolchain: poetry}")
    project.init()
    done = project.pulumi("preview")
    assert done.returncode != 0
    assert "does not run toolchain 'poetry'" in done.stdout
