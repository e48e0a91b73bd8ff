"""
Ctrl-C: what the engine tells its plugins, and the plugin host throws away.

At the first interrupt the engine asks every plugin to cancel and waits for what is under
way. The host answers that request and tells nobody, so a roll-out would be waited for
until its time limit; people press Ctrl-C again, the engine kills everything, and a
deployment runs that no state knows of. This module hears the request, so that a wait ends
at once, with the deployment's id in the state.

The host registered its methods before we were loaded, so replacing one has no effect;
what can be replaced is the code of the function that was registered. That is done only
where the function is the stub that it has always been.
"""

from __future__ import annotations

import sys
import threading
from types import FunctionType
from typing import Any, Final

from pulumi_jig.host.frames import enabled

#: The name under which the host's module finds what it has to tell.
_TELL: Final = "_pulumi_jig_cancelled"

_cancelled = threading.Event()


def cancelled() -> bool:
    """Whether the engine has asked this process to cancel."""
    return _cancelled.is_set()


def hear_cancel() -> bool:
    """
    Have the host tell us when the engine asks to cancel.

    Returns:
        Whether the host is one that can.
    """
    if not enabled():
        return False
    main = sys.modules.get("__main__")
    servicer = getattr(main, "DynamicResourceProviderServicer", None)
    stub = getattr(servicer, "Cancel", None)
    if not isinstance(stub, FunctionType) or not _is_stub(stub):
        return False
    stub.__globals__[_TELL] = _cancelled.set
    stub.__code__ = _telling.__code__
    return True


def _is_stub(function: FunctionType) -> bool:
    code = function.__code__
    return (
        not code.co_freevars
        and code.co_varnames == ("self", "request", "context")
        and code.co_names == ("empty_pb2", "Empty")
    )


# Names are looked up in the host's module, where this code runs.
def _telling(self: Any, request: Any, context: Any) -> Any:
    _pulumi_jig_cancelled()  # type: ignore[name-defined] # noqa: F821
    return empty_pb2.Empty()  # type: ignore[name-defined] # noqa: F821
