"""
The configuration of a stack: the project's defaults, the stack's file, the caller's.

Why it exists: a value may stand in the `config` block of `Pulumi.yaml`, in
`Pulumi.<stack>.yaml`, or be given by the caller, each over the one before. What the
project declares (types, values that must be given or must be secret) is held to what
the stack has, in the engine's words.

What it refuses: encrypted values, whose key is the engine's; environments; values that
the engine refuses too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import yaml

from pulumi_jig.rehearsal.results import RehearsalError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TYPES: Final = frozenset({"string", "integer", "boolean", "array", "object"})
_ATTRIBUTES: Final = frozenset(
    {"type", "description", "items", "default", "value", "secret"}
)


@dataclass(frozen=True)
class Declared:
    """A key that the project declares, and what its values must be."""

    key: str
    type: str = ""
    items: Any = None
    secret: bool = False
    required: bool = False

    @property
    def type_name(self) -> str:
        """The type as messages show it."""
        return _type_name(self.type, self.items)


@dataclass(frozen=True)
class Configuration:
    """
    All values as strings, as the engine hands them on; and what was declared.

    Attributes:
        values: By full key; what is no string is JSON.
        secret_keys: Which of them are secret.
        declared: What the project declares, for `check`.
    """

    values: dict[str, str] = field(default_factory=dict)
    secret_keys: frozenset[str] = frozenset()
    declared: tuple[Declared, ...] = ()

    def check(self, stack: str) -> None:
        """
        Hold the values to what the project declares; done before a program runs.

        Raises:
            RehearsalError: a value is missing, of another type, or not secret.
        """
        missing = sorted(
            _short(item.key)
            for item in self.declared
            if item.required and item.key not in self.values
        )
        if missing:
            noun = "value" if len(missing) == 1 else "values"
            _refuse(
                f"Stack '{stack}' is missing configuration {noun} {_listed(missing)}"
            )
        for item in self.declared:
            if item.key not in self.values:
                continue
            title = f"Stack '{stack}' with configuration key '{_short(item.key)}' must"
            if not _fits(self.values[item.key], item.type, item.items):
                _refuse(f"{title} be of type '{item.type_name}'")
            if item.secret and item.key not in self.secret_keys:
                _refuse(f"{title} be encrypted as it's secret")


def configuration(
    root: Path,
    manifest: Mapping[str, Any],
    stack: str,
    plain: Mapping[str, Any],
    secret: Mapping[str, Any],
) -> Configuration:
    """
    The configuration of `stack` in the project in `root`.

    Args:
        root: The project's folder.
        manifest: What its `Pulumi.yaml` says.
        stack: The stack's name.
        plain: What the caller gives over it.
        secret: The same, for values that are secret.

    Raises:
        RehearsalError: a file holds what a rehearsal cannot use.
    """
    project = str(manifest["name"])
    block = manifest.get("config") or {}
    where = manifest.get("stackConfigDir") or ""
    if isinstance(block, str):
        # What the key meant before it held values.
        where, block = block, {}
    values, declared = _defaults(block, project)
    keys: set[str] = set()
    own = {_full(key, project) for key in secret}
    for key, value in _stack_file(
        root / str(where) / f"Pulumi.{stack}.yaml", project, own
    ):
        values[key] = _text(value)
    for given, is_secret in ((plain, False), (secret, True)):
        for key, value in given.items():
            full = _full(key, project)
            values[full] = _text(value)
            (keys.add if is_secret else keys.discard)(full)
    return Configuration(values, frozenset(keys), tuple(declared))


def _stack_file(path: Path, project: str, given: set[str]) -> list[tuple[str, Any]]:
    """The values in a stack's file; those encrypted must be in `given`."""
    if not path.exists():
        return []
    data = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    if data.get("environment"):
        _refuse(
            f"{path} imports environments, which a rehearsal cannot open; give their "
            "values with config"
        )
    found = []
    for key, value in (data.get("config") or {}).items():
        full = _full(str(key), project)
        if not (isinstance(value, dict) and set(value) == {"secure"}):
            found.append((full, value))
        elif full not in given:
            _refuse(
                f"{path} holds {full} encrypted, which a rehearsal cannot open; give "
                "it with secret_config"
            )
    return found


def _defaults(
    block: Mapping[str, Any], project: str
) -> tuple[dict[str, str], list[Declared]]:
    """What a project's `config` block sets, and what it declares."""
    values: dict[str, str] = {}
    declared: list[Declared] = []
    for name, entry in block.items():
        key = _full(str(name), project)
        if not isinstance(entry, dict):
            values[key] = _plain(str(name), entry)
            continue
        _check_entry(str(name), entry, key.startswith(f"{project}:"))
        kind, items = str(entry.get("type") or ""), entry.get("items")
        value = entry.get("default", entry.get("value"))
        if value is not None:
            values[key] = _text(value)
            odd = kind == "string" and not isinstance(value, str)
            if odd or not _fits(values[key], kind, items):
                _refuse(
                    "The default value specified for configuration key "
                    f"'{name}' is not of the expected type '{_type_name(kind, items)}'"
                )
        # The engine holds nothing but typed values to being secret.
        declared.append(
            Declared(
                key,
                kind,
                items,
                secret=bool(kind and entry.get("secret")),
                required=value is None,
            )
        )
    return values, declared


def _plain(name: str, value: Any) -> str:
    if value is None or isinstance(value, float):
        _refuse(
            f"the project's configuration key '{name}' is neither a string, a whole "
            "number, a boolean nor a list; put it in quotes"
        )
    return _text(value)


def _check_entry(name: str, entry: Mapping[str, Any], own: bool) -> None:
    """Refuse what the engine does not read as a declaration."""
    odd = sorted(str(key) for key in {*entry} - _ATTRIBUTES)
    if odd:
        _refuse(
            f"the project's configuration key '{name}' has the unknown attribute "
            f"'{odd[0]}'; a value that is a mapping is written under `value`"
        )
    if entry.get("type") is not None and entry["type"] not in _TYPES:
        _refuse(
            f"the project's configuration key '{name}' has the unknown type "
            f"'{entry['type']}'; use one of {', '.join(sorted(_TYPES))}"
        )
    if "default" in entry and "value" in entry:
        _refuse(
            f"project config '{name}' cannot have both a 'default' and 'value' attribute"
        )
    for attribute, words in (("type", "a type"), ("default", "a default value")):
        if not own and attribute in entry:
            _refuse(
                f"Configuration key '{name}' is not namespaced by the project and "
                f"should not define {words}"
            )


def _fits(text: str, kind: str, items: Any) -> bool:
    match kind:
        case "integer":
            return text.removeprefix("-").isdecimal()
        case "boolean":
            return text in {"true", "false"}
        case "array":
            found = _parsed(text)
            if not isinstance(found, list):
                return False
            wanted = items if isinstance(items, dict) else {}
            return all(
                _fits(_text(x), str(wanted.get("type") or ""), wanted.get("items"))
                for x in found
            )
        case "object":
            return isinstance(_parsed(text), dict)
        case _:
            return True


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _type_name(kind: str, items: Any) -> str:
    if kind == "array" and isinstance(items, dict):
        return f"array<{_type_name(str(items.get('type')), items.get('items'))}>"
    return kind


def _listed(names: list[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    if len(quoted) == 1:
        return quoted[0]
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def _full(key: str, project: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def _short(key: str) -> str:
    return key.partition(":")[2]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _refuse(message: str) -> None:
    raise RehearsalError(message)
