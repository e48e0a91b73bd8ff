"""
What a limited lifetime means: what a preview says of it, and when a secret is gone.

The service deletes a secret when its time is over. It warns its owners a week before,
and so does every preview here; the clock is this machine's.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: How long before its end a secret is warned about: the service's own grace.
NOTICE: Final = timedelta(days=7)


def expires_at(state: Mapping[str, Any]) -> datetime | None:
    """When a secret ends; None for never, or where the service's word is no date."""
    text = state.get("expires_at")
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def is_expired(state: Mapping[str, Any], now: datetime | None = None) -> bool:
    """Whether the service has deleted it by now, going by what the state remembers."""
    end = expires_at(state)
    return end is not None and end <= (now or datetime.now(UTC))


def remarks(state: Mapping[str, Any], now: datetime | None = None) -> Iterator[str]:
    """What a preview says of a secret whose time runs out, as sentences."""
    end = expires_at(state)
    left = None if end is None else end - (now or datetime.now(UTC))
    if end is None or left is None or left > NOTICE:
        return
    name, when = state.get("name"), f"{end:%Y-%m-%d %H:%M} UTC"
    if left <= timedelta(0):
        yield (
            f"secret {name} has expired ({when}): the service deletes such a secret, "
            "and this update makes it again."
        )
        return
    yield (
        f"secret {name} expires in {_span(left)} ({when}); the service deletes it then, "
        "and replicas that start later fail. A new `value` or another `version` gives "
        "it a new lifetime."
    )


def _span(left: timedelta) -> str:
    if left >= timedelta(days=2):
        return f"{left.days} days"
    hours = int(left / timedelta(hours=1))
    return f"{hours} hours" if hours > 1 else "less than two hours"
