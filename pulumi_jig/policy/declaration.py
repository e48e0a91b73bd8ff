"""
One declaration per policy: name, what it says, severity, settings and the rule.

A policy is a class. Its settings are attributes, an instance holds one configuration of
them, and `judge` is the rule. The pack, Pulumi's `config_schema`, the check of profiles,
the reference page and `pulumi-jig policy list` are all made from it.

A setting that is left out has the strictest value that any of the shipped environments
has: who configures nothing gains no freedom by it.
"""

from __future__ import annotations

import datetime as dt
import fnmatch
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn, Self

from pulumi_jig.errors import ConfigError
from pulumi_jig.policy.settings import (
    DATE,
    GLOB,
    TEXT,
    Setting,
    SettingError,
    choice,
    many,
    near,
    record,
    setting,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from decimal import Decimal

    from pulumi_jig.policy.findings import Finding
    from pulumi_jig.policy.quota import Share
    from pulumi_jig.policy.resource import Resource

Severity = Literal["low", "medium", "high", "critical"]
Judges = Literal["deployment", "any", "quota"]
#: No exemption lasts longer: what nobody looks at for a year is a rule, not an exception.
MAX_EXEMPTION_DAYS = 366


@dataclass(frozen=True, slots=True)
class Exemption:
    """
    Resources that a policy lets pass for a while.

    Attributes:
        name: Glob on the resource's name in the program, case-sensitive.
        reason: Why, for whoever reads the preview.
        owner: Who asked for it.
        expires: The last day (UTC) on which it holds.
    """

    name: str
    reason: str
    owner: str
    expires: dt.date

    def covers(self, name: str) -> bool:
        """Whether it is about a resource of this name."""
        return fnmatch.fnmatchcase(name, self.name)

    def holds(self, today: dt.date) -> bool:
        """Whether it has not ended."""
        return today <= self.expires

    @property
    def note(self) -> str:
        """Until when and why, for a message."""
        return f"until {self.expires} ({self.reason}; {self.owner})"


@dataclass(frozen=True, slots=True)
class GpuType:
    """
    What one GPU of a type costs and is.

    Attributes:
        usd_per_hour: US dollars per GPU and hour.
        vram_gib: GiB of its memory.
        weight: How much of a GPU it counts.
    """

    usd_per_hour: Decimal | None = None
    vram_gib: Decimal | None = None
    weight: Decimal | None = None


@dataclass(frozen=True, eq=False)
class Facts:
    """
    What a judgement needs beside the resource.

    Attributes:
        today: The date (UTC), for exemptions and prices.
        gpu_types: `jig-gpu-types.types`: price, VRAM and weight by GPU type.
        baseline: The resources that the state held before the run; None where nobody
            has said.
    """

    today: dt.date
    gpu_types: Mapping[str, GpuType] = field(default_factory=dict)
    baseline: Sequence[Resource] | None = None


class Policy:
    """
    What every policy is and can be told.

    Not a dataclass: a pack pays for every generated method when it starts, and none
    would be used.

    Raises:
        TypeError: A setting is not declared.
    """

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    says: ClassVar[str] = ""
    severity: ClassVar[Severity] = "high"
    level: ClassVar[str] = "mandatory"
    judges: ClassVar[Judges] = "deployment"
    fix: ClassVar[str] = ""
    #: All settings by name, those of every policy first.
    settings: ClassVar[Mapping[str, Setting]] = {}

    unknown: str = setting(
        choice("warn", "deny"),
        "deny",
        "What a preview does with values that it does not know: name them and go on "
        "(`warn`), or refuse (`deny`).",
    )
    exempt: tuple[Exemption, ...] = setting(
        many(
            record(
                Exemption,
                True,
                name=Setting(GLOB, None, "Glob on names of resources."),
                reason=Setting(TEXT, None, "Why."),
                owner=Setting(TEXT, None, "Who asked for it."),
                expires=Setting(DATE, None, "The last day (UTC)."),
            )
        ),
        (),
        "Resources that pass for a while: `name` (a glob), `reason`, `owner`, "
        "`expires` (YYYY-MM-DD, the last day, a year ahead at most).",
    )
    environment: str | None = setting(
        TEXT,
        None,
        "Take what is left out here from this environment's profile.",
        null="the stack's name decides",
    )

    def __init_subclass__(
        cls,
        *,
        name: str,
        title: str,
        says: str,
        severity: Severity = "high",
        level: str = "mandatory",
        judges: Judges = "deployment",
        fix: str = "",
    ) -> None:
        """Declare a policy."""
        cls.name, cls.title, cls.says, cls.fix = name, title, says, fix
        cls.severity, cls.level, cls.judges = severity, level, judges
        cls.settings = {
            **COMMON,
            **{
                key: declared
                for key, declared in vars(cls).items()
                if isinstance(declared, Setting)
            },
        }

    def __init__(self, **values: Any) -> None:
        undeclared = values.keys() - self.settings.keys()
        if undeclared:
            text = ", ".join(sorted(undeclared))
            raise TypeError(f"{type(self).__name__} has no {text}")
        for key, declared in self.settings.items():
            vars(self)[key] = values.get(key, declared.default)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        """Refuse: policies are read by several threads."""
        raise AttributeError(f"{name} of {type(self).__name__} cannot be changed")

    # --- Configuration -------------------------------------------------------------

    @classmethod
    def faults_in(
        cls, given: Mapping[str, Any], today: dt.date | None = None
    ) -> list[tuple[str, str]]:
        """Return every fault of a configuration: the key, and a sentence about it."""
        return cls._read(given, today)[1]

    @classmethod
    def read(
        cls, given: Mapping[str, Any], *, where: str = "", today: dt.date | None = None
    ) -> Self:
        """
        Read a configuration.

        Args:
            given: Keys and values, as JSON gives them (all numbers may be floats).
            where: What to name in an error; the policy where it is left out.
            today: The date; today's (UTC) where it is left out.

        Raises:
            ConfigError: A key is unknown or its value unusable; all faults at once.
        """
        values, faults = cls._read(given, today)
        if faults:
            sentences = "; ".join(text for _, text in faults)
            raise ConfigError(
                f"{where or cls.name} is configured wrongly: {sentences}."
            )
        return cls(**values)

    @classmethod
    def _read(
        cls, given: Mapping[str, Any], today: dt.date | None
    ) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        values: dict[str, Any] = {}
        faults: list[tuple[str, str]] = []
        for key, value in given.items():
            declared = cls.settings.get(key)
            if declared is None:
                hint = near(key, cls.settings)
                faults.append((key, f"{key} is not a key of this policy{hint}"))
                continue
            try:
                values[key] = declared.read(value)
            except SettingError as fault:
                faults.append((key, f"{key} {fault}"))
        if not faults:
            date = today or dt.datetime.now(dt.UTC).date()
            faults += cls(**values).contradictions(date)
        return values, faults

    def contradictions(self, today: dt.date) -> Iterator[tuple[str, str]]:
        """Yield what settings, each sound by itself, get wrong: key and sentence."""
        for index, exemption in enumerate(self.exempt):
            if (exemption.expires - today).days > MAX_EXEMPTION_DAYS:
                yield (
                    "exempt",
                    f"exempt at [{index}] must end within {MAX_EXEMPTION_DAYS} days; it "
                    f"expires on {exemption.expires}",
                )

    def exemption(self, name: str) -> Exemption | None:
        """Return the exemption that covers a resource, the longest of several."""
        covering = [e for e in self.exempt if e.covers(name)]
        return max(covering, key=lambda e: e.expires, default=None)

    # --- The rule --------------------------------------------------------------------

    @classmethod
    def applies_to(cls, resource: Resource) -> bool:
        """Whether it has something to say about a resource."""
        return cls.judges == "any" or (resource.is_deployment and not resource.external)

    def judge(self, resource: Resource, facts: Facts) -> Iterable[Finding]:
        """Say what is wrong with one resource."""
        raise NotImplementedError

    def shares(self, resource: Resource, facts: Facts) -> Iterable[Share | Finding]:
        """Yield what a deployment adds to each sum, and what forbids that; for quotas."""
        raise NotImplementedError

    def beside_sums(
        self, resources: Sequence[Resource], facts: Facts
    ) -> Iterable[Finding]:
        """Yield what is to be said of a stack beside its sums; for quotas."""
        raise NotImplementedError


#: The settings that every policy has.
COMMON: Mapping[str, Setting] = {
    key: declared
    for key, declared in vars(Policy).items()
    if isinstance(declared, Setting)
}
Policy.settings = COMMON
