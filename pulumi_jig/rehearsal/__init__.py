"""
Preview, up, refresh and destroy of a Pulumi Python program without the `pulumi` command.

A test harness, not an engine. Names are loaded when they are used, since pytest loads
this package for its fixtures in every session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pulumi_jig.rehearsal.errors import RehearsalError
    from pulumi_jig.rehearsal.harness import Rehearsal
    from pulumi_jig.rehearsal.recording import Call, Recorder
    from pulumi_jig.rehearsal.results import (
        Diagnostic,
        Outputs,
        Result,
        Step,
        Violation,
    )

__all__ = [
    "Call",
    "Diagnostic",
    "Outputs",
    "Recorder",
    "Rehearsal",
    "RehearsalError",
    "Result",
    "Step",
    "Violation",
]

_HOMES = {
    "Rehearsal": "harness",
    "RehearsalError": "errors",
    "Call": "recording",
    "Recorder": "recording",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    import os
    from importlib import import_module

    # Set before gRPC is loaded: it would log the end of every plugin to stderr.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'results')}"), name)
