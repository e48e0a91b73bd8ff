"""Commands, and the real engine with colour on, when the service's texts are hostile."""

from __future__ import annotations

import json
import subprocess
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest
from programs import CANARY, Engine, clean_environment
from spoiler import Spoiler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from programs import Workspace

    from pulumi_jig.emulator import RunningEmulator

ARGUMENT = "canary-argument-0123456789"
HOSTILE = f"%}}> <{{%bogus%}}> \x1b[2J\x07\u202e\u2028 {CANARY} {ARGUMENT} <{{%"
PROGRAM = """
    config = pulumi.Config()
    token, argument = config.require_secret("token"), config.require_secret("argument")
    one = Deployment(
        "llm", image="registry.example/IMAGE:1", gpu_type="none", name="llm-one",
        command=["serve", argument], description="What it is for.",
        environment_variables={"TOKEN": token, "MODE": "fast"},
    )
    pulumi.export("status", one.status)
    pulumi.export("description", one.description)
"""
#: What an operation needs as it is to get on.
STRUCTURE = {"id", "name", "status", "image", "replica_status", "gpu_type", "value"}


def hostile(value: Any, key: str = "") -> Any:
    """An answer with hostile words in every text but those that decide something."""
    if isinstance(value, dict):
        return {k: hostile(item, k) for k, item in value.items()}
    if isinstance(value, list):
        return [hostile(item, key) for item in value]
    if not isinstance(value, str) or key in STRUCTURE:
        return value
    # The mark is at the end, and is to be read.
    return f"{HOSTILE} {value}"


def told(item: Any) -> Any:
    """The same, and a replica that says something beside its reason."""
    shown = hostile(item)
    events = shown.get("replica_events") if isinstance(shown, dict) else None
    for event, true in zip(
        (events or {}).values(),
        (item.get("replica_events") or {}).values() if events else (),
        strict=True,
    ):
        event |= {k: v for k, v in true.items() if k == "replica_status_reason"}
        event["replica_status_message"] = HOSTILE
    return shown


def bad(text: str) -> list[str]:
    """What of an output is not for people to read."""
    found = [c for c in text if unicodedata.category(c)[0] == "C" and c not in "\n\t"]
    found += [mark for mark in ("<{%", "%}>", "\u2028") if mark in text]
    return found + [c for c in (CANARY, ARGUMENT) if c in text]


@pytest.fixture
def spoiler(emulator: RunningEmulator) -> Iterator[Spoiler]:
    """The service, with somebody in between."""
    with Spoiler(emulator.url) as running:
        yield running


class TestCommands:
    """On the rehearsed stack."""

    @pytest.mark.parametrize("spoil", [hostile, told], ids=["texts", "reasons"])
    def test_every_command_is_harmless(
        self, workspace: Workspace, spoiler: Spoiler, spoil: Callable[[Any], Any]
    ) -> None:
        """What they print, and what the state holds, commands and repeats nothing."""
        workspace.url = spoiler.url
        workspace.secrets = {"token": CANARY, "argument": ARGUMENT}
        workspace.write(PROGRAM.replace("IMAGE", "app"))
        with workspace.stack() as stack:
            stack.up().raise_if_failed()
            spoiler.spoil = spoil
            results = [stack.refresh()]
            workspace.write(PROGRAM.replace("IMAGE", "crashloop"))
            results.append(stack.up())
            export = json.dumps(stack.export(), ensure_ascii=False)
        said = [d.message for result in results for d in result.diagnostics]
        file = ("--file", str(workspace.state))
        for command in (
            ("drift", *file),
            ("drift", "--json", *file),
            ("orphans", *file),
            ("orphans", "--json", *file),
            ("recover", *file),
            ("recover", "--json", *file),
        ):
            done = workspace.jig(*command)
            said += [done.stdout, done.stderr]
        said.append(workspace.jig("import", "llm-one", "--take-marked").stderr)

        assert [] == [(text, bad(text)) for text in said if bad(text)]
        assert CANARY not in export
        assert ARGUMENT not in export
        assert "<{%" not in export
        assert "\\u001b" not in export


class TestSecretArguments:
    """On the rehearsed stack."""

    def test_drift_shows_no_argument_that_is_a_secret(
        self, workspace: Workspace, spoiler: Spoiler
    ) -> None:
        """Neither the declared value nor the live one, for people or for programs."""
        workspace.url = spoiler.url
        workspace.secrets = {"token": CANARY, "argument": ARGUMENT}
        workspace.write(PROGRAM.replace("IMAGE", "app"))
        with workspace.stack() as stack:
            stack.up().raise_if_failed()
            readable = stack.export(show_secrets=True)
        clear = workspace.folder / "clear.json"
        clear.write_text(json.dumps(readable))

        def meddle(item: Any) -> Any:
            if isinstance(item, dict) and "command" in item:
                item["command"] = ["serve", ARGUMENT, "--more", "live-and-secret"]
            return item

        spoiler.spoil = meddle
        for state in (workspace.state, clear):
            for flags in ((), ("--json",)):
                done = workspace.jig("drift", "--file", str(state), *flags)
                assert done.returncode in (0, 1), done.stderr
                assert "live-and-secret" not in done.stdout
                assert ARGUMENT not in done.stdout
        assert "has another value live than is declared" in done.stdout


class TestEngine:
    """With the real `pulumi` command, in colour."""

    pytestmark = pytest.mark.engine

    def test_no_text_makes_the_engine_panic(
        self, engine: Engine, spoiler: Spoiler
    ) -> None:
        """It colours what it prints, and ends in the error that there is."""
        engine.url = spoiler.url

        def pulumi(*args: str) -> str:
            done = subprocess.run(
                ["pulumi", "--non-interactive", "--color", "always", *args],
                cwd=engine.folder,
                env={**clean_environment(), **engine.env},
                capture_output=True,
                text=True,
            )
            said = done.stdout + done.stderr
            assert "panic" not in said, said
            assert "Unrecognized color code" not in said
            return said

        for key, value in (("token", CANARY), ("argument", ARGUMENT)):
            engine.pulumi("config", "set", "--secret", key, value)
        engine.write(PROGRAM.replace("IMAGE", "app"))
        pulumi("up", "--yes", "--skip-preview")
        spoiler.spoil = told
        said = pulumi("refresh", "--yes", "--diff")
        engine.write(PROGRAM.replace("IMAGE", "crashloop"))
        said += pulumi("up", "--yes", "--diff", "--skip-preview")
        assert "keeps crashing" in said
        said += pulumi("stack", "output")
        said += pulumi("preview", "--diff")
        state = engine.pulumi("stack", "export").stdout

        for text in (said, state):
            assert CANARY not in text
            assert ARGUMENT not in text
            assert "\u202e" not in text
            assert "\x1b[2J" not in text
        # The lock was given back, as a panic does not.
        spoiler.spoil = None
        assert "locked" not in pulumi("destroy", "--yes", "--skip-preview")
