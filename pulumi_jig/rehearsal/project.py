"""The project file: what `Pulumi.yaml` says, as far as a rehearsal does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pulumi_jig.rehearsal.errors import RehearsalError
from pulumi_jig.rehearsal.yaml_document import Document

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Project:
    """
    A project in a folder.

    Attributes:
        document: Its `Pulumi.yaml`.
        name: The project's name.
        options: Options of its runtime.
        main: The folder of its program.
    """

    document: Document
    name: str
    options: dict[str, Any]
    main: Path

    @classmethod
    def at(cls, root: Path) -> Project:
        """
        Read the project in the folder `root`.

        Raises:
            RehearsalError: there is none, or it asks for what a rehearsal does not do.
        """
        files = (root / "Pulumi.yaml", root / "Pulumi.yml")
        path = next((file for file in files if file.exists()), None)
        if path is None:
            message = f"there is no Pulumi.yaml in {root}"
            raise RehearsalError(message)
        document = Document(path)
        data = document.data
        name = document.mapping().get("name")
        if not isinstance(name, str) or not name:
            message = f"{path} names no project: `name` must be a string"
            raise RehearsalError(message)
        options = runtime_options(document, "program")
        for key in ("main", "stackConfigDir", "description", "author", "website"):
            if not isinstance(data.get(key) or "", str):
                document.refuse((key,), "must be a string")
        for key in ("options", "plugins"):
            if data.get(key):
                document.refuse((key,), "is not done by a rehearsal")
        main = (root / (data.get("main") or ".")).resolve()
        if not main.is_dir():
            document.refuse(("main",), f"there is no folder {main}")
        return cls(document, name, options, main)

    def stack_file(self, stack: str) -> Path:
        """Where the settings of a stack are; the file need not exist."""
        path, data = self.document.path, self.document.data
        folder = data.get("stackConfigDir") or ""
        if isinstance(data.get("config"), str):
            if folder:
                self.document.refuse(
                    ("config",),
                    "names the folder of the stacks' files, as stackConfigDir does; "
                    "keep stackConfigDir only",
                )
            # What the key meant before it held values.
            folder = data["config"]
        # A path that begins with a slash is taken from the project's folder, too.
        return path.parent / folder.lstrip("/") / f"Pulumi.{stack}{path.suffix}"


def runtime_options(document: Document, what: str) -> dict[str, Any]:
    """
    The options of the `runtime` in the file of a project or policy pack.

    Raises:
        RehearsalError: it is not Python's, or not written as the engine reads it.
    """
    runtime = document.mapping().get("runtime")
    options: Any = {}
    if isinstance(runtime, dict):
        if odd := {*runtime} - {"name", "options"}:
            document.refuse(("runtime", min(odd)), "is no key of a runtime")
        options = runtime.get("options", {})
        runtime = runtime.get("name")
    if runtime != "python":
        document.refuse(
            ("runtime",), f"a rehearsal runs Python {what}s, not runtime {runtime!r}"
        )
    if not isinstance(options, dict):
        document.refuse(("runtime", "options"), "must be a mapping")
    return options
