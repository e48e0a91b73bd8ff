"""
The values that must not be repeated, and how they are found in a text.

They are remembered for the whole process, since one plugin serves all resources of a
stack. Two sorts are told apart:

- Secrets: what the program or the state marks as one, API keys, the value of a `Secret`.
  From 8 characters on their beginning is removed wherever it is, and any 12 characters
  in a row, so that no cut and no line break lets the rest through. From 4 characters on
  they are removed as whole words, shorter ones only where they are quoted or stand
  behind "=": removing every "1" would hide nothing and spoil every sentence.
- Values of environment variables that nobody marked. They are ordinary words as often as
  not, so only the whole value or a whole line of it is removed, from 6 characters on, or
  its beginning where a text breaks off; shorter ones as above.

Both are found however they are written: escaped as in JSON, Python, HTML or an address,
several times if need be; in base 64; over several lines; with colours or invisible
characters in between. The time it takes grows with the text alone.
"""

from __future__ import annotations

import base64
import functools
import re
import threading
from array import array
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    _Places = Callable[[int], tuple[int, int]]

#: What stands in the place of a secret; Pulumi's own word.
REDACTED: Final = "[secret]"

#: Characters in a row that are taken for a piece of a secret.
_PIECE: Final = 12
#: Characters at the beginning of a secret that are taken for it.
_BEGINNING: Final = 8
#: Shortest value that is looked for in a text: a secret, and an unmarked one.
_SHORTEST: Final = 4
_SHORTEST_UNMARKED: Final = 6
#: How often a text is unescaped: a body may be quoted inside another one.
_NESTED: Final = 3

#: What a terminal takes for a command, colours mostly.
CONTROL_SEQUENCE: Final = re.compile(r"\x1b\[[0-9:;<=>?]*[ -/]*[@-~]")


def remember_secret(value: Any) -> None:
    """Keep a value, with all that is in it, out of every text from now on."""
    _SECRETS.add(_texts(value), marked=True)


def remember_environment(values: Iterable[Any]) -> None:
    """The same for values of variables of which nobody said whether they are secret."""
    _SECRETS.add((text for value in values for text in _texts(value)), marked=False)


def forget_secrets() -> None:
    """Start afresh, as a new process would; for tests."""
    _SECRETS.clear()


def redact(text: str, *, marked_only: bool = False) -> str:
    """
    The text with `REDACTED` in the place of every value that is remembered.

    Args:
        text: Any text.
        marked_only: Whether only secrets go.
    """
    return _SECRETS.redact(text, marked_only=marked_only)


class _Secrets:
    """The values that must not be repeated, indexed so that one pass finds them all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, bool] = {}
        self._index = _Index()

    def clear(self) -> None:
        """Forget them all."""
        with self._lock:
            self._known, self._index = {}, _Index()

    def add(self, values: Iterable[str], *, marked: bool) -> None:
        """Remember values; one that is marked once stays so."""
        for value in values:
            if self._known.get(value) in (True, marked):
                continue
            with self._lock:
                self._known[value] = marked
                # A value of several lines may be printed line by line, and what is
                # found in base 64 comes byte by byte.
                parts = {value, *value.splitlines()}
                raw = value.encode(errors="replace").decode("latin-1")
                for part in parts | {raw}:
                    self._index.add(part.strip(), marked=marked)

    def redact(self, text: str, *, marked_only: bool = False) -> str:
        """The text with `REDACTED` in the place of every value."""
        if not self._known or not text:
            return text
        index = self._index
        spans = sorted(
            span
            for view in _views(text)
            for span in index.found(view, marked_only=marked_only)
        )
        parts: list[str] = []
        end = 0
        for start, stop in spans:
            if start > end or not parts:
                parts += [text[end:start], REDACTED]
            end = max(end, stop)
        return "".join([*parts, text[end:]])


class _Index:
    """
    What to look for at a place of a text.

    Every entry comes with whether it is marked. Keys are what a look-up can cut out of
    a text: its next 4, 8 or 12 characters.
    """

    def __init__(self) -> None:
        #: With how many characters it takes where it is in one piece.
        self._whole: dict[str, list[tuple[str, int, bool]]] = {}
        self._beginnings: dict[str, list[tuple[str, bool]]] = {}
        self._pieces: set[str] = set()
        self._tiny: dict[str, bool] = {}
        #: The first four characters of all of these: nearly every place of a text is
        #: passed over by them.
        self._hints: set[str] = set()

    def add(self, text: str, *, marked: bool) -> None:
        """Index one value, or one line of it."""
        value = _squeezed(text)
        if len(value) < (_SHORTEST if marked else _SHORTEST_UNMARKED):
            if value:
                self._tiny[value] = marked or self._tiny.get(value, False)
            return
        # Of an address not the scheme, which others have as well.
        rest = _SCHEME.sub("", value)
        pieces = [rest[i : i + _PIECE] for i in range(len(rest) - _PIECE + 1)]
        if len(rest) >= _BEGINNING:
            begun = self._beginnings.setdefault(rest[:_BEGINNING], [])
            begun.append((rest[:_PIECE] if marked else rest, marked))
            self._hints.add(rest[:_SHORTEST])
        if marked and pieces:
            self._pieces.update(pieces)
            self._hints.update(piece[:_SHORTEST] for piece in pieces)
        else:
            entry = (value, len(text), marked)
            self._whole.setdefault(value[:_SHORTEST], []).append(entry)
            self._hints.add(value[:_SHORTEST])

    def found(self, view: _View, *, marked_only: bool) -> Iterator[tuple[int, int]]:
        """Where something of it stands, as places in the text of the view."""
        letters, pieces, hints = view.letters, self._pieces, self._hints
        whole, beginnings = self._whole, self._beginnings
        places = range(len(letters))
        for at in [at for at in places if letters[at : at + _SHORTEST] in hints]:
            stop = at
            if letters[at : at + _PIECE] in pieces:
                stop = at + _PIECE
            for value, size, marked in whole.get(letters[at : at + _SHORTEST], ()):
                end = at + len(value)
                if (
                    (marked or not marked_only)
                    and letters.startswith(value, at)
                    and (len(value) >= _BEGINNING or view.is_word(at, end, size))
                ):
                    stop = max(stop, end)
            for value, marked in beginnings.get(letters[at : at + _BEGINNING], ()):
                if marked or not marked_only:
                    end = at + _agreed(letters, at, value)
                    if marked or view.breaks_off(end):
                        stop = max(stop, end)
            if stop > at:
                yield view.span(at, stop)
        for quoted in _QUOTED.finditer(view.plain) if self._tiny else ():
            group = "quoted" if quoted["quoted"] is not None else "value"
            tiny = self._tiny.get(quoted[group])
            if tiny or (tiny is False and not marked_only):
                yield view.plain_span(*quoted.span(group))


def _agreed(letters: str, at: int, value: str) -> int:
    """How many characters of a value stand at a place."""
    length = _BEGINNING
    here = letters[at : at + len(value)]
    while length < len(here) and here[length] == value[length]:
        length += 1
    return length


_SCHEME: Final = re.compile(r"\A[A-Za-z][A-Za-z0-9+.-]{1,30}://")
#: A very short value where it is quoted, or behind an equals sign.
_QUOTED: Final = re.compile(
    r"""(["'`])(?P<quoted>[^"'`\s]{1,5})\1|=(?P<value>[^"'`\s,;&=)\]}]{1,5})(?![^\s,;&)\]}])"""
)


def _squeezed(text: str) -> str:
    """A text without white space and without what cannot be seen."""
    return "".join(c for c in text if c.isprintable() and not c.isspace())


def _texts(value: Any) -> Iterator[str]:
    """All texts in some data, and numbers that are long enough to be told from others."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(int(value) if value == value // 1 else value)


# --- How a secret may be written ----------------------------------------------------


class _View:
    """
    A text as somebody may have meant it, with where each of its characters comes from.

    Attributes:
        plain: The text, unescaped as far as this view goes.
        places: Where in the text itself each character begins and ends.
        letters: `plain` without white space and invisible characters.
    """

    def __init__(self, plain: str, places: _Places) -> None:
        self.plain = plain
        self.places = places
        self._runs = [found.span() for found in _VISIBLE_RUN.finditer(plain)]
        self.letters = "".join([plain[start:stop] for start, stop in self._runs])
        if not self.letters.isprintable():
            self._runs = [
                (at, at + 1)
                for start, stop in self._runs
                for at in range(start, stop)
                if plain[at].isprintable()
            ]
            self.letters = "".join([plain[at] for at, _ in self._runs])

    @functools.cached_property
    def kept(self) -> Sequence[int]:
        """Where in `plain` each letter is."""
        kept = array("L")
        for start, stop in self._runs:
            kept.extend(range(start, stop))
        return kept

    def plain_span(self, start: int, stop: int) -> tuple[int, int]:
        """Where a part of `plain` is in the text itself."""
        return self.places(start)[0], self.places(stop - 1)[1]

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """Where a part of `letters` is in the text itself."""
        return self.plain_span(self.kept[start], self.kept[stop - 1] + 1)

    def is_word(self, start: int, stop: int, size: int) -> bool:
        """Whether a part of `letters` has a size and is no part of a longer word."""
        first, last = self.kept[start], self.kept[stop - 1]
        around = self.plain[max(0, first - 1) : first], self.plain[last + 1 : last + 2]
        return last - first == size - 1 and not any(map(str.isalnum, around))

    def breaks_off(self, stop: int) -> bool:
        """Whether the text ends here, or says that something was left out."""
        rest = self.letters[stop : stop + 3]
        return rest in {"", "..."} or rest.startswith("…")

    def rewritten(
        self, pattern: re.Pattern[str], instead: Callable[[str], str]
    ) -> _View:
        """The view after a replacement, or the same one where there is none."""
        parts: list[str] = []
        starts, stops = array("L"), array("L")
        end = 0

        def keep(upto: int) -> None:
            parts.append(self.plain[end:upto])
            kept = [self.places(at) for at in range(end, upto)]
            starts.extend([start for start, _ in kept])
            stops.extend([stop for _, stop in kept])

        for found in pattern.finditer(self.plain):
            keep(found.start())
            parts.append(instead(found.group()))
            start, stop = self.plain_span(*found.span())
            starts.extend([start] * len(parts[-1]))
            stops.extend([stop] * len(parts[-1]))
            end = found.end()
        if not end:
            return self
        keep(len(self.plain))
        return _View("".join(parts), lambda at: (starts[at], stops[at]))

    def from_base64(self) -> Iterator[_View]:
        """What stands here in base 64, from each of the four places where it may begin."""
        for run in _BASE64.finditer(self.letters):
            for first in range(run.start(), run.start() + 4):
                encoded = self.letters[first : run.end()].translate(_URL_SAFE)
                if len(encoded) % 4 == 1:
                    encoded = encoded[:-1]
                raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
                yield _View(raw.decode("latin-1"), self._encoded_places(first))

    def _encoded_places(self, first: int) -> _Places:
        # Three bytes are four letters; a byte may begin and end within one.
        return lambda byte: self.span(
            first + byte * 8 // 6, first + (byte * 8 + 7) // 6 + 1
        )


def _views(text: str) -> Iterator[_View]:
    view = _View(text, lambda at: (at, at + 1))
    view = view.rewritten(CONTROL_SEQUENCE, lambda _: "")
    for _ in range(_NESTED):
        yield view
        yield from view.from_base64()
        inner = view.rewritten(_ESCAPE, _unescaped)
        if inner is view:
            return
        view = inner
    yield view


_VISIBLE_RUN: Final = re.compile(r"\S+")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}")
_URL_SAFE: Final = str.maketrans("-_", "+/")
_ESCAPE: Final = re.compile(
    r"(?:\\u[0-9a-fA-F]{4})+|\\U[0-9a-fA-F]{8}|(?:\\x[0-9a-fA-F]{2})+"
    r"|\\[\"'/\\bfnrt]|(?:%[0-9a-fA-F]{2})+"
    r"|&(?:\#[0-9]{1,7}|\#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,31});"
)
_LETTERS: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def _unescaped(found: str) -> str:
    if found[0] == "%":
        return _decoded(unquote_to_bytes(found))
    if found[0] == "&":
        # Not at the top: beside a program, `html` may be a file of the program's.
        import html

        return html.unescape(found)
    kind, digits = found[1], found[2:]
    if kind == "u":
        # Characters beyond the first plane are written as two halves.
        units = bytes.fromhex(found.replace("\\u", ""))
        return units.decode("utf-16-be", "replace")
    if kind == "U":
        return chr(min(int(digits, 16), 0x10FFFF))
    if kind == "x":
        return _decoded(bytes.fromhex(found.replace("\\x", "")))
    return _LETTERS.get(kind, kind)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


_SECRETS: Final = _Secrets()
