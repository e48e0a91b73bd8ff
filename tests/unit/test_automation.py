"""What the Automation API's users get from us, without an engine."""

from __future__ import annotations

import sys

import pytest
from pulumi.automation.events import DiagnosticEvent, EngineEvent, PolicyEvent

from pulumi_jig.automation import PYTHON, Reasons, plugin_environment
from pulumi_jig.errors import ConfigError

URN = "urn:pulumi:dev::shop::pulumi-python:dynamic/jig:Deployment::llm"


def complaint(
    message: str, urn: str | None = URN, severity: str = "error"
) -> EngineEvent:
    told = DiagnosticEvent(
        urn=urn, message=message, color="", severity=severity, prefix=""
    )
    return EngineEvent(sequence=1, timestamp=1, diagnostic_event=told)


def violation(level: str) -> EngineEvent:
    told = PolicyEvent(
        message="A rule.\nThe deployment has too many.",
        color="",
        policy_name="jig-gpu-count",
        policy_pack_name="gpu-guardrails",
        policy_pack_version="1",
        policy_pack_version_tag="1",
        enforcement_level=level,
        resource_urn=URN,
    )
    return EngineEvent(sequence=1, timestamp=1, policy_event=told)


def test_the_plugin_runs_in_this_python() -> None:
    """The variable names the interpreter of this process; others are kept."""
    assert {PYTHON: sys.executable, "A": "1"} == plugin_environment({"A": "1"})


def test_the_caller_s_own_choice_of_python_wins() -> None:
    """Whoever sets the variable by hand means it."""
    assert {PYTHON: "/x/python"} == plugin_environment({PYTHON: "/x/python"})


def test_a_python_that_does_not_know_where_it_is_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One sentence says which variable to set."""
    monkeypatch.setattr(sys, "executable", "")

    with pytest.raises(ConfigError, match=PYTHON):
        plugin_environment()


def test_reasons_are_errors_without_colours_and_repetition() -> None:
    """Each once, with the resource's name; what the command says at its end is none."""
    reasons = Reasons()
    for event in (
        complaint("<{%reset%}>error: it crashes.<{%reset%}>\n"),
        complaint("it crashes."),
        complaint("only a warning", severity="warning"),
        complaint("update failed"),
        complaint(
            "an unhandled error occurred: program exited with non-zero exit code: 1"
        ),
        complaint("no stack", urn=None),
        violation("advisory"),
        violation("mandatory"),
    ):
        reasons(event)

    assert [
        "llm: it crashes.",
        "no stack",
        "llm: jig-gpu-count: The deployment has too many.",
    ] == reasons.sentences
