"""How check failures and warnings are worded; what suggests a word is in `naming`."""

from __future__ import annotations

from pulumi_jig.naming import near, short

__all__ = ["Fault", "near", "short"]

#: A property path and a sentence that says what is wrong and what to do.
Fault = tuple[str, str]
