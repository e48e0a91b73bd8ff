"""
Names that outlive a run: deployment names, the ownership mark, type tokens, URLs.

Everything here is a format that is stored somewhere: in the service (names, marks), in
Pulumi state (type tokens, ids) or in somebody's client (URLs). A change is a migration.

Standard library only: the user's program and the policy pack load this module.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from pulumi_jig.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterable

# --- Type tokens ---------------------------------------------------------------

#: Module and names in the type tokens. They stand in every user's state.
MODULE: Final = "jig"
DEPLOYMENT_TYPE: Final = "pulumi-python:dynamic/jig:Deployment"
SECRET_TYPE: Final = "pulumi-python:dynamic/jig:Secret"  # noqa: S105 - a type token
VOLUME_TYPE: Final = "pulumi-python:dynamic/jig:Volume"

# --- Deployment names ----------------------------------------------------------

NAME_MIN: Final = 4
NAME_MAX: Final = 63
#: The rule for new names: the vendor's create document since 2026-09. (An older
#: document, and the update document still, allow 1-100 of `[A-Za-z0-9_-]`; such names
#: are accepted where they already exist, never for new deployments.)
NAME_PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9-]{3,62}")
LEGACY_NAME_PATTERN: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
NAME_RULE: Final = (
    "4 to 63 lowercase letters, digits and hyphens, beginning with a letter or digit"
)
#: Paths of the API that lie beside `/deployments/{name}`: a deployment of such a name
#: could not be reached by its name. (Names shorter than 4 are refused anyway.)
RESERVED_NAMES: Final = frozenset({"secrets", "storage", "prewarm"})

_SUFFIX_LENGTH: Final = 7
# Base 32 without letters that are mistaken for digits.
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"


def name_fault(name: str, *, exists: bool = False) -> str | None:
    """
    Say what is wrong with a name for a new deployment, or None.

    Source of the rule: the vendor's create document since 2026-09 (length, alphabet);
    the reserved words follow from the API's paths.

    Args:
        name: The name.
        exists: Whether it may stand already: then a name from before the rule was
            tightened is fine.
    """
    legacy = exists and LEGACY_NAME_PATTERN.fullmatch(name) is not None
    if NAME_PATTERN.fullmatch(name) is None and not legacy:
        return (
            f"must be {NAME_RULE}; the service cannot change it later. "
            "Leave it out to have one made from the resource's name"
        )
    if name in RESERVED_NAMES:
        return (
            f'"{name}" is a path of the API itself, so such a deployment could not be '
            "reached by its name; choose another"
        )
    return None


def _digest(*parts: str) -> str:
    # NUL cannot stand in any of the parts, so two lists never read alike.
    raw = hashlib.sha256("\0".join(parts).encode()).digest()
    number = int.from_bytes(raw[:8], "big")
    letters = []
    for _ in range(_SUFFIX_LENGTH):
        number, rest = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[rest])
    return "".join(letters)


def auto_name(
    logical_name: str,
    *,
    organization: str,
    project: str,
    stack: str,
    urn: str,
    namespace: str = "",
    fallback: str = "deployment",
) -> str:
    """
    The name of a resource that declares none.

    Deterministic, so that preview and update show one URL (the engine's random seed
    differs between the two), and hashed from where the resource stands, since names are
    unique across all customers of the service.

    Args:
        logical_name: The resource's name in the program.
        organization: Pulumi organization.
        project: Pulumi project.
        stack: Pulumi stack.
        urn: The part of the URN that tells apart resources of one stack.
        namespace: The stack's `jig:namespace`: changes every name, for whoever meets a
            name that somebody else already has.
        fallback: What to call one whose name in the program has no legal character.

    Returns:
        A name of at most 63 characters: the logical name, made legal, and a suffix.
    """
    base = re.sub(r"[^a-z0-9]+", "-", logical_name.lower()).strip("-")
    base = base[: NAME_MAX - _SUFFIX_LENGTH - 1].strip("-") or fallback
    suffix = _digest(namespace, organization, project, stack, urn)
    return f"{base}-{suffix}"


# --- The ownership mark --------------------------------------------------------


#: Characters of an owner that a message shows.
OWNER_MAX: Final = 200


@dataclass(frozen=True)
class Mark:
    """
    Whose a deployment is, as written at the end of its description.

    People see it in the vendor's console: `[pulumi-jig shop/prod/llm 4f1c...]`.

    Attributes:
        project: Pulumi project.
        stack: Pulumi stack.
        resource: The resource's name in the program.
        nonce: Drawn when the resource is first checked and kept in its state. Two
            deployments with one URN but two nonces are two different deployments.
    """

    project: str
    stack: str
    resource: str
    nonce: str

    @property
    def owner(self) -> str:
        """`project/stack/resource`, for a message: anybody can write a mark."""
        return safe_text(f"{self.project}/{self.stack}/{self.resource}", OWNER_MAX)

    def __str__(self) -> str:
        """The mark as it is written."""
        parts = (quote(p, safe="") for p in (self.project, self.stack, self.resource))
        return f"[pulumi-jig {'/'.join(parts)} {self.nonce}]"


_MARK: Final = re.compile(
    # One space is ours; more of it is the user's.
    r" ?\[pulumi-jig (?P<project>[^\s/\]]+)/(?P<stack>[^\s/\]]+)/"
    r"(?P<resource>[^\s/\]]+) (?P<nonce>[0-9a-z]{6,64})\]\s*\Z"
)
NONCE_PATTERN: Final = re.compile(r"[0-9a-z]{6,64}")


def new_nonce() -> str:
    """A fresh nonce: 12 hexadecimal digits."""
    # Not `secrets`, which may be a file of the program's.
    return os.urandom(6).hex()


def join_description(text: str, mark: Mark | None) -> str:
    """The description as the service stores it: the user's text, then the mark."""
    if mark is None:
        return text
    return f"{text} {mark}" if text else str(mark)


def split_description(description: str | None) -> tuple[str, Mark | None]:
    """The user's text and the mark, from a description as the service stores it."""
    if not description:
        return "", None
    found = _MARK.search(description)
    if found is None:
        return description, None
    mark = Mark(
        project=unquote(found["project"]),
        stack=unquote(found["stack"]),
        resource=unquote(found["resource"]),
        nonce=found["nonce"],
    )
    return description[: found.start()], mark


# --- Addresses -----------------------------------------------------------------

DEFAULT_BASE_URL: Final = "https://api.together.ai"


def endpoint_url(name: str, base_url: str = DEFAULT_BASE_URL) -> str:
    """
    Where a deployment answers; any path under it goes to the container.

    Derived from the name alone, so it is known in a preview. Source: the vendor's
    guide to serving an OpenAI-compatible API (`/v1/deployment-request/<name>/...`).
    """
    base = base_url.rstrip("/").removesuffix("/v1").rstrip("/")
    return f"{base}/v1/deployment-request/{quote(name, safe='')}"


# --- Suggestions -----------------------------------------------------------------

_LONGEST_WORD: Final = 60


def near(word: str, words: Iterable[str]) -> str:
    """
    A question that offers the likeliest word meant, or nothing.

    Args:
        word: What somebody wrote; nothing that may be a secret.
        words: The words that there are.
    """
    # Most programs spell everything right.
    import difflib

    known = {plain.lower().replace("_", ""): plain for plain in words}
    meant = word[:_LONGEST_WORD].strip().lower().replace("_", "")
    close = difflib.get_close_matches(meant, known, n=1, cutoff=0.75)
    if not close and len(meant) >= 3:
        # "h100" is further from "h100-80gb" by its length than by what is meant, and
        # other products call "targetValue" what is "target" here.
        close = [short for short in known if short.startswith(meant)] or [
            short
            for short in known
            if short and meant.startswith(short) and 3 * len(short) > len(meant)
        ]
    return f' Did you mean "{known[close[0]]}"?' if close else ""


def short(word: str) -> str:
    """A word as a message may show it."""
    return word if len(word) <= _LONGEST_WORD else f"{word[:_LONGEST_WORD]}..."


# --- Installing ------------------------------------------------------------------


def install_command(extra: str) -> str:
    """
    The command that installs an extra of this package where it is installed now.

    The one place that says how: from the clone or file that it came from, and by its
    name alone only where it came from a package index.
    """
    import json
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        told = distribution("pulumi-jig").read_text("direct_url.json")
        origin = json.loads(told) if told else {}
    except (PackageNotFoundError, ValueError):
        origin = {}
    url = str(origin.get("url", ""))
    if (origin.get("dir_info") or {}).get("editable"):
        from urllib.parse import unquote, urlsplit

        return f"pip install -e '{unquote(urlsplit(url).path)}[{extra}]'"
    vcs = origin.get("vcs_info") or {}
    if vcs:
        url = f"{vcs.get('vcs')}+{url}@{vcs.get('commit_id')}"
    return f"pip install 'pulumi-jig[{extra}]{f' @ {url}' if url else ''}'"
