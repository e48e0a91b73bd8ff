"""The pack through the SDK's own servicer: real floats, proxies, levels, unknowns."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import wire
from pulumi.runtime import proto
from pulumi_policy import EnforcementLevel, ResourceValidationPolicy
from wire import (
    DEPLOYMENT,
    PROFILES,
    UNKNOWN,
    advisory,
    good,
    mandatory,
    secret,
)

from pulumi_jig.errors import ConfigError
from pulumi_jig.policy import guardrails, policies
from pulumi_jig.policy import pack as packs
from pulumi_jig.policy import sdk_bridge as bridge
from pulumi_jig.policy.registry import POLICIES, find

if TYPE_CHECKING:
    from pathlib import Path

NO_VARIABLES: dict[str, str] = {}
QUEUE = {"metric": "QueueBacklogPerWorker"}
FOUR = good(gpu_count=2, min_replicas=0, autoscaling=QUEUE)
RAW = "pulumi-python:dynamic:Resource"


def day(text: str) -> Any:
    """A clock that shows one day."""
    return lambda: dt.date.fromisoformat(text)


@pytest.fixture
def pack() -> wire.Analyzer:
    """The pack with the shipped profiles and nothing configured."""
    return wire.local(guardrails(profiles=PROFILES, environ=NO_VARIABLES))


# --- The pack as a whole ---------------------------------------------------------------


def test_there_are_at_most_eighteen(pack: wire.Analyzer) -> None:
    """Each policy costs every resource, so there are not more than 18."""
    assert len(pack.info.policies) == len(POLICIES) <= 18


def test_every_policy_is_presentable(pack: wire.Analyzer) -> None:
    """Kebab-case name of its own, a sentence, severity, remedy, address, schema."""
    names = [policy.name for policy in pack.info.policies]

    assert len(names) == len(set(names))
    for policy in pack.info.policies:
        assert re.fullmatch(r"jig(-[a-z]+)+", policy.name)
        assert policy.description.endswith(".")
        assert policy.severity != proto.POLICY_SEVERITY_UNSPECIFIED
        assert policy.remediation_steps.endswith(".")
        assert policy.url.endswith(f"#{policy.name}")
        assert policy.configSchema.properties["unknown"]


@pytest.mark.parametrize("profile", ["dev", "staging", "prod"])
def test_a_sound_deployment_passes(pack: wire.Analyzer, profile: str) -> None:
    """A deployment within all limits meets silence in every environment."""
    pack.profile(profile)

    assert pack.resource(good()) == []


def test_foreign_resources_are_not_applicable(pack: wire.Analyzer) -> None:
    """Other providers' resources are left out of the engine's count of passed ones."""
    answer = pack.profile("prod").analyze(
        wire.request({"gpu_type": "x", "image": "y"}, type_="aws:s3/bucket:Bucket")
    )

    assert list(answer.diagnostics) == []
    assert len(answer.not_applicable) == 18


# --- The twelve facts that decided the design -------------------------------------------


def test_fact_1_building_policies_does_not_block() -> None:
    """`PolicyPack` blocks for ever; the list of policies and the arguments do not."""
    assert len(policies(environ=NO_VARIABLES)) == 18
    assert len(guardrails(environ=NO_VARIABLES)["policies"]) == 18


def test_fact_2_floats_read_as_whole_numbers(pack: wire.Analyzer) -> None:
    """
    Properties and configuration arrive as floats; messages show whole numbers (Case
    P5).
    """
    pack.configure({"jig-gpu-count": {"max_per_replica": 4, "allowed_counts": []}})
    (first, *_) = pack.resource(good(gpu_count=8))

    assert "more than 4 GPUs per replica; gpu_count is 8. " in first.message
    assert ".0" not in first.message


def test_fact_3_one_unknown_does_not_hide_the_others(pack: wire.Analyzer) -> None:
    """A stack with an unknown count is still judged for all that is known (Case P1)."""
    pack.profile("dev")
    said = pack.stack(
        (DEPLOYMENT, "a", good(gpu_count=UNKNOWN)),
        (DEPLOYMENT, "b", good(gpu_count=2, max_replicas=8)),
    )

    assert "jig-stack-gpus" in mandatory(said)


def test_fact_3_a_violation_beside_an_unknown_stays_mandatory(
    pack: wire.Analyzer,
) -> None:
    """What is known to break a limit stops the preview, whatever else is unknown."""
    pack.profile("dev")
    said = pack.resource(good(gpu_count=8, max_replicas=UNKNOWN, memory=UNKNOWN))

    assert mandatory(said) == ["jig-gpu-count"]
    assert advisory(said) == ["jig-memory", "jig-replicas"]


def test_fact_4_an_exception_does_not_abort_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    A rule that raises is a violation that names the policy and shows no value (Case
    P2).
    """

    def broken(*_: Any, **__: Any) -> Any:
        raise KeyError("hunter" + str(2))

    monkeypatch.setattr(packs, "judge_resource", broken)
    pack = wire.local(guardrails(environ=NO_VARIABLES)).configure({})
    said = pack.resource(good())

    assert len(mandatory(said)) == 15
    assert "jig-gpu-count could not be evaluated (KeyError), so it does not pass." in (
        next(d.message for d in said if d.policyName == "jig-gpu-count")
    )
    assert all("hunter2" not in d.message for d in said)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "KeyError" in printed.err
    assert "hunter2" not in printed.err


def test_fact_5_a_quota_is_held_before_creation(pack: wire.Analyzer) -> None:
    """A deployment that takes the stack over a limit is refused as a resource."""
    pack.profile("dev")
    for name in ("a", "b"):
        assert mandatory(pack.resource(FOUR, name=name)) == []
    (said,) = [
        d
        for d in pack.resource(FOUR, name="c")
        if d.policyName == "jig-stack-gpus" and "of type" in d.message
    ]

    assert said.enforcementLevel == proto.MANDATORY
    assert said.message.endswith(
        'The deployment "c" must not take the stack over 8 GPUs of type "h100-80gb": 8 '
        "admitted already (a 4, b 4), and it asks for 4. Lower gpu_count or "
        "max_replicas, or have jig-stack-gpus.max_gpus raised."
    )


def test_a_dynamic_class_without_properties_is_judged_by_its_type() -> None:
    """What a class makes it may hold in its code, with no input to be seen."""
    pack = wire.local(guardrails()).profile("prod")

    assert mandatory(pack.resource({}, type_="pulumi-python:dynamic/acme:X")) == [
        "jig-no-bypass"
    ]
    assert pack.resource({}) == []


def test_a_resource_that_is_nested_too_deep_fills_no_screen(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """It is refused, and stderr says in a few lines where it happened."""
    pack = wire.local(guardrails()).profile("prod")
    deep: dict[str, Any] = {}
    for _ in range(150):
        deep = {"a": deep}
    refused = mandatory(pack.resource(good(extra=deep)))

    assert len(refused) == len(POLICIES)
    assert len(capfd.readouterr().err.splitlines()) < 25 * len(POLICIES)


def test_a_sum_of_money_says_its_unit_and_the_month() -> None:
    """Whoever owns the bill thinks in months; a minimum is called one."""
    pack = wire.local(guardrails()).profile("dev")
    inputs = good(gpu_count=2, min_replicas=4, max_replicas=4, autoscaling=None)
    said = " ".join(d.message for d in pack.stack((DEPLOYMENT, "a", inputs)))

    assert (
        "The stack should not have a minimum of more than 30 USD per hour, or 21900 per "
        "month; it has a minimum of 51.92 USD per hour, or 37901.6 per month (a 51.92)."
    ) in said
    assert 'The deployment "a" should not use more than 30 USD per hour' in said


def test_fact_6_stack_policies_read_inputs_and_outputs(pack: wire.Analyzer) -> None:
    """Outputs echo the inputs and hold more; what is added changes no judgement."""
    pack.profile("dev")
    outputs = good(status="Ready", ready_replicas=1, deployment_id="dep-1")

    assert mandatory(pack.stack((DEPLOYMENT, "llm", good()))) == []
    assert mandatory(pack.stack((DEPLOYMENT, "llm", outputs))) == []


def test_fact_7_a_lost_type_token_loses_no_limit(pack: wire.Analyzer) -> None:
    """A plain subclass has another type; limits hold by shape, and it is named."""
    pack.profile("dev")
    said = pack.resource(good(gpu_count=8), type_=RAW)

    assert mandatory(said) == ["jig-gpu-count", "jig-no-bypass"]


def test_fact_8_configured_keys_keep_the_level() -> None:
    """Keys without a level would make the policy advisory; a level always stands there."""
    arguments = guardrails({"gpu-count": {"max_per_replica": 1}}, environ=NO_VARIABLES)
    initial = arguments["initial_config"]

    assert initial == {
        "jig-gpu-count": {
            "enforcementLevel": EnforcementLevel.MANDATORY,
            "max_per_replica": 1,
        }
    }
    said = wire.local(arguments).configure({}).resource(good(gpu_count=2))
    assert "jig-gpu-count" in mandatory(said)


def test_fact_9_nothing_is_remediated(pack: wire.Analyzer) -> None:
    """Remediation would lose secret markers, so there is none."""
    answer = pack._call("Remediate", wire.request(good()))

    assert list(answer.remediations) == []


def test_fact_10_no_message_shows_a_secret(pack: wire.Analyzer) -> None:
    """Secrets arrive in clear and leave in no message."""
    pack.profile("prod")
    canary = "canary-5521"
    said = pack.resource(
        good(
            gpu_type=secret(canary + " x"),
            gpu_count=secret(canary),
            image=secret(f"user:{canary}@evil.com/x"),
            environment_variables={"HF_TOKEN": secret(canary)},
            args=["--api-key", secret(canary)],
            health_check_path=secret(canary),
            memory=secret(canary),
            autoscaling={"metric": secret(canary + "!")},
            extra={"gpu_count": secret(canary)},
        ),
        provider={"jig:apiKey": canary, "jig:baseUrl": f"https://u:{canary}@evil.com"},
    )

    assert len(mandatory(said)) >= 8
    assert all(canary not in d.message for d in said)


def test_fact_11_disabled_policies_say_nothing(pack: wire.Analyzer) -> None:
    """A disabled policy is not asked."""
    pack.configure({"all": "disabled"})

    assert pack.resource(good(gpu_count=64)) == []
    assert pack.stack((DEPLOYMENT, "llm", good(gpu_count=64))) == []


def test_fact_12_building_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """The engine reads the port from stdout, so nothing else may be printed there."""
    pack = wire.local(guardrails(profiles=PROFILES, environ=NO_VARIABLES))
    pack.profile("dev").resource(good(gpu_count=8))

    assert capsys.readouterr().out == ""


# --- Advice from mandatory policies ---------------------------------------------------------


def test_the_sdk_keeps_the_response_where_it_is_looked_for() -> None:
    """The bridge to the installed SDK stands; if this fails, advice is told clumsily."""
    arguments = guardrails(environ=NO_VARIABLES)
    seen = []
    policy = ResourceValidationPolicy(
        name="probe",
        description="A probe.",
        validate=lambda _, report: seen.append(bridge.cells_of(report)),
    )
    arguments["policies"] = [policy]
    wire.local(arguments).configure({}).resource(good())

    (cells,) = seen
    assert list(cells["response"].diagnostics) == []
    assert cells["enforcement_level"] is EnforcementLevel.MANDATORY
    assert bridge.Reporter(lambda _m, _u=None: None).configuration() is None
    assert set(getattr(cells["self"], bridge._CONFIG)) == {"probe"}


def test_an_unknown_is_named_and_stops_nothing(pack: wire.Analyzer) -> None:
    """
    A mandatory policy names what it could not judge as an advisory (Case P1, peers' bug
    61).
    """
    pack.profile("dev")
    said = pack.resource(good(memory=UNKNOWN))
    (only,) = [d for d in said if d.policyName == "jig-memory"]

    assert only.enforcementLevel == proto.ADVISORY
    assert "memory is not known yet" in only.message
    assert "judged again before anything is created." in only.message


def test_without_the_bridge_advice_is_still_advice(
    pack: wire.Analyzer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the SDK hides its response, its own way to tell unknowns is used."""
    monkeypatch.setattr(bridge, "cells_of", lambda _: {})
    pack.profile("dev")
    said = pack.resource(good(memory=UNKNOWN))
    (only,) = [d for d in said if d.policyName == "jig-memory"]

    assert only.enforcementLevel == proto.ADVISORY
    assert "memory is not known yet" in only.message


def test_without_the_bridge_a_violation_stays_one(
    pack: wire.Analyzer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clumsy way loses no violation of the same policy."""
    monkeypatch.setattr(bridge, "cells_of", lambda _: {})
    pack.profile("dev")
    said = pack.resource(good(max_replicas=9, min_replicas=UNKNOWN))

    assert "jig-replicas" in mandatory(said)
    assert "jig-replicas" in advisory(said)


@pytest.mark.parametrize(
    "report", [print, lambda _: None, len], ids=["builtin", "lambda", "c"]
)
def test_the_bridge_is_looked_for_never_assumed(report: Any) -> None:
    """Any other reporting function is answered with "not found"."""
    assert "response" not in bridge.cells_of(report)


# --- Environments, levels, configuration ---------------------------------------------------


def test_the_stack_of_the_urn_chooses_the_keys(pack: wire.Analyzer) -> None:
    """Without a file, a stack gets the profile of its name."""
    pack.configure({})
    request = good(gpu_count=4)

    assert mandatory(pack.resource(request, stack="dev")) == ["jig-gpu-count"]
    assert mandatory(pack.resource(request, stack="staging")) == []


def test_a_stack_that_no_profile_names_gets_the_strictest(pack: wire.Analyzer) -> None:
    """An unknown environment is not a free one."""
    pack.configure({})
    request = good(image="registry.together.ai/p/llm:1")

    assert mandatory(pack.resource(request, stack="qa")) == ["jig-image"]
    assert mandatory(pack.resource(request, stack="dev")) == []


def test_the_environment_key_names_another_profile(pack: wire.Analyzer) -> None:
    """A stack of any name can be told which environment it is."""
    pack.configure({"jig-gpu-count": {"environment": "prod"}})

    said = mandatory(pack.resource(good(gpu_count=8), stack="dev"))
    assert "jig-gpu-count" not in said


def test_a_file_wins_over_the_profile_key_by_key(pack: wire.Analyzer) -> None:
    """What the file says counts, what it leaves out comes from the profile."""
    pack.configure({"jig-gpu-count": {"max_per_replica": 1}})

    assert mandatory(pack.resource(good(gpu_count=2))) == ["jig-gpu-count"]
    assert mandatory(pack.resource(good(gpu_count=1, max_replicas=8, min_replicas=5)))[
        :1
    ] == ["jig-gpu-count"]


@pytest.mark.parametrize(
    ("stack", "expected"),
    [("dev", "ADVISORY"), ("prod", "MANDATORY"), ("", "MANDATORY")],
)
def test_the_stack_of_the_process_chooses_the_levels(stack: str, expected: str) -> None:
    """Levels come from the profile of the stack's name, and are strict without one."""
    environ = {"PULUMI_STACK": stack} if stack else {}
    info = wire.local(guardrails(profiles=PROFILES, environ=environ)).info
    levels = {
        p.name: proto.EnforcementLevel.Name(p.enforcementLevel) for p in info.policies
    }

    assert expected == levels["jig-health-check"]


def test_a_wrong_key_in_a_file_is_a_violation(pack: wire.Analyzer) -> None:
    """The engine lets unknown keys pass; the policy does not."""
    pack.configure({"jig-gpu-count": {"max_per_replcia": 4}})
    (only,) = pack.resource(good())

    assert only.enforcementLevel == proto.MANDATORY
    assert "max_per_replcia is not a key of this policy (did you mean" in only.message


def test_guardrails_take_levels_and_keys() -> None:
    """The composable form: a level for all, levels and keys for single policies."""
    arguments = guardrails(
        {
            "all": "advisory",
            "gpu-count": {"max_per_replica": 1},
            "jig-image": "disabled",
        },
        environ=NO_VARIABLES,
    )
    pack = wire.local(arguments).configure({})
    said = pack.resource(good(gpu_count=2, image="nginx"), protect=False)

    assert mandatory(said) == []
    assert {"jig-gpu-count", "jig-protect"} <= set(advisory(said))
    assert "jig-image" not in advisory(said)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"gpu-cuont": "mandatory"}, 'did you mean "jig-gpu-count"'),
        ({"gpu-count": {"max": 1}}, "max is not a key"),
        ({"gpu-count": "strict"}, "must have a level"),
        ({"all": "strict"}, "all must be one of"),
    ],
)
def test_guardrails_refuse_what_they_do_not_know(
    config: dict[str, Any], expected: str
) -> None:
    """A typo in code is an error when the pack is built."""
    with pytest.raises(ConfigError, match=expected):
        guardrails(config, environ=NO_VARIABLES)


def test_two_policies_of_one_name_are_refused() -> None:
    """The SDK accepts duplicates and configures one of them; this does not."""
    mine = ResourceValidationPolicy(
        name="jig-image", description="Mine.", validate=lambda _args, _report: None
    )

    with pytest.raises(ConfigError, match="Two policies are named jig-image"):
        policies(extra=[mine], environ=NO_VARIABLES)


def test_policies_of_a_team_stand_beside_ours() -> None:
    """A pack may add policies of its own."""
    mine = ResourceValidationPolicy(
        name="team-rule",
        description="Mine.",
        validate=lambda _args, report: report("No."),
    )
    pack = wire.local(guardrails(extra=[mine], environ=NO_VARIABLES)).configure({})

    assert "team-rule" in mandatory(pack.resource(good()))


# --- Exemptions, addresses, options ------------------------------------------------------------


@pytest.mark.parametrize(
    ("today", "level"), [("2026-12-31", "ADVISORY"), ("2027-01-01", "MANDATORY")]
)
def test_an_exemption_ends_on_the_day_after(today: str, level: str) -> None:
    """It is shown as an advisory while it lasts, and is a violation from then on."""
    exempt = [
        {"name": "ll?", "reason": "load test", "owner": "ml", "expires": "2026-12-31"}
    ]
    pack = wire.local(
        guardrails(
            {"gpu-count": {"exempt": exempt}},
            profiles=PROFILES,
            clock=day(today),
            environ=NO_VARIABLES,
        )
    ).configure({})
    said = [
        d for d in pack.resource(good(gpu_count=8)) if d.policyName == "jig-gpu-count"
    ]

    assert {level} == {proto.EnforcementLevel.Name(d.enforcementLevel) for d in said}
    assert all("2026-12-31" in d.message for d in said)


@pytest.mark.parametrize(
    ("provider", "environ", "expected"),
    [
        ({}, {}, []),
        ({"jig:baseUrl": "https://api.together.ai/v1"}, {}, []),
        ({"jig:baseUrl": "https://evil.example"}, {}, ["jig-no-bypass"]),
        ({}, {"TOGETHER_BASE_URL": "https://evil.example"}, ["jig-no-bypass"]),
        (
            {"jig:baseUrl": "https://evil.example"},
            {"TOGETHER_BASE_URL": "https://api.together.ai"},
            ["jig-no-bypass"],
        ),
        (
            {"jig:baseUrl": "https://api.together.ai"},
            {"TOGETHER_BASE_URL": "https://evil.example"},
            [],
        ),
        (
            {},
            {"PULUMI_CONFIG": '{"jig:baseUrl": "https://evil.example"}'},
            ["jig-no-bypass"],
        ),
        ({"jig:baseUrl": secret("https://evil.example")}, {}, ["jig-no-bypass"]),
        ({"jig:baseUrl": "https://u:p@api.together.ai"}, {}, ["jig-no-bypass"]),
    ],
)
def test_the_address_is_the_one_that_will_be_used(
    provider: dict[str, Any], environ: dict[str, str], expected: list[str]
) -> None:
    """A provider's own address comes first, then the stack's, then the environment's."""
    arguments = guardrails(profiles=PROFILES, environ=environ)
    pack = wire.local(arguments).configure({})

    assert expected == mandatory(pack.resource(good(), provider=provider))


def test_an_unknown_address_is_named(pack: wire.Analyzer) -> None:
    """An address that a preview does not know cannot be judged."""
    pack.profile("dev")
    said = pack.resource(good(), provider={"jig:baseUrl": UNKNOWN})

    assert advisory(said) == ["jig-no-bypass"]


def test_protection_and_ignored_changes_are_read(pack: wire.Analyzer) -> None:
    """Resource options reach the rule."""
    pack.profile("prod")

    assert mandatory(pack.resource(good(), protect=False)) == ["jig-protect"]
    assert mandatory(pack.resource(good(), ignore_changes=("gpu_count",))) == [
        "jig-protect"
    ]


# --- Quotas -----------------------------------------------------------------------------------------


def test_what_is_refused_counts_nothing(pack: wire.Analyzer) -> None:
    """After a refusal, what fits is still admitted."""
    pack.profile("dev")
    assert mandatory(pack.resource(FOUR, name="a")) == []
    assert mandatory(pack.resource(good(gpu_count=8), name="b")) == ["jig-gpu-count"]
    assert mandatory(pack.resource(FOUR, name="c")) == []
    assert "jig-stack-gpus" in mandatory(pack.resource(FOUR, name="d"))
    assert mandatory(pack.resource(good(gpu_type="none", gpu_count=0), name="e")) == []


def test_a_deployment_that_is_asked_about_twice_counts_once(
    pack: wire.Analyzer,
) -> None:
    """The running total goes by URN."""
    pack.profile("dev")

    for _ in range(5):
        assert mandatory(pack.resource(FOUR, name="a")) == []


def test_what_one_quota_refuses_counts_in_no_other() -> None:
    """A deployment that costs too much leaves its GPUs to others."""
    arguments = guardrails(
        {"stack-cost": {"max_deployment_usd_per_hour": 20}},
        profiles=PROFILES,
        environ=NO_VARIABLES,
    )
    pack = wire.local(arguments)
    pack.configure({"jig-stack-cost": {"enforcementLevel": "mandatory"}})
    assert mandatory(pack.resource(FOUR, name="a")) == ["jig-stack-cost"]
    for name in ("b", "c"):
        small = good(max_replicas=3)
        assert mandatory(pack.resource(small, name=name)) == []


def test_an_advisory_quota_counts_what_it_lets_pass(pack: wire.Analyzer) -> None:
    """What an advisory says and does not stop is created, and so it counts."""
    pack.profile("dev")
    pack.configure(
        {
            **wire.profile_of_today("dev"),
            "jig-stack-gpus": {"enforcementLevel": "advisory"},
            "jig-stack-memory": "disabled",
            "jig-stack-cost": "disabled",
        }
    )
    for name in ("a", "b"):
        pack.resource(FOUR, name=name)
    over = [pack.resource(FOUR, name=name) for name in ("c", "d")]

    assert all("jig-stack-gpus" in advisory(said) for said in over)
    (message,) = [
        d.message
        for d in over[1]
        if "in total" in d.message
        and "GPUs" in d.message
        and d.policyName == "jig-stack-gpus"
    ]
    assert "12 admitted already" in message
    assert " should not " in message
    assert " must " not in message


def test_a_run_without_properties_is_not_judged(pack: wire.Analyzer) -> None:
    """What `--target` leaves out comes without its properties and breaks no limit."""
    answer = pack.profile("prod").analyze(wire.request({}))

    assert list(answer.diagnostics) == []
    assert len(answer.not_applicable) == 18


def test_the_end_of_an_update_says_that_it_bills() -> None:
    """A violation that is found when everything runs says so."""
    for dry, expected in (("false", True), ("true", False)):
        environ = {"PULUMI_STACK": "dev", "PULUMI_DRY_RUN": dry}
        pack = wire.local(guardrails(profiles=PROFILES, environ=environ)).configure({})
        said = pack.stack((DEPLOYMENT, "llm", good(gpu_count=8, max_replicas=2)))
        over = [d for d in said if d.policyName == "jig-stack-gpus"]
        assert over
        assert all(("runs and bills" in d.message) is expected for d in over)


def test_growth_is_judged_against_the_state(tmp_path: Path) -> None:
    """The file that PULUMI_JIG_BASELINE names says what there was."""
    state = tmp_path / "before.json"
    entry = {"urn": wire.urn_of(DEPLOYMENT, "a"), "type": DEPLOYMENT, "outputs": good()}
    state.write_text(json.dumps({"version": 3, "deployment": {"resources": [entry]}}))
    environ = {"PULUMI_JIG_BASELINE": str(state)}
    config = {"stack-gpus": {"max_growth": 1}}
    pack = wire.local(guardrails(config, profiles=PROFILES, environ=environ))
    pack.configure({})

    assert mandatory(pack.resource(good(max_replicas=3))) == []
    (said,) = [
        d
        for d in pack.resource(good(max_replicas=4))
        if d.policyName == "jig-stack-gpus"
    ]
    assert (
        "must not grow by more than 1 GPUs in one run; the state holds 2"
        in said.message
    )


def test_growth_without_a_state_is_not_known() -> None:
    """A limit on growth is named where nobody says what there was, or refuses."""
    for unknown, expected in (("warn", []), ("deny", ["jig-stack-gpus"])):
        config = {"stack-gpus": {"max_growth": 1, "unknown": unknown}}
        pack = wire.local(guardrails(config, profiles=PROFILES, environ=NO_VARIABLES))
        pack.configure({})
        assert mandatory(pack.resource(good())) == expected
        assert "jig-stack-gpus" in {
            d.policyName for d in pack.stack((DEPLOYMENT, "llm", good()))
        }


@pytest.mark.parametrize("spec", POLICIES, ids=lambda spec: spec.name)
def test_every_policy_can_be_configured_away_or_on(spec: Any) -> None:
    """Each takes a level and common keys through the engine's own file."""
    assert find(spec.name) is spec
    pack = wire.local(guardrails(environ=NO_VARIABLES))
    pack.configure({spec.name: {"enforcementLevel": "advisory", "unknown": "warn"}})

    assert spec.name not in mandatory(pack.resource(good(gpu_count=64)))
