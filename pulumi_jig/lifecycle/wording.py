"""
How faults and warnings are worded: suggestions, shortened words.

A value that may be a secret must not come here; only words of the API do.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: A property path and a sentence that says what is wrong and what to do.
Fault = tuple[str, str]

_LONGEST_WORD = 60


def near(word: str, words: Iterable[str]) -> str:
    """A question that offers the likeliest word meant, or nothing."""
    words = list(words)
    meant = word[:_LONGEST_WORD].strip().lower()
    close = difflib.get_close_matches(meant, words, n=1, cutoff=0.75)
    if not close and len(meant) >= 3:
        # "h100" is further from "h100-80gb" by its length than by what is meant.
        close = [known for known in words if known.lower().startswith(meant)][:1]
    return f' Did you mean "{close[0]}"?' if close else ""


def short(word: str) -> str:
    """A word as a message may show it."""
    return word if len(word) <= _LONGEST_WORD else f"{word[:_LONGEST_WORD]}..."
