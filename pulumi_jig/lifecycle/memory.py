"""
What one plugin process remembers between calls: one run of the engine, no longer.

Locks per deployment name, because one deployment must not be worked on twice at a time
whatever the engine does; names that this run deleted, because the service may take a
moment to release them; names that this run's resources claim, and those that the state
gives them; and which resource of this run holds which deployment, because a mark may be
turned off while the engine still deletes, a moment later, what another resource has
just taken over, or has held since an earlier run. All of this can only forbid: what may
be written to or deleted is proved by the state and the service. Also, for a minute, that an id in an answer is the name that the program
wrote, because a roll-out looks many times.
"""

from __future__ import annotations

import threading

_guard = threading.Lock()
_locks: dict[str, threading.RLock] = {}
_claims: dict[str, str] = {}
_stated: set[tuple[str, str]] = set()
_deleted: dict[str, str | None] = {}
_holders: dict[str, str] = {}
_entries: dict[str, str] = {}
_same: dict[tuple[str, str, str], float] = {}


def name_lock(name: str) -> threading.RLock:
    """One operation at a time per deployment name."""
    with _guard:
        return _locks.setdefault(name, threading.RLock())


def claim(name: str, urn: str) -> str:
    """Claim a name for a resource; returns the URN of whoever has it."""
    with _guard:
        return _claims.setdefault(name, urn)


def remember_stated(name: str, urn: str) -> None:
    """Remember that the state has this resource with a deployment of this name."""
    with _guard:
        _stated.add((name, urn))


def is_stated(name: str, urn: str | None) -> bool:
    """Whether the state has this resource with a deployment of this name already."""
    with _guard:
        return (name, urn) in _stated


def remember_held(deployment_id: str | None, nonce: object) -> None:
    """Remember which resource, by its nonce, this run made or took a deployment for."""
    if deployment_id is not None and isinstance(nonce, str):
        with _guard:
            _holders[deployment_id] = nonce


def remember_stated_id(deployment_id: object, nonce: object) -> None:
    """Remember that the state gives a deployment to a resource that the program has."""
    if isinstance(deployment_id, str) and isinstance(nonce, str):
        with _guard:
            _entries.setdefault(deployment_id, nonce)


def holder_of(deployment_id: str | None) -> str | None:
    """The nonce of the resource that this run made or took a deployment for, or has."""
    if deployment_id is None:
        return None
    with _guard:
        return _holders.get(deployment_id) or _entries.get(deployment_id)


def holds_any(nonce: object) -> bool:
    """Whether this run made or took a deployment for the resource with this nonce."""
    with _guard:
        return nonce in _holders.values()


def remember_deleted(name: str, deployment_id: str | None) -> None:
    """Remember that this run deleted a deployment of this name."""
    with _guard:
        _deleted[name] = deployment_id


def was_deleted(name: str, deployment_id: str | None = None) -> bool:
    """
    Whether this run deleted a deployment of this name.

    Args:
        name: The name.
        deployment_id: Only that one, where an id is given and known.
    """
    with _guard:
        if name not in _deleted:
            return False
        known = _deleted[name]
    return deployment_id is None or known is None or known == deployment_id


def remember_same_thing(words: tuple[str, str, str], until: float) -> None:
    """Remember that two words mean one thing: what it is, the one word, the other."""
    with _guard:
        _same[words] = until


def is_same_thing(words: tuple[str, str, str], now: float) -> bool:
    """Whether two words were seen to mean one thing a moment ago."""
    with _guard:
        return _same.get(words, now) > now


def forget() -> None:
    """Start afresh, as a new process would; for tests."""
    with _guard:
        _locks.clear()
        _claims.clear()
        _stated.clear()
        _deleted.clear()
        _holders.clear()
        _entries.clear()
        _same.clear()
