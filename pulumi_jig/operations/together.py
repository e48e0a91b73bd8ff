"""
Many requests at a time, in order, with a bound, and interruptible.

It exists because an account of 500 deployments is read in seconds this way. It refuses
to keep a person waiting who has pressed Ctrl-C: the threads are daemons, so requests in
flight do not hold the process.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Item = TypeVar("Item")
Found = TypeVar("Found")


def gather(
    work: Callable[[Item], Found],
    items: Sequence[Item],
    *,
    limit: int,
    done: Callable[[], None] = lambda: None,
) -> list[Found]:
    """
    The results of `work` on all items, in the order of the items.

    Args:
        work: Called in several threads.
        items: What to work on.
        limit: How many at a time.
        done: Called in the calling thread after each.

    Raises:
        Exception: What `work` raised, the first by the order of the items. What is
            under way then is waited for, so that no request is left behind; nothing
            more is begun, since a service that is gone would be tried for each.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for index in range(len(items)):
        waiting.put(index)
    ended: queue.SimpleQueue[tuple[int, Found | None, Exception | None]] = (
        queue.SimpleQueue()
    )

    broken = threading.Event()

    def run() -> None:
        while True:
            try:
                index = waiting.get_nowait()
            except queue.Empty:
                return
            if broken.is_set():
                ended.put((index, None, None))
                continue
            try:
                ended.put((index, work(items[index]), None))
            except Exception as error:
                broken.set()
                ended.put((index, None, error))

    for _ in range(min(limit, len(items))):
        threading.Thread(target=run, daemon=True).start()
    found: dict[int, Found] = {}
    failed: dict[int, Exception] = {}
    for _ in items:
        index, result, error = ended.get()
        if error is not None:
            failed[index] = error
        else:
            found[index] = result  # type: ignore[assignment] # None is a result too
        done()
    if failed:
        raise failed[min(failed)]
    return [found[index] for index in range(len(items))]
