"""
What an answer tells of a volume's versions.

The newest version stands at the top of an answer, the others in its history. A key that
is left out means what it means to the vendor's own tools: no number is version 0, no
status is `ready` (versions from before there were statuses).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pulumi_jig.schema.responses import VolumeResponseItem

READY: Final = "ready"
FAILED: Final = "failed"


@dataclass(frozen=True)
class Version:
    """
    One version of a volume.

    Attributes:
        number: Counted from 0.
        status: `ready`, `pending`, `syncing`, `failed`, or a newer word; None where
            the answer has none, which means ready.
        message: Why it failed, in the service's words.
        content: Where its files come from, as the service tells it.
        mounted_by: Ids of the deployments that mount it.
    """

    number: int
    status: str | None = None
    message: str = ""
    content: dict[str, Any] | None = None
    mounted_by: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether it can be mounted."""
        return self.status in (None, "", READY)

    @property
    def failed(self) -> bool:
        """Whether it never will be ready."""
        return self.status == FAILED


def versions_of(item: VolumeResponseItem) -> list[Version]:
    """All versions that an answer tells of, oldest first; at least one."""
    found: dict[int, Version] = {}
    for key, old in (item.version_history or {}).items():
        number = old.version if isinstance(old.version, int) else _number(key)
        if number is not None:
            found[number] = Version(
                number,
                old.status,
                old.status_message or "",
                old.content,
                _ids(old.mounted_by),
            )
    newest = item.current_version or 0
    found[newest] = Version(
        newest,
        item.status,
        item.status_message or "",
        item.content,
        _ids(item.mounted_by),
    )
    return [found[number] for number in sorted(found)]


def newest_of(item: VolumeResponseItem) -> Version:
    """The newest version."""
    return versions_of(item)[-1]


def newest_ready(item: VolumeResponseItem) -> int | None:
    """The newest version that can be mounted, if any."""
    ready = [version.number for version in versions_of(item) if version.ready]
    return ready[-1] if ready else None


def version_in(item: VolumeResponseItem, number: int) -> Version | None:
    """One version, or None where the answer does not know it."""
    return next((v for v in versions_of(item) if v.number == number), None)


def users_of(item: VolumeResponseItem) -> tuple[str, ...]:
    """Ids of the deployments that mount any version."""
    ids = (user for version in versions_of(item) for user in version.mounted_by)
    return tuple(dict.fromkeys(ids))


def copied(item: VolumeResponseItem) -> str:
    """How much of the newest version is there, in words; empty where nothing is told."""
    files = (item.content or {}).get("files")
    if not isinstance(files, list) or not files:
        return ""
    sizes = [f.get("size") for f in files if isinstance(f, dict)]
    total = sum(size for size in sizes if isinstance(size, int | float))
    return f"{len(files)} files, {total / 1e9:.1f} GB"


def _number(key: str) -> int | None:
    return int(key) if key.isascii() and key.isdigit() and len(key) < 18 else None


def _ids(users: list[Any] | None) -> tuple[str, ...]:
    return tuple(str(user) for user in users or () if user)
