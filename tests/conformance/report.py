"""
What a service was seen to do, rule by rule, as text and as JSON.

A rule *holds* where each test of it passed, *differs* where one failed (with what was
seen), and was *not tried* where none ran (with the reason).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi_jig.emulator

if TYPE_CHECKING:
    import pytest

RULES = Path(pulumi_jig.emulator.__file__).with_name("RULES.md")


def rules() -> list[str]:
    """The names of all rules."""
    return re.findall(r"^\| ([A-Z]+-\d+) \|", RULES.read_text(), re.MULTILINE)


@dataclass
class Entry:
    """What was seen of one rule, or heard to one question."""

    outcomes: set[str] = field(default_factory=set)
    seen: list[str] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        for outcome in ("differs", "not tried", "holds"):
            if outcome in self.outcomes:
                return {"outcome": outcome, "seen": self.seen}
        return {"outcome": "not tried", "seen": self.seen or ["no test ran"]}


class Report:
    """A pytest plugin that collects, and writes `FILE.json` and `FILE.txt` at the end."""

    def __init__(self, path: Path, service: str) -> None:
        self._path = path
        self._service = service
        self._rules = {name: Entry() for name in rules()}
        self._questions: dict[str, Entry] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the outcome of one test."""
        if report.when == "teardown" or (report.when == "setup" and report.passed):
            return
        said: dict[str, list[str]] = {}
        for key, value in report.user_properties:
            said.setdefault(key, []).append(str(value))
        outcome = "holds" if report.passed else "differs"
        if report.skipped:
            outcome = "not tried"
        for rule in said.get("rule", []):
            entry = self._rules[rule]
            entry.outcomes.add(outcome)
            entry.seen += [
                text for text in said.get("seen", []) if text not in entry.seen
            ]
        for question in said.get("question", []):
            entry = self._questions.setdefault(question, Entry())
            entry.seen += said.get("answer", []) + said.get("seen", [])

    def plain(self) -> dict[str, Any]:
        """The whole report, as JSON has it."""
        return {
            "service": self._service,
            "date": datetime.now(UTC).date().isoformat(),
            "api_version": "v1",
            "rules": {name: entry.plain() for name, entry in self._rules.items()},
            "questions": {name: entry.seen for name, entry in self._questions.items()},
        }

    def text(self) -> str:
        """The report for a person."""
        told = self.plain()
        lines = [f"{told['service']}, API {told['api_version']}, {told['date']}", ""]
        for name, rule in told["rules"].items():
            seen = "; ".join(rule["seen"])
            lines.append(f"{name:<11} {rule['outcome']:<10} {seen}".rstrip())
        lines += ["", "Open questions"]
        for question, answers in told["questions"].items():
            lines.append(f"{question} {'; '.join(answers) or 'no answer'}")
        count: dict[str, int] = {}
        for rule in told["rules"].values():
            count[rule["outcome"]] = count.get(rule["outcome"], 0) + 1
        lines += ["", ", ".join(f"{n} {word}" for word, n in sorted(count.items()))]
        return "\n".join(lines) + "\n"

    def pytest_sessionfinish(self) -> None:
        """Write it, also after an interrupt."""
        self._path.with_suffix(".json").write_text(json.dumps(self.plain(), indent=2))
        self._path.with_suffix(".txt").write_text(self.text())
