"""Text from outside is without secrets, harmless, and then shortened."""

from __future__ import annotations

import base64
import html
import json
import unicodedata
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pulumi_jig.redaction import (
    REDACTED,
    forget_secrets,
    redact,
    remember_environment,
    remember_secret,
)
from pulumi_jig.text import (
    safe_data,
    safe_lines,
    safe_message,
    safe_name,
    safe_text,
)

SECRET = 'canary-"quoted"\\+/<tag>-4711 é'
PEM = (
    "-----BEGIN KEY-----\n"
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n"
    "wJalrXUtnFEMI7K7MDENGbPxRfiCYEXA\n"
    "Ab3Q9=\n"
    "-----END KEY-----"
)
PIECES = [line for line in PEM.splitlines() if "KEY" not in line]
#: What moves a cursor, turns text round, cannot be seen, or is markup of the engine's.
HOSTILE = [
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x07",
    "\r",
    "\n",
    "\x00",
    "\x7f",
    "\x9b31m",
    "\u202e",
    "\u2066",
    "\u2028",
    "\u200b",
    "\ufeff",
    "\U000e0041",
    "\ud800",
    "<{%bogus%}>",
    "<{%",
    "%}>",
    "<<{%{%%}>}>",
    "%}><{%",
]
texts = st.lists(
    st.one_of(
        st.sampled_from(HOSTILE), st.text(max_size=20), st.characters(categories=["C"])
    ),
    max_size=12,
).map("".join)


def twice(value: str) -> str:
    """Quoted in a body that is quoted itself."""
    return json.dumps(json.dumps(value))


WRITTEN = {
    "plain": lambda value: value,
    "json": json.dumps,
    "json-utf-8": lambda value: json.dumps(value, ensure_ascii=False),
    "twice": twice,
    "python": repr,
    "bytes": lambda value: repr(value.encode()),
    "html": html.escape,
    "address": quote,
    "form": lambda value: quote(value, safe=""),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64-url": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "basic": lambda value: base64.b64encode(f"user:{value}".encode()).decode(),
    "bearer": lambda value: base64.b64encode(f"us:{value}".encode()).decode(),
    "wrapped": lambda value: "\n".join(
        value[i : i + 16] for i in range(0, len(value), 16)
    ),
    "coloured": lambda value: f"{value[:9]}\x1b[31m{value[9:]}",
    "invisible": "\u200b".join,
}


def is_harmless(text: str, keep: str = "") -> bool:
    """Whether a terminal and the engine take a text for nothing but text."""
    odd = [
        c for c in text if unicodedata.category(c)[0] in "CZ" and c not in f" {keep}"
    ]
    return not odd and "<{%" not in text and "%}>" not in text


# --- Harmless -----------------------------------------------------------------------


@given(texts)
def test_a_text_is_one_line_of_visible_characters(text: str) -> None:
    """Whatever somebody writes, what is shown of it commands nothing."""
    assert is_harmless(safe_text(text))
    assert is_harmless(safe_text(text, 7))
    assert is_harmless(safe_name(text))


@given(texts)
def test_a_message_keeps_its_lines_and_nothing_else(text: str) -> None:
    """A message of ours has lines; no other control character is ours."""
    assert is_harmless(safe_message(text), keep="\n\t")
    assert all(is_harmless(line) for line in safe_lines([text, text], 20))


@given(st.recursive(texts, lambda of: st.lists(of) | st.dictionaries(texts, of)))
def test_data_is_harmless_in_every_text_and_key(data: object) -> None:
    """What a state holds may be printed as well."""

    def all_texts(value: object) -> list[str]:
        if isinstance(value, str):
            return [value]
        items = [*value, *value.values()] if isinstance(value, dict) else value
        return [text for item in items for text in all_texts(item)]

    assert all(is_harmless(text, keep="\n\t") for text in all_texts(safe_data(data)))


@given(texts)
def test_what_is_safe_stays_as_it_is(text: str) -> None:
    """A text may pass more than once: it is not escaped anew."""
    assert safe_text(safe_text(text)) == safe_text(text)
    assert safe_message(safe_text(text)) == safe_text(text)
    assert safe_data(safe_data(text)) == safe_data(text)


def test_an_invisible_character_is_shown_and_not_dropped() -> None:
    """Two values that differ in it only must not look the same."""
    assert safe_data("rm\u200b -r\x1b") == "rm\\u200b -r\\x1b"


def test_colours_of_a_program_are_dropped() -> None:
    """Programs print in colour all the time; the words are what matters."""
    said = "\x1b[31mERROR\x1b[0m out of memory"

    assert safe_lines([said]) == ["ERROR out of memory"]


def test_ordinary_text_is_not_changed() -> None:
    """What nobody has to fear is shown as it came."""
    text = 'image "registry.example/app:1" — größer, 日本語, 50 %, {"a": [1]} <b>'

    assert safe_text(text) == safe_message(text) == text
    assert safe_data({"a": [text, 1, None, True, 2.5]}) == {
        "a": [text, 1, None, True, 2.5]
    }


# --- Secrets ------------------------------------------------------------------------


@pytest.mark.parametrize("write", WRITTEN.values(), ids=WRITTEN.keys())
@pytest.mark.parametrize("secret", [SECRET, PEM], ids=["line", "lines"])
def test_a_secret_is_found_however_it_is_written(write, secret: str) -> None:
    """Case S4: escaped, encoded, wrapped, it is not there; what is around it is."""
    remember_secret(secret)
    shown = safe_text(f"before {write(secret)} after", 300)

    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert REDACTED in shown
    left = shown.replace(REDACTED, "").removeprefix("before").removesuffix("after")
    # In base 64 what stands before it is encoded with it.
    assert len(left.strip()) <= 8, left
    assert "4711" not in left


@pytest.mark.parametrize("write", WRITTEN.values(), ids=WRITTEN.keys())
def test_a_piece_of_a_secret_is_found_too(write) -> None:
    """Case S1: a key is printed line by line, and a line is cut anywhere."""
    remember_secret(PEM)
    for piece in (*PIECES, PIECES[0][:14], PIECES[1][9:25], PEM[:30]):
        shown = safe_text(f"12:00 [{write(piece)}] went on", 300)
        assert piece not in shown
        assert not [i for i in range(len(piece) - 8) if piece[i : i + 9] in shown]


@given(
    st.text(min_size=4, max_size=60),
    st.sampled_from(["", "é ", "value: ", '"', "("]),
    st.sampled_from(["", " end", '"', "...", ")"]),
)
@example("abababab-canary", "ab ", "")
@example("a 1 c2", "", " end")
def test_a_secret_never_survives(value: str, before: str, after: str) -> None:
    """Whatever the value, the text around it does not keep it."""
    forget_secrets()
    assume(value not in f"{before}{REDACTED}{after}")
    # Of fewer visible characters only what is quoted is taken for it.
    assume(sum(c.isprintable() and not c.isspace() for c in value) >= 4)
    remember_secret(value)

    assert value not in safe_text(f"{before}{value}{after}")


@pytest.mark.parametrize("cut", range(280, 320, 3))
def test_a_secret_at_the_cut_does_not_begin_to_show(cut: int) -> None:
    """Shortened is last: first shortened, the rest of a secret would not be known."""
    remember_secret("tok_" + "abcdefghijklmnopqrstuvwxyz0123456789" * 12)
    shown = safe_text(
        "x" * cut + " tok_" + "abcdefghijklmnopqrstuvwxyz0123456789" * 12, 300
    )

    assert "tok_abcd" not in shown
    assert len(shown) <= 300


def test_lines_are_redacted_together() -> None:
    """A secret that a log breaks into lines is not known by any of them."""
    remember_secret("wJalrXUtnFEMI7K7MDENG")
    lines = safe_lines(["got wJalrXUtnF", "  EMI7K7MDENG here", "end"], 100)

    assert lines == [f"got {REDACTED} here", "end"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at least 1 replica", "at least 1 replica"),
        ('"1" is bad', f'"{REDACTED}" is bad'),
        ("A=1", f"A={REDACTED}"),
        ("A=12", "A=12"),
        ("the pin is 4711, see", f"the pin is {REDACTED}, see"),
        ("job 47110", "job 47110"),
        ("the here and there", "the here and there"),
    ],
)
def test_a_short_secret_is_found_where_it_is_a_word(text: str, expected: str) -> None:
    """Four characters are looked for as a word, fewer as a quoted value."""
    remember_secret("1")
    remember_secret({"pin": 4711})
    remember_secret("her3")

    assert redact(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("INFO: MODEL=meta/llama-3", f"INFO: MODEL={REDACTED}"),
        ("LEVEL=INFO", f"LEVEL={REDACTED}"),
        ("meta/llama-3.1 is there", f"{REDACTED}.1 is there"),
        ("meta/lla...", f"{REDACTED}..."),
        ("meta/lla is another", "meta/lla is another"),
        ("https://api.example.com/v2", "https://api.example.com/v2"),
        ("https://api.example.com/v1", REDACTED),
    ],
)
def test_a_variable_that_nobody_marked_is_found_as_a_whole(
    text: str, expected: str
) -> None:
    """Its pieces are ordinary words, without which no message could be read."""
    remember_environment(["INFO", "meta/llama-3", "https://api.example.com/v1"])

    assert redact(text) == expected
    assert redact(text, marked_only=True) == text


def test_an_address_is_no_secret_for_its_scheme() -> None:
    """A webhook is a secret, https is none."""
    remember_secret("https://hooks.example.com/T00/B00/abcdefgh")

    assert (
        safe_message("check https://api.together.ai") == "check https://api.together.ai"
    )
    assert safe_message("at https://hooks.example.com/T00/B00/abcdefgh") == (
        f"at https://{REDACTED}"
    )


def test_what_becomes_a_secret_later_is_one_from_then_on() -> None:
    """An update may mark what was plain before; the old value and the new one count."""
    remember_environment(["postgres-canary-1"])
    assert redact("postgres-canary-1", marked_only=True) == "postgres-canary-1"

    remember_secret(["postgres-canary-1", {"new": "postgres-canary-2"}])

    assert redact("postgres-canary-1 postgres-canary-2", marked_only=True) == (
        f"{REDACTED} {REDACTED}"
    )


# --- Time ---------------------------------------------------------------------------

#: A mebibyte of what a pattern may stumble over.
LONG = {
    "title": "<title" * 180_000,
    "title-open": "<title>" + "x" * 2**20,
    "letters": "a" * 2**20,
    "escape": "\\u00" * 2**18,
    "escaped": "\\u0041" * 180_000,
    "percent": "%41%" * 2**18,
    "entity": "&#" * 2**19,
    "entities": "&amp;" * 200_000,
    "sequence": "\x1b[" * 2**19,
    "sequences": "\x1b[0;" + "0;" * 2**19,
    "base64": "QUJD" * 2**18,
    "quotes": "'" * 2**20,
    "spaces": " " * 2**20,
    "markup": "<{%" * 350_000,
    "secret": SECRET * 34_000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG.keys())
def test_a_mebibyte_is_read_in_one_pass(text: str) -> None:
    """The time grows with the text, not with its square: that would take minutes."""
    remember_secret([SECRET, PEM, "aaaaaaaaaaaaaaaaaaaaaaaa", "AAAABBBBCCCCDDDD"])
    remember_environment(["aaaaaaaaaaaaaaab", "'", "QUJDQUJD"])

    assert len(safe_text(text, 300)) <= 300
    assert SECRET not in safe_message(text[: 2**18])
