"""
What a setting of a policy may hold: kinds of values, each with its reader and schema.

A limit that is misspelt holds nothing, and the engine ignores keys that it does not know
without a word. So each kind refuses what it does not understand with the end of a
sentence that begins with the key, and writes the JSON schema for the engine's own check.

Declared by hand rather than with pydantic: a pack is started twice per `pulumi up`, and
18 models of pydantic make its start 1.4 times that of an empty pack, these 1.1 times.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pulumi_jig.policy.quantities import read_number

if TYPE_CHECKING:
    from decimal import Decimal


class SettingError(ValueError):
    """One key is wrong; the message ends a sentence that begins with the key."""


@dataclass(frozen=True, eq=False, repr=False)
class Kind:
    """
    What values of one kind are.

    Attributes:
        says: The kind in words, with its range.
        schema: Its JSON schema.
        read: Turns JSON into a value, or raises `SettingError`.
    """

    says: str
    schema: Mapping[str, Any]
    read: Callable[[Any], Any]


@dataclass(frozen=True, eq=False, repr=False)
class Setting:
    """
    One setting, declared beside its name.

    Attributes:
        kind: See `Kind`.
        default: What holds where it is left out.
        text: What it says, for the reference and the engine.
        unit: The unit of its numbers.
        null: What null means, "" where null is refused.
    """

    kind: Kind
    default: Any
    text: str
    unit: str = ""
    null: str = ""

    @property
    def says(self) -> str:
        """Kind, range and unit in words."""
        unit = f", in {self.unit}" if self.unit else ""
        null = f"; null: {self.null}" if self.null else ""
        return f"{self.kind.says}{unit}{null}"

    @property
    def schema(self) -> dict[str, Any]:
        """
        Its JSON schema, for the engine's own check of a configuration file.

        It carries no default: what is left out must stay visible as left out, since the
        environment's profile fills it.
        """
        schema = dict(self.kind.schema)
        if self.null:
            schema["type"] = [schema["type"], "null"]
        return {**schema, "description": self.text}

    def read(self, value: Any) -> Any:
        """
        Read a value from JSON.

        Raises:
            SettingError: It is not of this kind.
        """
        if value is None:
            if not self.null:
                raise SettingError("must not be null")
            return None
        return self.kind.read(value)


def setting(
    kind: Kind, default: Any, text: str, *, unit: str = "", null: str = ""
) -> Any:
    """Declare a setting; the annotation beside it is the type of its value."""
    return Setting(kind, default, text, unit, null)


def limit(kind: Kind, default: Any, text: str, unit: str) -> Any:
    """Declare a limit, where null means that there is none."""
    return Setting(kind, default, text, unit, "no limit")


# --- Numbers, words, dates ---------------------------------------------------------------


def _number(value: Any, *, above: bool = False, whole: bool = False) -> Decimal:
    # Text is not coerced here, unlike in resources: a profile is written by hand, and
    # the engine's own schema check would refuse it as well.
    number = None if isinstance(value, str) else read_number(value)
    if number is None:
        raise SettingError("must be a number")
    if number < 0:
        raise SettingError("must not be negative")
    if above and number == 0:
        raise SettingError("must be above 0")
    if whole and number != number.to_integral_value():
        raise SettingError("must be a whole number")
    return number


NUMBER: Final = Kind("number, 0 or more", {"type": "number", "minimum": 0}, _number)
POSITIVE: Final = Kind(
    "number above 0",
    {"type": "number", "minimum": 0},
    lambda value: _number(value, above=True),
)
WHOLE: Final = Kind(
    "whole number, 0 or more",
    {"type": "integer", "minimum": 0},
    lambda value: int(_number(value, whole=True)),
)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise SettingError("must be text")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise SettingError("must be true or false")
    return value


def _date(value: Any) -> dt.date:
    text = _text(value)
    try:
        # `fromisoformat` alone takes 20300101 and week dates as well.
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return dt.date.fromisoformat(text)
    except ValueError:
        pass
    raise SettingError("must be a date, written YYYY-MM-DD")


def _gpu_type(value: Any) -> str:
    text = _text(value).strip().lower()
    if re.fullmatch(r"[a-z0-9][a-z0-9._-]*", text) is None:
        raise SettingError("must be a GPU type without wildcards, such as h100-80gb")
    return text


_STRING: Final = {"type": "string"}
TEXT: Final = Kind("text", _STRING, _text)
#: GPU types are compared in lower case, without blanks around them.
GPU_TYPE: Final = Kind("GPU type", _STRING, _gpu_type)
FLAG: Final = Kind("true or false", {"type": "boolean"}, _flag)
DATE: Final = Kind(
    "date, YYYY-MM-DD",
    {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
    _date,
)


def choice(*options: str) -> Kind:
    """Return the kind of one of a few words."""

    def read(value: Any) -> str:
        if value not in options:
            raise SettingError(f"must be one of {', '.join(options)}")
        return str(value)

    says = f"one of {', '.join(f'`{option}`' for option in options)}"
    return Kind(says, {"type": "string", "enum": list(options)}, read)


GRADE: Final = choice("allow", "warn", "deny")

# --- Places and patterns -----------------------------------------------------------------

# Source of the grammar: github.com/distribution/reference, on which OCI registries and
# `docker pull` rest.
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
REGISTRY_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*(?::[0-9]{{1,5}})?")
PATH_COMPONENT: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")


def _host(value: Any) -> str:
    text = _text(value)
    if REGISTRY_HOST.fullmatch(text) is None:
        raise SettingError(
            "must be a registry's host without scheme and path, such as "
            '"registry.together.ai"'
        )
    return text.lower()


def _repository(value: Any) -> str:
    host, slash, path = _text(value).rstrip("/").partition("/")
    sound = slash and REGISTRY_HOST.fullmatch(host)
    if not sound or not all(map(PATH_COMPONENT.fullmatch, path.split("/"))):
        raise SettingError(
            "must be host/path without scheme and tag, such as "
            '"registry.together.ai/team"'
        )
    return f"{host.lower()}/{path}"


def _address(value: Any) -> str:
    text = _text(value)
    try:
        parts = urlsplit(text)
        # The port is asked for, since only then is it judged.
        known = parts.scheme in {"https", "http"} and parts.hostname and parts.port != 0
    except ValueError:
        known = None
    if not known or re.search("[*@?#]", text):
        raise SettingError(
            "must be an address with scheme and host and without wildcards, such as "
            '"https://api.together.ai"'
        )
    return text


def _glob(value: Any) -> str:
    text = _text(value)
    if not re.sub(r"\[[^\]]*\]|[*?]", "", text):
        raise SettingError(
            f'must not be "{text}", which matches every name; name what is meant'
        )
    return text


HOST: Final = Kind("registry host", _STRING, _host)
REPOSITORY: Final = Kind("`host/path`", _STRING, _repository)
ADDRESS: Final = Kind("address", _STRING, _address)
GLOB: Final = Kind("glob", _STRING, _glob)


def _pattern(value: Any) -> re.Pattern[str]:
    text = _text(value)
    try:
        compiled = re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise SettingError(f"is not a regular expression ({error})") from None
    if _runs_away(text):
        raise SettingError(
            "may take for ever on a long value: it repeats what itself repeats or "
            "offers a choice. Repeat single characters only"
        )
    return compiled


def _runs_away(text: str) -> bool:
    # There is no regular expression engine with a time limit in the standard library,
    # so a shape that can be exponential is refused whether or not it is.
    from re import _constants as op  # type: ignore[attr-defined]
    from re import _parser  # type: ignore[attr-defined]

    repeats = (op.MAX_REPEAT, op.MIN_REPEAT)
    total = in_a_row = 0

    def visit(items: Any, *, repeated: bool) -> bool:
        nonlocal total, in_a_row
        for code, argument in items:
            if code in repeats:
                low, high, body = argument
                many = high is op.MAXREPEAT or high > 10
                if repeated and high != low:
                    return True
                total += many and body[0][0] in {op.ANY, op.NOT_LITERAL}
                in_a_row += many
                if total > 2 or in_a_row > 3:
                    return True
                before = in_a_row
                if visit(body, repeated=repeated or many):
                    return True
                in_a_row = before
            elif code is op.GROUPREF or (code is op.BRANCH and repeated):
                return True
            elif code is op.BRANCH:
                if any(visit(part, repeated=repeated) for part in argument[1]):
                    return True
            elif code is op.SUBPATTERN:
                if visit(argument[3], repeated=repeated):
                    return True
            elif code in {op.ASSERT, op.ASSERT_NOT}:
                if visit(argument[1], repeated=repeated):
                    return True
            elif code is not op.AT:
                in_a_row = 0
        return False

    return visit(_parser.parse(text), repeated=False)


PATTERN: Final = Kind("regular expression", _STRING, _pattern)

# --- Lists, tables, records -----------------------------------------------------------------


def many(one: Kind) -> Kind:
    """Return the kind of a list."""

    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise SettingError("must be a list")
        found = []
        for index, item in enumerate(value):
            try:
                found.append(one.read(item))
            except SettingError as fault:
                raise SettingError(f"at [{index}] {fault}") from None
        return tuple(found)

    return Kind(f"list, each: {one.says}", {"type": "array", "items": one.schema}, read)


def table(one: Kind, names: Kind = TEXT) -> Kind:
    """Return the kind of a mapping whose names are of the program's or the API's."""

    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise SettingError("must be a mapping")
        found: dict[str, Any] = {}
        for name, item in value.items():
            try:
                key = names.read(name)
                if key in found:
                    raise SettingError(f'names "{key}" twice')
                found[key] = one.read(item)
            except SettingError as fault:
                if str(fault).startswith("names "):
                    raise
                raise SettingError(f'at "{name}" {fault}') from None
        return found

    schema = {"type": "object", "additionalProperties": one.schema}
    return Kind(f"mapping of {names.says} to: {one.says}", schema, read)


def record(make: Callable[..., Any], required: bool, **fields: Setting) -> Kind:
    """
    Return the kind of a mapping with known keys.

    Args:
        make: Builds the value from the fields as keyword arguments.
        required: Whether all of them must be given.
        fields: The keys, each with what it may hold.
    """

    def read(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise SettingError("must be a mapping")
        found = {}
        for name, item in value.items():
            if name not in fields:
                raise SettingError(f'has an unknown key "{name}"{near(name, fields)}')
            try:
                found[name] = fields[name].read(item)
            except SettingError as fault:
                raise SettingError(f"at {name} {fault}") from None
        for name in fields if required else ():
            if name not in found:
                raise SettingError(
                    f"lacks {name}; all of {', '.join(fields)} are needed"
                )
        try:
            return make(**found)
        except ValueError as error:
            raise SettingError(str(error)) from None

    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: field.schema for name, field in fields.items()},
        "additionalProperties": False,
    }
    if required:
        schema["required"] = list(fields)
    return Kind(
        f"mapping with {', '.join(f'`{name}`' for name in fields)}", schema, read
    )


def near(word: Any, known: Any) -> str:
    """Return ` (did you mean "x"?)` where a known word is near, else ""."""
    # Loaded when something is misspelt: a pack's start pays for every import.
    import difflib

    close = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.6)
    return f' (did you mean "{close[0]}"?)' if close else ""
