"""
The service's API as Python calls, with rules about repeating and about time.

The parts: `core` is the door, `retry` decides about another attempt, `decode` reads
answers, `redact` keeps secrets out of messages, `nouns` names what the API knows, `wire`
is the seam and `transport` the HTTP below it. httpx is loaded when a client is made, not
when this package is imported.
"""

from __future__ import annotations

from pulumi_jig.client.core import JigClient
from pulumi_jig.client.retry import RetryBudget
from pulumi_jig.client.wire import Wire, WireAnswer, WireError, WireRequest

__all__ = ["JigClient", "RetryBudget", "Wire", "WireAnswer", "WireError", "WireRequest"]
