"""
Builds with a safety taken out, for the whole level: a copy of the package each.

A plugin is a process of its own and loads what stands first on its path, so that what is
taken out here is taken out of nothing that anybody else uses. The check of the revision
is left to the level in process: with real time, what is to fail has mostly failed by the
second look.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import pulumi_jig

#: What is put behind the text of which modules.
MUTANTS: Final = {
    "no_ownership_check": {
        "lifecycle/identity.py": """
def foreign(*_, **__):
    return None
""",
    },
    "no_partial_state": {
        "lifecycle/deployment/create.py": """
_whole = create


def create(inputs, inv):
    from pulumi_jig.errors import JigError
    from pulumi_jig.lifecycle.invocation import PartialFailureError

    try:
        return _whole(inputs, inv)
    except PartialFailureError as error:
        raise JigError(error.message) from None
""",
    },
}


def build(mutant: str, folder: Path) -> dict[str, str]:
    """
    Make the copy.

    Returns:
        The environment in which plugins load it.
    """
    package = folder / "pulumi_jig"
    shutil.copytree(
        Path(pulumi_jig.__file__).parent,
        package,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    for name, text in MUTANTS[mutant].items():
        with (package / name).open("a") as module:
            module.write(f"\n{text}")
    return {"PYTHONPATH": str(folder)}
