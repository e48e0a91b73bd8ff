"""
The one way of text from outside to whoever reads it.

What a service, a container, an ownership mark or somebody's file says may repeat a secret
of this run, move the cursor of a terminal, turn the direction of a line round, or hold
Pulumi's colour markup, of which a wrong piece makes `pulumi` itself panic. All of it
passes here before it is shown or stored, always in the same order: secrets out
(`redaction`), then what is not plain text made visible, then shortened. (Shortened first,
the rest of a secret would not be recognised.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.redaction import CONTROL_SEQUENCE, redact

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Characters that are read of a text of which a few hundred are shown at most.
_EXAMINED: Final = 1 << 14


def safe_text(text: object, limit: int | None = None) -> str:
    """
    One line of text from outside: without secrets, harmless, and then shortened.

    Args:
        text: Any text; what is none is written as one.
        limit: Most characters of the result; None for all of them.
    """
    return _one_line(redact(_examined(text, limit)), limit)


def safe_lines(lines: Iterable[object], limit: int | None = None) -> list[str]:
    """
    Lines of output, redacted together, as a secret may go over several of them.

    Args:
        lines: The lines; one that holds line breaks becomes several.
        limit: Most characters of each; None for all of them.
    """
    found = redact("\n".join(_examined(line, limit) for line in lines))
    # Programs print in colour all the time.
    found = CONTROL_SEQUENCE.sub("", found)
    return [_one_line(line, limit) for line in found.splitlines()]


def safe_message(text: str) -> str:
    """
    A message of ours in which text from outside may stand: its lines stay lines.

    Only what is marked as a secret is removed here. It is the last check on everything
    that leaves the process; the parts of a message pass `safe_text` where they come in.
    """
    return _visible(redact(text, marked_only=True), keep="\n\t")


def safe_data(value: Any) -> Any:
    """
    Data from outside as a state or a report may hold it.

    Every text and every key in it passes, line breaks stay, and nothing is shortened.
    As in `safe_message` only secrets are removed: other values are data here.
    """
    if isinstance(value, str):
        return safe_message(value)
    if isinstance(value, dict):
        return {
            safe_message(key) if isinstance(key, str) else key: safe_data(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [safe_data(item) for item in value]
    return value


def safe_name(value: str) -> str:
    """
    A name or id from outside: harmless, and otherwise as it is.

    Secrets stay in, because a name is compared and asked for again: it must not become
    another one because somebody's variable has the same value. Whatever shows it passes
    `safe_message`.
    """
    return _visible(value)


# --- Harmless -----------------------------------------------------------------------


def _visible(text: str, keep: str = "") -> str:
    if not text.isprintable():
        text = "".join(c if c.isprintable() or c in keep else _escaped(c) for c in text)
    # The engine panics at a directive that it does not know, and at an end that comes
    # before a beginning.
    return text.replace("<{%", "<{ %").replace("%}>", "% }>")


def _one_line(text: str, limit: int | None) -> str:
    plain = "".join(c if c.isprintable() else " " for c in text)
    return _shortened(_visible(" ".join(plain.split())), limit)


def _escaped(character: str) -> str:
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _examined(text: object, limit: int | None) -> str:
    whole = text if isinstance(text, str) else str(text)
    # No 12 characters of a secret stay in a row wherever it is cut, so a few hundred
    # characters can be had of the beginning of a text of many MiB.
    return whole if limit is None else whole[:_EXAMINED]


def _shortened(text: str, limit: int | None) -> str:
    if limit is None or len(text) <= limit:
        return text
    return f"{text[: limit - 1].rstrip()}…"
