"""
Faults as data: which request goes wrong, when, how often, and in what way.

A fault is put in force through the admin interface and taken by the server for each
request of the API. It can strike before the service has acted or after, which is the
difference that matters to a client that must not create a thing twice.
"""

from __future__ import annotations

import json
import math
import re
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

Record = dict[str, Any]

_VERSION = re.compile(r"^/v[13](?=/|$)")
_PLACE = re.compile(r"\*\*|\*|\{[a-z_]*\}")
# A server that sleeps longer than this is a fault nobody asked for.
LONGEST_DELAY = 600.0


def plain_path(target: str) -> str:
    """Return a request's path decoded, without version prefix and query."""
    path = unquote(target.partition("?")[0])
    return _VERSION.sub("", path).rstrip("/") or "/"


def _pattern(path: str) -> re.Pattern[str]:
    """
    Compile a path pattern.

    ``*`` or ``{id}`` stands for one segment, ``**`` for anything at all.
    """
    out, end = "", 0
    for place in _PLACE.finditer(path):
        out += re.escape(path[end : place.start()])
        out += ".*" if place.group() == "**" else "[^/]+"
        end = place.end()
    return re.compile(out + re.escape(path[end:]), re.DOTALL)


@dataclass(slots=True)
class Fault:
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
        status: the status to answer instead of the service's answer.
        headers: further headers of that answer.
        body: its body: text as it is, anything else as JSON.
        drop: ``reset`` or ``close`` the connection instead of answering.

    """

    id: int
    method: str = "*"
    path: str = "**"
    account: str | None = None
    nth: int = 1
    times: int | None = 1
    acted: bool = False
    delay: float = 0.0
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    drop: str | None = None
    seen: int = 0
    struck: int = 0

    def matches(self, method: str, path: str, account: str | None) -> bool:
        """Whether a request is one of those that the fault is for."""
        return (
            self.method in {"*", method}
            and self.account in {None, account}
            and _pattern(self.path).fullmatch(path) is not None
        )

    def strikes(self) -> bool:
        """Count a matching request and tell whether it is struck."""
        self.seen += 1
        if self.seen < self.nth:
            return False
        if self.times is not None and self.struck >= self.times:
            return False
        self.struck += 1
        return True

    def payload(self) -> tuple[bytes, str]:
        """Return the body to answer, and its content type."""
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

    def as_record(self) -> Record:
        """Return the fault as the admin interface shows it."""
        return {name: getattr(self, name) for name in self.__slots__}


class FaultError(ValueError):
    """A fault that makes no sense; the message is one sentence."""


_KINDS: dict[str, tuple[type, ...]] = {
    "method": (str,),
    "path": (str,),
    "account": (str, type(None)),
    "nth": (int,),
    "times": (int, type(None)),
    "acted": (bool,),
    "delay": (int, float),
    "status": (int, type(None)),
    "headers": (dict,),
    "drop": (str, type(None)),
}


def _checked(given: Record) -> Record:
    for name, value in given.items():
        if name == "body":
            continue
        if name not in _KINDS:
            message = f"a fault has no field {name}"
            raise FaultError(message)
        wrong_bool = isinstance(value, bool) and bool not in _KINDS[name]
        if wrong_bool or not isinstance(value, _KINDS[name]):
            message = f"{name}: wrong type"
            raise FaultError(message)
    if given.get("drop") not in {None, "reset", "close"}:
        raise FaultError("drop: must be reset or close")
    if not 100 <= (given.get("status") or 500) <= 599:
        raise FaultError("status: must be from 100 to 599")
    times = given.get("times", 1)
    if given.get("nth", 1) < 1 or (times is not None and times < 1):
        raise FaultError("nth and times: must be 1 or more")
    delay = given.get("delay", 0)
    if not (math.isfinite(delay) and 0 <= delay <= LONGEST_DELAY):
        message = f"delay: must be from 0 to {LONGEST_DELAY:.0f} seconds"
        raise FaultError(message)
    if not (given.get("drop") or given.get("status") or delay):
        raise FaultError("a fault needs a status, a delay or a drop")
    for name, value in given.get("headers", {}).items():
        if not isinstance(value, str) or not value.isprintable():
            message = f"headers: {name} must be printable text"
            raise FaultError(message)
    return {**given, "method": given.get("method", "*").upper()}


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
            FaultError: a field is unknown or out of range.

        """
        checked = _checked(given)
        with self._lock:
            self._made += 1
            fault = Fault(id=self._made, **checked)
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
            return [fault.as_record() for fault in self._all]

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
