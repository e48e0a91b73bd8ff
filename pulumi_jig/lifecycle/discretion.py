"""
What people are told of a thing, without what the program gave in confidence.

The service's own words go into messages: an error that quotes a request, a container's
last lines, a reason that Kubernetes gives. Any of them may hold what the program gave
in confidence, so every way out of an operation goes through here.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pulumi_jig.errors import APIError, JigError, RolloutError
from pulumi_jig.lifecycle.invocation import Invocation, PartialFailureError
from pulumi_jig.lifecycle.keys import redact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pulumi_jig.lifecycle.invocation import Severity
    from pulumi_jig.lifecycle.kind import Kind


@contextmanager
def discreet(
    kind: Kind[Any], inv: Invocation, *data: Mapping[str, Any]
) -> Iterator[Invocation]:
    """
    The same call, telling no secret of the given inputs or states.

    Args:
        kind: What the data describe.
        inv: The call.
        data: What holds the secrets.

    Raises:
        JigError: What the block raises, in words without secrets.
    """
    secrets = confidential(kind, *data)

    def log(severity: Severity, message: str) -> None:
        inv.log(severity, redact(message, secrets))

    def progress(line: str) -> None:
        inv.progress(redact(line, secrets))

    try:
        yield replace(inv, log=log, progress=progress)
    except JigError as error:
        error.message = redact(error.message, secrets)
        error.args = (error.message,)
        if isinstance(error, APIError):
            error.detail = redact(error.detail, secrets)
        if isinstance(error, PartialFailureError | RolloutError):
            error.reasons = tuple(redact(reason, secrets) for reason in error.reasons)
        raise


def confidential(kind: Kind[Any], *data: Mapping[str, Any]) -> list[str]:
    """What must not be shown of any of the data."""
    found = {text for each in data for text in kind.secret_texts(each)}
    # The longest first: a part of a secret must not hide the whole of it.
    return sorted(found, key=len, reverse=True)
