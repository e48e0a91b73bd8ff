"""
Profiles: the limits of one environment, as a file that its owner writes.

A profile is exactly what `pulumi up --policy-pack-config` takes, so one file serves the
engine, the pack's own choice by the stack's name, the audit and the check. The engine
ignores a misspelt policy and a misspelt key without a word; this module refuses both, and
everything else that would make a limit hold nothing.

Which environment a stack is: the `environment` key of a policy where it is given, else
the stack's name. A name that no profile has gets no profile at all, and so the strictest
of all values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.errors import ConfigError
from pulumi_jig.policy.catalogue import BY_NAME, PREFIX, PolicySpec
from pulumi_jig.policy.facts import NO_GPU
from pulumi_jig.policy.settings import (
    LEVEL_KEY,
    LEVELS,
    Settings,
    faults_in,
    near,
    read_settings,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEFAULT_LEVEL: Final = "mandatory"
_ALL: Final = "all"
#: Pulumi reads this top-level key as a list of its own environments.
_RESERVED: Final = "environments"


@dataclass(frozen=True, eq=False, repr=False)
class Profile:
    """
    What one environment says about the policies.

    Attributes:
        name: The environment; the file's name without its ending.
        default_level: The level of policies that say none.
        levels: Levels of single policies.
        keys: Configuration keys of single policies.
    """

    name: str
    default_level: str = DEFAULT_LEVEL
    levels: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def level(self, policy: str) -> str:
        """The level of a policy here."""
        return self.levels.get(policy, self.default_level)

    def settings(self, spec: PolicySpec) -> Settings:
        """
        A policy's typed configuration here.

        Raises:
            ConfigError: The configuration is unusable.
        """
        where = f"{spec.name} in the profile {self.name}"
        return read_settings(spec.settings, self.keys.get(spec.name, {}), where=where)


#: What holds where no profile does: the strictest.
STRICTEST: Final = Profile("strictest")


class _Pairs(dict[str, Any]):
    """A mapping that remembers which keys were written twice."""

    twice: tuple[str, ...] = ()


def _pairs(items: list[tuple[str, Any]]) -> _Pairs:
    made = _Pairs(items)
    names = [name for name, _ in items]
    made.twice = tuple(sorted({n for n in names if names.count(n) > 1}))
    return made


def _twice(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, _Pairs):
        for name in value.twice:
            yield f"{path}{name} stands there twice"
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _twice(item, f"{path}{name}.")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _twice(item, f"{path}{index}.")


def read_file(path: Path) -> tuple[Profile, list[str]]:
    """
    Read a profile, and every fault in it.

    Args:
        path: A JSON file as `--policy-pack-config` takes it.

    Returns:
        The profile without its faulty parts, and one sentence per fault.

    Raises:
        ConfigError: The file cannot be read at all.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise ConfigError(f"The profile {path} cannot be read: {reason}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"The profile {path} is not UTF-8 text.") from None
    if not text.strip():
        # The engine takes an empty file for an empty configuration.
        return Profile(path.stem), []
    try:
        given = json.loads(text, object_pairs_hook=_pairs)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ConfigError(
            f"The profile {path} is not JSON: {error.msg} at {where}."
        ) from None
    if not isinstance(given, dict):
        raise ConfigError(f"The profile {path} must hold a mapping of policies.")
    profile, faults = parse(path.stem, given)
    return profile, [*_twice(given), *faults]


def parse(name: str, given: Mapping[str, Any]) -> tuple[Profile, list[str]]:
    """A profile from its JSON, and one sentence per fault."""
    default, levels, faults = DEFAULT_LEVEL, {}, []
    keys: dict[str, Mapping[str, Any]] = {}
    for policy, value in given.items():
        if policy == _ALL:
            if isinstance(value, str) and value in LEVELS:
                default = value
            else:
                faults.append(f"all must be one of {', '.join(LEVELS)}")
            continue
        spec = BY_NAME.get(policy)
        if spec is None:
            faults.append(_no_such(policy))
            continue
        level, rest, wrong = _entry(policy, value)
        faults += wrong
        if level is not None:
            levels[policy] = level
        sound = dict(rest.items())
        for key, sentence in faults_in(spec.settings, rest):
            faults.append(f"{policy}: {sentence}")
            sound.pop(key, None)
        if sound:
            keys[policy] = sound
    return Profile(name, default, levels, keys), faults


def _no_such(policy: str) -> str:
    if policy == _RESERVED:
        return f"{policy} is reserved by Pulumi and is not a policy"
    hint = near(policy, BY_NAME) or near(f"{PREFIX}{policy}", BY_NAME)
    return f"{policy} is not a policy{hint}"


def _entry(policy: str, value: Any) -> tuple[str | None, Mapping[str, Any], list[str]]:
    if isinstance(value, str):
        value = {LEVEL_KEY: value}
    if not isinstance(value, Mapping):
        return None, {}, [f"{policy} must be a level or a mapping"]
    rest = {k: v for k, v in value.items() if k != LEVEL_KEY}
    level = value.get(LEVEL_KEY)
    if level is None:
        return None, rest, []
    if level not in LEVELS:
        return None, rest, [f"{policy} must have a level of {', '.join(LEVELS)}"]
    if level == "remediate":
        text = "cannot remediate: no policy here changes a resource; use mandatory"
        return "mandatory", rest, [f"{policy} {text}"]
    return str(level), rest, []


def gaps(profile: Profile) -> Iterator[str]:
    """
    Tables that lack a type which the same profile allows.

    A run does not fail on these by itself: the first deployment of such a type does.
    Whoever checks a profile wants to know before.
    """
    types = BY_NAME["jig-gpu-types"]
    try:
        allowed: Any = profile.settings(types)
        in_use = [t for t in allowed.allow if t not in allowed.deny and t != NO_GPU]
        for name in ("jig-stack-cost", "jig-stack-memory", "jig-gpu-budget"):
            # What a profile does not configure at all may be filled by another one.
            if profile.level(name) == "disabled" or name not in profile.keys:
                continue
            yield from _missing(name, profile.settings(BY_NAME[name]), in_use)
    except ConfigError:
        # The faults themselves are reported where they stand.
        return


def _missing(policy: str, settings: Any, in_use: list[str]) -> Iterator[str]:
    tables = (
        ("prices", "a price", "usd_per_hour"),
        ("vram_gib", "its memory", "max_vram_gib"),
    )
    for table, what, limit in tables:
        values = getattr(settings, table, None)
        limits = [v for k, v in vars(settings).items() if limit in k]
        if values is None or all(v is None for v in limits):
            continue
        missing = [t for t in in_use if t not in values]
        if missing:
            yield (
                f"{policy}: {table} lacks {what} for {', '.join(missing)}, which "
                "jig-gpu-types allows"
            )


class Profiles:
    """
    The profiles of one folder, by environment.

    Args:
        folder: Holds one `<environment>.json` per environment; None for no profiles.

    Raises:
        ConfigError: A file in it is unusable; the first of them, all its faults.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._by_name: dict[str, Profile] = {}
        if folder is None:
            return
        if not folder.is_dir():
            raise ConfigError(f"There is no folder of profiles at {folder}.")
        for path in sorted(folder.glob("*.json")):
            self._by_name[path.stem] = load(path)

    def names(self) -> list[str]:
        """The environments that have a profile."""
        return sorted(self._by_name)

    def of(self, environment: str) -> Profile:
        """The profile of an environment, the strictest where it has none."""
        return self._by_name.get(environment, STRICTEST)


def load(path: Path) -> Profile:
    """
    A profile without faults.

    Raises:
        ConfigError: It has some; all of them, in one sentence.
    """
    profile, faults = read_file(path)
    if faults:
        raise ConfigError(f"The profile {path} is faulty: {'; '.join(faults)}.")
    return profile


def stack_of(urn: str) -> str:
    """The stack that a URN belongs to, "" where it is none."""
    head, _, _ = urn.partition("::")
    return head.removeprefix("urn:pulumi:") if head.startswith("urn:pulumi:") else ""
