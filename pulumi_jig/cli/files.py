"""
Files written whole or not at all, readable by their owner alone unless said otherwise.

An export and an import file hold what is secret. It refuses to write over a file unless
it was told to.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pulumi_jig.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

PRIVATE = 0o600


def read(path: Path) -> str:
    """
    The text of a file.

    Raises:
        InputError: It cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text.") from None


def same(one: Path, other: Path) -> bool:
    """Whether two paths name one file, there or not, through links as well."""
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    try:
        return one.samefile(other)
    except OSError:
        return False


def check_targets(paths: list[Path], *, force: bool) -> None:
    """
    Refuse what could not be written at the end, before any work is done.

    Raises:
        InputError: A file exists (a link that leads nowhere counts) and `force` is not
            set; something other than a file stands there; or its folder does not exist
            or cannot be written to.
    """
    # `exists` follows a link, and one that leads nowhere would be written through.
    there = [str(path) for path in paths if os.path.lexists(path)]
    if there and not force:
        raise InputError(
            f"{' and '.join(there)} {'exists' if len(there) == 1 else 'exist'} "
            "already; nothing was written. Name another file, or use --force."
        )
    for path in paths:
        target = _target(path)
        if not target.parent.is_dir():
            raise InputError(f"{path} cannot be written: there is no such folder.")
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise InputError(f"{path} cannot be written: its folder is read-only.")


def _target(path: Path) -> Path:
    """
    The file itself, where a path is a link to it.

    Raises:
        InputError: The path leads in circles, or to something other than a file.
    """
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        regular = True
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from None
    if not regular:
        # A move would put a file in the place of a folder, a pipe or a device.
        raise InputError(f"{path} cannot be written: it is not a file.")
    return Path(os.path.realpath(path))


def write_all(texts: Mapping[Path, str], *, public: Collection[Path] = ()) -> None:
    """
    Write several files, all of them or none.

    Each is written beside its place and moved there at the end, so that an
    interruption leaves no half of one. A link stays a link: what it leads to is written.

    Args:
        texts: What to write, by path.
        public: Those of them that hold nothing secret.

    Raises:
        InputError: One of them cannot be written; none was.
    """
    made: list[tuple[str, Path]] = []
    at = Path()
    try:
        for path, text in texts.items():
            at = path
            target = _target(path)
            made.append((_scratch(target, text, public=path in public), target))
        for scratch, at in made:
            Path(scratch).replace(at)
    except OSError as error:
        raise InputError(f"{at} cannot be written: {error.strerror}.") from None
    finally:
        for scratch, _ in made:
            with contextlib.suppress(FileNotFoundError):
                Path(scratch).unlink()


def _scratch(target: Path, text: str, *, public: bool) -> str:
    # The folder is where the file goes: only there is a move one step.
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".pulumi-jig-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o644 if public else PRIVATE)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        Path(name).unlink()
        raise
    return name


def keep(path: Path, text: str) -> None:
    """
    Write a file that was not there, for its owner alone; folders are made.

    Raises:
        InputError: It is there already, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
        except BaseException:
            path.unlink()
            raise
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from None


def prune(folder: Path, prefix: str, *, left: int) -> None:
    """Delete the oldest files of a prefix that a time ends, all but `left` of them."""
    kept = sorted(path for path in folder.iterdir() if path.name.startswith(prefix))
    for path in kept[:-left]:
        with contextlib.suppress(OSError):
            path.unlink()
