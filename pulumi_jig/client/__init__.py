"""
The service's API as Python calls, with rules about repeating and about time.

`core` is the entry point, `retry` decides about another attempt, `decode` reads
responses, `resources` has a client per kind of resource, `transport` is what `core` sends
through and `http` the one that speaks HTTP. httpx is loaded when a client is made, not
when this package is imported.
"""

from __future__ import annotations

from pulumi_jig.client.core import JigClient
from pulumi_jig.client.retry import RetryBudget
from pulumi_jig.client.transport import Request, Response, Transport, TransportError

__all__ = [
    "JigClient",
    "Request",
    "Response",
    "RetryBudget",
    "Transport",
    "TransportError",
]
