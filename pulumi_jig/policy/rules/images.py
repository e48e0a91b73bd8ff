"""
Where images come from, and whether they can change under a running deployment.

A tag can be pushed again; a digest cannot. This module refuses what it cannot read as a
reference: an address, user information, blanks. A message repeats a reference only after
it was read, since a reference that is not one may hold a password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pulumi_jig.policy.facts import Resource, shown
from pulumi_jig.policy.findings import Finding, advice, not_known, violation
from pulumi_jig.policy.settings import Settings, key
from pulumi_jig.policy.unknown import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_PART: Final = re.compile(r"[A-Za-z0-9._-]+")
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")


@dataclass(frozen=True, eq=False, repr=False)
class Reference:
    """A container image reference, read as a container runtime reads it."""

    host: str
    repository: str
    tag: str | None
    digest: str | None

    @classmethod
    def parse(cls, text: str) -> Reference | None:
        """Read a reference; None where it is not one."""
        rest, at, digest = text.partition("@")
        if at and _DIGEST.fullmatch(digest) is None:
            return None
        first, slash, path = rest.partition("/")
        # Without a dot, a port or the name localhost, the first part is not a host.
        if slash and ("." in first or ":" in first or first == "localhost"):
            host = first.lower()
        else:
            host, path = "docker.io", rest
        name, colon, tag = path.partition(":")
        if colon and _TAG.fullmatch(tag) is None:
            return None
        parts = name.split("/")
        if _HOST.fullmatch(host) is None or not all(map(_PART.fullmatch, parts)):
            return None
        return cls(host, name, tag if colon else None, digest or None)

    @property
    def pinned_tag(self) -> bool:
        """Whether it names a version: a digest, or a tag other than `latest`."""
        return self.digest is not None or self.tag not in {None, "latest"}

    def is_in(self, prefix: str) -> bool:
        """Whether it lies in a repository, counted in whole parts of the path."""
        place = f"{self.host}/{self.repository}"
        prefix = prefix.rstrip("/")
        return place == prefix or place.startswith(f"{prefix}/")


class ImageSettings(Settings):
    """Limits of `jig-image`."""

    registries: tuple[str, ...] = key(
        "words",
        ("registry.together.ai", "registry.together.xyz"),
        "Registry hosts (with their port, if any) that images may come from.",
    )
    repositories: tuple[str, ...] = key(
        "words",
        (),
        "Where not empty: `host/path` prefixes, one of which an image must lie in.",
    )
    require: str = key(
        "choice",
        "digest",
        "What a reference must have; `tag` means any tag but `latest`, or a digest.",
        choices=("digest", "tag", "none"),
    )
    prefer: str = key(
        "choice",
        "digest",
        "What a reference should have; what lacks it is advised against.",
        choices=("digest", "tag", "none"),
    )


def image(resource: Resource, settings: ImageSettings) -> Iterator[Finding]:
    """The image comes from an allowed place and names what it is."""
    subject = f"The deployment {shown(resource.name)}"
    value = resource.get("image")
    if value is UNKNOWN:
        yield not_known(subject, ["image"], "the registry and the digest")
        return
    if value is None or value == "":
        yield violation(f"{subject} must name its image; image is not set. Set it.")
        return
    reference = Reference.parse(value) if isinstance(value, str) else None
    if reference is None:
        yield violation(
            f"{subject} must give image as a reference, host/path:tag@sha256:digest; it "
            "is not one. Remove what does not belong there (a scheme, blanks, user "
            "information), or repair the digest."
        )
        return
    if reference.host not in {host.lower() for host in settings.registries}:
        allowed = ", ".join(settings.registries) or "none"
        yield violation(
            f"{subject} must take its image from an allowed registry; image is from "
            f"{shown(reference.host)}. Push it to one of: {allowed}; or have "
            "jig-image.registries extended."
        )
    elif settings.repositories and not any(map(reference.is_in, settings.repositories)):
        yield violation(
            f"{subject} must take its image from one of "
            f"{', '.join(settings.repositories)}; image is in "
            f"{shown(f'{reference.host}/{reference.repository}')}. Push it there, or "
            "have jig-image.repositories extended."
        )
    elif not _has(reference, settings.require):
        yield violation(_lacks(subject, reference, settings.require, "must"))
    elif not _has(reference, settings.prefer):
        yield advice(_lacks(subject, reference, settings.prefer, "should"))


def _has(reference: Reference, wanted: str) -> bool:
    if wanted == "digest":
        return reference.digest is not None
    return wanted == "none" or reference.pinned_tag


def _lacks(subject: str, reference: Reference, wanted: str, verb: str) -> str:
    tag = reference.tag or "latest, since no tag is given"
    if wanted == "digest":
        return (
            f"{subject} {verb} name its image by digest; image has the tag {tag}, which "
            "can be pushed again with other content. Append @sha256:... as the "
            "registry reports it."
        )
    return (
        f"{subject} {verb} name a version of its image; image has the tag {tag}, which "
        "moves. Use a tag of its own, or a digest."
    )
