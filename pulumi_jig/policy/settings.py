"""
The typed configuration of a policy, and its parser.

A limit that is misspelt holds nothing, and the engine ignores keys that it does not
know without a word. So every policy's configuration becomes a frozen dataclass here, and
this module refuses unknown keys (with the nearest known one), wrong types and
contradictions, all of them at once, each with the place to mend.

A key that is left out means the strictest value that any of our environments has: who
configures nothing gets no freedom by it. `null` means "no limit" where a limit may be
absent at all.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import fnmatch
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn, TypeVar

from pulumi_jig.errors import ConfigError
from pulumi_jig.policy.quantities import read_number

if TYPE_CHECKING:
    from decimal import Decimal

S = TypeVar("S", bound="Settings")

#: The key under which Pulumi keeps a policy's level beside its configuration.
LEVEL_KEY: Final = "enforcementLevel"
LEVELS: Final = ("advisory", "mandatory", "remediate", "disabled")


class _FaultError(ValueError):
    """One key is wrong; the message ends a sentence that begins with the key."""


@dataclass(frozen=True, slots=True)
class Exemption:
    """
    Resources that a policy lets pass for a while.

    Attributes:
        name: Glob on the resource's name in the program, case-sensitive.
        reason: Why, for whoever reads the preview.
        expires: The last day (UTC) on which it holds.
    """

    name: str
    reason: str
    expires: dt.date

    def covers(self, name: str) -> bool:
        """Whether it is about a resource of this name."""
        return fnmatch.fnmatchcase(name, self.name)

    def holds(self, today: dt.date) -> bool:
        """Whether it has not ended."""
        return today <= self.expires


@dataclass(frozen=True, slots=True)
class TypeLimits:
    """Limits of one GPU type; None leaves the general limit in force."""

    max_per_replica: int | None = None
    max_per_deployment: int | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a number, both included; None is no bound."""

    min: Decimal | None = None
    max: Decimal | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Key:
    """
    One configuration key, declared beside its name.

    Attributes:
        kind: Which parser and which schema it has; `?` allows null.
        default: What holds where it is left out.
        text: What it says, for the catalogue and the engine.
        choices: The words that a `choice` may be.
    """

    kind: str
    default: Any
    text: str
    choices: tuple[str, ...] = ()


def key(kind: str, default: Any, text: str, choices: tuple[str, ...] = ()) -> Any:
    """Declare a configuration key; its annotation is the type of its value."""
    return Key(kind, default, text, choices)


class Settings:
    """
    What every policy can be told.

    Each policy adds its own keys in a subclass; instances are immutable. The defaults
    of all keys together are the strictest of our environments. This is not a dataclass:
    a pack pays for every generated method when it starts, and none would be used.

    Raises:
        TypeError: A key is not declared.
    """

    #: All keys by name, those of base classes first.
    keys: ClassVar[Mapping[str, Key]] = {}

    unknown: str = key(
        "choice",
        "deny",
        "What a preview does with values that it does not know: name them and go on "
        "(`warn`), or refuse (`deny`).",
        choices=("warn", "deny"),
    )
    exempt: tuple[Exemption, ...] = key(
        "exemptions",
        (),
        "Resources that pass for a while: `name` (a glob), `reason`, `expires` "
        "(YYYY-MM-DD, the last day).",
    )
    environment: str | None = key(
        "word?",
        None,
        "Take the keys that are not given here from this environment's profile; the "
        "stack's name decides where it is left out.",
    )

    def __init_subclass__(cls) -> None:
        """Gather the keys that a class and its bases declare."""
        cls.keys = {
            name: declared
            for base in reversed(cls.__mro__)
            for name, declared in vars(base).items()
            if isinstance(declared, Key)
        }

    def __init__(self, **values: Any) -> None:
        unknown = values.keys() - self.keys
        if unknown:
            raise TypeError(
                f"{type(self).__name__} has no {', '.join(sorted(unknown))}"
            )
        for name, declared in self.keys.items():
            vars(self)[name] = values.get(name, declared.default)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        """Refuse: settings are read by several threads."""
        raise AttributeError(f"{name} of {type(self).__name__} cannot be changed")

    def exemption(self, name: str) -> Exemption | None:
        """The exemption that covers a resource, the longest-lived of several."""
        covering = [e for e in self.exempt if e.covers(name)]
        return max(covering, key=lambda e: e.expires, default=None)


#: The keys that every policy has.
COMMON: Final[Mapping[str, Key]] = {
    name: declared
    for name, declared in vars(Settings).items()
    if isinstance(declared, Key)
}
Settings.keys = COMMON


# --- Parsers, one per kind --------------------------------------------------------


def _number(value: Any) -> Decimal:
    # Text is not coerced here, unlike in resources: a profile is written by hand, and
    # the engine's own schema check would refuse it as well.
    number = None if isinstance(value, str) else read_number(value)
    if number is None:
        raise _FaultError("must be a number")
    if number < 0:
        raise _FaultError("must not be negative")
    return number


def _count(value: Any) -> int:
    number = _number(value)
    if number != number.to_integral_value():
        raise _FaultError("must be a whole number")
    return int(number)


def _word(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _FaultError("must be text")
    return value


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _FaultError("must be true or false")
    return value


def _each(value: Any, one: Callable[[Any], Any]) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise _FaultError("must be a list")
    found = []
    for index, item in enumerate(value):
        try:
            found.append(one(item))
        except _FaultError as fault:
            raise _FaultError(f"at [{index}] {fault}") from None
    return tuple(found)


def _table(value: Any, one: Callable[[Any], Any]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _FaultError("must be a mapping")
    found: dict[str, Any] = {}
    for name, item in value.items():
        folded = str(name).strip().lower()
        if folded in found:
            raise _FaultError(f'names "{folded}" twice')
        try:
            found[folded] = one(item)
        except _FaultError as fault:
            raise _FaultError(f'at "{name}" {fault}') from None
    return found


def _regex(value: Any) -> re.Pattern[str]:
    try:
        return re.compile(_word(value))
    except re.error as error:
        raise _FaultError(f"is not a regular expression ({error})") from None


def _date(value: Any) -> dt.date:
    try:
        return dt.date.fromisoformat(_word(value))
    except ValueError:
        raise _FaultError("must be a date, written YYYY-MM-DD") from None


def _object(value: Any, kinds: Mapping[str, str]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _FaultError("must be a mapping")
    found = {}
    for name, item in value.items():
        if name not in kinds:
            raise _FaultError(f'has an unknown key "{name}"{near(name, kinds)}')
        try:
            found[name] = _parse(kinds[name], item)
        except _FaultError as fault:
            raise _FaultError(f"at {name} {fault}") from None
    return found


def _exemption(value: Any) -> Exemption:
    kinds = {"name": "word", "reason": "word", "expires": "date"}
    given = _object(value, kinds)
    for name in kinds:
        if name not in given:
            raise _FaultError(f"lacks {name}; an exemption needs {', '.join(kinds)}")
    return Exemption(**given)


def _type_limits(value: Any) -> TypeLimits:
    kinds = {f.name: "count?" for f in dataclasses.fields(TypeLimits)}
    return TypeLimits(**_object(value, kinds))


def _range(value: Any) -> Range:
    bounds = Range(**_object(value, {"min": "number?", "max": "number?"}))
    if bounds.min is not None and bounds.max is not None and bounds.min > bounds.max:
        raise _FaultError("has min above max")
    return bounds


_PARSERS: Final[dict[str, Callable[[Any], Any]]] = {
    "number": _number,
    "count": _count,
    "word": _word,
    "bool": _bool,
    "date": _date,
    "words": lambda value: _each(value, _word),
    "types": lambda value: tuple(w.strip().lower() for w in _each(value, _word)),
    "regexes": lambda value: _each(value, _regex),
    "counts": lambda value: _each(value, _count),
    "numbers by type": lambda value: _table(value, _number),
    "limits by type": lambda value: _table(value, _type_limits),
    # Metrics have case, so their table is not folded.
    "ranges by metric": lambda value: dict(
        zip(_object_names(value), _each(list(value.values()), _range), strict=True)
    ),
    "exemptions": lambda value: _each(value, _exemption),
}


def _object_names(value: Any) -> list[str]:
    if not isinstance(value, Mapping):
        raise _FaultError("must be a mapping")
    return [str(name) for name in value]


def _parse(kind: str, value: Any, choices: tuple[str, ...] = ()) -> Any:
    if kind.endswith("?"):
        if value is None:
            return None
        kind = kind[:-1]
    elif value is None:
        raise _FaultError("must not be null")
    if kind == "choice":
        if value not in choices:
            raise _FaultError(f"must be one of {', '.join(choices)}")
        return value
    return _PARSERS[kind](value)


def near(word: str, known: Any) -> str:
    """` (did you mean "x"?)` where a known word is near, else ""."""
    # Loaded when something is misspelt: a pack's start pays for every import.
    import difflib

    close = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.6)
    return f' (did you mean "{close[0]}"?)' if close else ""


def faults_in(cls: type[Settings], given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every fault of a configuration: the key, and a sentence about it."""
    return _read(cls, given)[1]


def _read(
    cls: type[Settings], given: Mapping[str, Any]
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    values: dict[str, Any] = {}
    faults: list[tuple[str, str]] = []
    for name, value in given.items():
        declared = cls.keys.get(name)
        if declared is None:
            text = f"is not a key of this policy{near(name, cls.keys)}"
            faults.append((name, f"{name} {text}"))
            continue
        try:
            values[name] = _parse(declared.kind, value, declared.choices)
        except _FaultError as fault:
            faults.append((name, f"{name} {fault}"))
    return values, faults


def read_settings(cls: type[S], given: Mapping[str, Any], *, where: str) -> S:
    """
    Parse a policy's configuration.

    Args:
        cls: The policy's settings.
        given: Keys and values, as JSON gives them (all numbers may be floats).
        where: What to name in an error: a policy, or a file and a policy.

    Raises:
        ConfigError: A key is unknown or its value unusable; all faults at once.
    """
    values, faults = _read(cls, given)
    if faults:
        sentences = "; ".join(text for _, text in faults)
        raise ConfigError(f"{where} is configured wrongly: {sentences}.")
    return cls(**values)
