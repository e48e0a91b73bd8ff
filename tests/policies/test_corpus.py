"""The labelled corpus: every policy against every label."""

from __future__ import annotations

import json
import runpy

import corpus_cases as corpus
import pytest

from pulumi_jig.policy.findings import Kind
from pulumi_jig.policy.registry import POLICIES


def test_every_rule_agrees_with_every_label() -> None:
    """No policy says more, less or something else than a label of the corpus."""
    assert corpus.disagreements() == []


@pytest.mark.parametrize("policy", [spec.name for spec in POLICIES])
def test_precision_and_recall_are_one(policy: str) -> None:
    """A policy reports all labelled violations and no other."""
    _, labelled, right, wrong = corpus.scores()[policy]

    assert labelled > 0
    assert (right, wrong) == (labelled, 0)


def test_the_corpus_is_as_large_as_it_claims() -> None:
    """It holds at least 1,000 resources and 90 stacks, each with a reason."""
    resources, stacks = corpus.load("resources"), corpus.load("stacks")

    assert len(resources) >= 1000
    assert len(stacks) >= 90
    assert all(case["reason"] for case in (*resources, *stacks))


def test_every_label_names_a_policy() -> None:
    """A label under a misspelt policy would count for nothing, so there is none."""
    names = {spec.name for spec in POLICIES}
    cases = (*corpus.load("resources"), *corpus.load("stacks"))

    assert {p for case in cases for p in case["expect"]} <= names
    assert {p for case in cases for p in case.get("config", {})} <= names


def test_cases_have_ids_of_their_own() -> None:
    """No two cases share an id, so a disagreement points at one."""
    ids = [c["id"] for c in (*corpus.load("resources"), *corpus.load("stacks"))]

    assert len(ids) == len(set(ids))


def test_the_committed_files_are_what_the_tables_say() -> None:
    """Writing the corpus again changes nothing."""
    module = runpy.run_path(str(corpus.CORPUS / "write_corpus.py"))

    for name, key in (("resources", "RESOURCES"), ("stacks", "STACKS")):
        assert json.loads(json.dumps(module[key])) == corpus.load(name)


def test_the_tables_do_not_call_the_rules() -> None:
    """What lays out the labels imports nothing of the package."""
    for name in ("write_corpus.py", "second_table.py", "third_table.py"):
        source = (corpus.CORPUS / name).read_text()

        assert "pulumi_jig.policy" not in source
        assert "import pulumi" not in source


def test_every_message_says_what_to_do() -> None:
    """A violation is a sentence with a subject, followed by one with a remedy."""
    for _, said in corpus.everything():
        for findings in said.values():
            for message in (f.message for f in findings if f.kind is Kind.VIOLATION):
                assert message.startswith(("The ", "Exempt until ")), message
                assert message.rstrip(")").endswith("."), message
                assert len(message.split(". ")) >= 2, message


def test_no_message_shows_a_value() -> None:
    """Whatever is in a variable or an argument, no message repeats it."""
    for case, findings in corpus.everything():
        if not case["family"].startswith(
            ("env-", "args", "command", "desc", "extra", "third-")
        ):
            continue
        said = " ".join(f.message for fs in findings.values() for f in fs)
        for secret in (
            "abc123",
            "hunter2",
            "hf_aB3d",
            "AKIAABCD",
            "MIIE",
            "sk-a1B2",
            "a1B2c3D4",
        ):
            assert secret not in said
