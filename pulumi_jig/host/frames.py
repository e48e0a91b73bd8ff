"""
The stack frames of the plugin host, and the switch that turns the bridge off.

The host calls a provider's methods without saying what it was asked; what it was asked
stands in its own frames, further up this thread's stack.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

PLAIN_VARIABLE: Final = "PULUMI_JIG_PLAIN_HOST"


def enabled() -> bool:
    """Whether the bridge is used at all; without it a plain dynamic provider is left."""
    return os.environ.get(PLAIN_VARIABLE, "") in ("", "0")


def frames() -> Iterator[FrameType]:
    """The frames of this thread, the innermost first."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the only way there is
    while frame is not None:
        yield frame
        frame = frame.f_back
