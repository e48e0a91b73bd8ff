"""
From the registry to a policy pack: adapters, a fence, levels, and the ledger of a run.

The only entry point to `pulumi_policy`, with `sdk_bridge` behind it. An exception must not
abort a run, so each policy is behind a fence that turns one into a violation which names
the policy and shows no value. A fault in a configuration is a violation too. And nothing
is printed to stdout: the engine reads the pack's port there.
"""

from __future__ import annotations

import datetime as dt
import gc
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

try:
    import pulumi_policy.policy as sdk
    from pulumi_policy import (
        EnforcementLevel,
        PolicyConfigSchema,
        PolicyPack,
        ResourceValidationPolicy,
        Severity,
        StackValidationPolicy,
    )
    from pulumi_policy.proxy import UnknownValueError
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "pulumi_policy":
        raise
    from pulumi_jig.naming import install_command

    raise ModuleNotFoundError(
        "guardrails need the pulumi-policy package; run "
        f"`{install_command('policy')}`.",
        name=error.name,
    ) from None

from pulumi_jig.errors import ConfigError, JigError
from pulumi_jig.policy.declaration import Facts, Policy
from pulumi_jig.policy.findings import Finding, Kind
from pulumi_jig.policy.judge import (
    LATER,
    NEVER,
    judge_admission,
    judge_resource,
    judge_stack,
    worded,
)
from pulumi_jig.policy.profile import LEVEL_KEY, Profile, Profiles, parse, stack_of
from pulumi_jig.policy.quota import Ledger
from pulumi_jig.policy.registry import BY_NAME, POLICIES, URL, find
from pulumi_jig.policy.resource import Resource, is_dynamic
from pulumi_jig.policy.sdk_bridge import Report, Reporter
from pulumi_jig.policy.unknown import item, plain

PACK_NAME: Final = "gpu-guardrails"
#: The file of `pulumi stack export` from before a run, where `pulumi` cannot be asked.
BASELINE_VARIABLE: Final = "PULUMI_JIG_BASELINE"
_BASE_URL: Final = "jig:baseUrl"
_BASE_URL_VARIABLE: Final = "TOGETHER_BASE_URL"
#: What quotas read. The rest is not even unwrapped: a stack has many resources.
_QUOTA_KEYS: Final = frozenset(
    {
        "name", "image", "gpu_type", "gpu_count", "min_replicas", "max_replicas", "memory",
        "cpu", "storage",
    }
)  # fmt: skip
_RUNS: Final = (
    "The update is done: what is over the limit runs and bills until changed."
)


def today() -> dt.date:
    """Return the date, in UTC, by which exemptions end."""
    return dt.datetime.now(dt.UTC).date()


class Guard:
    """
    What the policies of one pack process share.

    Args:
        profiles: Where settings come from that a configuration leaves out.
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
        self._clock = clock
        self._environ = environ
        self.ledger = Ledger()
        self.updating = environ.get("PULUMI_DRY_RUN") == "false"
        # The policy host calls from several threads; each asks all policies in turn.
        self._lock = threading.Lock()
        self._last = threading.local()
        self._configured: list[tuple[Any, str, dict[str, tuple[Policy, Facts]]]] = []
        self._baseline: list[Sequence[Resource] | None] = []

    def configured(
        self, policy: type[Policy], args: Any, urn: str, reporter: Reporter
    ) -> tuple[Policy, Facts]:
        """
        Return a policy as it is configured for a resource, and what it needs to judge.

        Raises:
            ConfigError: The configuration is unusable.
        """
        everything = reporter.configuration()
        if everything is None:
            everything = {policy.name: args.get_config()}
        stack = stack_of(urn)
        with self._lock:
            known = next(
                (
                    found
                    for given, of, found in self._configured
                    if of == stack and (given is everything or given == everything)
                ),
                None,
            )
            if known is None:
                known = {}
                self._configured.append((everything, stack, known))
            if policy.name not in known:
                known[policy.name] = self._read(policy, everything, stack, known)
            return known[policy.name]

    def _read(
        self,
        policy: type[Policy],
        everything: Mapping[str, Mapping[str, Any]],
        stack: str,
        known: Mapping[str, tuple[Policy, Facts]],
    ) -> tuple[Policy, Facts]:
        date = self._clock()

        def read(name: str) -> Policy:
            given = everything.get(name) or {}
            environment = given.get("environment")
            if not isinstance(environment, str):
                environment = stack
            return self._profiles.of(environment).policy(name, given, today=date)

        configured = read(policy.name)
        # Quotas find their totals by the facts, so all policies share them.
        facts = next((facts for _, facts in known.values()), None)
        if facts is None:
            types: Any = read("jig-gpu-types")
            facts = Facts(date, types.types)
        if policy.judges == "quota" and facts.baseline is None:
            facts = replace(facts, baseline=self._state_before())
        return configured, facts

    def _state_before(self) -> Sequence[Resource] | None:
        """Return what the state held before the run; in an update, count it first."""
        if not self._baseline:
            from pulumi_jig.policy.audit import export_state, read_state

            path = self._environ.get(BASELINE_VARIABLE)
            found = read_state(Path(path)) if path else export_state(self._environ)
            self._baseline.append(None if found is None else found.live)
            if self.updating and found is not None:
                # What exists and has not been asked about yet exists all the same. (In
                # a preview nothing is created, so there the order need not matter.)
                self.ledger.expect(found.live)
        return self._baseline[0]

    def resource(self, args: Any, reporter: Reporter) -> Resource:
        """Return a resource as rules see it, read once for all policies."""
        if getattr(self._last, "request", None) is reporter.request:
            found: Resource = self._last.found
            return found
        opts = args.opts
        found = Resource(
            type=args.resource_type,
            name=args.name,
            urn=args.urn,
            inputs=plain(args.props) if is_dynamic(args.resource_type) else {},
            protect=bool(opts.protect),
            ignore_changes=tuple(opts.ignore_changes or ()),
            base_url=self._base_url(args.provider),
        )
        self._last.request, self._last.found = reporter.request, found
        return found

    def resources(self, args: Any, reporter: Reporter) -> list[Resource]:
        """Return the dynamic resources of a stack as quotas see them."""
        if getattr(self._last, "request", None) is reporter.request:
            known: list[Resource] = self._last.found
            return known
        found = [
            Resource(
                type=one.resource_type,
                name=one.name,
                urn=one.urn,
                inputs={k: item(one.props, k) for k in one.props if k in _QUOTA_KEYS},
            )
            for one in args.resources
            # Without properties is what the run has left out (--target).
            if is_dynamic(one.resource_type) and len(one.props)
        ]
        self._last.request, self._last.found = reporter.request, found
        return found

    def _base_url(self, provider: Any) -> Any:
        """Return the address that a provider will talk to, None for the service's."""
        # The keys are listed, since asking a proxy whether it has a key raises where
        # the key's value is not known.
        if provider is not None and _BASE_URL in list(provider.props):
            return item(provider.props, _BASE_URL)
        try:
            stack = json.loads(self._environ.get("PULUMI_CONFIG") or "{}")
        except ValueError:
            stack = {}
        return stack.get(_BASE_URL) or self._environ.get(_BASE_URL_VARIABLE)


def _say(findings: Iterable[Finding], reporter: Reporter, note: str = "") -> bool:
    """Report findings; return whether one of them refuses the resource."""
    refused = False
    for finding in findings:
        message = worded(finding, reporter.level)
        if finding.kind is Kind.VIOLATION:
            refused = refused or reporter.level == "mandatory"
            reporter.violation(f"{message} {note}".rstrip(), finding.urn)
        else:
            reporter.advice(message, finding.urn)
    return refused


Validation = Callable[[Any, Report], None]


def fenced(name: str, body: Validation) -> Validation:
    """
    Return a validation that cannot abort a run.

    The SDK gives two exceptions a meaning; these pass. Every other one becomes a
    violation at the policy's own level, with its class but not its text: the text may
    repeat a value. Where it happened goes to stderr.
    """

    def validate(args: Any, report: Report) -> None:
        try:
            body(args, report)
        except (UnknownValueError, sdk._NotApplicableError):  # noqa: SLF001 - see above
            raise
        except ConfigError as error:
            report(
                f"{error.message} Fix it in the file of --policy-pack-config or in the "
                "profile; `pulumi-jig policy check` finds all such faults."
            )
        except Exception as error:
            # Where it happened is at the end; a deep value would fill the screen.
            frames = "".join(traceback.format_tb(error.__traceback__, limit=-6))
            print(f"{name}: {type(error).__name__}\n{frames}", file=sys.stderr)
            report(
                f"{name} could not be evaluated ({type(error).__name__}), so it does not "
                "pass. This is a fault of the policy: report it, and exempt the resource "
                f"in {name}.exempt until it is fixed."
            )

    return validate


def _on_resource(policy: type[Policy], guard: Guard) -> Validation:
    def validate(args: Any, report: Report) -> None:
        reporter = Reporter(report)
        resource = guard.resource(args, reporter)
        dynamic = is_dynamic(resource.type)
        # The engine asks about what a run leaves out (--target) without its properties.
        # A class of somebody's own may have none at all, and is judged by its type.
        left_out = dynamic and not resource.inputs
        by_type = policy.judges == "any" and not resource.is_deployment
        if not policy.applies_to(resource) or (left_out and not by_type):
            _not_applicable(args)
            return
        configured, facts = guard.configured(policy, args, args.urn, reporter)
        if not dynamic and getattr(configured, "restrict_types", "") != "all":
            _not_applicable(args)
        elif policy.judges == "quota":
            _admit(configured, resource, facts, guard, reporter)
        else:
            _say(judge_resource(configured, resource, facts), reporter)
        reporter.finish()

    return validate


def _admit(
    policy: Policy, resource: Resource, facts: Facts, guard: Guard, reporter: Reporter
) -> None:
    ledger, urn = guard.ledger, resource.urn
    with ledger.lock:
        refused = reporter.refused
        try:
            if not refused:
                found = judge_admission(
                    policy, resource, facts, ledger, reporter.request
                )
                refused = _say(found, reporter)
        except Exception:
            refused = True
            raise
        finally:
            if refused:
                ledger.withdraw(urn)


def _not_applicable(args: Any) -> None:
    # It keeps foreign resources out of the engine's count of passed policies.
    args.not_applicable("It is about GPU deployments only.")


def _on_stack(policy: type[Policy], guard: Guard) -> Validation:
    def validate(args: Any, report: Report) -> None:
        reporter = Reporter(report)
        resources = guard.resources(args, reporter)
        urn = next((one.urn for one in args.resources), "")
        configured, facts = guard.configured(policy, args, urn, reporter)
        found = judge_stack(
            configured, resources, facts, later=NEVER if guard.updating else LATER
        )
        _say(found, reporter, _RUNS if guard.updating else "")
        reporter.finish()

    return validate


class _AtAdmissionAndEnd(ResourceValidationPolicy, StackValidationPolicy):
    """
    One policy that judges each resource before it is created and the stack at the end.

    The SDK has a class for each; two policies of one name would be two entries in the
    engine's summary and one in its configuration. The engine asks every pack about the
    stack, whatever the types of its policies.
    """

    def __init__(
        self, on_resource: Validation, on_stack: Validation, **common: Any
    ) -> None:
        # Not the constructors of the two classes: each wants to be the only one.
        sdk.Policy.__init__(self, **common)
        self._on_resource, self._on_stack = on_resource, on_stack

    def validate(self, args: Any, report_violation: Report) -> None:
        """Judge what the engine asks about."""
        of_stack = isinstance(args, sdk.StackValidationArgs)
        (self._on_stack if of_stack else self._on_resource)(args, report_violation)

    def has_validation(self) -> bool:
        """Whether it validates."""
        return True

    def has_remediation(self) -> bool:
        """Whether it changes resources."""
        return False


def _policy(policy: type[Policy], guard: Guard, level: str) -> Any:
    common: dict[str, Any] = {
        "name": policy.name,
        "description": policy.says,
        "display_name": policy.title,
        "enforcement_level": EnforcementLevel(level),
        "config_schema": PolicyConfigSchema(
            {key: declared.schema for key, declared in policy.settings.items()}
        ),
        "severity": Severity(policy.severity),
        "remediation_steps": policy.fix,
        "url": f"{URL}#{policy.name}",
        "tags": ["gpu", "together", policy.judges],
    }
    on_resource = fenced(policy.name, _on_resource(policy, guard))
    if policy.judges == "quota":
        on_stack = fenced(policy.name, _on_stack(policy, guard))
        return _AtAdmissionAndEnd(on_resource, on_stack, **common)
    return ResourceValidationPolicy(validate=on_resource, **common)


def policies(
    *,
    profiles: Path | None = None,
    clock: Callable[[], dt.date] = today,
    environ: Mapping[str, str] = os.environ,
    extra: Sequence[Any] = (),
) -> list[Any]:
    """
    Return all policies, for a pack of your own.

    Args:
        profiles: A folder of `<environment>.json`; without it, every setting that is
            not configured has its default, the strictest.
        clock: The date of a judgement; a test gives its own.
        environ: Environment variables; the stack's name in them chooses the levels.
        extra: Policies of your own. They come first: what they refuse counts in no
            quota.

    Raises:
        ConfigError: The stack's profile is faulty, or two policies share a name (the
            SDK would accept both and configure one).
    """
    found = Profiles(profiles)
    guard = Guard(found, clock, environ)
    here: Profile = found.of(environ.get("PULUMI_STACK", ""))
    made = [
        *extra,
        *(_policy(policy, guard, here.level(policy.name)) for policy in POLICIES),
    ]
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
    Return the arguments of `PolicyPack` for a pack with these guardrails.

        PolicyPack(**guardrails({"gpu-count": {"max_per_replica": 4}}))

    Args:
        config: As in a profile: a level under `all`, and per policy a level or a
            mapping of settings; policies with or without `jig-`. A configuration file
            given to the engine wins over it, key by key.
        name: The pack's name.
        profiles: See `policies`.
        extra: See `policies`.
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
    for policy in POLICIES:
        level = levels[policy.name]
        chosen = profile.levels.get(policy.name, profile.default_level)
        if chosen is not None:
            level = EnforcementLevel(chosen)
        keys = profile.keys.get(policy.name, {})
        # The level is always beside the keys: without it the engine would take the
        # policy for advisory as soon as one key is configured.
        if keys or level is not levels[policy.name]:
            initial[policy.name] = {LEVEL_KEY: level, **keys}
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

    A faulty profile of the stack ends it at once with one sentence on stderr, and so
    ends the run: a pack that cannot read its limits must not let anything pass.
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
