"""
Profiles: the limits of one environment, as a file that its owner writes.

A profile is exactly what `pulumi up --policy-pack-config` takes, so one file serves the
engine, the pack's own choice by the stack's name, the audit and the check. The engine
ignores a misspelt policy and a misspelt key without a word; both are refused here, and
everything else that would make a limit hold nothing.

Which environment a stack is: the `environment` key of a policy where it is given, else
the stack's name. A name that no profile has gets no profile at all, and so the default of
every setting, which is the strictest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pulumi_jig.errors import ConfigError
from pulumi_jig.policy.declaration import Facts, Policy
from pulumi_jig.policy.registry import BY_NAME, POLICIES, PREFIX
from pulumi_jig.policy.resource import NO_GPU
from pulumi_jig.policy.settings import near

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pulumi_jig.policy.resource import Resource

#: The key under which Pulumi keeps a policy's level beside its settings.
LEVEL_KEY: Final = "enforcementLevel"
LEVELS: Final = ("advisory", "mandatory", "remediate", "disabled")
_ALL: Final = "all"
#: What Pulumi reads at the top of such a file itself.
_RESERVED: Final = ("environments", "version", "policies", "exceptions")
#: A profile is some kilobytes; what is above is another file.
MAX_BYTES: Final = 1 << 20


class Effective(NamedTuple):
    """One setting that holds: its policy, the policy's level, and where it is from."""

    policy: str
    level: str
    key: str
    value: Any
    source: str


@dataclass(frozen=True, eq=False, repr=False)
class Profile:
    """
    What one environment says about the policies.

    Attributes:
        name: The environment; the file's name without its ending.
        default_level: The level of policies that say none; None for each policy's own.
        levels: Levels of single policies.
        keys: Settings of single policies.
        base: The profile from which the rest comes; None for the defaults.
    """

    name: str
    default_level: str | None = None
    levels: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    base: Profile | None = None

    def level(self, policy: str) -> str:
        """Return the level of a policy here."""
        found = self.levels.get(policy, self.default_level)
        if found is None and self.base is not None:
            return self.base.level(policy)
        return found or BY_NAME[policy].level

    def given(self, policy: str) -> dict[str, Any]:
        """Return the settings of a policy that somebody has written."""
        base = {} if self.base is None else self.base.given(policy)
        return {**base, **self.keys.get(policy, {})}

    def policy(
        self, name: str, config: Mapping[str, Any] | None = None, *, today: dt.date
    ) -> Policy:
        """
        Return a policy as it is configured here.

        Args:
            name: Its name.
            config: Settings that count before those of the profile.
            today: The date (UTC).

        Raises:
            ConfigError: The configuration is unusable.
        """
        given = {**self.given(name), **(config or {})}
        return BY_NAME[name].read(
            given, where=f"{name} in the profile {self.name}", today=today
        )

    def facts(
        self, today: dt.date, baseline: Sequence[Resource] | None = None
    ) -> Facts:
        """Return what judgements by this profile need beside the resources."""
        types: Any = self.policy("jig-gpu-types", today=today)
        return Facts(today, types.types, baseline)

    def over(self, base: Profile) -> Profile:
        """
        Return this profile with what it leaves out from another, as a run has it.

        Two that share a name may be one file, or the stack's profile and limits that a
        run is given beside it.
        """
        if (self.levels, self.keys) == (base.levels, base.keys):
            return base
        name = self.name if self.name != base.name else f"{self.name} (given)"
        return Profile(name, self.default_level, self.levels, self.keys, base)

    def effective(self, today: dt.date) -> list[Effective]:
        """Return every setting that holds, with its source."""
        rows = []
        for policy in POLICIES:
            level = self.level(policy.name)
            configured = self.policy(policy.name, today=today)
            for key in policy.settings:
                source = "default"
                profile: Profile | None = self
                while profile is not None:
                    if key in profile.keys.get(policy.name, {}):
                        source = profile.name
                        break
                    profile = profile.base
                rows.append(
                    Effective(policy.name, level, key, getattr(configured, key), source)
                )
        return rows


#: What holds where no profile does: the strictest.
STRICTEST: Final = Profile("strictest", "mandatory")


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
            yield f"{path}{name} is there twice"
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
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(
                f"The profile {path} is larger than {MAX_BYTES} bytes; give the file "
                "that holds the limits."
            )
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise ConfigError(f"The profile {path} cannot be read: {reason}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"The profile {path} is not UTF-8 text.") from None
    if not text.strip():
        raise ConfigError(f"The profile {path} is empty; write the limits into it.")
    try:
        given = json.loads(text, object_pairs_hook=_pairs)
        twice = list(_twice(given))
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ConfigError(
            f"The profile {path} is not JSON: {error.msg} at {where}."
        ) from None
    except ValueError:
        raise ConfigError(
            f"The profile {path} holds a number that no computer reads; write fewer digits."
        ) from None
    except RecursionError:
        raise ConfigError(
            f"The profile {path} is nested too deep; no setting needs more than four "
            "levels."
        ) from None
    if not isinstance(given, dict):
        raise ConfigError(f"The profile {path} must hold a mapping of policies.")
    profile, faults = parse(path.stem, given)
    return profile, [*twice, *faults]


def parse(name: str, given: Mapping[str, Any]) -> tuple[Profile, list[str]]:
    """Return a profile from its JSON, and one sentence per fault."""
    default: str | None = None
    levels: dict[str, str] = {}
    faults: list[str] = []
    keys: dict[str, Mapping[str, Any]] = {}
    for policy, value in given.items():
        if policy == _ALL:
            if value not in LEVELS:
                faults.append(f"all must be one of {', '.join(LEVELS)}")
            else:
                default, _, wrong = _entry(_ALL, value)
                faults += wrong
            continue
        declared = BY_NAME.get(policy)
        if declared is None:
            faults.append(_no_such(policy))
            continue
        level, rest, wrong = _entry(policy, value)
        faults += wrong
        if level is not None:
            levels[policy] = level
        sound = dict(rest.items())
        for key, sentence in declared.faults_in(rest):
            faults.append(f"{policy}: {sentence}")
            sound.pop(key, None)
        if sound:
            keys[policy] = sound
    profile = Profile(name, default, levels, keys)
    if all(profile.level(policy.name) == "disabled" for policy in POLICIES):
        faults.append("every policy is disabled, so nothing would be held")
    return profile, faults


def _no_such(policy: str) -> str:
    if policy in _RESERVED:
        return f"{policy} is reserved by Pulumi and is not a policy"
    hint = near(policy, BY_NAME) or near(f"{PREFIX}{policy}", BY_NAME)
    return f"{policy} is not a policy{hint}"


def _entry(policy: str, value: Any) -> tuple[str | None, Mapping[str, Any], list[str]]:
    if isinstance(value, str):
        value = {LEVEL_KEY: value}
    if not isinstance(value, Mapping):
        return None, {}, [f"{policy} must be a level or a mapping"]
    rest = {k: v for k, v in value.items() if k != LEVEL_KEY}
    if LEVEL_KEY not in value:
        return None, rest, []
    level = value[LEVEL_KEY]
    if level == "remediate":
        text = "cannot remediate: no policy here changes a resource; use mandatory"
        return "mandatory", rest, [f"{policy} {text}"]
    if level not in LEVELS:
        return None, rest, [f"{policy} must have a level of {', '.join(LEVELS)}"]
    return str(level), rest, []


def gaps(
    profile: Profile, today: dt.date, *, by_default: bool = False
) -> Iterator[str]:
    """
    Yield what the table of GPU types lacks of types that the same profile allows.

    A run does not fail on these by itself: the first deployment of such a type does.
    Whoever checks a profile wants to know before.

    Args:
        profile: The profile, without faults.
        today: The date (UTC).
        by_default: Yield what only default limits need, where the profile has neither
            a table nor a limit of its own: another profile may have both.
    """
    types: Any = profile.policy("jig-gpu-types", today=today)
    in_use = [t for t in types.allow if t not in types.deny and t != NO_GPU]
    for name, number, what in (
        ("jig-stack-cost", "usd_per_hour", "a price"),
        ("jig-stack-memory", "vram_gib", "the memory of a GPU"),
    ):
        if profile.level(name) == "disabled":
            continue
        given = profile.given(name)
        own = bool(_limits(given, number)) or "types" in profile.given("jig-gpu-types")
        held = _limits(vars(profile.policy(name, today=today)), number)
        if not held or own is by_default:
            continue
        lacking = [
            t for t in in_use if getattr(types.types.get(t), number, None) is None
        ]
        if lacking and own:
            yield (
                f"jig-gpu-types: types lacks {what} ({number}) for {', '.join(lacking)}, "
                f"which allow names and {name} counts"
            )
        elif lacking:
            yield (
                f"{name} holds by its defaults and there is no table of GPU types "
                f"({number}): where the stack's own profile has none either, every "
                f"{', '.join(lacking)} is refused; --stack NAME shows what holds there"
            )


def _limits(values: Mapping[str, Any], number: str) -> list[str]:
    """Return the limits, groups' included, for which a number of a type is needed."""
    unit = "vram" if number == "vram_gib" else "usd"
    growth = {"max_growth", "max_growth_percent"} if unit == "usd" else set()
    return [
        key
        for one in (values, *(values.get("groups") or {}).values())
        for key, most in one.items()
        if most is not None
        and ((key.startswith("max") and unit in key) or key in growth)
    ]


def notes(profile: Profile, environments: Sequence[str]) -> Iterator[str]:
    """Yield what is no fault and yet worth a word to the owner of a profile."""
    for name, keys in profile.keys.items():
        environment = keys.get("environment")
        if isinstance(environment, str) and environment not in environments:
            yield (
                f"{name}: there is no profile for the environment {environment}"
                f"{near(environment, environments)}, so its defaults hold"
            )
    counts = profile.given("jig-gpu-count")
    most = counts.get("max_per_replica")
    by_default = BY_NAME["jig-gpu-count"].settings["allowed_counts"].default
    allowed = counts.get("allowed_counts", by_default)
    if most is not None and allowed and most > max(allowed):
        yield (
            f"jig-gpu-count: max_per_replica is {most:g}, but allowed_counts has no count "
            f"above {max(allowed):g}, so no replica may have as many"
        )
    if profile.default_level == "mandatory":
        raised = [
            policy.name
            for policy in POLICIES
            if policy.level == "advisory" and policy.name not in profile.levels
        ]
        if raised:
            yield (
                f'"all" makes mandatory what is advisory by itself: {", ".join(raised)}; '
                "give each a level if that is not meant"
            )


class Profiles:
    """
    The profiles of one folder, by environment; each is read when a stack needs it.

    Args:
        folder: Holds one `<environment>.json` per environment; None for no profiles.

    Raises:
        ConfigError: There is no such folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._read: dict[str, Profile] = {}
        if folder is not None and not folder.is_dir():
            raise ConfigError(f"There is no folder of profiles at {folder}.")

    def names(self) -> list[str]:
        """Return the environments that have a profile."""
        if self._folder is None:
            return []
        return sorted(path.stem for path in self._folder.glob("*.json"))

    def of(self, environment: str) -> Profile:
        """
        Return the profile of an environment, the strictest where it has none.

        Raises:
            ConfigError: It is faulty. Stacks of other environments are not touched.
        """
        if environment not in self.names():
            return STRICTEST
        assert self._folder is not None
        if environment not in self._read:
            self._read[environment] = load(self._folder / f"{environment}.json")
        return self._read[environment]


def load(path: Path) -> Profile:
    """
    Return a profile without faults.

    Raises:
        ConfigError: It has some; all of them, in one sentence.
    """
    profile, faults = read_file(path)
    if faults:
        raise ConfigError(f"The profile {path} is faulty: {'; '.join(faults)}.")
    return profile


def stack_of(urn: str) -> str:
    """Return the stack that a URN belongs to, "" where it is none."""
    head, _, _ = urn.partition("::")
    return head.removeprefix("urn:pulumi:") if head.startswith("urn:pulumi:") else ""
