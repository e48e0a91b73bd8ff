"""
What one plugin process remembers between calls: one run of the engine, no longer.

Locks per deployment name, because one deployment must not be worked on twice at a time
whatever the engine does; names that this run deleted, because the service may take a
moment to release them; names that this run's resources claim.
"""

from __future__ import annotations

import threading

_guard = threading.Lock()
_locks: dict[str, threading.RLock] = {}
_claims: dict[str, str] = {}
_deleted: dict[str, str | None] = {}


def name_lock(name: str) -> threading.RLock:
    """One operation at a time per deployment name."""
    with _guard:
        return _locks.setdefault(name, threading.RLock())


def claim(name: str, urn: str) -> str:
    """Claim a name for a resource; returns the URN of whoever has it."""
    with _guard:
        return _claims.setdefault(name, urn)


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


def forget() -> None:
    """Start afresh, as a new process would; for tests."""
    with _guard:
        _locks.clear()
        _claims.clear()
        _deleted.clear()
