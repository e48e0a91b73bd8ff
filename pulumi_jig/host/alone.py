"""
A plugin whose engine is gone ends itself.

A plugin outlives a killed run: it is in a process group of its own, and the plugin host
waits for calls that never come. What was asked of it has stopped by then (no request is
begun for an engine that is gone), but the process would idle until somebody ends it.

It refuses to cut anything short: as long as any call is being answered, ours or that of
another dynamic provider in the same process, it waits. Where the host is not one whose
threads can be told apart, nothing is done.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

from pulumi_jig.host.engine import the_engine
from pulumi_jig.host.frames import enabled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

#: Seconds between two looks.
LOOK_EVERY: Final = 1.0
#: Seconds for which the host may take its leave, before the process is ended.
FAREWELL: Final = 10.0

_watching = threading.Lock()


def leave_when_alone() -> bool:
    """
    Have this process end once the engine that started it is gone and nothing runs.

    Returns:
        Whether it is watched for: there is an engine, and a pool of threads to look at.
    """
    if not enabled() or the_engine().address is None or not any(_pool_threads()):
        return False
    # One watcher is enough, however many providers are configured.
    if _watching.acquire(blocking=False):
        threading.Thread(target=_watch, name="engine-watch", daemon=True).start()
    return True


def _watch() -> None:
    quiet = 0
    # Twice, since threads go on while their stacks are looked at.
    while quiet < 2:
        time.sleep(LOOK_EVERY)
        quiet = 0 if the_engine().alive() or busy() else quiet + 1
    _leave()


def _leave() -> None:
    """End the process, the way a Ctrl-C does where it is heard."""
    main = threading.main_thread().ident
    # The host stops its server then, and exit hooks run. A process that was started in
    # the background ignores Ctrl-C.
    if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.pthread_kill(main, signal.SIGINT)
        time.sleep(FAREWELL)
    os._exit(0)


def busy() -> bool:
    """Whether any thread of the pool is answering a call."""
    return any(
        frame.f_code.co_name == "run"
        for stack in _pool_threads()
        for frame in stack
        if _of_the_pool(frame)
    )


def _pool_threads() -> Iterator[list[FrameType]]:
    """The stacks of the threads of the pool, the innermost frame first."""
    for innermost in sys._current_frames().values():  # noqa: SLF001 - the only way
        stack: list[FrameType] = []
        frame: FrameType | None = innermost
        while frame is not None:
            stack.append(frame)
            frame = frame.f_back
        if any(_of_the_pool(f) and f.f_code.co_name == "_worker" for f in stack):
            yield stack


def _of_the_pool(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__") == "concurrent.futures.thread"
