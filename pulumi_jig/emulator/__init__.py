"""
The deployments API on loopback: a real server with durable state, and no account.

It exists so that every example, test and demo can run a whole life of a deployment
without a key or a bill. It shares no code with the client: one misreading of the API
cannot agree with itself. It refuses to listen beyond loopback.

`start` runs it in a process of its own; `EmulatorServer` serves from this process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pulumi_jig.emulator.process import EmulatorError, RunningEmulator, start
    from pulumi_jig.emulator.server import EmulatorServer

__all__ = ["EmulatorError", "EmulatorServer", "RunningEmulator", "start"]

_HOMES = {
    "EmulatorError": "process",
    "EmulatorServer": "server",
    "RunningEmulator": "process",
    "start": "process",
}


def __getattr__(name: str) -> Any:
    """Import on first use: the server process needs no `subprocess`, tests no server."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
