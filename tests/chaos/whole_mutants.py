"""
Builds with a safety taken out, for the whole level: a copy of the package each.

A plugin is a process of its own and loads what stands first on its path, so that what is
taken out here is taken out of nothing that anybody else uses.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from whole_story import LONG, WholeStory

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
    "no_revision_check": {
        "rollout/watch.py": """
_look = look


def look(item, goal):
    return _look(item, replace(goal, revision_id=None, not_before=None))
""",
        "lifecycle/deployment/serving.py": """
_RollOut._moved_from = lambda _, __, new: new
""",
    },
}


class Careless(WholeStory):
    """Without any fault, an update to what never serves: random runs meet it rarely."""

    def run(self) -> None:
        for declared in self.program.values():
            for name in ("name", "adopt", "wait_for", "max_replicas", "autoscaling"):
                declared.props.pop(name, None)
            declared.props |= {"image": "registry.example/app:1", "min_replicas": 1}
            declared.ignore = ()
        self.limit = LONG
        self._plan()
        self._must("up")
        for declared in self.program.values():
            declared.props["image"] = "registry.example/crashloop:1"
        self._plan()
        answer = self._act("up")
        if answer is not None and answer["ok"]:
            self.books.green(self.program, set(self.program))


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
