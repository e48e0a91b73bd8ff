"""
Keeps what was sent in confidence out of what is said about it.

A service may quote a request in its refusal. Whatever it quotes, the key, the values of
environment variables and of secrets never reach a message: not whole, not cut short,
not in the escaped forms in which a body is quoted.
"""

from __future__ import annotations

import base64
import html
import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

REDACTED: Final = "[redacted]"
#: A quotation may be cut short. From so many characters on, the beginning of a value
#: is taken for the value.
_PREFIX: Final = 8
#: Shorter values ("1", "INFO") are words of ordinary sentences; they are removed only
#: where they are quoted as a value.
_WORD: Final = 4


def confidential(body: Mapping[str, Any] | None, key: str = "") -> frozenset[str]:
    """
    What must not be repeated of a request: the key, and the values in its body.

    Args:
        body: The body of a request for a deployment or a secret.
        key: The API key.
    """
    found = {key}
    if body is not None:
        found.add(str(body.get("value", "")))
        variables = body.get("environment_variables")
        for entry in variables if isinstance(variables, list) else ():
            if isinstance(entry, dict):
                found.add(str(entry.get("value") or ""))
    # A value of several lines may be quoted line by line.
    found |= {line.strip() for value in found for line in value.splitlines()}
    return frozenset(value for value in found if value)


def redact(text: str, values: Iterable[str]) -> str:
    """`text` without any of `values`, however they are written in it."""
    for value in sorted(values, key=len, reverse=True):
        for form in forms(value):
            text = _without(text, form)
    return text


def forms(value: str) -> list[str]:
    """How a value looks where a body is quoted; the value itself first."""
    raw = value.encode("utf-8", "surrogatepass")
    forms = [
        value,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        html.escape(value),
        quote(raw, safe=""),
        quote(raw),
        base64.b64encode(raw).decode().rstrip("="),
    ]
    return list(dict.fromkeys(forms))


def _without(text: str, value: str) -> str:
    if len(value) < _WORD:
        for left, right in (('"', '"'), ("'", "'"), ("`", "`"), ("=", "")):
            text = text.replace(f"{left}{value}{right}", f"{left}{REDACTED}{right}")
        return text
    # The whole value first: a repetitive one could otherwise be met half-way.
    text = text.replace(value, REDACTED)
    if len(value) < _PREFIX:
        return text
    parts = []
    start = 0
    while (at := text.find(value[:_PREFIX], start)) >= 0:
        end = at + _PREFIX
        while (
            end < len(text) and end - at < len(value) and text[end] == value[end - at]
        ):
            end += 1
        parts += [text[start:at], REDACTED]
        start = end
    return "".join([*parts, text[start:]])
