"""
Files written whole or not at all, readable by their owner alone unless said otherwise.

An export and an import file hold what is secret. It refuses to write over a file unless
it was told to.
"""

from __future__ import annotations

import contextlib
import os
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


def refuse_existing(paths: list[Path], *, force: bool) -> None:
    """
    Refuse to write over what is there.

    Raises:
        InputError: A file exists and `force` is not set.
    """
    there = [str(path) for path in paths if path.exists()]
    if there and not force:
        raise InputError(
            f"{' and '.join(there)} {'exists' if len(there) == 1 else 'exist'} "
            "already; nothing was written. Name another file, or use --force."
        )


def write_all(texts: Mapping[Path, str], *, public: Collection[Path] = ()) -> None:
    """
    Write several files, all of them or none.

    Each is written beside its place and moved there at the end, so that an
    interruption leaves no half of one.

    Args:
        texts: What to write, by path.
        public: Those of them that hold nothing secret.

    Raises:
        InputError: One of them cannot be written; none was.
    """
    made: list[tuple[str, Path]] = []
    try:
        for path, text in texts.items():
            made.append((_scratch(path, text, public=path in public), path))
        for scratch, path in made:
            Path(scratch).replace(path)
    except OSError as error:
        where = error.filename or "the file"
        raise InputError(f"{where} cannot be written: {error.strerror}.") from None
    finally:
        for scratch, _ in made:
            with contextlib.suppress(FileNotFoundError):
                Path(scratch).unlink()


def _scratch(path: Path, text: str, *, public: bool) -> str:
    # The folder is where the file goes: only there is a move one step.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
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
    Write a file that was not there, for its owner alone.

    Raises:
        InputError: It is there already, or cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from None
