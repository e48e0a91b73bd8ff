"""
Where images come from, and whether they can change under a running deployment.

A tag can be pushed again; a digest cannot. What is not a reference by the grammar of OCI
distribution and of `docker pull` is refused. A message repeats a reference only after it
was read, since a reference that is none may hold a password.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pulumi_jig.policy.declaration import Facts, Policy
from pulumi_jig.policy.findings import Finding, advice, not_known, violation
from pulumi_jig.policy.resource import Resource, shown
from pulumi_jig.policy.settings import (
    HOST,
    PATH_COMPONENT,
    REGISTRY_HOST,
    REPOSITORY,
    TEXT,
    choice,
    many,
    setting,
)
from pulumi_jig.policy.unknown import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_LONGEST_NAME: Final = 255
_DOCKER_HUB: Final = "docker.io"

#: Tags that are pushed again and again, by name.
MOVING: Final = (
    "latest", "latest-*", "*-latest", "main", "master", "trunk", "head", "HEAD", "dev",
    "develop", "development", "devel", "edge", "nightly", "nightly-*", "*-nightly",
    "daily", "weekly", "snapshot", "canary", "unstable", "stable", "release", "current",
    "rolling", "next", "preview", "beta", "alpha", "rc", "lts", "test", "testing", "qa",
    "staging", "stage", "prod", "production", "live", "default",
)  # fmt: skip


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
            host, path = _DOCKER_HUB, rest
        name, colon, tag = path.partition(":")
        if colon and _TAG.fullmatch(tag) is None:
            return None
        if (
            REGISTRY_HOST.fullmatch(host) is None
            or len(f"{host}/{name}") > _LONGEST_NAME
        ):
            return None
        if not all(map(PATH_COMPONENT.fullmatch, name.split("/"))):
            return None
        if host in {_DOCKER_HUB, "index.docker.io"}:
            host, name = _DOCKER_HUB, name if "/" in name else f"library/{name}"
        return cls(host, name, tag if colon else None, digest or None)

    def is_in(self, prefix: str) -> bool:
        """Whether it is in a repository, counted in whole parts of the path."""
        place = f"{self.host}/{self.repository}"
        return place == prefix or place.startswith(f"{prefix}/")


class Image(
    Policy,
    name="jig-image",
    title="Image registry and digest",
    says="An image comes from an allowed registry and is named by what cannot change.",
    severity="critical",
    fix="Push the image to an allowed registry and name it by digest.",
):
    """Of a reference with a tag and a digest, the digest counts."""

    registries: tuple[str, ...] = setting(
        many(HOST),
        ("registry.together.ai", "registry.together.xyz"),
        "Registry hosts (with their port, if any) that images may come from; "
        "`docker.io` for references without a host.",
    )
    repositories: tuple[str, ...] = setting(
        many(REPOSITORY),
        (),
        "Where not empty: `host/path` prefixes, one of which an image must be in.",
    )
    require: str = setting(
        choice("digest", "tag", "none"),
        "digest",
        "What a reference must have; `tag` means one that does not move, or a digest.",
    )
    prefer: str = setting(
        choice("digest", "tag", "none"),
        "digest",
        "What a reference should have; what lacks it is advised against.",
    )
    moving_tags: tuple[str, ...] = setting(
        many(TEXT),
        MOVING,
        "Globs of tags that are pushed again and again, and so name no version.",
    )

    def judge(self, resource: Resource, facts: Facts) -> Iterator[Finding]:
        """The image comes from an allowed place and names what it is."""
        del facts
        subject, value = resource.subject, resource.get("image")
        if value is UNKNOWN:
            yield not_known(subject, ["image"], "the registry and the digest")
            return
        if value is None or value == "":
            yield violation(f"{subject} must name its image; image is not set. Set it.")
            return
        reference = Reference.parse(value) if isinstance(value, str) else None
        if reference is None:
            yield violation(
                f"{subject} must give image as a reference, host/path:tag@sha256:digest; "
                "it is not one. Remove what does not belong there (a scheme, blanks, "
                "upper case in the path, user information), or repair the digest."
            )
        elif reference.host not in self.registries:
            allowed = ", ".join(self.registries) or "none"
            yield violation(
                f"{subject} must take its image from an allowed registry; image is from "
                f"{shown(reference.host)}. Push it to one of: {allowed}; or have "
                "jig-image.registries extended."
            )
        elif self.repositories and not any(map(reference.is_in, self.repositories)):
            yield violation(
                f"{subject} must take its image from one of "
                f"{', '.join(self.repositories)}; image is in "
                f"{shown(f'{reference.host}/{reference.repository}')}. Push it there, or "
                "have jig-image.repositories extended."
            )
        elif not self._has(reference, self.require):
            yield violation(self._lacks(subject, reference, self.require))
        elif not self._has(reference, self.prefer):
            yield advice(self._lacks(subject, reference, self.prefer))

    def _has(self, reference: Reference, wanted: str) -> bool:
        if wanted == "none" or reference.digest is not None:
            return True
        return wanted == "tag" and not self._moves(reference.tag or "latest")

    def _moves(self, tag: str) -> bool:
        return tag == "latest" or any(
            fnmatch.fnmatchcase(tag, glob) for glob in self.moving_tags
        )

    def _lacks(self, subject: str, reference: Reference, wanted: str) -> str:
        tag = reference.tag or "latest, since no tag is given"
        if wanted == "digest":
            return (
                f"{subject} must name its image by digest; image has the tag {tag}, "
                "which can be pushed again with other content. Append @sha256:... as the "
                "registry reports it."
            )
        return (
            f"{subject} must name a version of its image; image has the tag {tag}, which "
            "moves. Use a tag of its own, or a digest."
        )
