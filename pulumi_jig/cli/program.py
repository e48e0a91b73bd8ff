"""
A Pulumi program as text, for deployments that exist or were described elsewhere.

What it writes is what a person would: keyword arguments in the order of the reference,
one file, no helper. It refuses to write a secret's value: where one belongs stands
`config.require_secret(...)`.
"""

from __future__ import annotations

import keyword
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_WIDTH: Final = 88


@dataclass(frozen=True)
class Code:
    """An expression that stands in the program as it is."""

    text: str


@dataclass(frozen=True)
class Resource:
    """
    One deployment of a program.

    Attributes:
        name: The resource's name.
        args: Its arguments; values may hold `Code`.
        remarks: Comments, per argument, that stand behind it.
    """

    name: str
    args: Mapping[str, Any]
    remarks: Mapping[str, str] = field(default_factory=dict)


def require_secret(key: str) -> Code:
    """The expression that reads a secret value from the configuration."""
    return Code(f"config.require_secret({_text(key)})")


def config_key(resource: str, variable: str) -> str:
    """The configuration key for a variable of a resource; a colon would be a scope."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", f"{resource}-{variable}")


def write(title: str, resources: Sequence[Resource]) -> str:
    """
    The text of a program.

    Args:
        title: Its docstring, one line.
        resources: Its deployments.
    """
    used: set[str] = {"config", "pulumi", "Deployment"}
    bodies = [
        _resource(resource, _variable(resource.name, used)) for resource in resources
    ]
    # The title may hold a path, and a path any character. An escape is a letter there.
    lines = [f'""{_text(title)}""', ""]
    reads = any(_has_code(resource.args) for resource in resources)
    if reads:
        lines += ["import pulumi", ""]
    lines += ["from pulumi_jig import Deployment", ""]
    if reads:
        lines += ["config = pulumi.Config()", ""]
    return "\n".join(lines) + "\n" + "\n\n".join(bodies) + "\n"


def _variable(name: str, used: set[str]) -> str:
    word = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower() or "deployment"
    if word[0].isdigit() or keyword.iskeyword(word):
        word = f"d_{word}"
    unique, number = word, 2
    while unique in used:
        unique, number = f"{word}_{number}", number + 1
    used.add(unique)
    return unique


def _resource(resource: Resource, variable: str) -> str:
    lines = [f"{variable} = Deployment(", f"    {_text(resource.name)},"]
    for name, value in resource.args.items():
        remark = resource.remarks.get(name)
        if remark:
            lines.append(f"    # {_text(remark)[1:-1]}")
        lines.append(f"    {name}={_value(value, 4, len(name) + 1)},")
    lines.append(")")
    return "\n".join(lines)


def _has_code(value: Any) -> bool:
    if isinstance(value, Code):
        return True
    items: Iterable[Any] = ()
    if isinstance(value, list):
        items = value
    elif hasattr(value, "values"):
        items = value.values()
    return any(_has_code(item) for item in items)


def _text(value: str) -> str:
    """A string in double quotes, as the formatters of Python write it."""
    if value.isprintable() and '"' not in value and "\\" not in value:
        return f'"{value}"'
    return '"' + "".join(_character(character) for character in value) + '"'


def _character(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    if character in "\n\t\r":
        return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}[character]
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _value(value: Any, indent: int, used: int) -> str:
    flat = _flat(value)
    if indent + used + len(flat) + 1 <= _WIDTH or not isinstance(value, (dict, list)):
        return flat
    if not value:
        return flat
    inner = " " * (indent + 4)
    if isinstance(value, dict):
        rows = [
            f"{inner}{_text(k)}: {_value(v, indent + 4, len(_text(k)) + 2)},"
            for k, v in value.items()
        ]
    else:
        rows = [f"{inner}{_value(v, indent + 4, 0)}," for v in value]
    open_, close = "{}" if isinstance(value, dict) else "[]"
    return "\n".join([open_, *rows, " " * indent + close])


def _flat(value: Any) -> str:
    if isinstance(value, Code):
        return value.text
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{_text(k)}: {_flat(v)}" for k, v in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(_flat(item) for item in value) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    raise TypeError(f"{type(value).__name__} has no literal")
