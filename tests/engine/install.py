"""
Installs the `pulumi` command that the engine tests run on: `make engine`.

It is built from its published Go modules, in the version that `go.mod` beside this file
pins and `go.sum` verifies, into the project's own environment. This is for working on
this project; users install Pulumi the way its makers say.

    python tests/engine/install.py [FOLDER]
"""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
FOLDER: Final = HERE.parents[1] / ".venv" / "engine"
WITHOUT: Final = "everything but the engine tests works without it"

_MODULES: Final = "github.com/pulumi/pulumi"
_COMMAND: Final = f"{_MODULES}/pkg/v3/cmd/pulumi"
_VERSION_VARIABLE: Final = f"{_MODULES}/sdk/v3/go/common/version.Version"
#: Scripts of the SDK that `pulumi` looks for beside itself.
_SCRIPTS: Final = (
    "python/cmd/pulumi-language-python-exec",
    "python/dist/pulumi-resource-pulumi-python",
)


class InstallError(Exception):
    """Why there is no `pulumi` now, and what to do, in one sentence."""


def pinned(pattern: str) -> str:
    """What `go.mod` says, as the first group of a pattern."""
    found = re.search(pattern, (HERE / "go.mod").read_text(), re.MULTILINE)
    assert found, pattern
    return found[1]


VERSION: Final = pinned(rf"{_MODULES}/pkg/v3 v(\S+)")
GO: Final = pinned(r"^go (\S+)")


def numbers(version: str) -> tuple[int, ...]:
    """A version for comparison."""
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


def on_path(folder: Path) -> str | None:
    """
    Which `pulumi` is installed on this machine already, as a sentence; None if none is.

    Raises:
        InstallError: there is one that does not run.
    """
    found = shutil.which("pulumi")
    if found is None or Path(found).parent == folder / "bin":
        return None
    quiet = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    done = subprocess.run([found, "version"], capture_output=True, text=True, env=quiet)
    version = done.stdout.strip().removeprefix("v")
    if done.returncode or not version:
        message = f"{found} does not run; repair it, or take it from PATH"
        raise InstallError(message)
    note = "" if version == VERSION else f", while they were made for {VERSION}"
    return f"pulumi {version} is on PATH ({found}): the tests use it{note}."


def go_environment() -> dict[str, str]:
    """
    The environment for the Go client.

    Raises:
        InstallError: there is no Go, or it is too old.
    """
    # Nothing that a person has set for other work: go.sum decides what is built.
    ours = {"GOFLAGS": "", "GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "0"}
    env = {**os.environ, **ours}
    wanted = f"install Go {GO} or newer (https://go.dev/doc/install); {WITHOUT}"
    go = shutil.which("go")
    if go is None:
        message = f"pulumi is built from its Go modules, and there is no Go: {wanted}"
        raise InstallError(message)
    asked = [go, "env", "GOVERSION"]
    done = subprocess.run(asked, capture_output=True, text=True, env=env, cwd="/")
    version = done.stdout.strip()
    if done.returncode or not version or numbers(version) < numbers(GO):
        message = f"{go} is {version or 'not usable'}, which is too old: {wanted}"
        raise InstallError(message)
    return env


def go(env: dict[str, str], *words: str) -> str:
    """
    What the Go client prints.

    Raises:
        InstallError: it failed; what it has downloaded and compiled so far stays.
    """
    command = ["go", *words]
    done = subprocess.run(command, cwd=HERE, env=env, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1].strip()
        message = (
            f"pulumi {VERSION} could not be built from its Go modules ({last}); see "
            "that the module index can be reached and that the disk is not full, and "
            f"call again: it goes on where it stopped; {WITHOUT}"
        )
        raise InstallError(message)
    return done.stdout.strip()


def build(folder: Path, env: dict[str, str]) -> None:
    """Build everything beside `folder`, and move it there when it is whole."""
    new = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    (new / "bin").mkdir(parents=True)
    flags = f"-s -w -X {_VERSION_VARIABLE}={VERSION}"
    target = new / "bin" / "pulumi"
    go(env, "build", "-trimpath", "-ldflags", flags, "-o", str(target), _COMMAND)
    sdk = Path(go(env, "list", "-m", "-f", "{{.Dir}}", f"{_MODULES}/sdk/v3"))
    for script in _SCRIPTS:
        copy = new / "bin" / Path(script).name
        copy.write_bytes((sdk / script).read_bytes())
        copy.chmod(0o755)
    (new / "version").write_text(VERSION)
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)


def write_language_host(folder: Path) -> None:
    """Put a command in place that runs our language host in this Python."""
    host = folder / "bin" / "pulumi-language-python"
    words = [sys.executable, HERE / "language_host.py"]
    words += [folder / "bin" / "pulumi-language-python-exec"]
    line = " ".join(shlex.quote(str(word)) for word in words)
    host.write_text(f'#!/bin/sh\nexec {line} "$@"\n')
    host.chmod(0o755)


def install(folder: Path) -> str:
    """
    Have a `pulumi`; what was done, as a sentence.

    Raises:
        InstallError: there is none, and why.
    """
    if sentence := on_path(folder):
        return sentence
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        # Somebody else's call may be building the same; wait, and find it done.
        fcntl.flock(lock, fcntl.LOCK_EX)
        version = folder / "version"
        done = "is installed"
        if not version.exists() or version.read_text() != VERSION:
            env = go_environment()
            print(
                f"Building pulumi {VERSION} from its Go modules: about five minutes "
                "and 4 GB in Go's own caches the first time ...",
                flush=True,
            )
            build(folder, env)
            done = "has been installed"
        write_language_host(folder)
    return f"pulumi {VERSION} {done} in {folder / 'bin'}."


def main(words: list[str]) -> int:
    try:
        print(install(Path(words[0]).absolute() if words else FOLDER))
    except InstallError as error:
        print(f"{error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; the next call goes on where it stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
