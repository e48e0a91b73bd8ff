"""
From the catalogue to a policy pack: adapters, a fence, and the levels.

This is the only door to `pulumi_policy`, with `advisory` behind it. It refuses three
things. An exception must not abort a run, so each policy stands behind a fence that turns
one into a violation which names the policy and shows no value. A configuration fault must
not pass silently, so it is a violation too. And nothing is printed to stdout: the engine
reads the pack's port there.
"""

from __future__ import annotations

import datetime as dt
import gc
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

try:
    from pulumi_policy import (
        EnforcementLevel,
        PolicyConfigSchema,
        PolicyPack,
        ResourceValidationPolicy,
        Severity,
        StackValidationPolicy,
    )
    from pulumi_policy.policy import _NotApplicableError
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "pulumi_policy":
        raise
    from pulumi_jig.naming import install_command

    raise ModuleNotFoundError(
        "guardrails need the pulumi-policy package; run "
        f"`{install_command('policy')}`.",
        name=error.name,
    ) from None
from pulumi_policy.proxy import UnknownValueError

from pulumi_jig.errors import ConfigError, JigError
from pulumi_jig.policy.advisory import Notes, Report
from pulumi_jig.policy.budget import Budget
from pulumi_jig.policy.catalogue import (
    BY_NAME,
    CATALOGUE,
    STACK_KEYS,
    URL,
    PolicySpec,
    find,
)
from pulumi_jig.policy.facts import Resource, is_dynamic
from pulumi_jig.policy.findings import Finding, Kind
from pulumi_jig.policy.judge import judge_resource, judge_stack
from pulumi_jig.policy.profiles import Profile, Profiles, parse, stack_of
from pulumi_jig.policy.schema import json_schema
from pulumi_jig.policy.settings import (
    LEVEL_KEY,
    Settings,
    read_settings,
)
from pulumi_jig.policy.unknown import item, plain

if TYPE_CHECKING:
    from pathlib import Path

PACK_NAME: Final = "gpu-guardrails"
_BASE_URL: Final = "jig:baseUrl"
_BASE_URL_VARIABLE: Final = "TOGETHER_BASE_URL"


def today() -> dt.date:
    """The date, in UTC, by which exemptions end."""
    return dt.datetime.now(dt.UTC).date()


class Guard:
    """
    What the policies of one pack process share.

    Args:
        profiles: Where keys come from that a configuration leaves out.
        clock: The date of a judgement.
        environ: Environment variables of the process.
    """

    def __init__(
        self,
        profiles: Profiles,
        clock: Callable[[], dt.date] = today,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._profiles = profiles
        self.clock = clock
        self._environ = environ
        self._parsed: dict[tuple[str, str, str], Settings] = {}
        self._budgets: dict[str, Budget] = {}
        # The policy host calls from several threads.
        self._lock = threading.Lock()

    def settings(
        self, spec: PolicySpec, given: Mapping[str, Any], urn: str
    ) -> Settings:
        """
        A policy's configuration for a resource, parsed once per wording.

        Raises:
            ConfigError: The configuration is unusable.
        """
        environment = given.get("environment")
        if not isinstance(environment, str):
            environment = stack_of(urn)
        key = (spec.name, environment, repr(given))
        found = self._parsed.get(key)
        if found is None:
            profile = self._profiles.of(environment)
            merged = {**profile.keys.get(spec.name, {}), **given}
            found = read_settings(spec.settings, merged, where=spec.name)
            self._parsed[key] = found
        return found

    def base_url(self, provider: Any) -> Any:
        """The address that a resource's provider will talk to, None for the usual."""
        from_environment = self._environ.get(_BASE_URL_VARIABLE)
        if from_environment:
            return from_environment
        # The keys are listed, since asking a proxy whether it has a key raises where
        # the key's value is not known.
        if provider is None or _BASE_URL not in list(provider.props):
            return None
        return item(provider.props, _BASE_URL)

    def others(self, budget: Budget) -> list[Budget]:
        """
        Remember a budget; the others of this run.

        Two budgets must not each use the whole limit. The order in which the engine
        asks is not fixed, so this refuses the budget that comes last, not the newest;
        the stack policies see all of them in a preview.
        """
        with self._lock:
            rest = [b for urn, b in self._budgets.items() if urn != budget.urn]
            self._budgets[budget.urn] = budget
        return rest


def _resource(args: Any, guard: Guard) -> Resource:
    opts = args.opts
    return Resource(
        type=args.resource_type,
        name=args.name,
        urn=args.urn,
        inputs=plain(args.props),
        protect=bool(opts.protect),
        ignore_changes=tuple(opts.ignore_changes or ()),
        base_url=guard.base_url(args.provider),
    )


def _say(findings: Iterable[Finding], report: Report, notes: Notes) -> None:
    for finding in findings:
        if finding.kind is Kind.VIOLATION:
            report(finding.message, finding.urn or None)
        else:
            notes.say(finding.message, finding.urn)


Validation = Callable[[Any, Report], None]


def fenced(spec: PolicySpec, body: Validation) -> Validation:
    """
    A validation that cannot abort a run.

    The SDK gives two exceptions a meaning; these pass. Every other one becomes a
    violation at the policy's own level, with its class but not its text: the text may
    repeat a value. Where it happened goes to stderr.
    """

    def validate(args: Any, report: Report) -> None:
        try:
            body(args, report)
        except (UnknownValueError, _NotApplicableError):
            raise
        except ConfigError as error:
            report(
                f"{error.message} Mend it in the file of --policy-pack-config or in "
                "the profile; `pulumi-jig policy check` finds all such faults."
            )
        except Exception as error:
            frames = "".join(traceback.format_tb(error.__traceback__))
            print(f"{spec.name}: {type(error).__name__}\n{frames}", file=sys.stderr)
            report(
                f"{spec.name} could not be evaluated ({type(error).__name__}), so it "
                "does not pass. This is a fault of the policy: report it, and exempt "
                f"the resource in {spec.name}.exempt until it is mended."
            )

    return validate


def _validate_resource(spec: PolicySpec, guard: Guard) -> Validation:
    def validate(args: Any, report: Report) -> None:
        if not is_dynamic(args.resource_type):
            _not_applicable(args)
            return
        resource = _resource(args, guard)
        if not spec.applies_to(resource):
            _not_applicable(args)
            return
        settings = guard.settings(spec, args.get_config(), args.urn)
        others: Sequence[Budget] = ()
        if resource.is_budget:
            own = Budget.of(resource.name, resource.urn, resource.inputs)
            others = guard.others(own)
        findings = judge_resource(
            spec, resource, settings, guard.clock(), others=others
        )
        notes = Notes(report)
        _say(findings, report, notes)
        notes.finish()

    return validate


def _not_applicable(args: Any) -> None:
    # It keeps foreign resources out of the engine's count of passed policies.
    args.not_applicable("It is about GPU deployments only.")


def _validate_stack(spec: PolicySpec, guard: Guard) -> Validation:
    def validate(args: Any, report: Report) -> None:
        resources = [
            Resource(
                type=one.resource_type,
                name=one.name,
                urn=one.urn,
                inputs={k: item(one.props, k) for k in one.props if k in STACK_KEYS},
            )
            for one in args.resources
            if is_dynamic(one.resource_type)
        ]
        urn = next((one.urn for one in args.resources), "")
        settings = guard.settings(spec, args.get_config(), urn)
        notes = Notes(report)
        _say(judge_stack(spec, resources, settings, guard.clock()), report, notes)
        notes.finish()

    return validate


def _policy(spec: PolicySpec, guard: Guard, level: str) -> Any:
    common: dict[str, Any] = {
        "name": spec.name,
        "description": spec.description,
        "display_name": spec.title,
        "enforcement_level": EnforcementLevel(level),
        "config_schema": PolicyConfigSchema(json_schema(spec.settings)),
        "severity": Severity(spec.severity),
        "remediation_steps": spec.remedy,
        "url": f"{URL}#{spec.name}",
        "tags": ["gpu", "together", spec.judges],
    }
    if spec.is_stack:
        body = _validate_stack(spec, guard)
        return StackValidationPolicy(validate=fenced(spec, body), **common)
    body = _validate_resource(spec, guard)
    return ResourceValidationPolicy(validate=fenced(spec, body), **common)


def policies(
    *,
    profiles: Path | None = None,
    clock: Callable[[], dt.date] = today,
    environ: Mapping[str, str] = os.environ,
    extra: Sequence[Any] = (),
) -> list[Any]:
    """
    All policies of the catalogue, for a pack of your own.

    Args:
        profiles: A folder of `<environment>.json`; without it, every key that is not
            configured has its strictest value.
        clock: The date of a judgement; a test gives its own.
        environ: Environment variables; the stack's name in them chooses the levels.
        extra: Policies of your own, to stand after these.

    Raises:
        ConfigError: A profile is faulty, or two policies share a name (the SDK would
            accept both and configure one).
    """
    found = Profiles(profiles)
    guard = Guard(found, clock, environ)
    here: Profile = found.of(environ.get("PULUMI_STACK", ""))
    made = [_policy(spec, guard, here.level(spec.name)) for spec in CATALOGUE]
    made += extra
    names = [policy.name for policy in made]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"Two policies are named {', '.join(twice)}; rename one.")
    return made


def guardrails(
    config: Mapping[str, Any] | None = None,
    *,
    name: str = PACK_NAME,
    profiles: Path | None = None,
    extra: Sequence[Any] = (),
    clock: Callable[[], dt.date] = today,
    environ: Mapping[str, str] = os.environ,
) -> dict[str, Any]:
    """
    The arguments of `PolicyPack` for a pack with these guardrails.

        PolicyPack(**guardrails({"all": "mandatory", "gpu-count": {"max_per_replica": 4}}))

    Args:
        config: As in a profile: a level under `all`, and per policy a level or a
            mapping of keys; policies with or without `jig-`. A configuration file
            given to the engine wins over it, key by key.
        name: The pack's name.
        profiles: See `policies`.
        extra: Policies of your own.
        clock: See `policies`.
        environ: See `policies`.

    Raises:
        ConfigError: A policy or a key in `config` is unknown, or a value unusable.
    """
    given = {
        key if key == "all" else find(key).name: value
        for key, value in (config or {}).items()
    }
    profile, faults = parse("given to guardrails()", given)
    if faults:
        raise ConfigError(f"guardrails() is configured wrongly: {'; '.join(faults)}.")
    made = policies(profiles=profiles, clock=clock, environ=environ, extra=extra)
    levels = {p.name: p.enforcement_level for p in made if p.name in BY_NAME}
    initial: dict[str, Any] = {}
    for spec in CATALOGUE:
        level = levels[spec.name]
        if "all" in given:
            level = EnforcementLevel(profile.default_level)
        if spec.name in profile.levels:
            level = EnforcementLevel(profile.levels[spec.name])
        keys = profile.keys.get(spec.name, {})
        # The level always stands beside the keys: without it the engine would take
        # the policy for advisory as soon as one key is configured.
        if keys or level is not levels[spec.name]:
            initial[spec.name] = {LEVEL_KEY: level, **keys}
    return {
        "name": name,
        "description": "GPU counts, memory and cost inside limits.",
        "policies": made,
        "enforcement_level": EnforcementLevel.MANDATORY,
        "initial_config": initial,
    }


def serve(
    config: Mapping[str, Any] | None = None, *, profiles: Path | None = None
) -> None:
    """
    Run a pack until the engine ends it; for the `__main__.py` of a pack only.

    A faulty profile ends it at once with one sentence on stderr, and so ends the run:
    a pack that cannot read its limits must not let anything pass.
    """
    try:
        arguments = guardrails(config, profiles=profiles)
    except JigError as error:
        sys.exit(error.message)
    # A pack lives for one run, and a stack of a thousand resources is a graph of many
    # objects that all stay alive: searching it again and again for garbage would make
    # the judgement of large stacks slower than linear.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    PolicyPack(**arguments)


__all__ = ["Guard", "fenced", "guardrails", "policies", "serve"]
