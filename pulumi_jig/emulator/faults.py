"""
Faults as data: which request goes wrong, when, how often, and in what way.

A fault is put in force through the admin interface and taken by the server for each
request of the API. It can strike before the service has acted or after, which is the
difference that matters to a client that must not create a resource twice.
"""

from __future__ import annotations

import json
import re
import threading
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from pulumi_jig.emulator.schemas import read

Record = dict[str, Any]

_VERSION = re.compile(r"^/v[13](?=/|$)")
_PLACE = re.compile(r"\*\*|\*|\{[a-z_]*\}")


def plain_path(target: str) -> str:
    """Return a request's path decoded, without version prefix and query."""
    path = unquote(target.partition("?")[0])
    return _VERSION.sub("", path).rstrip("/") or "/"


def _pattern(path: str) -> re.Pattern[str]:
    """
    Compile a path pattern.

    ``*`` or ``{id}`` matches one segment, ``**`` for anything at all.
    """
    out, end = "", 0
    for place in _PLACE.finditer(path):
        out += re.escape(path[end : place.start()])
        out += ".*" if place.group() == "**" else "[^/]+"
        end = place.end()
    return re.compile(out + re.escape(path[end:]), re.DOTALL)


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be printable text")
    return text


class Fault(BaseModel):
    """
    One fault in force.

    Attributes:
        method: the HTTP method that it strikes, or ``*``.
        path: the path that it strikes, without ``/v1``, with placeholders.
        account: the account whose requests it strikes, or None for all.
        nth: the first matching request that is struck, counted from 1.
        times: how many are struck, or None for all from then on.
        acted: whether the service acts on the request first.
        delay: real seconds to wait, before acting or (``acted``) before answering.
        status: the status of the response, instead of the service's.
        headers: further headers of that response.
        body: its body: text as it is, anything else as JSON.
        drop: ``reset`` or ``close`` the connection instead of answering.
        seen: how many requests have matched.
        struck: how many of them were struck.
    """

    model_config = ConfigDict(strict=True, extra="forbid")

    id: int = 0
    method: Annotated[str, AfterValidator(str.upper)] = "*"
    path: str = "**"
    account: str | None = None
    nth: Annotated[int, Field(ge=1)] = 1
    times: Annotated[int, Field(ge=1)] | None = 1
    acted: bool = False
    # A server that sleeps longer than this is a fault nobody asked for.
    delay: Annotated[float, Field(ge=0, le=600)] = 0.0
    status: Annotated[int, Field(ge=100, le=599)] | None = None
    headers: dict[str, Annotated[str, AfterValidator(_printable)]] = {}
    body: Any = None
    drop: Literal["reset", "close"] | None = None
    seen: Annotated[int, Field(ge=0, le=0)] = 0
    struck: Annotated[int, Field(ge=0, le=0)] = 0

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not (self.drop or self.status or self.delay):
            raise ValueError("a fault needs a status, a delay or a drop")
        return self

    def matches(self, method: str, path: str, account: str | None) -> bool:
        """Whether a request is one of those that the fault is for."""
        return (
            self.method in {"*", method}
            and self.account in {None, account}
            and _pattern(self.path).fullmatch(path) is not None
        )

    def strikes(self) -> bool:
        """Count a matching request and return whether it is struck."""
        self.seen += 1
        if self.seen < self.nth:
            return False
        if self.times is not None and self.struck >= self.times:
            return False
        self.struck += 1
        return True

    def payload(self) -> tuple[bytes, str]:
        """Return the body of the response, and its content type."""
        if isinstance(self.body, str):
            kind = "text/html" if self.body.lstrip().startswith("<") else "text/plain"
            return self.body.encode(), kind
        value = self.body
        if value is None:
            value = {
                "error": {
                    "message": "injected fault",
                    "type": "injected",
                    "param": None,
                    "code": None,
                }
            }
        return json.dumps(value).encode(), "application/json"


class Faults:
    """The faults in force, in the order in which they were put there."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: list[Fault] = []
        self._made = 0

    def add(self, given: Record) -> Fault:
        """
        Put a fault in force.

        Raises:
            ApiError: 400, a field is unknown or out of range.
        """
        fault = read(Fault, given)
        with self._lock:
            self._made += 1
            fault.id = self._made
            self._all.append(fault)
            return fault

    def clear(self, fault_id: int | None = None) -> int:
        """Take one fault out of force, or all; return how many went."""
        with self._lock:
            kept = [f for f in self._all if fault_id not in {None, f.id}]
            gone = len(self._all) - len(kept)
            self._all = kept
            return gone

    def records(self) -> list[Record]:
        """Return the faults in force, with how often each has struck."""
        with self._lock:
            return [fault.model_dump() for fault in self._all]

    def strike(self, method: str, target: str, account: str | None) -> Fault | None:
        """Return the fault that strikes this request, or None."""
        if not self._all:
            return None
        path = plain_path(target)
        with self._lock:
            # All that match count the request; the first that strikes has it.
            struck = [
                f for f in self._all if f.matches(method, path, account) and f.strikes()
            ]
            for spared in struck[1:]:
                spared.struck -= 1
                spared.seen -= 1
            return struck[0] if struck else None
