"""
Ways around the other policies, closed.

A policy finds its resources by type token, and a plain subclass of a dynamic resource
loses the token; a dynamic class of somebody's own can send to the service what it likes;
a field that only `extra` names is judged by nobody; a provider with another address makes
deployments where nobody counts them.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from pulumi_jig.naming import DEPLOYMENT_TYPE, SECRET_TYPE, VOLUME_TYPE
from pulumi_jig.policy.declaration import Facts, Policy
from pulumi_jig.policy.findings import Finding, not_known, violation
from pulumi_jig.policy.resource import Resource, is_dynamic, shown
from pulumi_jig.policy.settings import ADDRESS, FLAG, GLOB, TEXT, choice, many, setting
from pulumi_jig.policy.unknown import MAX_DEPTH, UNKNOWN
from pulumi_jig.schema.deployment import FIELDS

_OURS: Final = frozenset({DEPLOYMENT_TYPE, SECRET_TYPE, VOLUME_TYPE})
# Every field that the resource has of its own; `extra` is for what it does not have.
_FIELDS: Final = frozenset(re.sub(r"[^a-z0-9]", "", name) for name in FIELDS)
_PORTS: Final = {"https": 443, "http": 80}


class NoBypass(
    Policy,
    name="jig-no-bypass",
    title="No way around",
    says="Nothing makes a deployment that the other policies would not see.",
    judges="any",
    fix="Use pulumi_jig.Deployment, its own fields, and a known address.",
):
    """Types are refused by default: what a dynamic class does, no policy can see."""

    types: tuple[str, ...] = setting(
        many(TEXT),
        (),
        "Other type tokens that make deployments, with `gpu_type` and `image` among "
        "their own properties; all policies judge them too.",
    )
    restrict_types: str = setting(
        choice("none", "dynamic", "all"),
        "dynamic",
        "Which resources must be of this package, of Pulumi itself, or on a list: those "
        "of Python dynamic providers, or all.",
    )
    allow_types: tuple[str, ...] = setting(
        many(GLOB), (), "Globs of type tokens that are allowed and make no deployments."
    )
    extra_keys: tuple[str, ...] | None = setting(
        many(TEXT), (), "Keys that `extra` may have.", null="any key but a known field"
    )
    base_urls: tuple[str, ...] = setting(
        many(ADDRESS),
        ("https://api.together.ai", "https://api.together.xyz"),
        "Addresses that a provider may talk to.",
    )
    allow_loopback: bool = setting(
        FLAG, False, "Whether a provider may talk to this machine (an emulator)."
    )

    def judge(self, resource: Resource, facts: Facts) -> Iterator[Finding]:
        """It is a governed or an allowed type, and talks to a known address."""
        del facts
        subject = f"The resource {resource.label}"
        governed = resource.type in {DEPLOYMENT_TYPE, *self.types}
        if governed and not resource.is_deployment and resource.inputs:
            yield violation(
                f"{subject} must have gpu_type and image among its own properties, "
                f"where policies look; its type {shown(resource.type)} is listed in "
                "jig-no-bypass.types and hides them. Write them there, or take the type "
                "off the list."
            )
        elif not governed and is_dynamic(resource.type) and _shaped(resource.inputs):
            yield violation(
                f"{subject} must be a pulumi_jig Deployment to make GPU deployments; its "
                f"type is {shown(resource.type)}. Use pulumi_jig.Deployment (a subclass "
                "of it keeps the type), or have jig-no-bypass.types extended."
            )
        elif not governed and self._restricted(resource.type):
            yield violation(
                f"{subject} must be of an allowed type, since nobody can see what it "
                f"makes; its type is {shown(resource.type)}. Use a resource of "
                "pulumi_jig, or have jig-no-bypass.allow_types extended."
            )
        if resource.is_deployment:
            yield from self._extra(resource.get("extra"), subject)
            yield from self._address(resource.base_url, subject)

    def _restricted(self, type_: str) -> bool:
        if type_ in _OURS or type_.startswith("pulumi:"):
            return False
        if self.restrict_types == "none" or (
            self.restrict_types == "dynamic" and not is_dynamic(type_)
        ):
            return False
        return not any(fnmatch.fnmatchcase(type_, glob) for glob in self.allow_types)

    def _extra(self, extra: Any, subject: str) -> Iterator[Finding]:
        if extra is None:
            return
        if extra is UNKNOWN:
            yield not_known(subject, ["extra"], "whether it hides governed fields")
        elif not isinstance(extra, Mapping):
            yield violation(
                f"{subject} must give extra as a mapping; it is not one. Write field: "
                "value pairs."
            )
        else:
            for name in extra:
                if is_field(name):
                    yield violation(
                        f"{subject} must not set a field of its own through extra; extra "
                        f"has {shown(name.strip())}, which policies would not see. Set "
                        "the field itself."
                    )
                elif self.extra_keys is not None and name not in self.extra_keys:
                    yield violation(
                        f"{subject} must not send fields that nobody has allowed; extra "
                        f"has {shown(name)}. Remove it, or have jig-no-bypass.extra_keys "
                        "extended."
                    )

    def _address(self, url: Any, subject: str) -> Iterator[Finding]:
        if url is None or url == "":
            return
        if url is UNKNOWN:
            yield not_known(subject, ["jig:baseUrl"], "where its provider talks to")
            return
        place = _place(url)
        if place is not None:
            if place in {_place(allowed) for allowed in self.base_urls}:
                return
            if self.allow_loopback and _is_loopback(place[1]):
                return
        # Only scheme, host and port are shown: the rest may hold a password.
        said = (
            "not an address" if place is None else f"{place[0]}://{place[1]}:{place[2]}"
        )
        yield violation(
            f"{subject} must be made through a known address; the base URL of its "
            f"provider is {said}. Use one of: {', '.join(self.base_urls) or 'none'}; or "
            "have jig-no-bypass.base_urls extended."
        )


def is_field(name: str) -> bool:
    """Whether a key of `extra` is, in some spelling, a field that deployments have."""
    return _fold(name) in _FIELDS


def _fold(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _shaped(value: Any, depth: int = MAX_DEPTH) -> bool:
    """Whether a GPU type and an image are side by side, at whatever depth."""
    if isinstance(value, Mapping):
        keys = {_fold(str(name)) for name in value}
        if {"gputype", "image"} <= keys:
            return True
        return depth > 0 and any(_shaped(v, depth - 1) for v in value.values())
    if isinstance(value, list):
        return depth > 0 and any(_shaped(item, depth - 1) for item in value)
    return False


def _place(url: Any) -> tuple[str, str, int, str] | None:
    """Return scheme, host, port and path, or None for what is not an address."""
    if not isinstance(url, str):
        return None
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    if parts.query or parts.fragment or "@" in parts.netloc:
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
