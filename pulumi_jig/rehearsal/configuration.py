"""
The configuration of a stack: the project's defaults, the stack's file, the caller's.

Each goes over the one before. What the project declares (types, values that must be
given or must be secret) is held to what the stack has, in the engine's words. Encrypted
values, whose key is the engine's, and environments are refused.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.rehearsal.errors import RehearsalError
from pulumi_jig.rehearsal.yaml_document import Document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pulumi_jig.rehearsal.project import Project

_TYPES: Final = ("array", "boolean", "integer", "object", "string")
_ATTRIBUTES: Final = frozenset(
    {"type", "description", "items", "default", "value", "secret"}
)
#: Python's form of bytes on a command line that are not UTF-8.
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_UNREADABLE: Final = (
    "holds {} encrypted, which a rehearsal cannot open; give it with secret_config "
    "(--secret)"
)


@dataclass(frozen=True)
class Declared:
    """A key that the project declares, as it is written there, and its values."""

    name: str
    key: str
    type: str = ""
    items: Any = None
    secret: bool = False
    required: bool = False


@dataclass(frozen=True)
class Configuration:
    """
    The values of a stack, and what was declared.

    Attributes:
        given: Values by full key.
        secret_keys: Which of them are secret.
        declared: What the project declares, for `check`.
    """

    given: dict[str, Any] = field(default_factory=dict)
    secret_keys: frozenset[str] = frozenset()
    declared: tuple[Declared, ...] = ()

    @property
    def values(self) -> dict[str, str]:
        """All values as strings, as the engine hands them on."""
        return {key: as_text(value) for key, value in self.given.items()}

    def check(self, stack: str) -> None:
        """
        Hold the values to what the project declares; done before a program runs.

        Raises:
            RehearsalError: a value is missing, of another type, or not secret.
        """
        missing = sorted(
            item.name
            for item in self.declared
            if item.required and item.key not in self.given
        )
        if missing:
            noun = "value" if len(missing) == 1 else "values"
            message = f"Stack '{stack}' is missing configuration {noun} "
            raise RehearsalError(message + _listed(missing))
        for item in self.declared:
            if not item.type or item.key not in self.given:
                continue
            title = f"Stack '{stack}' with configuration key '{item.name}' must be "
            if item.secret and item.key not in self.secret_keys:
                raise RehearsalError(title + "encrypted as it's secret")
            value = self.given[item.key]
            if not isinstance(value, dict | list):
                value = as_text(value)
            if not _fits(value, item.type, item.items):
                name = _type_name(item.type, item.items)
                raise RehearsalError(title + f"of type '{name}'")


def configuration(
    project: Project, stack: str, plain: Mapping[str, Any], secret: Mapping[str, Any]
) -> Configuration:
    """
    The configuration of a stack of `project`.

    Args:
        project: The project.
        stack: The stack's name.
        plain: What the caller gives over the files.
        secret: The same, for values that are secret.

    Raises:
        RehearsalError: a file holds what a rehearsal cannot use.
    """
    values, declared = _defaults(project)
    keys: set[str] = set()
    own = {_full(key, project.name) for key in secret}
    values |= _stack_file(project, stack, own)
    for given, is_secret in ((plain, False), (secret, True)):
        for key, value in given.items():
            full = _full(key, project.name)
            if _SURROGATE.search(as_text(value) + full):
                message = f"the value of {full!r} is not UTF-8"
                raise RehearsalError(message)
            values[full] = value
            (keys.add if is_secret else keys.discard)(full)
    return Configuration(values, frozenset(keys), tuple(declared))


def _stack_file(project: Project, stack: str, own: set[str]) -> dict[str, Any]:
    """The values in a stack's file; those that are encrypted must be in `own`."""
    path = project.stack_file(stack)
    if not path.exists():
        return {}
    file = Document(path)
    data = file.mapping()
    block = file.mapping("config")
    if data.get("environment"):
        file.refuse(
            ("environment",),
            "imports environments, which a rehearsal cannot open; give their values "
            "with config (--config)",
        )
    found: dict[str, Any] = {}
    for key, value in block.items():
        full = _full(key, project.name)
        if full.count(":") != 1:
            file.refuse(("config", key), "is not of the form <namespace>:<name>")
        if full in found:
            file.refuse(("config", key), f"{full} is written twice")
        if full not in own:
            for at in _encrypted(value, ("config", key)):
                file.refuse(at, _UNREADABLE.format(full))
        found[full] = value
    return found


def _encrypted(value: Any, keys: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Where ciphertext is, as the engine tells it from data."""
    if isinstance(value, dict):
        if [*value] == ["secure"] and isinstance(value["secure"], str):
            yield keys
        for key, item in value.items():
            yield from _encrypted(item, (*keys, key))
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _encrypted(item, (*keys, str(index)))


def _defaults(project: Project) -> tuple[dict[str, Any], list[Declared]]:
    """What a project's `config` block sets, and what it declares."""
    file = project.document
    if isinstance(file.data.get("config"), str):
        return {}, []  # The folder with the files of the stacks.
    values: dict[str, Any] = {}
    declared: list[Declared] = []
    for name, entry in file.mapping("config").items():
        at = ("config", name)
        key = _full(name, project.name)
        own = key.startswith(f"{project.name}:")
        if key.count(":") != 1 or set(name) & set('.[]"'):
            file.refuse(at, "is a path or no key, which a rehearsal does not read")
        if entry is None or isinstance(entry, float):
            file.refuse(
                at,
                f"'{name}' is neither a string, a whole number, a boolean nor a list; "
                "put it in quotes",
            )
        if isinstance(entry, dict):
            _check_entry(file, at, entry, own)
        for path in _encrypted(entry, at):
            file.refuse(path, _UNREADABLE.format(key))
        if not isinstance(entry, dict):
            values[key] = entry
            continue
        kind, items = entry.get("type") or "", entry.get("items")
        value = entry.get("default")
        if value is None:
            value = entry.get("value")
        if value is not None:
            values[key] = value
        if kind and entry.get("default") is not None and not _fits(value, kind, items):
            file.refuse(
                at,
                f"The default value specified for configuration key '{name}' is not of "
                f"the expected type '{_type_name(kind, items)}'",
            )
        # The engine holds nothing but typed values to being secret.
        declared.append(
            Declared(name, key, kind, items, bool(entry.get("secret")), value is None)
        )
    return values, declared


def _check_entry(
    file: Document, at: tuple[str, ...], entry: Mapping[str, Any], own: bool
) -> None:
    """Refuse what the engine does not read as a declaration."""
    name, kind = at[-1], entry.get("type")
    foreign = f"Configuration key '{name}' is not namespaced by the project and should "
    default, value = entry.get("default"), entry.get("value")
    odd = min({*entry} - _ATTRIBUTES, default="")
    for wrong, message in (
        (
            odd,
            f"has the unknown attribute '{odd}'; a value that is a mapping is written "
            "under `value`",
        ),
        (
            "type" in entry and kind not in _TYPES,
            f"has the unknown type '{kind}'; use one of {', '.join(_TYPES)}",
        ),
        (
            "type" in entry and not _complete(kind, entry.get("items")),
            f"The configuration key '{name}' declares an array but does not specify "
            "the underlying type via the 'items' attribute",
        ),
        (not isinstance(entry.get("secret", False), bool), "`secret` is true or false"),
        (
            default is not None and value is not None,
            f"project config '{name}' cannot have both a 'default' and 'value' "
            "attribute",
        ),
        (not own and kind, f"{foreign}not define a type"),
        (not own and default is not None, f"{foreign}not define a default value"),
        (
            not own and value is None,
            f"Configuration key '{name}' is namespaced and must provide an attribute "
            "'value'",
        ),
    ):
        if wrong:
            file.refuse(at, message)


def _complete(kind: Any, items: Any) -> bool:
    """Whether a type is known, for an array that of its items as well."""
    if kind != "array":
        return kind in _TYPES
    return isinstance(items, dict) and _complete(items.get("type"), items.get("items"))


def _fits(value: Any, kind: str, items: Any) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "integer":
            if isinstance(value, str):
                found = re.fullmatch("[-+]?[0-9]+", value)
                return bool(found) and -(2**63) <= int(value) < 2**63
            whole = isinstance(value, float) and value.is_integer()
            return whole or (isinstance(value, int) and not isinstance(value, bool))
        case "boolean":
            return isinstance(value, bool) or value in ("true", "false")
        case "object":
            return isinstance(value, dict)
    return isinstance(value, list) and all(
        _fits(item, items["type"], items.get("items")) for item in value
    )


def _type_name(kind: str, items: Any) -> str:
    if kind == "array":
        return f"array<{_type_name(items['type'], items.get('items'))}>"
    return kind


def _listed(names: list[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return " and ".join([*filter(None, [", ".join(quoted[:-1])]), quoted[-1]])


def _full(key: str, project: str) -> str:
    """
    A key with its namespace: `<namespace>:<name>`.

    An older form has `config` between the two.
    """
    namespace, _, name = key.partition(":") if ":" in key else (project, "", key)
    return f"{namespace}:{name.removeprefix('config:')}"


def as_text(value: Any) -> str:
    """A value as the engine hands it to the program: what is no string is JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    """JSON as Go's `encoding/json` writes it."""
    if isinstance(value, dict):
        pairs = (f"{_json(key)}:{_json(value[key])}" for key in sorted(value))
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_json, value)) + "]"
    if isinstance(value, float):
        if value == 0:
            return "0"
        if 1e-6 <= abs(value) < 1e21:
            text = format(Decimal(repr(value)), "f")
            return text.rstrip("0").rstrip(".") if "." in text else text
        return repr(value).replace("e-0", "e-")
    text = json.dumps(value, ensure_ascii=False)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text
