"""
The host bridge: all that is not in the contract of a Python dynamic provider.

Pulumi hosts a dynamic provider in `python -m pulumi.dynamic` and hands its methods
dictionaries: no URN, no time limit, no way to report a half-finished creation, four
threads for all resources of a stack. The engine sends and accepts all of that; only the
host in between drops it. This module takes it from the host's own stack frames and from
its gRPC context.

Each trick is looked for before it is used, and degrades to what a plain dynamic provider
can do:

    trick                       without it
    request fields (URN, ...)   no mark, default time limits, state instead of inputs
    partial state               a create keeps its state marked `__unready`, diff
                                demands an update, stderr says why; an update fails
                                and the state stays as it was
    clean errors                the host's own traceback, ending in the message
    wider thread pool           four operations at a time
    live progress               none
    engine still there?         taken to be there
    Ctrl-C heard                a wait goes on to its time limit
    leaving when alone          the process idles until somebody ends it
    standard library first      a program's `secrets.py` stands in its way

`PULUMI_JIG_PLAIN_HOST=1` turns all of them off. Every one is pinned by a test against
the installed SDK. No other module knows that frames exist.

    frames      the host's stack, and the switch that turns all of this off
    calls       the request that is being answered, and how it ends
    engine      messages to the engine, and whether it is still there
    cancel      Ctrl-C
    alone       the end of a process whose engine is gone
    threads     the pool
    imports     where modules are found
    values      Pulumi's form of data, and plain data
"""

from __future__ import annotations

from pulumi_jig.host.alone import leave_when_alone
from pulumi_jig.host.calls import Call, HostError, current_call, guarded
from pulumi_jig.host.cancel import cancelled, hear_cancel
from pulumi_jig.host.frames import PLAIN_VARIABLE
from pulumi_jig.host.imports import find_standard_library_first
from pulumi_jig.host.threads import widen
from pulumi_jig.host.values import from_pulumi, to_pulumi

__all__ = [
    "PLAIN_VARIABLE",
    "Call",
    "HostError",
    "cancelled",
    "current_call",
    "find_standard_library_first",
    "from_pulumi",
    "guarded",
    "hear_cancel",
    "leave_when_alone",
    "to_pulumi",
    "widen",
]
