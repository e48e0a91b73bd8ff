"""Text of clients before a person sees it, in the log or on the page."""

from __future__ import annotations

from typing import Any


def visible(text: str) -> str:
    """
    Return *text* with escapes for what commands a terminal or cannot be seen.

    Control characters, marks of direction, invisible characters, halves of surrogate
    pairs; a client may put any of them into a name, a path or a method.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )


def visible_data(value: Any) -> Any:
    """Return plain data with every text in it, and every key, made visible."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {visible(key): visible_data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [visible_data(item) for item in value]
    return value
