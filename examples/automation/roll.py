"""
Roll an image through the environments; stop at the first that is red.

    python roll.py registry.together.ai/proj_demo/llm@sha256:...
    python roll.py --destroy

A stage is green when its limits let it pass, its update comes to serve, and its gates
are open. What comes after a red one is not touched.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pulumi.automation import CommandError
from service import service

from pulumi_jig.automation import Reasons, create_or_select_stack
from pulumi_jig.errors import JigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi.automation import Stack

HERE = Path(__file__).resolve().parent
PACK = HERE.parent.parent / "policies" / "gpu-guardrails"


@dataclass(frozen=True)
class Stage:
    """An environment; `limits` is a file for the policy pack."""

    name: str
    replicas: int
    limits: Path


STAGES = (
    Stage("dev", 1, HERE / "limits" / "dev.json"),
    Stage("staging", 1, HERE / "limits" / "staging.json"),
    Stage("prod", 2, HERE / "limits" / "prod.json"),
)


class RedError(Exception):
    """Why a stage is red."""


# --- Gates: each is asked after a stage's update, and says what is wrong, if anything.


def serves(stack: Stack) -> str | None:
    """The service says that the deployment is ready."""
    status = stack.outputs()["status"].value
    return None if status == "Ready" else f"the deployment's status is {status}"


def settled(stack: Stack) -> str | None:
    """A second preview finds nothing to do."""
    changes = stack.preview().change_summary
    left = {str(kind): count for kind, count in changes.items() if kind != "same"}
    return f"a second preview would still change something: {left}" if left else None


GATES: tuple[Callable[[Stack], str | None], ...] = (serves, settled)


# --- The roll ---------------------------------------------------------------------


def open_stack(stage: Stage, image: str) -> Stack:
    """The stage's stack, with the image that it is to run."""
    program = partial(service, image, stage.replicas)
    return create_or_select_stack(stage.name, "automation", program, work_dir=HERE)


def roll(stage: Stage, image: str) -> None:
    """
    Bring one stage to the image.

    Raises:
        RedError: It is red.
    """
    stack = open_stack(stage, image)
    packs, limits = [str(PACK)], [str(stage.limits)]
    # The preview comes first: policies on the whole stack speak in an update only when
    # everything has been made.
    for operate in (stack.preview, stack.up):
        reasons = Reasons()
        try:
            operate(on_event=reasons, policy_packs=packs, policy_pack_configs=limits)
        except CommandError as error:
            said = reasons.sentences or [str(error).strip().splitlines()[-1]]
            raise RedError("\n  ".join(said)) from None
    for gate in GATES:
        reason = gate(stack)
        if reason is not None:
            raise RedError(f"{reason}.")


def main() -> int:
    """Roll, or take everything down; 0 if all is green."""
    parser = argparse.ArgumentParser(description="Roll an image, or destroy.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("image", nargs="?", help="the image to roll, with its digest")
    what.add_argument("--destroy", action="store_true", help="take all stages down")
    options = parser.parse_args()
    try:
        if options.destroy:
            for stage in reversed(STAGES):
                open_stack(stage, "none").destroy()
                print(f"{stage.name}: gone")
            return 0
        for number, stage in enumerate(STAGES):
            print(f"{stage.name}: rolling ...", flush=True)
            try:
                roll(stage, options.image)
            except RedError as error:
                print(f"{stage.name}: red\n  {error}")
                for later in STAGES[number + 1 :]:
                    print(f"{later.name}: not touched")
                return 1
            print(f"{stage.name}: green")
    except (JigError, CommandError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
