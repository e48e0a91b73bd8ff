"""
The vendor's `jig.toml` and `pyproject.toml [tool.jig]`: which file counts, which keys.

Source of keys, defaults and precedence: the vendor's tool, version 3.1.1. It drops keys
that it does not know in silence; here each of them is named.
"""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.cli import files
from pulumi_jig.errors import InputError
from pulumi_jig.naming import near

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

#: What the tool fills in where the file says nothing, in the order of the reference.
DEFAULTS: Final[dict[str, Any]] = {
    "gpu_type": "h100-80gb",
    "gpu_count": 1,
    "cpu": 1,
    "memory": 8,
    "storage": 100,
    "min_replicas": 1,
    "max_replicas": 1,
    "port": 8000,
    "health_check_path": "/health",
    "termination_grace_period_seconds": 300,
}
DEPLOY: Final = (
    *DEFAULTS,
    "description",
    "environment_variables",
    "command",
    "autoscaling",
    "volume_mounts",
    "model_mounts",
    "image",
)
#: Tables that stood beside `deploy` in earlier versions; where both are there, the tool
#: takes these.
ALIASES: Final = ("volume_mounts", "model_mounts", "autoscaling")
TOP: Final = ("name", "deploy", "image", "experimental", *ALIASES)
#: Keys of the image's build, which is not a deployment's business.
BUILD: Final = (
    "python_version",
    "system_packages",
    "environment",
    "run",
    "cmd",
    "copy",
    "auto_include_git",
    "dockerfile_path",
)
EXPERIMENTAL: Final = ("auto_optimize", "capacity_type")
#: Keys that stand in the vendor's own examples and do nothing.
IDLE: Final = frozenset({"model_name", "deploy.name"})


def find(directory: Path) -> Path:
    """
    The file that the vendor's tool would take in a folder.

    Raises:
        InputError: There is none.
    """
    jig, project = directory / "jig.toml", directory / "pyproject.toml"
    if jig.exists():
        return jig
    if project.exists() and "jig" in table(load(project).get("tool"), "tool"):
        return project
    raise InputError(
        f"There is neither a jig.toml nor a pyproject.toml with [tool.jig] in "
        f"{directory}; name the file with --config."
    )


def load(path: Path) -> dict[str, Any]:
    """
    The data of a file.

    Raises:
        InputError: It cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(files.read(path))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not TOML: {error}.") from None


def table(value: Any, what: str) -> dict[str, Any]:
    """
    A table, empty where there is none.

    Raises:
        InputError: Something else stands there.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError(f"{what} must be a table. Nothing was written.")
    return value


def jig_table(data: dict[str, Any], path: Path) -> tuple[dict[str, Any], str]:
    """
    The tool's own table, and the deployment's name.

    Raises:
        InputError: The table stands where the tool would not look for it.
    """
    folder = path.resolve().parent.name
    project = path.name.endswith("pyproject.toml")
    prefixed = "jig" in table(data.get("tool"), "tool")
    if prefixed and not project:
        raise InputError(
            f"{path}: [tool.jig] counts in pyproject.toml only; leave the prefix out "
            "here ([deploy] for [tool.jig.deploy]). Nothing was written."
        )
    if project and not prefixed:
        raise InputError(f"{path} has no table [tool.jig]. Nothing was written.")
    if project:
        jig = table(table(data.get("tool"), "tool").get("jig"), "tool.jig")
        called = table(data.get("project"), "project").get("name")
        name = jig.get("name") or called or folder
    else:
        jig = data
        name = jig.get("name") or folder
    return jig, str(name)


def unknown_keys(
    table: Mapping[str, Any], known: Iterable[str], prefix: str
) -> list[tuple[str, str]]:
    """Keys that the tool does not know, each with a sentence."""
    found = []
    for key in table:
        if key in known:
            continue
        hint = near(f"{prefix}{key}", [f"{prefix}{name}" for name in known])
        found.append((f"{prefix}{key}", f"the tool drops it in silence.{hint}"))
    return found


def remembered_secrets(path: Path, name: str) -> dict[str, str]:
    """Secrets that the tool remembers in `.jig.json`: variable to secret's name."""
    state = path.parent / ".jig.json"
    if not state.exists():
        return {}
    try:
        data = json.loads(files.read(state))
    except ValueError:
        raise InputError(f"{state} is not JSON. Nothing was written.") from None
    own = data.get(name) if isinstance(data, dict) else None
    # Before one file held several deployments, the secrets stood at the top.
    secrets = (own if isinstance(own, dict) else data).get("secrets")
    if not isinstance(secrets, dict):
        return {}
    return {str(key): str(value) for key, value in sorted(secrets.items())}
