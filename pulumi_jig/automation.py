"""
What a program that drives stacks by Pulumi's Automation API needs to know of us.

Under an inline program, Pulumi starts the plugin of a dynamic provider with whatever
`python3` comes first on PATH, which need not have this package ("No module named
'pulumi'"). `plugin_environment` names this very Python instead, and
`create_or_select_stack` is Pulumi's own with that environment. `Reasons` keeps the few
sentences that say why an operation failed, since the SDK's error holds all that the
command has printed.

It refuses to go on where the `pulumi` command is missing, or where Python cannot say
which it is: the failure would come later, and with a traceback.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import TYPE_CHECKING, Final

from pulumi import automation

from pulumi_jig.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi.automation.events import EngineEvent

#: The variable by which Pulumi's scripts find Python where a project names none.
PYTHON: Final = "PULUMI_PYTHON_CMD"

_COLOUR: Final = re.compile(r"<\{%[^%]*%\}>")
# What the command says at its end, whatever has happened before, and what its Python
# host says of a program that it has stopped.
_EMPTY_WORDS: Final = re.compile(
    r"(update|preview|refresh|destroy) failed"
    r"|an unhandled error occurred: program exited with non-zero exit code: \d+"
    r"|preview failed.*|Traceback \(most recent call last\).*KeyboardInterrupt",
    re.DOTALL,
)


def plugin_environment(env_vars: Mapping[str, str] | None = None) -> dict[str, str]:
    """
    Environment variables under which the plugin runs in the Python of this process.

    Give them to a workspace (`LocalWorkspaceOptions(env_vars=...)`) whose program is
    inline, or whose `Pulumi.yaml` names no `virtualenv`.

    Args:
        env_vars: Others to add; they win.

    Raises:
        ConfigError: This Python does not know where it is (it is embedded).
    """
    if not sys.executable:
        raise ConfigError(
            "This Python does not say where its command is, so the provider could not "
            f"be started with it; set {PYTHON} to a Python that has pulumi_jig."
        )
    return {PYTHON: sys.executable, **(env_vars or {})}


def create_or_select_stack(
    stack_name: str,
    project_name: str,
    program: automation.PulumiFn,
    *,
    work_dir: str | os.PathLike[str] | None = None,
    env_vars: Mapping[str, str] | None = None,
) -> automation.Stack:
    """
    A stack of an inline program whose provider runs in the Python of this process.

    Args:
        stack_name: The stack; it is made where it does not exist.
        project_name: Its project.
        program: What declares the resources.
        work_dir: A folder with a `Pulumi.yaml` and `Pulumi.<stack>.yaml` files; by
            default a temporary one.
        env_vars: Environment variables for the command and its plugins; the process's
            own are handed on as well.

    Raises:
        ConfigError: There is no `pulumi` command on PATH, or this Python does not know
            where it is.
    """
    if shutil.which("pulumi") is None:
        raise ConfigError(
            "The `pulumi` command is not on PATH, and the Automation API drives it; "
            "see https://www.pulumi.com/docs/iac/download-install/."
        )
    folder = None if work_dir is None else os.fspath(work_dir)
    return automation.create_or_select_stack(
        stack_name,
        project_name,
        program,
        opts=automation.LocalWorkspaceOptions(
            work_dir=folder, env_vars=plugin_environment(env_vars)
        ),
    )


class Reasons:
    """
    Why an operation failed, in its own few sentences.

    Give one to an operation as `on_event`; after a failure, `sentences` has the errors
    of the resources and the mandatory violations, each once, in their order.
    """

    def __init__(self) -> None:
        self.sentences: list[str] = []
        """One for each error."""

    def __call__(self, event: EngineEvent) -> None:
        """Take down what an event complains about."""
        told = event.diagnostic_event
        if told is not None and told.severity == "error":
            self._add(_name(told.urn), told.message)
        violated = event.policy_event
        if violated is not None and violated.enforcement_level == "mandatory":
            # The first line is the policy's own description.
            said = violated.message.strip().splitlines()[-1]
            self._add(_name(violated.resource_urn), f"{violated.policy_name}: {said}")

    def _add(self, name: str, message: str) -> None:
        text = _COLOUR.sub("", message).strip().removeprefix("error: ").strip()
        if not text or _EMPTY_WORDS.fullmatch(text):
            return
        sentence = f"{name}: {text}" if name else text
        if sentence not in self.sentences:
            self.sentences.append(sentence)


def _name(urn: str | None) -> str:
    return (urn or "").rpartition("::")[2]
