"""
Ways around the other policies, closed.

A policy finds its resources by type token, and a plain subclass of a dynamic resource
loses the token; a field that only `extra` names is in no policy's facts; a provider with
another address makes deployments where nobody counts them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from pulumi_jig.naming import DEPLOYMENT_TYPE
from pulumi_jig.policy.facts import Resource, is_dynamic, shown
from pulumi_jig.policy.findings import Finding, not_known, violation
from pulumi_jig.policy.settings import Settings, key
from pulumi_jig.policy.unknown import UNKNOWN

# Every field that the resource has of its own; `extra` is for what it does not have.
_FIELDS: Final = frozenset(
    re.sub(r"[^a-z0-9]", "", name)
    for name in (
        "name", "image", "gpu_type", "gpu_count", "min_replicas", "max_replicas",
        "memory", "cpu", "storage", "port", "health_check_path", "autoscaling",
        "environment_variables", "args", "command", "description", "volumes",
        "model_mounts", "capacity_type", "termination_grace_period_seconds", "budget",
    )
)  # fmt: skip
_DEPTH: Final = 3
_PORTS: Final = {"https": 443, "http": 80}


class EscapeSettings(Settings):
    """Limits of `jig-no-escape`."""

    types: tuple[str, ...] = key(
        "words",
        (),
        "Other type tokens that may make deployments; all policies judge them too.",
    )
    base_urls: tuple[str, ...] = key(
        "words",
        ("https://api.together.ai", "https://api.together.xyz"),
        "Addresses that a provider may talk to.",
    )
    allow_loopback: bool = key(
        "bool", False, "Whether a provider may talk to this machine (an emulator)."
    )


def no_escape(resource: Resource, settings: EscapeSettings) -> Iterator[Finding]:
    """It is a governed type, hides no field in `extra`, and talks to a known address."""
    if not is_dynamic(resource.type):
        return
    subject = f"The resource {shown(resource.name)}"
    governed = resource.type in {DEPLOYMENT_TYPE, *settings.types}
    if not governed and _shaped(resource.inputs, _DEPTH):
        yield violation(
            f"{subject} must be a pulumi_jig Deployment to make GPU deployments; its "
            f"type is {shown(resource.type)}. Use pulumi_jig.Deployment (a subclass of "
            "it keeps the type), or have jig-no-escape.types extended."
        )
    if not (governed or resource.is_deployment):
        return
    yield from _extra(resource.get("extra"), subject)
    yield from _address(resource.base_url, settings, subject)


def _fold(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _shaped(value: Any, depth: int) -> bool:
    """Whether a GPU type and an image stand side by side, somewhere near the top."""
    if isinstance(value, Mapping):
        keys = {_fold(str(name)) for name in value}
        if {"gputype", "image"} <= keys:
            return True
        return depth > 0 and any(_shaped(v, depth - 1) for v in value.values())
    if isinstance(value, list):
        return depth > 0 and any(_shaped(item, depth - 1) for item in value)
    return False


def _extra(extra: Any, subject: str) -> Iterator[Finding]:
    if extra is None:
        return
    if extra is UNKNOWN:
        yield not_known(subject, ["extra"], "whether it hides governed fields")
    elif not isinstance(extra, Mapping):
        yield violation(
            f"{subject} must give extra as a mapping; it is not one. Write field: value "
            "pairs."
        )
    else:
        for name in extra:
            if _fold(name) in _FIELDS:
                yield violation(
                    f"{subject} must not set a field of its own through extra; extra "
                    f"has {shown(name.strip())}, which policies would not see. Set the "
                    "field itself."
                )


def _address(url: Any, settings: EscapeSettings, subject: str) -> Iterator[Finding]:
    if url is None or url == "":
        return
    if url is UNKNOWN:
        yield not_known(subject, ["jig:baseUrl"], "where its provider talks to")
        return
    place = _place(url)
    if place is not None:
        if place in {_place(allowed) for allowed in settings.base_urls}:
            return
        if settings.allow_loopback and _is_loopback(place[1]):
            return
    # Only scheme, host and port are shown: the rest of an address may hold a password.
    said = "not an address" if place is None else f"{place[0]}://{place[1]}:{place[2]}"
    yield violation(
        f"{subject} must be made through a known address; the base URL of its provider "
        f"is {said}. Use one of: {', '.join(settings.base_urls) or 'none'}; or have "
        "jig-no-escape.base_urls extended."
    )


def _place(url: Any) -> tuple[str, str, int, str] | None:
    """Scheme, host, port and path, or None for what is not an address."""
    if not isinstance(url, str):
        return None
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return None
    if (
        parts.scheme not in _PORTS
        or not parts.hostname
        or parts.query
        or parts.fragment
    ):
        return None
    if "@" in parts.netloc:
        return None
    path = parts.path.rstrip("/").removesuffix("/v1").rstrip("/")
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme], path


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
