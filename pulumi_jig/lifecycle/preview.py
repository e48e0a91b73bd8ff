"""
Looks at the service during a preview.

A preview changes nothing and must work without a network, so these looks are short, and
one that fails is not repeated for every resource of a stack.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.errors import AuthenticationError, ConfigError, JigError
from pulumi_jig.lifecycle.deployment.identity import require_account
from pulumi_jig.lifecycle.deployment.inputs import ACCOUNT
from pulumi_jig.lifecycle.invocation import PREVIEW_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.lifecycle.invocation import Invocation

#: Seconds for which a service that did not answer is not asked again.
_SILENCE: Final = 60.0

_lock = threading.Lock()
_silent_until = 0.0


def require_same_account(state: Mapping[str, Any], inv: Invocation) -> None:
    """
    Refuse to move a resource to a provider of another account.

    Best effort: where the service cannot be asked, the update will find out.

    Raises:
        ConfigError: The key belongs to another account than the state remembers.
        AuthenticationError: The key was rejected.
    """
    global _silent_until  # noqa: PLW0603 - one memory per process
    if not isinstance(state.get(ACCOUNT), str):
        return
    with _lock:
        if time.monotonic() < _silent_until:
            return
    try:
        require_account(state, inv, inv.context(PREVIEW_TIMEOUT, fixed=True))
    except (ConfigError, AuthenticationError):
        raise
    except JigError:
        with _lock:
            _silent_until = time.monotonic() + _SILENCE
