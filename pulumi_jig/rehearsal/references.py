"""
Stack references: what one rehearsed stack may read of another.

Under the engine the states of all stacks lie in one backend; here they lie in one folder,
a file for each stack, and are read from there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pulumi_jig.rehearsal.errors import RehearsalError
from pulumi_jig.rehearsal.goals import ROOT_TYPE
from pulumi_jig.rehearsal.plugins import ProviderError, ReadResponse
from pulumi_jig.rehearsal.properties import PropertyMap, contains_secret
from pulumi_jig.rehearsal.state import StateFile

if TYPE_CHECKING:
    from pathlib import Path

    from pulumi_jig.rehearsal.state import Resource

BUILTIN_TYPE: Final = "pulumi:providers:pulumi"
REFERENCE_TYPE: Final = "pulumi:pulumi:StackReference"

_ODD: Final = re.compile(r"[^A-Za-z0-9_.\-]")
_LONGEST: Final = 100


class Backend:
    """A folder with the states of stacks, seen from one of their projects."""

    def __init__(self, folder: Path | None, organization: str, project: str) -> None:
        """
        `folder` is None where a rehearsal keeps its state alone.

        `organization` and `project` are those of the stack at work.
        """
        self._folder = folder
        self._organization = organization
        self._project = project

    @staticmethod
    def state_file(folder: Path, project: str, stack: str) -> Path:
        """Where the state of a stack lies."""
        return folder / project / f"{stack}.json"

    def read(self, reference: Resource) -> ReadResponse:
        """
        The outputs of the stack that the input `name` of a stack reference names.

        Raises:
            ProviderError: there is no such stack, or its state cannot be read.
        """
        name = reference.inputs["name"]
        found = self._outputs(str(name))
        secret_names = sorted(k for k, v in found.items() if contains_secret(v))
        outputs = {"name": name, "outputs": found, "secretOutputNames": secret_names}
        return ReadResponse(reference.id, outputs, None)

    def _outputs(self, reference: str) -> PropertyMap:
        """
        The outputs of the stack that `reference` names, secrets marked.

        `ORGANIZATION/PROJECT/STACK`; what is left out from the left is that of the
        stack at work.

        Raises:
            ProviderError: there is no such stack, or its state cannot be read.
        """
        try:
            project, stack = parse_stack(reference, self._organization, self._project)
        except OutsideBackendError as error:
            # The engine keeps such a project inside its backend, and finds none there.
            message = f'unknown stack "{reference}"'
            raise ProviderError(message) from error
        except StackNameError as error:
            raise ProviderError(str(error)) from error
        if self._folder is None:
            message = (
                f"the program refers to the stack {reference!r}, but this rehearsal "
                "keeps its state alone; rehearse both stacks with the same `backend` "
                "folder"
            )
            raise ProviderError(message)
        path = self.state_file(self._folder, project, stack)
        if not path.exists():
            message = f'unknown stack "{reference}"'
            raise ProviderError(message)
        try:
            resources = StateFile(path).load().resources
        except RehearsalError as error:
            message = f"the stack {reference!r} cannot be read: {error}"
            raise ProviderError(message) from error
        root = next((item for item in resources if item.type == ROOT_TYPE), None)
        return root.outputs if root else {}


class StackNameError(RehearsalError):
    """A name that a file backend refuses, in its words."""


class OutsideBackendError(StackNameError):
    """A project whose folder would not be inside the backend's."""


def parse_stack(reference: str, organization: str, project: str) -> tuple[str, str]:
    """
    Project and stack in `[[ORGANIZATION/]PROJECT/]STACK`.

    A single slash sets the organization off, as in the engine's file backend; what is
    left out is taken from `organization` and `project`.

    Raises:
        StackNameError: no file backend has such a stack.
    """
    match reference.split("/"):
        case [stack]:
            owner, named = organization, project
        case [owner, stack]:
            named = project
        case [owner, named, stack]:
            pass
        case _:
            owner, named, stack = organization, project, ""
    named = named or project
    message = ""
    if owner not in {"", organization}:
        message = f"organization name must be '{organization}'"
    elif len(named) > _LONGEST:
        message = f"project names are limited to {_LONGEST} characters"
    elif not named or _ODD.search(named):
        message = (
            "project names may only contain alphanumerics, hyphens, underscores, and "
            "periods"
        )
    elif named in {".", ".."}:
        message = f"a project named {named!r} would lead out of the backend's folder"
        raise OutsideBackendError(message)
    elif not stack:
        message = "a stack name may not be empty"
    elif len(stack) > _LONGEST:
        message = f"a stack name cannot exceed {_LONGEST} characters"
    elif odd := _ODD.search(stack):
        message = (
            "a stack name may only contain alphanumeric, hyphens, underscores, or "
            f"periods: invalid character {odd[0]!r} at position {odd.start()}"
        )
    if message:
        raise StackNameError(message)
    return named, stack
