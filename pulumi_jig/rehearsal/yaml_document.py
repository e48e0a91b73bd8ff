"""
YAML as the engine reads it.

PyYAML follows YAML 1.1, in which `yes` is a boolean and `12:30` is 750. Here it only
parses; what a plain scalar means follows the engine's library (`resolve.go` of
gopkg.in/yaml.v3). What the engine itself refuses, or hands on in a form that nobody
expects (a date becomes Go's text of a time), is refused.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

import yaml

from pulumi_jig.rehearsal.errors import RehearsalError

if TYPE_CHECKING:
    from pathlib import Path

_TAG: Final = "tag:yaml.org,2002:"
_PLAIN: Final = "plain"
_WORDS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NOT_FINITE: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_CLOCK: Final = r"\d{1,2}:\d{1,2}:\d{1,2}([.,]\d+)?"
_TIME: Final = re.compile(
    rf"\d{{4}}-\d{{1,2}}-\d{{1,2}}([Tt]{_CLOCK}(Z|[-+]\d\d:\d\d)| {_CLOCK})?", re.ASCII
)
_INTEGER: Final = re.compile(
    r"[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)"
)
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# Aliases of aliases can make a small file a huge value; the engine's library has a limit
# as well.
_MOST_VALUES: Final = 100_000


class _Loader(yaml.SafeLoader):
    """Tells scalars that are plain from all others, and decides nothing else."""

    yaml_implicit_resolvers: Final = {  # type: ignore[misc]
        "<": [(_TAG + "merge", re.compile("^<<$"))],
        None: [(_PLAIN, re.compile(""))],
    }


class Document:
    """
    The first and only document of a YAML file.

    Attributes:
        path: The file.
        data: What it holds: mappings with string keys, lists, strings, `int` within 64
            bits, `float`, `bool`, None.
    """

    def __init__(self, path: Path) -> None:
        """
        Read the file.

        Raises:
            RehearsalError: it cannot be read, or holds what the engine refuses or what
                this reader does not know.
        """
        self.path = path
        self._lines: dict[tuple[str, ...], int] = {}
        self._left = _MOST_VALUES
        try:
            text = path.read_bytes().decode("utf-8-sig")
            self._loader = _Loader(text)
            node = self._loader.get_single_node()
            self.data: Any = None if node is None else self._value(node, ())
            if self._loader.yaml_version not in {None, (1, 1)}:
                self._fail("the engine reads documents of YAML 1.1 only")
        except OSError as error:
            self._fail(f"cannot be read: {error.strerror}")
        except UnicodeDecodeError as error:
            self._fail("is not UTF-8", error.object[: error.start].count(b"\n"))
        except RecursionError:
            self._fail("is nested too deeply, or an alias contains itself")
        except yaml.reader.ReaderError as error:
            line = text[: error.position].count("\n")
            self._fail(f"the character #x{error.character:04x} is not allowed", line)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            said = ", ".join(filter(None, (error.context, error.problem)))
            said += "; write spaces, no tabs" if r"'\t'" in said else ""
            self._fail(f"is not YAML: {said}", mark.line if mark else None)

    def mapping(self, *keys: str) -> dict[str, Any]:
        """
        The mapping under `keys`, empty where there is nothing.

        Raises:
            RehearsalError: it is something else.
        """
        data = self.data
        for key in keys:
            data = (data or {}).get(key)
        if data is not None and not isinstance(data, dict):
            self.refuse(keys, "must be a mapping")
        return data or {}

    def refuse(self, keys: tuple[str, ...], message: str) -> NoReturn:
        """
        Raise an error about the value under `keys`.

        Raises:
            RehearsalError: with file, line, key and `message`.
        """
        key = f"key {'.'.join(keys)}: " if keys else ""
        self._fail(key + message, self._lines.get(keys))

    def _fail(self, message: str, line: int | None = None) -> NoReturn:
        where = str(self.path) if line is None else f"{self.path}, line {line + 1}"
        text = f"{where}: {message}".encode(errors="backslashreplace").decode()
        raise RehearsalError(text) from None

    def _value(self, node: yaml.Node, keys: tuple[str, ...]) -> Any:
        self._lines[keys] = node.start_mark.line
        self._left -= 1
        if self._left < 0:
            self.refuse(keys, f"the file holds more than {_MOST_VALUES:,} values")
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            items = enumerate(node.value)
            return [self._value(item, (*keys, str(index))) for index, item in items]
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, keys)
        if isinstance(node, yaml.ScalarNode) and _SURROGATE.search(node.value):
            self.refuse(
                keys, "an escape is half of a character; write the character itself"
            )
        if isinstance(node, yaml.ScalarNode) and node.tag == _TAG + "str":
            return node.value
        if node.tag != _PLAIN:
            tag = node.tag.replace(_TAG, "!!")
            self.refuse(keys, f"the tag {tag} is not read by a rehearsal; leave it out")
        return self._scalar(node.value, keys)

    def _mapping(self, node: yaml.MappingNode, keys: tuple[str, ...]) -> dict[str, Any]:
        written: set[Any] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in written:
                self._lines[(*keys, key.value)] = key.start_mark.line
                self.refuse((*keys, key.value), "is written twice")
            written.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
        # On a copy: an alias brings the same node again.
        flat = yaml.MappingNode(node.tag, list(node.value))
        self._loader.flatten_mapping(flat)
        found = {}
        for key, value in flat.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            if not isinstance(self._value(key, (*keys, name)), str):
                self.refuse((*keys, name), "is no string; put the key in quotes")
            found[name] = self._value(value, (*keys, name))
        return found

    def _scalar(self, text: str, keys: tuple[str, ...]) -> Any:
        if text in _WORDS:
            return _WORDS[text]
        if _NOT_FINITE.fullmatch(text):
            self.refuse(keys, f"{text} is no number that JSON knows; put it in quotes")
        if _TIME.fullmatch(text):
            self.refuse(
                keys, f"the engine reads {text} as a point in time; put it in quotes"
            )
        if text[0] not in "+-.0123456789":
            return text
        digits = text if text[0] == "." else text.replace("_", "")
        if _INTEGER.fullmatch(digits):
            octal = re.fullmatch("[-+]?0[0-7]+", digits)
            number = int(digits, 8 if octal else 0)
            if not -(2**63) <= number < 2**63:
                self.refuse(keys, f"{text} does not fit into 64 bits; put it in quotes")
            return number
        if _FLOAT.fullmatch(digits) and math.isfinite(float(digits)):
            return float(digits)
        return text
